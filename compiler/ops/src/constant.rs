//! Constant tensors.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::result_types;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Tensor, TensorType};

operator! {
    /// A constant: no operands, one result with the given content.
    ///
    /// # Constraints
    /// - (C1) There is no operand.
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

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        result_types(self, inputs)?;
        Ok(vec![self.value.0.clone()])
    }
}
