//! Padding at the borders.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::{from_bytes, pick, result_shape, strides};
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Dim, Tensor, TensorType};

crate::attr::words! {
    /// Where padding takes its elements from.
    PadMode {
        /// The scalar operand.
        Constant = "constant",
        /// Mirrored at the border, which is not repeated.
        Reflect = "reflect",
        /// The border element.
        Edge = "edge",
        /// The other end, as if the axis were a ring.
        Wrap = "wrap",
    }
}

operator! {
    /// The operand with elements added before and after each axis.
    ///
    /// Operands: the tensor and a scalar, the value that `constant` mode adds.
    ///
    /// # Constraints
    /// - (C1) `low` and `high` have one non-negative entry for each axis, and the value is a scalar of the operand's type.
    /// - (C2) `reflect` needs more elements along an axis than it adds on either side; where symbols hide it, this is checked at run time.
    "pad" Pad {
        /// Elements added before each axis.
        low: Vec<Dim>,
        /// Elements added after each axis.
        high: Vec<Dim>,
        /// Where the added elements come from.
        mode: PadMode,
    }
}

impl OpSpec for Pad {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x, value] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes two operands"));
        };
        let fits = self.low.len() == x.rank() && self.high.len() == x.rank() && *value == TensorType::scalar(x.dtype);
        let negative = self.low.iter().chain(&self.high).any(|d| d.as_const().is_some_and(|d| d < 0));
        ensure!(fits && !negative, Self::NAME, "C1", "{self:?} does not fit {x} and {value}");
        for (axis, dim) in x.shape.iter().enumerate() {
            let too_much = |added: &Dim| {
                (dim.clone() - added.clone()).as_const().is_some_and(|d| d <= 0) && *added != Dim::from(0)
            };
            ensure!(
                self.mode != PadMode::Reflect || !(too_much(&self.low[axis]) || too_much(&self.high[axis])),
                Self::NAME,
                "C2",
                "axis {axis} of {x} cannot be reflected by {} and {}",
                self.low[axis],
                self.high[axis]
            );
        }
        let grown = |(axis, dim): (usize, &Dim)| dim.clone() + self.low[axis].clone() + self.high[axis].clone();
        Ok(vec![TensorType { dtype: x.dtype, shape: x.shape.iter().enumerate().map(grown).collect() }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let (x, value) = (&inputs[0], &inputs[1]);
        // Element 0 of this is the value, so that one table can mean both.
        let both = from_bytes(x.dtype(), vec![x.len() + 1], [&value.bytes()[..], &x.bytes()[..]].concat());
        let mut sources = vec![Some(0)];
        for (axis, stride) in strides(x.shape()).into_iter().enumerate() {
            let low = self.low[axis].as_const().unwrap_or(0);
            let size = x.shape()[axis];
            let table = (0..shape[axis] as i64)
                .map(|i| Ok(source_index(self.mode, i - low, size)?.map(|i| i * stride)))
                .collect::<Result<Vec<_>, EvalError>>()?;
            sources = sources.iter().flat_map(|sum| table.iter().map(move |add| Some((*sum)? + (*add)?))).collect();
        }
        let sources: Vec<usize> = sources.into_iter().map(|at: Option<usize>| at.map_or(0, |at| at + 1)).collect();
        Ok(vec![pick(&both, shape, &sources)])
    }
}

/// Where along an axis the element at `i` comes from; `None` is the value.
fn source_index(mode: PadMode, i: i64, size: usize) -> Result<Option<usize>, EvalError> {
    let n = size as i64;
    if (0..n).contains(&i) {
        return Ok(Some(i as usize));
    }
    if n == 0 && mode != PadMode::Constant {
        return Err(EvalError::new(Pad::NAME, format!("{} of an empty axis", mode.word())));
    }
    let source = match mode {
        PadMode::Constant => return Ok(None),
        PadMode::Reflect if i < 0 => -i,
        PadMode::Reflect => 2 * (n - 1) - i,
        PadMode::Edge => i.clamp(0, n - 1),
        PadMode::Wrap => i.rem_euclid(n),
    };
    Ok(Some(source as usize))
}
