//! The expression of a region: the elements of a value at an index.

use crate::cast::i64_as;
use crate::context::{Cx, Kept, Scope};
use crate::index::Idx;
use crate::types::{compute, lanes_of};
use graph::{Node, ValueId};
use kernels::text::{Ty, Val, Writer};
use ops::{Op, PadMode};
use tensor::Dim;

impl Cx<'_> {
    /// The elements of a value at an index, one for each lane; a scalar where all lanes have the same.
    pub(crate) fn value(&self, w: &mut Writer, s: &mut Scope, value: ValueId, idx: &[Idx]) -> Val {
        if let Some(val) = self.given.borrow().get(&value) {
            return *val;
        }
        let key = (value, idx.to_vec());
        if let Some(val) = s.memo.get(&key) {
            return *val;
        }
        let kept = self.kept.borrow().get(&value).copied();
        let val = match (kept, self.member(value)) {
            (Some(Kept { ptr, is_written: true }), _) => self.load_kept(w, s, ptr, value, idx),
            (_, None) => self.leaf(w, s, value, idx),
            (_, Some(node)) => self.node(w, s, node, idx),
        };
        if let Some(Kept { ptr, is_written: false }) = kept {
            self.store_kept(w, s, ptr, value, idx, val);
        }
        s.memo.insert(key, val);
        val
    }

    fn node(&self, w: &mut Writer, s: &mut Scope, node: &Node, idx: &[Idx]) -> Val {
        match &node.op {
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::Cast(_) | Op::Bitcast(_) => {
                let operands: Vec<Val> = node.inputs.iter().map(|v| self.value(w, s, *v, idx)).collect();
                self.elementwise(w, node, &operands)
            }
            Op::Transpose(op) => {
                let mut inner = idx.to_vec();
                op.perm.iter().zip(idx).for_each(|(axis, idx)| inner[*axis] = *idx);
                self.value(w, s, node.inputs[0], &inner)
            }
            Op::Broadcast(_) => self.broadcast(w, s, node, idx),
            Op::Reshape(_) => {
                let inner = self.unit_reshape(w, node, idx);
                self.value(w, s, node.inputs[0], &inner)
            }
            Op::Slice(op) => {
                let inner: Vec<Idx> = (0..idx.len())
                    .map(|axis| {
                        let (step, start) = (w.i64(op.steps[axis]), self.dim(w, &op.starts[axis]));
                        idx[axis].scale(w, step, s.lanes).offset(w, start)
                    })
                    .collect();
                self.value(w, s, node.inputs[0], &inner)
            }
            Op::Pad(op) => self.pad(w, s, node, op, idx),
            Op::Iota(op) => {
                let count = idx[op.axis].val(w, s.lanes);
                i64_as(w, count, op.dtype)
            }
            Op::Gather(op) => {
                let rank = self.ty(node.inputs[1]).rank();
                let index = self.value(w, s, node.inputs[1], &idx[op.axis..op.axis + rank]);
                let at = self.data_index(w, s, node, index, op.axis);
                let inner = [&idx[..op.axis], &[at], &idx[op.axis + rank..]].concat();
                self.value(w, s, node.inputs[0], &inner)
            }
            Op::GatherElements(op) => {
                let index = self.value(w, s, node.inputs[1], idx);
                let mut inner = idx.to_vec();
                inner[op.axis] = self.data_index(w, s, node, index, op.axis);
                self.value(w, s, node.inputs[0], &inner)
            }
            Op::GatherNd(op) => self.gather_nd(w, s, node, op.batch_dims, idx),
            Op::Reduce(_) | Op::ArgReduce(_) | Op::Dot(_) | Op::Conv(_) | Op::Pool(_) | Op::PoolArgMax(_) => {
                self.anchor_value(w, s, node, idx)
            }
            Op::Constant(_)
            | Op::Dims(_)
            | Op::Bind(_)
            | Op::Concat(_)
            | Op::ScatterElements(_)
            | Op::ScatterNd(_)
            | Op::Cumulative(_)
            | Op::TopK(_)
            | Op::NonZero(_)
            | Op::Unique(_)
            | Op::NonMaxSuppression(_)
            | Op::Random(_)
            | Op::If(_)
            | Op::Loop(_) => unreachable!("{} is never inside a kernel's expression", node.op.name()),
        }
    }

    /// An index that is read from memory.
    pub(crate) fn data_index(&self, w: &mut Writer, s: &Scope, node: &Node, index: Val, axis: usize) -> Idx {
        let extent = self.dim(w, &self.ty(node.inputs[0]).shape[axis]);
        let signed = self.ty(node.inputs[1]).dtype.is_signed_int();
        Idx::from_data(w, index, extent, signed, s.lanes)
    }

    fn gather_nd(&self, w: &mut Writer, s: &mut Scope, node: &Node, batch: usize, idx: &[Idx]) -> Val {
        let indices = self.ty(node.inputs[1]);
        let n_outer = indices.rank() - 1;
        let depth = indices.shape[n_outer].as_const().unwrap_or(0) as usize;
        let mut inner = idx[..batch].to_vec();
        for k in 0..depth {
            let mut at = idx[..n_outer].to_vec();
            at.push(Idx::Uniform(w.i64(k as i64)));
            let index = self.value(w, s, node.inputs[1], &at);
            inner.push(self.data_index(w, s, node, index, batch + k));
        }
        inner.extend_from_slice(&idx[n_outer..]);
        self.value(w, s, node.inputs[0], &inner)
    }

    fn broadcast(&self, w: &mut Writer, s: &mut Scope, node: &Node, idx: &[Idx]) -> Val {
        let operand = node.inputs[0];
        if self.groups.is_some() && !s.by_axes {
            return self.value(w, s, operand, idx);
        }
        let (from, to) = (&self.ty(operand).shape, &self.ty(node.outputs[0]).shape);
        let missing = to.len() - from.len();
        let inner: Vec<Idx> = from
            .iter()
            .enumerate()
            .map(|(axis, dim)| match (*dim == to[axis + missing], *dim == Dim::from(1)) {
                (true, _) => idx[axis + missing],
                (false, true) => Idx::Uniform(w.i64(0)),
                (false, false) => self.repeated_if_one(w, s.lanes, idx[axis + missing], dim),
            })
            .collect();
        self.value(w, s, operand, &inner)
    }

    /// Index 0 where the extent turns out to be 1.
    fn repeated_if_one(&self, w: &mut Writer, lanes: u32, idx: Idx, extent: &Dim) -> Idx {
        let (extent, one, zero) = (self.dim(w, extent), w.i64(1), w.i64(0));
        let repeats = w.cmpi(kernels::text::IntCmp::Eq, extent, one);
        idx.map(w, lanes, [zero], |w, v, [zero]| {
            let repeats = w.broadcast(repeats, v.ty.mask());
            w.select(repeats, zero, v)
        })
    }

    fn unit_reshape(&self, w: &mut Writer, node: &Node, idx: &[Idx]) -> Vec<Idx> {
        let one = Dim::from(1);
        let to = &self.ty(node.outputs[0]).shape;
        let mut walked = idx.iter().zip(to).filter(|(_, dim)| **dim != one).map(|(idx, _)| *idx);
        let zero = Idx::Uniform(w.i64(0));
        let from = &self.ty(node.inputs[0]).shape;
        from.iter().map(|dim| if *dim == one { zero } else { walked.next().unwrap_or(zero) }).collect()
    }

    fn pad(&self, w: &mut Writer, s: &mut Scope, node: &Node, op: &ops::Pad, idx: &[Idx]) -> Val {
        let shape = self.ty(node.inputs[0]).shape.clone();
        let mut inner = Vec::new();
        let mut conditions = Vec::new();
        for (axis, dim) in shape.iter().enumerate() {
            if op.low[axis] == Dim::from(0) && op.high[axis] == Dim::from(0) {
                inner.push(idx[axis]);
                continue;
            }
            let (low, extent) = (self.dim(w, &-op.low[axis].clone()), self.dim(w, dim));
            let at = idx[axis].offset(w, low);
            inner.push(match op.mode {
                PadMode::Constant => {
                    conditions.push(at.inside(w, s.lanes, extent));
                    at
                }
                PadMode::Edge => at.clamp(w, s.lanes, extent),
                PadMode::Reflect => reflected(w, s.lanes, at, extent),
                PadMode::Wrap => wrapped(w, s.lanes, at, extent),
            });
        }
        let otherwise = self.value(w, s, node.inputs[1], &[]);
        self.guarded(w, s, &conditions, otherwise, |cx, w, s| cx.value(w, s, node.inputs[0], &inner))
    }

    /// A value where all conditions hold, and another where one does not. Memory is read only where they hold.
    pub(crate) fn guarded(
        &self,
        w: &mut Writer,
        s: &mut Scope,
        conditions: &[Val],
        otherwise: Val,
        body: impl FnOnce(&Self, &mut Writer, &mut Scope) -> Val,
    ) -> Val {
        let all = |w: &mut Writer, vector: bool, init: Option<Val>| {
            conditions
                .iter()
                .filter(|c| c.ty.is_vector() == vector)
                .fold(init, |sum, c| Some(sum.map_or(*c, |sum| w.andi(sum, *c))))
        };
        let has_mask = conditions.iter().any(|c| c.ty.is_vector());
        let uniform = all(w, false, None);
        let mut inner = s.clone();
        if has_mask {
            inner.mask = all(w, true, s.mask);
        }
        let ty = lanes_of(otherwise.ty.elem(), s.lanes);
        let masked = |w: &mut Writer, inner: &mut Scope| {
            let val = body(self, w, inner);
            let val = w.broadcast(val, ty);
            match inner.mask.filter(|_| has_mask) {
                None => val,
                Some(mask) => {
                    let otherwise = w.broadcast(otherwise, ty);
                    w.select(mask, val, otherwise)
                }
            }
        };
        match uniform {
            None => masked(w, &mut inner),
            Some(condition) => {
                let no = |w: &mut Writer| vec![w.broadcast(otherwise, ty)];
                w.if_else(condition, &[ty], |w| vec![masked(w, &mut inner)], no)[0]
            }
        }
    }

    /// Brings values to one form: vectors if one of them is.
    pub(crate) fn lift(w: &mut Writer, values: &[Val]) -> Vec<Val> {
        let lanes = values.iter().map(|v| v.ty.lanes()).max().unwrap_or(1);
        values.iter().map(|v| w.broadcast(*v, lanes_of(v.ty.elem(), lanes))).collect()
    }

    /// A zero of an element type, as a scalar.
    pub(crate) fn zero_of(&self, w: &mut Writer, dtype: tensor::DType) -> Val {
        let ty: Ty = compute(dtype).into();
        w.zero(ty)
    }
}

/// `i` mirrored at both ends of `[0, extent - 1]`, for distances below the extent.
fn reflected(w: &mut Writer, lanes: u32, at: Idx, extent: Val) -> Idx {
    let one = w.i64(1);
    let last = w.subi(extent, one);
    let mirrored = at.map(w, lanes, [last], |w, v, [last]| {
        let v = w.absi(v);
        let beyond = w.subi(last, v);
        let beyond = w.absi(beyond);
        w.subi(last, beyond)
    });
    mirrored.clamp(w, lanes, extent)
}

/// `i` modulo the extent.
fn wrapped(w: &mut Writer, lanes: u32, at: Idx, extent: Val) -> Idx {
    let turned = at.map(w, lanes, [extent], |w, v, [extent]| {
        let v = w.remsi(v, extent);
        let v = w.addi(v, extent);
        w.remsi(v, extent)
    });
    turned.clamp(w, lanes, extent)
}
