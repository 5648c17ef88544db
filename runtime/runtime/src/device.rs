//! What a device must offer so that programs run on it.
//!
//! A [`Device`] loads a variant of an artifact and becomes a [`Module`]: its kernels and weights, ready to use. Each run has
//! a [`Stream`], which does things in order. Control flow, symbols and host operators are no business of a device.

use crate::order::{Fence, RawEvent, RawStream};
use crate::{DeviceError, TensorMap};
use artifact::{Artifact, KernelId, WeightId};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What an [`Address`] is a place in. Two devices have the same only if each can access the other's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space(u64);

impl Space {
    /// The memory of this process.
    pub const HOST: Space = Space(0);

    /// One that is unlike all others.
    #[allow(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Space {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Space(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A place in a device's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Address(u64);

impl Address {
    /// From the device's own number.
    pub fn new(address: u64) -> Self {
        Address(address)
    }

    /// The device's own number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The place some bytes further.
    pub fn offset(self, bytes: usize) -> Self {
        Address(self.0.wrapping_add(bytes as u64))
    }
}

/// Memory of a device; freed when dropped.
pub struct Memory {
    address: Address,
    bytes: usize,
    _owner: Box<dyn Any + Send + Sync>,
}

impl Memory {
    /// Memory that lives as long as its owner.
    pub fn new(address: Address, bytes: usize, owner: Box<dyn Any + Send + Sync>) -> Self {
        Memory { address, bytes, _owner: owner }
    }

    /// Where it starts.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Its size.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A kind of machine, and one of it.
pub trait Device: Send + Sync {
    /// How messages call it.
    fn name(&self) -> String;

    /// The index of the target that this device runs best, of those in an artifact.
    fn choose(&self, targets: &[String]) -> Result<usize, DeviceError>;

    /// Makes a variant ready to run.
    fn load(&self, artifact: &Arc<Artifact>, variant: usize) -> Result<Box<dyn Module>, DeviceError>;
}

/// Kernels and weights of a variant on a device.
pub trait Module: Send + Sync {
    /// Where the addresses are.
    fn space(&self) -> Space;

    /// Whether addresses are pointers that this process may follow.
    fn is_host_memory(&self) -> bool {
        self.space() == Space::HOST
    }

    /// Tensors of the caller must begin at multiples of this, and of the size of an element.
    fn alignment(&self) -> usize {
        16
    }

    /// Whether launches should come with the extents of their buffers.
    fn checks_bounds(&self) -> bool {
        false
    }

    /// How many times the scratch memory of a launch is there at once: once for each thread of a host.
    fn scratch_copies(&self) -> usize {
        0
    }

    /// What the device has to tell about the runs so far, as lines for people; most have nothing.
    fn report(&self) -> Vec<String> {
        vec![]
    }

    /// Where a weight lies.
    fn weight(&self, id: WeightId) -> Address;

    /// New memory, at a multiple of 64. Its contents are undefined. Freeing it waits for whatever uses it.
    fn alloc(&self, bytes: usize) -> Result<Memory, DeviceError> {
        self.alloc_for(bytes, "a tensor")
    }

    /// The same; an error says what it would have been for.
    fn alloc_for(&self, bytes: usize, purpose: &str) -> Result<Memory, DeviceError>;

