//! Choice by element.

use crate::attr::operator;
use crate::elementwise::{merged_shape, shapes_may_equal};
use crate::error::ensure;
use crate::eval_util::{from_bytes, result_shape};
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Tensor, TensorType};

operator! {
    /// `result = condition ? a : b` for every element.
    ///
    /// # Constraints
    /// - (C1) `condition` is boolean; `a` and `b` have equal types; all three have equal shapes as far as symbols tell.
    "select" Select {}
}

impl OpSpec for Select {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [c, a, b] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes three operands"));
        };
        ensure!(
            c.dtype == DType::Bool
                && a.dtype == b.dtype
                && shapes_may_equal(a, b)
                && shapes_may_equal(a, c)
                && shapes_may_equal(b, c),
            Self::NAME,
            "C1",
            "condition {c}, operands {a} and {b}"
        );
        let known = TensorType { dtype: a.dtype, shape: merged_shape(a, b) };
        Ok(vec![TensorType { dtype: a.dtype, shape: merged_shape(&known, c) }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let [condition, a, b] = [&inputs[0], &inputs[1], &inputs[2]];
        let size = a.dtype().size();
        let bytes = condition.iter().enumerate().flat_map(|(at, condition)| {
            let from = if condition.as_bool() { a } else { b };
            &from.bytes()[at * size..][..size]
        });
        Ok(vec![from_bytes(a.dtype(), shape, bytes.copied().collect())])
    }
}
