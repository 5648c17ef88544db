//! Tensors one after the other.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::{from_bytes, result_shape, split_at_axis};
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Tensor, TensorType};

operator! {
    /// The operands one after the other along an axis.
    ///
    /// # Constraints
    /// - (C1) At least one operand; equal element types and ranks; `axis` is an axis.
    /// - (C2) Equal sizes along every other axis; where symbols hide it, this is checked at run time.
    "concat" Concat {
        /// The axis along which the operands follow each other.
        axis: usize,
    }
}

impl OpSpec for Concat {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [first, rest @ ..] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes at least one operand"));
        };
        ensure!(self.axis < first.rank(), Self::NAME, "C1", "axis {} of {first}", self.axis);
        let mut result = first.clone();
        for x in rest {
            ensure!(x.dtype == first.dtype && x.rank() == first.rank(), Self::NAME, "C1", "{first} and {x}");
            for (axis, dim) in x.shape.iter().enumerate() {
                if axis == self.axis {
                    result.shape[axis] = result.shape[axis].clone() + dim.clone();
                    continue;
                }
                let difference = (dim.clone() - first.shape[axis].clone()).as_const();
                ensure!(
                    matches!(difference, None | Some(0)),
                    Self::NAME,
                    "C2",
                    "{first} and {x} differ along axis {axis}"
                );
                if result.shape[axis].as_const().is_none() && dim.as_const().is_some() {
                    result.shape[axis] = dim.clone();
                }
            }
        }
        Ok(vec![result])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let (outer, _, inner) = split_at_axis(&shape, self.axis);
        let mut bytes = Vec::with_capacity(shape.iter().product::<usize>() * inputs[0].dtype().size());
        for at in 0..outer {
            for x in inputs {
                let part = x.shape()[self.axis] * inner * x.dtype().size();
                bytes.extend_from_slice(&x.bytes()[at * part..][..part]);
            }
        }
        Ok(vec![from_bytes(inputs[0].dtype(), shape, bytes)])
    }
}
