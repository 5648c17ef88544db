//! Kernels that compute each element of the result on its own.

use crate::context::{Cx, Scope};
use crate::index::Idx;
use crate::kernel::{Recipe, Target};
use crate::turned::{PLACES, Piece, Turned};
use graph::Node;
use kernels::text::{Val, Writer};
use ops::Op;
use schedule::{Class, Groups, class, collapse};
use tensor::Dim;

/// Elements of the innermost axis that one host task takes.
const BLOCK: i64 = 8192;

/// Loops over the axes (or groups of axes) of the result.
pub(crate) struct Map {
    pub(crate) groups: Option<Groups>,
    extents: Vec<Dim>,
    target: Target,
    /// Elements computed at a time.
    lanes: u32,
    /// Host: operands whose neighbors in memory lie along an outer axis.
    turned: Option<Turned>,
}

impl Map {
    pub(crate) fn new(cx: &Cx, target: Target) -> Map {
        let shape = &cx.ty(cx.region.result).shape;
        let groups = collapsed(cx);
        let mut extents = groups.as_ref().map_or(shape.clone(), |groups| groups.extents.clone());
        if extents.is_empty() {
            extents.push(Dim::from(1));
        }
        let inner = extents.last().and_then(Dim::as_const);
        let by_rows = cx.anchor().is_some_and(|node| reduces_rows(cx, node));
        let few = by_rows || inner.is_some_and(|n| n < 4);
        let lanes = match (target, extents.last()) {
            (Target::Gpu(_), Some(inner)) if keeps_neighbors(cx) => crate::gpu::element_lanes(cx, inner),
            _ if few => 1,
            _ => cx.wide(),
        };
        let on_host = matches!(target, Target::Host { .. });
        let turned = if on_host && lanes > 1 { Turned::of(cx, lanes) } else { None };
        Map { groups, extents, target, lanes, turned }
    }

    fn inner(&self) -> Dim {
        self.extents.last().cloned().unwrap_or(1.into())
    }

    fn outer(&self) -> &[Dim] {
        &self.extents[..self.extents.len() - 1]
    }

    fn blocks(&self) -> Dim {
        self.inner().ceil_div(BLOCK.into())
    }

    /// The extents of the outer axes in units of tasks.
    fn places(&self) -> Vec<Dim> {
        let mut places = self.outer().to_vec();
        if let Some(Turned { axis, .. }) = self.turned {
            places[axis] = places[axis].clone().ceil_div(PLACES.into());
        }
        places
    }
}

/// Elements `lo..hi` of the innermost axis of the result, whose extent is `inner`, by vectors.
pub(crate) fn row(cx: &Cx, w: &mut Writer, lanes: u32, inner: &Dim, outer: &[Idx], ends: [Val; 2]) {
    let wide = if lanes == 1 { 1 } else { cx.lanes_for(cx.region.result).max(lanes) };
    each_vector(w, [lanes, wide], inner, ends, &mut |w, s, at| elements(cx, w, s, outer, at));
}

/// Writes a body for the indices `lo..hi` of an axis with extent `inner`: `wide` neighbors at a time, and those of the rest by
/// vectors of `lanes`.
pub(crate) fn each_vector(
    w: &mut Writer,
    [lanes, wide]: [u32; 2],
    inner: &Dim,
    [lo, hi]: [Val; 2],
    body: &mut dyn FnMut(&mut Writer, &mut Scope, Idx),
) {
    if lanes == 1 {
        let one = w.i64(1);
        w.for_loop(lo, hi, one, &[], |w, iv, _| {
            body(w, &mut Scope::new(1, None), Idx::Uniform(iv));
            vec![]
        });
        return;
    }
    let step = w.i64(wide.into());
    let count = w.subi(hi, lo);
    let n_full = w.divsi(count, step);
    let full = w.muli(n_full, step);
    let full = w.addi(lo, full);
    if w.known_int(n_full) != Some(0) {
        w.for_loop(lo, full, step, &[], |w, iv, _| {
            body(w, &mut Scope::new(wide, None), Idx::Linear(iv, 1));
            vec![]
        });
    }
    if inner.as_const().is_some_and(|n| n % i64::from(wide) == 0) {
        return;
    }
    let step = w.i64(lanes.into());
    w.for_loop(full, hi, step, &[], |w, iv, _| {
        let left = w.subi(hi, iv);
        let mask = w.tail_mask(left, lanes);
        body(w, &mut Scope::new(lanes, Some(mask)), Idx::Linear(iv, 1));
        vec![]
    });
}

