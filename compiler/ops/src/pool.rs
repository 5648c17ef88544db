//! Pooling over windows.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Dim, Tensor, TensorType};

crate::attr::words! {
    /// How a window's elements are combined.
    PoolKind {
        /// Sum.
        Sum = "sum",
        /// Maximum; NaN if an element is.
        Max = "max",
    }
}

operator! {
    /// Where each window's maximum is: the flat row-major index into the operand, as `i64`.
    ///
    /// Of several equal elements the first counts. With `column_major`, spatial axes are counted in reverse order,
    /// as `storage_order = 1` of ONNX's `MaxPool` says.
    ///
    /// # Constraints
    /// - (C1) As for [`Pool`].
    "pool-arg-max" PoolArgMax {
        /// Window size along each spatial axis.
        window: Vec<usize>,
        /// Distance between windows.
        strides: Vec<usize>,
        /// Places before each spatial axis.
        pads_low: Vec<Dim>,
        /// Places after each spatial axis.
        pads_high: Vec<Dim>,
        /// Distance between the elements of a window.
        dilations: Vec<usize>,
        /// Whether spatial axes are counted in reverse order.
        column_major: bool,
    }
}

impl OpSpec for PoolArgMax {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes one operand"));
        };
        let shape = pooled_shape(
            Self::NAME,
            x,
            &self.window,
            &self.strides,
            &self.pads_low,
            &self.pads_high,
            &self.dilations,
        )?;
        Ok(vec![TensorType {
            dtype: DType::I64,
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

fn pooled_shape(
    op: &'static str,
    x: &TensorType,
    window: &[usize],
    strides: &[usize],
    low: &[Dim],
    high: &[Dim],
    dilations: &[usize],
) -> Result<Vec<Dim>, TypeError> {
    let n = window.len();
    let fits = n <= x.rank()
        && n > 0
        && [strides.len(), low.len(), high.len(), dilations.len()]
            .iter()
            .all(|l| *l == n);
    let positive = [window, strides, dilations].iter().all(|v| !v.contains(&0));
    ensure!(fits && positive, op, "C1", "{x} with window {window:?}");
    let mut shape = x.shape.clone();
    for (idx, dim) in shape.iter_mut().skip(x.rank() - n).enumerate() {
        let padded = dim.clone() + low[idx].clone() + high[idx].clone();
        *dim = crate::conv::window_count(padded, &window[idx].into(), strides[idx], dilations[idx]);
    }
    Ok(shape)
}

operator! {
    /// Elements of each window over the trailing spatial axes combined into one.
    ///
    /// Places outside the operand do not take part. A window that lies outside wholly gives 0 for `sum` and the lowest value for `max`.
    /// There are `strides` windows distances; how many windows there are follows from the padding, which may be more behind than before for `ceil_mode`.
    ///
    /// # Constraints
    /// - (C1) The attributes have one entry for each of the last axes, at most as many as the operand has.
    "pool" Pool {
        /// How elements are combined.
        kind: PoolKind,
        /// Window size along each spatial axis.
        window: Vec<usize>,
        /// Distance between windows.
        strides: Vec<usize>,
        /// Places before each spatial axis.
        pads_low: Vec<Dim>,
        /// Places after each spatial axis.
        pads_high: Vec<Dim>,
        /// Distance between the elements of a window.
        dilations: Vec<usize>,
    }
}

impl OpSpec for Pool {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes one operand"));
        };
        let shape = pooled_shape(
            Self::NAME,
            x,
            &self.window,
            &self.strides,
            &self.pads_low,
            &self.pads_high,
            &self.dilations,
        )?;
        ensure!(!shape.is_empty(), Self::NAME, "C1", "{x}");
        Ok(vec![TensorType {
            dtype: x.dtype,
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
