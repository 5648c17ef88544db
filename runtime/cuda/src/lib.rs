//! The CUDA device: runs an artifact's PTX through the driver API.
//!
//! # Invariants
//! - Builds and starts without CUDA: the driver's library is opened when a [`Cuda`] is asked for, and its absence is an error
//!   that says what is missing.
//! - The only crate that uses cudarc, and only its thin layer over the driver. Everything else here works on the trait
//!   `Driver`, so that tests record what would be called.
//! - The device's primary context is shared with whoever else uses it in this process.
//! - What is used by work on the way is not freed, changed or given to other work before that is done, or behind it on the same
//!   stream.
//! - No call happens on a lost device. The process lives, and so do its other devices.
//! - Nothing depends on chance: work of a run is one chain, and no kernel adds floats by atomics. The same artifact gives the
//!   same bits on the same kind of device, run after run.
//!
//! # Rooms
//! `driver` is what is asked of CUDA, `real` asks it. A [`Cuda`] has one `gpu`, shared by all engines on it; `loaded` are the
//! kernels and weights of an artifact, shared by engines with equal ones. A `stream` does the work of one run at a time, with
//! a `pool` of memory and `graph`s; `staging` copies large tensors of the host.
//!
//! Start reading at [`Cuda`], then `gpu`, `loaded` and `stream`.

mod driver;
mod event;
#[cfg(test)]
mod fake;
mod gpu;
mod graph;
mod loaded;
mod maps;
mod pool;
mod real;
mod staging;
mod stream;
mod target;
#[cfg(test)]
mod tests;

use artifact::Artifact;
use gpu::Gpu;
use real::RealDriver;
use runtime::{Device, DeviceError, Module};
use std::sync::Arc;
use target::Capability;

pub use gpu::MemoryUse;

/// An NVIDIA GPU. Clones share it: engines that are loaded on one `Cuda` or its clones share weights and caches, and may run in
/// several threads at once.
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
    gpu: Arc<Gpu>,
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
    /// Bytes of shared memory that a block can have.
    pub shared_memory: u32,
}

impl Cuda {
    /// Opens a GPU by its number.
    pub fn new(ordinal: usize) -> Result<Cuda, DeviceError> {
        let (driver, info) = RealDriver::open(ordinal)?;
        Ok(Cuda { gpu: Arc::new(Gpu::new(Arc::new(driver), info)) })
    }

    /// Opens the device anew, with nothing in its memory, where the driver permits that: after a fault in a kernel, when
    /// [everything fails](DeviceError::Lost). All engines and tensors on this `Cuda` and its clones are lost, if they are not yet.
    ///
    /// # Safety
    /// Nothing else in the process has anything on the device: its primary context, which is shared by all libraries that
    /// use CUDA, is destroyed with all memory, streams and events on it.
    ///
    /// # Errors
    /// What the driver says.
    pub unsafe fn reopen(&self) -> Result<Cuda, DeviceError> {
        self.gpu.lose("the device was opened anew".into());
        // SAFETY: promised by the caller; of ours, nothing is asked of the old context any more.
        let driver = unsafe { self.gpu.reopen() }?;
        Ok(Cuda { gpu: Arc::new(Gpu::new(driver, self.gpu.info.clone())) })
    }

    /// How much memory is in use by engines and tensors on this `Cuda` and its clones.
    pub fn memory(&self) -> MemoryUse {
        *gpu::lock(&self.gpu.memory)
    }

    /// What the driver says about the device.
    pub fn info(&self) -> &Info {
        &self.gpu.info
    }

    /// How many GPUs there are; an error says why none can be used at all.
    pub fn count() -> Result<usize, DeviceError> {
        RealDriver::count("cuda")
    }
}

impl Device for Cuda {
    fn name(&self) -> String {
        self.gpu.name.clone()
    }

    fn choose(&self, targets: &[String]) -> Result<usize, DeviceError> {
        let capability = Capability(self.info().capability);
        target::choose(targets, capability).ok_or_else(|| DeviceError::NoVariant {
            device: self.name(),
            needs: format!("nvptx:sm_{0}a, or nvptx:sm_NN with NN at most {0}", self.info().capability),
            has: targets.to_vec(),
        })
    }

    fn load(&self, artifact: &Arc<Artifact>, variant: usize) -> Result<Box<dyn Module>, DeviceError> {
        Ok(Box::new(loaded::CudaModule::load(&self.gpu, artifact, variant)?))
    }
}
