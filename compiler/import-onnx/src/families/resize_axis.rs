//! Resizing one axis: which neighbours of a place count, and with which weights.
//!
//! Index and weight vectors are computed by graph operations; with known sizes they become constants while the graph is built.

use super::kit::*;
use super::resize_place::{Axis, Coordinates, Rounding, place, rounded};
use super::sampling::inside;

/// How elements are combined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    /// One neighbour, by this rule.
    Nearest(Rounding),
    /// Two neighbours.
    Linear,
    /// Four neighbours, with the cubic's coefficient.
    Cubic(f64),
}

/// What is the same for all axes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub mode: Mode,
    pub coordinates: Coordinates,
    pub antialias: bool,
    pub exclude_outside: bool,
    pub extrapolation: f64,
}

/// The operand with one axis resized, in its own element type for `Nearest`, otherwise in a float type.
pub(super) fn resized(cx: &mut Cx, x: ValueId, rules: &Rules, axis: &Axis) -> One {
    let b = &mut *cx.b;
    if let Some(repeated) = repeated(b, x, rules, axis)? {
        return Ok(repeated);
    }
    let input = b.shape(x)[axis.axis].clone();
    let place = place(b, rules.coordinates, &input, axis)?;
    let last = dim_value(b, &(input.clone() - 1.into()), DType::F64)?;
    let y = match rules.mode {
        Mode::Nearest(rounding) => {
            let nearest = rounded(b, place, rounding, axis.scale_value)?;
            let index = limited(b, nearest, &input)?;
            b.emit(ops::Gather { axis: axis.axis }, &[x, index])?
        }
        Mode::Linear | Mode::Cubic(_) => interpolated(cx, x, rules, axis, place, &input)?,
    };
    if rules.coordinates != Coordinates::TfCropAndResize {
        return Ok(y);
    }
    let b = &mut *cx.b;
    let before = compare_num(b, CompareKind::Lt, place, 0.0)?;
    let behind = b.compare(CompareKind::Gt, place, last)?;
    let outside = b.binary(BinaryKind::Or, before, behind)?;
    let outside = along(b, outside, b.rank(y), axis.axis)?;
    let value = num(b, y, rules.extrapolation)?;
    Ok(b.select(outside, value, y)?)
}

/// Whole repetitions, where that is what nearest neighbours are: no indices are needed.
fn repeated(b: &mut Builder, x: ValueId, rules: &Rules, axis: &Axis) -> Result<Option<ValueId>, ImportError> {
    let Some(times) = axis.scale.filter(|s| s.fract() == 0.0 && (1.0..=64.0).contains(s)) else {
        return Ok(None);
    };
    let plain = matches!(
        (rules.mode, rules.coordinates),
        (Mode::Nearest(Rounding::Floor | Rounding::Simple), Coordinates::Asymmetric)
            | (
                Mode::Nearest(Rounding::PreferFloor | Rounding::PreferCeil),
                Coordinates::HalfPixel | Coordinates::HalfPixelSymmetric
            )
    );
    let input = b.shape(x)[axis.axis].clone();
    let times = Dim::from(times as i64);
    if !plain || axis.output != input * times.clone() {
        return Ok(None);
    }
    let inner = unsqueeze(b, x, axis.axis + 1)?;
    let mut shape = b.shape(inner).to_vec();
    shape[axis.axis + 1] = times;
    let inner = b.broadcast(inner, shape)?;
    let mut shape = b.shape(x).to_vec();
    shape[axis.axis] = axis.output.clone();
    Ok(Some(b.reshape(inner, shape)?))
}

/// Places as indices inside of the operand: limited as floats, which may be too large for integers, and as integers, so that
/// it shows what they are.
fn limited(b: &mut Builder, place: ValueId, size: &Dim) -> One {
    let place = inside(b, place, size)?;
    let index = b.cast(place, DType::I64)?;
    inside(b, index, size)
}

/// How far around a place neighbours matter: half the number of taps of the unscaled kernel.
fn support(mode: Mode) -> f64 {
    match mode {
        Mode::Cubic(_) => 2.0,
        _ => 1.0,
    }
}

