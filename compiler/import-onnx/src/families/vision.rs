//! `GridSample`, `AffineGrid` and `DeformConv`.

use super::kit::*;
use super::sampling::{Image, Tap, cubic_taps, inside, interpolated, linear_taps, zero_outside};
use super::windows::Windows;

pub(crate) const ROWS: &[Row] = &[
    Row::onnx("GridSample", 16, grid_sample),
    Row::onnx("AffineGrid", 20, affine_grid),
    Row::onnx("DeformConv", 19, deform_conv),
];

/// What is read outside of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outside {
    Zeros,
    Border,
    Reflection,
}

/// A coordinate in `-1 ..= 1` as a place in elements.
fn denormalized(b: &mut Builder, n: ValueId, size: &Dim, align_corners: bool) -> One {
    let dtype = b.dtype(n);
    let shifted = add_num(b, n, 1.0)?;
    if align_corners {
        let last = dim_value(b, &(size.clone() - 1.into()), dtype)?;
        let half = mul_num(b, shifted, 0.5)?;
        return Ok(b.mul(half, last)?);
    }
    let size = dim_value(b, size, dtype)?;
    let scaled = b.mul(shifted, size)?;
    let scaled = add_num(b, scaled, -1.0)?;
    mul_num(b, scaled, 0.5)
}

/// Mirrors a place at the borders until it lies between them.
fn reflected(b: &mut Builder, x: ValueId, size: &Dim, align_corners: bool) -> One {
    let dtype = b.dtype(x);
    let (low, range) = if align_corners {
        (0.0, dim_value(b, &(size.clone() - 1.into()), dtype)?)
    } else {
        (-0.5, dim_value(b, size, dtype)?)
    };
    let from_low = add_num(b, x, -low)?;
    let distance = b.unary(UnaryKind::Abs, from_low)?;
    let one = num(b, range, 1.0)?;
    let none = compare_num(b, CompareKind::Eq, range, 0.0)?;
    let divisor = b.select(none, one, range)?;
    let turns = b.div(distance, divisor)?;
    let turns = b.unary(UnaryKind::Floor, turns)?;
    let walked = b.mul(turns, range)?;
    let rest = b.sub(distance, walked)?;
    let back = b.sub(range, rest)?;
    let parity = with_num(b, BinaryKind::Mod, turns, 2.0)?;
    let odd = compare_num(b, CompareKind::Ne, parity, 0.0)?;
    let place = b.select(odd, back, rest)?;
    let place = b.select(none, range, place)?;
    add_num(b, place, low)
}

fn outside_tap(
    b: &mut Builder,
    tap: Tap,
    size: &Dim,
    outside: Outside,
    align_corners: bool,
) -> Result<Tap, ImportError> {
    let place = match outside {
        Outside::Zeros => return zero_outside(b, tap, size),
        Outside::Border => tap.place,
        Outside::Reflection => {
            let mirrored = reflected(b, tap.place, size, align_corners)?;
            b.unary(UnaryKind::Trunc, mirrored)?
        }
    };
    Ok(Tap { place: inside(b, place, size)?, weight: tap.weight })
}

fn grid_sample(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, grid) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let mode = cx.attr_s("mode", "linear")?;
    let outside = match cx.attr_s("padding_mode", "zeros")?.as_str() {
        "zeros" => Outside::Zeros,
        "border" => Outside::Border,
        "reflection" => Outside::Reflection,
        other => return bad(format!("padding_mode {other}")),
    };
    let align_corners = cx.attr_bool("align_corners", false)?;
    let b = &mut *cx.b;
    let (dtype, rank) = (b.dtype(x), b.rank(x));
    let computing = wide(b.dtype(grid));
    let grid_shape = b.shape(grid).to_vec();
    if rank < 3 || grid_shape.len() != rank {
        return bad(format!("{} at the places of {}", b.ty(x), b.ty(grid)));
    }
    let n = rank - 2;
    let batch = grid_shape[0].clone();
    let points = product(&grid_shape[1..=n]);
    let grid = b.cast(grid, computing)?;
    let flat = b.reshape(grid, vec![batch, points, n.into()])?;
    let cubic = mode.ends_with("cubic");
    let combines = mode != "nearest" && dtype.is_float();
    let source = if combines { b.cast(x, wide(dtype))? } else { x };
    let image = Image::new(b, source)?;
    let mut taps = Vec::new();
    for axis in 0..n {
        // The last coordinate belongs to the first spatial axis.
        let coordinate = pick(b, flat, 2, n - 1 - axis)?;
        let size = image.sizes[axis].clone();
        let mut place = denormalized(b, coordinate, &size, align_corners)?;
        place = match outside {
            Outside::Zeros => place,
            // A cubic sees the border's neighbours too, so that only its taps are limited.
            Outside::Border if cubic => place,
            Outside::Border => inside(b, place, &size)?,
            Outside::Reflection => reflected(b, place, &size, align_corners)?,
        };
        let raw = match mode.as_str() {
            "nearest" => {
                let place = b.unary(UnaryKind::Round, place)?;
                let weight = num(b, place, 1.0)?;
                let weight = b.broadcast(weight, b.shape(place).to_vec())?;
                vec![Tap { place, weight }]
            }
            "linear" | "bilinear" => linear_taps(b, place)?,
            "cubic" | "bicubic" => cubic_taps(b, place, -0.75)?,
            other => return bad(format!("mode {other}")),
        };
        let mut fitted = Vec::new();
        for tap in raw {
            fitted.push(outside_tap(b, tap, &size, outside, align_corners)?);
        }
        taps.push(fitted);
    }
    let y = interpolated(b, &image, &taps)?;
    let y = b.cast(y, dtype)?;
    let y = b.transpose(y, vec![0, 2, 1])?;
    let channels = b.shape(y)[1].clone();
    let shape = [&[grid_shape[0].clone(), channels], &grid_shape[1..=n]].concat();
    Ok(vec![b.reshape(y, shape)?])
}

