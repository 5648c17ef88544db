//! Quantization: `QuantizeLinear`, `DequantizeLinear`, `DynamicQuantizeLinear`, and products of quantized tensors.

use super::kit::*;
use super::matmul::{less_zero_point, numpy_matmul, per_row};
use super::weight_only::{Grid, dequantized_constant};

pub(crate) const ROWS: &[Row] = &[
    Row::onnx("QuantizeLinear", 10, quantize_linear),
    Row::onnx("DequantizeLinear", 10, dequantize_linear),
    Row::onnx("DynamicQuantizeLinear", 11, dynamic_quantize_linear),
    Row::onnx("QLinearMatMul", 10, qlinear_matmul),
];

/// The element type that an attribute names, if it does; 0 names none.
pub(super) fn dtype_attr(cx: &Cx, name: &str) -> Result<Option<DType>, ImportError> {
    if cx.attr_i(name, 0)? == 0 {
        return Ok(None);
    }
    cx.attr_dtype(name)
}

/// Where the elements of a scale or zero point belong.
fn grid(cx: &Cx, value: ValueId, x: ValueId) -> Result<Grid, ImportError> {
    let rank = cx.b.rank(x);
    let block = cx.attr_i("block_size", 0)?;
    let only_one = cx.b.ty(value).num_elements().as_const() == Some(1);
    if cx.b.rank(value) == 0 || (only_one && block == 0) {
        return Ok(Grid::One);
    }
    if cx.b.rank(value) == 1 && block == 0 {
        return Ok(Grid::Axis(if rank <= 1 { 0 } else { cx.axis(cx.attr_i("axis", 1)?, rank)? }));
    }
    let axis = cx.axis(cx.attr_i("axis", 1)?, rank)?;
    match usize::try_from(block).ok().filter(|block| *block > 0) {
        Some(block) => Ok(Grid::Blocks(axis, block)),
        None => bad("a blocked scale needs a positive block_size"),
    }
}

/// A scale or zero point in a shape that broadcasts with `x`: of a tensor, an axis, or blocks along an axis.
fn spread(cx: &mut Cx, value: ValueId, x: ValueId) -> One {
    match grid(cx, value, x)? {
        Grid::One => as_scalar(cx.b, value),
        Grid::Axis(axis) => along(cx.b, value, cx.b.rank(x), axis),
        Grid::Blocks(axis, block) => repeat_blocks(cx.b, value, axis, block, x),
    }
}

/// Every element repeated `block` times along an axis, cut to the size of `x`.
fn repeat_blocks(b: &mut Builder, value: ValueId, axis: usize, block: usize, x: ValueId) -> One {
    let shape = b.shape(value).to_vec();
    let inner = unsqueeze(b, value, axis + 1)?;
    let mut repeated = shape.clone();
    repeated.insert(axis + 1, block.into());
    let inner = b.broadcast(inner, repeated)?;
    let mut merged = shape;
    merged[axis] = merged[axis].clone() * block.into();
    let flat = b.reshape(inner, merged)?;
    let size = b.shape(x)[axis].clone();
    slice_axis(b, flat, axis, 0, size)
}

/// Arithmetic on storage-only types happens in `f32`.
fn arithmetic(dtype: DType) -> DType {
    if dtype.is_float() && !dtype.is_tiny_float() { dtype } else { DType::F32 }
}

