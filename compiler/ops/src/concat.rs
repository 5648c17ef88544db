//! Tensors one after the other.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Dim, Tensor, TensorType};

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
            return Err(TypeError::new(
                Self::NAME,
                "C1",
                "takes at least one operand",
            ));
        };
        ensure!(
            self.axis < first.rank(),
            Self::NAME,
            "C1",
            "axis {} of {first}",
            self.axis
        );
        let mut result = first.clone();
        for x in rest {
            ensure!(
                x.dtype == first.dtype && x.rank() == first.rank(),
                Self::NAME,
                "C1",
                "{first} and {x}"
            );
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

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
