//! Slices by index tuples.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::{pick, result_shape, steps, strides, wrap_indices};
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Tensor, TensorType};

operator! {
    /// `result[b.., i.., s..] = x[b.., indices[b.., i.., 0], indices[b.., i.., 1], .., s..]` where `b` are `batch_dims` leading axes.
    /// Negative indices count from the end.
    ///
    /// # Constraints
    /// - (C1) The last axis of the indices is a known number, at most the operand's rank less `batch_dims`; the indices have an integer type and more than `batch_dims` axes.
    /// - (C2) The batch axes have equal sizes; where symbols hide it, this is checked at run time.
    "gather-nd" GatherNd {
        /// How many leading axes both operands share.
        batch_dims: usize,
    }
}

impl OpSpec for GatherNd {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x, indices] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes two operands"));
        };
        let depth = indices.shape.last().and_then(|d| d.as_const()).and_then(|d| usize::try_from(d).ok());
        let Some(depth) = depth
            .filter(|d| self.batch_dims < indices.rank() && self.batch_dims + d <= x.rank() && indices.dtype.is_int())
        else {
            return Err(TypeError::new(
                Self::NAME,
                "C1",
                format!("{x} by {indices} with {} batch axes", self.batch_dims),
            ));
        };
        let batch = x.shape.iter().zip(&indices.shape).take(self.batch_dims);
        let batch_fits = batch.into_iter().all(|(a, b)| (a.clone() - b.clone()).as_const().is_none_or(|d| d == 0));
        ensure!(batch_fits, Self::NAME, "C2", "the batch axes of {x} and {indices} differ");
        let shape = [&indices.shape[..indices.rank() - 1], &x.shape[self.batch_dims + depth..]].concat();
        Ok(vec![TensorType { dtype: x.dtype, shape }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let (x, indices) = (&inputs[0], &inputs[1]);
        let (batch, rest) = x.shape().split_at(self.batch_dims);
        let n_batches: usize = batch.iter().product();
        let part: usize = rest.iter().product();
        let n_tuples: usize = indices.shape()[self.batch_dims..indices.rank() - 1].iter().product();
        let starts = tuple_offsets(Self::NAME, self.batch_dims, rest, indices)?;
        let depth = indices.shape()[indices.rank() - 1];
        let inner = steps(rest[depth..].iter().product(), 1);
        let sources: Vec<usize> = starts
            .into_iter()
            .enumerate()
            .flat_map(|(at, start)| {
                let batch = at.checked_div(n_tuples).unwrap_or(0);
                debug_assert!(batch < n_batches);
                inner.iter().map(move |i| batch * part + start + i)
            })
            .collect();
        Ok(vec![pick(x, shape, &sources)])
    }
}

/// For each tuple of indices along the leading axes of `shape`, the flat index where its slice begins. The first of those
/// is axis `first_axis` of the operand.
pub(crate) fn tuple_offsets(
    op: &'static str,
    first_axis: usize,
    shape: &[usize],
    indices: &Tensor,
) -> Result<Vec<usize>, EvalError> {
    let depth = indices.shape()[indices.rank() - 1];
    let n_tuples: usize = indices.shape()[..indices.rank() - 1].iter().product();
    let strides = strides(shape);
    let wrapped = wrap_indices(op, indices, first_axis, &shape[..depth])?;
    let start = |tuple: usize| (0..depth).map(|axis| wrapped[tuple * depth + axis] * strides[axis]).sum();
    Ok((0..n_tuples).map(start).collect())
}
