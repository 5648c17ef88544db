//! `Softmax`, `LogSoftmax` and `Hardmax`.

use super::kit::*;

pub(crate) const ROWS: &[Row] =
    &[Row::onnx("Softmax", 1, softmax), Row::onnx("LogSoftmax", 1, log_softmax), Row::onnx("Hardmax", 1, hardmax)];

/// `exp(x - max) / sum` along an axis, in the operand's own element type.
pub(super) fn softmax_axes(b: &mut Builder, x: ValueId, axes: &[usize]) -> One {
    let (exp, sum) = exp_and_sum(b, x, axes)?;
    Ok(b.div(exp, sum)?)
}

fn exp_and_sum(b: &mut Builder, x: ValueId, axes: &[usize]) -> Result<(ValueId, ValueId), ImportError> {
    let max = b.reduce(ReduceKind::Max, x, axes, true)?;
    let shifted = b.sub(x, max)?;
    let exp = b.unary(UnaryKind::Exp, shifted)?;
    let sum = b.reduce(ReduceKind::Sum, exp, axes, true)?;
    Ok((exp, sum))
}

/// `x - max - ln(sum(exp(x - max)))` along an axis, in the operand's own element type.
pub(super) fn log_softmax_axes(b: &mut Builder, x: ValueId, axes: &[usize]) -> One {
    let max = b.reduce(ReduceKind::Max, x, axes, true)?;
    let shifted = b.sub(x, max)?;
    let exp = b.unary(UnaryKind::Exp, shifted)?;
    let sum = b.reduce(ReduceKind::Sum, exp, axes, true)?;
    let log = b.unary(UnaryKind::Log, sum)?;
    Ok(b.sub(shifted, log)?)
}

/// The axes that the operator normalises: one since version 13, all from `axis` on before.
fn axes_of(cx: &Cx, x: ValueId) -> Result<Vec<usize>, ImportError> {
    let rank = cx.b.rank(x);
    let axis = cx.axis(cx.attr_i("axis", if cx.opset < 13 { 1 } else { -1 })?, rank)?;
    Ok(if cx.opset < 13 { (axis..rank).collect() } else { vec![axis] })
}

fn in_wide(cx: &mut Cx, inputs: Inputs, f: fn(&mut Builder, ValueId, &[usize]) -> One) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let axes = axes_of(cx, x)?;
    let dtype = cx.b.dtype(x);
    let widened = cx.b.cast(x, wide(dtype))?;
    let y = f(cx.b, widened, &axes)?;
    Ok(vec![cx.b.cast(y, dtype)?])
}

fn softmax(cx: &mut Cx, inputs: Inputs) -> OpResult {
    in_wide(cx, inputs, softmax_axes)
}

fn log_softmax(cx: &mut Cx, inputs: Inputs) -> OpResult {
    in_wide(cx, inputs, log_softmax_axes)
}

/// 1 at the first maximum, 0 elsewhere. Before version 13 all axes from `axis` on are one.
fn hardmax(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let axes = axes_of(cx, x)?;
    let b = &mut *cx.b;
    let (shape, dtype) = (b.shape(x).to_vec(), b.dtype(x));
    let first = axes[0];
    let last = first + axes.len();
    let flat: Vec<Dim> = [&shape[..first], &[product(&shape[first..last])], &shape[last..]].concat();
    let x = b.reshape(x, flat.clone())?;
    let kind = ops::ArgKind::Max;
    let best = b.emit(ops::ArgReduce { kind, axis: first, last: false }, &[x])?;
    let best = unsqueeze(b, best, first)?;
    let index = b.emit(ops::Iota { dtype: DType::I64, shape: flat, axis: first }, &[])?;
    let hit = b.compare(CompareKind::Eq, index, best)?;
    let y = b.cast(hit, dtype)?;
    Ok(vec![b.reshape(y, shape)?])
}
