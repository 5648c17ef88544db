//! Scatters: a copy of the operand, then the updates in order, in one task so that their order is kept.

use crate::anchor::nest;
use crate::context::{Cx, Scope};
use crate::index::Idx;
use crate::kernel::Recipe;
use graph::{Node, ValueId};
use kernels::text::{Reduce, Val, Writer};
use ops::{Op, ScatterKind};
use schedule::row_major;
use tensor::{DType, Dim};

pub(crate) struct Scatter<'a> {
    node: &'a Node,
}

impl<'a> Scatter<'a> {
    pub(crate) fn new(node: &'a Node) -> Self {
        Scatter { node }
    }

    fn kind(&self) -> ScatterKind {
        match &self.node.op {
            Op::ScatterElements(op) => op.kind,
            Op::ScatterNd(op) => op.kind,
            _ => ScatterKind::Replace,
        }
    }

    fn copy(&self, cx: &Cx, w: &mut Writer) {
        let operand = self.node.inputs[0];
        self.each(cx, w, operand, &mut |w, s, idx| {
            let val = cx.value(w, s, operand, idx);
            cx.store(w, s, idx, val);
        });
    }

    /// Runs a body for each index of a value.
    fn each(&self, cx: &Cx, w: &mut Writer, value: ValueId, body: &mut dyn FnMut(&mut Writer, &mut Scope, &[Idx])) {
        let extents: Vec<Val> = cx.ty(value).shape.iter().map(|d| cx.dim(w, d)).collect();
        nest(w, &extents, &[], &mut |w, ivs, _| {
            let idx: Vec<Idx> = ivs.iter().map(|iv| Idx::Uniform(*iv)).collect();
            body(w, &mut Scope::new(1, None), &idx);
            vec![]
        });
    }

    /// The index into the result that an update goes to.
    fn target(&self, cx: &Cx, w: &mut Writer, s: &mut Scope, idx: &[Idx]) -> Vec<Idx> {
        let (node, indices) = (self.node, self.node.inputs[1]);
        let Op::ScatterElements(op) = &node.op else {
            let n_outer = cx.ty(indices).rank() - 1;
            let depth = cx.ty(indices).shape[n_outer].as_const().unwrap_or(0);
            let mut target: Vec<Idx> = (0..depth)
                .map(|k| {
                    let position = Idx::Uniform(w.i64(k));
                    let index = cx.value(w, s, indices, &[&idx[..n_outer], &[position]].concat());
                    cx.data_index(w, s, node, index, k as usize)
                })
                .collect();
            target.extend_from_slice(&idx[n_outer..]);
            return target;
        };
        let index = cx.value(w, s, indices, idx);
        let mut target = idx.to_vec();
        target[op.axis] = cx.data_index(w, s, node, index, op.axis);
        target
    }

    fn combined(&self, w: &mut Writer, old: Val, new: Val, dtype: DType) -> Val {
        let signed = dtype.is_signed_int();
        let reduce = match (self.kind(), dtype.is_float()) {
            (ScatterKind::Replace, _) => return new,
            (ScatterKind::Add, _) if dtype == DType::Bool => Reduce::Or,
            (ScatterKind::Mul, _) if dtype == DType::Bool => Reduce::And,
            (ScatterKind::Add, _) => Reduce::Add,
            (ScatterKind::Mul, _) => Reduce::Mul,
            (ScatterKind::Max, true) => Reduce::Maximumf,
            (ScatterKind::Min, true) => Reduce::Minimumf,
            (ScatterKind::Max, false) if signed => Reduce::Maxsi,
            (ScatterKind::Max, false) => Reduce::Maxui,
            (ScatterKind::Min, false) if signed => Reduce::Minsi,
            (ScatterKind::Min, false) => Reduce::Minui,
        };
        crate::anchor::combine(w, reduce, old, new)
    }
}

impl Recipe for Scatter<'_> {
    fn tasks(&self) -> Dim {
        Dim::from(1)
    }

    fn template(&self) -> String {
        "scatter".into()
    }

    fn task(&self, cx: &Cx, w: &mut Writer, _task: Val, _scratch: Option<Val>) {
        self.copy(cx, w);
        let updates = self.node.inputs[2];
        let (out, dtype) = (cx.region.store.value, cx.ty(updates).dtype);
        let strides = row_major(&cx.ty(out).shape);
        let elements = cx.ty(updates).num_elements();
        // An empty operand has no place to write to, whatever the indices say.
        let room = cx.dim(w, &cx.ty(out).num_elements());
        let n_updates = cx.dim(w, &elements);
        let zero = w.i64(0);
        let has_room = w.cmpi(kernels::text::IntCmp::Sgt, room, zero);
        let has_updates = w.cmpi(kernels::text::IntCmp::Sgt, n_updates, zero);
        let both = w.andi(has_room, has_updates);
        w.if_then(both, |w| {
            self.each(cx, w, updates, &mut |w, s, idx| {
                let new = cx.value(w, s, updates, idx);
                let target = self.target(cx, w, s, idx);
                let at = cx.address(w, 1, &target, &strides);
                let old = cx.load_written(w, s, cx.ptrs[&out], dtype, at);
                let val = self.combined(w, old, new, dtype);
                cx.store_at(w, s, cx.ptrs[&out], dtype, at, val);
            });
        });
    }
}
