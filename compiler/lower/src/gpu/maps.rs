//! Operands as tensor maps: what the copy engine of `sm_90` can bring.

use super::facts::divides;
use super::operands::{Facts, Side};
use crate::context::Cx;
use crate::contraction::{Columns, Contraction};
use crate::kernel::{MapElement, TensorMap};
use kernels::gpu::{Along, Atom};
use tensor::Dim;

/// Bytes that strides and addresses of a map are multiples of.
const UNIT: u32 = 16;
/// Axes of a map.
const MOST_AXES: usize = 5;

/// An operand's map, and the axes of the batch that are axes of it, after its first two.
pub(super) struct Mapped {
    pub(super) map: TensorMap,
    pub(super) batch: Vec<usize>,
}

/// The map of an operand, if there can be one whatever its symbols are: neighbors along one axis, all other strides multiples of
/// 16 bytes, and at most three axes of the batch along which it moves. Tiles are set later.
pub(super) fn mapped(contraction: &Contraction, side: Side, facts: Facts, atom: Atom) -> Option<Mapped> {
    if !facts.dense || !matches!(contraction.columns, Columns::Matrix) || facts.elem.bytes() != atom.bytes() {
        return None;
    }
    let (matrix, outer) = match side {
        Side::A => (&contraction.a, &contraction.m),
        Side::B => (&contraction.b, &contraction.n),
    };
    let batch: Vec<usize> = (0..contraction.batch.len())
        .filter(|at| contraction.batch[*at] != Dim::from(1) && matrix.batch_strides[*at] != Dim::from(0))
        .collect();
    let (length, across, stride) = match facts.along {
        Along::K => (&contraction.k, outer, &matrix.outer_stride),
        Along::Outer => (outer, &contraction.k, &matrix.k_stride),
    };
    let bytes = Dim::from(i64::from(facts.elem.bytes()));
    let axes = batch.iter().map(|at| (&contraction.batch[*at], &matrix.batch_strides[*at]));
    let axes: Vec<(&Dim, &Dim)> = std::iter::once((across, stride)).chain(axes).collect();
    let strides: Vec<Dim> = axes
        .iter()
        .map(|(extent, stride)| match **extent == Dim::from(1) {
            // Nobody walks the axis, but its stride must be one.
            true => Dim::from(i64::from(UNIT)),
            false => (*stride).clone() * bytes.clone(),
        })
        .collect();
    let sizes: Vec<Dim> =
        std::iter::once(length.clone()).chain(axes.iter().map(|(extent, _)| (*extent).clone())).collect();
    let offset = matrix.offset.clone() * bytes;
    let can_be = strides.iter().chain([&offset]).all(|dim| divides(UNIT, dim) && is_positive(dim));
    if !can_be || sizes.len() > MOST_AXES {
        return None;
    }
    let element = match atom {
        Atom::F16 => MapElement::F16,
        Atom::Bf16 => MapElement::Bf16,
        Atom::Tf32 => MapElement::Tf32,
        Atom::S8 | Atom::U8 => MapElement::U8,
    };
    Some(Mapped { map: TensorMap { value: matrix.leaf, offset, element, sizes, strides, tile: vec![] }, batch })
}

impl Mapped {
    /// The map with tiles of so many elements along its first two axes.
    pub(super) fn with_tile(&self, along: Along, [k, outer]: [u32; 2]) -> TensorMap {
        let first = if along == Along::K { [k, outer] } else { [outer, k] };
        let tile = first.into_iter().chain(self.batch.iter().map(|_| 1)).collect();
        TensorMap { tile, ..self.map.clone() }
    }
}

/// Whether a number that is made of sizes is certainly not negative.
fn is_positive(dim: &Dim) -> bool {
    let (terms, constant) = dim.parts();
    constant >= 0 && terms.iter().all(|(_, coefficient)| *coefficient >= 0)
}

/// Both operands' maps, if both have one.
pub(super) fn both(contraction: &Contraction, a: Facts, b: Facts, atom: Option<Atom>) -> Option<[Mapped; 2]> {
    let atom = atom?;
    Some([mapped(contraction, Side::A, a, atom)?, mapped(contraction, Side::B, b, atom)?])
}

/// Whether a value is one that the kernel gets as an argument.
pub(super) fn is_argument(cx: &Cx, map: &TensorMap) -> bool {
    cx.literal(map.value).is_none()
}
