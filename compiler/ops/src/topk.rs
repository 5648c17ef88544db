//! The largest or smallest elements.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::{order, pick, result_types, shape_of, split_at_axis};
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Dim, Tensor, TensorType};

operator! {
    /// The `k` largest (or smallest) elements along an axis, with their indices as `i64`, best first.
    ///
    /// Of equal elements the one with the lower index comes first; NaN counts as larger than every number. Results are sorted whether or not the model asks for it.
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
        ensure!(self.axis < x.rank(), Self::NAME, "C1", "axis {} of {x}", self.axis);
        let enough = (x.shape[self.axis].clone() - self.k.clone()).as_const().is_none_or(|d| d >= 0)
            && self.k.as_const().is_none_or(|k| k >= 0);
        ensure!(enough, Self::NAME, "C1", "{} elements of {x} along axis {}", self.k, self.axis);
        let mut values = x.clone();
        values.shape[self.axis] = self.k.clone();
        let indices = TensorType { dtype: DType::I64, shape: values.shape.clone() };
        Ok(vec![values, indices])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let types = result_types(self, inputs)?;
        let shape = shape_of(Self::NAME, &types[0])?;
        let x = &inputs[0];
        let (outer, size, inner) = split_at_axis(x.shape(), self.axis);
        let k = shape[self.axis];
        let n_results = outer * k * inner;
        let (mut sources, mut indices) = (vec![0; n_results], vec![0; n_results]);
        for line in 0..outer * inner {
            let (before, after) = (line / inner, line % inner);
            let at = |i: usize| (before * size + i) * inner + after;
            let mut ranking: Vec<usize> = (0..size).collect();
            ranking.sort_by(|a, b| match self.largest {
                true => order(x.get(at(*b)), x.get(at(*a))),
                false => order(x.get(at(*a)), x.get(at(*b))),
            });
            for (rank, i) in ranking.into_iter().take(k).enumerate() {
                let to = (before * k + rank) * inner + after;
                sources[to] = at(i);
                indices[to] = i as i64;
            }
        }
        Ok(vec![pick(x, shape.clone(), &sources), Tensor::from_vec(shape, indices)])
    }
}
