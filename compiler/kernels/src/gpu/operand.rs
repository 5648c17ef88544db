//! An operand in global memory.

use crate::text::{Scalar, Val, Writer};

/// The axis along which neighbors lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Along {
    /// The axis that is summed over.
    K,
    /// Rows of `A`, columns of `B`.
    Outer,
}

/// Elements whose places are computed one by one: the windows of a convolution.
pub trait Gather {
    /// What depends on the outer index (an `i32`) only.
    fn outer(&self, w: &mut Writer, outer: Val) -> Vec<Val>;
    /// The address of element `k` (an `i32`), and whether there is one; elsewhere the operand is zero.
    fn place(&self, w: &mut Writer, outer: &[Val], k: Val) -> (Val, Val);
}

/// An operand that holds codes: what they stand for is computed.
pub trait Decoder {
    /// Prepares for the piece of an outer index that begins at element `k` (both `i32`), which must exist: brings what its
    /// codes have in common.
    fn piece(&self, w: &mut Writer, outer: Val, k: Val) -> Box<dyn Piece + '_>;
}

/// A piece of codes.
pub trait Piece {
    /// Its elements as `f32`, from what is in memory.
    fn decode(&mut self, w: &mut Writer, words: &[Val]) -> Vec<Val>;
    /// What all of them are still to be multiplied with, an `f32`.
    fn factor(&mut self, w: &mut Writer) -> Option<Val>;
}

/// Where elements are.
pub enum Source<'a> {
    /// `first + outer * outer_stride + k * k_stride`, in elements.
    Strided {
        /// Address of the first element.
        first: Val,
        /// Distance along the outer axis, an `i64`.
        outer_stride: Val,
        /// Distance along `k`, an `i64`.
        k_stride: Val,
    },
    /// Computed.
    Gather(&'a dyn Gather),
}

/// An operand of one block.
pub struct Operand<'a> {
    /// The type in memory.
    pub elem: Scalar,
    /// Pieces lie along this axis; with pieces of one element it says which neighbors the lanes of a warp take.
    pub along: Along,
    /// Bytes of a piece, which is loaded by one instruction: 1 to 16, a multiple of the element. Pieces are aligned to their
    /// size, and none lies partly outside of the matrix.
    pub piece: u32,
    /// Extent of the outer axis, an `i32`.
    pub extent: Val,
    /// Whether every tile lies inside the matrix along the outer axis.
    pub whole: bool,
    /// Where elements are.
    pub source: Source<'a>,
    /// How they are made, where memory holds codes; pieces of those lie along `k`.
    pub codes: Option<Codes<'a>>,
}

/// Codes in place of elements.
#[derive(Clone, Copy)]
pub struct Codes<'a> {
    /// How many are in a byte.
    pub per_byte: u32,
    /// What they stand for.
    pub decoder: &'a dyn Decoder,
}

impl Operand<'_> {
    /// Elements that share a place in memory.
    pub(crate) fn per_place(&self) -> u32 {
        self.codes.map_or(1, |codes| codes.per_byte)
    }

    /// Elements of a piece.
    pub fn lanes(&self) -> u32 {
        self.piece / self.elem.bytes() * self.per_place()
    }
}
