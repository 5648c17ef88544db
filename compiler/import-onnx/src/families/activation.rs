//! Activation functions, from arithmetic.
//!
//! Each is one operator to whoever wrote the model, so a result of 16 bits is rounded once, not after every operation that the
//! function is made of.

use super::kit::*;

/// The family's table.
pub(crate) const ROWS: &[Row] = &[
    Row::onnx("Relu", 1, relu),
    Row::onnx("LeakyRelu", 1, leaky_relu),
    Row::onnx("PRelu", 1, prelu),
    Row::onnx("ThresholdedRelu", 1, thresholded_relu),
    Row::onnx("Elu", 1, |cx, inputs| rounded_once(cx, inputs, elu)),
    Row::onnx("Selu", 1, |cx, inputs| rounded_once(cx, inputs, selu)),
    Row::onnx("Celu", 12, |cx, inputs| rounded_once(cx, inputs, celu)),
    Row::onnx("Gelu", 20, |cx, inputs| rounded_once(cx, inputs, gelu)),
    Row::onnx("HardSigmoid", 1, |cx, inputs| rounded_once(cx, inputs, hard_sigmoid)),
    Row::onnx("HardSwish", 14, |cx, inputs| rounded_once(cx, inputs, hard_swish)),
    Row::onnx("Softplus", 1, |cx, inputs| rounded_once(cx, inputs, softplus_row)),
    Row::onnx("Softsign", 1, |cx, inputs| rounded_once(cx, inputs, softsign)),
    Row::onnx("Mish", 18, |cx, inputs| rounded_once(cx, inputs, mish)),
    Row::onnx("Swish", 24, |cx, inputs| rounded_once(cx, inputs, swish)),
    Row::onnx("SwiGLU", 28, |cx, inputs| rounded_once(cx, inputs, swiglu)),
    Row::onnx("Shrink", 9, shrink),
    Row::microsoft("Gelu", |cx, inputs| rounded_once(cx, inputs, gelu_exact_row)),
    Row::microsoft("FastGelu", |cx, inputs| rounded_once(cx, inputs, fast_gelu)),
    Row::microsoft("BiasGelu", |cx, inputs| rounded_once(cx, inputs, bias_gelu)),
    Row::microsoft("QuickGelu", |cx, inputs| rounded_once(cx, inputs, quick_gelu)),
];

/// Computes a function of operands of one type, of 16-bit floats in `f32`.
fn rounded_once(cx: &mut Cx, inputs: Inputs, function: OpFn) -> OpResult {
    let dtype = cx.b.dtype(cx.input(inputs, 0)?);
    if wide(dtype) == dtype {
        return function(cx, inputs);
    }
    let mut widened = inputs.to_vec();
    for operand in widened.iter_mut().flatten() {
        *operand = cx.b.cast(*operand, wide(dtype))?;
    }
    let results = function(cx, &widened)?;
    results.into_iter().map(|result| Ok(cx.b.cast(result, dtype)?)).collect()
}

fn relu(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    Ok(vec![with_num(cx.b, BinaryKind::Max, x, 0.0)?])
}

/// `x < 0 ? negative : x`.
fn below_zero(cx: &mut Cx, x: ValueId, negative: ValueId) -> OpResult {
    let below = compare_num(cx.b, CompareKind::Lt, x, 0.0)?;
    Ok(vec![cx.b.select(below, negative, x)?])
}

fn leaky_relu(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let alpha = cx.attr_f("alpha", f64::from(0.01f32))?;
    let scaled = mul_num(cx.b, x, alpha)?;
    below_zero(cx, x, scaled)
}

/// Before opset 7 a slope of one axis belongs to the channels.
fn prelu(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, mut slope) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    if cx.opset < 7 && cx.b.rank(slope) == 1 && cx.b.rank(x) > 1 {
        slope = along(cx.b, slope, cx.b.rank(x), 1)?;
    }
    let scaled = cx.b.mul(x, slope)?;
    below_zero(cx, x, scaled)
}

fn thresholded_relu(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let alpha = cx.attr_f("alpha", 1.0)?;
    let above = compare_num(cx.b, CompareKind::Gt, x, alpha)?;
    let zero = num(cx.b, x, 0.0)?;
    Ok(vec![cx.b.select(above, x, zero)?])
}

fn elu(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let alpha = cx.attr_f("alpha", 1.0)?;
    let curve = cx.b.unary(UnaryKind::Expm1, x)?;
    let curve = mul_num(cx.b, curve, alpha)?;
    below_zero(cx, x, curve)
}

fn selu(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let alpha = cx.attr_f("alpha", 1.673_263_192_176_818_8)?;
    let gamma = cx.attr_f("gamma", 1.050_701_022_148_132_3)?;
    let curve = cx.b.unary(UnaryKind::Expm1, x)?;
    let curve = mul_num(cx.b, curve, alpha)?;
    let positive = compare_num(cx.b, CompareKind::Gt, x, 0.0)?;
    let joined = cx.b.select(positive, x, curve)?;
    Ok(vec![mul_num(cx.b, joined, gamma)?])
}

fn celu(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let alpha = cx.attr_f("alpha", 1.0)?;
    let scaled = with_num(cx.b, BinaryKind::Div, x, alpha)?;
    let curve = cx.b.unary(UnaryKind::Expm1, scaled)?;
    let curve = mul_num(cx.b, curve, alpha)?;
    let low = with_num(cx.b, BinaryKind::Min, curve, 0.0)?;
    let high = with_num(cx.b, BinaryKind::Max, x, 0.0)?;
    Ok(vec![cx.b.add(high, low)?])
}

