//! Distinct elements or slices.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Dim, Tensor, TensorType};

operator! {
    /// The distinct elements of the flattened operand (`axis` is -1) or its distinct slices along `axis`, with the index of each one's first occurrence, the index of each input among them, and how often each occurs.
    ///
    /// They come in ascending order when `sorted`, otherwise in order of first occurrence. `count` is a symbol that this operator defines.
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
        ensure!(
            self.axis >= -1 && self.axis < x.rank() as i64,
            Self::NAME,
            "C1",
            "axis {} of {x}",
            self.axis
        );
        let count = Dim::symbol(&self.count);
        let (shape, n_inputs) = match usize::try_from(self.axis) {
            Err(_) => (vec![count.clone()], x.num_elements()),
            Ok(axis) => {
                let mut shape = x.shape.clone();
                shape[axis] = count.clone();
                (shape, x.shape[axis].clone())
            }
        };
        let ints = |dim: &Dim| TensorType {
            dtype: DType::I64,
            shape: vec![dim.clone()],
        };
        Ok(vec![
            TensorType {
                dtype: x.dtype,
                shape,
            },
            ints(&count),
            ints(&n_inputs),
            ints(&count),
        ])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
