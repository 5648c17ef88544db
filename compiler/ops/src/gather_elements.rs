//! Single elements by index along an axis.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::{offsets, pick, result_shape, steps, strides, wrap_indices};
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Tensor, TensorType};

operator! {
    /// `result[.., i, ..] = x[.., indices[.., i, ..], ..]` along `axis`. Negative indices count from the end.
    ///
    /// # Constraints
    /// - (C1) Both operands have the same rank, `axis` is an axis, and the indices have an integer type.
    /// - (C2) The indices are at most as long as the first operand along every other axis (where symbols hide it, checked at run time).
    "gather-elements" GatherElements {
        /// The axis that the indices select from.
        axis: usize,
    }
}

impl OpSpec for GatherElements {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x, indices] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes two operands"));
        };
        let fits = x.rank() == indices.rank() && self.axis < x.rank() && indices.dtype.is_int();
        ensure!(fits, Self::NAME, "C1", "axis {} of {x} by {indices}", self.axis);
        ensure!(
            reaches(self.axis, x, indices),
            Self::NAME,
            "C2",
            "{indices} is longer than {x} along another axis than {}",
            self.axis
        );
        Ok(vec![TensorType { dtype: x.dtype, shape: indices.shape.clone() }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let (x, indices) = (&inputs[0], &inputs[1]);
        let sources = targets(Self::NAME, self.axis, x, indices)?;
        Ok(vec![pick(x, shape, &sources)])
    }
}

/// For each index, the flat index of the element of `x` that it means.
pub(crate) fn targets(op: &'static str, axis: usize, x: &Tensor, indices: &Tensor) -> Result<Vec<usize>, EvalError> {
    let mut strides = strides(x.shape());
    let along = std::mem::replace(&mut strides[axis], 0);
    let sizes = indices.shape().iter().zip(&strides);
    let tables: Vec<_> = sizes.map(|(size, stride)| steps(*size, *stride)).collect();
    let rest = offsets(&tables).into_iter();
    let picked = wrap_indices(op, indices, axis, &[x.shape()[axis]])?;
    Ok(rest.zip(picked).map(|(rest, i)| rest + i * along).collect())
}

/// Whether the indices are at most as long as `x` along every other axis, as far as symbols tell.
pub(crate) fn reaches(axis: usize, x: &TensorType, indices: &TensorType) -> bool {
    let pairs = x.shape.iter().zip(&indices.shape).enumerate();
    pairs
        .filter(|(at, _)| *at != axis)
        .all(|(_, (size, used))| (size.clone() - used.clone()).as_const().is_none_or(|d| d >= 0))
}