/// The places of an affine map: `theta` times homogeneous coordinates of each element.
fn affine_grid(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (theta, size) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let align_corners = cx.attr_bool("align_corners", false)?;
    let size = cx.runtime_dims(size)?;
    let b = &mut *cx.b;
    let dtype = b.dtype(theta);
    let computing = wide(dtype);
    let Some(spatial) = size.get(2..).filter(|s| s.len() == 2 || s.len() == 3) else {
        return bad("an affine grid of two or three spatial axes is meant");
    };
    let n = spatial.len();
    let one = b.scalar(computing, 1.0)?;
    let mut coordinates = Vec::new();
    for axis in (0..n).rev() {
        let index = iota(b, computing, spatial[axis].clone())?;
        let line = if align_corners {
            let last = spatial[axis].clone() - 1.into();
            let steps = dim_value(b, &last, computing)?;
            let doubled = mul_num(b, index, 2.0)?;
            let line = b.div(doubled, steps)?;
            add_num(b, line, -1.0)?
        } else {
            let count = dim_value(b, &spatial[axis], computing)?;
            let doubled = mul_num(b, index, 2.0)?;
            let middle = add_num(b, doubled, 1.0)?;
            let line = b.div(middle, count)?;
            add_num(b, line, -1.0)?
        };
        let line = along(b, line, n, axis)?;
        coordinates.push(b.broadcast(line, spatial.to_vec())?);
    }
    coordinates.push(b.broadcast(one, spatial.to_vec())?);
    let homogeneous = stack(b, &coordinates, n)?;
    let theta = b.cast(theta, computing)?;
    // theta [batch, n, n + 1] with homogeneous [.., n + 1]: [batch, n, ..].
    let grid = dot(b, (theta, &[], &[2]), (homogeneous, &[], &[n]), computing)?;
    let perm = std::iter::once(0).chain(2..2 + n).chain([1]).collect();
    let grid = b.transpose(grid, perm)?;
    Ok(vec![b.cast(grid, dtype)?])
}

/// For each kernel place and output place of one spatial axis, where it lies before offsets: `[kernel.., output..]`.
fn base_places(b: &mut Builder, windows: &Windows, axis: usize, output: &Dim, dtype: DType) -> One {
    let n = windows.kernel.len();
    let in_window = iota(b, dtype, windows.kernel[axis])?;
    let in_window = mul_num(b, in_window, windows.dilations[axis] as f64)?;
    let in_window = along(b, in_window, 2 * n, axis)?;
    let window = iota(b, dtype, output.clone())?;
    let window = mul_num(b, window, windows.strides[axis] as f64)?;
    let window = along(b, window, 2 * n, n + axis)?;
    let low = dim_value(b, &windows.low[axis], dtype)?;
    let window = b.sub(window, low)?;
    Ok(b.add(in_window, window)?)
}

