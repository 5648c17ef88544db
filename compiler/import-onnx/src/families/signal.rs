//! Fourier transforms, windows and the mel scale.
//!
//! A transform is a contraction with a matrix of cosines and sines; frames of a signal are the windows of a convolution.

use super::kit::*;
use std::f64::consts::TAU;

pub(crate) const ROWS: &[Row] = &[
    Row::onnx("DFT", 17, dft),
    Row::onnx("STFT", 17, stft),
    Row::onnx("HannWindow", 17, |cx, inputs| window(cx, inputs, &[0.5, -0.5])),
    Row::onnx("HammingWindow", 17, |cx, inputs| window(cx, inputs, &[25.0 / 46.0, 25.0 / 46.0 - 1.0])),
    Row::onnx("BlackmanWindow", 17, |cx, inputs| window(cx, inputs, &[0.42, -0.5, 0.08])),
    Row::onnx("MelWeightMatrix", 17, mel_weight_matrix),
];

/// `cos` and `sin` of `2 pi row column / length`, as `[rows, columns]`.
fn waves(
    b: &mut Builder,
    rows: &Dim,
    columns: &Dim,
    length: &Dim,
    dtype: DType,
) -> Result<(ValueId, ValueId), ImportError> {
    let known = |dim: &Dim| dim.as_const().and_then(|d| usize::try_from(d).ok());
    if let (Some(rows), Some(columns), Some(length)) = (known(rows), known(columns), known(length)) {
        let table: Vec<f64> = (0..length).map(|i| TAU * i as f64 / length as f64).collect();
        let mut matrix = |f: fn(f64) -> f64| {
            let at = |idx: usize| {
                let turn = (idx / columns) * (idx % columns) % length;
                Scalar::Float(f(table[turn]))
            };
            b.constant(Tensor::build(dtype, vec![rows, columns], at))
        };
        return Ok((matrix(f64::cos)?, matrix(f64::sin)?));
    }
    // The product is reduced as an integer: large angles would lose their digits.
    let row = iota(b, DType::I64, rows.clone())?;
    let row = along(b, row, 2, 0)?;
    let column = iota(b, DType::I64, columns.clone())?;
    let column = along(b, column, 2, 1)?;
    let turn = b.mul(row, column)?;
    let whole = dim_value(b, length, DType::I64)?;
    let turn = b.binary(BinaryKind::Mod, turn, whole)?;
    let turn = b.cast(turn, DType::F64)?;
    let whole = dim_value(b, length, DType::F64)?;
    let part = b.div(turn, whole)?;
    let angle = mul_num(b, part, TAU)?;
    let (cos, sin) = (b.unary(UnaryKind::Cos, angle)?, b.unary(UnaryKind::Sin, angle)?);
    Ok((b.cast(cos, dtype)?, b.cast(sin, dtype)?))
}

/// What a transform does along its axis.
struct Transform {
    axis: usize,
    /// Length of the full transform.
    length: Dim,
    inverse: bool,
    onesided: bool,
}

fn dft(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let rank = cx.b.rank(x);
    let axis = match cx.opt(inputs, 2) {
        Some(axis) if cx.opset >= 20 => cx.const_int(axis)?,
        _ => cx.attr_i("axis", if cx.opset < 20 { 1 } else { -2 })?,
    };
    let axis = cx.axis(axis, rank)?;
    let inverse = cx.attr_bool("inverse", false)?;
    let onesided = cx.attr_bool("onesided", false)?;
    if rank < 2 || axis + 1 == rank {
        return bad(format!("a transform of axis {axis} of {}", cx.b.ty(x)));
    }
    let size = cx.b.shape(x)[axis].clone();
    let length = match cx.opt(inputs, 1) {
        Some(length) => cx.runtime_dim(length)?,
        None if inverse && onesided => (size - 1.into()) * 2.into(),
        None => size,
    };
    let transform = Transform { axis, length, inverse, onesided };
    Ok(vec![transformed(cx, x, &transform)?])
}

/// The part of an axis that a transform of this length reads: what is missing counts as zeros.
fn cut(cx: &mut Cx, x: ValueId, axis: usize, length: &Dim) -> One {
    let size = cx.b.shape(x)[axis].clone();
    match (size.clone() - length.clone()).as_const() {
        Some(more) if more > 0 => slice_axis(cx.b, x, axis, 0, length.clone()),
        Some(_) => Ok(x),
        None => {
            let least = size.min(length.clone());
            slice_axis(cx.b, x, axis, 0, least)
        }
    }
}

