//! Kernels that reduce whole rows: each row by a warp or by a block, with neighbors loaded together.
//!
//! Takes a reduction over the last axes with at least 32 elements, with what feeds it and what follows; and regions that
//! reduce their rows for what is computed with them, which pass over a row for each reduction and once more for the result.
//! Each thread combines every so-many-th run of a row, lanes of a run apart; then lanes, threads and warps are combined,
//! always in the same order.

use super::Gpu;
use super::facts::{divides, element_lanes, guess};
use crate::anchor::combine;
use crate::context::{Cx, Scope};
use crate::index::Idx;
use crate::kernel::{Block, Recipe};
use crate::map::{elements, keeps_neighbors, split};
use crate::reduce::{finish, identity, reduction, widen};
use crate::types::{lanes_of, memory};
use graph::{Node, ValueId};
use kernels::gpu::Rows;
use kernels::text::{FastMath, IntCmp, Reduce, Scalar, Val, Writer};
use ops::Op;
use tensor::Dim;

/// Shorter rows are a thread's work, if only their reduction is asked for.
const SHORTEST: i64 = 32;

struct RowKernel<'a> {
    reductions: Vec<RowReduction<'a>>,
    /// Axes of the operand before the reduced ones, and those.
    outer: Vec<Dim>,
    inner: Vec<Dim>,
    lanes: u32,
    rows: Rows,
    /// Whether the result has all elements of the rows.
    is_full: bool,
}

struct RowReduction<'a> {
    node: &'a Node,
    operand: ValueId,
    kind: Reduce,
    elem: Scalar,
}

impl<'a> RowReduction<'a> {
    fn new(cx: &Cx, node: &'a Node) -> Option<RowReduction<'a>> {
        let Op::Reduce(op) = &node.op else { return None };
        let dtype = cx.ty(node.inputs[0]).dtype;
        let (kind, elem) = (reduction(op.kind, dtype), Cx::accumulator(dtype));
        Some(RowReduction { node, operand: node.inputs[0], kind, elem })
    }
}

/// The recipe of a region that reduces rows.
pub(super) fn choose<'a>(cx: &mut Cx<'a>, gpu: Gpu) -> Option<Box<dyn Recipe + 'a>> {
    let kernel = if cx.region.rows.is_empty() { alone(cx, gpu) } else { within(cx, gpu) };
    Some(Box::new(kernel?))
}

/// A region whose anchor is the reduction.
fn alone<'a>(cx: &Cx<'a>, gpu: Gpu) -> Option<RowKernel<'a>> {
    let node = cx.anchor()?;
    let Op::Reduce(op) = &node.op else { return None };
    let ty = cx.ty(node.inputs[0]);
    let n_outer = ty.rank() - op.axes.len();
    if op.axes.is_empty() || op.axes.iter().copied().ne(n_outer..ty.rank()) {
        return None;
    }
    let (outer, inner) = ty.shape.split_at(n_outer);
    // What follows may change the axes of size 1, but nothing else.
    let is_short = product(inner).as_const().is_some_and(|n| n < SHORTEST);
    if is_short || cx.ty(cx.region.result).num_elements() != product(outer) {
        return None;
    }
    let mut lanes = 16 / memory(ty.dtype).bytes().max(2);
    while lanes > 1 && !inner.last().is_some_and(|last| divides(lanes, last)) {
        lanes /= 2;
    }
    let reductions = vec![RowReduction::new(cx, node)?];
    let rows = rows(outer, inner, lanes, gpu);
    Some(RowKernel { reductions, outer: outer.to_vec(), inner: inner.to_vec(), lanes, rows, is_full: false })
}

/// A region that reduces its rows.
fn within<'a>(cx: &Cx<'a>, gpu: Gpu) -> Option<RowKernel<'a>> {
    let (inner, outer) = cx.ty(cx.region.result).shape.split_last()?;
    let nodes = cx.region.rows.iter().map(|idx| &cx.graph.nodes[*idx]);
    let reductions = nodes.map(|node| RowReduction::new(cx, node)).collect::<Option<Vec<_>>>()?;
    let lanes = if keeps_neighbors(cx) { element_lanes(cx, inner) } else { 1 };
    let (outer, inner) = (outer.to_vec(), vec![inner.clone()]);
    let rows = rows(&outer, &inner, lanes, gpu);
    Some(RowKernel { reductions, outer, inner, lanes, rows, is_full: true })
}

fn rows(outer: &[Dim], inner: &[Dim], lanes: u32, gpu: Gpu) -> Rows {
    let pieces = guess(&product(inner), 1024) / u64::from(lanes);
    Rows::choose(Some(pieces), Some(guess(&product(outer), 4096)), gpu.chip.units())
}

