//! Window attributes that convolutions and pools share: strides, dilations, padding.

use super::kit::*;

/// How windows lie on the spatial axes.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    /// Window size along each spatial axis.
    pub kernel: Vec<usize>,
    /// Distance between windows.
    pub strides: Vec<usize>,
    /// Distance between a window's elements.
    pub dilations: Vec<usize>,
    /// Padding before each spatial axis.
    pub low: Vec<Dim>,
    /// Padding after each spatial axis.
    pub high: Vec<Dim>,
}

/// An attribute of positive numbers, one for each spatial axis; 1 where it is missing.
pub(super) fn positive(cx: &Cx, name: &str, n: usize) -> Result<Vec<usize>, ImportError> {
    let values = cx.attr_ints(name)?.filter(|v| !v.is_empty()).unwrap_or_else(|| vec![1; n]);
    let sizes: Option<Vec<usize>> = values.iter().map(|v| usize::try_from(*v).ok().filter(|v| *v > 0)).collect();
    match sizes.filter(|sizes| sizes.len() == n) {
        Some(sizes) => Ok(sizes),
        None => bad(format!("{name} {values:?} does not have {n} positive numbers")),
    }
}

/// The attribute `pads` as the halves before and after each axis; 0 where it is missing.
pub(super) fn explicit_pads(cx: &Cx, n: usize) -> Result<(Vec<i64>, Vec<i64>), ImportError> {
    let pads = cx.attr_ints("pads")?.filter(|v| !v.is_empty()).unwrap_or_else(|| vec![0; 2 * n]);
    if pads.len() != 2 * n {
        return bad(format!("pads {pads:?} for {n} spatial axes"));
    }
    Ok((pads[..n].to_vec(), pads[n..].to_vec()))
}

impl Windows {
    /// Reads the attributes, and computes the padding that `auto_pad` asks for.
    pub(super) fn read(cx: &Cx, spatial: &[Dim], kernel: Vec<usize>) -> Result<Windows, ImportError> {
        let n = spatial.len();
        if kernel.len() != n {
            return bad(format!("a window {kernel:?} over {n} spatial axes"));
        }
        let strides = positive(cx, "strides", n)?;
        let dilations = positive(cx, "dilations", n)?;
        let mut windows = Windows { kernel, strides, dilations, low: vec![0.into(); n], high: vec![0.into(); n] };
        match cx.attr_s("auto_pad", "NOTSET")?.as_str() {
            "SAME_UPPER" => windows.pad_same(spatial, true),
            "SAME_LOWER" => windows.pad_same(spatial, false),
            "VALID" => {}
            "NOTSET" | "" => {
                let (low, high) = explicit_pads(cx, n)?;
                windows.low = low.into_iter().map(Dim::from).collect();
                windows.high = high.into_iter().map(Dim::from).collect();
            }
            other => return bad(format!("auto_pad {other}")),
        }
        Ok(windows)
    }

    /// How far a window reaches along an axis.
    pub(super) fn reach(&self, axis: usize) -> i64 {
        ((self.kernel[axis] - 1) * self.dilations[axis] + 1) as i64
    }

    /// Padding such that there are `ceil(size / stride)` windows; an odd element goes behind if `upper`.
    fn pad_same(&mut self, spatial: &[Dim], upper: bool) {
        for (axis, size) in spatial.iter().enumerate() {
            let stride = Dim::from(self.strides[axis]);
            let count = size.clone().ceil_div(stride.clone());
            let covered = (count - 1.into()) * stride + self.reach(axis).into();
            let total = (covered - size.clone()).max(0.into());
            let half = total.clone().floor_div(2.into());
            let rest = total - half.clone();
            let (low, high) = if upper { (half, rest) } else { (rest, half) };
            self.low[axis] = low;
            self.high[axis] = high;
        }
    }

    /// Grows the padding behind so that partial windows count too, if they begin inside the padded front.
    pub(super) fn include_partial(&mut self, spatial: &[Dim]) {
        for (axis, size) in spatial.iter().enumerate() {
            let stride = Dim::from(self.strides[axis]);
            let reach = Dim::from(self.reach(axis));
            let front = size.clone() + self.low[axis].clone();
            let padded = front.clone() + self.high[axis].clone();
            let rounded = (padded - reach.clone()).ceil_div(stride.clone()) + 1.into();
            let begun = front.clone().ceil_div(stride.clone());
            let count = if self.strides[axis] == 1 { rounded } else { rounded.min(begun) };
            let needed = (count - 1.into()) * stride + reach - front;
            self.high[axis] = if self.reach(axis) >= self.strides[axis] as i64 { needed } else { needed.max(0.into()) };
        }
    }
}
