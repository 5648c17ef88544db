//! The largest or smallest elements.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Dim, Tensor, TensorType};

operator! {
    /// The `k` largest (or smallest) elements along an axis, with their indices as `i64`, best first.
    ///
    /// Of equal elements the one with the lower index comes first. Results are sorted whether or not the model asks for it.
    ///
    /// # Constraints
    /// - (C1) `axis` is an axis of the operand, and `k` is at most its size (where symbols hide it, checked at run time).
    "topk" TopK {
        /// The axis along which elements compete.
        axis: usize,
        /// How many are kept.
        k: Dim,
        /// Largest, or else smallest.
        largest: bool,
    }
}

impl OpSpec for TopK {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes one operand"));
        };
        ensure!(
            self.axis < x.rank(),
            Self::NAME,
            "C1",
            "axis {} of {x}",
            self.axis
        );
        let enough = (x.shape[self.axis].clone() - self.k.clone())
            .as_const()
            .is_none_or(|d| d >= 0);
        ensure!(
            enough,
            Self::NAME,
            "C1",
            "{} elements of {x} along axis {}",
            self.k,
            self.axis
        );
        let mut values = x.clone();
        values.shape[self.axis] = self.k.clone();
        let indices = TensorType {
            dtype: DType::I64,
            shape: values.shape.clone(),
        };
        Ok(vec![values, indices])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
