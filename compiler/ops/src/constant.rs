//! Constant tensors.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Tensor, TensorType};

operator! {
    /// A constant: no operands, one result with the given content.
    "constant" Constant {
        /// The content.
        value: crate::Const,
    }
}

impl OpSpec for Constant {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        ensure!(inputs.is_empty(), Self::NAME, "C1", "takes no operand");
        Ok(vec![self.value.0.ty()])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
