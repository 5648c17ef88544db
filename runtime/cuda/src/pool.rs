//! Memory for one stream: what is freed is kept, and given out again for work that comes later on the same stream.

use crate::gpu::{ALIGN, Gpu, lock};
use runtime::{Address, DeviceError, Memory, Pool};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The memory of one stream.
pub(crate) struct StreamPool {
    gpu: Arc<Gpu>,
    kept: Mutex<Kept>,
}

/// Blocks that nobody has, but perhaps work that the stream was given before.
#[derive(Default)]
struct Kept {
    /// Addresses by size.
    blocks: BTreeMap<usize, Vec<u64>>,
    bytes: usize,
    /// The stream is gone: nothing is kept any more.
    closed: bool,
}

impl Kept {
    /// A block of this size or not much more.
    fn take(&mut self, bytes: usize) -> Option<(u64, usize)> {
        let (size, addresses) = self.blocks.range_mut(bytes..=bytes.saturating_mul(2)).next()?;
        let size = *size;
        let address = addresses.pop()?;
        if addresses.is_empty() {
            self.blocks.remove(&size);
        }
        self.bytes -= size;
        Some((address, size))
    }
}

impl StreamPool {
    pub(crate) fn new(gpu: &Arc<Gpu>) -> Arc<Self> {
        let pool = Arc::new(StreamPool { gpu: gpu.clone(), kept: Mutex::default() });
        gpu.add_pool(&pool);
        pool
    }

    /// Frees what is kept; tells how many bytes. The driver waits for work that still uses it.
    pub(crate) fn trim(&self) -> usize {
        let (blocks, bytes) = {
            let mut kept = lock(&self.kept);
            (std::mem::take(&mut kept.blocks), std::mem::take(&mut kept.bytes))
        };
        for (size, addresses) in blocks {
            for address in addresses {
                // SAFETY: the block came from this device with this size, and nobody has it.
                unsafe { self.gpu.free_raw(address, size) }
            }
        }
        bytes
    }

    /// Ends it, when the stream is done.
    pub(crate) fn close(&self) {
        lock(&self.kept).closed = true;
        self.trim();
    }

    fn put(&self, address: u64, size: usize) {
        let mut kept = lock(&self.kept);
        if kept.closed {
            drop(kept);
            // SAFETY: the block came from this device with this size, and its last owner is gone.
            return unsafe { self.gpu.free_raw(address, size) };
        }
        kept.blocks.entry(size).or_default().push(address);
        kept.bytes += size;
    }
}

/// A pool as streams give it away.
pub(crate) struct Shared(pub(crate) Arc<StreamPool>);

impl Pool for Shared {
    fn alloc(&self, bytes: usize) -> Result<Memory, DeviceError> {
        self.0.gpu.check()?;
        let size = bytes.max(ALIGN).checked_next_multiple_of(ALIGN).unwrap_or(usize::MAX);
        let found = lock(&self.0.kept).take(size);
        let (address, size) = match found {
            Some(found) => found,
            None => {
                // So that no more is kept than once was in use, but for the newest block.
                if lock(&self.0.kept).bytes >= size {
                    self.0.trim();
                }
                (self.0.gpu.alloc_raw(size, "a tensor whose size depends on data")?, size)
            }
        };
        let lease = Lease { pool: self.0.clone(), address, size };
        Ok(Memory::new(Address::new(address), bytes, Box::new(lease)))
    }
}

/// A block that is in use.
struct Lease {
    pool: Arc<StreamPool>,
    address: u64,
    size: usize,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.pool.put(self.address, self.size);
    }
}
