//! `Resize` and `Upsample`: one axis after the other.

use super::kit::*;
use super::resize_axis::{Mode, Rules, resized};
use super::resize_place::{Axis, Coordinates, Rounding};

pub(crate) const ROWS: &[Row] = &[Row::onnx("Resize", 10, resize), Row::onnx("Upsample", 1, upsample)];

fn mode(cx: &Cx, name: &str, rounding: Rounding) -> Result<Mode, ImportError> {
    Ok(match name {
        "nearest" => Mode::Nearest(rounding),
        "linear" | "bilinear" | "trilinear" => Mode::Linear,
        "cubic" => Mode::Cubic(cx.attr_f("cubic_coeff_a", -0.75)?),
        other => return bad(format!("mode {other}")),
    })
}

/// The rules of `Upsample` and of `Resize` before version 11.
fn old_rules(cx: &Cx) -> Result<Rules, ImportError> {
    let name = cx.attr_s("mode", "nearest")?;
    Ok(Rules {
        mode: mode(cx, &name, Rounding::Simple)?,
        coordinates: Coordinates::Asymmetric,
        antialias: false,
        exclude_outside: false,
        extrapolation: 0.0,
    })
}

fn new_rules(cx: &Cx) -> Result<Rules, ImportError> {
    let rounding = match cx.attr_s("nearest_mode", "round_prefer_floor")?.as_str() {
        "round_prefer_floor" => Rounding::PreferFloor,
        "round_prefer_ceil" => Rounding::PreferCeil,
        "floor" => Rounding::Floor,
        "ceil" => Rounding::Ceil,
        other => return bad(format!("nearest_mode {other}")),
    };
    let name = cx.attr_s("coordinate_transformation_mode", "half_pixel")?;
    let coordinates = match name.as_str() {
        "half_pixel" => Coordinates::HalfPixel,
        "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
        "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
        "align_corners" => Coordinates::AlignCorners,
        "asymmetric" => Coordinates::Asymmetric,
        "tf_crop_and_resize" => Coordinates::TfCropAndResize,
        "tf_half_pixel_for_nn" => Coordinates::TfHalfPixelForNearest,
        other => return bad(format!("coordinate_transformation_mode {other}")),
    };
    let name = cx.attr_s("mode", "nearest")?;
    Ok(Rules {
        mode: mode(cx, &name, rounding)?,
        coordinates,
        antialias: cx.attr_bool("antialias", false)?,
        exclude_outside: cx.attr_bool("exclude_outside", false)?,
        extrapolation: cx.attr_f("extrapolation_value", 0.0)?,
    })
}

/// An operand that is there and not empty.
fn filled(cx: &Cx, inputs: Inputs, idx: usize) -> Option<ValueId> {
    cx.opt(inputs, idx).filter(|v| cx.b.ty(*v).num_elements().as_const() != Some(0))
}

fn upsample(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let rank = cx.b.rank(x);
    let rules = old_rules(cx)?;
    let scales = match (cx.opt(inputs, 1), cx.attr_floats("scales")?) {
        (Some(scales), _) => scales,
        (None, Some(scales)) => cx.b.constant(Tensor::from_vec(vec![scales.len()], scales))?,
        (None, None) => {
            let (height, width) = (cx.attr_f("height_scale", 1.0)?, cx.attr_f("width_scale", 1.0)?);
            cx.b.constant(Tensor::from_vec(vec![4], vec![1.0, 1.0, height, width]))?
        }
    };
    let axes: Vec<usize> = (0..rank).collect();
    let plan = by_scales(cx, x, &axes, scales)?;
    Ok(vec![along_all(cx, x, &rules, plan)?])
}

fn resize(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let rank = cx.b.rank(x);
    let all: Vec<usize> = (0..rank).collect();
    if cx.opset < 11 {
        let rules = old_rules(cx)?;
        let scales = cx.input(inputs, 1)?;
        let plan = by_scales(cx, x, &all, scales)?;
        return Ok(vec![along_all(cx, x, &rules, plan)?]);
    }
    let rules = new_rules(cx)?;
    let axes = match cx.attr_ints("axes")? {
        Some(axes) => cx.axes(&axes, rank)?,
        None => all,
    };
    let mut plan = match (filled(cx, inputs, 2), filled(cx, inputs, 3)) {
        (_, Some(sizes)) => by_sizes(cx, x, &axes, sizes)?,
        (Some(scales), None) => by_scales(cx, x, &axes, scales)?,
        (None, None) => return bad("neither scales nor sizes are given"),
    };
    if rules.coordinates == Coordinates::TfCropAndResize {
        let Some(roi) = filled(cx, inputs, 1) else {
            return bad("tf_crop_and_resize without a region of interest");
        };
        let roi = cx.b.cast(roi, DType::F64)?;
        for (idx, axis) in plan.iter_mut().enumerate() {
            let begin = pick(cx.b, roi, 0, idx)?;
            let end = pick(cx.b, roi, 0, idx + axes.len())?;
            axis.region = Some((begin, end));
        }
    }
    Ok(vec![along_all(cx, x, &rules, plan)?])
}

/// Resizes all axes, in a float type where elements are combined.
fn along_all(cx: &mut Cx, x: ValueId, rules: &Rules, plan: Vec<Axis>) -> One {
    let dtype = cx.b.dtype(x);
    let moves_only = matches!(rules.mode, Mode::Nearest(_));
    let computing = match dtype {
        _ if moves_only => dtype,
        DType::F64 | DType::I64 | DType::U64 | DType::I32 | DType::U32 => DType::F64,
        _ => DType::F32,
    };
    let mut y = cx.b.cast(x, computing)?;
    for axis in &plan {
        let same = cx.b.shape(y)[axis.axis] == axis.output && axis.region.is_none();
        if same && axis.scale.is_none_or(|s| s == 1.0) {
            continue;
        }
        y = resized(cx, y, rules, axis)?;
    }
    if moves_only {
        return Ok(y);
    }
    if dtype.is_int() {
        return super::quantize::saturated(cx.b, y, None, dtype);
    }
    Ok(cx.b.cast(y, dtype)?)
}

