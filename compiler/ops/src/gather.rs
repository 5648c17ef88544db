//! Whole slices by index.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::{offsets, pick, result_shape, split_at_axis, steps, wrap_indices};
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
        let shape = [&x.shape[..self.axis], &indices.shape, &x.shape[self.axis + 1..]].concat();
        Ok(vec![TensorType { dtype: x.dtype, shape }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let (x, indices) = (&inputs[0], &inputs[1]);
        let (outer, size, inner) = split_at_axis(x.shape(), self.axis);
        let table = wrap_indices(Self::NAME, indices, self.axis, &[size])?.into_iter().map(|i| i * inner).collect();
        let sources = offsets(&[steps(outer, size * inner), table, steps(inner, 1)]);
        Ok(vec![pick(x, shape, &sources)])
    }
}