/// Neighbours of all places: their offsets from the place's floor, and the factor by which the kernel is narrower than they are.
struct Taps {
    /// Offsets one by one, as numbers; or all at once, as a value that lies along a second axis.
    offsets: Offsets,
    /// The inverse of the kernel's stretch, an `f64` scalar.
    narrow: ValueId,
}

enum Offsets {
    Each(Vec<f64>),
    All(ValueId),
}

/// More neighbours than this are combined by a reduction.
const MAX_UNROLLED_TAPS: i64 = 8;

/// Downscaling with antialias stretches the kernel by the inverse of the scale; how far it reaches tells the neighbours.
/// They go from `first` to `1 - first` around the place's floor.
fn taps(cx: &mut Cx, rules: &Rules, axis: &Axis) -> Result<Taps, ImportError> {
    let scale = if rules.antialias { axis.scale } else { Some(1.0) };
    if let Some(narrow) = scale.map(|scale| scale.min(1.0)) {
        let first = (-support(rules.mode) / narrow).floor() as i64 + 1;
        let count = 2 - 2 * first;
        let narrow = cx.b.scalar(DType::F64, narrow)?;
        if count <= MAX_UNROLLED_TAPS {
            let offsets = (first..first + count).map(|offset| offset as f64);
            return Ok(Taps { offsets: Offsets::Each(offsets.collect()), narrow });
        }
        let offset = iota(cx.b, DType::F64, count)?;
        let offset = add_num(cx.b, offset, first as f64)?;
        return Ok(Taps { offsets: Offsets::All(along(cx.b, offset, 2, 1)?), narrow });
    }
    let narrow = with_num(cx.b, BinaryKind::Min, axis.scale_value, 1.0)?;
    let reach = num(cx.b, narrow, -support(rules.mode))?;
    let reach = cx.b.div(reach, narrow)?;
    let first = cx.b.unary(UnaryKind::Floor, reach)?;
    let first = add_num(cx.b, first, 1.0)?;
    let count = mul_num(cx.b, first, -2.0)?;
    let count = add_num(cx.b, count, 2.0)?;
    let count = cx.b.cast(count, DType::I64)?;
    let count = cx.b.reshape(count, vec![1.into()])?;
    let count = cx.runtime_dim(count)?;
    let offset = iota(cx.b, DType::F64, count)?;
    let offset = cx.b.add(offset, first)?;
    Ok(Taps { offsets: Offsets::All(along(cx.b, offset, 2, 1)?), narrow })
}

fn interpolated(cx: &mut Cx, x: ValueId, rules: &Rules, axis: &Axis, place: ValueId, size: &Dim) -> One {
    let taps = taps(cx, rules, axis)?;
    let b = &mut *cx.b;
    // A place that is an index belongs to its left.
    let up = b.unary(UnaryKind::Ceil, place)?;
    let floor = add_num(b, up, -1.0)?;
    let ratio = b.sub(place, floor)?;
    let normalize = rules.exclude_outside || rules.antialias;
    match &taps.offsets {
        Offsets::Each(offsets) => {
            let mut neighbours = Vec::new();
            for offset in offsets {
                let offset = num(b, floor, *offset)?;
                neighbours.push(neighbour(b, rules, floor, ratio, offset, taps.narrow, size)?);
            }
            if normalize {
                let mut sum = neighbours[0].weight;
                for other in &neighbours[1..] {
                    sum = b.add(sum, other.weight)?;
                }
                for other in &mut neighbours {
                    other.weight = b.div(other.weight, sum)?;
                }
            }
            one_by_one(b, x, axis.axis, &neighbours)
        }
        Offsets::All(offset) => {
            let (floor, ratio) = (unsqueeze(b, floor, 1)?, unsqueeze(b, ratio, 1)?);
            let mut all = neighbour(b, rules, floor, ratio, *offset, taps.narrow, size)?;
            if normalize {
                let sum = b.reduce(ReduceKind::Sum, all.weight, &[1], true)?;
                all.weight = b.div(all.weight, sum)?;
            }
            all_at_once(b, x, axis.axis, all)
        }
    }
}

