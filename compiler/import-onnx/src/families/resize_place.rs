//! Resizing one axis: where in the operand each element of the result lies.

use super::kit::*;

/// Which of two neighbours is the nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rounding {
    PreferFloor,
    PreferCeil,
    Floor,
    Ceil,
    /// `Ceil` where the axis shrinks, else `Floor`: what `Resize` did before it had a choice.
    Simple,
}

/// How an index of the result becomes a place in the operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    TfCropAndResize,
    /// As `HalfPixel`, without the half element at the end; version 11 only.
    TfHalfPixelForNearest,
}

/// One axis of a resize.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub axis: usize,
    pub output: Dim,
    /// The factor, if it is known at compile time.
    pub scale: Option<f64>,
    /// The factor as an `f64` scalar.
    pub scale_value: ValueId,
    /// Whether the factor is nothing but the quotient of both sizes, so that places can be computed without rounding it.
    pub by_size: bool,
    /// Begin and end of the region of interest as `f64` scalars, for `TfCropAndResize`.
    pub region: Option<(ValueId, ValueId)>,
}

/// For each index of the result the place in the operand, as `f64[output]`.
pub(super) fn place(b: &mut Builder, coordinates: Coordinates, input: &Dim, axis: &Axis) -> One {
    let index = iota(b, DType::F64, axis.output.clone())?;
    let size = dim_value(b, input, DType::F64)?;
    let scale = axis.scale_value;
    match coordinates {
        Coordinates::Asymmetric => unscaled(b, index, input, axis),
        Coordinates::HalfPixel => half_pixel(b, index, input, axis),
        Coordinates::TfHalfPixelForNearest => {
            let middle = add_num(b, index, 0.5)?;
            unscaled(b, middle, input, axis)
        }
        Coordinates::PytorchHalfPixel => {
            let place = half_pixel(b, index, input, axis)?;
            let length = b.mul(size, scale)?;
            let one = compare_num(b, CompareKind::Eq, length, 1.0)?;
            let alone = num(b, place, -0.5)?;
            Ok(b.select(one, alone, place)?)
        }
        Coordinates::HalfPixelSymmetric => {
            let place = half_pixel(b, index, input, axis)?;
            let exact = b.mul(size, scale)?;
            let actual = dim_value(b, &axis.output, DType::F64)?;
            let adjustment = b.div(actual, exact)?;
            let rest = num_sub(b, 1.0, adjustment)?;
            let centre = mul_num(b, size, 0.5)?;
            let offset = b.mul(centre, rest)?;
            Ok(b.add(offset, place)?)
        }
        Coordinates::AlignCorners => {
            let (steps, one) = steps(b, size, scale)?;
            let last = add_num(b, size, -1.0)?;
            let place = b.mul(index, last)?;
            let place = b.div(place, steps)?;
            let zero = num(b, place, 0.0)?;
            Ok(b.select(one, zero, place)?)
        }
        Coordinates::TfCropAndResize => {
            let Some((begin, end)) = axis.region else {
                return bad("tf_crop_and_resize without a region of interest");
            };
            let (steps, one) = steps(b, size, scale)?;
            let last = add_num(b, size, -1.0)?;
            let extent = b.sub(end, begin)?;
            let extent = b.mul(extent, last)?;
            let walked = b.mul(index, extent)?;
            let walked = b.div(walked, steps)?;
            let middle = mul_num(b, extent, 0.5)?;
            let walked = b.select(one, middle, walked)?;
            let start = b.mul(begin, last)?;
            Ok(b.add(walked, start)?)
        }
    }
}

/// A place of the result as one of the operand.
fn unscaled(b: &mut Builder, place: ValueId, input: &Dim, axis: &Axis) -> One {
    if !axis.by_size {
        return Ok(b.div(place, axis.scale_value)?);
    }
    let (from, to) = (dim_value(b, input, DType::F64)?, dim_value(b, &axis.output, DType::F64)?);
    let scaled = b.mul(place, from)?;
    Ok(b.div(scaled, to)?)
}

fn half_pixel(b: &mut Builder, index: ValueId, input: &Dim, axis: &Axis) -> One {
    let middle = add_num(b, index, 0.5)?;
    let place = unscaled(b, middle, input, axis)?;
    add_num(b, place, -0.5)
}

/// The result's exact length less 1 (or 1 instead of 0), and whether that length is 1.
fn steps(b: &mut Builder, size: ValueId, scale: ValueId) -> Result<(ValueId, ValueId), ImportError> {
    let length = b.mul(size, scale)?;
    let steps = add_num(b, length, -1.0)?;
    let one = compare_num(b, CompareKind::Eq, length, 1.0)?;
    let any = num(b, steps, 1.0)?;
    Ok((b.select(one, any, steps)?, one))
}

pub(super) fn rounded(b: &mut Builder, place: ValueId, rounding: Rounding, scale: ValueId) -> One {
    match rounding {
        Rounding::Floor => Ok(b.unary(UnaryKind::Floor, place)?),
        Rounding::Ceil => Ok(b.unary(UnaryKind::Ceil, place)?),
        Rounding::Simple => {
            let (floor, ceil) = (b.unary(UnaryKind::Floor, place)?, b.unary(UnaryKind::Ceil, place)?);
            let shrinks = compare_num(b, CompareKind::Lt, scale, 1.0)?;
            Ok(b.select(shrinks, ceil, floor)?)
        }
        Rounding::PreferFloor => {
            let low = add_num(b, place, -0.5)?;
            Ok(b.unary(UnaryKind::Ceil, low)?)
        }
        Rounding::PreferCeil => {
            let high = add_num(b, place, 0.5)?;
            Ok(b.unary(UnaryKind::Floor, high)?)
        }
    }
}
