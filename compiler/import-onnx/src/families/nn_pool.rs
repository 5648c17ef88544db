//! Pooling over windows, over all places, and its inverse.

use super::kit::*;
use super::windows::{Windows, explicit_pads, positive};

pub(crate) const ROWS: &[Row] = &[
    Row::onnx("MaxPool", 1, max_pool),
    Row::onnx("AveragePool", 1, average_pool),
    Row::onnx("LpPool", 1, lp_pool),
    Row::onnx("GlobalMaxPool", 1, global_max_pool),
    Row::onnx("GlobalAveragePool", 1, global_average_pool),
    Row::onnx("GlobalLpPool", 1, global_lp_pool),
    Row::onnx("MaxUnpool", 9, max_unpool),
];

fn spatial_axes(b: &Builder, x: ValueId) -> Vec<usize> {
    (2..b.rank(x)).collect()
}

fn read(cx: &Cx, x: ValueId) -> Result<(Vec<Dim>, Windows), ImportError> {
    if cx.b.rank(x) < 3 {
        return bad(format!("a pool over {}", cx.b.ty(x)));
    }
    let spatial = cx.b.shape(x)[2..].to_vec();
    if !cx.has_attr("kernel_shape") {
        return bad("kernel_shape is missing");
    }
    let kernel = positive(cx, "kernel_shape", spatial.len())?;
    let mut windows = Windows::read(cx, &spatial, kernel)?;
    if cx.attr_bool("ceil_mode", false)? {
        windows.include_partial(&spatial);
    }
    Ok((spatial, windows))
}

fn pooled(b: &mut Builder, kind: ops::PoolKind, x: ValueId, windows: &Windows) -> One {
    let op = ops::Pool {
        kind,
        window: windows.kernel.clone(),
        strides: windows.strides.clone(),
        pads_low: windows.low.clone(),
        pads_high: windows.high.clone(),
        dilations: windows.dilations.clone(),
    };
    Ok(b.emit(op, &[x])?)
}

fn max_pool(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let (_, windows) = read(cx, x)?;
    let y = pooled(cx.b, ops::PoolKind::Max, x, &windows)?;
    if !cx.wants(1) {
        return Ok(vec![y]);
    }
    let op = ops::PoolArgMax {
        window: windows.kernel,
        strides: windows.strides,
        pads_low: windows.low,
        pads_high: windows.high,
        dilations: windows.dilations,
        column_major: cx.attr_bool("storage_order", false)?,
    };
    Ok(vec![y, cx.b.emit(op, &[x])?])
}

/// For each window along one axis, how many of its elements count.
fn counts(b: &mut Builder, windows: &Windows, axis: usize, size: Dim, low: Dim, high: Dim) -> One {
    let one = b.scalar(DType::F32, 1.0)?;
    let ones = b.broadcast(one, vec![size])?;
    let op = ops::Pool {
        kind: ops::PoolKind::Sum,
        window: vec![windows.kernel[axis]],
        strides: vec![windows.strides[axis]],
        pads_low: vec![low],
        pads_high: vec![high],
        dilations: vec![windows.dilations[axis]],
    };
    Ok(b.emit(op, &[ones])?)
}

/// The number that all elements of a constant are equal to.
fn uniform(b: &Builder, x: ValueId) -> Option<f64> {
    let constant = b.constant_of(x)?;
    let mut values = constant.iter().map(Scalar::as_f64);
    let first = values.next()?;
    values.all(|v| v == first).then_some(first)
}

/// Divides the sums of windows by how many elements count in each.
fn divided(
    b: &mut Builder,
    mut sum: ValueId,
    spatial: &[Dim],
    windows: &Windows,
    padding: Option<&(Vec<i64>, Vec<i64>)>,
) -> One {
    let (rank, dtype) = (b.rank(sum), b.dtype(sum));
    let zero = |dim: &Dim| dim.as_const() == Some(0);
    let mut whole = 1.0;
    for (axis, size) in spatial.iter().enumerate() {
        let (low, high) = (windows.low[axis].clone(), windows.high[axis].clone());
        if zero(&low) && zero(&high) {
            whole *= windows.kernel[axis] as f64;
            continue;
        }
        let count = match padding {
            // Padding that the model asks for counts; what `ceil_mode` adds does not.
            Some((before, after)) => {
                let behind = Dim::from(after[axis]).min(high.clone());
                let size = size.clone() + before[axis].into() + behind.clone();
                counts(b, windows, axis, size, 0.into(), high - behind)?
            }
            None => counts(b, windows, axis, size.clone(), low, high)?,
        };
        match uniform(b, count) {
            Some(n) => whole *= n,
            None => {
                let count = b.cast(count, dtype)?;
                let count = along(b, count, rank, 2 + axis)?;
                sum = b.div(sum, count)?;
            }
        }
    }
    if whole == 1.0 {
        return Ok(sum);
    }
    with_num(b, BinaryKind::Div, sum, whole)
}

