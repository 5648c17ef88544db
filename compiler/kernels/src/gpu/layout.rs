//! Where elements lie: layouts of coordinates, and swizzles of shared memory.
//!
//! The algebra is that of CuTe (NVIDIA CUTLASS 3): a layout is a function from coordinates to offsets given by shape and
//! strides, and a swizzle a permutation of addresses by exclusive or of some bits onto others.

use super::Ints;

/// A function from coordinates to offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Extent along each axis.
    pub shape: Vec<u32>,
    /// Distance of neighbors along each axis.
    pub stride: Vec<u32>,
}

impl Layout {
    /// Row-major: the last axis is contiguous.
    pub fn row_major(shape: &[u32]) -> Layout {
        let mut stride = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            stride[axis - 1] = stride[axis] * shape[axis];
        }
        Layout { shape: shape.to_vec(), stride }
    }

    /// The offset of coordinates.
    pub fn offset(&self, at: &[u32]) -> u32 {
        at.iter().zip(&self.stride).map(|(at, stride)| at * stride).sum()
    }

    /// How many coordinates there are.
    pub fn size(&self) -> u32 {
        self.shape.iter().product()
    }

    /// The coordinates of the `n`th element in row-major order.
    pub fn coordinates(&self, mut n: u32) -> Vec<u32> {
        let mut at: Vec<u32> = self.shape.iter().rev().map(|extent| (n % extent, n /= extent).0).collect();
        at.reverse();
        at
    }
}

/// The permutation of addresses that puts `bits` bits from `base + shift` onward onto those from `base` onward, by
/// exclusive or.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swizzle {
    /// How many bits.
    pub bits: u32,
    /// The lowest bit that changes.
    pub base: u32,
    /// How much higher the bits are that decide.
    pub shift: u32,
}

impl Swizzle {
    /// A swizzle.
    pub const fn new(bits: u32, base: u32, shift: u32) -> Swizzle {
        Swizzle { bits, base, shift }
    }

    /// The permuted address.
    pub fn apply<I: Ints>(self, i: &mut I, address: I::Num) -> I::Num {
        if self.bits == 0 {
            return address;
        }
        let mask = ((1 << self.bits) - 1) << self.base;
        let high = i.over(address, 1 << self.shift);
        let high = i.and(high, mask);
        i.xor(address, high)
    }

    /// The bits that decide, as a mask.
    pub fn source(self) -> u32 {
        ((1 << self.bits) - 1) << (self.base + self.shift)
    }
}
