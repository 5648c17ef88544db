//! Functions of each element that the graph has as such.

use super::kit::*;

macro_rules! unary_rows {
    ($($name:ident $op:literal $since:literal $kind:ident),* $(,)?) => {
        /// The family's table.
        pub(crate) const ROWS: &[Row] = &[
            $(Row::onnx($op, $since, $name),)*
            Row::onnx("Reciprocal", 1, reciprocal),
            Row::onnx("IsNaN", 9, is_nan),
            Row::onnx("IsInf", 10, is_inf),
        ];
        $(fn $name(cx: &mut Cx, inputs: Inputs) -> OpResult {
            let x = cx.input(inputs, 0)?;
            Ok(vec![cx.b.unary(UnaryKind::$kind, x)?])
        })*
    };
}

unary_rows! {
    abs "Abs" 1 Abs, neg "Neg" 1 Neg, sign "Sign" 9 Sign,
    not "Not" 1 Not, bitwise_not "BitwiseNot" 18 Not,
    exp "Exp" 1 Exp, log "Log" 1 Log, sqrt "Sqrt" 1 Sqrt,
    sin "Sin" 7 Sin, cos "Cos" 7 Cos, tan "Tan" 7 Tan,
    asin "Asin" 7 Asin, acos "Acos" 7 Acos, atan "Atan" 7 Atan,
    sinh "Sinh" 9 Sinh, cosh "Cosh" 9 Cosh, tanh "Tanh" 1 Tanh,
    asinh "Asinh" 9 Asinh, acosh "Acosh" 9 Acosh, atanh "Atanh" 9 Atanh,
    erf "Erf" 9 Erf, sigmoid "Sigmoid" 1 Sigmoid,
    floor "Floor" 1 Floor, ceil "Ceil" 1 Ceil, round "Round" 11 Round,
}

fn reciprocal(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let one = num(cx.b, x, 1.0)?;
    Ok(vec![cx.b.div(one, x)?])
}

/// Floats of at most eight bits have no arithmetic: their tests are those of `f32`.
fn testable(cx: &mut Cx, x: ValueId) -> One {
    if cx.b.dtype(x).is_tiny_float() {
        return Ok(cx.b.cast(x, DType::F32)?);
    }
    Ok(x)
}

fn is_nan(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let x = testable(cx, x)?;
    Ok(vec![cx.b.unary(UnaryKind::IsNan, x)?])
}

fn is_inf(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let x = testable(cx, x)?;
    let negative = cx.attr_bool("detect_negative", true)?;
    let positive = cx.attr_bool("detect_positive", true)?;
    let result = match (negative, positive) {
        (true, true) => {
            let magnitude = cx.b.unary(UnaryKind::Abs, x)?;
            compare_num(cx.b, CompareKind::Eq, magnitude, f64::INFINITY)?
        }
        (true, false) => compare_num(cx.b, CompareKind::Eq, x, f64::NEG_INFINITY)?,
        (false, true) => compare_num(cx.b, CompareKind::Eq, x, f64::INFINITY)?,
        (false, false) => {
            let never = cx.b.scalar(DType::Bool, 0.0)?;
            let shape = cx.b.shape(x).to_vec();
            cx.b.broadcast(never, shape)?
        }
    };
    Ok(vec![result])
}
