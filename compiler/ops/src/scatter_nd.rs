//! Slices written by index tuples.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Tensor, TensorType};

crate::attr::words! {
    /// How an update is combined with the element that it meets.
    ScatterKind {
        /// The update replaces the element.
        Replace = "replace",
        /// Sum.
        Add = "add",
        /// Product.
        Mul = "mul",
        /// The larger, or NaN if either is.
        Max = "max",
        /// The smaller, or NaN if either is.
        Min = "min",
    }
}

operator! {
    /// A copy of `x` in which `result[indices[i.., 0], indices[i.., 1], .., s..]` is combined with `updates[i.., s..]`.
    /// Negative indices count from the end; updates are applied in row-major order.
    ///
    /// # Constraints
    /// - (C1) The last axis of the indices is a known number, at most the operand's rank; indices have an integer type; updates have the operand's element type and fitting rank.
    "scatter-nd" ScatterNd {
        /// How an update is combined with what is there.
        kind: ScatterKind,
    }
}

impl OpSpec for ScatterNd {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x, indices, updates] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes three operands"));
        };
        let depth = indices
            .shape
            .last()
            .and_then(|d| d.as_const())
            .and_then(|d| usize::try_from(d).ok());
        let rank = depth
            .filter(|d| *d <= x.rank())
            .map(|d| indices.rank() - 1 + x.rank() - d);
        let fits =
            rank == Some(updates.rank()) && indices.dtype.is_int() && updates.dtype == x.dtype;
        ensure!(fits, Self::NAME, "C1", "{x} by {indices} with {updates}");
        Ok(vec![x.clone()])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
