//! General contraction.

use crate::attr::operator;
use crate::error::ensure;
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
    /// Integers are widened to `out` before they are multiplied; floats of 16 bits accumulate in `f32` and round once.
    ///
    /// # Constraints
    /// - (C1) Paired axes are equal in number and size (where symbols hide it, checked at run time), distinct, and inside their operand.
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
                && a.iter().zip(b).all(|(i, j)| {
                    *i < x.rank() && *j < y.rank() && fits(&x.shape[*i], &y.shape[*j])
                })
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
        let batch = self.lhs_batch.iter().map(|axis| x.shape[*axis].clone());
        let left = free_axes(x.rank(), &self.lhs_batch, &self.lhs_contract)
            .map(|axis| x.shape[axis].clone());
        let right = free_axes(y.rank(), &self.rhs_batch, &self.rhs_contract)
            .map(|axis| y.shape[axis].clone());
        Ok(vec![TensorType {
            dtype: self.out,
            shape: batch.chain(left).chain(right).collect(),
        }])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
