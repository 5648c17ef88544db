//! Reductions.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Tensor, TensorType};

crate::attr::words! {
    /// How a reduction combines elements.
    ReduceKind {
        /// Sum.
        Sum = "sum",
        /// Product.
        Prod = "prod",
        /// Maximum.
        Max = "max",
        /// Minimum.
        Min = "min",
    }
}

operator! {
    /// All elements along some axes combined into one; those axes vanish.
    ///
    /// Of no elements, a sum is 0, a product 1, a maximum the lowest value of the type (negative infinity), a minimum the highest.
    /// A maximum or minimum is NaN if an element is. Floats of 16 bits accumulate in `f32`.
    ///
    /// # Constraints
    /// - (C1) `axes` are distinct axes of the operand, in ascending order.
    "reduce" Reduce {
        /// How elements are combined.
        kind: ReduceKind,
        /// The axes that vanish, ascending.
        axes: Vec<usize>,
    }
}

impl OpSpec for Reduce {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes one operand"));
        };
        let ascending = self.axes.is_sorted_by(|a, b| a < b)
            && self.axes.last().is_none_or(|axis| *axis < x.rank());
        ensure!(ascending, Self::NAME, "C1", "axes {:?} of {x}", self.axes);
        let kept = x
            .shape
            .iter()
            .enumerate()
            .filter(|(axis, _)| !self.axes.contains(axis));
        Ok(vec![TensorType {
            dtype: x.dtype,
            shape: kept.map(|(_, dim)| dim.clone()).collect(),
        }])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
