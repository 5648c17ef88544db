//! Conversion of element types.

use crate::attr::operator;
use crate::eval_util::{from_bytes, result_shape};
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Tensor, TensorType};

operator! {
    /// Every element converted to another type, as ONNX's `Cast` does.
    ///
    /// Floats become integers by truncation, where values outside 64 bits saturate and then wrap, and NaN is 0; integers wrap;
    /// anything non-zero, also NaN, becomes `true`; floats round to nearest even.
    /// For floats of at most eight bits `saturate` makes too large values the largest finite value, otherwise they become infinity or NaN.
    /// `f8e8m0` holds the nearest power of two.
    ///
    /// # Constraints
    /// - (C1) There is one operand.
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
        Ok(vec![TensorType { dtype: self.to, shape: x.shape.clone() }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let x = &inputs[0];
        if x.dtype() == self.to {
            return Ok(vec![x.clone()]);
        }
        if self.to.is_tiny_float() {
            let codes = x.iter().map(|v| v.to_tiny(self.to, self.saturate));
            return Ok(vec![from_bytes(self.to, shape, codes.collect())]);
        }
        Ok(vec![Tensor::build(self.to, shape, |at| x.get(at))])
    }
}
