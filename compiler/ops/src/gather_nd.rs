//! Slices by index tuples.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Tensor, TensorType};

operator! {
    /// `result[b.., i.., s..] = x[b.., indices[b.., i.., 0], indices[b.., i.., 1], .., s..]` where `b` are `batch_dims` leading axes.
    /// Negative indices count from the end.
    ///
    /// # Constraints
    /// - (C1) The last axis of the indices is a known number, at most the operand's rank less `batch_dims`; the indices have an integer type and more than `batch_dims` axes.
    "gather-nd" GatherNd {
        /// How many leading axes both operands share.
        batch_dims: usize,
    }
}

impl OpSpec for GatherNd {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x, indices] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes two operands"));
        };
        let depth = indices
            .shape
            .last()
            .and_then(|d| d.as_const())
            .and_then(|d| usize::try_from(d).ok());
        let Some(depth) = depth.filter(|d| {
            self.batch_dims < indices.rank()
                && self.batch_dims + d <= x.rank()
                && indices.dtype.is_int()
        }) else {
            return Err(TypeError::new(
                Self::NAME,
                "C1",
                format!("{x} by {indices} with {} batch axes", self.batch_dims),
            ));
        };
        ensure!(depth <= x.rank(), Self::NAME, "C1", "{x} by {indices}");
        let shape = [
            &indices.shape[..indices.rank() - 1],
            &x.shape[self.batch_dims + depth..],
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