/// Samples for all kernel places at once, then one grouped contraction.
fn deform_conv(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, w, offset) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?, cx.input(inputs, 2)?);
    let (bias, mask) = (cx.opt(inputs, 3), cx.opt(inputs, 4));
    let positive = |name: &str| -> Result<usize, ImportError> {
        match usize::try_from(cx.attr_i(name, 1)?) {
            Ok(n) if n > 0 => Ok(n),
            _ => bad(format!("{name} is not positive")),
        }
    };
    let (groups, offset_groups) = (positive("group")?, positive("offset_group")?);
    let spatial = cx.b.shape(x)[2..].to_vec();
    let n = spatial.len();
    let kernel: Vec<usize> = cx.b.shape(w)[2..].iter().map(|d| cx.const_dim(d)).collect::<Result<_, _>>()?;
    let windows = Windows::read(cx, &spatial, kernel.clone())?;
    let b = &mut *cx.b;
    let dtype = b.dtype(x);
    let computing = wide(dtype);
    let xs = b.shape(x).to_vec();
    let output = b.shape(offset)[2..].to_vec();
    let (batch, taps_n) = (xs[0].clone(), kernel.iter().product::<usize>());
    let kernel_dims: Vec<Dim> = kernel.iter().map(|k| Dim::from(*k)).collect();
    let merged = batch.clone() * offset_groups.into();
    let per_offset = xs[1].clone().floor_div(offset_groups.into());
    // [batch * offset groups, kernel.., axis, output..]
    let of_batch = std::slice::from_ref(&merged);
    let split = [of_batch, &kernel_dims[..], &[n.into()], &output].concat();
    let offset = b.cast(offset, computing)?;
    let offset = b.reshape(offset, split)?;
    let points = product(&output) * taps_n.into();
    let source = b.cast(x, computing)?;
    let grouped = [&[merged.clone(), per_offset.clone()], &spatial[..]].concat();
    let source = b.reshape(source, grouped)?;
    let image = Image::new(b, source)?;
    let mut taps = Vec::new();
    for (axis, size) in spatial.iter().enumerate() {
        let moved = pick(b, offset, 1 + n, axis)?;
        let base = base_places(b, &windows, axis, &output[axis], computing)?;
        let place = b.add(moved, base)?;
        let place = b.reshape(place, vec![merged.clone(), points.clone()])?;
        let mut fitted = Vec::new();
        for tap in linear_taps(b, place)? {
            fitted.push(zero_outside(b, tap, size)?);
        }
        taps.push(fitted);
    }
    let mut samples = interpolated(b, &image, &taps)?;
    if let Some(mask) = mask {
        let mask = b.cast(mask, computing)?;
        let mask = b.reshape(mask, vec![merged, points, 1.into()])?;
        samples = b.mul(samples, mask)?;
    }
    contracted(
        b,
        samples,
        w,
        bias,
        &Contraction {
            batch,
            channels: xs[1].clone(),
            offset_groups: offset_groups.into(),
            groups: groups.into(),
            taps: taps_n.into(),
            output,
            dtype,
        },
    )
}

/// The sizes of a deformed convolution's contraction.
struct Contraction {
    batch: Dim,
    channels: Dim,
    offset_groups: Dim,
    groups: Dim,
    taps: Dim,
    output: Vec<Dim>,
    dtype: DType,
}

/// Samples `[batch * offset groups, taps * places, channels of an offset group]` with filters.
fn contracted(b: &mut Builder, samples: ValueId, w: ValueId, bias: Option<ValueId>, sizes: &Contraction) -> OpResult {
    let places = product(&sizes.output);
    let per_offset = sizes.channels.clone().floor_div(sizes.offset_groups.clone());
    let split = vec![sizes.batch.clone(), sizes.offset_groups.clone(), sizes.taps.clone(), places.clone(), per_offset];
    let samples = b.reshape(samples, split)?;
    let samples = b.transpose(samples, vec![0, 1, 4, 2, 3])?;
    let per_group = sizes.channels.clone().floor_div(sizes.groups.clone());
    let regrouped = vec![sizes.batch.clone(), sizes.groups.clone(), per_group.clone(), sizes.taps.clone(), places];
    let samples = b.reshape(samples, regrouped)?;
    let filters = b.shape(w)[0].clone();
    let computing = b.dtype(samples);
    let w = b.cast(w, computing)?;
    let w = b.reshape(
        w,
        vec![sizes.groups.clone(), filters.clone().floor_div(sizes.groups.clone()), per_group, sizes.taps.clone()],
    )?;
    // group | filter | batch, places
    let product = dot(b, (w, &[0], &[2, 3]), (samples, &[1], &[2, 3]), computing)?;
    let product = b.transpose(product, vec![2, 0, 1, 3])?;
    let shape = [&[sizes.batch.clone(), filters], &sizes.output[..]].concat();
    let y = b.reshape(product, shape)?;
    let y = b.cast(y, sizes.dtype)?;
    Ok(vec![super::nn_conv::add_bias(b, y, bias)?])
}
