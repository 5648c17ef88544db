//! Contractions: sums of products over the loops that the operands share.

use super::form::{Form, Mapped, Result, Tens, loops};
use super::reduce::{accumulator, neutral};
use graph::Node;
use kernels::text::Val;
use ops::{Dot, ReduceKind};
use tensor::{DType, Dim};

/// The axes that are neither batch nor contracted.
fn free(rank: usize, batch: &[usize], contract: &[usize]) -> Vec<usize> {
    (0..rank).filter(|axis| !batch.contains(axis) && !contract.contains(axis)).collect()
}

impl Form<'_> {
    pub(super) fn dot(&mut self, node: &Node, op: &Dot) -> Result<Tens> {
        let (x, y) = (self.value(node.inputs[0]), self.value(node.inputs[1]));
        let shape = self.ty(node.outputs[0]).shape.clone();
        let left = free(x.rank(), &op.lhs_batch, &op.lhs_contract);
        let right = free(y.rank(), &op.rhs_batch, &op.rhs_contract);
        // Loops: those of the result, then the contracted ones.
        let rank = shape.len() + op.lhs_contract.len();
        let batches = op.lhs_batch.len();
        let position = |axis: usize, batch: &[usize], free: &[usize], contract: &[usize], first: usize| {
            let find = |list: &[usize], from: usize| list.iter().position(|a| *a == axis).map(|at| from + at);
            find(batch, 0).or_else(|| find(free, first)).or_else(|| find(contract, shape.len())).unwrap_or(0)
        };
        let x_map = (0..x.rank()).map(|a| position(a, &op.lhs_batch, &left, &op.lhs_contract, batches));
        let first = batches + left.len();
        let y_map = (0..y.rank()).map(|a| position(a, &op.rhs_batch, &right, &op.rhs_contract, first));
        let reduced: Vec<bool> = (0..rank).map(|d| d >= shape.len()).collect();
        let ins = [(&x, loops(rank, x_map)), (&y, loops(rank, y_map))];
        let types = [self.ty(node.inputs[0]).dtype, self.ty(node.inputs[1]).dtype];
        self.sum_of_products(&ins, types, op.out, &shape, loops(rank, 0..shape.len()), &reduced)
    }

    /// The sums of products of two operands, in the result's type.
    pub(super) fn sum_of_products(
        &mut self,
        ins: &[Mapped; 2],
        types: [DType; 2],
        out: DType,
        shape: &[Dim],
        out_map: String,
        reduced: &[bool],
    ) -> Result<Tens> {
        let acc = accumulator(out)?;
        let zero = neutral(&mut self.w, ReduceKind::Sum, out, acc);
        let start = self.filled(shape, zero)?;
        let sums = self.generic(ins, &[(&start, out_map)], reduced, |form, args| {
            let w = &mut form.w;
            let mut widen = |x: Val, from: DType| match out.is_float() {
                true => super::cast::float_to_float(w, x, acc),
                false => w.int_to_int(x, acc, from.is_signed_int()),
            };
            let (a, b) = (widen(args[0], types[0]), widen(args[1], types[1]));
            Ok(vec![match out.is_float() {
                true => {
                    let product = w.mulf(a, b);
                    w.addf(args[2], product)
                }
                false => {
                    let product = w.muli(a, b);
                    w.addi(args[2], product)
                }
            }])
        })?;
        self.converted(&sums[0], out)
    }
}
