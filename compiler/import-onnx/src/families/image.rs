//! Image layout and small linear algebra: `CenterCropPad`, `Col2Im`, `Det`.

use super::kit::*;
use super::windows::{explicit_pads, positive};

pub(crate) const ROWS: &[Row] =
    &[Row::onnx("CenterCropPad", 18, center_crop_pad), Row::onnx("Col2Im", 18, col2im), Row::onnx("Det", 11, det)];

fn center_crop_pad(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, sizes) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let rank = cx.b.rank(x);
    let axes = match cx.attr_ints("axes")? {
        Some(axes) => cx.axes(&axes, rank)?,
        None => (0..rank).collect(),
    };
    let sizes = cx.runtime_dims(sizes)?;
    if sizes.len() != axes.len() {
        return bad(format!("{} sizes for {} axes", sizes.len(), axes.len()));
    }
    let b = &mut *cx.b;
    let mut y = x;
    let (mut low, mut high) = (vec![Dim::from(0); rank], vec![Dim::from(0); rank]);
    for (axis, wanted) in axes.into_iter().zip(sizes) {
        let size = b.shape(x)[axis].clone();
        let kept = size.clone().min(wanted.clone());
        let start = (size - kept.clone()).floor_div(2.into());
        y = slice_axis(b, y, axis, start, kept.clone())?;
        let more = wanted - kept;
        low[axis] = more.clone().floor_div(2.into());
        high[axis] = more - low[axis].clone();
    }
    Ok(vec![pad_num(b, y, low, high, 0.0)?])
}

/// Adds every element of the columns to its place in the padded image, and cuts the padding off.
fn col2im(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let (image, block) = (cx.input(inputs, 1)?, cx.input(inputs, 2)?);
    let image = cx.runtime_dims(image)?;
    let n = image.len();
    let block: Vec<usize> = cx.const_ints(block)?.iter().map(|k| usize::try_from(*k).unwrap_or(0)).collect();
    if block.len() != n || block.contains(&0) {
        return bad(format!("a block {block:?} of {n} axes"));
    }
    let strides = positive(cx, "strides", n)?;
    let dilations = positive(cx, "dilations", n)?;
    let (low, high) = explicit_pads(cx, n)?;
    let b = &mut *cx.b;
    let shape = b.shape(x).to_vec();
    if shape.len() != 3 {
        return bad(format!("columns in {}", b.ty(x)));
    }
    let taps = Dim::from(block.iter().product::<usize>());
    let channels = shape[1].clone().floor_div(taps.clone());
    let padded: Vec<Dim> = (0..n).map(|axis| image[axis].clone() + (low[axis] + high[axis]).into()).collect();
    // The flat place of each [kernel.., window..] in the padded image.
    let mut place = b.scalar(DType::I64, 0.0)?;
    let mut full = Vec::new();
    for axis in 0..n {
        let reach = ((block[axis] - 1) * dilations[axis] + 1) as i64;
        let windows = (padded[axis].clone() - reach.into()).floor_div(strides[axis].into()) + 1.into();
        let tap = iota(b, DType::I64, block[axis])?;
        let tap = mul_num(b, tap, dilations[axis] as f64)?;
        let tap = along(b, tap, 2 * n, axis)?;
        let window = iota(b, DType::I64, windows.clone())?;
        let window = mul_num(b, window, strides[axis] as f64)?;
        let window = along(b, window, 2 * n, n + axis)?;
        let coordinate = b.add(tap, window)?;
        let size = dim_value(b, &padded[axis], DType::I64)?;
        let rows = b.mul(place, size)?;
        place = b.add(rows, coordinate)?;
        full.push(windows);
    }
    let images = shape[0].clone() * channels.clone();
    let columns = taps * product(&full);
    let place = b.reshape(place, vec![1.into(), columns.clone()])?;
    let place = b.broadcast(place, vec![images.clone(), columns.clone()])?;
    let updates = b.reshape(x, vec![images.clone(), columns])?;
    let zero = num(b, x, 0.0)?;
    let zeros = b.broadcast(zero, vec![images, product(&padded)])?;
    let op = ops::ScatterElements { axis: 1, kind: ops::ScatterKind::Add };
    let y = b.emit(op, &[zeros, place, updates])?;
    let shape = [&[shape[0].clone(), channels], &padded[..]].concat();
    let mut y = b.reshape(y, shape)?;
    for axis in 0..n {
        y = slice_axis(b, y, axis + 2, low[axis], image[axis].clone())?;
    }
    Ok(vec![y])
}

