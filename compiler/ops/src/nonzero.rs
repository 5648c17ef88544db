//! Where elements are not zero.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Dim, Tensor, TensorType};

operator! {
    /// The indices of all elements that are not zero, as `i64[rank, count]` in row-major order; `count` is a symbol that this operator defines.
    "nonzero" NonZero {
        /// The symbol that gets the number of such elements.
        count: String,
    }
}

impl OpSpec for NonZero {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes one operand"));
        };
        Ok(vec![TensorType {
            dtype: DType::I64,
            shape: vec![x.rank().into(), Dim::symbol(&self.count)],
        }])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
