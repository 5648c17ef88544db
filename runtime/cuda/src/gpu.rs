//! What everything on one GPU shares: the driver, whether the device is lost, and counts of memory.

use crate::Info;
use crate::driver::{Driver, Failure};
use crate::loaded::Loaded;
use crate::pool::StreamPool;
use crate::staging::Staging;
use runtime::{Address, DeviceError, Memory, Space};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// Everything starts at a multiple of this.
pub(crate) const ALIGN: usize = 256;

/// After these the context does nothing any more.
const STICKY: [&str; 15] = [
    "CUDA_ERROR_ILLEGAL_ADDRESS",
    "CUDA_ERROR_LAUNCH_FAILED",
    "CUDA_ERROR_LAUNCH_TIMEOUT",
    "CUDA_ERROR_HARDWARE_STACK_ERROR",
    "CUDA_ERROR_ILLEGAL_INSTRUCTION",
    "CUDA_ERROR_MISALIGNED_ADDRESS",
    "CUDA_ERROR_INVALID_ADDRESS_SPACE",
    "CUDA_ERROR_INVALID_PC",
    "CUDA_ERROR_ASSERT",
    "CUDA_ERROR_ECC_UNCORRECTABLE",
    "CUDA_ERROR_NVLINK_UNCORRECTABLE",
    "CUDA_ERROR_CONTAINED",
    "CUDA_ERROR_EXTERNAL_DEVICE",
    "CUDA_ERROR_CONTEXT_IS_DESTROYED",
    "CUDA_ERROR_DEINITIALIZED",
];

/// The code that says that memory is used up.
pub(crate) const OUT_OF_MEMORY: &str = "CUDA_ERROR_OUT_OF_MEMORY";

/// Bytes of a GPU's memory that are in use by engines and tensors on one [`Cuda`](crate::Cuda).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Now, what is kept for later runs included.
    pub now: usize,
    /// The most that there were at once.
    pub peak: usize,
    /// Page-locked bytes of the host's memory, for copies.
    pub host: usize,
}

