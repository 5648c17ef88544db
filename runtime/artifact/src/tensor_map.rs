//! Tensor maps: how a kernel's copy engine sees a tensor in memory.

use crate::DimId;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};

/// A description of a tensor from which the device copies tiles (`cp.async.bulk.tensor`). Its numbers become known when the
/// launch runs; the device then makes the 128 bytes that the kernel gets.
///
/// What a tile has beyond the tensor's sizes comes as zeros, and is not written. Elements are never interleaved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorMap {
    /// The tensor: an index into the launch's `args`.
    pub arg: u32,
    /// Bytes from its start to the map's first element; a multiple of 16.
    pub offset: DimId,
    /// Elements.
    pub element: MapElement,
    /// Elements along each axis, neighbors first: one to five. With a 0 among them the kernel must not use the map.
    pub sizes: Vec<DimId>,
    /// Bytes from one to the next along each axis but the first: multiples of 16, not negative.
    pub strides: Vec<DimId>,
    /// Elements of a tile along each axis: 1 to 256.
    pub tile: Vec<u32>,
    /// How a tile lies in shared memory.
    pub swizzle: Swizzle,
    /// Bytes that the second cache fetches at once: 0 for as many as are asked for, 64, 128 or 256.
    pub promotion: u32,
}

/// Types of a tensor map's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MapElement {
    /// Bytes.
    U8,
    /// `f16`.
    F16,
    /// `bf16`.
    Bf16,
    /// `f32`.
    F32,
    /// `f32` in memory, rounded to `tf32` on the way to shared memory.
    Tf32,
}

impl MapElement {
    /// Bytes of an element.
    pub fn bytes(self) -> u32 {
        match self {
            MapElement::U8 => 1,
            MapElement::F16 | MapElement::Bf16 => 2,
            MapElement::F32 | MapElement::Tf32 => 4,
        }
    }
}

impl Display for MapElement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MapElement::U8 => "u8",
            MapElement::F16 => "f16",
            MapElement::Bf16 => "bf16",
            MapElement::F32 => "f32",
            MapElement::Tf32 => "tf32",
        })
    }
}

/// How the 16-byte pieces of a tile's rows are permuted in shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Swizzle {
    /// Not at all; rows of up to 256 elements.
    None,
    /// Within 32 bytes, which a row has at most.
    B32,
    /// Within 64 bytes.
    B64,
    /// Within 128 bytes.
    B128,
}

impl Swizzle {
    /// Bytes that a row of a tile has at most.
    pub fn span(self) -> Option<u32> {
        match self {
            Swizzle::None => None,
            Swizzle::B32 => Some(32),
            Swizzle::B64 => Some(64),
            Swizzle::B128 => Some(128),
        }
    }
}

impl TensorMap {
    /// The expressions that it mentions.
    pub fn dims(&self) -> impl Iterator<Item = DimId> {
        [self.offset].into_iter().chain(self.sizes.iter().copied()).chain(self.strides.iter().copied())
    }

    /// What is wrong with the parts that do not depend on a run, if anything; `n_args` is the number of the launch's arguments.
    pub(crate) fn check(&self, n_args: usize) -> Result<(), String> {
        let fail = |why: String| Err(format!("a tensor map {why}"));
        if self.arg as usize >= n_args {
            return fail(format!("of argument {}, there are {n_args}", self.arg));
        }
        let rank = self.sizes.len();
        if !(1..=5).contains(&rank) || self.strides.len() + 1 != rank || self.tile.len() != rank {
            let (strides, tile) = (self.strides.len(), self.tile.len());
            return fail(format!("with {rank} sizes, {strides} strides and {tile} sizes of a tile"));
        }
        if let Some(size) = self.tile.iter().find(|size| !(1..=256).contains(*size)) {
            return fail(format!("with a tile of {size} elements along an axis; it takes 1 to 256"));
        }
        let row = self.tile[0] * self.element.bytes();
        if !row.is_multiple_of(16) || self.swizzle.span().is_some_and(|span| row > span) {
            return fail(format!("with rows of {row} bytes and swizzle {}", self.swizzle));
        }
        match self.promotion {
            0 | 64 | 128 | 256 => Ok(()),
            other => fail(format!("that fetches {other} bytes at once")),
        }
    }
}

impl Display for Swizzle {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.span() {
            None => f.write_str("none"),
            Some(span) => write!(f, "{span}"),
        }
    }
}
