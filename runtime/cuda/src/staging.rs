//! Copies between the device and memory of the host that the driver would have to copy aside: through two page-locked halves, of
//! which one is filled or emptied by us while the device works on the other.

use crate::driver::{Handle, HostBlock};
use crate::gpu::{Gpu, lock};
use runtime::DeviceError;

/// Bytes of a half.
pub(crate) const HALF: usize = 4 << 20;

/// Smaller copies go straight to the driver: it has a place for them.
pub(crate) const SMALL: usize = 256 << 10;

/// So many pairs of halves are kept; more exist only while more threads copy at once.
const KEPT: usize = 2;

/// Two halves.
pub(crate) struct Staging {
    halves: [Half; 2],
}

struct Half {
    block: HostBlock,
    /// Behind the last copy that uses the half.
    event: Handle,
    /// Whether that copy may still go on.
    busy: bool,
}

impl Half {
    fn new(gpu: &Gpu) -> Result<Half, DeviceError> {
        let event = gpu.call("creating an event", |driver| driver.create_event(false))?;
        let block = gpu.call("allocating page-locked memory of the host", |driver| driver.alloc_host(HALF));
        let block = block.inspect_err(|_| {
            // SAFETY: nobody else knows the event.
            gpu.end(|driver| unsafe { driver.destroy_event(event) });
        })?;
        lock(&gpu.memory).host += HALF;
        Ok(Half { block, event, busy: false })
    }

    /// Waits until the half is free to use.
    fn wait(&mut self, gpu: &Gpu) -> Result<(), DeviceError> {
        if self.busy {
            // SAFETY: the event is alive.
            gpu.call("waiting for a copy", |driver| unsafe { driver.synchronize_event(self.event) })?;
            self.busy = false;
        }
        Ok(())
    }

    fn record(&mut self, gpu: &Gpu, stream: Handle) -> Result<(), DeviceError> {
        // SAFETY: both are alive.
        gpu.call("recording an event", |driver| unsafe { driver.record_event(self.event, stream) })?;
        self.busy = true;
        Ok(())
    }

    fn part(&self, bytes: usize) -> HostBlock {
        HostBlock { pointer: self.block.pointer, bytes }
    }

    fn free(mut self, gpu: &Gpu) {
        // What an event tells may be the failure of something else; then the second answer is its own. Without one nothing is
        // freed: the copy may go on.
        if self.wait(gpu).is_err() && self.wait(gpu).is_err() {
            return;
        }
        // SAFETY: both came from this device, and no copy uses them.
        gpu.end(|driver| unsafe {
            driver.destroy_event(self.event);
            driver.free_host(self.block);
        });
        lock(&gpu.memory).host -= HALF;
    }
}

impl Staging {
    fn new(gpu: &Gpu) -> Result<Staging, DeviceError> {
        let first = Half::new(gpu)?;
        match Half::new(gpu) {
            Ok(second) => Ok(Staging { halves: [first, second] }),
            Err(error) => {
                first.free(gpu);
                Err(error)
            }
        }
    }

    pub(crate) fn free(self, gpu: &Gpu) {
        self.halves.into_iter().for_each(|half| half.free(gpu));
    }

    unsafe fn upload(&mut self, gpu: &Gpu, stream: Handle, from: &[u8], to: u64) -> Result<(), DeviceError> {
        for (idx, chunk) in from.chunks(HALF).enumerate() {
            let half = &mut self.halves[idx % 2];
            half.wait(gpu)?;
            let block = half.part(chunk.len());
            // SAFETY: the chunk is not longer than the half, which no copy uses any more.
            unsafe { block.pointer.copy_from_nonoverlapping(chunk.as_ptr(), chunk.len()) };
            let to = to + (idx * HALF) as u64;
            // SAFETY: promised by the caller; the half is left alone until its event has passed.
            gpu.call("copying to the device", |driver| unsafe { driver.upload_from(stream, block, to) })?;
            half.record(gpu, stream)?;
        }
        Ok(())
    }

    unsafe fn download(&mut self, gpu: &Gpu, stream: Handle, from: u64, to: &mut [u8]) -> Result<(), DeviceError> {
        let lens: Vec<usize> = to.chunks(HALF).map(<[u8]>::len).collect();
        let start = |halves: &mut [Half; 2], idx: usize| {
            let half = &mut halves[idx % 2];
            half.wait(gpu)?;
            let (block, from) = (half.part(lens[idx]), from + (idx * HALF) as u64);
            // SAFETY: promised by the caller; the half is left alone until its event has passed.
            gpu.call("copying from the device", |driver| unsafe { driver.download_to(stream, from, block) })?;
            half.record(gpu, stream)
        };
        start(&mut self.halves, 0)?;
        for (idx, chunk) in to.chunks_mut(HALF).enumerate() {
            if idx + 1 < lens.len() {
                start(&mut self.halves, idx + 1)?;
            }
            let half = &mut self.halves[idx % 2];
            half.wait(gpu)?;
            // SAFETY: the half holds the chunk, and the device is done with it.
            unsafe { chunk.as_mut_ptr().copy_from_nonoverlapping(half.block.pointer, chunk.len()) };
        }
        Ok(())
    }
}

/// Does something with a pair of halves, which is kept afterwards.
fn with(
    gpu: &Gpu,
    stream: Handle,
    copy: impl FnOnce(&mut Staging) -> Result<(), DeviceError>,
) -> Result<(), DeviceError> {
    let kept = lock(&gpu.staging).pop();
    let mut staging = match kept {
        Some(staging) => staging,
        None => Staging::new(gpu)?,
    };
    let result = copy(&mut staging);
    if result.is_err() {
        // A copy may have begun whose event was not recorded.
        // SAFETY: the stream is alive.
        let waited = gpu.call("waiting for the device", |driver| unsafe { driver.synchronize(stream) });
        if waited.is_ok() {
            staging.halves.iter_mut().for_each(|half| half.busy = false);
            staging.free(gpu);
        }
        return result;
    }
    let mut kept = lock(&gpu.staging);
    if kept.len() < KEPT {
        kept.push(staging);
    } else {
        drop(kept);
        staging.free(gpu);
    }
    result
}

/// Copies from the host; the source may change afterwards.
///
/// # Safety
/// The stream is alive; there is room at the address until it is done.
pub(crate) unsafe fn upload(gpu: &Gpu, stream: Handle, from: &[u8], to: u64) -> Result<(), DeviceError> {
    if from.len() < SMALL {
        // SAFETY: promised by the caller.
        return gpu.call("copying to the device", |driver| unsafe { driver.upload(stream, from, to) });
    }
    // SAFETY: promised by the caller.
    with(gpu, stream, |staging| unsafe { staging.upload(gpu, stream, from, to) })
}

/// Copies to the host, and waits.
///
/// # Safety
/// The stream is alive, and so is what lies at the address.
pub(crate) unsafe fn download(gpu: &Gpu, stream: Handle, from: u64, to: &mut [u8]) -> Result<(), DeviceError> {
    if to.len() < SMALL {
        // SAFETY: promised by the caller.
        return gpu.call("copying from the device", |driver| unsafe { driver.download(stream, from, to) });
    }
    // SAFETY: promised by the caller.
    with(gpu, stream, |staging| unsafe { staging.download(gpu, stream, from, to) })
}