fn quantize_linear(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, scale) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let zero = cx.opt(inputs, 2);
    let out = match (zero, dtype_attr(cx, "output_dtype")?) {
        (Some(zero), _) => cx.b.dtype(zero),
        (None, Some(dtype)) => dtype,
        (None, None) => DType::U8,
    };
    let saturate = cx.attr_bool("saturate", true)?;
    let precision = match dtype_attr(cx, "precision")? {
        Some(dtype) => dtype,
        None => arithmetic(cx.b.dtype(scale)),
    };
    let scale = spread(cx, scale, x)?;
    let zero = zero.map(|zero| spread(cx, zero, x)).transpose()?;
    let b = &mut *cx.b;
    // Integers to be quantized are exact in f32 below 2^24; the scale's type rules otherwise.
    let (x, scale) = (b.cast(x, precision)?, b.cast(scale, precision)?);
    let scaled = b.div(x, scale)?;
    if out.is_int() {
        return Ok(vec![saturated(b, scaled, zero, out)?]);
    }
    let shifted = match zero.filter(|zero| !super::matmul::is_zero(b, *zero)) {
        Some(zero) => {
            let zero = b.cast(zero, precision)?;
            b.add(scaled, zero)?
        }
        None => scaled,
    };
    Ok(vec![b.emit(ops::Cast { to: out, saturate }, &[shifted])?])
}

/// `saturate(round(scaled) + zero)` as an integer type.
pub(super) fn saturated(b: &mut Builder, scaled: ValueId, zero: Option<ValueId>, out: DType) -> One {
    let Some((low, high)) = out.int_range() else {
        return bad(format!("quantization to {out}"));
    };
    let rounded = b.unary(UnaryKind::Round, scaled)?;
    // 16-bit floats cannot hold the bounds of 16-bit integers.
    let computing = match b.dtype(rounded) {
        DType::F16 | DType::BF16 => DType::F32,
        other => other,
    };
    let rounded = b.cast(rounded, computing)?;
    let shifted = match zero.filter(|zero| !super::matmul::is_zero(b, *zero)) {
        Some(zero) => {
            let zero = b.cast(zero, computing)?;
            b.add(rounded, zero)?
        }
        None => rounded,
    };
    let limited = clamp(b, shifted, low as f64, high as f64)?;
    Ok(b.cast(limited, out)?)
}

fn dequantize_linear(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, scale) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let out = match dtype_attr(cx, "output_dtype")? {
        Some(dtype) => dtype,
        None => cx.b.dtype(scale),
    };
    let zero = cx.opt(inputs, 2).filter(|zero| !super::matmul::is_zero(cx.b, *zero));
    // Differences of 16-bit integers are exact in f32; scales of 16 bits are widened to it.
    let computing = if cx.b.dtype(scale) == DType::F64 || out == DType::F64 { DType::F64 } else { DType::F32 };
    let grid = grid(cx, scale, x)?;
    if let Some(y) = dequantized_constant(cx.b, x, scale, zero, grid, [computing, out])? {
        return Ok(vec![y]);
    }
    let scale = spread(cx, scale, x)?;
    let zero = zero.map(|zero| spread(cx, zero, x)).transpose()?;
    let b = &mut *cx.b;
    let number = match zero {
        Some(zero) if b.dtype(x) == DType::I32 => {
            let difference = b.sub(x, zero)?;
            b.cast(difference, computing)?
        }
        Some(zero) => {
            let (x, zero) = (b.cast(x, computing)?, b.cast(zero, computing)?);
            b.sub(x, zero)?
        }
        None => b.cast(x, computing)?,
    };
    let scale = b.cast(scale, computing)?;
    let y = b.mul(number, scale)?;
    Ok(vec![b.cast(y, out)?])
}

fn dynamic_quantize_linear(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    Ok(dynamic_quantized(cx.b, x)?.to_vec())
}