/// Larger matrices would unfold into too many nodes.
const MAX_DET: usize = 32;

/// By elimination with row exchanges, unrolled.
fn det(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let shape = cx.b.shape(x).to_vec();
    let Some((last, [batch @ .., _])) = shape.split_last() else {
        return bad(format!("the determinant of {}", cx.b.ty(x)));
    };
    let n = cx.const_dim(last)?;
    if n > MAX_DET {
        return unsupported(format!("the determinant of matrices with {n} rows"));
    }
    let b = &mut *cx.b;
    let dtype = b.dtype(x);
    let x = b.cast(x, wide(dtype))?;
    let mut rest = b.reshape(x, vec![product(batch), n.into(), n.into()])?;
    let one = num(b, rest, 1.0)?;
    let mut result = b.broadcast(one, vec![product(batch)])?;
    for size in (1..=n).rev() {
        let pivot;
        (pivot, rest) = eliminated(b, rest, size)?;
        result = b.mul(result, pivot)?;
    }
    let result = b.reshape(result, batch.to_vec())?;
    Ok(vec![b.cast(result, dtype)?])
}

/// The signed pivot of the first column, and the matrix that is left: one row and one column less.
fn eliminated(b: &mut Builder, x: ValueId, size: usize) -> Result<(ValueId, ValueId), ImportError> {
    if size == 1 {
        let only = pick(b, x, 2, 0)?;
        return Ok((pick(b, only, 1, 0)?, x));
    }
    let column = pick(b, x, 2, 0)?;
    let magnitude = b.unary(UnaryKind::Abs, column)?;
    let best = b.emit(ops::ArgReduce { kind: ops::ArgKind::Max, axis: 1, last: false }, &[magnitude])?;
    let best = unsqueeze(b, best, 1)?;
    let best_row = b.emit(ops::GatherNd { batch_dims: 1 }, &[x, best])?;
    let first_row = pick(b, x, 1, 0)?;
    // Rows behind the first: the best one is replaced by the first.
    let others = slice_axis(b, x, 1, 1, size - 1)?;
    let index = iota(b, DType::I64, size - 1)?;
    let index = add_num(b, index, 1.0)?;
    let index = along(b, index, 2, 1)?;
    let replaced = b.compare(CompareKind::Eq, index, best)?;
    let replaced = unsqueeze(b, replaced, 2)?;
    let first_row = unsqueeze(b, first_row, 1)?;
    let others = b.select(replaced, first_row, others)?;
    let pivot = slice_axis(b, best_row, 1, 0, 1)?;
    let none = compare_num(b, CompareKind::Eq, pivot, 0.0)?;
    let one = num(b, pivot, 1.0)?;
    let divisor = b.select(none, one, pivot)?;
    let divisor = unsqueeze(b, divisor, 2)?;
    let heads = slice_axis(b, others, 2, 0, 1)?;
    let factor = b.div(heads, divisor)?;
    let tail = slice_axis(b, best_row, 1, 1, size - 1)?;
    let tail = unsqueeze(b, tail, 1)?;
    let taken = b.mul(factor, tail)?;
    let others = slice_axis(b, others, 2, 1, size - 1)?;
    let rest = b.sub(others, taken)?;
    let exchanged = compare_num(b, CompareKind::Ne, best, 0.0)?;
    let negated = b.unary(UnaryKind::Neg, pivot)?;
    let signed = b.select(exchanged, negated, pivot)?;
    Ok((pick(b, signed, 1, 0)?, rest))
}
