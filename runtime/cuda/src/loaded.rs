//! Kernels and weights of a variant in a GPU. Engines with equal artifacts share them.

use crate::driver::{Failure, Handle, Resources};
use crate::gpu::{ALIGN, Gpu, lock};
use crate::stream::CudaStream;
use artifact::{Artifact, Kernels, Place, PtxKernel, WeightId};
use runtime::{Address, DeviceError, Memory, Module, Space, Stream};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::sync::{Arc, Weak};

/// A loaded variant, kept alive by all that use it.
pub(crate) struct Loaded {
    pub(crate) gpu: Arc<Gpu>,
    artifact: Arc<Artifact>,
    variant: usize,
    modules: Vec<Handle>,
    pub(crate) functions: Vec<(Handle, PtxKernel)>,
    weights: Vec<Option<Address>>,
    /// Holds the weights.
    _memory: Option<Memory>,
}

impl Drop for Loaded {
    fn drop(&mut self) {
        for module in &self.modules {
            // SAFETY: the handles came from this driver, and the streams that used them are gone: each held this value.
            self.gpu.end(|driver| unsafe { driver.unload_module(*module) });
        }
    }
}

/// A variant as an engine sees it.
pub(crate) struct CudaModule(Arc<Loaded>);

impl CudaModule {
    /// Loads a variant, or shares what another engine has loaded.
    pub(crate) fn load(gpu: &Arc<Gpu>, artifact: &Arc<Artifact>, variant: usize) -> Result<Self, DeviceError> {
        gpu.check()?;
        // Held meanwhile, so that no two engines upload the same weights.
        let mut known = lock(&gpu.loaded);
        known.retain(|loaded| loaded.strong_count() > 0);
        let same = |loaded: &Arc<Loaded>| {
            loaded.variant == variant && (Arc::ptr_eq(&loaded.artifact, artifact) || *loaded.artifact == **artifact)
        };
        if let Some(loaded) = known.iter().filter_map(Weak::upgrade).find(same) {
            return Ok(CudaModule(loaded));
        }
        let loaded = Arc::new(Loaded::new(gpu, artifact, variant)?);
        known.push(Arc::downgrade(&loaded));
        Ok(CudaModule(loaded))
    }
}

impl Loaded {
    /// Compiles the variant's PTX and uploads the weights that its program uses.
    fn new(gpu: &Arc<Gpu>, artifact: &Arc<Artifact>, variant: usize) -> Result<Self, DeviceError> {
        let Kernels::Ptx { units, kernels } = &artifact.variants[variant].kernels else {
            return Err(gpu.failed("the kernels are not PTX".into()));
        };
        let used = used_weights(artifact, variant);
        let bytes = used.iter().map(|id| weight_size(artifact, *id)).sum();
        check_room(gpu, bytes)?;
        let mut loaded = Loaded {
            gpu: gpu.clone(),
            artifact: artifact.clone(),
            variant,
            modules: vec![],
            functions: vec![],
            weights: vec![None; artifact.weights.len()],
            _memory: None,
        };
        for unit in units {
            loaded.modules.push(load_ptx(gpu, &artifact.code[unit.idx()])?);
        }
        for kernel in kernels {
            let function = find(gpu, loaded.modules[kernel.unit as usize], kernel)?;
            loaded.functions.push((function, kernel.clone()));
        }
        loaded.upload_weights(&used, bytes)?;
        Ok(loaded)
    }

    /// Puts weights into one block.
    fn upload_weights(&mut self, used: &BTreeSet<WeightId>, bytes: usize) -> Result<(), DeviceError> {
        if bytes == 0 {
            return Ok(());
        }
        let memory = self.gpu.alloc(bytes, "the weights")?;
        let mut at = memory.address();
        // Held by the value, so that a failure ends the copies before it frees the memory.
        self._memory = Some(memory);
        let stream = crate::stream::Raw::new(&self.gpu)?;
        for id in used {
            // SAFETY: the block has room for every weight, one after the other.
            unsafe { stream.upload(&self.artifact.weights[id.idx()].data, at.get()) }?;
            self.weights[id.idx()] = Some(at);
            at = at.offset(weight_size(&self.artifact, *id));
        }
        stream.wait()
    }
}

fn weight_size(artifact: &Artifact, id: WeightId) -> usize {
    artifact.weights[id.idx()].data.len().next_multiple_of(ALIGN)
}