/// `0.5 x (1 + erf(x / sqrt 2))`.
fn gelu_exact(b: &mut Builder, x: ValueId) -> One {
    let scaled = mul_num(b, x, std::f64::consts::FRAC_1_SQRT_2)?;
    let erf = b.unary(UnaryKind::Erf, scaled)?;
    half_x_times_one_plus(b, x, erf)
}

/// `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`.
fn gelu_tanh(b: &mut Builder, x: ValueId) -> One {
    let square = b.mul(x, x)?;
    let cube = b.mul(square, x)?;
    let cube = mul_num(b, cube, 0.044715)?;
    let inner = b.add(x, cube)?;
    let inner = mul_num(b, inner, (2.0 / std::f64::consts::PI).sqrt())?;
    let tanh = b.unary(UnaryKind::Tanh, inner)?;
    half_x_times_one_plus(b, x, tanh)
}

fn half_x_times_one_plus(b: &mut Builder, x: ValueId, y: ValueId) -> One {
    let factor = add_num(b, y, 1.0)?;
    let half = mul_num(b, x, 0.5)?;
    Ok(b.mul(half, factor)?)
}

fn gelu(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let result = match cx.attr_s("approximate", "none")?.as_str() {
        "none" => gelu_exact(cx.b, x)?,
        "tanh" => gelu_tanh(cx.b, x)?,
        other => return bad(format!("approximate `{other}` is neither none nor tanh")),
    };
    Ok(vec![result])
}

fn gelu_exact_row(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    Ok(vec![gelu_exact(cx.b, x)?])
}

fn biased(cx: &mut Cx, inputs: Inputs) -> One {
    let x = cx.input(inputs, 0)?;
    match cx.opt(inputs, 1) {
        Some(bias) => Ok(cx.b.add(x, bias)?),
        None => Ok(x),
    }
}

fn fast_gelu(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = biased(cx, inputs)?;
    Ok(vec![gelu_tanh(cx.b, x)?])
}

fn bias_gelu(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = biased(cx, inputs)?;
    Ok(vec![gelu_exact(cx.b, x)?])
}

fn quick_gelu(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let alpha = cx.attr_f("alpha", f64::from(1.702f32))?;
    Ok(vec![x_sigmoid(cx.b, x, alpha)?])
}

fn hard_sigmoid(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let alpha = cx.attr_f("alpha", f64::from(0.2f32))?;
    let beta = cx.attr_f("beta", 0.5)?;
    let line = mul_num(cx.b, x, alpha)?;
    let line = add_num(cx.b, line, beta)?;
    Ok(vec![clamp(cx.b, line, 0.0, 1.0)?])
}

fn hard_swish(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let line = mul_num(cx.b, x, 1.0 / 6.0)?;
    let line = add_num(cx.b, line, 0.5)?;
    let gate = clamp(cx.b, line, 0.0, 1.0)?;
    Ok(vec![cx.b.mul(x, gate)?])
}

/// `ln(1 + e^x)` as `max(x, 0) + ln(1 + e^-|x|)`, which does not overflow.
fn softplus(b: &mut Builder, x: ValueId) -> One {
    let magnitude = b.unary(UnaryKind::Abs, x)?;
    let negative = b.unary(UnaryKind::Neg, magnitude)?;
    let exp = b.unary(UnaryKind::Exp, negative)?;
    let log = b.unary(UnaryKind::Log1p, exp)?;
    let high = with_num(b, BinaryKind::Max, x, 0.0)?;
    Ok(b.add(high, log)?)
}

fn softplus_row(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    Ok(vec![softplus(cx.b, x)?])
}

fn softsign(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let magnitude = cx.b.unary(UnaryKind::Abs, x)?;
    let below = add_num(cx.b, magnitude, 1.0)?;
    Ok(vec![cx.b.div(x, below)?])
}

fn mish(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let soft = softplus(cx.b, x)?;
    let tanh = cx.b.unary(UnaryKind::Tanh, soft)?;
    Ok(vec![cx.b.mul(x, tanh)?])
}

/// `x sigmoid(alpha x)`.
fn x_sigmoid(b: &mut Builder, x: ValueId, alpha: f64) -> One {
    let scaled = mul_num(b, x, alpha)?;
    let gate = b.unary(UnaryKind::Sigmoid, scaled)?;
    Ok(b.mul(x, gate)?)
}

fn swish(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let alpha = cx.attr_f("alpha", 1.0)?;
    Ok(vec![x_sigmoid(cx.b, x, alpha)?])
}

/// Integers are shrunk as `f64`.
fn shrink(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let (bias, lambda) = (cx.attr_f("bias", 0.0)?, cx.attr_f("lambd", 0.5)?);
    let dtype = cx.b.dtype(x);
    let x = if dtype.is_int() { cx.b.cast(x, DType::F64)? } else { x };
    let low = compare_num(cx.b, CompareKind::Lt, x, -lambda)?;
    let high = compare_num(cx.b, CompareKind::Gt, x, lambda)?;
    let (raised, lowered) = (add_num(cx.b, x, bias)?, add_num(cx.b, x, -bias)?);
    let zero = num(cx.b, x, 0.0)?;
    let rest = cx.b.select(high, lowered, zero)?;
    let result = cx.b.select(low, raised, rest)?;
    Ok(vec![cx.b.cast(result, dtype)?])
}

fn swiglu(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (gate, x) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let alpha = cx.attr_f("alpha", 1.0)?;
    let gate = x_sigmoid(cx.b, gate, alpha)?;
    Ok(vec![cx.b.mul(gate, x)?])
}
