//! Conversion of element types.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Tensor, TensorType};

operator! {
    /// Every element converted to another type, as ONNX's `Cast` does.
    ///
    /// Floats become integers by truncation; integers wrap; anything non-zero becomes `true`; floats round to nearest even.
    /// For floats of at most eight bits `saturate` makes too large values the largest finite value, otherwise they become infinity or NaN.
    /// `round_up` and `round_down` choose the direction for `f8e8m0`; without either it rounds to nearest.
    "cast" Cast {
        /// Element type of the result.
        to: DType,
        /// Whether too large values saturate in formats of at most eight bits.
        saturate: bool,
    }
}

impl OpSpec for Cast {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes one operand"));
        };
        Ok(vec![TensorType {
            dtype: self.to,
            shape: x.shape.clone(),
        }])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
