//! Whole slices by index.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Tensor, TensorType};

operator! {
    /// `result[a.., i.., b..] = x[a.., indices[i..], b..]`, where `a` are the axes before `axis` and `b` those after it.
    /// Negative indices count from the end.
    ///
    /// # Constraints
    /// - (C1) `axis` is an axis of the first operand; the second has an integer type.
    "gather" Gather {
        /// The axis that the indices select from.
        axis: usize,
    }
}

impl OpSpec for Gather {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x, indices] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes two operands"));
        };
        ensure!(
            self.axis < x.rank() && indices.dtype.is_int(),
            Self::NAME,
            "C1",
            "axis {} of {x} by {indices}",
            self.axis
        );
        let shape = [
            &x.shape[..self.axis],
            &indices.shape,
            &x.shape[self.axis + 1..],
        ]
        .concat();
        Ok(vec![TensorType {
            dtype: x.dtype,
            shape,
        }])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
