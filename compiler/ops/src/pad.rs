//! Padding at the borders.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Dim, Tensor, TensorType};

crate::attr::words! {
    /// Where padding takes its elements from.
    PadMode {
        /// The scalar operand.
        Constant = "constant",
        /// Mirrored at the border, which is not repeated.
        Reflect = "reflect",
        /// The border element.
        Edge = "edge",
        /// The other end, as if the axis were a ring.
        Wrap = "wrap",
    }
}

operator! {
    /// The operand with elements added before and after each axis.
    ///
    /// Operands: the tensor and a scalar, the value that `constant` mode adds.
    ///
    /// # Constraints
    /// - (C1) `low` and `high` have one non-negative entry for each axis, and the value is a scalar of the operand's type.
    /// - (C2) `reflect` needs more elements along an axis than it adds on either side.
    "pad" Pad {
        /// Elements added before each axis.
        low: Vec<Dim>,
        /// Elements added after each axis.
        high: Vec<Dim>,
        /// Where the added elements come from.
        mode: PadMode,
    }
}

impl OpSpec for Pad {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x, value] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes two operands"));
        };
        let fits = self.low.len() == x.rank()
            && self.high.len() == x.rank()
            && *value == TensorType::scalar(x.dtype);
        let negative = self
            .low
            .iter()
            .chain(&self.high)
            .any(|d| d.as_const().is_some_and(|d| d < 0));
        ensure!(
            fits && !negative,
            Self::NAME,
            "C1",
            "{self:?} does not fit {x} and {value}"
        );
        let grown = |(axis, dim): (usize, &Dim)| {
            dim.clone() + self.low[axis].clone() + self.high[axis].clone()
        };
        Ok(vec![TensorType {
            dtype: x.dtype,
            shape: x.shape.iter().enumerate().map(grown).collect(),
        }])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