/// The elements of the result at one place.
pub(crate) fn elements(cx: &Cx, w: &mut Writer, s: &mut Scope, outer: &[Idx], inner: Idx) {
    let idx = [outer, &[inner]].concat();
    // A scalar has no axis, but one element.
    let idx = if cx.ty(cx.region.result).rank() == 0 { &[][..] } else { &idx };
    let value = cx.value(w, s, cx.region.result, idx);
    if idx.is_empty() {
        let zero = Idx::Uniform(w.i64(0));
        let store = &cx.region.store;
        cx.store_at(w, s, cx.ptrs[&store.value], cx.ty(store.value).dtype, zero, value);
    } else {
        cx.store(w, s, idx, value);
    }
}

impl Recipe for Map {
    fn tasks(&self) -> Dim {
        let rows = self.places().iter().fold(Dim::from(1), |a, b| a * b.clone());
        match self.target {
            Target::Host { .. } => rows * self.blocks(),
            Target::Gpu(_) => rows * self.inner().ceil_div(i64::from(self.lanes).into()),
        }
    }

    fn scratch(&self) -> Dim {
        self.turned.as_ref().map_or(Dim::from(0), Turned::scratch)
    }

    fn template(&self) -> String {
        format!("elements, {} lanes", self.lanes)
    }

    fn task(&self, cx: &Cx, w: &mut Writer, task: Val, scratch: Option<Val>) {
        let per_row = match self.target {
            Target::Host { .. } => self.inner(),
            Target::Gpu(_) => self.inner().ceil_div(i64::from(self.lanes).into()),
        };
        let inner = cx.dim(w, &per_row);
        if matches!(self.target, Target::Gpu(_)) {
            // Without outer axes the task is the index; the division would be kept, as nothing says that it is small.
            let (row, at) =
                if self.outer().is_empty() { (task, task) } else { (w.divui(task, inner), w.remui(task, inner)) };
            let outer = split(cx, w, row, self.outer());
            if self.lanes == 1 {
                elements(cx, w, &mut Scope::new(1, None), &outer, Idx::Uniform(at));
                return;
            }
            let lanes = w.i64(self.lanes.into());
            let at = w.muli(at, lanes);
            let mut scope = Scope { aligned: Some(at), ..Scope::new(self.lanes, None) };
            elements(cx, w, &mut scope, &outer, Idx::Linear(at, 1));
            return;
        }
        let blocks = cx.dim(w, &self.blocks());
        let (line, block) =
            if self.outer().is_empty() { (task, task) } else { (w.divui(task, blocks), w.remui(task, blocks)) };
        let places = split(cx, w, line, &self.places());
        let size = w.i64(BLOCK);
        let lo = w.muli(block, size);
        let end = w.addi(lo, size);
        let hi = if self.blocks() == Dim::from(1) { inner } else { w.minsi(end, inner) };
        let inner = self.inner();
        let Some(turned) = &self.turned else { return row(cx, w, self.lanes, &inner, &places, [lo, hi]) };
        let (tile, size) = (places[turned.axis].val(w, 1), w.i64(PLACES));
        let extent = cx.dim(w, &self.outer()[turned.axis]);
        let first = w.muli(tile, size);
        let end = w.addi(first, size);
        let end = w.minsi(end, extent);
        turned.task(cx, w, &Piece { outer: &places, places: [first, end], inner: &inner, ends: [lo, hi], scratch });
    }
}

