//! Single elements written by index along an axis.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, ScatterKind, TypeError};
use tensor::{Tensor, TensorType};

operator! {
    /// A copy of `x` in which `result[.., indices[.., i, ..], ..]` is combined with `updates[.., i, ..]` along `axis`.
    /// Negative indices count from the end; updates are applied in row-major order.
    ///
    /// # Constraints
    /// - (C1) All operands have the same rank, `axis` is an axis, indices have an integer type, updates have the indices' shape and the operand's element type.
    "scatter-elements" ScatterElements {
        /// The axis that the indices select from.
        axis: usize,
        /// How an update is combined with what is there.
        kind: ScatterKind,
    }
}

impl OpSpec for ScatterElements {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x, indices, updates] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes three operands"));
        };
        let ranks =
            x.rank() == indices.rank() && x.rank() == updates.rank() && self.axis < x.rank();
        ensure!(
            ranks && indices.dtype.is_int() && updates.dtype == x.dtype,
            Self::NAME,
            "C1",
            "{x} by {indices} with {updates}"
        );
        Ok(vec![x.clone()])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