fn transformed(cx: &mut Cx, x: ValueId, transform: &Transform) -> One {
    let rank = cx.b.rank(x);
    let dtype = cx.b.dtype(x);
    let computing = wide(dtype);
    let complex = match cx.const_dim(&cx.b.shape(x)[rank - 1])? {
        1 => false,
        2 => true,
        n => return bad(format!("numbers of {n} parts")),
    };
    let half = transform.length.clone().floor_div(2.into()) + 1.into();
    let to_real = transform.inverse && transform.onesided;
    let read = if to_real { &half } else { &transform.length };
    let x = cut(cx, x, transform.axis, read)?;
    let b = &mut *cx.b;
    let x = b.cast(x, computing)?;
    let rows = b.shape(x)[transform.axis].clone();
    let columns = if transform.onesided && !transform.inverse { half } else { transform.length.clone() };
    let (mut cos, mut sin) = waves(b, &rows, &columns, &transform.length, computing)?;
    if transform.inverse {
        let scale = inverse_scale(b, transform, &rows, computing)?;
        cos = b.mul(cos, scale)?;
        sin = b.mul(sin, scale)?;
    }
    let against = b.unary(UnaryKind::Neg, sin)?;
    // e^(-i a) = cos a - i sin a forward, its conjugate backward.
    let (turn, back) = if transform.inverse { (sin, against) } else { (against, sin) };
    let parts = |b: &mut Builder, real: ValueId, imaginary: ValueId| {
        if to_real { unsqueeze(b, real, 2) } else { stack(b, &[real, imaginary], 2) }
    };
    let of_real = parts(b, cos, turn)?;
    let real = pick(b, x, rank - 1, 0)?;
    let contract = [transform.axis];
    let mut y = dot(b, (real, &[], &contract), (of_real, &[], &[0]), computing)?;
    if complex {
        let of_imaginary = parts(b, back, cos)?;
        let imaginary = pick(b, x, rank - 1, 1)?;
        let more = dot(b, (imaginary, &[], &contract), (of_imaginary, &[], &[0]), computing)?;
        y = b.add(y, more)?;
    }
    let perm = (0..transform.axis).chain([rank - 2]).chain(transform.axis..rank - 2).chain([rank - 1]).collect();
    let y = b.transpose(y, perm)?;
    Ok(b.cast(y, dtype)?)
}

/// `1 / length` for each row of an inverse transform; to a real signal, rows that stand for two mirrored ones count twice.
fn inverse_scale(b: &mut Builder, transform: &Transform, rows: &Dim, dtype: DType) -> One {
    let one = b.scalar(dtype, 1.0)?;
    let length = dim_value(b, &transform.length, dtype)?;
    let scale = b.div(one, length)?;
    if !transform.onesided {
        return Ok(scale);
    }
    let row = iota(b, dtype, rows.clone())?;
    let doubled = mul_num(b, row, 2.0)?;
    let first = compare_num(b, CompareKind::Eq, row, 0.0)?;
    let middle = b.compare(CompareKind::Eq, doubled, length)?;
    let alone = b.binary(BinaryKind::Or, first, middle)?;
    let twice = mul_num(b, scale, 2.0)?;
    let scale = b.select(alone, scale, twice)?;
    along(b, scale, 2, 0)
}