/// Quantization to `u8` with scale and zero point from the data's own range, which includes 0: the data, the scale, the zero point.
fn dynamic_quantized(b: &mut Builder, x: ValueId) -> Result<[ValueId; 3], ImportError> {
    let axes: Vec<usize> = (0..b.rank(x)).collect();
    let max = b.reduce(ReduceKind::Max, x, &axes, false)?;
    let max = with_num(b, BinaryKind::Max, max, 0.0)?;
    let min = b.reduce(ReduceKind::Min, x, &axes, false)?;
    let min = with_num(b, BinaryKind::Min, min, 0.0)?;
    let range = b.sub(max, min)?;
    let empty = compare_num(b, CompareKind::Eq, range, 0.0)?;
    let one = num(b, range, 1.0)?;
    let range = b.select(empty, one, range)?;
    let scale = with_num(b, BinaryKind::Div, range, 255.0)?;
    let offset = b.div(min, scale)?;
    let zero = num_sub(b, 0.0, offset)?;
    let zero = clamp(b, zero, 0.0, 255.0)?;
    let zero = b.unary(UnaryKind::Round, zero)?;
    let scaled = b.div(x, scale)?;
    let y = saturated(b, scaled, Some(zero), DType::U8)?;
    Ok([y, scale, b.cast(zero, DType::U8)?])
}

/// Weights `[k, n]` of integers with their scale and zero point, of the tensor or of each column.
#[derive(Clone, Copy, Debug)]
pub(super) struct QuantizedWeights {
    pub weights: ValueId,
    pub scale: ValueId,
    pub zero: ValueId,
}

impl QuantizedWeights {
    /// `x * weights` as floats, where `x[.., k]` is quantized on the way as `DynamicQuantizeLinear` does it.
    pub(super) fn product(self, b: &mut Builder, x: ValueId) -> One {
        let [quantized, x_scale, x_zero] = dynamic_quantized(b, x)?;
        let lhs = less_zero_point(b, quantized, Some(x_zero))?;
        let rhs = less_zero_point(b, self.weights, Some(self.zero))?;
        let last = b.rank(lhs) - 1;
        let product = dot(b, (lhs, &[], &[last]), (rhs, &[], &[0]), DType::I32)?;
        let product = b.cast(product, b.dtype(x))?;
        let scale = b.mul(x_scale, self.scale)?;
        Ok(b.mul(product, scale)?)
    }
}

/// `saturate(round(product * x_scale * w_scale / y_scale) + y_zero)`; the scales come in shapes that broadcast.
pub(super) fn requantized(b: &mut Builder, product: ValueId, scales: [ValueId; 3], zero: ValueId) -> One {
    let out = b.dtype(zero);
    let computing = DType::F32;
    let [x_scale, w_scale, y_scale] = scales;
    let (x_scale, w_scale) = (b.cast(x_scale, computing)?, b.cast(w_scale, computing)?);
    let y_scale = b.cast(y_scale, computing)?;
    let scale = b.mul(x_scale, w_scale)?;
    let scale = b.div(scale, y_scale)?;
    let product = b.cast(product, computing)?;
    let scaled = b.mul(product, scale)?;
    let Some((low, high)) = out.int_range() else {
        return bad(format!("quantization to {out}"));
    };
    let zero = b.cast(zero, computing)?;
    let shifted = b.add(scaled, zero)?;
    let rounded = b.unary(UnaryKind::Round, shifted)?;
    let limited = clamp(b, rounded, low as f64, high as f64)?;
    Ok(b.cast(limited, out)?)
}

fn qlinear_matmul(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let w = cx.input(inputs, 3)?;
    let scales = [cx.input(inputs, 1)?, cx.input(inputs, 4)?, cx.input(inputs, 6)?];
    let (x_zero, w_zero, y_zero) = (cx.input(inputs, 2)?, cx.input(inputs, 5)?, cx.input(inputs, 7)?);
    let b = &mut *cx.b;
    let x_zero = per_row(b, x_zero)?;
    let x = less_zero_point(b, x, Some(x_zero))?;
    let w = less_zero_point(b, w, Some(w_zero))?;
    let product = numpy_matmul(b, x, w, DType::I32)?;
    let [x_scale, w_scale, y_scale] = scales;
    let x_scale = per_row(b, x_scale)?;
    let y_scale = per_row(b, y_scale)?;
    let y_zero = per_row(b, y_zero)?;
    Ok(vec![requantized(b, product, [x_scale, w_scale, y_scale], y_zero)?])
}
