//! Counting along an axis.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::{result_shape, split_at_axis};
use crate::{BinaryKind, EvalError, OpSpec, TypeError};
use tensor::{DType, Dim, Scalar, Tensor, TensorType};

operator! {
    /// `result[.., i, ..] = i` along `axis`.
    ///
    /// # Constraints
    /// - (C1) `axis` is an axis of `shape`, and there is no operand.
    /// - (C2) The element type is an integer or a float of at least 16 bits.
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
        ensure!(BinaryKind::Add.accepts(self.dtype), Self::NAME, "C2", "does not count in {}", self.dtype);
        Ok(vec![TensorType { dtype: self.dtype, shape: self.shape.clone() }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let (_, size, inner) = split_at_axis(&shape, self.axis);
        Ok(vec![Tensor::build(self.dtype, shape, |at| Scalar::Int((at / inner % size) as i128))])
    }
}
