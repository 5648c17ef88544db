//! Constants computed at compile time, by the reference evaluator and within bounds.

use super::Canon;
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
    let tensors: Vec<Tensor> = inputs
        .iter()
        .map(|v| small_constant(c, *v))
        .collect::<Option<_>>()?;
    let types: Vec<TensorType> = tensors.iter().map(Tensor::ty).collect();
    if !is_worth_it(op, &types) {
        return None;
    }
    let result = op.eval(&tensors).ok()?.pop()?;
    c.constant(result)
}

/// Whether the operator always gives the same result for the same operands, and depends on nothing else.
pub(crate) fn is_closed(op: &Op) -> bool {
    !op.is_impure()
        && !matches!(op, Op::If(_) | Op::Loop(_))
        && op.defined_symbols().is_empty()
        && op.used_symbols().is_empty()
}

/// The content of a value that is a constant, or a small repetition of one.
fn small_constant(c: &Canon, value: ValueId) -> Option<Tensor> {
    if let Some(tensor) = c.constant_of(value) {
        return Some(tensor.clone());
    }
    let node = c.producer(value)?;
    let (Op::Broadcast(op), [x]) = (&node.op, &node.inputs[..]) else {
        return None;
    };
    let tensor = c.constant_of(*x)?;
    if n_bytes(c.ty(value))? > MAX_GROWN_BYTES || !is_closed(&node.op) {
        return None;
    }
    Op::from(op.clone())
        .eval(std::slice::from_ref(tensor))
        .ok()?
        .pop()
}

/// The size of a value, if it is known.
pub(crate) fn n_bytes(ty: &TensorType) -> Option<usize> {
    ty.static_shape()?
        .iter()
        .try_fold(ty.dtype.size(), |bytes, dim| bytes.checked_mul(*dim))
}

/// Whether a result is small enough to be stored, and cheap enough to be computed by reference code.
pub(crate) fn is_worth_it(op: &Op, types: &[TensorType]) -> bool {
    let Some(result) = op
        .infer(types)
        .ok()
        .and_then(|mut r| if r.len() == 1 { r.pop() } else { None })
    else {
        return false;
    };
    let (Some(made), Some(given)) = (
        n_bytes(&result),
        types.iter().map(n_bytes).sum::<Option<usize>>(),
    ) else {
        return false;
    };
    made <= MAX_BYTES && made <= given.max(MAX_GROWN_BYTES) && work(op, types, &result) <= MAX_WORK
}

/// About how many elements the reference evaluator touches.
fn work(op: &Op, types: &[TensorType], result: &TensorType) -> u128 {
    let count = |ty: &TensorType| {
        ty.static_shape().map_or(u128::MAX, |shape| {
            shape
                .iter()
                .fold(1u128, |n, dim| n.saturating_mul(*dim as u128))
        })
    };
    let out = count(result);
    match op {
        Op::Dot(dot) => dot.lhs_contract.iter().fold(out, |n, axis| {
            n.saturating_mul(types[0].shape[*axis].as_const().unwrap_or(i64::MAX) as u128)
        }),
        Op::Conv(_) => out.saturating_mul(count(&types[1])),
        Op::Pool(pool) => pool
            .window
            .iter()
            .fold(out, |n, w| n.saturating_mul(*w as u128)),
        Op::Cumulative(_) | Op::TopK(_) => out.saturating_mul(16),
        _ => out.max(types.iter().map(count).max().unwrap_or(0)),
    }
}

/// The result of an elementwise operation on repeated numbers, as one number.
pub(crate) fn splat_result(
    op: &Op,
    operands: &[(tensor::DType, tensor::Scalar)],
) -> Option<Tensor> {
    let tensors: Vec<Tensor> = operands
        .iter()
        .map(|(dtype, scalar)| Tensor::scalar(*dtype, *scalar))
        .collect();
    let result = op.eval(&tensors).ok()?.pop()?;
    scalars::splat(&result).map(|_| result)
}