fn stft(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let step = cx.input(inputs, 1)?;
    let window = cx.opt(inputs, 2);
    let onesided = cx.attr_bool("onesided", true)?;
    if cx.b.rank(x) != 3 {
        return bad(format!("frames of {}", cx.b.ty(x)));
    }
    let step = match usize::try_from(cx.const_int(step)?) {
        Ok(step) if step > 0 => step,
        _ => return bad("frame_step is not positive"),
    };
    let length = match (cx.opt(inputs, 3), window) {
        (Some(length), _) => cx.runtime_dim(length)?,
        (None, Some(window)) => cx.b.shape(window)[0].clone(),
        (None, None) => return bad("neither window nor frame_length is given"),
    };
    let complex = cx.const_dim(&cx.b.shape(x)[2])? == 2;
    let b = &mut *cx.b;
    let dtype = b.dtype(x);
    let computing = wide(dtype);
    let bins = if onesided { length.clone().floor_div(2.into()) + 1.into() } else { length.clone() };
    let (mut cos, mut sin) = waves(b, &bins, &length, &length, computing)?;
    if let Some(window) = window {
        let window = b.cast(window, computing)?;
        let window = along(b, window, 2, 1)?;
        cos = b.mul(cos, window)?;
        sin = b.mul(sin, window)?;
    }
    let against = b.unary(UnaryKind::Neg, sin)?;
    let (real, imaginary) = if complex {
        (stack(b, &[cos, sin], 1)?, stack(b, &[against, cos], 1)?)
    } else {
        (unsqueeze(b, cos, 1)?, unsqueeze(b, against, 1)?)
    };
    let filters = stack(b, &[real, imaginary], 1)?;
    let parts = Dim::from(if complex { 2 } else { 1 });
    let filters = b.reshape(filters, vec![bins.clone() * 2.into(), parts, length])?;
    let x = b.cast(x, computing)?;
    let x = b.transpose(x, vec![0, 2, 1])?;
    let op = ops::Conv {
        strides: vec![step],
        pads_low: vec![0.into()],
        pads_high: vec![0.into()],
        dilations: vec![1],
        base_dilations: vec![1],
        groups: 1,
        out: computing,
    };
    let y = b.emit(op, &[x, filters])?;
    let (batch, frames) = (b.shape(y)[0].clone(), b.shape(y)[2].clone());
    let y = b.reshape(y, vec![batch, bins, 2.into(), frames])?;
    let y = b.transpose(y, vec![0, 3, 1, 2])?;
    Ok(vec![b.cast(y, dtype)?])
}

/// A sum of cosines with these factors.
fn window(cx: &mut Cx, inputs: Inputs, factors: &[f64]) -> OpResult {
    let size = cx.input(inputs, 0)?;
    let size = cx.runtime_dim(size)?;
    let periodic = cx.attr_bool("periodic", true)?;
    let out = cx.attr_dtype("output_datatype")?.unwrap_or(DType::F32);
    let computing = if out == DType::F64 { DType::F64 } else { DType::F32 };
    let b = &mut *cx.b;
    let period = if periodic { size.clone() } else { size.clone() - 1.into() };
    let period = dim_value(b, &period, computing)?;
    let index = iota(b, computing, size)?;
    let part = b.div(index, period)?;
    let angle = mul_num(b, part, TAU)?;
    let mut sum = num(b, angle, factors[0])?;
    for (order, factor) in factors.iter().enumerate().skip(1) {
        let angle = mul_num(b, angle, order as f64)?;
        let wave = b.unary(UnaryKind::Cos, angle)?;
        let wave = mul_num(b, wave, *factor)?;
        sum = b.add(sum, wave)?;
    }
    Ok(vec![b.cast(sum, out)?])
}

/// Triangles on the mel scale; the operands are constants in practice, and the matrix is one here.
fn mel_weight_matrix(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let mut operands = [0.0; 5];
    for (idx, operand) in operands.iter_mut().enumerate() {
        let value = cx.input(inputs, idx)?;
        *operand = cx.const_f64(value)?;
    }
    let [n_mel, length, rate, low, high] = operands;
    let out = cx.attr_dtype("output_datatype")?.unwrap_or(DType::F32);
    if !(1.0..=1e6).contains(&n_mel) || !(1.0..=1e6).contains(&length) || rate <= 0.0 {
        return bad(format!("a mel matrix of {operands:?}"));
    }
    let (n_mel, rows) = (n_mel as usize, length as usize / 2 + 1);
    let mel = |hertz: f64| 2595.0 * (hertz / 700.0).ln_1p() / std::f64::consts::LN_10;
    let step = (mel(high) - mel(low)) / (n_mel + 2) as f64;
    let bin = |idx: usize| {
        let hertz = 700.0 * ((idx as f64 * step + mel(low)) / 2595.0 * std::f64::consts::LN_10).exp_m1();
        ((length + 1.0) * hertz / rate).floor() as i64
    };
    let bins: Vec<i64> = (0..n_mel + 2).map(bin).collect();
    let at = |idx: usize| {
        let (row, column) = ((idx / n_mel) as i64, idx % n_mel);
        let (left, centre, right) = (bins[column], bins[column + 1], bins[column + 2]);
        let rising = if centre == left && row == centre {
            1.0
        } else if (left..=centre).contains(&row) && centre > left {
            (row - left) as f64 / (centre - left) as f64
        } else {
            0.0
        };
        Scalar::Float(if right > centre && (centre..right).contains(&row) {
            (right - row) as f64 / (right - centre) as f64
        } else {
            rising
        })
    };
    let matrix = Tensor::build(out, vec![rows, n_mel], at);
    Ok(vec![cx.b.constant(matrix)?])
}
