//! The CUDA device: runs an artifact's PTX through the driver API.
//!
//! # Invariants
//! - Builds and starts without CUDA: the driver's library is opened when a [`Cuda`] is asked for, and its absence is an error
//!   that says what is missing.
//! - The only crate that uses cudarc, and only its thin layer over the driver. Everything else here works on the trait
//!   `Driver`, so that tests record what would be called.
//! - The device's primary context is shared with whoever else uses it in this process.
//!
//! Start reading at [`Cuda`], then `module` and `stream`.

mod driver;
mod maps;
mod module;
mod real;
mod stream;
mod target;
#[cfg(test)]
mod tests;

use artifact::Artifact;
use driver::Driver;
use real::RealDriver;
use runtime::{Device, DeviceError, Module};
use std::sync::Arc;
use target::Capability;

/// An NVIDIA GPU.
///
/// ```
/// match cuda::Cuda::new(0) {
///     Ok(gpu) => assert!(gpu.info().name.len() > 0),
///     // Says what is missing: the driver's library, a device, or the one that was asked for.
///     Err(error) => assert!(error.to_string().starts_with("cuda:0 is not available: ")),
/// }
/// ```
#[derive(Clone)]
pub struct Cuda {
    driver: Arc<dyn Driver>,
    info: Info,
}

/// What the driver says about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Its number.
    pub ordinal: usize,
    /// Its name, for example `NVIDIA H100 PCIe`.
    pub name: String,
    /// Compute capability times ten: 90 for 9.0.
    pub capability: u32,
    /// Bytes of memory.
    pub memory: usize,
    /// The newest CUDA version that the driver knows, times a thousand plus the minor one times ten: 12040 for 12.4.
    pub driver: u32,
}

impl Cuda {
    /// Opens a GPU by its number.
    pub fn new(ordinal: usize) -> Result<Cuda, DeviceError> {
        let (driver, info) = RealDriver::open(ordinal)?;
        Ok(Cuda { driver: Arc::new(driver), info })
    }

    /// What the driver says about the device.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// How many GPUs there are; an error says why none can be used at all.
    pub fn count() -> Result<usize, DeviceError> {
        RealDriver::count("cuda")
    }
}

impl Device for Cuda {
    fn name(&self) -> String {
        format!("cuda:{} ({})", self.info.ordinal, self.info.name)
    }

    fn choose(&self, targets: &[String]) -> Result<usize, DeviceError> {
        let capability = Capability(self.info.capability);
        target::choose(targets, capability).ok_or_else(|| DeviceError::NoVariant {
            device: self.name(),
            needs: format!("nvptx:sm_{0}a, or nvptx:sm_NN with NN at most {0}", self.info.capability),
            has: targets.to_vec(),
        })
    }

    fn load(&self, artifact: &Arc<Artifact>, variant: usize) -> Result<Box<dyn Module>, DeviceError> {
        let module = module::CudaModule::load(self.driver.clone(), self.name(), artifact, variant)?;
        Ok(Box::new(module))
    }
}
