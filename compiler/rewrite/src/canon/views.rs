//! Operators that only move elements, and reductions of nothing.

use super::Canon;
use crate::{Exactness, shapes};
use graph::ValueId;
use ops::{Broadcast, Concat, Op, Pad, Reduce, ReduceKind, Reshape, Slice, Transpose};
use tensor::{Dim, Tensor};

pub(super) fn reshape(c: &mut Canon, op: &Reshape, x: ValueId) -> Option<ValueId> {
    if c.ty(x).shape == op.shape {
        return Some(x);
    }
    if let Some(tensor) = c.constant_of(x) {
        let shape = op.shape.iter().map(|d| usize::try_from(d.as_const()?).ok());
        let tensor = tensor.reshaped(shape.collect::<Option<_>>()?).ok()?;
        return c.constant(tensor);
    }
    if let Some(value) = repeated(c, x, &op.shape) {
        return Some(value);
    }
    let (Op::Reshape(_), inner) = c.made_by(x)? else {
        return None;
    };
    c.absorb(x);
    c.emit(op.clone(), &inner)
}

pub(super) fn transpose(c: &mut Canon, op: &Transpose, x: ValueId) -> Option<ValueId> {
    if shapes::is_identity(&op.perm) {
        return Some(x);
    }
    let shape = shapes::permuted(&c.ty(x).shape, &op.perm);
    if let Some(value) = repeated(c, x, &shape) {
        return Some(value);
    }
    if shapes::moves_only_units(&c.ty(x).shape, &op.perm) {
        return c.emit(Reshape { shape }, &[x]);
    }
    let (Op::Transpose(inner), source) = c.made_by(x)? else {
        return None;
    };
    c.absorb(x);
    let perm = shapes::composed(&inner.perm, &op.perm);
    c.emit(Transpose { perm }, &source)
}

pub(super) fn broadcast(c: &mut Canon, op: &Broadcast, x: ValueId) -> Option<ValueId> {
    if c.ty(x).shape == op.shape {
        return Some(x);
    }
    // A repeated number is a scalar broadcast, whatever shape it had before.
    if !c.ty(x).shape.is_empty()
        && let Some(value) = repeated(c, x, &op.shape)
    {
        return Some(value);
    }
    // Axes of size 1 in front repeat nothing.
    let extra = op.shape.len().checked_sub(c.ty(x).rank())?;
    if only_leading_units(&op.shape, extra, &c.ty(x).shape) {
        let shape = op.shape.clone();
        return c.emit(Reshape { shape }, &[x]);
    }
    match c.made_by(x)? {
        (Op::Broadcast(_), inner) => {
            c.absorb(x);
            c.emit(op.clone(), &inner)
        }
        // Leading axes of size 1 need not be made before they are repeated.
        (Op::Reshape(reshape), inner) => {
            let from = &c.ty(inner[0]).shape;
            let extra = reshape.shape.len().checked_sub(from.len())?;
            if !only_leading_units(&reshape.shape, extra, from) {
                return None;
            }
            c.absorb(x);
            c.emit(op.clone(), &inner)
        }
        _ => None,
    }
}

fn only_leading_units(shape: &[Dim], extra: usize, from: &[Dim]) -> bool {
    shape[..extra].iter().all(|d| *d == Dim::from(1)) && shape[extra..] == *from
}

pub(super) fn slice(c: &mut Canon, op: &Slice, x: ValueId) -> Option<ValueId> {
    if shapes::is_whole(op, &c.ty(x).shape) {
        return Some(x);
    }
    if let Some(value) = repeated(c, x, &op.sizes) {
        return Some(value);
    }
    let (Op::Slice(inner), source) = c.made_by(x)? else {
        return None;
    };
    c.absorb(x);
    let both = shapes::composed_slices(&inner, op)?;
    c.emit(both, &source)
}

pub(super) fn pad(c: &mut Canon, op: &Pad, x: ValueId) -> Option<ValueId> {
    let zero = Dim::from(0);
    op.low.iter().chain(&op.high).all(|dim| *dim == zero).then_some(x).filter(|x| c.ty(*x).rank() == op.low.len())
}

pub(super) fn concat(c: &mut Canon, op: &Concat, inputs: &[ValueId]) -> Option<ValueId> {
    if let [x] = inputs {
        return Some(*x);
    }
    let is_empty = |v: &&ValueId| c.ty(**v).shape[op.axis] == Dim::from(0);
    let rest: Vec<ValueId> = inputs.iter().filter(|v| !is_empty(v)).copied().collect();
    (!rest.is_empty() && rest.len() < inputs.len()).then_some(())?;
    c.emit(op.clone(), &rest)
}

pub(super) fn reduce(c: &mut Canon, op: &Reduce, x: ValueId) -> Option<ValueId> {
    let shape = &c.ty(x).shape;
    if op.axes.iter().any(|axis| shape[*axis] != Dim::from(1)) {
        return None;
    }
    // A float sum begins with +0, which loses the sign of -0.
    let exactness = match op.kind {
        ReduceKind::Sum if c.ty(x).dtype.is_float() => Exactness::SIGNED_ZERO,
        _ => Exactness::EXACT,
    };
    if !op.axes.is_empty() && !c.allows(exactness) {
        return None;
    }
    let kept = (0..shape.len()).filter(|axis| !op.axes.contains(axis));
    let shape: Vec<Dim> = kept.map(|axis| shape[axis].clone()).collect();
    c.emit(Reshape { shape }, &[x])
}

/// The same number repeated to another shape.
fn repeated(c: &mut Canon, x: ValueId, shape: &[Dim]) -> Option<ValueId> {
    let (dtype, number) = (c.ty(x).dtype, c.splat(x)?);
    // Stored constants stay as they are: only what is a repetition already becomes another one.
    if c.constant_of(x).is_some() {
        return None;
    }
    let number = c.constant(Tensor::scalar(dtype, number))?;
    c.emit(Broadcast { shape: shape.to_vec() }, &[number])
}