/// The indices that a row-major number stands for.
pub(crate) fn split(cx: &Cx, w: &mut Writer, number: Val, extents: &[Dim]) -> Vec<Idx> {
    let mut idx = Vec::new();
    let mut rest = number;
    for (at, extent) in extents.iter().enumerate().rev() {
        if at == 0 {
            idx.push(Idx::Uniform(rest));
            break;
        }
        let extent = cx.dim(w, extent);
        idx.push(Idx::Uniform(w.remui(rest, extent)));
        rest = w.divui(rest, extent);
    }
    idx.reverse();
    idx
}

/// Merged axes, if every member computes at the result's own index and every leaf is walked evenly.
fn collapsed(cx: &Cx) -> Option<Groups> {
    let to = &cx.ty(cx.region.result).shape;
    let mut leaves = Vec::new();
    for idx in &cx.region.members {
        let node = &cx.graph.nodes[*idx];
        let is_broadcast = matches!(node.op, Op::Broadcast(_)) && cx.member(node.inputs[0]).is_none();
        if class(cx.graph, node) != Class::Elementwise && !is_broadcast {
            return None;
        }
        leaves.extend(node.inputs.iter().filter(|v| cx.member(**v).is_none()).map(|v| cx.ty(*v).shape.clone()));
    }
    let groups = collapse(to, &leaves)?;
    let Some((axis, _)) = &cx.region.store.part else { return Some(groups) };
    // The written part is dense behind the axis of concatenation, and only there.
    let mut starts: Vec<usize> = groups.starts[..groups.starts.len() - 1].to_vec();
    starts.push(*axis);
    starts.sort_unstable();
    starts.dedup();
    Some(Groups::of(to, &starts))
}

/// Whether every member computes neighbors along the innermost axis from neighbors, or from one element.
pub(crate) fn keeps_neighbors(cx: &Cx) -> bool {
    let keeps = |idx: &usize| match &cx.graph.nodes[*idx] {
        _ if cx.region.rows.contains(idx) => true,
        Node { op: Op::Broadcast(_), .. } => true,
        node @ Node { op: Op::Reshape(_), .. } => schedule::is_unit_reshape(cx.graph, node),
        node => class(cx.graph, node) == Class::Elementwise,
    };
    cx.ty(cx.region.result).rank() > 0 && cx.region.members.iter().all(keeps)
}

/// Whether the anchor's own loop runs along memory, so that it takes the vectors.
fn reduces_rows(cx: &Cx, node: &Node) -> bool {
    match &node.op {
        Op::Reduce(op) => op.axes.last().is_some_and(|axis| axis + 1 == cx.ty(node.inputs[0]).rank()),
        Op::Dot(op) => cx.dots_rows(node, op),
        _ => false,
    }
}

/// Floating-point operations of a region, roughly: one for each element of each member, and those of the anchor.
pub(crate) fn flops(cx: &Cx) -> Dim {
    let members = cx.region.members.iter().map(|idx| node_flops(cx, &cx.graph.nodes[*idx]));
    let moved = cx.ty(cx.region.result).num_elements();
    members.fold(moved, |a, b| a + b)
}

fn node_flops(cx: &Cx, node: &Node) -> Dim {
    let out = cx.ty(node.outputs[0]).num_elements();
    let operand = |k: usize| cx.ty(node.inputs[k]);
    match &node.op {
        Op::Reduce(_) | Op::ArgReduce(_) | Op::Cumulative(_) => operand(0).num_elements(),
        Op::Dot(op) => op.lhs_contract.iter().fold(out * 2.into(), |a, axis| a * operand(0).shape[*axis].clone()),
        Op::Conv(_) => operand(1).shape[1..].iter().fold(out * 2.into(), |a, d| a * d.clone()),
        Op::Pool(op) => out * op.window.iter().product::<usize>().into(),
        Op::PoolArgMax(op) => out * op.window.iter().product::<usize>().into(),
        Op::Unary(_) => out * 8.into(),
        Op::Broadcast(_) | Op::Reshape(_) => Dim::from(0),
        _ => out,
    }
}
