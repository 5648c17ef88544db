//! Kernels that work on a row as a whole, on the host: softmax, normalizations.
//!
//! A task passes over one row for each of its reductions, in order, and once more for the result, while the row is in the
//! first cache. What costs more to compute than to load, and is needed in several passes, is kept in scratch memory.

use crate::anchor::AT_A_TIME;
use crate::context::{Cx, Kept, Scope};
use crate::index::Idx;
use crate::kernel::Recipe;
use crate::map::{row, split};
use crate::types::memory;
use graph::{Node, ValueId};
use kernels::text::{Val, Writer};
use ops::{BinaryKind, Op};
use schedule::{Class, class, is_cheap};
use std::collections::BTreeSet;
use tensor::{DType, Dim};

/// A kernel of rows.
pub(crate) struct Rows {
    outer: Vec<Dim>,
    inner: Dim,
    kept: KeptRows,
}

/// Values whose rows are kept from one pass to later ones.
pub(crate) struct KeptRows(Vec<KeptRow>);

struct KeptRow {
    value: ValueId,
    written_by: usize,
    bytes: Dim,
}

impl Rows {
    /// The recipe of a region with reductions of its rows.
    pub(crate) fn choose(cx: &Cx) -> Option<Rows> {
        if cx.region.rows.is_empty() {
            return None;
        }
        let shape = &cx.ty(cx.region.result).shape;
        let (inner, outer) = shape.split_last()?;
        let kept = KeptRows::of(cx, cx.region.result, inner);
        Some(Rows { outer: outer.to_vec(), inner: inner.clone(), kept })
    }
}

impl KeptRows {
    /// Bytes of scratch memory.
    pub(crate) fn bytes(&self) -> Dim {
        self.0.iter().fold(Dim::from(0), |sum, kept| sum + kept.bytes.clone())
    }

    /// Computes the reductions of a row, in order; later ones, and what is computed with them, have the results.
    pub(crate) fn reduce(&self, cx: &Cx, w: &mut Writer, outer: &[Idx], scratch: Val) {
        self.place(cx, w, scratch);
        for (pass, idx) in cx.region.rows.iter().enumerate() {
            let node = &cx.graph.nodes[*idx];
            let Op::Reduce(op) = &node.op else { continue };
            let sum = cx.reduce(w, &mut Scope::new(1, None), node, op, outer);
            cx.given.borrow_mut().insert(node.outputs[0], sum);
            self.pass_is_over(cx, pass);
        }
    }

    fn place(&self, cx: &Cx, w: &mut Writer, scratch: Val) {
        let mut ptr = scratch;
        for kept in &self.0 {
            cx.kept.borrow_mut().insert(kept.value, Kept { ptr, is_written: false });
            let bytes = cx.dim(w, &kept.bytes);
            ptr = w.gep_bytes(ptr, bytes);
        }
    }

    fn pass_is_over(&self, cx: &Cx, pass: usize) {
        for kept in self.0.iter().filter(|kept| kept.written_by == pass) {
            if let Some(entry) = cx.kept.borrow_mut().get_mut(&kept.value) {
                entry.is_written = true;
            }
        }
    }
}

impl Recipe for Rows {
    fn tasks(&self) -> Dim {
        self.outer.iter().fold(Dim::from(1), |a, b| a * b.clone())
    }

    fn scratch(&self) -> Dim {
        self.kept.bytes()
    }

    fn task(&self, cx: &Cx, w: &mut Writer, task: Val, scratch: Option<Val>) {
        let Some(scratch) = scratch else { return };
        let outer = split(cx, w, task, &self.outer);
        self.kept.reduce(cx, w, &outer, scratch);
        let lanes = if self.inner.as_const().is_some_and(|n| n < 4) { 1 } else { cx.wide() };
        let (lo, hi) = (w.i64(0), cx.dim(w, &self.inner));
        row(cx, w, lanes, &self.inner, &outer, [lo, hi]);
    }
}

