//! Convolution.

use crate::attr::operator;
use crate::contract::{Accumulator, Source, matrix_product, types_contract};
use crate::error::ensure;
use crate::eval_util::{indices, result_shape};
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
    /// Integers are widened to `out` before they are multiplied; floats of 16 bits accumulate in `f32` or wider and round once.
    ///
    /// # Constraints
    /// - (C1) Both operands have the same rank of at least 3, and the attributes have one entry for each spatial axis.
    /// - (C2) `c` equals `w`'s second axis times `groups`, and `groups` divides `m`.
    /// - (C3) Operands and result are all integers, or all floats; a result of floats has at least 16 bits.
    /// - (C4) The windows fit the padded operand.
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
        let positive =
            [&self.strides, &self.dilations, &self.base_dilations].iter().all(|v| !v.contains(&0)) && self.groups > 0;
        ensure!(
            n > 0 && w.rank() == x.rank() && lengths.iter().all(|l| *l == n) && positive,
            Self::NAME,
            "C1",
            "{x} and {w} with {self:?}"
        );
        let channels = (x.shape[1].clone() - w.shape[1].clone() * self.groups.into()).as_const();
        let filters = w.shape[0].as_const().is_none_or(|m| m % self.groups as i64 == 0);
        ensure!(
            matches!(channels, None | Some(0)) && filters,
            Self::NAME,
            "C2",
            "{x} and {w} with {} groups",
            self.groups
        );
        ensure!(types_contract(x.dtype, w.dtype, self.out), Self::NAME, "C3", "{x} and {w} into {}", self.out);
        let spatial = (0..n).map(|axis| {
            let spread = (x.shape[axis + 2].clone() - 1.into()) * self.base_dilations[axis].into() + 1.into();
            let padded = spread + self.pads_low[axis].clone() + self.pads_high[axis].clone();
            window_count(padded, &w.shape[axis + 2], self.strides[axis], self.dilations[axis])
        });
        let shape: Vec<Dim> = [x.shape[0].clone(), w.shape[0].clone()].into_iter().chain(spatial).collect();
        let fit = shape.iter().all(|d| d.as_const().is_none_or(|d| d >= 0));
        ensure!(fit, Self::NAME, "C4", "{w} over {x} with {self:?}");
        Ok(vec![TensorType { dtype: self.out, shape }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        Ok(vec![if self.out.is_float() {
            convolve::<f64>(self, inputs, shape)
        } else {
            convolve::<i64>(self, inputs, shape)
        }])
    }
}

/// For each axis, window and place in the window: the input's index there, or none in padding and between spread elements.
fn taps(op: &Conv, x: &[usize], windows: &[usize], kernel: &[usize]) -> Vec<Vec<Option<usize>>> {
    let index = |axis: usize, window: usize, place: usize| {
        let low = op.pads_low[axis].as_const().unwrap_or(0);
        let at = (window * op.strides[axis] + place * op.dilations[axis]) as i64 - low;
        let spread = op.base_dilations[axis] as i64;
        let inside = at >= 0 && at % spread == 0 && at / spread < x[axis] as i64;
        inside.then_some((at / spread) as usize)
    };
    (0..x.len())
        .map(|axis| {
            let places = 0..windows[axis] * kernel[axis];
            places.map(|i| index(axis, i / kernel[axis], i % kernel[axis])).collect()
        })
        .collect()
}

/// One matrix product for each batch and group: filters times the columns of input elements that each window sees.
fn convolve<T: Accumulator>(op: &Conv, inputs: &[Tensor], shape: Vec<usize>) -> Tensor {
    let [x, w] = [&inputs[0], &inputs[1]];
    let (x_spatial, kernel, windows) = (&x.shape()[2..], &w.shape()[2..], &shape[2..]);
    let (n_channels, filters) = (w.shape()[1], w.shape()[0] / op.groups);
    let (n_places, n_windows, area) =
        (kernel.iter().product::<usize>(), windows.iter().product::<usize>(), x_spatial.iter().product::<usize>());
    let taps = taps(op, x_spatial, windows, kernel);
    // Where each window's and each place's entries begin in the tables of `taps`, axis by axis.
    let entry = |axis: usize, window: &[usize], place: &[usize]| taps[axis][window[axis] * kernel[axis] + place[axis]];
    let (all_windows, all_places) = (indices(windows), indices(kernel));
    let tap = |window: usize, place: usize| {
        (0..x_spatial.len()).try_fold(0, |sum, axis| {
            let i = entry(axis, all_windows[window].as_slice(), &all_places[place])?;
            Some(sum * x_spatial[axis] + i)
        })
    };
    let (left, right) = (Source::new(w), Source::new(x));
    let mut results = vec![T::ZERO; shape.iter().product()];
    let depth = n_channels * n_places;
    for (batch, group) in (0..shape[0] * op.groups).map(|i| (i / op.groups, i % op.groups)) {
        let first_filter = group * filters;
        let first_channel = batch * x.shape()[1] + group * n_channels;
        let results = &mut results[(batch * shape[1] + first_filter) * n_windows..];
        matrix_product(
            (filters, depth, n_windows),
            |filter, k| T::read(&left, (first_filter + filter) * depth + k),
            |k, window| match tap(window, k % n_places) {
                Some(at) => T::read(&right, (first_channel + k / n_places) * area + at),
                None => T::ZERO,
            },
            |filter, window, sum| results[filter * n_windows + window] = sum,
        );
    }
    Tensor::build(op.out, shape, |at| results[at].scalar())
}
