//! Reductions and running sums.

use super::kit::*;
use ops::{ArgKind, CumKind};

/// The family's table.
pub(crate) const ROWS: &[Row] = &[
    Row::onnx("ReduceSum", 1, sum),
    Row::onnx("ReduceProd", 1, prod),
    Row::onnx("ReduceMax", 1, max),
    Row::onnx("ReduceMin", 1, min),
    Row::onnx("ReduceMean", 1, mean_row),
    Row::onnx("ReduceL1", 1, l1),
    Row::onnx("ReduceL2", 1, l2),
    Row::onnx("ReduceSumSquare", 1, sum_square),
    Row::onnx("ReduceLogSum", 1, log_sum),
    Row::onnx("ReduceLogSumExp", 1, log_sum_exp),
    Row::onnx("ArgMax", 1, arg_max),
    Row::onnx("ArgMin", 1, arg_min),
    Row::onnx("CumSum", 11, cum_sum),
    Row::onnx("CumProd", 26, cum_prod),
];

/// The operand of a reduction, its axes, and whether they stay.
struct Plan {
    x: ValueId,
    axes: Vec<usize>,
    keep: bool,
}

/// Without axes all are reduced, or none where `noop_with_empty_axes` says so.
fn plan(cx: &mut Cx, inputs: Inputs) -> Result<Plan, ImportError> {
    let x = cx.input(inputs, 0)?;
    let keep = cx.attr_bool("keepdims", true)?;
    let given = super::shape::given_axes(cx, inputs)?.unwrap_or_default();
    let rank = cx.b.rank(x);
    let axes = if !given.is_empty() {
        cx.axes(&given, rank)?
    } else if cx.attr_bool("noop_with_empty_axes", false)? {
        Vec::new()
    } else {
        (0..rank).collect()
    };
    Ok(Plan { x, axes, keep })
}

impl Plan {
    fn reduce(&self, b: &mut Builder, kind: ReduceKind, x: ValueId) -> One {
        Ok(b.reduce(kind, x, &self.axes, self.keep)?)
    }
}

fn simple(cx: &mut Cx, inputs: Inputs, kind: ReduceKind) -> OpResult {
    let plan = plan(cx, inputs)?;
    Ok(vec![plan.reduce(cx.b, kind, plan.x)?])
}

fn sum(cx: &mut Cx, inputs: Inputs) -> OpResult {
    simple(cx, inputs, ReduceKind::Sum)
}

fn prod(cx: &mut Cx, inputs: Inputs) -> OpResult {
    simple(cx, inputs, ReduceKind::Prod)
}

fn max(cx: &mut Cx, inputs: Inputs) -> OpResult {
    simple(cx, inputs, ReduceKind::Max)
}

fn min(cx: &mut Cx, inputs: Inputs) -> OpResult {
    simple(cx, inputs, ReduceKind::Min)
}

fn mean_row(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let plan = plan(cx, inputs)?;
    let extents: Vec<Dim> = plan.axes.iter().map(|axis| cx.b.shape(plan.x)[*axis].clone()).collect();
    let sum = plan.reduce(cx.b, ReduceKind::Sum, plan.x)?;
    let count = count_value(cx.b, &product(&extents), plan.x)?;
    Ok(vec![cx.b.div(sum, count)?])
}

fn l1(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let plan = plan(cx, inputs)?;
    let magnitude = cx.b.unary(UnaryKind::Abs, plan.x)?;
    Ok(vec![plan.reduce(cx.b, ReduceKind::Sum, magnitude)?])
}

fn sum_square(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let plan = plan(cx, inputs)?;
    let square = cx.b.mul(plan.x, plan.x)?;
    Ok(vec![plan.reduce(cx.b, ReduceKind::Sum, square)?])
}

/// The operand as something that roots and logarithms are defined on: integers as `f64`.
fn as_float(cx: &mut Cx, x: ValueId) -> One {
    if cx.b.dtype(x).is_int() {
        return Ok(cx.b.cast(x, DType::F64)?);
    }
    Ok(x)
}

