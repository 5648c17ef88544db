//! What is known of dimensions at compile time.

use crate::context::Cx;
use crate::types::memory;
use tensor::Dim;

/// Fewer elements than this are spread over as many threads as there are.
const FEW: i64 = 1 << 16;

/// Whether a dimension is a multiple of a number for all values of its symbols.
pub(crate) fn divides(by: u32, dim: &Dim) -> bool {
    crate::leaf::is_multiple(dim, by)
}

/// A dimension, or a guess where it is not known.
pub(crate) fn guess(dim: &Dim, otherwise: u64) -> u64 {
    dim.as_const().map_or(otherwise, |d| u64::try_from(d).unwrap_or(0))
}

/// How many neighbors along the innermost axis one thread computes, of what has no anchor: as many as make 16 bytes of the
/// widest type in memory, if rows are a multiple of that.
pub(crate) fn element_lanes(cx: &Cx, inner: &Dim) -> u32 {
    let store = cx.region.store.value;
    let in_memory = cx.region.leaves.iter().filter(|leaf| cx.literal(**leaf).is_none()).chain([&store]);
    let widest = in_memory.map(|value| memory(cx.ty(*value).dtype).bytes()).max().unwrap_or(16);
    let few = cx.ty(cx.region.result).num_elements().as_const().is_some_and(|n| n < FEW);
    let mut lanes = if few { 1 } else { (16 / widest).min(8) };
    while lanes > 1 && !divides(lanes, inner) {
        lanes /= 2;
    }
    lanes
}
