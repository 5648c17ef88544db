//! Convolution.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Dim, Tensor, TensorType};

/// How many windows fit: `floor((padded - dilation * (kernel - 1) - 1) / stride) + 1`.
pub(crate) fn window_count(padded: Dim, kernel: &Dim, stride: usize, dilation: usize) -> Dim {
    let reach = (kernel.clone() - 1.into()) * dilation.into() + 1.into();
    (padded - reach).floor_div(stride.into()) + 1.into()
}

operator! {
    /// Cross-correlation of `x[n, c, spatial..]` with `w[m, c / groups, kernel..]`, as ONNX's `Conv` without bias.
    ///
    /// `base_dilations` spreads the input by zeros between its elements, which makes transposed convolutions.
    /// Integers are widened to `out` before they are multiplied; floats of 16 bits accumulate in `f32` and round once.
    ///
    /// # Constraints
    /// - (C1) Both operands have the same rank of at least 3, and the attributes have one entry for each spatial axis.
    /// - (C2) `c` equals `w`'s second axis times `groups`, and `groups` divides `m`.
    "conv" Conv {
        /// Distance between windows along each spatial axis.
        strides: Vec<usize>,
        /// Zeros before each spatial axis (negative values crop).
        pads_low: Vec<Dim>,
        /// Zeros after each spatial axis (negative values crop).
        pads_high: Vec<Dim>,
        /// Distance between the elements of a window.
        dilations: Vec<usize>,
        /// Distance that the input's elements are spread to.
        base_dilations: Vec<usize>,
        /// Number of independent channel groups.
        groups: usize,
        /// Element type of the result.
        out: DType,
    }
}

impl OpSpec for Conv {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x, w] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes two operands"));
        };
        let n = x.rank().saturating_sub(2);
        let lengths = [
            self.strides.len(),
            self.pads_low.len(),
            self.pads_high.len(),
            self.dilations.len(),
            self.base_dilations.len(),
        ];
        let positive = [&self.strides, &self.dilations, &self.base_dilations]
            .iter()
            .all(|v| !v.contains(&0))
            && self.groups > 0;
        ensure!(
            n > 0 && w.rank() == x.rank() && lengths.iter().all(|l| *l == n) && positive,
            Self::NAME,
            "C1",
            "{x} and {w} with {self:?}"
        );
        let channels = (x.shape[1].clone() - w.shape[1].clone() * self.groups.into()).as_const();
        let filters = w.shape[0]
            .as_const()
            .is_none_or(|m| m % self.groups as i64 == 0);
        ensure!(
            matches!(channels, None | Some(0)) && filters,
            Self::NAME,
            "C2",
            "{x} and {w} with {} groups",
            self.groups
        );
        let spatial = (0..n).map(|axis| {
            let spread = (x.shape[axis + 2].clone() - 1.into()) * self.base_dilations[axis].into()
                + 1.into();
            let padded = spread + self.pads_low[axis].clone() + self.pads_high[axis].clone();
            window_count(
                padded,
                &w.shape[axis + 2],
                self.strides[axis],
                self.dilations[axis],
            )
        });
        let shape = [x.shape[0].clone(), w.shape[0].clone()]
            .into_iter()
            .chain(spatial)
            .collect();
        Ok(vec![TensorType {
            dtype: self.out,
            shape,
        }])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
