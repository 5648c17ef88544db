//! Conversions of element types.

use super::kit::*;

/// The family's table.
pub(crate) const ROWS: &[Row] =
    &[Row::onnx("Cast", 1, cast), Row::onnx("CastLike", 15, cast_like), Row::onnx("BitCast", 26, bit_cast)];

fn cast(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let Some(to) = cx.attr_dtype("to")? else {
        return bad("attribute `to` is missing");
    };
    Ok(vec![convert(cx, x, to)?])
}

fn cast_like(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, like) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let to = cx.b.dtype(like);
    Ok(vec![convert(cx, x, to)?])
}

fn convert(cx: &mut Cx, x: ValueId, to: DType) -> One {
    let saturate = cx.attr_bool("saturate", true)?;
    let from = cx.b.dtype(x);
    if from == to {
        return Ok(x);
    }
    if to == DType::F8E8M0 {
        let mode = cx.attr_s("round_mode", "up")?;
        return to_powers_of_two(cx.b, x, &mode, saturate);
    }
    Ok(cx.b.emit(ops::Cast { to, saturate }, &[x])?)
}

/// `f8e8m0` holds powers of two. The graph rounds to the nearest; the neighbour is taken where another direction asks for it.
fn to_powers_of_two(b: &mut Builder, x: ValueId, mode: &str, saturate: bool) -> One {
    let to = DType::F8E8M0;
    let x = b.cast(x, DType::F64)?;
    let magnitude = b.unary(UnaryKind::Abs, x)?;
    let code = b.emit(ops::Cast { to, saturate }, &[magnitude])?;
    let (compare, factor) = match mode {
        "nearest" => return Ok(code),
        "up" => (CompareKind::Lt, 2.0),
        "down" => (CompareKind::Gt, 0.5),
        other => return bad(format!("round_mode `{other}` is none of up, down, nearest")),
    };
    let nearest = b.cast(code, DType::F64)?;
    let wrong = b.compare(compare, nearest, magnitude)?;
    let neighbour = mul_num(b, nearest, factor)?;
    let rounded = b.select(wrong, neighbour, nearest)?;
    Ok(b.emit(ops::Cast { to, saturate }, &[rounded])?)
}

/// Between integers of one width a cast keeps the bits; constants are read anew.
fn bit_cast(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let Some(to) = cx.attr_dtype("to")? else {
        return bad("attribute `to` is missing");
    };
    let from = cx.b.dtype(x);
    if from.size() != to.size() || (from.bits() != to.bits() && !is_byte_pair(from, to)) {
        return bad(format!("{from} and {to} differ in width"));
    }
    if from == to {
        return Ok(vec![x]);
    }
    if let Some(tensor) = cx.b.constant_of(x) {
        let same_bytes = Tensor::from_bytes(to, tensor.shape().to_vec(), tensor.bytes().clone());
        let tensor = same_bytes.or_else(|e| bad(e.to_string()))?;
        return Ok(vec![cx.b.constant(tensor)?]);
    }
    if (from.is_int() || from == DType::Bool) && (to.is_int() || to == DType::Bool) {
        return Ok(vec![cx.b.cast(x, to)?]);
    }
    if [from, to].contains(&DType::Bool) {
        return unsupported(format!("reading the bits of {from} as {to} at run time is not supported"));
    }
    Ok(vec![cx.b.emit(ops::Bitcast { to }, &[x])?])
}

/// Truth values are stored as bytes.
fn is_byte_pair(from: DType, to: DType) -> bool {
    [from, to].contains(&DType::Bool) && from.size() == 1 && to.size() == 1
}
