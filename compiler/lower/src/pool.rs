//! Pooling.

use crate::anchor::{combine, nest};
use crate::context::{Cx, Scope};
use crate::index::Idx;
use crate::reduce::{finish, identity, widen};
use crate::types::{compute, lanes_of};
use graph::{Node, ValueId};
use kernels::text::{FloatCmp, IntCmp, Reduce, Scalar, Val, Writer};
use ops::{Pool, PoolArgMax, PoolKind};
use schedule::row_major;
use tensor::Dim;

/// The windows of a pooling operator.
struct Windows<'a> {
    strides: &'a [usize],
    dilations: &'a [usize],
    low: &'a [Dim],
    high: &'a [Dim],
}

impl Cx<'_> {
    pub(crate) fn pool(&self, w: &mut Writer, s: &mut Scope, node: &Node, op: &Pool, idx: &[Idx]) -> Val {
        let dtype = self.ty(node.inputs[0]).dtype;
        let elem = Self::accumulator(dtype);
        let kind = match op.kind {
            PoolKind::Sum => Reduce::Add,
            PoolKind::Max if dtype.is_float() => Reduce::Maximumf,
            PoolKind::Max if dtype.is_signed_int() => Reduce::Maxsi,
            PoolKind::Max => Reduce::Maxui,
        };
        let neutral = identity(w, kind, elem);
        let outside = identity(w, kind, compute(dtype));
        let windows =
            Windows { strides: &op.strides, dilations: &op.dilations, low: &op.pads_low, high: &op.pads_high };
        let extents: Vec<Val> = op.window.iter().map(|k| w.i64(*k as i64)).collect();
        let start = w.broadcast(neutral, lanes_of(elem, Self::result_lanes(s, idx)));
        let sum = nest(w, &extents, &[start], &mut |w, ivs, sums| {
            let mut s = s.clone();
            let (at, conditions) = self.window_tap(w, &s, node.inputs[0], &windows, idx, ivs);
            let val = self.guarded(w, &mut s, &conditions, outside, |cx, w, s| cx.value(w, s, node.inputs[0], &at));
            let val = widen(w, val, elem);
            let val = w.broadcast(val, sums[0].ty);
            vec![combine(w, kind, sums[0], val)]
        })[0];
        finish(w, sum, dtype)
    }

    pub(crate) fn pool_arg_max(&self, w: &mut Writer, s: &mut Scope, node: &Node, op: &PoolArgMax, idx: &[Idx]) -> Val {
        let operand = node.inputs[0];
        let ty = self.ty(operand);
        let windows =
            Windows { strides: &op.strides, dilations: &op.dilations, low: &op.pads_low, high: &op.pads_high };
        let strides = flat_strides(&ty.shape, op.window.len(), op.column_major);
        let extents: Vec<Val> = op.window.iter().map(|k| w.i64(*k as i64)).collect();
        let lanes = Self::result_lanes(s, idx);
        let (zero, nothing) = (self.zero_of(w, ty.dtype), w.i64(-1));
        let best = w.broadcast(zero, lanes_of(compute(ty.dtype), lanes));
        let nowhere = w.broadcast(nothing, lanes_of(Scalar::I64, lanes));
        nest(w, &extents, &[best, nowhere], &mut |w, ivs, best| {
            let mut s = s.clone();
            let (at, conditions) = self.window_tap(w, &s, operand, &windows, idx, ivs);
            let val = self.guarded(w, &mut s, &conditions, zero, |cx, w, s| cx.value(w, s, operand, &at));
            let val = w.broadcast(val, best[0].ty);
            let flat = self.address(w, s.lanes, &at, &strides).val(w, s.lanes);
            let flat = w.broadcast(flat, best[1].ty);
            let zero = w.zero(best[1].ty);
            let is_first = w.cmpi(IntCmp::Slt, best[1], zero);
            let larger = is_larger(w, val, best[0], ty.dtype.is_signed_int());
            let mut takes = w.ori(is_first, larger);
            for condition in conditions {
                let condition = w.broadcast(condition, takes.ty);
                takes = w.andi(takes, condition);
            }
            vec![w.select(takes, val, best[0]), w.select(takes, flat, best[1])]
        })[1]
    }

    /// The operand's index of one element of a window, and the conditions under which it exists.
    fn window_tap(
        &self,
        w: &mut Writer,
        s: &Scope,
        operand: ValueId,
        windows: &Windows,
        idx: &[Idx],
        ivs: &[Val],
    ) -> (Vec<Idx>, Vec<Val>) {
        let shape = &self.ty(operand).shape;
        let first = shape.len() - ivs.len();
        let mut at = idx[..first].to_vec();
        let mut conditions = Vec::new();
        for (k, iv) in ivs.iter().enumerate() {
            let extent = self.dim(w, &shape[first + k]);
            let (stride, dilation) = (w.i64(windows.strides[k] as i64), w.i64(windows.dilations[k] as i64));
            let reach = w.muli(*iv, dilation);
            let low = self.dim(w, &windows.low[k]);
            let shift = w.subi(reach, low);
            let tap = idx[first + k].scale(w, stride, s.lanes).offset(w, shift);
            if windows.low[k] != Dim::from(0) || windows.high[k] != Dim::from(0) {
                conditions.push(tap.inside(w, s.lanes, extent));
            }
            at.push(tap);
        }
        (at, conditions)
    }
}

/// Strides of the flat index; spatial axes in reverse order if it is column major.
fn flat_strides(shape: &[Dim], n_spatial: usize, column_major: bool) -> Vec<Dim> {
    let mut strides = row_major(shape);
    if column_major {
        let first = shape.len() - n_spatial;
        let mut stride = Dim::from(1);
        for axis in first..shape.len() {
            strides[axis] = stride.clone();
            stride = stride * shape[axis].clone();
        }
    }
    strides
}

fn is_larger(w: &mut Writer, a: Val, b: Val, signed: bool) -> Val {
    match (a.ty.elem().is_float(), signed) {
        (true, _) => w.cmpf(FloatCmp::Ogt, a, b),
        (false, true) => w.cmpi(IntCmp::Sgt, a, b),
        (false, false) => w.cmpi(IntCmp::Ugt, a, b),
    }
}
