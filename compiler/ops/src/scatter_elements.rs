//! Single elements written by index along an axis.

use crate::attr::operator;
use crate::elementwise::shapes_may_equal;
use crate::error::ensure;
use crate::eval_util::result_types;
use crate::gather_elements::{reaches, targets};
use crate::scatter_nd::{combine, combines};
use crate::{EvalError, OpSpec, ScatterKind, TypeError};
use tensor::{Tensor, TensorType};

operator! {
    /// A copy of `x` in which `result[.., indices[.., i, ..], ..]` is combined with `updates[.., i, ..]` along `axis`.
    /// Negative indices count from the end; updates are applied in row-major order.
    ///
    /// # Constraints
    /// - (C1) All operands have the same rank, `axis` is an axis, indices have an integer type, updates have the indices' shape and the operand's element type.
    /// - (C2) The indices are at most as long as the first operand along every other axis (where symbols hide it, checked at run time).
    /// - (C3) Unless updates replace, the element type is one that [`Binary`](crate::Binary) is defined for with this kind.
    "scatter-elements" ScatterElements {
        /// The axis that the indices select from.
        axis: usize,
        /// How an update is combined with what is there.
        kind: ScatterKind,
    }
}

impl OpSpec for ScatterElements {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x, indices, updates] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes three operands"));
        };
        let ranks = x.rank() == indices.rank() && x.rank() == updates.rank() && self.axis < x.rank();
        ensure!(
            ranks && indices.dtype.is_int() && updates.dtype == x.dtype && shapes_may_equal(indices, updates),
            Self::NAME,
            "C1",
            "{x} by {indices} with {updates}"
        );
        ensure!(
            reaches(self.axis, x, indices),
            Self::NAME,
            "C2",
            "{indices} is longer than {x} along another axis than {}",
            self.axis
        );
        ensure!(combines(self.kind, x.dtype), Self::NAME, "C3", "`{}` is not defined on {x}", self.kind.word());
        Ok(vec![x.clone()])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        result_types(self, inputs)?;
        let (x, indices, updates) = (&inputs[0], &inputs[1], &inputs[2]);
        let targets = targets(Self::NAME, self.axis, x, indices)?;
        Ok(vec![combine(self.kind, x, updates, &targets)])
    }
}
