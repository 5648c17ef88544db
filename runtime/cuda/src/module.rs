//! Kernels and weights of a variant in a GPU.

use crate::driver::{Driver, Handle};
use crate::stream::CudaStream;
use artifact::{Artifact, Kernels, Place, PtxKernel, WeightId};
use runtime::{Address, DeviceError, Memory, Module, Stream};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::sync::Arc;

/// Everything starts at a multiple of this.
const ALIGN: usize = 256;

/// A loaded variant.
pub(crate) struct CudaModule {
    pub(crate) shared: Arc<Loaded>,
    weights: Vec<Option<Address>>,
    /// Holds the weights.
    _memory: Memory,
}

/// What streams need of a module, kept alive by them.
pub(crate) struct Loaded {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) device: String,
    modules: Vec<Handle>,
    pub(crate) functions: Vec<(Handle, PtxKernel)>,
}

impl Drop for Loaded {
    fn drop(&mut self) {
        for module in &self.modules {
            // SAFETY: the handles came from this driver, and the streams that used them are gone: each held this value.
            unsafe { self.driver.unload_module(*module) };
        }
    }
}

/// Device memory that is freed when dropped.
struct Block {
    driver: Arc<dyn Driver>,
    address: u64,
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the address came from this driver and is freed once.
        unsafe { self.driver.free(self.address) }
    }
}

impl CudaModule {
    /// Compiles the variant's PTX and uploads the weights that its program uses.
    pub(crate) fn load(
        driver: Arc<dyn Driver>,
        device: String,
        artifact: &Artifact,
        variant: usize,
    ) -> Result<Self, DeviceError> {
        let failed = |why: String| DeviceError::Failed { device: device.clone(), why };
        let Kernels::Ptx { units, kernels } = &artifact.variants[variant].kernels else {
            return Err(failed("the kernels are not PTX".into()));
        };
        let mut loaded = Loaded { driver: driver.clone(), device: device.clone(), modules: vec![], functions: vec![] };
        for unit in units {
            let text =
                CString::new(&artifact.code[unit.idx()][..]).map_err(|_| failed("PTX with a zero byte".into()))?;
            let module = driver.load_module(&text).map_err(|e| e.explain(&device, "loading PTX"))?;
            loaded.modules.push(module);
        }
        for kernel in kernels {
            let entry =
                CString::new(kernel.entry.as_str()).map_err(|_| failed("a kernel's name has a zero byte".into()))?;
            let module = loaded.modules[kernel.unit as usize];
            // SAFETY: the module was just loaded.
            let function = unsafe { driver.function(module, &entry, kernel.shared) };
            let function = function.map_err(|e| e.explain(&device, &format!("finding kernel `{}`", kernel.name)))?;
            loaded.functions.push((function, kernel.clone()));
        }
        let shared = Arc::new(loaded);
        let (weights, memory) = upload_weights(&shared, artifact, variant)?;
        Ok(CudaModule { shared, weights, _memory: memory })
    }
}

/// Puts the weights that a variant uses into one block.
fn upload_weights(
    shared: &Arc<Loaded>,
    artifact: &Artifact,
    variant: usize,
) -> Result<(Vec<Option<Address>>, Memory), DeviceError> {
    let used: BTreeSet<WeightId> = artifact.variants[variant]
        .program
        .buffers
        .iter()
        .filter_map(|buffer| match buffer.place {
            Place::Weight(id) => Some(id),
            Place::Arena | Place::Input(_) | Place::Output(_) => None,
        })
        .collect();
    let size = |id: WeightId| artifact.weights[id.idx()].data.len().next_multiple_of(ALIGN);
    let memory = alloc(shared, used.iter().map(|id| size(*id)).sum())?;
    let mut addresses = vec![None; artifact.weights.len()];
    let stream = CudaStream::new(shared.clone())?;
    let mut at = memory.address();
    for id in used {
        // SAFETY: the block has room for every weight, one after the other.
        unsafe { stream.put(&artifact.weights[id.idx()].data, at.get()) }?;
        addresses[id.idx()] = Some(at);
        at = at.offset(size(id));
    }
    stream.wait()?;
    Ok((addresses, memory))
}

/// New device memory.
fn alloc(shared: &Loaded, bytes: usize) -> Result<Memory, DeviceError> {
    let address = shared.driver.alloc(bytes.max(ALIGN)).map_err(|failure| match failure.code.as_str() {
        "CUDA_ERROR_OUT_OF_MEMORY" => DeviceError::OutOfMemory { device: shared.device.clone(), bytes },
        _ => failure.explain(&shared.device, "allocating memory"),
    })?;
    let block = Block { driver: shared.driver.clone(), address };
    Ok(Memory::new(Address::new(address), bytes, Box::new(block)))
}

impl Module for CudaModule {
    fn is_host_memory(&self) -> bool {
        false
    }

    fn weight(&self, id: WeightId) -> Address {
        // The runtime asks only for weights of the program's buffers, and all of those were uploaded.
        self.weights[id.idx()].unwrap_or(Address::new(0))
    }

    fn alloc(&self, bytes: usize) -> Result<Memory, DeviceError> {
        alloc(&self.shared, bytes)
    }

    fn stream(&self) -> Result<Box<dyn Stream>, DeviceError> {
        Ok(Box::new(CudaStream::new(self.shared.clone())?))
    }
}