/// An index inside of the operand, and its weight.
#[derive(Clone, Copy)]
struct Neighbour {
    index: ValueId,
    weight: ValueId,
}

fn neighbour(
    b: &mut Builder,
    rules: &Rules,
    floor: ValueId,
    ratio: ValueId,
    offset: ValueId,
    narrow: ValueId,
    size: &Dim,
) -> Result<Neighbour, ImportError> {
    let place = b.add(floor, offset)?;
    let distance = b.sub(ratio, offset)?;
    let distance = b.unary(UnaryKind::Abs, distance)?;
    let distance = b.mul(distance, narrow)?;
    let mut weight = kernel(b, rules.mode, distance)?;
    if rules.exclude_outside {
        let last = dim_value(b, &(size.clone() - 1.into()), DType::F64)?;
        let before = compare_num(b, CompareKind::Lt, place, 0.0)?;
        let behind = b.compare(CompareKind::Gt, place, last)?;
        let outside = b.binary(BinaryKind::Or, before, behind)?;
        let zero = num(b, weight, 0.0)?;
        weight = b.select(outside, zero, weight)?;
    }
    Ok(Neighbour { index: limited(b, place, size)?, weight })
}

/// The weight of a neighbour at a distance.
fn kernel(b: &mut Builder, mode: Mode, distance: ValueId) -> One {
    let Mode::Cubic(a) = mode else {
        let weight = num_sub(b, 1.0, distance)?;
        return with_num(b, BinaryKind::Max, weight, 0.0);
    };
    let mut polynomial = |coefficients: [f64; 4]| -> One {
        let mut value = num(b, distance, coefficients[0])?;
        for coefficient in &coefficients[1..] {
            value = b.mul(value, distance)?;
            value = add_num(b, value, *coefficient)?;
        }
        Ok(value)
    };
    let near = polynomial([a + 2.0, -(a + 3.0), 0.0, 1.0])?;
    let far = polynomial([a, -5.0 * a, 8.0 * a, -4.0 * a])?;
    let is_near = compare_num(b, CompareKind::Le, distance, 1.0)?;
    let is_far = compare_num(b, CompareKind::Lt, distance, 2.0)?;
    let zero = num(b, distance, 0.0)?;
    let far = b.select(is_far, far, zero)?;
    Ok(b.select(is_near, near, far)?)
}

/// The weighted sum of slices, for few neighbours.
fn one_by_one(b: &mut Builder, x: ValueId, axis: usize, neighbours: &[Neighbour]) -> One {
    let dtype = b.dtype(x);
    let mut sum = None;
    for neighbour in neighbours {
        let gathered = b.emit(ops::Gather { axis }, &[x, neighbour.index])?;
        let weight = b.cast(neighbour.weight, dtype)?;
        let weight = along(b, weight, b.rank(x), axis)?;
        let weighted = b.mul(gathered, weight)?;
        sum = Some(match sum {
            Some(sum) => b.add(sum, weighted)?,
            None => weighted,
        });
    }
    match sum {
        Some(sum) => Ok(sum),
        None => bad("a resize without neighbours"),
    }
}

/// The same for `[output, neighbours]`, as a reduction.
fn all_at_once(b: &mut Builder, x: ValueId, axis: usize, all: Neighbour) -> One {
    let weight = b.cast(all.weight, b.dtype(x))?;
    let gathered = b.emit(ops::Gather { axis }, &[x, all.index])?;
    let mut shape = vec![Dim::from(1); b.rank(gathered)];
    shape[axis] = b.shape(gathered)[axis].clone();
    shape[axis + 1] = b.shape(gathered)[axis + 1].clone();
    let weight = b.reshape(weight, shape)?;
    let weighted = b.mul(gathered, weight)?;
    Ok(b.reduce(ReduceKind::Sum, weighted, &[axis + 1], false)?)
}
