//! Repetition along axes.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::{offsets, pick, result_shape, steps, strides};
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Dim, Tensor, TensorType};

operator! {
    /// The operand repeated to a larger shape by NumPy's rule: shapes are aligned at their last axes, and axes of size 1 repeat.
    ///
    /// # Constraints
    /// - (C1) The result's rank is at least the operand's.
    /// - (C2) Each aligned axis of the operand is 1 or equals the result's; where symbols hide it, this is checked at run time.
    "broadcast" Broadcast {
        /// Shape of the result.
        shape: Vec<Dim>,
    }
}

impl OpSpec for Broadcast {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes one operand"));
        };
        ensure!(x.rank() <= self.shape.len(), Self::NAME, "C1", "{x} has more axes than {:?}", self.shape);
        let aligned = &self.shape[self.shape.len() - x.rank()..];
        for (from, to) in x.shape.iter().zip(aligned) {
            let fits = *from == Dim::from(1) || (from.clone() - to.clone()).as_const().is_none_or(|d| d == 0);
            ensure!(fits, Self::NAME, "C2", "{x} does not broadcast to {:?}", self.shape);
        }
        Ok(vec![TensorType { dtype: x.dtype, shape: self.shape.clone() }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let x = &inputs[0];
        let strides = strides(x.shape());
        let n_new = shape.len() - x.rank();
        let tables: Vec<_> = shape
            .iter()
            .enumerate()
            .map(|(axis, size)| match axis.checked_sub(n_new) {
                Some(from) if x.shape()[from] != 1 => steps(*size, strides[from]),
                _ => steps(*size, 0),
            })
            .collect();
        Ok(vec![pick(x, shape, &offsets(&tables))])
    }
}