    /// A new stream.
    fn stream(&self) -> Result<Box<dyn Stream>, DeviceError>;
}

/// A kernel launch, with everything evaluated.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// What to run.
    pub kernel: KernelId,
    /// Where the tensors are.
    pub args: &'a [Address],
    /// The buffers that the tensors lie in, with their bytes; empty unless the module [looks at them](Module::checks_bounds).
    pub buffers: &'a [(Address, usize)],
    /// Tensor maps.
    pub maps: &'a [TensorMap],
    /// Values of dimensions.
    pub dims: &'a [i64],
    /// Number of tasks, positive.
    pub tasks: i64,
    /// Bytes of scratch memory for each host thread.
    pub scratch: usize,
    /// Rough nanoseconds of one task on one host core.
    pub cost: i64,
}

/// Memory for the work of one stream. What is freed may be given out again at once: the stream's order keeps uses apart.
pub trait Pool: Send + Sync {
    /// New memory, at a multiple of 64. Its contents are undefined.
    fn alloc(&self, bytes: usize) -> Result<Memory, DeviceError>;
}

/// A recorded sequence of work, owned by its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphId(pub usize);

/// A moment on a device's own clock, owned by its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(pub usize);

/// The error of a device that lacks something.
fn unsupported(what: &str) -> DeviceError {
    DeviceError::Failed { device: "the device".into(), why: format!("it has no {what}") }
}

/// Does things on a device in order.
///
/// # Safety
/// The unsafe methods follow addresses. Callers promise that each address begins a range, as long as the call (or the kernel)
/// needs, of memory of the same module or of a tensor in host memory, which lives until [`Stream::synchronize`] returns, and
/// which nothing else writes meanwhile.
#[allow(clippy::missing_safety_doc, reason = "the contract is the same for all methods and stands above")]
pub trait Stream: Send {
    /// Copies from the host. The source may be reused when the call returns.
    unsafe fn upload(&mut self, from: &[u8], to: Address) -> Result<(), DeviceError>;

    /// Copies to the host, after everything before has finished.
    unsafe fn download(&mut self, from: Address, to: &mut [u8]) -> Result<(), DeviceError>;

    /// Copies within the device. The ranges do not overlap.
    unsafe fn copy(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), DeviceError>;

    /// Runs a kernel.
    unsafe fn launch(&mut self, work: Work<'_>) -> Result<(), DeviceError>;

    /// Waits until everything is done.
    fn synchronize(&mut self) -> Result<(), DeviceError>;

    /// Memory for work on this stream alone; `None` if the module's is as good.
    fn pool(&self) -> Option<Arc<dyn Pool>> {
        None
    }

    /// From now on does things on the caller's stream, behind what was given to this one before.
    unsafe fn adopt(&mut self, stream: RawStream) -> Result<(), DeviceError> {
        Err(unsupported(&format!("streams of the caller (stream {:#x} was given)", stream.get())))
    }

    /// Ends that: this stream then comes after what was given to the caller's.
    fn release(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }

    /// What follows comes after an event of the caller.
    unsafe fn wait_for(&mut self, event: RawEvent) -> Result<(), DeviceError> {
        Err(unsupported(&format!("events of the caller (event {:#x} was given)", event.get())))
    }

    /// The end of everything so far; `None` if it is there.
    fn fence(&mut self) -> Result<Option<Arc<dyn Fence>>, DeviceError> {
        self.synchronize().map(|()| None)
    }

    /// Starts to record instead of doing. `false` if the device has no such thing.
    fn begin_capture(&mut self) -> Result<bool, DeviceError> {
        Ok(false)
    }

    /// Ends the record. If `over` is an older one, it is gone then: the new record takes its number, and where both are the same
    /// but for addresses, numbers and extents, its place in the driver too.
    fn end_capture(&mut self, over: Option<GraphId>) -> Result<GraphId, DeviceError> {
        Err(unsupported(&format!("records (the end of one is asked for, over {over:?})")))
    }

    /// Ends the record, which is of no use.
    fn abandon_capture(&mut self) {}

    /// Does what was recorded: same addresses, same numbers.
    unsafe fn replay(&mut self, graph: GraphId) -> Result<(), DeviceError> {
        Err(unsupported(&format!("records (number {} is asked for)", graph.0)))
    }

    /// Notes the moment when everything before is done; `None` of a device without a clock of its own.
    fn mark(&mut self) -> Result<Option<Mark>, DeviceError> {
        Ok(None)
    }

    /// The time from one mark to a later one, both of which have passed. The marks end with that.
    fn between(&mut self, from: Mark, to: Mark) -> Result<Duration, DeviceError> {
        Err(DeviceError::Failed { device: "device".into(), why: format!("there are no marks {} and {}", from.0, to.0) })
    }
}