/// One GPU.
pub(crate) struct Gpu {
    driver: Arc<dyn Driver>,
    pub(crate) name: String,
    pub(crate) info: Info,
    pub(crate) space: Space,
    /// What happened, if the device is lost. Nothing is asked of the driver then, not even to free anything.
    lost: OnceLock<String>,
    pub(crate) memory: Mutex<MemoryUse>,
    pub(crate) staging: Mutex<Vec<Staging>>,
    pub(crate) loaded: Mutex<Vec<Weak<Loaded>>>,
    pools: Mutex<Vec<Weak<StreamPool>>>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Behind these locks are counts and lists of whole entries.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gpu {
    pub(crate) fn new(driver: Arc<dyn Driver>, info: Info) -> Gpu {
        Gpu {
            driver,
            name: format!("cuda:{} ({})", info.ordinal, info.name),
            info,
            space: Space::new(),
            lost: OnceLock::new(),
            memory: Mutex::default(),
            staging: Mutex::default(),
            loaded: Mutex::default(),
            pools: Mutex::default(),
        }
    }

    /// Asks something of the driver; `doing` is for messages.
    pub(crate) fn call<T>(
        &self,
        doing: &str,
        call: impl FnOnce(&dyn Driver) -> Result<T, Failure>,
    ) -> Result<T, DeviceError> {
        self.check()?;
        call(&*self.driver).map_err(|failure| self.explain(&failure, doing))
    }

    /// Frees something. A lost device has nothing any more that could be freed.
    pub(crate) fn end(&self, call: impl FnOnce(&dyn Driver)) {
        if self.lost.get().is_none() {
            call(&*self.driver);
        }
    }

    /// Fails if the device is lost.
    pub(crate) fn check(&self) -> Result<(), DeviceError> {
        match self.lost.get() {
            Some(why) => Err(DeviceError::Lost { device: self.name.clone(), why: why.clone() }),
            None => Ok(()),
        }
    }

    /// From now on nothing works.
    pub(crate) fn lose(&self, why: String) {
        // What happened first is what matters.
        let _ = self.lost.set(why);
    }

    pub(crate) fn failed(&self, why: String) -> DeviceError {
        DeviceError::Failed { device: self.name.clone(), why }
    }

    /// The error for a user.
    pub(crate) fn explain(&self, failure: &Failure, doing: &str) -> DeviceError {
        let Failure { code, text } = failure;
        let why = format!("{doing}: {text} ({code})");
        if !STICKY.contains(&code.as_str()) {
            return self.failed(why);
        }
        self.lose(format!(
            "{why}; it happened there or in a kernel before. Nothing on the device works any more: restart the process, or open \
             the device anew"
        ));
        self.check().err().unwrap_or_else(|| self.failed(why))
    }

    /// Opens the device anew.
    ///
    /// # Safety
    /// Nobody uses what is on the device's context.
    pub(crate) unsafe fn reopen(&self) -> Result<Arc<dyn Driver>, DeviceError> {
        // SAFETY: promised by the caller.
        let opened = unsafe { self.driver.reopen() };
        opened.map_err(|failure| DeviceError::Missing {
            device: self.name.clone(),
            why: format!("it cannot be opened anew: {} ({})", failure.text, failure.code),
        })
    }

    /// New device memory.
    pub(crate) fn alloc(self: &Arc<Self>, bytes: usize, purpose: &str) -> Result<Memory, DeviceError> {
        let address = self.alloc_raw(bytes, purpose)?;
        let block = Block { gpu: self.clone(), address, bytes };
        Ok(Memory::new(Address::new(address), bytes, Box::new(block)))
    }

    /// New device memory, to be freed by [`Gpu::free_raw`].
    pub(crate) fn alloc_raw(&self, bytes: usize, purpose: &str) -> Result<u64, DeviceError> {
        self.check()?;
        let size = bytes.max(ALIGN);
        let mut result = self.driver.alloc(size);
        if result.as_ref().is_err_and(|failure| failure.code == OUT_OF_MEMORY) && self.trim() > 0 {
            result = self.driver.alloc(size);
        }
        let address = result.map_err(|failure| match failure.code.as_str() {
            OUT_OF_MEMORY => self.out_of_memory(bytes, purpose),
            _ => self.explain(&failure, &format!("allocating memory for {purpose}")),
        })?;
        let mut used = lock(&self.memory);
        used.now += size;
        used.peak = used.peak.max(used.now);
        Ok(address)
    }

    /// Gives memory back.
    ///
    /// # Safety
    /// It came from [`Gpu::alloc_raw`] with as many bytes, and is not used any more but by what the device has been given: the
    /// driver waits for that.
    pub(crate) unsafe fn free_raw(&self, address: u64, bytes: usize) {
        // SAFETY: promised by the caller.
        self.end(|driver| unsafe { driver.free(address) });
        lock(&self.memory).now -= bytes.max(ALIGN);
    }

    /// The error that says how much there is.
    pub(crate) fn out_of_memory(&self, bytes: usize, purpose: &str) -> DeviceError {
        let free = self.driver.memory().ok();
        DeviceError::OutOfMemory { device: self.name.clone(), bytes, purpose: purpose.into(), free }
    }

    /// Notes a pool, so that its cache can be emptied.
    pub(crate) fn add_pool(&self, pool: &Arc<StreamPool>) {
        let mut pools = lock(&self.pools);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }

    /// Frees what pools keep for later; tells how many bytes.
    pub(crate) fn trim(&self) -> usize {
        let pools: Vec<_> = lock(&self.pools).iter().filter_map(Weak::upgrade).collect();
        pools.iter().map(|pool| pool.trim()).sum()
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        for staging in std::mem::take(&mut *lock(&self.staging)) {
            staging.free(self);
        }
    }
}

/// Device memory that is freed when dropped.
struct Block {
    gpu: Arc<Gpu>,
    address: u64,
    bytes: usize,
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the address came from this device and is freed once.
        unsafe { self.gpu.free_raw(self.address, self.bytes) }
    }
}
