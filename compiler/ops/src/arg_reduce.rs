//! Where the largest or smallest element is.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Tensor, TensorType};

crate::attr::words! {
    /// Which extreme is looked for.
    ArgKind {
        /// The largest element.
        Max = "max",
        /// The smallest element.
        Min = "min",
    }
}

operator! {
    /// The index of the extreme element along an axis, as `i64`; the axis vanishes.
    ///
    /// Of several equal ones the first counts, or the last with `last`. NaN counts as extreme, as in NumPy.
    ///
    /// # Constraints
    /// - (C1) `axis` is an axis of the operand.
    "arg-reduce" ArgReduce {
        /// Largest or smallest.
        kind: ArgKind,
        /// The axis that vanishes.
        axis: usize,
        /// Whether the last of several equal elements counts.
        last: bool,
    }
}

impl OpSpec for ArgReduce {
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
        let mut shape = x.shape.clone();
        shape.remove(self.axis);
        Ok(vec![TensorType {
            dtype: DType::I64,
            shape,
        }])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
