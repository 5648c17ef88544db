//! Regions of interest: `RoiAlign` and `MaxRoiPool`.

use super::kit::*;

pub(crate) const ROWS: &[Row] = &[Row::onnx("RoiAlign", 10, roi_align), Row::onnx("MaxRoiPool", 1, max_roi_pool)];

/// Sample places along one axis, `[regions, bins * samples]`: two neighbours with weights.
struct Samples {
    low: ValueId,
    high: ValueId,
    low_weight: ValueId,
    high_weight: ValueId,
    /// How many samples lie in a bin of each region, `[regions, 1]`; at least 1.
    count: ValueId,
    /// Which samples exist, `[regions, bins * samples]`.
    exists: ValueId,
    /// Most samples of any bin.
    most: Dim,
    bins: Dim,
}

/// What is the same for both axes.
struct Align {
    ratio: i64,
    half_pixel: bool,
    scale: f64,
}

/// The column `idx` of `[regions, n]`, as `[regions, 1]`.
fn column(b: &mut Builder, rois: ValueId, idx: usize) -> One {
    slice_axis(b, rois, 1, idx, 1)
}

impl Align {
    fn edge(&self, b: &mut Builder, rois: ValueId, idx: usize) -> One {
        let edge = column(b, rois, idx)?;
        let edge = mul_num(b, edge, self.scale)?;
        add_num(b, edge, if self.half_pixel { -0.5 } else { 0.0 })
    }

    /// The samples of an axis whose begin and end are these columns.
    fn samples(
        &self,
        cx: &mut Cx,
        rois: ValueId,
        columns: [usize; 2],
        bins: i64,
        size: &Dim,
    ) -> Result<Samples, ImportError> {
        let dtype = cx.b.dtype(rois);
        let begin = self.edge(cx.b, rois, columns[0])?;
        let end = self.edge(cx.b, rois, columns[1])?;
        let mut extent = cx.b.sub(end, begin)?;
        if !self.half_pixel {
            extent = with_num(cx.b, BinaryKind::Max, extent, 1.0)?;
        }
        let bin = with_num(cx.b, BinaryKind::Div, extent, bins as f64)?;
        let (grid, most) = if self.ratio > 0 {
            let grid = num(cx.b, bin, self.ratio as f64)?;
            let grid = cx.b.broadcast(grid, cx.b.shape(bin).to_vec())?;
            (grid, Dim::from(self.ratio))
        } else {
            // As many samples as a bin has elements: the largest region tells how many places to make.
            let grid = cx.b.unary(UnaryKind::Ceil, bin)?;
            let grid = with_num(cx.b, BinaryKind::Max, grid, 0.0)?;
            let most = cx.b.reduce(ReduceKind::Max, grid, &[0, 1], false)?;
            let most = with_num(cx.b, BinaryKind::Max, most, 1.0)?;
            let most = cx.b.cast(most, DType::I64)?;
            let most = cx.b.reshape(most, vec![1.into()])?;
            (grid, cx.runtime_dim(most)?)
        };
        let b = &mut *cx.b;
        let count = with_num(b, BinaryKind::Max, grid, 1.0)?;
        let bin_index = iota(b, dtype, bins)?;
        let bin_index = along(b, bin_index, 3, 1)?;
        let sample = iota(b, dtype, most.clone())?;
        let sample = along(b, sample, 3, 2)?;
        let three = |b: &mut Builder, v: ValueId| unsqueeze(b, v, 2);
        let (begin, bin, wide_count) = (three(b, begin)?, three(b, bin)?, three(b, count)?);
        let grid = three(b, grid)?;
        let exists = b.compare(CompareKind::Lt, sample, grid)?;
        let walked = b.mul(bin_index, bin)?;
        let middle = add_num(b, sample, 0.5)?;
        let inside = b.mul(middle, bin)?;
        let inside = b.div(inside, wide_count)?;
        let place = b.add(begin, walked)?;
        let place = b.add(place, inside)?;
        let regions = b.shape(rois)[0].clone();
        let flat = vec![regions, Dim::from(bins) * most.clone()];
        let full = b.shape(place).to_vec();
        let place = b.reshape(place, flat.clone())?;
        let exists = b.broadcast(exists, full)?;
        let exists = b.reshape(exists, flat)?;
        neighbours(b, place, exists, count, most, bins.into(), size)
    }
}

