//! Reductions of whole rows: each by a warp or by a block, with neighbors loaded together.
//!
//! Takes reductions over the last axes with at least 32 elements, with what feeds them and what follows. Each thread combines
//! every so-many-th run of a row, lanes of a run apart; then lanes, threads and warps are combined, always in the same order.

use super::Gpu;
use super::facts::{divides, guess};
use crate::anchor::combine;
use crate::context::{Cx, Scope};
use crate::index::Idx;
use crate::kernel::{Block, Recipe};
use crate::map::split;
use crate::reduce::{finish, identity, reduction, widen};
use crate::types::{lanes_of, memory};
use graph::{Node, ValueId};
use kernels::gpu::Rows;
use kernels::text::{FastMath, IntCmp, Reduce, Scalar, Val, Writer};
use ops::Op;
use tensor::Dim;

/// Shorter rows are a thread's work.
const SHORTEST: i64 = 32;

struct RowReduction<'a> {
    node: &'a Node,
    operand: ValueId,
    kind: Reduce,
    elem: Scalar,
    /// Axes of the operand before the reduced ones, and those.
    outer: Vec<Dim>,
    inner: Vec<Dim>,
    lanes: u32,
    rows: Rows,
}

/// The recipe of a region whose anchor reduces rows.
pub(super) fn choose<'a>(cx: &mut Cx<'a>, gpu: Gpu) -> Option<Box<dyn Recipe + 'a>> {
    let node = cx.anchor()?;
    let Op::Reduce(op) = &node.op else { return None };
    let ty = cx.ty(node.inputs[0]);
    let n_outer = ty.rank() - op.axes.len();
    if op.axes.is_empty() || op.axes.iter().copied().ne(n_outer..ty.rank()) {
        return None;
    }
    let (outer, inner) = ty.shape.split_at(n_outer);
    let length = inner.iter().fold(Dim::from(1), |a, b| a * b.clone());
    let n_rows = outer.iter().fold(Dim::from(1), |a, b| a * b.clone());
    // What follows may change the axes of size 1, but nothing else.
    if length.as_const().is_some_and(|n| n < SHORTEST) || cx.ty(cx.region.result).num_elements() != n_rows {
        return None;
    }
    let mut lanes = 16 / memory(ty.dtype).bytes().max(2);
    while lanes > 1 && !inner.last().is_some_and(|last| divides(lanes, last)) {
        lanes /= 2;
    }
    let pieces = guess(&length, 1024) / u64::from(lanes);
    let rows = Rows::choose(Some(pieces), Some(guess(&n_rows, 4096)), gpu.chip.units());
    Some(Box::new(RowReduction {
        node,
        operand: node.inputs[0],
        kind: reduction(op.kind, ty.dtype),
        elem: Cx::accumulator(ty.dtype),
        outer: outer.to_vec(),
        inner: inner.to_vec(),
        lanes,
        rows,
    }))
}

fn product(dims: &[Dim]) -> Dim {
    dims.iter().fold(Dim::from(1), |a, b| a * b.clone())
}

impl RowReduction<'_> {
    /// This thread's share of a row.
    fn share(&self, cx: &Cx, w: &mut Writer, outer: &[Idx], thread: Val) -> Val {
        let length = cx.dim(w, &product(&self.inner));
        let lanes = w.i64(self.lanes.into());
        let first = w.muli(thread, lanes);
        let step = w.i64(i64::from(self.lanes * self.rows.team));
        let ty = lanes_of(self.elem, self.lanes);
        let start = identity(w, self.kind, self.elem);
        let start = w.broadcast(start, ty);
        let sums = w.for_loop(first, length, step, &[start], |w, at, sums| {
            let mut inner = split(cx, w, at, &self.inner);
            let mut scope = Scope::new(self.lanes, None);
            if let (Some(Idx::Uniform(last)), true) = (inner.last().copied(), self.lanes > 1) {
                scope.aligned = Some(last);
                inner.pop();
                inner.push(Idx::Linear(last, 1));
            }
            let idx = [outer, &inner].concat();
            let value = cx.value(w, &mut scope, self.operand, &idx);
            let value = widen(w, value, self.elem);
            let value = w.broadcast(value, ty);
            vec![combine(w, self.kind, sums[0], value)]
        });
        w.with_fastmath(FastMath::REASSOC, |w| w.reduce(self.kind, sums[0]))
    }
}

impl Recipe for RowReduction<'_> {
    fn tasks(&self) -> Dim {
        product(&self.outer).ceil_div(i64::from(self.rows.per_block()).into())
    }

    fn template(&self) -> String {
        let team = if self.rows.team == 32 { "a warp".to_string() } else { format!("{} threads", self.rows.team) };
        format!("rows by {team}, {} lanes", self.lanes)
    }

    fn block(&self) -> Option<Block> {
        let shared = self.rows.shared(self.elem.bytes().max(1));
        Some(Block { threads: self.rows.threads, tasks: 1, shared })
    }

    fn task(&self, cx: &Cx, w: &mut Writer, task: Val, _scratch: Option<Val>) {
        let (thread, team) = self.rows.place(w);
        let (block, thread, team) =
            (w.extsi(task, Scalar::I64), w.extsi(thread, Scalar::I64), w.extsi(team, Scalar::I64));
        let per_block = w.i64(self.rows.per_block().into());
        let first = w.muli(block, per_block);
        let number = w.addi(first, team);
        let n_rows = cx.dim(w, &product(&self.outer));
        let one = w.i64(1);
        let last = w.subi(n_rows, one);
        // Threads behind the last row work on it too, so that all come to the barrier.
        let row = w.minsi(number, last);
        let outer = split(cx, w, row, &self.outer);
        let share = self.share(cx, w, &outer, thread);
        let sum = self.rows.combine(w, share, &mut |w, a, b| combine(w, self.kind, a, b));
        let sum = finish(w, sum, cx.ty(self.operand).dtype);
        cx.given.borrow_mut().insert(self.node.outputs[0], sum);
        let zero = w.i64(0);
        let (leads, exists) = (w.cmpi(IntCmp::Eq, thread, zero), w.cmpi(IntCmp::Slt, number, n_rows));
        let stores = w.andi(leads, exists);
        w.if_then(stores, |w| {
            let shape = cx.ty(cx.region.result).shape.clone();
            let idx = split(cx, w, row, &shape);
            let mut scope = Scope::new(1, None);
            let value = cx.value(w, &mut scope, cx.region.result, &idx);
            if idx.is_empty() {
                let zero = Idx::Uniform(w.i64(0));
                let store = &cx.region.store;
                cx.store_at(w, &scope, cx.ptrs[&store.value], cx.ty(store.value).dtype, zero, value);
            } else {
                cx.store(w, &scope, &idx, value);
            }
        });
    }
}
