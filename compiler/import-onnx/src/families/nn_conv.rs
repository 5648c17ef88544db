//! Convolutions: plain, transposed, and of integers.

use super::kit::*;
use super::matmul::less_zero_point;
use super::quantize::requantized;
use super::windows::{Windows, explicit_pads, positive};

pub(crate) const ROWS: &[Row] = &[
    Row::onnx("Conv", 1, conv),
    Row::onnx("ConvTranspose", 1, conv_transpose),
    Row::onnx("ConvInteger", 10, conv_integer),
    Row::onnx("QLinearConv", 10, qlinear_conv),
];

fn groups(cx: &Cx) -> Result<usize, ImportError> {
    match usize::try_from(cx.attr_i("group", 1)?) {
        Ok(groups) if groups > 0 => Ok(groups),
        _ => bad("group is not positive"),
    }
}

fn kernel_of(cx: &Cx, w: ValueId) -> Result<Vec<usize>, ImportError> {
    cx.b.shape(w)[2..].iter().map(|d| cx.const_dim(d)).collect()
}

/// The convolution that a node's attributes tell, without bias.
fn convolved(cx: &mut Cx, x: ValueId, w: ValueId, out: DType) -> One {
    if cx.b.rank(x) < 3 || cx.b.rank(x) != cx.b.rank(w) {
        return bad(format!("a convolution of {} by {}", cx.b.ty(x), cx.b.ty(w)));
    }
    let groups = groups(cx)?;
    let spatial = cx.b.shape(x)[2..].to_vec();
    let kernel = kernel_of(cx, w)?;
    let windows = Windows::read(cx, &spatial, kernel)?;
    let op = ops::Conv {
        base_dilations: vec![1; spatial.len()],
        strides: windows.strides,
        pads_low: windows.low,
        pads_high: windows.high,
        dilations: windows.dilations,
        groups,
        out,
    };
    Ok(cx.b.emit(op, &[x, w])?)
}

/// `y + bias` with the bias along the channels.
pub(super) fn add_bias(b: &mut Builder, y: ValueId, bias: Option<ValueId>) -> One {
    let Some(bias) = bias else { return Ok(y) };
    let bias = along(b, bias, b.rank(y), 1)?;
    Ok(b.add(y, bias)?)
}

/// The type of sums to which a bias is still added, so that the operator's result is rounded once.
fn before_bias(b: &Builder, x: ValueId, bias: Option<ValueId>) -> DType {
    if bias.is_some() { wide(b.dtype(x)) } else { b.dtype(x) }
}

/// `y + bias` in the type of `y`, rounded to that of `x`.
fn finish(b: &mut Builder, x: ValueId, y: ValueId, bias: Option<ValueId>) -> OpResult {
    let dtype = b.dtype(y);
    let bias = bias.map(|bias| b.cast(bias, dtype)).transpose()?;
    let y = add_bias(b, y, bias)?;
    let out = b.dtype(x);
    Ok(vec![b.cast(y, out)?])
}

fn conv(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, w) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let bias = cx.opt(inputs, 2);
    let y = convolved(cx, x, w, before_bias(cx.b, x, bias))?;
    finish(cx.b, x, y, bias)
}

/// A zero point of filters: `[m]` along the first axis of the weights.
fn weights_less_zero(b: &mut Builder, w: ValueId, zero: Option<ValueId>) -> One {
    let rank = b.rank(w);
    let zero = match zero {
        Some(zero) if b.ty(zero).num_elements().as_const() == Some(1) => Some(as_scalar(b, zero)?),
        Some(zero) => Some(along(b, zero, rank, 0)?),
        None => None,
    };
    less_zero_point(b, w, zero)
}

fn conv_integer(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, w) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let x_zero = cx.opt(inputs, 2).map(|z| as_scalar(cx.b, z)).transpose()?;
    let x = less_zero_point(cx.b, x, x_zero)?;
    let w_zero = cx.opt(inputs, 3);
    let w = weights_less_zero(cx.b, w, w_zero)?;
    Ok(vec![convolved(cx, x, w, DType::I32)?])
}