fn product(dims: &[Dim]) -> Dim {
    dims.iter().fold(Dim::from(1), |a, b| a * b.clone())
}

impl RowKernel<'_> {
    /// Runs a body over this thread's runs of a row, at the index and in the scope of each.
    fn each_run(
        &self,
        cx: &Cx,
        w: &mut Writer,
        thread: Val,
        init: &[Val],
        mut body: impl FnMut(&mut Writer, &mut Scope, &[Idx], &[Val]) -> Vec<Val>,
    ) -> Vec<Val> {
        let length = cx.dim(w, &product(&self.inner));
        let lanes = w.i64(self.lanes.into());
        let first = w.muli(thread, lanes);
        let step = w.i64(i64::from(self.lanes * self.rows.team));
        w.for_loop(first, length, step, init, |w, at, carried| {
            let mut inner = split(cx, w, at, &self.inner);
            let mut scope = Scope::new(self.lanes, None);
            if let (Some(Idx::Uniform(last)), true) = (inner.last().copied(), self.lanes > 1) {
                scope.aligned = Some(last);
                inner.pop();
                inner.push(Idx::Linear(last, 1));
            }
            body(w, &mut scope, &inner, carried)
        })
    }

    /// This thread's share of a reduction.
    fn share(&self, cx: &Cx, w: &mut Writer, reduction: &RowReduction, outer: &[Idx], thread: Val) -> Val {
        let ty = lanes_of(reduction.elem, self.lanes);
        let start = identity(w, reduction.kind, reduction.elem);
        let start = w.broadcast(start, ty);
        let sums = self.each_run(cx, w, thread, &[start], |w, scope, inner, sums| {
            let value = cx.value(w, scope, reduction.operand, &[outer, inner].concat());
            let value = widen(w, value, reduction.elem);
            let value = w.broadcast(value, ty);
            vec![combine(w, reduction.kind, sums[0], value)]
        });
        w.with_fastmath(FastMath::REASSOC, |w| w.reduce(reduction.kind, sums[0]))
    }

    /// All reductions of a row, one after the other; each is given to what comes after it.
    fn reduce(&self, cx: &Cx, w: &mut Writer, outer: &[Idx], thread: Val) {
        for (at, reduction) in self.reductions.iter().enumerate() {
            let share = self.share(cx, w, reduction, outer, thread);
            if at > 0 && self.rows.team > 32 {
                // The shared memory of the reduction before is read until here.
                w.barrier();
            }
            let sum = self.rows.combine(w, share, &mut |w, a, b| combine(w, reduction.kind, a, b));
            let sum = finish(w, sum, cx.ty(reduction.operand).dtype);
            cx.given.borrow_mut().insert(reduction.node.outputs[0], sum);
        }
    }

    /// Writes what follows the reduction of row `row`: one element.
    fn store_one(&self, cx: &Cx, w: &mut Writer, row: Val) {
        let shape = cx.ty(cx.region.result).shape.clone();
        let idx = split(cx, w, row, &shape);
        let (inner, outer) = match idx.split_last() {
            Some((inner, outer)) => (*inner, outer),
            None => (Idx::Uniform(row), &[][..]),
        };
        elements(cx, w, &mut Scope::new(1, None), outer, inner);
    }
}

impl Recipe for RowKernel<'_> {
    fn tasks(&self) -> Dim {
        product(&self.outer).ceil_div(i64::from(self.rows.per_block()).into())
    }

    fn template(&self) -> String {
        let team = if self.rows.team == 32 { "a warp".to_string() } else { format!("{} threads", self.rows.team) };
        let passes = if self.is_full { format!("{} passes, ", self.reductions.len() + 1) } else { String::new() };
        format!("rows by {team}, {passes}{} lanes", self.lanes)
    }

    fn block(&self) -> Option<Block> {
        let widest = self.reductions.iter().map(|reduction| reduction.elem.bytes().max(1)).max().unwrap_or(1);
        Some(Block { threads: self.rows.threads, tasks: 1, shared: self.rows.shared(widest) })
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
        self.reduce(cx, w, &outer, thread);
        let exists = w.cmpi(IntCmp::Slt, number, n_rows);
        if self.is_full {
            w.if_then(exists, |w| {
                self.each_run(cx, w, thread, &[], |w, scope, inner, _| {
                    elements(cx, w, scope, &outer, inner[0]);
                    vec![]
                });
            });
            return;
        }
        let zero = w.i64(0);
        let leads = w.cmpi(IntCmp::Eq, thread, zero);
        let stores = w.andi(leads, exists);
        w.if_then(stores, |w| self.store_one(cx, w, row));
    }
}
