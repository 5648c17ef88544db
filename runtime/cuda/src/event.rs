//! Events.

use crate::driver::Handle;
use crate::gpu::Gpu;
use runtime::{DeviceError, Fence, RawEvent};
use std::sync::Arc;

/// A moment in a stream.
pub(crate) struct Event {
    gpu: Arc<Gpu>,
    pub(crate) handle: Handle,
}

impl Event {
    /// One that was not recorded yet. One that is `timed` can be asked for times.
    pub(crate) fn new(gpu: &Arc<Gpu>, timed: bool) -> Result<Event, DeviceError> {
        let handle = gpu.call("creating an event", |driver| driver.create_event(timed))?;
        Ok(Event { gpu: gpu.clone(), handle })
    }

    /// Puts it behind what a stream has been given.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn record(&self, stream: Handle) -> Result<(), DeviceError> {
        // SAFETY: promised by the caller.
        self.gpu.call("recording an event", |driver| unsafe { driver.record_event(self.handle, stream) })
    }

    /// Lets a stream wait for it.
    ///
    /// # Safety
    /// The stream is alive.
    pub(crate) unsafe fn delay(&self, stream: Handle) -> Result<(), DeviceError> {
        // SAFETY: promised by the caller.
        self.gpu.call("waiting for an event", |driver| unsafe { driver.wait_event(stream, self.handle) })
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the event is alive and not used again; streams that wait for it have noted so.
        self.gpu.end(|driver| unsafe { driver.destroy_event(self.handle) });
    }
}

impl Fence for Event {
    fn wait(&self) -> Result<(), DeviceError> {
        // SAFETY: the event is alive.
        self.gpu.call("waiting for a run", |driver| unsafe { driver.synchronize_event(self.handle) })
    }

    fn is_done(&self) -> Result<bool, DeviceError> {
        // SAFETY: the event is alive.
        self.gpu.call("asking for a run", |driver| unsafe { driver.query_event(self.handle) })
    }

    fn event(&self) -> RawEvent {
        // SAFETY: the event was recorded, and lives as long as the fence, as is promised of the result.
        unsafe { RawEvent::new(self.handle.0 as u64) }
    }
}
