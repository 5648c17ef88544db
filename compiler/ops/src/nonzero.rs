//! Where elements are not zero.

use crate::attr::operator;
use crate::eval_util::{result_types, strides};
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Dim, Tensor, TensorType};

operator! {
    /// The indices of all elements that are not zero, as `i64[rank, count]` in row-major order; `count` is a symbol that this operator defines. NaN is not zero.
    ///
    /// # Constraints
    /// - (C1) There is one operand.
    "nonzero" NonZero {
        /// The symbol that gets the number of such elements.
        count: String,
    }
}

impl OpSpec for NonZero {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes one operand"));
        };
        Ok(vec![TensorType { dtype: DType::I64, shape: vec![x.rank().into(), Dim::symbol(&self.count)] }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        result_types(self, inputs)?;
        let x = &inputs[0];
        let found: Vec<usize> = x.iter().enumerate().filter(|(_, v)| v.as_bool()).map(|(at, _)| at).collect();
        let strides = strides(x.shape());
        let coordinates = strides
            .iter()
            .zip(x.shape())
            .flat_map(|(stride, size)| found.iter().map(move |at| (at / stride % size) as i64));
        Ok(vec![Tensor::from_vec(vec![x.rank(), found.len()], coordinates.collect())])
    }
}