impl Cx<'_> {
    /// Elements of a kept row.
    pub(crate) fn load_kept(&self, w: &mut Writer, s: &Scope, ptr: Val, value: ValueId, idx: &[Idx]) -> Val {
        let at = idx.last().copied().unwrap_or_else(|| Idx::Uniform(w.i64(0)));
        self.load_written(w, s, ptr, self.ty(value).dtype, at)
    }

    /// Keeps elements of a row.
    pub(crate) fn store_kept(&self, w: &mut Writer, s: &Scope, ptr: Val, value: ValueId, idx: &[Idx], elements: Val) {
        let at = idx.last().copied().unwrap_or_else(|| Idx::Uniform(w.i64(0)));
        self.store_at(w, s, ptr, self.ty(value).dtype, at, elements);
    }
}

impl KeptRows {
    /// The first values on the way from a later pass that an earlier pass computes too, if that costs more than a load.
    /// The last pass computes `result`.
    pub(crate) fn of(cx: &Cx, result: ValueId, inner: &Dim) -> KeptRows {
        let full = &cx.ty(result).shape;
        let reductions = cx.region.rows.iter().map(|idx| cx.graph.nodes[*idx].inputs[0]);
        let roots: Vec<ValueId> = reductions.chain([result]).collect();
        // For each pass, what it computes for every element.
        let mut passes: Vec<BTreeSet<ValueId>> = Vec::new();
        let mut kept: Vec<KeptRow> = Vec::new();
        for root in roots {
            let mut computed = BTreeSet::new();
            let mut work = vec![root];
            while let Some(value) = work.pop() {
                let Some(node) = per_element(cx, value, full).filter(|_| computed.insert(value)) else { continue };
                let earlier = passes.iter().position(|pass| pass.contains(&value));
                if let Some(pass) = earlier.filter(|_| is_costly(cx, value, full)) {
                    if kept.iter().all(|row| row.value != value) {
                        kept.push(KeptRow { value, written_by: pass, bytes: row_bytes(cx, value, inner) });
                    }
                    continue;
                }
                work.extend(&node.inputs);
            }
            passes.push(computed);
        }
        KeptRows(kept)
    }
}

/// The member that computes a value at the index of a row's element, if that is how it is computed.
fn per_element<'a>(cx: &Cx<'a>, value: ValueId, full: &[Dim]) -> Option<&'a Node> {
    let is_full = cx.ty(value).shape == full && cx.ty(value).dtype != DType::Bool;
    cx.member(value).filter(|node| is_full && class(cx.graph, node) == Class::Elementwise)
}

impl Cx<'_> {
    /// The lanes of a loop along memory that computes the elements of a value: more than one vector if there are functions
    /// among what it computes.
    pub(crate) fn lanes_for(&self, value: ValueId) -> u32 {
        let mut seen = BTreeSet::new();
        let mut work = vec![value];
        while let Some(value) = work.pop() {
            let in_memory = self.kept.borrow().get(&value).is_some_and(|kept| kept.is_written);
            if in_memory || self.given.borrow().contains_key(&value) || !seen.insert(value) {
                continue;
            }
            let Some(node) = self.member(value).filter(|node| class(self.graph, node) == Class::Elementwise) else {
                continue;
            };
            if is_function(&node.op) && self.ty(value).dtype.bits() <= 32 {
                return self.wide() * AT_A_TIME;
            }
            work.extend(&node.inputs);
        }
        self.wide()
    }
}

/// Whether an operator is a polynomial: a long chain of operations.
fn is_function(op: &Op) -> bool {
    match op {
        Op::Unary(op) => crate::elementwise::function(op.kind).is_some(),
        Op::Binary(op) => matches!(op.kind, BinaryKind::Pow | BinaryKind::Atan2),
        _ => false,
    }
}

fn is_costly(cx: &Cx, value: ValueId, full: &[Dim]) -> bool {
    per_element(cx, value, full)
        .is_some_and(|node| !is_cheap(&node.op) || node.inputs.iter().any(|v| is_costly(cx, *v, full)))
}

/// Bytes of a row, in whole cache lines.
fn row_bytes(cx: &Cx, value: ValueId, inner: &Dim) -> Dim {
    let bytes = inner.clone() * i64::from(memory(cx.ty(value).dtype).bytes()).into();
    bytes.ceil_div(64.into()) * 64.into()
}
