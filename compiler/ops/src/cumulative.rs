//! Running sums and products.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Tensor, TensorType};

crate::attr::words! {
    /// How a running combination works.
    CumKind {
        /// Sum.
        Sum = "sum",
        /// Product.
        Prod = "prod",
    }
}

operator! {
    /// `result[.., i, ..]` combines `x[.., 0..=i, ..]` along `axis` (`0..i` when `exclusive`); from the other end when `reverse`.
    ///
    /// # Constraints
    /// - (C1) `axis` is an axis of the operand.
    "cumulative" Cumulative {
        /// How elements are combined.
        kind: CumKind,
        /// The axis along which they run.
        axis: usize,
        /// Whether an element's own value is left out.
        exclusive: bool,
        /// Whether it runs from the last element to the first.
        reverse: bool,
    }
}

impl OpSpec for Cumulative {
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
        Ok(vec![x.clone()])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
