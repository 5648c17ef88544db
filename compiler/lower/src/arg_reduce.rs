//! Where the extreme element is.

use crate::context::{Cx, Scope};
use crate::index::Idx;
use crate::types::{compute, lanes_of};
use graph::Node;
use kernels::text::{FloatCmp, IntCmp, Scalar, Val, Writer};
use ops::ArgKind;
use tensor::DType;

impl Cx<'_> {
    pub(crate) fn arg_reduce(
        &self,
        w: &mut Writer,
        s: &mut Scope,
        node: &Node,
        op: &ops::ArgReduce,
        idx: &[Idx],
    ) -> Val {
        let operand = node.inputs[0];
        let ty = self.ty(operand);
        let lanes = Self::result_lanes(s, idx);
        let at = |axis_idx: Idx| [&idx[..op.axis], &[axis_idx], &idx[op.axis..]].concat();
        let (zero, one) = (w.i64(0), w.i64(1));
        let extent = self.dim(w, &ty.shape[op.axis]);
        let first = self.value(w, &mut s.clone(), operand, &at(Idx::Uniform(zero)));
        let first = w.broadcast(first, lanes_of(compute(ty.dtype), lanes));
        let start = w.broadcast(zero, lanes_of(Scalar::I64, lanes));
        w.for_loop(one, extent, one, &[first, start], |w, iv, best| {
            let val = self.value(w, &mut s.clone(), operand, &at(Idx::Uniform(iv)));
            let val = w.broadcast(val, best[0].ty);
            let takes = is_better(w, op, ty.dtype, val, best[0]);
            let position = w.broadcast(iv, best[1].ty);
            vec![w.select(takes, val, best[0]), w.select(takes, position, best[1])]
        })[1]
    }
}

/// Whether a later element replaces the best so far.
fn is_better(w: &mut Writer, op: &ops::ArgReduce, dtype: DType, new: Val, best: Val) -> Val {
    let max = op.kind == ArgKind::Max;
    if !dtype.is_float() {
        let cmp = match (max, op.last, dtype.is_signed_int()) {
            (true, false, true) => IntCmp::Sgt,
            (true, true, true) => IntCmp::Sge,
            (false, false, true) => IntCmp::Slt,
            (false, true, true) => IntCmp::Sle,
            (true, false, false) => IntCmp::Ugt,
            (true, true, false) => IntCmp::Uge,
            (false, false, false) => IntCmp::Ult,
            (false, true, false) => IntCmp::Ule,
        };
        return w.cmpi(cmp, new, best);
    }
    let cmp = match (max, op.last) {
        (true, false) => FloatCmp::Ogt,
        (true, true) => FloatCmp::Oge,
        (false, false) => FloatCmp::Olt,
        (false, true) => FloatCmp::Ole,
    };
    // NaN is the most extreme: a first one replaces any number, a later one another NaN only if the last counts.
    let beats = w.cmpf(cmp, new, best);
    let (new_nan, best_nan) = (w.cmpf(FloatCmp::Uno, new, new), w.cmpf(FloatCmp::Uno, best, best));
    let takes_nan = if op.last {
        new_nan
    } else {
        let best_number = w.noti(best_nan);
        w.andi(new_nan, best_number)
    };
    w.ori(beats, takes_nan)
}