fn qlinear_conv(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, w) = (cx.input(inputs, 0)?, cx.input(inputs, 3)?);
    let x_scale = cx.input(inputs, 1)?;
    let x_zero = cx.input(inputs, 2)?;
    let w_scale = cx.input(inputs, 4)?;
    let w_zero = cx.input(inputs, 5)?;
    let y_scale = cx.input(inputs, 6)?;
    let y_zero = cx.input(inputs, 7)?;
    let x_zero = as_scalar(cx.b, x_zero)?;
    let x = less_zero_point(cx.b, x, Some(x_zero))?;
    let w = weights_less_zero(cx.b, w, Some(w_zero))?;
    let y = convolved(cx, x, w, DType::I32)?;
    let bias = cx.opt(inputs, 8);
    let y = add_bias(cx.b, y, bias)?;
    let b = &mut *cx.b;
    let rank = b.rank(y);
    let x_scale = as_scalar(b, x_scale)?;
    let y_scale = as_scalar(b, y_scale)?;
    let y_zero = as_scalar(b, y_zero)?;
    let w_scale = if b.ty(w_scale).num_elements().as_const() == Some(1) {
        as_scalar(b, w_scale)?
    } else {
        along(b, w_scale, rank, 1)?
    };
    Ok(vec![requantized(b, y, [x_scale, w_scale, y_scale], y_zero)?])
}

fn conv_transpose(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, w) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    if cx.b.rank(x) < 3 || cx.b.rank(x) != cx.b.rank(w) {
        return bad(format!("a transposed convolution of {} by {}", cx.b.ty(x), cx.b.ty(w)));
    }
    let bias = cx.opt(inputs, 2);
    let spread = Spread::read(cx, x, w)?;
    let out = before_bias(cx.b, x, bias);
    let y =
        if spread.tiles() { spread.as_product(cx.b, x, w, out)? } else { spread.as_convolution(cx.b, x, w, out)? };
    finish(cx.b, x, y, bias)
}

/// The attributes of a transposed convolution.
struct Spread {
    groups: usize,
    kernel: Vec<usize>,
    strides: Vec<usize>,
    dilations: Vec<usize>,
    /// Elements cut off before each axis.
    low: Vec<Dim>,
    /// Size of the result along each axis.
    sizes: Vec<Dim>,
    input: Vec<Dim>,
}

impl Spread {
    fn read(cx: &Cx, x: ValueId, w: ValueId) -> Result<Spread, ImportError> {
        let input = cx.b.shape(x)[2..].to_vec();
        let n = input.len();
        let kernel = kernel_of(cx, w)?;
        let strides = positive(cx, "strides", n)?;
        let dilations = positive(cx, "dilations", n)?;
        let (low, high) = explicit_pads(cx, n)?;
        let extra = cx.attr_ints("output_padding")?.filter(|v| v.len() == n).unwrap_or_else(|| vec![0; n]);
        let given =
            cx.attr_ints("output_shape")?.filter(|v| !v.is_empty()).map(|v| v[v.len() - n.min(v.len())..].to_vec());
        let auto = cx.attr_s("auto_pad", "NOTSET")?;
        let mut spread = Spread {
            groups: groups(cx)?,
            low: low.iter().map(|p| Dim::from(*p)).collect(),
            sizes: Vec::new(),
            kernel,
            strides,
            dilations,
            input,
        };
        for axis in 0..n {
            let full = spread.full_size(axis) + extra[axis].into();
            let same = auto.starts_with("SAME");
            let wanted = match &given {
                Some(given) => Some(Dim::from(given[axis])),
                None if same => Some(spread.input[axis].clone() * spread.strides[axis].into()),
                None => None,
            };
            match wanted {
                Some(size) => {
                    let total = (full - size.clone()).max(0.into());
                    let half = total.clone().floor_div(2.into());
                    spread.low[axis] = if auto == "SAME_UPPER" { half } else { total - half };
                    spread.sizes.push(size);
                }
                None => {
                    let cut = if auto == "VALID" {
                        spread.low[axis] = 0.into();
                        0
                    } else {
                        low[axis] + high[axis]
                    };
                    spread.sizes.push(full - cut.into());
                }
            }
        }
        Ok(spread)
    }

