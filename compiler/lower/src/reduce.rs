//! Reductions.

use crate::anchor::{RowReduction, combine, nest};
use crate::context::{Cx, Scope};
use crate::index::Idx;
use crate::types::{compute, lanes_of};
use graph::Node;
use kernels::text::{Reduce, Val, Writer};
use ops::ReduceKind;
use tensor::DType;

impl Cx<'_> {
    pub(crate) fn reduce(&self, w: &mut Writer, s: &mut Scope, node: &Node, op: &ops::Reduce, idx: &[Idx]) -> Val {
        let operand = node.inputs[0];
        let ty = self.ty(operand);
        let (dtype, rank) = (ty.dtype, ty.rank());
        let elem = Self::accumulator(dtype);
        let kind = reduction(op.kind, dtype);
        let identity = identity(w, kind, elem);
        let extents: Vec<Val> = op.axes.iter().map(|axis| self.dim(w, &ty.shape[*axis])).collect();
        let position = |ivs: &[Idx]| {
            let (mut kept, mut reduced) = (idx.iter(), ivs.iter());
            let pick = |axis: usize| if op.axes.contains(&axis) { reduced.next() } else { kept.next() };
            let mut pick = pick;
            (0..rank).filter_map(|axis| pick(axis).copied()).collect::<Vec<Idx>>()
        };
        let element = |w: &mut Writer, s: &mut Scope, ivs: &[Idx]| {
            let val = self.value(w, s, operand, &position(ivs));
            widen(w, val, elem)
        };
        let uniform = Self::result_lanes(s, idx) == 1;
        let sum = match extents.split_last() {
            Some((inner, outer)) if uniform && self.wide() > 1 && op.axes.last() == Some(&(rank - 1)) => {
                let (wide, lanes) = (self.wide(), self.lanes_for(operand));
                let row = RowReduction { wide, lanes, outer, inner: *inner, identity, kind };
                row.run(w, s, &mut |w, s, ivs, last, sum| {
                    let ivs: Vec<Idx> = ivs.iter().map(|iv| Idx::Uniform(*iv)).chain([last]).collect();
                    let val = element(w, s, &ivs);
                    let next = {
                        let val = w.broadcast(val, sum.ty);
                        combine(w, kind, sum, val)
                    };
                    s.mask.map_or(next, |mask| w.select(mask, next, sum))
                })
            }
            _ => {
                let start = w.broadcast(identity, lanes_of(elem, Self::result_lanes(s, idx)));
                nest(w, &extents, &[start], &mut |w, ivs, sums| {
                    let ivs: Vec<Idx> = ivs.iter().map(|iv| Idx::Uniform(*iv)).collect();
                    let val = element(w, &mut s.clone(), &ivs);
                    let val = w.broadcast(val, sums[0].ty);
                    vec![combine(w, kind, sums[0], val)]
                })[0]
            }
        };
        finish(w, sum, dtype)
    }
}

/// The register operation of a reduction. Truth values combine as bits.
pub(crate) fn reduction(kind: ReduceKind, dtype: DType) -> Reduce {
    let signed = dtype.is_signed_int();
    match kind {
        ReduceKind::Sum => Reduce::Add,
        ReduceKind::Prod => Reduce::Mul,
        ReduceKind::Max if dtype.is_float() => Reduce::Maximumf,
        ReduceKind::Min if dtype.is_float() => Reduce::Minimumf,
        ReduceKind::Max if dtype == DType::Bool => Reduce::Or,
        ReduceKind::Min if dtype == DType::Bool => Reduce::And,
        ReduceKind::Max if signed => Reduce::Maxsi,
        ReduceKind::Max => Reduce::Maxui,
        ReduceKind::Min if signed => Reduce::Minsi,
        ReduceKind::Min => Reduce::Minui,
    }
}

/// The neutral element of a register operation.
pub(crate) fn identity(w: &mut Writer, kind: Reduce, elem: kernels::text::Scalar) -> Val {
    let bits = elem.bits();
    let signed_min = if bits >= 64 { i64::MIN } else { -(1i64 << (bits - 1)) };
    match kind {
        Reduce::Add | Reduce::Or | Reduce::Xor | Reduce::Maxui => w.zero(elem.into()),
        Reduce::Mul if elem.is_float() => w.float(elem.into(), 1.0),
        Reduce::Mul => w.int(elem.into(), 1),
        Reduce::And if bits == 1 => w.bool(true),
        Reduce::And | Reduce::Minui => w.int(elem.into(), -1),
        Reduce::Maxsi => w.int(elem.into(), signed_min),
        Reduce::Minsi => w.int(elem.into(), !signed_min),
        Reduce::Minnumf | Reduce::Minimumf => w.float(elem.into(), f64::INFINITY),
        Reduce::Maxnumf | Reduce::Maximumf => w.float(elem.into(), f64::NEG_INFINITY),
    }
}

/// An element in the type that it is accumulated in.
pub(crate) fn widen(w: &mut Writer, val: Val, elem: kernels::text::Scalar) -> Val {
    if val.ty.elem().is_float() && val.ty.elem() != elem { w.float_to_float(val, elem) } else { val }
}

/// An accumulated value in its element type.
pub(crate) fn finish(w: &mut Writer, sum: Val, dtype: DType) -> Val {
    if dtype.is_float() { w.float_to_float(sum, compute(dtype)) } else { sum }
}
