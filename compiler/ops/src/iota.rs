//! Counting along an axis.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Dim, Tensor, TensorType};

operator! {
    /// `result[.., i, ..] = i` along `axis`.
    ///
    /// # Constraints
    /// - (C1) `axis` is an axis of `shape`.
    "iota" Iota {
        /// Element type of the result.
        dtype: DType,
        /// Shape of the result.
        shape: Vec<Dim>,
        /// The axis along which the values count.
        axis: usize,
    }
}

impl OpSpec for Iota {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        ensure!(
            inputs.is_empty() && self.axis < self.shape.len(),
            Self::NAME,
            "C1",
            "axis {} of shape {:?}",
            self.axis,
            self.shape
        );
        Ok(vec![TensorType {
            dtype: self.dtype,
            shape: self.shape.clone(),
        }])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