/// The smallest fraction that a factor stands for, such as 1/3 for 0.333333343.
fn fraction(scale: f64) -> Option<(i64, i64)> {
    (1..=256i64).find_map(|q| {
        let p = (scale * q as f64).round();
        let near = (p / q as f64 - scale).abs() <= scale.abs() * f64::from(f32::EPSILON);
        (near && (1.0..1e9).contains(&p)).then_some((p as i64, q))
    })
}

/// `floor(size * scale)`, for a known factor.
fn scaled_size(size: &Dim, scale: f64) -> Option<Dim> {
    match size.as_const() {
        Some(n) => Some(Dim::from((n as f64 * scale).floor() as i64)),
        None => fraction(scale).map(|(p, q)| (size.clone() * p.into()).floor_div(q.into())),
    }
}

/// `floor(value)` of a scalar as a dimension that is known at run time.
fn floored_dim(cx: &mut Cx, value: ValueId) -> Result<Dim, ImportError> {
    let floor = cx.b.unary(UnaryKind::Floor, value)?;
    let number = cx.b.cast(floor, DType::I64)?;
    let vector = cx.b.reshape(number, vec![1.into()])?;
    cx.runtime_dim(vector)
}

fn by_scales(cx: &mut Cx, x: ValueId, axes: &[usize], scales: ValueId) -> Result<Vec<Axis>, ImportError> {
    let known: Option<Vec<f64>> = cx.b.constant_of(scales).map(|t| t.iter().map(Scalar::as_f64).collect());
    let n = cx.b.ty(scales).num_elements();
    if n.as_const().is_some_and(|n| n != axes.len() as i64) {
        return bad(format!("{n} scales for {} axes", axes.len()));
    }
    let scales = cx.b.cast(scales, DType::F64)?;
    let mut plan = Vec::new();
    for (idx, axis) in axes.iter().enumerate() {
        let input = cx.b.shape(x)[*axis].clone();
        let scale = known.as_ref().map(|known| known[idx]);
        if scale.is_some_and(|s| s.is_nan() || s <= 0.0) {
            return bad("a scale is not positive");
        }
        let scale_value = pick(cx.b, scales, 0, idx)?;
        let output = match scale.and_then(|s| scaled_size(&input, s)) {
            Some(output) => output,
            None => {
                let size = dim_value(cx.b, &input, DType::F64)?;
                let length = cx.b.mul(size, scale_value)?;
                floored_dim(cx, length)?
            }
        };
        plan.push(Axis { axis: *axis, output, scale, scale_value, by_size: false, region: None });
    }
    Ok(plan)
}

fn by_sizes(cx: &mut Cx, x: ValueId, axes: &[usize], sizes: ValueId) -> Result<Vec<Axis>, ImportError> {
    let sizes = cx.runtime_dims(sizes)?;
    if sizes.len() != axes.len() {
        return bad(format!("{} sizes for {} axes", sizes.len(), axes.len()));
    }
    let mut plan = Vec::new();
    for (axis, output) in axes.iter().zip(sizes) {
        let input = cx.b.shape(x)[*axis].clone();
        let (to, from) = (dim_value(cx.b, &output, DType::F64)?, dim_value(cx.b, &input, DType::F64)?);
        let scale_value = cx.b.div(to, from)?;
        let scale = match (output.as_const(), input.as_const()) {
            (Some(to), Some(from)) => Some(to as f64 / from as f64),
            _ => output.exact_div(&input).and_then(|times| times.as_const()).map(|times| times as f64),
        };
        plan.push(Axis { axis: *axis, output, scale, scale_value, by_size: true, region: None });
    }
    let kind = match cx.attr_s("keep_aspect_ratio_policy", "stretch")?.as_str() {
        "stretch" => return Ok(plan),
        "not_larger" => BinaryKind::Min,
        "not_smaller" => BinaryKind::Max,
        other => return bad(format!("keep_aspect_ratio_policy {other}")),
    };
    same_scale(cx, x, kind, &mut plan)?;
    Ok(plan)
}

/// Gives all axes the smallest or largest of their scales.
fn same_scale(cx: &mut Cx, x: ValueId, kind: BinaryKind, plan: &mut [Axis]) -> Result<(), ImportError> {
    let Some(first) = plan.first() else {
        return Ok(());
    };
    let (mut value, mut known) = (first.scale_value, first.scale);
    for axis in &plan[1..] {
        value = cx.b.binary(kind, value, axis.scale_value)?;
        known = match (known, axis.scale) {
            (Some(a), Some(b)) if kind == BinaryKind::Min => Some(a.min(b)),
            (Some(a), Some(b)) => Some(a.max(b)),
            _ => None,
        };
    }
    for axis in plan {
        let input = cx.b.shape(x)[axis.axis].clone();
        axis.scale_value = value;
        axis.by_size = false;
        axis.scale = known;
        axis.output = match (known, input.as_const()) {
            (Some(scale), Some(size)) => Dim::from((scale * size as f64 + 0.5).floor() as i64),
            _ => {
                let size = dim_value(cx.b, &input, DType::F64)?;
                let length = cx.b.mul(size, value)?;
                let length = add_num(cx.b, length, 0.5)?;
                floored_dim(cx, length)?
            }
        };
    }
    Ok(())
}