    /// The size of the result before anything is cut off or added.
    fn full_size(&self, axis: usize) -> Dim {
        let reach = (self.kernel[axis] - 1) * self.dilations[axis] + 1;
        (self.input[axis].clone() - 1.into()) * self.strides[axis].into() + reach.into()
    }

    /// Whether windows lie side by side without gap or overlap.
    fn tiles(&self) -> bool {
        (0..self.kernel.len()).all(|axis| {
            self.kernel[axis] == self.strides[axis]
                && (self.dilations[axis] == 1 || self.kernel[axis] == 1)
                && self.low[axis].as_const() == Some(0)
                && self.sizes[axis] == self.full_size(axis)
        })
    }

    /// A matrix product for each window position, whose results are put side by side.
    fn as_product(&self, b: &mut Builder, x: ValueId, w: ValueId, out: DType) -> One {
        let n = self.kernel.len();
        let (xs, ws) = (b.shape(x).to_vec(), b.shape(w).to_vec());
        let (groups, channels) = (Dim::from(self.groups), ws[1].clone());
        let split = [&[xs[0].clone(), groups.clone(), xs[1].clone().floor_div(groups.clone())], &xs[2..]].concat();
        let x = b.reshape(x, split)?;
        let split = [&[groups.clone(), ws[0].clone().floor_div(groups.clone())], &ws[1..]].concat();
        let w = b.reshape(w, split)?;
        // g | n, spatial | m, kernel
        let product = dot(b, (x, &[1], &[2]), (w, &[0], &[1]), out)?;
        let pairs = (0..n).flat_map(|axis| [2 + axis, 3 + n + axis]);
        let perm = [1, 0, 2 + n].into_iter().chain(pairs).collect();
        let product = b.transpose(product, perm)?;
        let shape = [xs[0].clone(), groups * channels].into_iter().chain(self.sizes.iter().cloned()).collect();
        Ok(b.reshape(product, shape)?)
    }

    /// A convolution of the input spread by the strides, with flipped filters.
    fn as_convolution(&self, b: &mut Builder, x: ValueId, w: ValueId, out: DType) -> One {
        let n = self.kernel.len();
        let ws = b.shape(w).to_vec();
        let groups = Dim::from(self.groups);
        let per_group = ws[0].clone().floor_div(groups.clone());
        let split = [&[groups.clone(), per_group.clone()], &ws[1..]].concat();
        let w = b.reshape(w, split)?;
        let perm = [0, 2, 1].into_iter().chain(3..3 + n).collect();
        let w = b.transpose(w, perm)?;
        let merged = [&[groups * ws[1].clone(), per_group], &ws[2..]].concat();
        let w = b.reshape(w, merged)?;
        let spatial: Vec<usize> = (2..2 + n).collect();
        let w = flip(b, w, &spatial)?;
        let reach = |axis: usize| Dim::from((self.kernel[axis] - 1) * self.dilations[axis]);
        let pads_low: Vec<Dim> = (0..n).map(|axis| reach(axis) - self.low[axis].clone()).collect();
        let pads_high = (0..n)
            .map(|axis| self.sizes[axis].clone() - self.full_size(axis) + reach(axis) + self.low[axis].clone())
            .collect();
        let op = ops::Conv {
            strides: vec![1; n],
            pads_low,
            pads_high,
            dilations: self.dilations.clone(),
            base_dilations: self.strides.clone(),
            groups: self.groups,
            out,
        };
        Ok(b.emit(op, &[x, w])?)
    }
}
