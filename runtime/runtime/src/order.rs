//! When a run happens, beside the caller's own work on a device.

use crate::DeviceError;
use std::sync::Arc;

/// A queue of the caller: a `CUstream`. Zero is CUDA's default stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawStream(u64);

impl RawStream {
    /// From the driver's handle.
    ///
    /// # Safety
    /// The stream belongs to the device's primary context, lives until the runs on it have finished, and is not being captured.
    pub unsafe fn new(handle: u64) -> Self {
        RawStream(handle)
    }

    /// The driver's handle.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// A moment in a queue: a `CUevent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawEvent(u64);

impl RawEvent {
    /// From the driver's handle.
    ///
    /// # Safety
    /// The event belongs to the device's primary context, was recorded, and lives until the run that waits for it has begun.
    pub unsafe fn new(handle: u64) -> Self {
        RawEvent(handle)
    }

    /// The driver's handle.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// When a run happens. The default is: now, on a stream of the engine.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The caller's stream, in whose order the run happens: after what was put into it before, and before what comes later.
    pub stream: Option<RawStream>,
    /// What else the run comes after.
    pub after: Vec<RawEvent>,
    /// The caller vouches that indices among the inputs, and those that the model computes from them, lie within their axes.
    /// Then nothing needs to be read back to look at them. A wrong one still leaves no tensor, but the result is undefined.
    pub trusts_indices: bool,
}

/// The end of what was given to a stream.
pub trait Fence: Send + Sync {
    /// Waits for it.
    fn wait(&self) -> Result<(), DeviceError>;

    /// Whether it is there.
    fn is_done(&self) -> Result<bool, DeviceError>;

    /// To wait for it on another stream. It lives as long as the fence.
    fn event(&self) -> RawEvent;
}

/// A run that was given to a device, and perhaps is not done yet.
///
/// Dropping it does not wait: what the run uses of the caller's must live until then all the same.
pub struct Ticket {
    fence: Option<Arc<dyn Fence>>,
}

impl Ticket {
    /// A run with this end; `None` if it is done.
    pub(crate) fn new(fence: Option<Arc<dyn Fence>>) -> Self {
        Ticket { fence }
    }

    /// Waits until the run is done.
    ///
    /// # Errors
    /// What went wrong on the device, in this run or in anything before it.
    pub fn wait(&self) -> Result<(), DeviceError> {
        self.fence.as_ref().map_or(Ok(()), |fence| fence.wait())
    }

    /// Whether the run is done.
    ///
    /// # Errors
    /// As of [`Ticket::wait`].
    pub fn is_done(&self) -> Result<bool, DeviceError> {
        self.fence.as_ref().map_or(Ok(true), |fence| fence.is_done())
    }

    /// What another stream, or [another run](Order::after), may wait for. It lives as long as the ticket; `None` if the device
    /// has no events, and the run is done.
    pub fn event(&self) -> Option<RawEvent> {
        self.fence.as_ref().map(|fence| fence.event())
    }
}
