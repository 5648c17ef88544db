//! Dimension expressions as a tensor.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Dim, Tensor, TensorType};

operator! {
    /// The values of dimension expressions as an `i64[n]` tensor: how shape arithmetic becomes data.
    "dims" Dims {
        /// One expression for each element.
        values: Vec<Dim>,
    }
}

impl OpSpec for Dims {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        ensure!(inputs.is_empty(), Self::NAME, "C1", "takes no operand");
        Ok(vec![TensorType::new(DType::I64, [self.values.len()])])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
