//! Zeroed host memory at multiples of 64.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// Every buffer starts at a multiple of this.
pub(crate) const ALIGN: usize = 64;

/// Zeroed host memory that starts at a multiple of [`ALIGN`].
///
/// Kernels write it through raw pointers while it is borrowed by nobody; [`AsRef`] reads it afterwards.
pub(crate) struct AlignedBytes {
    block: NonNull<u8>,
    layout: Layout,
    start: usize,
    len: usize,
}

// SAFETY: the block is owned, and plain bytes may be sent and read from any thread.
unsafe impl Send for AlignedBytes {}
// SAFETY: as above; there is no interior mutability through shared references.
unsafe impl Sync for AlignedBytes {}

impl AlignedBytes {
    /// `None` if the memory is not to be had. The memory is touched by the kernel of the operating system only when it is used:
    /// the allocator's alignment is small, so that it can take fresh zero pages, and the slack makes up for it.
    pub(crate) fn new(len: usize) -> Option<Self> {
        let layout = Layout::from_size_align(len.checked_add(ALIGN)?, 16).ok()?;
        // SAFETY: the layout has a positive size.
        let block = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        let address = block.as_ptr() as usize;
        Some(AlignedBytes { block, layout, start: address.next_multiple_of(ALIGN) - address, len })
    }

    /// The first byte.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        // SAFETY: `start` is smaller than the slack of the block.
        unsafe { self.block.as_ptr().add(self.start) }
    }

    /// The bytes, to fill them.
    pub(crate) fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: the range lies in the block, is initialised, and `self` is borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.as_ptr(), self.len) }
    }
}

impl AsRef<[u8]> for AlignedBytes {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the range lies in the block and is initialised.
        unsafe { std::slice::from_raw_parts(self.as_ptr(), self.len) }
    }
}

impl Drop for AlignedBytes {
    fn drop(&mut self) {
        // SAFETY: the block was allocated with this layout.
        unsafe { dealloc(self.block.as_ptr(), self.layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_aligned_and_too_much_is_refused() {
        for len in [0, 1, 63, 64, 1 << 20] {
            let mut bytes = AlignedBytes::new(len).unwrap();
            assert_eq!(bytes.as_ptr() as usize % ALIGN, 0);
            assert!(bytes.as_mut().iter().all(|b| *b == 0));
            assert_eq!(bytes.as_ref().len(), len);
        }
        assert!(AlignedBytes::new(usize::MAX).is_none());
        assert!(AlignedBytes::new(isize::MAX as usize - 100).is_none());
    }
}
