//! Permutation of axes.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::{offsets, pick, result_shape, steps, strides};
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Tensor, TensorType};

operator! {
    /// `result[i_perm[0], i_perm[1], ..] = x[i_0, i_1, ..]`: axis `k` of the result is axis `perm[k]` of the operand.
    ///
    /// # Constraints
    /// - (C1) `perm` is a permutation of the operand's axes.
    "transpose" Transpose {
        /// For each axis of the result, the axis of the operand.
        perm: Vec<usize>,
    }
}

impl OpSpec for Transpose {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes one operand"));
        };
        let mut sorted = self.perm.clone();
        sorted.sort_unstable();
        ensure!(
            sorted.into_iter().eq(0..x.rank()),
            Self::NAME,
            "C1",
            "{:?} is not a permutation of the axes of {x}",
            self.perm
        );
        Ok(vec![TensorType { dtype: x.dtype, shape: self.perm.iter().map(|axis| x.shape[*axis].clone()).collect() }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let x = &inputs[0];
        let strides = strides(x.shape());
        let tables: Vec<_> = self.perm.iter().map(|axis| steps(x.shape()[*axis], strides[*axis])).collect();
        Ok(vec![pick(x, shape, &offsets(&tables))])
    }
}