fn average_pool(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let (spatial, windows) = read(cx, x)?;
    let n = spatial.len();
    let padding = if !cx.attr_bool("count_include_pad", false)? {
        None
    } else if cx.attr_s("auto_pad", "NOTSET")?.starts_with("SAME") {
        let numbers = |dims: &[Dim]| -> Result<Vec<i64>, ImportError> {
            dims.iter().map(|d| cx.const_dim(d).map(|d| d as i64)).collect()
        };
        Some((numbers(&windows.low)?, numbers(&windows.high)?))
    } else {
        Some(explicit_pads(cx, n)?)
    };
    let b = &mut *cx.b;
    let dtype = b.dtype(x);
    let x = b.cast(x, wide(dtype))?;
    let sum = pooled(b, ops::PoolKind::Sum, x, &windows)?;
    let mean = divided(b, sum, &spatial, &windows, padding.as_ref())?;
    Ok(vec![b.cast(mean, dtype)?])
}

/// `|x| ^ p`, and the inverse of that power.
fn powers(b: &mut Builder, x: ValueId, p: i64) -> One {
    match p {
        1 => Ok(b.unary(UnaryKind::Abs, x)?),
        2 => Ok(b.mul(x, x)?),
        _ => {
            let size = b.unary(UnaryKind::Abs, x)?;
            with_num(b, BinaryKind::Pow, size, p as f64)
        }
    }
}

fn root(b: &mut Builder, x: ValueId, p: i64) -> One {
    match p {
        1 => Ok(x),
        2 => Ok(b.unary(UnaryKind::Sqrt, x)?),
        _ => with_num(b, BinaryKind::Pow, x, 1.0 / p as f64),
    }
}

fn lp_pool(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let (_, windows) = read(cx, x)?;
    let p = cx.attr_i("p", 2)?;
    let b = &mut *cx.b;
    let dtype = b.dtype(x);
    let x = b.cast(x, wide(dtype))?;
    let powers = powers(b, x, p)?;
    let sum = pooled(b, ops::PoolKind::Sum, powers, &windows)?;
    let norm = root(b, sum, p)?;
    Ok(vec![b.cast(norm, dtype)?])
}

fn global_max_pool(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let axes = spatial_axes(cx.b, x);
    Ok(vec![cx.b.reduce(ReduceKind::Max, x, &axes, true)?])
}

fn global_average_pool(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let axes = spatial_axes(cx.b, x);
    let dtype = cx.b.dtype(x);
    let x = cx.b.cast(x, wide(dtype))?;
    let y = mean(cx.b, x, &axes)?;
    Ok(vec![cx.b.cast(y, dtype)?])
}

fn global_lp_pool(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let p = cx.attr_i("p", 2)?;
    let axes = spatial_axes(cx.b, x);
    let b = &mut *cx.b;
    let dtype = b.dtype(x);
    let x = b.cast(x, wide(dtype))?;
    let powers = powers(b, x, p)?;
    let sum = b.reduce(ReduceKind::Sum, powers, &axes, true)?;
    let norm = root(b, sum, p)?;
    Ok(vec![b.cast(norm, dtype)?])
}

/// Every element at the place that its index names, zeros elsewhere.
fn max_unpool(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, indices) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let spatial = cx.b.shape(x)[2..].to_vec();
    let n = spatial.len();
    let kernel = positive(cx, "kernel_shape", n)?;
    let strides = positive(cx, "strides", n)?;
    let (low, high) = explicit_pads(cx, n)?;
    let mut shape = cx.b.shape(x)[..2].to_vec();
    for axis in 0..n {
        let spread = (spatial[axis].clone() - 1.into()) * strides[axis].into();
        shape.push(spread + (kernel[axis] as i64 - low[axis] - high[axis]).into());
    }
    let wanted = match cx.opt(inputs, 2) {
        Some(value) => Some(cx.runtime_dims(value)?),
        None => None,
    };
    let b = &mut *cx.b;
    let count = b.ty(x).num_elements();
    let zero = num(b, x, 0.0)?;
    let zeros = b.broadcast(zero, vec![product(&shape)])?;
    let flat = b.reshape(x, vec![count.clone()])?;
    let indices = b.reshape(indices, vec![count])?;
    let op = ops::ScatterElements { axis: 0, kind: ops::ScatterKind::Replace };
    let filled = b.emit(op, &[zeros, indices, flat])?;
    let y = b.reshape(filled, shape.clone())?;
    let Some(wanted) = wanted else {
        return Ok(vec![y]);
    };
    let high = wanted.iter().zip(&shape).map(|(to, from)| to.clone() - from.clone()).collect();
    Ok(vec![pad_num(b, y, vec![0.into(); n + 2], high, 0.0)?])
}
