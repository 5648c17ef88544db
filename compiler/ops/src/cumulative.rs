//! Running sums and products.

use crate::attr::operator;
use crate::elementwise_eval::binary;
use crate::error::ensure;
use crate::eval_util::{result_shape, split_at_axis};
use crate::{BinaryKind, EvalError, OpSpec, ReduceKind, TypeError};
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
    /// - (C2) The element type is an integer or a float of at least 16 bits.
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
        ensure!(self.axis < x.rank(), Self::NAME, "C1", "axis {} of {x}", self.axis);
        ensure!(BinaryKind::Add.accepts(x.dtype), Self::NAME, "C2", "is not defined on {x}");
        Ok(vec![x.clone()])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let x = &inputs[0];
        let (outer, size, inner) = split_at_axis(&shape, self.axis);
        let (function, neutral) = match self.kind {
            CumKind::Sum => (BinaryKind::Add, ReduceKind::Sum.neutral(x.dtype())),
            CumKind::Prod => (BinaryKind::Mul, ReduceKind::Prod.neutral(x.dtype())),
        };
        let mut results = vec![neutral; x.len()];
        for line in 0..outer * inner {
            let start = line / inner * size * inner + line % inner;
            let mut running = neutral;
            for step in 0..size {
                let along = if self.reverse { size - 1 - step } else { step };
                let at = start + along * inner;
                let before = running;
                running = binary(function, x.dtype(), running, x.get(at));
                results[at] = if self.exclusive { before } else { running };
            }
        }
        Ok(vec![Tensor::build(x.dtype(), shape, |at| results[at])])
    }
}
