//! Where the largest or smallest element is.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::{extremity, result_shape, split_at_axis};
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
        ensure!(self.axis < x.rank(), Self::NAME, "C1", "axis {} of {x}", self.axis);
        let mut shape = x.shape.clone();
        shape.remove(self.axis);
        Ok(vec![TensorType { dtype: DType::I64, shape }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let x = &inputs[0];
        let (outer, size, inner) = split_at_axis(x.shape(), self.axis);
        if size == 0 && outer * inner > 0 {
            return Err(EvalError::new(Self::NAME, format!("axis {} of {} is empty", self.axis, x.ty())));
        }
        let extreme = |(start, offset): (usize, usize)| {
            let element = |i: usize| x.get(start * size * inner + i * inner + offset);
            let better = |best: usize, i: usize| {
                let order = extremity(self.kind == ArgKind::Max, element(i), element(best));
                order.is_gt() || (self.last && order.is_eq())
            };
            let best = (1..size).fold(0, |best, i| if better(best, i) { i } else { best });
            best as i64
        };
        let lines = (0..outer).flat_map(|start| (0..inner).map(move |offset| (start, offset)));
        Ok(vec![Tensor::from_vec(shape, lines.map(extreme).collect())])
    }
}