fn neighbours(
    b: &mut Builder,
    place: ValueId,
    exists: ValueId,
    count: ValueId,
    most: Dim,
    bins: Dim,
    size: &Dim,
) -> Result<Samples, ImportError> {
    let dtype = b.dtype(place);
    let end = dim_value(b, size, dtype)?;
    let last = dim_value(b, &(size.clone() - 1.into()), dtype)?;
    let before = compare_num(b, CompareKind::Lt, place, -1.0)?;
    let behind = b.compare(CompareKind::Gt, place, end)?;
    let outside = b.binary(BinaryKind::Or, before, behind)?;
    let place = with_num(b, BinaryKind::Max, place, 0.0)?;
    let place = b.binary(BinaryKind::Min, place, last)?;
    let low = b.unary(UnaryKind::Floor, place)?;
    let ratio = b.sub(place, low)?;
    let high = add_num(b, low, 1.0)?;
    let high = b.binary(BinaryKind::Min, high, last)?;
    let rest = num_sub(b, 1.0, ratio)?;
    let zero = num(b, ratio, 0.0)?;
    Ok(Samples {
        low: b.cast(low, DType::I64)?,
        high: b.cast(high, DType::I64)?,
        low_weight: b.select(outside, zero, rest)?,
        high_weight: b.select(outside, zero, ratio)?,
        count,
        exists,
        most,
        bins,
    })
}

fn roi_align(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, rois, batch) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?, cx.input(inputs, 2)?);
    let default = if cx.opset < 16 { "output_half_pixel" } else { "half_pixel" };
    let coordinates = cx.attr_s("coordinate_transformation_mode", default)?;
    let align = Align {
        ratio: cx.attr_i("sampling_ratio", 0)?,
        half_pixel: coordinates == "half_pixel",
        scale: cx.attr_f("spatial_scale", 1.0)?,
    };
    let (height, width) = (cx.attr_i("output_height", 1)?.max(1), cx.attr_i("output_width", 1)?.max(1));
    let max = match cx.attr_s("mode", "avg")?.as_str() {
        "avg" => false,
        "max" => true,
        other => return bad(format!("mode {other}")),
    };
    let dtype = cx.b.dtype(x);
    let computing = wide(dtype);
    let x = cx.b.cast(x, computing)?;
    let rois = cx.b.cast(rois, computing)?;
    let shape = cx.b.shape(x).to_vec();
    let [_, _, rows, columns] = &shape[..] else {
        return bad(format!("regions of {}", cx.b.ty(x)));
    };
    let ys = align.samples(cx, rois, [1, 3], height, rows)?;
    let xs = align.samples(cx, rois, [0, 2], width, columns)?;
    let y = sampled(cx.b, x, batch, &ys, &xs, max)?;
    Ok(vec![cx.b.cast(y, dtype)?])
}

/// The samples of all regions combined bin by bin.
fn sampled(b: &mut Builder, x: ValueId, batch: ValueId, ys: &Samples, xs: &Samples, max: bool) -> One {
    let shape = b.shape(x).to_vec();
    let channels = shape[1].clone();
    let last = b.transpose(x, vec![0, 2, 3, 1])?;
    let places = shape[0].clone() * shape[2].clone() * shape[3].clone();
    let flat = b.reshape(last, vec![places, channels.clone()])?;
    let batch = b.cast(batch, DType::I64)?;
    let batch = along(b, batch, 3, 0)?;
    let rows = dim_value(b, &shape[2], DType::I64)?;
    let columns = dim_value(b, &shape[3], DType::I64)?;
    let first_row = b.mul(batch, rows)?;
    let row = |b: &mut Builder, v: ValueId| unsqueeze(b, v, 2);
    let column = |b: &mut Builder, v: ValueId| unsqueeze(b, v, 1);
    let mut corners = Vec::new();
    for (y, y_weight) in [(ys.low, ys.low_weight), (ys.high, ys.high_weight)] {
        for (x, x_weight) in [(xs.low, xs.low_weight), (xs.high, xs.high_weight)] {
            let y = row(b, y)?;
            let y = b.add(first_row, y)?;
            let line = b.mul(y, columns)?;
            let x = column(b, x)?;
            let index = b.add(line, x)?;
            let value = b.emit(ops::Gather { axis: 0 }, &[flat, index])?;
            let (y_weight, x_weight) = (row(b, y_weight)?, column(b, x_weight)?);
            let weight = b.mul(y_weight, x_weight)?;
            let weight = unsqueeze(b, weight, 3)?;
            corners.push(b.mul(value, weight)?);
        }
    }
    let kind = if max { BinaryKind::Max } else { BinaryKind::Add };
    let mut value = corners[0];
    for corner in &corners[1..] {
        value = b.binary(kind, value, *corner)?;
    }
    let (y_exists, x_exists) = (row(b, ys.exists)?, column(b, xs.exists)?);
    let exists = b.binary(BinaryKind::And, y_exists, x_exists)?;
    let exists = unsqueeze(b, exists, 3)?;
    let missing = num(b, value, if max { f64::NEG_INFINITY } else { 0.0 })?;
    let value = b.select(exists, value, missing)?;
    let regions = b.shape(value)[0].clone();
    let split = vec![regions, ys.bins.clone(), ys.most.clone(), xs.bins.clone(), xs.most.clone(), channels];
    let value = b.reshape(value, split)?;
    let pooled = if max {
        let best = b.reduce(ReduceKind::Max, value, &[2, 4], false)?;
        nothing_is_zero(b, best)?
    } else {
        let sum = b.reduce(ReduceKind::Sum, value, &[2, 4], false)?;
        let count = b.mul(ys.count, xs.count)?;
        let count = unsqueeze(b, count, 2)?;
        let count = unsqueeze(b, count, 3)?;
        b.div(sum, count)?
    };
    Ok(b.transpose(pooled, vec![0, 3, 1, 2])?)
}

