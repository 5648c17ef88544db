//! Pooling over windows.

use crate::attr::operator;
use crate::elementwise_eval::binary;
use crate::error::ensure;
use crate::eval_util::{extremity, indices, offsets, result_shape, strides};
use crate::{BinaryKind, EvalError, OpSpec, ReduceKind, TypeError};
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
    /// Of several equal elements the first counts; NaN is the largest. A window that lies outside wholly gives -1. With `column_major`, spatial axes are counted in reverse order,
    /// as `storage_order = 1` of ONNX's `MaxPool` says.
    ///
    /// # Constraints
    /// - (C1), (C2), (C3) As for [`Pool`].
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
        let shape =
            pooled_shape(Self::NAME, x, &self.window, &self.strides, &self.pads_low, &self.pads_high, &self.dilations)?;
        Ok(vec![TensorType { dtype: DType::I64, shape }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let x = &inputs[0];
        let windows =
            Windows { window: &self.window, strides: &self.strides, low: &self.pads_low, dilations: &self.dilations };
        let spatial = &x.shape()[x.rank() - self.window.len()..];
        let mut results = Vec::with_capacity(shape.iter().product());
        windows.for_each(x.shape(), &shape, |places| {
            let better = |best: usize, at: usize| extremity(true, x.get(at), x.get(best)).is_gt();
            let best = places.iter().copied().reduce(|best, at| if better(best, at) { at } else { best });
            results.push(best.map_or(-1, |at| match self.column_major {
                true => column_major(at, spatial) as i64,
                false => at as i64,
            }));
        });
        Ok(vec![Tensor::from_vec(shape, results)])
    }
}

/// The result's shape, for types that have an order.
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
    ensure!(BinaryKind::Add.accepts(x.dtype), op, "C3", "is not defined on {x}");
    let fits =
        n <= x.rank() && n > 0 && [strides.len(), low.len(), high.len(), dilations.len()].iter().all(|l| *l == n);
    let positive = [window, strides, dilations].iter().all(|v| !v.contains(&0));
    ensure!(fits && positive, op, "C1", "{x} with window {window:?}");
    let mut shape = x.shape.clone();
    for (idx, dim) in shape.iter_mut().skip(x.rank() - n).enumerate() {
        let padded = dim.clone() + low[idx].clone() + high[idx].clone();
        *dim = crate::conv::window_count(padded, &window[idx].into(), strides[idx], dilations[idx]);
        let fits = dim.as_const().is_none_or(|d| d >= 0);
        ensure!(fits, op, "C2", "{x} with window {window:?}");
    }
    Ok(shape)
}

operator! {
    /// Elements of each window over the trailing spatial axes combined into one.
    ///
    /// Places outside the operand do not take part. A window that lies outside wholly gives 0 for `sum` and the lowest value for `max`.
    /// How many windows there are follows from the padding, which may be more behind than before for `ceil_mode`.
    ///
    /// # Constraints
    /// - (C1) The attributes have one entry for each of the last axes, at most as many as the operand has; windows, distances and dilations are positive.
    /// - (C2) The windows fit the padded operand.
    /// - (C3) The element type is an integer or a float of at least 16 bits.
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
        let shape =
            pooled_shape(Self::NAME, x, &self.window, &self.strides, &self.pads_low, &self.pads_high, &self.dilations)?;
        Ok(vec![TensorType { dtype: x.dtype, shape }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let x = &inputs[0];
        let windows =
            Windows { window: &self.window, strides: &self.strides, low: &self.pads_low, dilations: &self.dilations };
        let (function, reduce) = self.kind.function();
        let neutral = reduce.neutral(x.dtype());
        let mut results = Vec::with_capacity(shape.iter().product());
        windows.for_each(x.shape(), &shape, |places| {
            let elements = places.iter().map(|at| x.get(*at));
            results.push(elements.fold(neutral, |a, b| binary(function, x.dtype(), a, b)));
        });
        Ok(vec![Tensor::build(x.dtype(), shape, |at| results[at])])
    }
}

impl PoolKind {
    /// The function of two elements that is repeated, and the reduction that it makes.
    fn function(self) -> (BinaryKind, ReduceKind) {
        match self {
            PoolKind::Sum => (BinaryKind::Add, ReduceKind::Sum),
            PoolKind::Max => (BinaryKind::Max, ReduceKind::Max),
        }
    }
}

/// The geometry of windows over the trailing axes.
struct Windows<'a> {
    window: &'a [usize],
    strides: &'a [usize],
    low: &'a [Dim],
    dilations: &'a [usize],
}

impl Windows<'_> {
    /// Calls with the flat indices of the elements that each window holds, window by window.
    fn for_each(&self, x: &[usize], result: &[usize], mut visit: impl FnMut(&[usize])) {
        let n_outer = x.len() - self.window.len();
        let area: usize = x[n_outer..].iter().product();
        let x_strides = strides(&x[n_outer..]);
        let table = |axis: usize, window: usize| -> Vec<usize> {
            let low = self.low[axis].as_const().unwrap_or(0);
            (0..self.window[axis])
                .map(|i| (window * self.strides[axis] + i * self.dilations[axis]) as i64 - low)
                .filter(|at| (0..x[n_outer + axis] as i64).contains(at))
                .map(|at| at as usize * x_strides[axis])
                .collect()
        };
        let windows = indices(&result[n_outer..]);
        let places: Vec<Vec<usize>> = windows
            .iter()
            .map(|window| {
                let axes = window.iter().enumerate();
                offsets(&axes.map(|(axis, at)| table(axis, *at)).collect::<Vec<_>>())
            })
            .collect();
        for outer in 0..x[..n_outer].iter().product() {
            for places in &places {
                let at: Vec<usize> = places.iter().map(|at| outer * area + at).collect();
                visit(&at);
            }
        }
    }
}

/// The flat index after the spatial axes have been put in reverse order.
fn column_major(at: usize, spatial: &[usize]) -> usize {
    let area: usize = spatial.iter().product();
    let (mut rest, mut flat) = (at % area, 0);
    for size in spatial.iter().rev() {
        flat = flat * size + rest % size;
        rest /= size;
    }
    at / area * area + flat
}