fn l2(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let plan = plan(cx, inputs)?;
    let x = as_float(cx, plan.x)?;
    let square = cx.b.mul(x, x)?;
    let sum = plan.reduce(cx.b, ReduceKind::Sum, square)?;
    let root = cx.b.unary(UnaryKind::Sqrt, sum)?;
    let dtype = cx.b.dtype(plan.x);
    Ok(vec![cx.b.cast(root, dtype)?])
}

fn log_sum(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let plan = plan(cx, inputs)?;
    let x = as_float(cx, plan.x)?;
    let sum = plan.reduce(cx.b, ReduceKind::Sum, x)?;
    let log = cx.b.unary(UnaryKind::Log, sum)?;
    let dtype = cx.b.dtype(plan.x);
    Ok(vec![cx.b.cast(log, dtype)?])
}

/// Around the maximum, so that nothing overflows; an infinite maximum is left out of it.
fn log_sum_exp(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let plan = plan(cx, inputs)?;
    let x = as_float(cx, plan.x)?;
    let most = cx.b.reduce(ReduceKind::Max, x, &plan.axes, true)?;
    let magnitude = cx.b.unary(UnaryKind::Abs, most)?;
    let infinite = compare_num(cx.b, CompareKind::Eq, magnitude, f64::INFINITY)?;
    let zero = num(cx.b, most, 0.0)?;
    let shift = cx.b.select(infinite, zero, most)?;
    let centred = cx.b.sub(x, shift)?;
    let exp = cx.b.unary(UnaryKind::Exp, centred)?;
    let sum = cx.b.reduce(ReduceKind::Sum, exp, &plan.axes, true)?;
    let log = cx.b.unary(UnaryKind::Log, sum)?;
    let result = cx.b.add(log, shift)?;
    let dtype = cx.b.dtype(plan.x);
    let result = cx.b.cast(result, dtype)?;
    if plan.keep {
        return Ok(vec![result]);
    }
    let kept = cx.b.shape(result).iter().enumerate().filter(|(axis, _)| !plan.axes.contains(axis));
    let shape = kept.map(|(_, dim)| dim.clone()).collect();
    Ok(vec![cx.b.reshape(result, shape)?])
}

fn arg(cx: &mut Cx, inputs: Inputs, kind: ArgKind) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let axis = cx.axis(cx.attr_i("axis", 0)?, cx.b.rank(x))?;
    let last = cx.attr_bool("select_last_index", false)?;
    let at = cx.b.emit(ops::ArgReduce { kind, axis, last }, &[x])?;
    if cx.attr_bool("keepdims", true)? {
        return Ok(vec![unsqueeze(cx.b, at, axis)?]);
    }
    Ok(vec![at])
}

fn arg_max(cx: &mut Cx, inputs: Inputs) -> OpResult {
    arg(cx, inputs, ArgKind::Max)
}

fn arg_min(cx: &mut Cx, inputs: Inputs) -> OpResult {
    arg(cx, inputs, ArgKind::Min)
}

fn cumulative(cx: &mut Cx, inputs: Inputs, kind: CumKind) -> OpResult {
    let (x, axis) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let axis = cx.axis(cx.const_int(axis)?, cx.b.rank(x))?;
    let exclusive = cx.attr_bool("exclusive", false)?;
    let reverse = cx.attr_bool("reverse", false)?;
    Ok(vec![cx.b.emit(ops::Cumulative { kind, axis, exclusive, reverse }, &[x])?])
}

fn cum_sum(cx: &mut Cx, inputs: Inputs) -> OpResult {
    cumulative(cx, inputs, CumKind::Sum)
}

fn cum_prod(cx: &mut Cx, inputs: Inputs) -> OpResult {
    cumulative(cx, inputs, CumKind::Prod)
}
