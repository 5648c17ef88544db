//! Normalisations: over the batch, over an instance, a layer, a group, and by norms.
//!
//! Statistics of 16-bit floats are computed in `f32`, as the standard's `stash_type` says.

use super::kit::*;

pub(crate) const ROWS: &[Row] = &[
    Row::onnx("BatchNormalization", 1, batch_norm),
    Row::onnx("InstanceNormalization", 1, instance_norm),
    Row::onnx("LayerNormalization", 17, layer_norm),
    Row::onnx("GroupNormalization", 18, group_norm),
    Row::onnx("RMSNormalization", 23, rms_norm),
    Row::onnx("SimplifiedLayerNormalization", 1, rms_norm),
    Row::onnx("LpNormalization", 1, lp_norm),
    Row::onnx("LRN", 1, lrn),
    Row::onnx("MeanVarianceNormalization", 9, mean_variance_norm),
];

/// What a normalisation leaves: `(x - mean) / sqrt(variance + epsilon)` and the numbers that went into it.
pub(super) struct Normalized {
    pub y: ValueId,
    pub mean: ValueId,
    pub inverse_deviation: ValueId,
}

/// Brings mean 0 and variance 1 over some axes; statistics keep those axes with size 1.
pub(super) fn normalized(b: &mut Builder, x: ValueId, axes: &[usize], epsilon: f64) -> Result<Normalized, ImportError> {
    let mean = super::kit::mean(b, x, axes)?;
    let centred = b.sub(x, mean)?;
    let square = b.mul(centred, centred)?;
    let variance = super::kit::mean(b, square, axes)?;
    let variance = add_num(b, variance, epsilon)?;
    let inverse_deviation = rsqrt(b, variance)?;
    let y = b.mul(centred, inverse_deviation)?;
    Ok(Normalized { y, mean, inverse_deviation })
}

fn epsilon(cx: &Cx) -> Result<f64, ImportError> {
    cx.attr_f("epsilon", f64::from(1e-5f32))
}

/// `x * scale + bias` in the element type of `x`; the operands broadcast.
fn affine(b: &mut Builder, x: ValueId, scale: ValueId, bias: Option<ValueId>) -> One {
    let dtype = b.dtype(x);
    let scale = b.cast(scale, dtype)?;
    let y = b.mul(x, scale)?;
    let Some(bias) = bias else { return Ok(y) };
    let bias = b.cast(bias, dtype)?;
    Ok(b.add(y, bias)?)
}

fn batch_norm(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let params = [cx.input(inputs, 1)?, cx.input(inputs, 2)?, cx.input(inputs, 3)?, cx.input(inputs, 4)?];
    let epsilon = epsilon(cx)?;
    let (dtype, rank) = (cx.b.dtype(x), cx.b.rank(x));
    let stats_dtype = cx.b.dtype(params[2]);
    let computing = wide(dtype);
    let per_place = cx.opset < 9 && !cx.attr_bool("spatial", true)?;
    let mut placed = params;
    for param in &mut placed {
        let wide = cx.b.cast(*param, computing)?;
        *param = if per_place || rank < 2 { wide } else { along(cx.b, wide, rank, 1)? };
    }
    let [scale, bias, mean, variance] = placed;
    let wide_x = cx.b.cast(x, computing)?;
    if !cx.attr_bool("training_mode", false)? {
        let b = &mut *cx.b;
        let variance = add_num(b, variance, epsilon)?;
        let inverse = rsqrt(b, variance)?;
        let factor = b.mul(scale, inverse)?;
        let shift = b.mul(mean, factor)?;
        let shift = b.sub(bias, shift)?;
        let y = b.mul(wide_x, factor)?;
        let y = b.add(y, shift)?;
        return Ok(vec![b.cast(y, dtype)?]);
    }
    let momentum = cx.attr_f("momentum", f64::from(0.9f32))?;
    let b = &mut *cx.b;
    let axes: Vec<usize> = (0..rank).filter(|axis| *axis != 1).collect();
    let batch_mean = super::kit::mean(b, wide_x, &axes)?;
    let centred = b.sub(wide_x, batch_mean)?;
    let square = b.mul(centred, centred)?;
    let batch_variance = super::kit::mean(b, square, &axes)?;
    let stable = add_num(b, batch_variance, epsilon)?;
    let inverse = rsqrt(b, stable)?;
    let y = b.mul(centred, inverse)?;
    let y = affine(b, y, scale, Some(bias))?;
    let mut running = |old: ValueId, new: ValueId| -> One {
        let old = mul_num(b, old, momentum)?;
        let new = mul_num(b, new, 1.0 - momentum)?;
        let sum = b.add(old, new)?;
        let channels = b.ty(sum).num_elements();
        let sum = b.reshape(sum, vec![channels])?;
        Ok(b.cast(sum, stats_dtype)?)
    };
    let running_mean = running(mean, batch_mean)?;
    let running_variance = running(variance, batch_variance)?;
    Ok(vec![b.cast(y, dtype)?, running_mean, running_variance])
}

