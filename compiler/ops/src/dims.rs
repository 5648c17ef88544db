//! Dimension expressions as a tensor.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::result_types;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Dim, Tensor, TensorType};

operator! {
    /// The values of dimension expressions as an `i64[n]` tensor: how shape arithmetic becomes data.
    ///
    /// # Constraints
    /// - (C1) There is no operand.
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

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        result_types(self, inputs)?;
        let values: Option<Vec<i64>> = self.values.iter().map(Dim::as_const).collect();
        let values =
            values.ok_or_else(|| EvalError::new(Self::NAME, format!("{:?} has unknown symbols", self.values)))?;
        Ok(vec![Tensor::from_vec(vec![values.len()], values)])
    }
}
