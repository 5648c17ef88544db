//! Contractions, element by element: what the tiled template does not take.

use crate::anchor::{RowReduction, nest};
use crate::context::{Cx, Scope};
use crate::index::Idx;
use crate::reduce::finish;
use crate::types::lanes_of;
use graph::{Node, ValueId};
use kernels::text::{Reduce, Scalar, Val, Writer};
use ops::Dot;
use schedule::strided;
use tensor::Dim;

impl Cx<'_> {
    pub(crate) fn dot(&self, w: &mut Writer, s: &mut Scope, node: &Node, op: &Dot, idx: &[Idx]) -> Val {
        let elem = Self::accumulator(op.out);
        let (x, y) = (node.inputs[0], node.inputs[1]);
        let extents: Vec<Val> = op.lhs_contract.iter().map(|axis| self.dim(w, &self.ty(x).shape[*axis])).collect();
        let (n_batch, n_left) = (op.lhs_batch.len(), self.ty(x).rank() - op.lhs_batch.len() - op.lhs_contract.len());
        let batch = &idx[..n_batch];
        let (left, right) = idx[n_batch..].split_at(n_left);
        let multiply = |w: &mut Writer, s: &mut Scope, ivs: &[Idx], sum: Val| {
            let a = operand_index(self.ty(x).rank(), &op.lhs_batch, batch, &op.lhs_contract, ivs, left);
            let b = operand_index(self.ty(y).rank(), &op.rhs_batch, batch, &op.rhs_contract, ivs, right);
            let (a, b) = (self.value(w, s, x, &a), self.value(w, s, y, &b));
            let (a, b) = (self.factor(w, a, x, elem), self.factor(w, b, y, elem));
            multiply_add(w, a, b, sum)
        };
        let zero = w.zero(elem.into());
        let sum = match extents.split_last() {
            Some((inner, outer)) if Self::result_lanes(s, idx) == 1 && self.dots_rows(node, op) => {
                let lanes = self.wide();
                let row = RowReduction { wide: lanes, lanes, outer, inner: *inner, identity: zero, kind: Reduce::Add };
                row.run(w, s, &mut |w, s, ivs, last, sum| {
                    let ivs: Vec<Idx> = ivs.iter().map(|iv| Idx::Uniform(*iv)).chain([last]).collect();
                    multiply(w, s, &ivs, sum)
                })
            }
            _ => {
                let start = w.broadcast(zero, lanes_of(elem, Self::result_lanes(s, idx)));
                nest(w, &extents, &[start], &mut |w, ivs, sums| {
                    let ivs: Vec<Idx> = ivs.iter().map(|iv| Idx::Uniform(*iv)).collect();
                    vec![multiply(w, &mut s.clone(), &ivs, sums[0])]
                })[0]
            }
        };
        finish(w, sum, op.out)
    }

    /// Whether both operands are walked along memory by the last contracted axis.
    pub(crate) fn dots_rows(&self, node: &Node, op: &Dot) -> bool {
        let walks = |value: ValueId, axes: &[usize]| {
            let view = strided(self.graph, self.producers, value, &|idx| self.is_member(idx));
            axes.last().is_some_and(|axis| view.is_some_and(|view| view.strides[*axis] == Dim::from(1)))
        };
        self.wide() > 1 && walks(node.inputs[0], &op.lhs_contract) && walks(node.inputs[1], &op.rhs_contract)
    }

    /// An operand's element in the accumulator's type.
    pub(crate) fn factor(&self, w: &mut Writer, val: Val, of: ValueId, elem: Scalar) -> Val {
        let dtype = self.ty(of).dtype;
        match (dtype.is_float(), elem.is_float()) {
            (true, true) => w.float_to_float(val, elem),
            (false, false) => w.int_to_int(val, elem, dtype.is_signed_int()),
            _ => val,
        }
    }
}

/// `a * b + sum`, rounded once for floats.
pub(crate) fn multiply_add(w: &mut Writer, a: Val, b: Val, sum: Val) -> Val {
    let (a, b) = (w.broadcast(a, sum.ty), w.broadcast(b, sum.ty));
    if sum.ty.elem().is_float() {
        w.fma(a, b, sum)
    } else {
        let product = w.muli(a, b);
        w.addi(sum, product)
    }
}

/// The index into an operand from those of the batch, contracted and free axes.
fn operand_index(
    rank: usize,
    batch_axes: &[usize],
    batch: &[Idx],
    contract_axes: &[usize],
    contract: &[Idx],
    free: &[Idx],
) -> Vec<Idx> {
    let mut free = free.iter();
    let find = |axes: &[usize], axis: usize| axes.iter().position(|a| *a == axis);
    (0..rank)
        .filter_map(|axis| match (find(batch_axes, axis), find(contract_axes, axis)) {
            (Some(at), _) => Some(batch[at]),
            (_, Some(at)) => Some(contract[at]),
            _ => free.next().copied(),
        })
        .collect()
}