fn instance_norm(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let (scale, bias) = (cx.input(inputs, 1)?, cx.input(inputs, 2)?);
    let epsilon = epsilon(cx)?;
    let b = &mut *cx.b;
    let (dtype, rank) = (b.dtype(x), b.rank(x));
    let axes: Vec<usize> = (2..rank).collect();
    let x = b.cast(x, wide(dtype))?;
    let y = normalized(b, x, &axes, epsilon)?.y;
    let (scale, bias) = (along(b, scale, rank, 1)?, along(b, bias, rank, 1)?);
    let y = affine(b, y, scale, Some(bias))?;
    Ok(vec![b.cast(y, dtype)?])
}

/// The element type in which statistics are computed, and the one in which they are told.
fn stash(cx: &Cx, dtype: DType) -> Result<(DType, DType), ImportError> {
    let told = cx.attr_dtype("stash_type")?.unwrap_or(DType::F32);
    let computing = if dtype == DType::F64 || told == DType::F64 { DType::F64 } else { DType::F32 };
    Ok((computing, told))
}

fn layer_norm(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, scale) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let bias = cx.opt(inputs, 2);
    let (dtype, rank) = (cx.b.dtype(x), cx.b.rank(x));
    let axis = cx.axis(cx.attr_i("axis", -1)?, rank)?;
    let epsilon = epsilon(cx)?;
    let (computing, told) = stash(cx, dtype)?;
    let b = &mut *cx.b;
    let axes: Vec<usize> = (axis..rank).collect();
    let x = b.cast(x, computing)?;
    let normal = normalized(b, x, &axes, epsilon)?;
    let y = affine(b, normal.y, scale, bias)?;
    Ok(vec![b.cast(y, dtype)?, b.cast(normal.mean, told)?, b.cast(normal.inverse_deviation, told)?])
}

/// `x / sqrt(mean(x^2) + epsilon)`, and the reciprocal of that root.
pub(super) fn rms_normalized(
    b: &mut Builder,
    x: ValueId,
    axes: &[usize],
    epsilon: f64,
) -> Result<(ValueId, ValueId), ImportError> {
    let square = b.mul(x, x)?;
    let mean = mean(b, square, axes)?;
    let mean = add_num(b, mean, epsilon)?;
    let inverse = rsqrt(b, mean)?;
    Ok((b.mul(x, inverse)?, inverse))
}

fn rms_norm(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, scale) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let (dtype, rank) = (cx.b.dtype(x), cx.b.rank(x));
    let axis = cx.axis(cx.attr_i("axis", -1)?, rank)?;
    let epsilon = epsilon(cx)?;
    let (computing, told) = stash(cx, dtype)?;
    let out = cx.b.dtype(scale);
    let b = &mut *cx.b;
    let axes: Vec<usize> = (axis..rank).collect();
    let x = b.cast(x, computing)?;
    let (y, inverse) = rms_normalized(b, x, &axes, epsilon)?;
    let y = affine(b, y, scale, None)?;
    Ok(vec![b.cast(y, out)?, b.cast(inverse, told)?])
}

