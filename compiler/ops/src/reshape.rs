//! The same elements under another shape.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::result_shape;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Dim, Tensor, TensorType};

operator! {
    /// The operand's elements in row-major order under another shape.
    ///
    /// # Constraints
    /// - (C1) Both shapes have the same number of elements; where symbols hide it, this is checked at run time.
    "reshape" Reshape {
        /// Shape of the result.
        shape: Vec<Dim>,
    }
}

impl OpSpec for Reshape {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes one operand"));
        };
        let result = TensorType { dtype: x.dtype, shape: self.shape.clone() };
        let difference = (x.num_elements() - result.num_elements()).as_const();
        ensure!(
            matches!(difference, None | Some(0)),
            Self::NAME,
            "C1",
            "{x} does not have as many elements as {result}"
        );
        Ok(vec![result])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        inputs[0].reshaped(shape).map(|y| vec![y]).map_err(|error| EvalError::new(Self::NAME, error.to_string()))
    }
}
