//! Constants computed at compile time, by the reference evaluator and within bounds.

use super::{Canon, quick};
use crate::scalars;
use graph::ValueId;
use ops::Op;
use tensor::{Tensor, TensorType};

/// No constant of more bytes is made.
pub(crate) const MAX_BYTES: usize = 16 << 20;
/// Constants of up to this many bytes may be made from smaller ones; larger ones only where nothing grows.
pub(crate) const MAX_GROWN_BYTES: usize = 64 << 10;
/// No more multiplications than this are done by the reference evaluator.
const MAX_WORK: u128 = 1 << 24;

/// The constant that an operation on constants gives.
pub(super) fn fold(c: &mut Canon, op: &Op, inputs: &[ValueId]) -> Option<ValueId> {
    if matches!(op, Op::Constant(_) | Op::Broadcast(_)) || !is_closed(op) {
        return None;
    }
    let stored: Vec<usize> = inputs.iter().map(|v| Some(source_of(c, *v)?.bytes().len())).collect::<Option<_>>()?;
    let types: Vec<TensorType> = inputs.iter().map(|v| c.ty(*v).clone()).collect();
    result_bytes(op, &types, stored.iter().sum(), c.max_weight_bytes)?;
    let tensors: Vec<Tensor> = inputs.iter().map(|v| content_of(c, *v)).collect::<Option<_>>()?;
    c.constant(quick::eval(op, &tensors)?)
}

/// Whether the operator always gives the same result for the same operands, and does nothing else.
pub(crate) fn is_plain(op: &Op) -> bool {
    !op.is_impure() && !matches!(op, Op::If(_) | Op::Loop(_)) && op.defined_symbols().is_empty()
}

/// Whether, besides that, no symbol is involved.
pub(crate) fn is_closed(op: &Op) -> bool {
    is_plain(op) && op.used_symbols().is_empty()
}

/// The constant that a value is or repeats.
fn source_of(c: &Canon, value: ValueId) -> Option<&Tensor> {
    c.constant_of(value).or_else(|| {
        let node = c.producer(value)?;
        (matches!(node.op, Op::Broadcast(_)) && is_closed(&node.op)).then(|| c.constant_of(node.inputs[0]))?
    })
}

/// The content of a constant or a repetition of one.
fn content_of(c: &Canon, value: ValueId) -> Option<Tensor> {
    if let Some(tensor) = c.constant_of(value) {
        return Some(tensor.clone());
    }
    let tensor = source_of(c, value)?;
    quick::eval(&c.producer(value)?.op, std::slice::from_ref(tensor))
}

/// The size of a value, if it is known.
pub(crate) fn n_bytes(ty: &TensorType) -> Option<usize> {
    ty.static_shape()?.iter().try_fold(ty.dtype.size(), |bytes, dim| bytes.checked_mul(*dim))
}

/// The bytes of a result that is worth being computed at compile time from constants of which `stored` bytes are
/// stored: neither too large, nor much larger than what it is made from, nor too slow for reference code.
pub(crate) fn result_bytes(op: &Op, types: &[TensorType], stored: usize, max_bytes: usize) -> Option<usize> {
    if !is_closed(op) {
        return None;
    }
    let results = op.infer(types).ok()?;
    let [result] = &results[..] else { return None };
    let made = n_bytes(result)?;
    // Codes that share bytes are not taken apart where the numbers that they stand for would not be made, either.
    let unpacks = result.dtype.size() == 1 && made > stored && stored > MAX_GROWN_BYTES / 8;
    let bounded = made <= max_bytes && made <= stored.max(MAX_GROWN_BYTES) && !unpacks;
    // Repeated operands are written out for the evaluator.
    let operands = types.iter().map(n_bytes).sum::<Option<usize>>()?;
    let affordable = operands / 4 <= made.max(stored).max(MAX_GROWN_BYTES);
    (bounded && affordable && work(op, types, result) <= MAX_WORK.max(stored as u128)).then_some(made)
}

/// About how many elements the reference evaluator touches.
fn work(op: &Op, types: &[TensorType], result: &TensorType) -> u128 {
    let count = |ty: &TensorType| {
        ty.static_shape().map_or(u128::MAX, |shape| shape.iter().fold(1u128, |n, dim| n.saturating_mul(*dim as u128)))
    };
    let out = count(result);
    match op {
        Op::Dot(dot) => dot
            .lhs_contract
            .iter()
            .fold(out, |n, axis| n.saturating_mul(types[0].shape[*axis].as_const().unwrap_or(i64::MAX) as u128)),
        Op::Conv(_) => out.saturating_mul(count(&types[1])),
        Op::Pool(pool) => pool.window.iter().fold(out, |n, w| n.saturating_mul(*w as u128)),
        Op::Cumulative(_) | Op::TopK(_) => out.saturating_mul(16),
        _ => out.max(types.iter().map(count).max().unwrap_or(0)),
    }
}

/// The result of an elementwise operation on repeated numbers, as one number.
pub(crate) fn splat_result(op: &Op, operands: &[(tensor::DType, tensor::Scalar)]) -> Option<Tensor> {
    let tensors: Vec<Tensor> = operands.iter().map(|(dtype, scalar)| Tensor::scalar(*dtype, *scalar)).collect();
    let result = op.eval(&tensors).ok()?.pop()?;
    scalars::splat(&result).map(|_| result)
}
