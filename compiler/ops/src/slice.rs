//! Strided parts of a tensor.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::{offsets, pick, result_shape, strides};
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Dim, Tensor, TensorType};

operator! {
    /// `result[i_0, ..] = x[starts[0] + i_0 * steps[0], ..]` with the result's shape given by `sizes`.
    ///
    /// # Constraints
    /// - (C1) `starts`, `sizes` and `steps` have one entry for each axis, and no step is 0. Every index that is read lies inside the operand; where symbols hide it, this is checked at run time.
    "slice" Slice {
        /// First index along each axis.
        starts: Vec<Dim>,
        /// Shape of the result.
        sizes: Vec<Dim>,
        /// Distance between indices along each axis; negative ones walk backwards.
        steps: Vec<i64>,
    }
}

impl OpSpec for Slice {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes one operand"));
        };
        let ranks_fit = [self.starts.len(), self.sizes.len(), self.steps.len()].iter().all(|n| *n == x.rank());
        ensure!(ranks_fit && !self.steps.contains(&0), Self::NAME, "C1", "{self:?} does not fit {x}");
        for (axis, dim) in x.shape.iter().enumerate() {
            let (Some(start), Some(size), Some(extent)) =
                (self.starts[axis].as_const(), self.sizes[axis].as_const(), dim.as_const())
            else {
                continue;
            };
            let last = start.saturating_add((size - 1).saturating_mul(self.steps[axis]));
            let inside = size == 0 || (size > 0 && (0..extent).contains(&start) && (0..extent).contains(&last));
            ensure!(inside, Self::NAME, "C1", "{self:?} leaves {x} along axis {axis}");
        }
        Ok(vec![TensorType { dtype: x.dtype, shape: self.sizes.clone() }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let x = &inputs[0];
        let tables = strides(x.shape())
            .iter()
            .enumerate()
            .map(|(axis, stride)| {
                let start = known_start(&self.starts[axis])?;
                // `infer` has seen that every index lies inside.
                let index = |i| (start + i as i64 * self.steps[axis]) as usize;
                Ok((0..shape[axis]).map(|i| index(i) * stride).collect())
            })
            .collect::<Result<Vec<_>, EvalError>>()?;
        Ok(vec![pick(x, shape, &offsets(&tables))])
    }
}

fn known_start(start: &Dim) -> Result<i64, EvalError> {
    start.as_const().ok_or_else(|| EvalError::new(Slice::NAME, format!("the start {start} is not known")))
}
