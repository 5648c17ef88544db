//! Single elements by index along an axis.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Tensor, TensorType};

operator! {
    /// `result[.., i, ..] = x[.., indices[.., i, ..], ..]` along `axis`. Negative indices count from the end.
    ///
    /// # Constraints
    /// - (C1) Both operands have the same rank, `axis` is an axis, and the indices have an integer type.
    "gather-elements" GatherElements {
        /// The axis that the indices select from.
        axis: usize,
    }
}

impl OpSpec for GatherElements {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x, indices] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes two operands"));
        };
        let fits = x.rank() == indices.rank() && self.axis < x.rank() && indices.dtype.is_int();
        ensure!(
            fits,
            Self::NAME,
            "C1",
            "axis {} of {x} by {indices}",
            self.axis
        );
        Ok(vec![TensorType {
            dtype: x.dtype,
            shape: indices.shape.clone(),
        }])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
