//! The host device: machine code in this process, on a pool of threads.

mod code;
mod features;
mod imports;
mod pool;

use crate::DeviceError;
use crate::aligned::AlignedBytes;
use crate::device::{Address, Device, Memory, Module, Space, Stream, Work};
use artifact::{Artifact, WeightId};
use bytes::Bytes;
use code::Code;
use pool::Pool;
use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::sync::Arc;

const NAME: &str = "the host";

/// The processor that this process runs on.
///
/// Engines that are loaded on one `Host` share its threads; a run that finds them busy works alone.
#[derive(Clone)]
pub struct Host {
    pool: Arc<Pool>,
}

impl Host {
    /// A host with so many threads, the caller's included; by default as many as the machine has cores.
    pub fn new(threads: Option<NonZeroUsize>) -> Self {
        let threads = threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        Host { pool: Arc::new(Pool::new(threads)) }
    }

    /// How many threads work on a run.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }
}

impl Device for Host {
    fn name(&self) -> String {
        NAME.into()
    }

    fn choose(&self, targets: &[String]) -> Result<usize, DeviceError> {
        features::choose(targets)
    }

    fn load(&self, artifact: &Arc<Artifact>, variant: usize) -> Result<Box<dyn Module>, DeviceError> {
        let code = Code::load(artifact, &artifact.variants[variant].kernels)?;
        let weights = artifact.weights.iter().map(|weight| weight.data.clone()).collect();
        Ok(Box::new(HostModule { code: Arc::new(code), weights, pool: self.pool.clone() }))
    }
}

struct HostModule {
    code: Arc<Code>,
    weights: Vec<Bytes>,
    pool: Arc<Pool>,
}

impl Module for HostModule {
    fn space(&self) -> Space {
        Space::HOST
    }

    fn alignment(&self) -> usize {
        1
    }

    fn weight(&self, id: WeightId) -> Address {
        Address::new(self.weights[id.idx()].as_ptr() as u64)
    }

    fn scratch_copies(&self) -> usize {
        self.pool.threads()
    }

    fn alloc_for(&self, bytes: usize, purpose: &str) -> Result<Memory, DeviceError> {
        let block = AlignedBytes::new(bytes).ok_or_else(|| out_of_memory(bytes, purpose))?;
        Ok(Memory::new(Address::new(block.as_ptr() as u64), bytes, Box::new(block)))
    }

    fn stream(&self) -> Result<Box<dyn Stream>, DeviceError> {
        Ok(Box::new(HostStream { code: self.code.clone(), pool: self.pool.clone() }))
    }
}

/// The error that says that the host has not so much memory.
pub(crate) fn out_of_memory(bytes: usize, purpose: &str) -> DeviceError {
    DeviceError::OutOfMemory { device: NAME.into(), bytes, purpose: purpose.into(), free: None }
}

/// Does everything at once, in the caller's thread and the pool's.
struct HostStream {
    code: Arc<Code>,
    pool: Arc<Pool>,
}

impl Stream for HostStream {
    unsafe fn upload(&mut self, from: &[u8], to: Address) -> Result<(), DeviceError> {
        // SAFETY: the caller promises room for the bytes; host tensors and run memory do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to.get() as *mut u8, from.len()) };
        Ok(())
    }

    unsafe fn download(&mut self, from: Address, to: &mut [u8]) -> Result<(), DeviceError> {
        // SAFETY: as above, the other way round.
        unsafe { std::ptr::copy_nonoverlapping(from.get() as *const u8, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    unsafe fn copy(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), DeviceError> {
        // SAFETY: the caller promises both ranges. They should not overlap; if a wrong program makes them, `copy` is defined.
        unsafe { std::ptr::copy(from.get() as *const u8, to.get() as *mut u8, bytes) };
        Ok(())
    }

    unsafe fn launch(&mut self, work: Work<'_>) -> Result<(), DeviceError> {
        let kernel = self.code.kernel(work.kernel);
        // A pool's thread cannot say that there is no memory; this one takes part, and can.
        grow_scratch(work.scratch)?;
        let (args, dims) = (Shared(work.args.as_ptr().cast::<*mut u8>()), Shared(work.dims.as_ptr()));
        self.pool.run(work.tasks, work.cost, &|begin, end| {
            let (args, dims) = (&args, &dims);
            with_scratch(work.scratch, |scratch| {
                // SAFETY: the entry belongs to code that was compiled for this signature; the caller promises that the
                // arguments are what the kernel expects. `Address` is a transparent u64, as wide as a pointer here.
                unsafe { kernel(args.0, dims.0, begin, end, scratch) }
            });
        });
        Ok(())
    }

    fn synchronize(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }
}

const _: () = assert!(size_of::<Address>() == size_of::<*mut u8>(), "the host device needs 64-bit pointers");

/// A pointer to read-only arguments, given to the threads of one launch.
struct Shared<T>(*const T);

// SAFETY: the pool's threads only read what it points to, and only while the launch that owns it waits for them.
unsafe impl<T> Sync for Shared<T> {}

thread_local! {
    /// Scratch memory of this thread, with its size.
    static SCRATCH: RefCell<Option<(usize, AlignedBytes)>> = const { RefCell::new(None) };
}

/// Makes sure that the current thread has so much scratch memory.
fn grow_scratch(bytes: usize) -> Result<(), DeviceError> {
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.as_ref().map_or(0, |(len, _)| *len) < bytes {
            *scratch = None;
            let block = AlignedBytes::new(bytes).ok_or_else(|| out_of_memory(bytes, "scratch memory of a thread"))?;
            *scratch = Some((bytes, block));
        }
        Ok(())
    })
}

/// Calls a function with scratch memory that belongs to the current thread.
fn with_scratch(bytes: usize, f: impl FnOnce(*mut u8)) {
    if grow_scratch(bytes).is_err() {
        std::alloc::handle_alloc_error(std::alloc::Layout::new::<u8>());
    }
    SCRATCH.with_borrow_mut(|scratch| match scratch {
        Some((_, block)) => f(block.as_ptr()),
        // Not null, in case a kernel computes with it.
        None => f(crate::aligned::ALIGN as *mut u8),
    });
}
