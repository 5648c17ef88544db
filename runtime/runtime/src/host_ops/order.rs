//! A total order of elements.

use std::cmp::Ordering;
use tensor::Scalar;

/// Compares elements of one type; NaNs are equal to each other and larger than everything else, zeros are equal.
pub(super) fn compare(a: Scalar, b: Scalar) -> Ordering {
    match (a, b) {
        (Scalar::Int(a), Scalar::Int(b)) => a.cmp(&b),
        (Scalar::Bool(a), Scalar::Bool(b)) => a.cmp(&b),
        _ => {
            let (a, b) = (a.as_f64(), b.as_f64());
            a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
        }
    }
}
