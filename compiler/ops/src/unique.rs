//! Distinct elements or slices.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::{offsets, order, pick, result_types, split_at_axis, steps};
use crate::{EvalError, OpSpec, TypeError};
use std::cmp::Ordering;
use tensor::{DType, Dim, Tensor, TensorType};

operator! {
    /// The distinct elements of the flattened operand (`axis` is -1) or its distinct slices along `axis`, with the index of each one's first occurrence, the index of each input among them, and how often each occurs.
    ///
    /// They come in ascending order when `sorted`, otherwise in order of first occurrence. NaN equals itself and is larger than every number. `count` is a symbol that this operator defines.
    ///
    /// # Constraints
    /// - (C1) `axis` is -1 or an axis of the operand.
    "unique" Unique {
        /// The axis whose slices are compared, or -1.
        axis: i64,
        /// Whether the result is in ascending order.
        sorted: bool,
        /// The symbol that gets the number of distinct ones.
        count: String,
    }
}

impl OpSpec for Unique {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes one operand"));
        };
        ensure!(self.axis >= -1 && self.axis < x.rank() as i64, Self::NAME, "C1", "axis {} of {x}", self.axis);
        let count = Dim::symbol(&self.count);
        let (shape, n_inputs) = match usize::try_from(self.axis) {
            Err(_) => (vec![count.clone()], x.num_elements()),
            Ok(axis) => {
                let mut shape = x.shape.clone();
                shape[axis] = count.clone();
                (shape, x.shape[axis].clone())
            }
        };
        let ints = |dim: &Dim| TensorType { dtype: DType::I64, shape: vec![dim.clone()] };
        Ok(vec![TensorType { dtype: x.dtype, shape }, ints(&count), ints(&n_inputs), ints(&count)])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        result_types(self, inputs)?;
        let flat = inputs[0].reshaped(vec![inputs[0].len()]);
        let flat = flat.map_err(|error| EvalError::new(Self::NAME, error.to_string()))?;
        let (x, axis) = match usize::try_from(self.axis) {
            Ok(axis) => (&inputs[0], axis),
            Err(_) => (&flat, 0),
        };
        let (outer, size, inner) = split_at_axis(x.shape(), axis);
        let compare = |a: usize, b: usize| {
            let at = |i: usize, j: usize| x.get((j / inner * size + i) * inner + j % inner);
            (0..outer * inner).map(|j| order(at(a, j), at(b, j))).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
        };
        let groups = groups(size, self.sorted, compare);
        let mut inverse = vec![0i64; size];
        for (group, members) in groups.iter().enumerate() {
            members.iter().for_each(|i| inverse[*i] = group as i64);
        }
        let firsts: Vec<usize> = groups.iter().map(|members| members[0]).collect();
        let tables = [steps(outer, size * inner), firsts.iter().map(|i| i * inner).collect(), steps(inner, 1)];
        let mut shape = x.shape().to_vec();
        shape[axis] = groups.len();
        let ints = |values: Vec<i64>| Tensor::from_vec(vec![values.len()], values);
        Ok(vec![
            pick(x, shape, &offsets(&tables)),
            ints(firsts.iter().map(|i| *i as i64).collect()),
            ints(inverse),
            ints(groups.iter().map(|members| members.len() as i64).collect()),
        ])
    }
}

/// The indices `0..size` in groups of equal ones, each group ascending.
fn groups(size: usize, sorted: bool, compare: impl Fn(usize, usize) -> Ordering) -> Vec<Vec<usize>> {
    let mut ranking: Vec<usize> = (0..size).collect();
    ranking.sort_by(|a, b| compare(*a, *b));
    let mut groups: Vec<Vec<usize>> = ranking.chunk_by(|a, b| compare(*a, *b).is_eq()).map(<[usize]>::to_vec).collect();
    if !sorted {
        groups.sort_by_key(|members| members[0]);
    }
    groups
}