/// The weights that a variant's program uses.
fn used_weights(artifact: &Artifact, variant: usize) -> BTreeSet<WeightId> {
    let buffers = artifact.variants[variant].program.buffers.iter();
    let used = buffers.filter_map(|buffer| match buffer.place {
        Place::Weight(id) => Some(id),
        Place::Arena | Place::Input(_) | Place::Output(_) => None,
    });
    used.collect()
}

/// Refuses a model that is too large for the device before anything is given to it.
fn check_room(gpu: &Gpu, bytes: usize) -> Result<(), DeviceError> {
    let free = || gpu.call("asking for free memory", |driver| driver.memory()).map(|(free, _)| free);
    if bytes <= free()? || (gpu.trim() > 0 && bytes <= free()?) {
        return Ok(());
    }
    Err(gpu.out_of_memory(bytes, "the weights"))
}

/// Compiles PTX.
fn load_ptx(gpu: &Gpu, text: &[u8]) -> Result<Handle, DeviceError> {
    let with_zero = CString::new(text).map_err(|_| gpu.failed("PTX with a zero byte".into()))?;
    gpu.call("loading PTX", |driver| {
        driver.load_module(&with_zero).map_err(|failure| match failure.code.as_str() {
            "CUDA_ERROR_UNSUPPORTED_PTX_VERSION" => too_new(gpu, text, failure),
            _ => failure,
        })
    })
}

/// Says which versions do not go together.
fn too_new(gpu: &Gpu, text: &[u8], failure: Failure) -> Failure {
    let lines = text.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let version = lines.filter_map(|line| line.trim().strip_prefix(".version")).next().map_or("unknown", str::trim);
    let (major, minor) = (gpu.info.driver / 1000, gpu.info.driver % 1000 / 10);
    let text = format!(
        "{}: the PTX is of version {version}, and the driver, which is of CUDA {major}.{minor}, does not know that: update the \
         driver, or compile for an older target",
        failure.text
    );
    Failure { text, ..failure }
}

/// Finds a kernel and checks that the chip can run it.
fn find(gpu: &Gpu, module: Handle, kernel: &PtxKernel) -> Result<Handle, DeviceError> {
    let entry =
        CString::new(kernel.entry.as_str()).map_err(|_| gpu.failed("a kernel's name has a zero byte".into()))?;
    let doing = format!("finding kernel `{}`", kernel.name);
    // SAFETY: the module was just loaded.
    let function = gpu.call(&doing, |driver| unsafe { driver.function(module, &entry) })?;
    // SAFETY: the function was just found.
    let resources = gpu.call(&doing, |driver| unsafe { driver.resources(function) })?;
    check_resources(gpu, kernel, resources)?;
    /// So much a kernel has without asking.
    const ALWAYS: u32 = 48 << 10;
    if kernel.shared > ALWAYS {
        let doing = format!("giving kernel `{}` its shared memory", kernel.name);
        // SAFETY: as above.
        gpu.call(&doing, |driver| unsafe { driver.allow_shared(function, kernel.shared) })?;
    }
    Ok(function)
}

fn check_resources(gpu: &Gpu, kernel: &PtxKernel, has: Resources) -> Result<(), DeviceError> {
    let shared = has.shared.saturating_add(kernel.shared);
    let name = &kernel.name;
    if shared > gpu.info.shared_memory {
        let chip = gpu.info.shared_memory;
        let why = format!("kernel `{name}` needs {shared} bytes of shared memory, the chip has {chip} for a block");
        return Err(gpu.failed(why));
    }
    if kernel.block > has.threads {
        let Resources { registers, threads, .. } = has;
        let why = format!(
            "kernel `{name}` needs blocks of {} threads; with its {registers} registers a thread, the chip runs at most {threads}",
            kernel.block
        );
        return Err(gpu.failed(why));
    }
    Ok(())
}

impl Module for CudaModule {
    fn space(&self) -> Space {
        self.0.gpu.space
    }

    fn weight(&self, id: WeightId) -> Address {
        // The runtime asks only for weights of the program's buffers, and all of those were uploaded.
        self.0.weights[id.idx()].unwrap_or(Address::new(0))
    }

    fn alloc_for(&self, bytes: usize, purpose: &str) -> Result<Memory, DeviceError> {
        self.0.gpu.alloc(bytes, purpose)
    }

    fn stream(&self) -> Result<Box<dyn Stream>, DeviceError> {
        Ok(Box::new(CudaStream::new(self.0.clone())?))
    }
}
