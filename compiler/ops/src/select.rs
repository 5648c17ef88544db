//! Choice by element.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Tensor, TensorType};

operator! {
    /// `result = condition ? a : b` for every element.
    ///
    /// # Constraints
    /// - (C1) `condition` is boolean; `a` and `b` have equal types; all three have equal shapes.
    "select" Select {}
}

impl OpSpec for Select {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [c, a, b] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes three operands"));
        };
        ensure!(
            c.dtype == DType::Bool && a == b && c.shape == a.shape,
            Self::NAME,
            "C1",
            "condition {c}, operands {a} and {b}"
        );
        Ok(vec![a.clone()])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
