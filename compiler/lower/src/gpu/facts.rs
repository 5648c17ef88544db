//! What is known of dimensions at compile time.

use tensor::Dim;

/// Whether a dimension is a multiple of a number for all values of its symbols.
pub(crate) fn divides(by: u32, dim: &Dim) -> bool {
    crate::leaf::is_multiple(dim, by)
}

/// A dimension, or a guess where it is not known.
pub(crate) fn guess(dim: &Dim, otherwise: u64) -> u64 {
    dim.as_const().map_or(otherwise, |d| u64::try_from(d).unwrap_or(0))
}
