//! Convolutions, element by element: what no template takes.

use crate::anchor::nest;
use crate::context::{Cx, Scope};
use crate::dot::multiply_add;
use crate::index::Idx;
use crate::reduce::finish;
use crate::types::lanes_of;
use graph::Node;
use kernels::text::{IntCmp, Val, Writer};
use ops::Conv;
use tensor::Dim;

impl Cx<'_> {
    pub(crate) fn conv(&self, w: &mut Writer, s: &mut Scope, node: &Node, op: &Conv, idx: &[Idx]) -> Val {
        let (x, filter) = (node.inputs[0], node.inputs[1]);
        let filter_shape = &self.ty(filter).shape;
        let elem = Self::accumulator(op.out);
        let per_group = filter_shape[1].clone();
        let extents: Vec<Val> = filter_shape[1..].iter().map(|d| self.dim(w, d)).collect();
        let group = self.group_start(w, s, op, &filter_shape[0], &per_group, idx[1]);
        let zero = w.zero(elem.into());
        let start = w.broadcast(zero, lanes_of(elem, Self::result_lanes(s, idx)));
        let sum = nest(w, &extents, &[start], &mut |w, ivs, sums| {
            let mut s = s.clone();
            let channel = group.offset(w, ivs[0]);
            let mut conditions = Vec::new();
            let mut at = vec![idx[0], channel];
            for axis in 0..op.strides.len() {
                at.push(self.tap(w, &s, node, op, axis, idx[axis + 2], ivs[axis + 1], &mut conditions));
            }
            let outside = self.zero_of(w, self.ty(x).dtype);
            let val = self.guarded(w, &mut s, &conditions, outside, |cx, w, s| cx.value(w, s, x, &at));
            let mut weight_at = vec![idx[1]];
            weight_at.extend(ivs.iter().map(|iv| Idx::Uniform(*iv)));
            let weight = self.value(w, &mut s, filter, &weight_at);
            let (val, weight) = (self.factor(w, val, x, elem), self.factor(w, weight, filter, elem));
            vec![multiply_add(w, val, weight, sums[0])]
        })[0];
        finish(w, sum, op.out)
    }

    /// The first input channel of the group that an output channel belongs to.
    fn group_start(&self, w: &mut Writer, s: &Scope, op: &Conv, filters: &Dim, per_group: &Dim, channel: Idx) -> Idx {
        if op.groups == 1 {
            return Idx::Uniform(w.i64(0));
        }
        let filters_per_group = self.dim(w, &filters.clone().floor_div(op.groups.into()));
        let per_group = self.dim(w, per_group);
        channel.map(w, s.lanes, [filters_per_group, per_group], |w, v, [filters, channels]| {
            let group = w.divsi(v, filters);
            w.muli(group, channels)
        })
    }

    /// The input index along a spatial axis of one element of the window, and the conditions under which it exists.
    #[allow(clippy::too_many_arguments, reason = "one place of one axis of one operator")]
    fn tap(
        &self,
        w: &mut Writer,
        s: &Scope,
        node: &Node,
        op: &Conv,
        axis: usize,
        out: Idx,
        k: Val,
        conditions: &mut Vec<Val>,
    ) -> Idx {
        let dim = &self.ty(node.inputs[0]).shape[axis + 2];
        let extent = self.dim(w, dim);
        let (stride, dilation) = (w.i64(op.strides[axis] as i64), w.i64(op.dilations[axis] as i64));
        let reach = w.muli(k, dilation);
        let low = self.dim(w, &op.pads_low[axis]);
        let shift = w.subi(reach, low);
        let at = out.scale(w, stride, s.lanes).offset(w, shift);
        if op.base_dilations[axis] > 1 {
            return self.spread_tap(w, s, op.base_dilations[axis] as i64, at, extent, conditions);
        }
        let unpadded = op.pads_low[axis] == Dim::from(0) && op.pads_high[axis] == Dim::from(0);
        if !unpadded {
            conditions.push(at.inside(w, s.lanes, extent));
        }
        at
    }

    /// The same for an input that is spread by zeros.
    fn spread_tap(&self, w: &mut Writer, s: &Scope, by: i64, at: Idx, extent: Val, conditions: &mut Vec<Val>) -> Idx {
        let by = w.i64(by);
        let rest = at.map(w, s.lanes, [by], |w, v, [by]| w.remsi(v, by)).val(w, s.lanes);
        let zero = w.zero(rest.ty);
        conditions.push(w.cmpi(IntCmp::Eq, rest, zero));
        let quotient = at.map(w, s.lanes, [by], |w, v, [by]| w.floordivsi(v, by));
        conditions.push(quotient.inside(w, s.lanes, extent));
        quotient
    }
}
