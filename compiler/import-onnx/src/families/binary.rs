//! Functions of pairs of elements, and of any number of them, with broadcasting.

use super::kit::*;

macro_rules! binary_rows {
    ($($name:ident $op:literal $since:literal $method:ident $kind:expr),* $(,)?) => {
        /// The family's table.
        pub(crate) const ROWS: &[Row] = &[
            $(Row::onnx($op, $since, $name),)*
            Row::onnx("Pow", 1, pow),
            Row::onnx("Mod", 10, modulo),
            Row::onnx("BitShift", 11, bit_shift),
            Row::onnx("Max", 1, max),
            Row::onnx("Min", 1, min),
            Row::onnx("Sum", 1, sum),
            Row::onnx("Mean", 1, mean_of_all),
            Row::onnx("Where", 9, select),
            Row::onnx("Clip", 1, clip),
        ];
        $(fn $name(cx: &mut Cx, inputs: Inputs) -> OpResult {
            let (a, b) = operands(cx, inputs)?;
            Ok(vec![cx.b.$method($kind, a, b)?])
        })*
    };
}

binary_rows! {
    add "Add" 1 binary BinaryKind::Add, sub "Sub" 1 binary BinaryKind::Sub,
    mul "Mul" 1 binary BinaryKind::Mul, div "Div" 1 binary BinaryKind::Div,
    and "And" 1 binary BinaryKind::And, or "Or" 1 binary BinaryKind::Or, xor "Xor" 1 binary BinaryKind::Xor,
    bitwise_and "BitwiseAnd" 18 binary BinaryKind::And, bitwise_or "BitwiseOr" 18 binary BinaryKind::Or,
    bitwise_xor "BitwiseXor" 18 binary BinaryKind::Xor,
    equal "Equal" 1 compare CompareKind::Eq,
    greater "Greater" 1 compare CompareKind::Gt, greater_or_equal "GreaterOrEqual" 12 compare CompareKind::Ge,
    less "Less" 1 compare CompareKind::Lt, less_or_equal "LessOrEqual" 12 compare CompareKind::Le,
}

/// Both operands. Before opset 7, `broadcast` with `axis` aligned the second one at an axis of the first.
fn operands(cx: &mut Cx, inputs: Inputs) -> Result<(ValueId, ValueId), ImportError> {
    let (a, b) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    if cx.opset >= 7 || !cx.attr_bool("broadcast", false)? {
        return Ok((a, b));
    }
    let Some(axis) = cx.attr_i_opt("axis")? else {
        return Ok((a, b));
    };
    let (rank, own) = (cx.b.rank(a), cx.b.rank(b));
    let axis = cx.axis(axis, rank)?;
    let Some(behind) = rank.checked_sub(axis + own) else {
        return bad(format!("axis {axis} leaves no room for {own} axes of {rank}"));
    };
    let mut shape = cx.b.shape(b).to_vec();
    shape.extend(vec![Dim::from(1); behind]);
    Ok((a, cx.b.reshape(b, shape)?))
}

/// The result has the base's type. Between types, the power is computed in the base's if that is a float, else in `f64`.
fn pow(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (base, exponent) = operands(cx, inputs)?;
    let (to, from) = (cx.b.dtype(base), cx.b.dtype(exponent));
    let work = if to.is_int() && from.is_float() { DType::F64 } else { to };
    let base = cx.b.cast(base, work)?;
    let exponent = cx.b.cast(exponent, work)?;
    let power = cx.b.binary(BinaryKind::Pow, base, exponent)?;
    Ok(vec![cx.b.cast(power, to)?])
}

fn modulo(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (a, b) = operands(cx, inputs)?;
    let kind = if cx.attr_bool("fmod", false)? { BinaryKind::Rem } else { BinaryKind::Mod };
    Ok(vec![cx.b.binary(kind, a, b)?])
}

/// A negative amount is as one of the whole width: only copies of the sign stay.
fn bit_shift(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, mut amount) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let kind = match cx.attr_s("direction", "")?.as_str() {
        "LEFT" => BinaryKind::Shl,
        "RIGHT" => BinaryKind::Shr,
        other => return bad(format!("direction `{other}` is neither LEFT nor RIGHT")),
    };
    let dtype = cx.b.dtype(amount);
    if dtype.is_signed_int() {
        let negative = compare_num(cx.b, CompareKind::Lt, amount, 0.0)?;
        let width = num(cx.b, amount, f64::from(dtype.bits()))?;
        amount = cx.b.select(negative, width, amount)?;
    }
    Ok(vec![cx.b.binary(kind, x, amount)?])
}

fn fold(cx: &mut Cx, inputs: Inputs, kind: BinaryKind) -> One {
    let mut result = cx.input(inputs, 0)?;
    for idx in 1..inputs.len() {
        let next = cx.input(inputs, idx)?;
        result = cx.b.binary(kind, result, next)?;
    }
    Ok(result)
}

fn max(cx: &mut Cx, inputs: Inputs) -> OpResult {
    Ok(vec![fold(cx, inputs, BinaryKind::Max)?])
}

fn min(cx: &mut Cx, inputs: Inputs) -> OpResult {
    Ok(vec![fold(cx, inputs, BinaryKind::Min)?])
}

fn sum(cx: &mut Cx, inputs: Inputs) -> OpResult {
    Ok(vec![fold(cx, inputs, BinaryKind::Add)?])
}

fn mean_of_all(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let total = fold(cx, inputs, BinaryKind::Add)?;
    let count = num(cx.b, total, inputs.len() as f64)?;
    Ok(vec![cx.b.div(total, count)?])
}

fn select(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let condition = cx.input(inputs, 0)?;
    let (a, b) = (cx.input(inputs, 1)?, cx.input(inputs, 2)?);
    Ok(vec![cx.b.select(condition, a, b)?])
}

/// Limits are attributes before opset 11, then operands. Where the lower is above the upper, the upper counts.
fn clip(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let limit = |cx: &mut Cx, idx: usize, name: &str| -> Result<Option<ValueId>, ImportError> {
        if cx.opset < 11 {
            let value = cx.attr_f_opt(name)?;
            return value.map(|v| num(cx.b, x, v)).transpose();
        }
        let operand = cx.opt(inputs, idx);
        operand.map(|v| as_scalar(cx.b, v)).transpose()
    };
    let mut result = x;
    if let Some(low) = limit(cx, 1, "min")? {
        result = cx.b.binary(BinaryKind::Max, result, low)?;
    }
    if let Some(high) = limit(cx, 2, "max")? {
        result = cx.b.binary(BinaryKind::Min, result, high)?;
    }
    Ok(vec![result])
}
