//! Arithmetic that changes nothing.

use super::Canon;
use crate::{Exactness, scalars};
use graph::ValueId;
use ops::{Binary, BinaryKind, Cast, Op, Unary, UnaryKind};
use tensor::{Scalar, Tensor};

pub(super) fn cast(c: &mut Canon, op: &Cast, x: ValueId) -> Option<ValueId> {
    if c.ty(x).dtype == op.to {
        return Some(x);
    }
    let (Op::Cast(inner), source) = c.made_by(x)? else {
        return None;
    };
    // Going through a type that holds every value of the source changes nothing.
    let from = c.ty(source[0]).dtype;
    if !scalars::widens(from, inner.to) {
        return None;
    }
    c.absorb(x);
    c.emit(op.clone(), &source)
}

pub(super) fn unary(c: &mut Canon, op: &Unary, x: ValueId) -> Option<ValueId> {
    let (Op::Unary(inner), source) = c.made_by(x)? else {
        return None;
    };
    match (op.kind, inner.kind) {
        (UnaryKind::Neg, UnaryKind::Neg) | (UnaryKind::Not, UnaryKind::Not) => Some(source[0]),
        (UnaryKind::Abs, UnaryKind::Abs | UnaryKind::Sigmoid) => Some(x),
        (UnaryKind::Abs, UnaryKind::Neg) => {
            c.absorb(x);
            c.emit(op.clone(), &source)
        }
        (
            UnaryKind::Floor | UnaryKind::Ceil | UnaryKind::Round | UnaryKind::Trunc,
            UnaryKind::Floor | UnaryKind::Ceil | UnaryKind::Round | UnaryKind::Trunc,
        ) => Some(x),
        _ => None,
    }
}

pub(super) fn binary(c: &mut Canon, op: &Binary, a: ValueId, b: ValueId) -> Option<ValueId> {
    if a == b {
        return of_itself(c, op.kind, a);
    }
    // Commutative operators have their constant on the right already.
    let number = c.splat(b)?;
    let is_int = c.ty(a).dtype.is_int();
    let unchanged = match op.kind {
        BinaryKind::Add => {
            scalars::is(number, -0.0) || scalars::is_zero(number) && (is_int || c.allows(Exactness::SIGNED_ZERO))
        }
        BinaryKind::Sub => scalars::is(number, 0.0) || scalars::is_zero(number) && c.allows(Exactness::SIGNED_ZERO),
        BinaryKind::Mul | BinaryKind::Div | BinaryKind::Pow => scalars::is(number, 1.0),
        BinaryKind::Shl | BinaryKind::Shr | BinaryKind::Xor | BinaryKind::Or => {
            matches!(number, Scalar::Int(0) | Scalar::Bool(false))
        }
        BinaryKind::And => number == Scalar::Bool(true),
        _ => false,
    };
    if unchanged {
        return Some(a);
    }
    let vanishes = op.kind == BinaryKind::Mul
        && scalars::is_zero(number)
        && (is_int || c.allows(Exactness::FINITE.and(Exactness::SIGNED_ZERO)));
    vanishes.then_some(b)
}

fn of_itself(c: &mut Canon, kind: BinaryKind, a: ValueId) -> Option<ValueId> {
    match kind {
        BinaryKind::Max | BinaryKind::Min | BinaryKind::And | BinaryKind::Or => Some(a),
        BinaryKind::Sub if c.ty(a).dtype.is_int() || c.allows(Exactness::FINITE) => {
            let ty = c.ty(a).clone();
            let zero = if ty.dtype.is_int() { Scalar::Int(0) } else { Scalar::Float(0.0) };
            let zero = c.constant(Tensor::scalar(ty.dtype, zero))?;
            c.emit(ops::Broadcast { shape: ty.shape }, &[zero])
        }
        _ => None,
    }
}

pub(super) fn select(c: &mut Canon, inputs: &[ValueId]) -> Option<ValueId> {
    if inputs[1] == inputs[2] {
        return Some(inputs[1]);
    }
    if let Some(condition) = c.splat(inputs[0]) {
        return Some(inputs[if condition.as_bool() { 1 } else { 2 }]);
    }
    match c.made_by(inputs[0])? {
        (Op::Unary(op), source) if op.kind == UnaryKind::Not => {
            c.absorb(inputs[0]);
            c.emit(ops::Select {}, &[source[0], inputs[2], inputs[1]])
        }
        _ => None,
    }
}
