//! Element types as the types that kernels compute with and the types that memory holds.

use kernels::text::{Scalar, Ty};
use tensor::DType;

/// The type in registers. Truth values are `i1`; floats of at most eight bits are their codes.
pub(crate) fn compute(dtype: DType) -> Scalar {
    match dtype {
        DType::Bool => Scalar::I1,
        other => memory(other),
    }
}

/// The type in memory.
pub(crate) fn memory(dtype: DType) -> Scalar {
    match dtype {
        DType::F16 => Scalar::F16,
        DType::BF16 => Scalar::BF16,
        DType::F32 => Scalar::F32,
        DType::F64 => Scalar::F64,
        DType::I16 | DType::U16 => Scalar::I16,
        DType::I32 | DType::U32 => Scalar::I32,
        DType::I64 | DType::U64 => Scalar::I64,
        _ => Scalar::I8,
    }
}

/// A scalar, or a vector of so many lanes.
pub(crate) fn lanes_of(elem: Scalar, lanes: u32) -> Ty {
    if lanes > 1 { Ty::vector(elem, lanes) } else { elem.into() }
}
