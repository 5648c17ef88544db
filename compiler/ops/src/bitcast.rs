//! The same bits read as another element type.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::{from_bytes, result_shape};
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Tensor, TensorType};

operator! {
    /// `result[i]` has the bits of `x[i]`, read as another element type.
    ///
    /// # Constraints
    /// - (C1) There is one operand, whose elements have as many bits as those of the result; neither are truth values.
    "bitcast" Bitcast {
        /// Element type of the result.
        to: DType,
    }
}

impl OpSpec for Bitcast {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes one operand"));
        };
        let fits = x.dtype.bits() == self.to.bits() && x.dtype != DType::Bool && self.to != DType::Bool;
        ensure!(fits, Self::NAME, "C1", "the bits of {x} as {}", self.to);
        Ok(vec![TensorType { dtype: self.to, shape: x.shape.clone() }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let x = &inputs[0];
        let signs = self.to.is_signed_int() && self.to.bits() < 8;
        if !signs && (self.to.bits() == 8 || x.dtype().bits() >= 8) {
            return Ok(vec![from_bytes(self.to, shape, x.bytes().to_vec())]);
        }
        // Values of less than a byte stand in one each, signed ones with their sign in the bits above.
        let bits = self.to.bits();
        let code = |byte: u8| {
            let code = byte & ((1 << bits) - 1);
            if signs && code >> (bits - 1) != 0 { code | (0xff << bits) } else { code }
        };
        Ok(vec![from_bytes(self.to, shape, x.bytes().iter().map(|byte| code(*byte)).collect())])
    }
}
