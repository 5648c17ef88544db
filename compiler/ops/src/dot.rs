//! General contraction.

use crate::attr::operator;
use crate::contract::{Accumulator, Source, matrix_product, types_contract};
use crate::error::ensure;
use crate::eval_util::{offsets, result_shape, steps, strides};
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Dim, Tensor, TensorType};

/// Whether two dimensions may be equal.
fn fits(a: &Dim, b: &Dim) -> bool {
    (a.clone() - b.clone()).as_const().is_none_or(|d| d == 0)
}

/// The axes that are neither batch nor contracted, ascending.
pub(crate) fn free_axes<'a>(
    rank: usize,
    batch: &'a [usize],
    contract: &'a [usize],
) -> impl Iterator<Item = usize> + 'a {
    (0..rank).filter(|axis| !batch.contains(axis) && !contract.contains(axis))
}

operator! {
    /// Sum of products over contracted axes, for each index of the batch axes and the free axes of both operands.
    ///
    /// The result's axes are the batch axes, then the free axes of the left operand, then those of the right, each in their operand's order.
    /// Integers are widened to `out` before they are multiplied; floats of 16 bits accumulate in `f32` or wider and round once.
    ///
    /// # Constraints
    /// - (C1) Paired axes are equal in number and size (where symbols hide it, checked at run time), distinct, and inside their operand.
    /// - (C2) Operands and result are all integers, or all floats; a result of floats has at least 16 bits.
    "dot" Dot {
        /// Batch axes of the left operand.
        lhs_batch: Vec<usize>,
        /// Batch axes of the right operand, pairwise with those of the left.
        rhs_batch: Vec<usize>,
        /// Contracted axes of the left operand.
        lhs_contract: Vec<usize>,
        /// Contracted axes of the right operand, pairwise with those of the left.
        rhs_contract: Vec<usize>,
        /// Element type of the result.
        out: DType,
    }
}

impl OpSpec for Dot {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x, y] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes two operands"));
        };
        let pairs = |a: &[usize], b: &[usize]| {
            a.len() == b.len()
                && a.iter().zip(b).all(|(i, j)| *i < x.rank() && *j < y.rank() && fits(&x.shape[*i], &y.shape[*j]))
        };
        let distinct = |a: &[usize], b: &[usize]| {
            let mut all = [a, b].concat();
            all.sort_unstable();
            all.is_sorted_by(|i, j| i < j)
        };
        let valid = pairs(&self.lhs_batch, &self.rhs_batch)
            && pairs(&self.lhs_contract, &self.rhs_contract)
            && distinct(&self.lhs_batch, &self.lhs_contract)
            && distinct(&self.rhs_batch, &self.rhs_contract);
        ensure!(valid, Self::NAME, "C1", "{x} and {y} with {self:?}");
        ensure!(types_contract(x.dtype, y.dtype, self.out), Self::NAME, "C2", "{x} and {y} into {}", self.out);
        let batch = self.lhs_batch.iter().map(|axis| x.shape[*axis].clone());
        let left = free_axes(x.rank(), &self.lhs_batch, &self.lhs_contract).map(|axis| x.shape[axis].clone());
        let right = free_axes(y.rank(), &self.rhs_batch, &self.rhs_contract).map(|axis| y.shape[axis].clone());
        Ok(vec![TensorType { dtype: self.out, shape: batch.chain(left).chain(right).collect() }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        Ok(vec![if self.out.is_float() {
            contract::<f64>(self, inputs, shape)
        } else {
            contract::<i64>(self, inputs, shape)
        }])
    }
}

fn contract<T: Accumulator>(op: &Dot, inputs: &[Tensor], shape: Vec<usize>) -> Tensor {
    let [x, y] = [&inputs[0], &inputs[1]];
    let at = |t: &Tensor, axes: &[usize]| {
        let strides = strides(t.shape());
        let table = |axis: &usize| steps(t.shape()[*axis], strides[*axis]);
        offsets(&axes.iter().map(table).collect::<Vec<_>>())
    };
    let free = |t: &Tensor, batch: &[usize], contract: &[usize]| {
        at(t, &free_axes(t.rank(), batch, contract).collect::<Vec<_>>())
    };
    let rows = free(x, &op.lhs_batch, &op.lhs_contract);
    let columns = free(y, &op.rhs_batch, &op.rhs_contract);
    let (left_inner, right_inner) = (at(x, &op.lhs_contract), at(y, &op.rhs_contract));
    let (left, right) = (Source::new(x), Source::new(y));
    let mut results = vec![T::ZERO; shape.iter().product()];
    let batches = at(x, &op.lhs_batch).into_iter().zip(at(y, &op.rhs_batch));
    for (batch, (left_start, right_start)) in batches.enumerate() {
        let results = &mut results[batch * rows.len() * columns.len()..];
        matrix_product(
            (rows.len(), left_inner.len(), columns.len()),
            |i, k| T::read(&left, left_start + rows[i] + left_inner[k]),
            |k, j| T::read(&right, right_start + right_inner[k] + columns[j]),
            |i, j, sum| results[i * columns.len() + j] = sum,
        );
    }
    Tensor::build(op.out, shape, |at| results[at].scalar())
}