/// 0 where a maximum is over nothing.
fn nothing_is_zero(b: &mut Builder, x: ValueId) -> One {
    let nothing = compare_num(b, CompareKind::Eq, x, f64::NEG_INFINITY)?;
    let zero = num(b, x, 0.0)?;
    Ok(b.select(nothing, zero, x)?)
}

/// Which elements of an axis belong to each bin: `bool[regions, bins, size]`.
fn bin_mask(b: &mut Builder, rois: ValueId, columns: [usize; 2], bins: i64, size: &Dim, scale: f64) -> One {
    let dtype = b.dtype(rois);
    let edge = |b: &mut Builder, idx: usize| -> One {
        let edge = column(b, rois, idx)?;
        let edge = mul_num(b, edge, scale)?;
        // Halves are rounded away from zero; edges are not negative.
        let edge = add_num(b, edge, 0.5)?;
        Ok(b.unary(UnaryKind::Floor, edge)?)
    };
    let (begin, end) = (edge(b, columns[0])?, edge(b, columns[1])?);
    let extent = b.sub(end, begin)?;
    let extent = add_num(b, extent, 1.0)?;
    let extent = with_num(b, BinaryKind::Max, extent, 1.0)?;
    let bin = with_num(b, BinaryKind::Div, extent, bins as f64)?;
    let index = iota(b, dtype, bins)?;
    let index = along(b, index, 2, 1)?;
    let first = b.mul(index, bin)?;
    let first = b.unary(UnaryKind::Floor, first)?;
    let first = b.add(first, begin)?;
    let next = add_num(b, index, 1.0)?;
    let behind = b.mul(next, bin)?;
    let behind = b.unary(UnaryKind::Ceil, behind)?;
    let behind = b.add(behind, begin)?;
    let (first, behind) = (unsqueeze(b, first, 2)?, unsqueeze(b, behind, 2)?);
    let element = iota(b, dtype, size.clone())?;
    let element = along(b, element, 3, 2)?;
    let reached = b.compare(CompareKind::Ge, element, first)?;
    let ahead = b.compare(CompareKind::Lt, element, behind)?;
    Ok(b.binary(BinaryKind::And, reached, ahead)?)
}

fn max_roi_pool(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, rois) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let scale = cx.attr_f("spatial_scale", 1.0)?;
    let Some([height, width]) =
        cx.attr_ints("pooled_shape")?.and_then(|v| <[i64; 2]>::try_from(v).ok()).filter(|v| v.iter().all(|n| *n > 0))
    else {
        return bad("pooled_shape is not two positive numbers");
    };
    let b = &mut *cx.b;
    let shape = b.shape(x).to_vec();
    if shape.len() != 4 {
        return bad(format!("regions of {}", b.ty(x)));
    }
    let batch = pick(b, rois, 1, 0)?;
    let batch = b.cast(batch, DType::I64)?;
    let images = b.emit(ops::Gather { axis: 0 }, &[x, batch])?;
    let lowest = num(b, x, f64::NEG_INFINITY)?;
    let columns = bin_mask(b, rois, [1, 3], width, &shape[3], scale)?;
    let rows = bin_mask(b, rois, [2, 4], height, &shape[2], scale)?;
    // [region, channel, row, bin, column], then [region, channel, bin, row, bin].
    let images = unsqueeze(b, images, 3)?;
    let columns = unsqueeze(b, columns, 1)?;
    let columns = unsqueeze(b, columns, 1)?;
    let masked = b.select(columns, images, lowest)?;
    let pooled = b.reduce(ReduceKind::Max, masked, &[4], false)?;
    let pooled = unsqueeze(b, pooled, 2)?;
    let rows = unsqueeze(b, rows, 1)?;
    let rows = unsqueeze(b, rows, 4)?;
    let masked = b.select(rows, pooled, lowest)?;
    let pooled = b.reduce(ReduceKind::Max, masked, &[3], false)?;
    Ok(vec![nothing_is_zero(b, pooled)?])
}