fn group_norm(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let (scale, bias) = (cx.input(inputs, 1)?, cx.input(inputs, 2)?);
    let dtype = cx.b.dtype(x);
    let epsilon = epsilon(cx)?;
    let (computing, _) = stash(cx, dtype)?;
    let groups = match cx.attr_i("num_groups", 0)? {
        n if n > 0 => Dim::from(n),
        n => return bad(format!("num_groups {n}")),
    };
    let per_group = cx.opset < 21;
    let b = &mut *cx.b;
    let shape = b.shape(x).to_vec();
    if shape.len() < 2 {
        return bad(format!("groups of {}", b.ty(x)));
    }
    let split = [&[shape[0].clone(), groups.clone(), shape[1].clone().floor_div(groups)], &shape[2..]].concat();
    let rank = split.len();
    let axes: Vec<usize> = (2..rank).collect();
    let x = b.cast(x, computing)?;
    let x = b.reshape(x, split)?;
    let mut y = normalized(b, x, &axes, epsilon)?.y;
    if per_group {
        let (scale, bias) = (along(b, scale, rank, 1)?, along(b, bias, rank, 1)?);
        y = affine(b, y, scale, Some(bias))?;
    }
    y = b.reshape(y, shape)?;
    if !per_group {
        let (scale, bias) = (along(b, scale, rank - 1, 1)?, along(b, bias, rank - 1, 1)?);
        y = affine(b, y, scale, Some(bias))?;
    }
    Ok(vec![b.cast(y, dtype)?])
}

/// `x / norm` along an axis, 0 where the norm is 0.
fn lp_norm(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let dtype = cx.b.dtype(x);
    let axis = cx.axis(cx.attr_i("axis", -1)?, cx.b.rank(x))?;
    let p = cx.attr_i("p", 2)?;
    let b = &mut *cx.b;
    let x = b.cast(x, wide(dtype))?;
    let norm = match p {
        1 => {
            let size = b.unary(UnaryKind::Abs, x)?;
            b.reduce(ReduceKind::Sum, size, &[axis], true)?
        }
        2 => {
            let square = b.mul(x, x)?;
            let sum = b.reduce(ReduceKind::Sum, square, &[axis], true)?;
            b.unary(UnaryKind::Sqrt, sum)?
        }
        _ => return bad(format!("a norm with p = {p}")),
    };
    // x is 0 wherever the norm is, so any other divisor gives 0.
    let none = compare_num(b, CompareKind::Eq, norm, 0.0)?;
    let one = num(b, norm, 1.0)?;
    let norm = b.select(none, one, norm)?;
    let y = b.div(x, norm)?;
    Ok(vec![b.cast(y, dtype)?])
}

/// `x / (bias + alpha / size * (sum of squares of neighbouring channels)) ^ beta`.
fn lrn(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let alpha = cx.attr_f("alpha", f64::from(1e-4f32))?;
    let beta = cx.attr_f("beta", 0.75)?;
    let bias = cx.attr_f("bias", 1.0)?;
    let size = match usize::try_from(cx.attr_i("size", 0)?) {
        Ok(size) if size > 0 => size,
        _ => return bad("size is not positive"),
    };
    let b = &mut *cx.b;
    let dtype = b.dtype(x);
    let x = b.cast(x, wide(dtype))?;
    let n = b.rank(x) - 1;
    let square = b.mul(x, x)?;
    let first = |of_channels: usize, of_others: usize| {
        std::iter::once(of_channels).chain(std::iter::repeat(of_others)).take(n).collect::<Vec<usize>>()
    };
    let dims = |v: Vec<usize>| v.into_iter().map(Dim::from).collect();
    let op = ops::Pool {
        kind: ops::PoolKind::Sum,
        window: first(size, 1),
        strides: vec![1; n],
        pads_low: dims(first((size - 1) / 2, 0)),
        pads_high: dims(first(size / 2, 0)),
        dilations: vec![1; n],
    };
    let sum = b.emit(op, &[square])?;
    let scaled = mul_num(b, sum, alpha / size as f64)?;
    let base = add_num(b, scaled, bias)?;
    let divisor = with_num(b, BinaryKind::Pow, base, beta)?;
    let y = b.div(x, divisor)?;
    Ok(vec![b.cast(y, dtype)?])
}

fn mean_variance_norm(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let rank = cx.b.rank(x);
    let axes = cx.attr_ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]);
    let axes = cx.axes(&axes, rank)?;
    let b = &mut *cx.b;
    let dtype = b.dtype(x);
    let x = b.cast(x, wide(dtype))?;
    let average = mean(b, x, &axes)?;
    let centred = b.sub(x, average)?;
    let square = b.mul(centred, centred)?;
    let variance = mean(b, square, &axes)?;
    let deviation = b.unary(UnaryKind::Sqrt, variance)?;
    let deviation = add_num(b, deviation, 1e-9)?;
    let y = b.div(centred, deviation)?;
    Ok(vec![b.cast(y, dtype)?])
}
