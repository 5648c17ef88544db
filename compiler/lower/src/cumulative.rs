//! Running sums and products: one task for each row along the axis.

use crate::anchor::combine;
use crate::context::{Cx, Scope};
use crate::index::Idx;
use crate::kernel::Recipe;
use crate::map::split;
use crate::reduce::{finish, identity, widen};
use graph::Node;
use kernels::text::{Reduce, Val, Writer};
use ops::{CumKind, Cumulative};
use tensor::Dim;

pub(crate) struct CumulativeRow<'a> {
    node: &'a Node,
    op: &'a Cumulative,
    others: Vec<Dim>,
}

impl<'a> CumulativeRow<'a> {
    pub(crate) fn new(cx: &Cx<'a>, node: &'a Node, op: &'a Cumulative) -> Self {
        let mut others = cx.ty(node.inputs[0]).shape.clone();
        others.remove(op.axis);
        CumulativeRow { node, op, others }
    }
}

impl Recipe for CumulativeRow<'_> {
    fn tasks(&self) -> Dim {
        self.others.iter().fold(Dim::from(1), |a, b| a * b.clone())
    }

    fn template(&self) -> String {
        "rows in order".into()
    }

    fn task(&self, cx: &Cx, w: &mut Writer, task: Val, _scratch: Option<Val>) {
        let op = self.op;
        let operand = self.node.inputs[0];
        let ty = cx.ty(operand);
        let elem = Cx::accumulator(ty.dtype);
        let kind = match op.kind {
            CumKind::Sum => Reduce::Add,
            CumKind::Prod => Reduce::Mul,
        };
        let others = split(cx, w, task, &self.others);
        let extent = cx.dim(w, &ty.shape[op.axis]);
        let (zero, one) = (w.i64(0), w.i64(1));
        let last = w.subi(extent, one);
        let start = identity(w, kind, elem);
        w.for_loop(zero, extent, one, &[start], |w, iv, sum| {
            let at = if op.reverse { w.subi(last, iv) } else { iv };
            let idx = [&others[..op.axis], &[Idx::Uniform(at)], &others[op.axis..]].concat();
            let mut s = Scope::new(1, None);
            let val = cx.value(w, &mut s, operand, &idx);
            let val = widen(w, val, elem);
            let next = combine(w, kind, sum[0], val);
            let result = finish(w, if op.exclusive { sum[0] } else { next }, ty.dtype);
            cx.store(w, &s, &idx, result);
            vec![next]
        });
    }
}
