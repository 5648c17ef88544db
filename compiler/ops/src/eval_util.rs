//! Helpers of reference evaluation: result shapes, walking indices of row-major tensors, order of elements.
//!
//! Data movement is told by *tables*: for each axis of the result, how much each index along it adds to the flat
//! index into the operand. [`offsets`] sums them up for every element of the result.

use crate::{EvalError, OpSpec, TypeError};
use std::cmp::Ordering;
use tensor::{DType, Scalar, Tensor, TensorType};

/// Larger results are refused, so that a hostile shape ends in an error and not in a failed allocation.
const MAX_BYTES: usize = 1 << 36;

impl From<TypeError> for EvalError {
    fn from(error: TypeError) -> Self {
        EvalError::new(error.op, format!("{} ({} {})", error.message, error.op, error.constraint))
    }
}

/// The result types for these operands: checks every constraint, now that no size is hidden by a symbol.
pub(crate) fn result_types(op: &impl OpSpec, inputs: &[Tensor]) -> Result<Vec<TensorType>, EvalError> {
    let types: Vec<TensorType> = inputs.iter().map(Tensor::ty).collect();
    Ok(op.infer(&types)?)
}

/// The shape of the only result for these operands.
pub(crate) fn result_shape(op: &impl OpSpec, name: &'static str, inputs: &[Tensor]) -> Result<Vec<usize>, EvalError> {
    let types = result_types(op, inputs)?;
    types.first().map_or_else(|| Err(EvalError::new(name, "has no result")), |ty| shape_of(name, ty))
}

/// A type's shape as numbers, if it is one that fits into memory.
pub(crate) fn shape_of(name: &'static str, ty: &TensorType) -> Result<Vec<usize>, EvalError> {
    let shape =
        ty.static_shape().ok_or_else(|| EvalError::new(name, format!("the result's shape {ty} is not known")))?;
    shape
        .iter()
        .try_fold(ty.dtype.size(), |bytes, d| bytes.checked_mul(*d))
        .filter(|bytes| *bytes <= MAX_BYTES)
        .ok_or_else(|| EvalError::new(name, format!("the result {ty} is too large")))?;
    Ok(shape)
}

/// How far apart neighbours along each axis are in a row-major tensor.
pub(crate) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// The table of an axis: each index adds itself times the stride.
pub(crate) fn steps(size: usize, stride: usize) -> Vec<usize> {
    (0..size).map(|i| i * stride).collect()
}

/// The sum of one entry of each table, for every combination in row-major order.
pub(crate) fn offsets(tables: &[Vec<usize>]) -> Vec<usize> {
    let total = tables.iter().map(Vec::len).product();
    let mut sums = Vec::with_capacity(total);
    sums.push(0);
    for table in tables {
        let mut next = Vec::with_capacity(sums.len() * table.len());
        for sum in &sums {
            next.extend(table.iter().map(|add| sum + add));
        }
        sums = next;
    }
    sums
}

/// Every index of a shape, in row-major order.
pub(crate) fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    let strides = strides(shape);
    (0..shape.iter().product::<usize>())
        .map(|flat| {
            let axes = strides.iter().zip(shape);
            axes.map(|(stride, size)| flat / stride % size).collect()
        })
        .collect()
}

/// The number of elements before, along and after an axis.
pub(crate) fn split_at_axis(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

/// A tensor whose element `i` is element `sources[i]` of `x`, bit for bit.
pub(crate) fn pick(x: &Tensor, shape: Vec<usize>, sources: &[usize]) -> Tensor {
    fn copy<const N: usize>(from: &[u8], sources: &[usize]) -> Vec<u8> {
        let (elements, _) = from.as_chunks::<N>();
        sources.iter().flat_map(|at| elements[*at]).collect()
    }
    let bytes = match x.dtype().size() {
        1 => copy::<1>(x.bytes(), sources),
        2 => copy::<2>(x.bytes(), sources),
        4 => copy::<4>(x.bytes(), sources),
        _ => copy::<8>(x.bytes(), sources),
    };
    from_bytes(x.dtype(), shape, bytes)
}

/// A tensor from bytes that fill it.
pub(crate) fn from_bytes(dtype: DType, shape: Vec<usize>, bytes: Vec<u8>) -> Tensor {
    Tensor::from_bytes(dtype, shape, bytes.into()).expect("callers fill the shape")
}

/// Indices that may count from the end, as ones from the start: element `i` selects from axis `first_axis + i % sizes.len()`.
pub(crate) fn wrap_indices(
    op: &'static str,
    indices: &Tensor,
    first_axis: usize,
    sizes: &[usize],
) -> Result<Vec<usize>, EvalError> {
    let limits: Vec<i64> = sizes.iter().map(|size| *size as i64).collect();
    tensor::check_indices(indices, first_axis, &limits).map_err(|bad| EvalError::new(op, bad.to_string()))?;
    let from_start = |(at, i): (usize, Scalar)| {
        let (i, size) = (i.as_int(), sizes[at % sizes.len()] as i128);
        (if i < 0 { i + size } else { i }) as usize
    };
    Ok(indices.iter().enumerate().map(from_start).collect())
}

/// The order of two elements of one type; NaN is equal to itself and larger than every number.
pub(crate) fn order(a: Scalar, b: Scalar) -> Ordering {
    match (a, b) {
        (Scalar::Float(a), Scalar::Float(b)) => a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan())),
        _ => a.as_int().cmp(&b.as_int()),
    }
}

/// The order by which the extreme element is the greatest; NaN is the most extreme either way.
pub(crate) fn extremity(largest: bool, a: Scalar, b: Scalar) -> Ordering {
    let is_nan = |v: Scalar| matches!(v, Scalar::Float(f) if f.is_nan());
    match (is_nan(a) || is_nan(b), largest) {
        (true, _) | (_, true) => order(a, b),
        (false, false) => order(b, a),
    }
}
