//! Memory: the heap of global allocations, shared memory of blocks, and where addresses lead.

pub(crate) mod atomic;
mod heap;
mod shadow;
mod shared;

pub(crate) use heap::Heap;
pub(crate) use shadow::{Actor, Clocks, Kind, Shadow};
pub(crate) use shared::Shared;

/// Windows of the generic address space.
pub(crate) mod window {
    /// Where generic addresses of shared memory begin.
    pub(crate) const SHARED: u64 = 0x0100_0000_0000_0000;
    /// Where generic addresses of local memory begin.
    pub(crate) const LOCAL: u64 = 0x0200_0000_0000_0000;
    /// Where generic addresses of parameters begin.
    pub(crate) const PARAM: u64 = 0x0300_0000_0000_0000;
    /// Where the heap begins.
    pub(crate) const HEAP: u64 = 0x0000_7000_0000_0000;

    /// The window that a generic address is in; 0 for global memory.
    pub(crate) fn of(address: u64) -> u64 {
        address & 0xff00_0000_0000_0000
    }

    /// Bits of an offset in one block's shared memory; the block's rank plus one stands above them in cluster addresses.
    const OFFSET_BITS: u32 = 24;

    /// The rank in an address of shared memory, if it is one of a named block.
    pub(crate) fn rank(address: u64) -> Option<u64> {
        (address >> OFFSET_BITS).checked_sub(1)
    }

    /// The offset in a block's shared memory.
    pub(crate) fn offset(address: u64) -> u64 {
        address & ((1 << OFFSET_BITS) - 1)
    }

    /// The address of the same place in the shared memory of a block of the cluster.
    pub(crate) fn in_block(address: u64, rank: u64) -> u64 {
        offset(address) | (rank + 1) << OFFSET_BITS
    }
}

/// A number from little-endian bytes.
#[inline(always)]
pub(crate) fn number(bytes: &[u8]) -> u64 {
    match bytes.len() {
        4 => u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]).into(),
        2 => u16::from_le_bytes([bytes[0], bytes[1]]).into(),
        1 => bytes[0].into(),
        _ => bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    }
}
