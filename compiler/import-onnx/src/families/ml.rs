//! Numeric operators of `ai.onnx.ml`.

use super::kit::*;
use super::softmax::softmax_axes;

const DOMAIN: &str = "ai.onnx.ml";

pub(crate) const ROWS: &[Row] = &[
    Row::of(DOMAIN, "Binarizer", 1, binarizer),
    Row::of(DOMAIN, "Normalizer", 1, normalizer),
    Row::of(DOMAIN, "Scaler", 1, scaler),
    Row::of(DOMAIN, "ArrayFeatureExtractor", 1, array_feature_extractor),
    Row::of(DOMAIN, "LinearRegressor", 1, linear_regressor),
    Row::of(DOMAIN, "LinearClassifier", 1, linear_classifier),
];

fn binarizer(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let threshold = cx.attr_f("threshold", 0.0)?;
    let b = &mut *cx.b;
    let above = compare_num(b, CompareKind::Gt, x, threshold)?;
    let dtype = b.dtype(x);
    Ok(vec![b.cast(above, dtype)?])
}

/// Numbers of any type as floats: `f64` stays, all others become `f32`.
pub(super) fn as_float(b: &mut Builder, x: ValueId) -> One {
    let dtype = if b.dtype(x) == DType::F64 { DType::F64 } else { DType::F32 };
    Ok(b.cast(x, dtype)?)
}

fn normalizer(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let norm = cx.attr_s("norm", "MAX")?;
    let b = &mut *cx.b;
    let x = b.cast(x, DType::F32)?;
    let axis = b.rank(x).saturating_sub(1);
    let size = match norm.as_str() {
        "MAX" => {
            // The standard divides by the largest element, not by the largest magnitude.
            let max = b.reduce(ReduceKind::Max, x, &[axis], true)?;
            let none = compare_num(b, CompareKind::Eq, max, 0.0)?;
            let one = num(b, max, 1.0)?;
            let max = b.select(none, one, max)?;
            return Ok(vec![b.div(x, max)?]);
        }
        "L1" => {
            let size = b.unary(UnaryKind::Abs, x)?;
            b.reduce(ReduceKind::Sum, size, &[axis], true)?
        }
        "L2" => {
            let square = b.mul(x, x)?;
            let sum = b.reduce(ReduceKind::Sum, square, &[axis], true)?;
            b.unary(UnaryKind::Sqrt, sum)?
        }
        other => return bad(format!("norm {other}")),
    };
    let size = with_num(b, BinaryKind::Max, size, f64::from(1e-30f32))?;
    Ok(vec![b.div(x, size)?])
}

/// Floats as a vector constant; one number becomes a scalar.
pub(super) fn vector(b: &mut Builder, values: &[f64], dtype: DType) -> One {
    let shape = if values.len() == 1 { Vec::new() } else { vec![values.len()] };
    let at = |idx: usize| Scalar::Float(values[idx]);
    Ok(b.constant(Tensor::build(dtype, shape, at))?)
}

fn scaler(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let offset = cx.attr_floats("offset")?.unwrap_or_else(|| vec![0.0]);
    let scale = cx.attr_floats("scale")?.unwrap_or_else(|| vec![1.0]);
    let b = &mut *cx.b;
    let x = b.cast(x, DType::F32)?;
    let offset = vector(b, &offset, DType::F32)?;
    let scale = vector(b, &scale, DType::F32)?;
    let shifted = b.sub(x, offset)?;
    Ok(vec![b.mul(shifted, scale)?])
}

/// Elements of the last axis by index; a vector counts as a matrix of one row.
fn array_feature_extractor(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, index) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let b = &mut *cx.b;
    let count = b.ty(index).num_elements();
    let index = b.reshape(index, vec![count])?;
    let x = if b.rank(x) == 1 { unsqueeze(b, x, 0)? } else { x };
    let axis = b.rank(x).saturating_sub(1);
    Ok(vec![b.emit(ops::Gather { axis }, &[x, index])?])
}

/// `x * coefficients^T + intercepts`, with one row of coefficients for each target.
fn linear(cx: &mut Cx, x: ValueId, targets: usize) -> One {
    let coefficients = cx.attr_floats("coefficients")?.unwrap_or_default();
    let intercepts = cx.attr_floats("intercepts")?.unwrap_or_default();
    if targets == 0 || coefficients.is_empty() || coefficients.len() % targets != 0 {
        return bad(format!("{} coefficients for {targets} targets", coefficients.len()));
    }
    let b = &mut *cx.b;
    let dtype = b.dtype(x);
    let at = |idx: usize| Scalar::Float(coefficients[idx]);
    let shape = vec![targets, coefficients.len() / targets];
    let weights = b.constant(Tensor::build(dtype, shape, at))?;
    let scores = dot(b, (x, &[], &[1]), (weights, &[], &[1]), dtype)?;
    if intercepts.is_empty() {
        return Ok(scores);
    }
    let intercepts = vector(b, &intercepts, dtype)?;
    Ok(b.add(scores, intercepts)?)
}

/// What happens to scores at the end.
pub(super) fn post_transform(cx: &mut Cx, scores: ValueId) -> One {
    let axis = cx.b.rank(scores).saturating_sub(1);
    match cx.attr_s("post_transform", "NONE")?.as_str() {
        "NONE" => Ok(scores),
        "LOGISTIC" => Ok(cx.b.unary(UnaryKind::Sigmoid, scores)?),
        "SOFTMAX" => softmax_axes(cx.b, scores, &[axis]),
        "SOFTMAX_ZERO" => softmax_zero(cx.b, scores, axis),
        other => unsupported(format!("post_transform {other}")),
    }
}

/// Softmax in which zeros stay zeros.
pub(super) fn softmax_zero(b: &mut Builder, x: ValueId, axis: usize) -> One {
    let max = b.reduce(ReduceKind::Max, x, &[axis], true)?;
    let shifted = b.sub(x, max)?;
    let exp = b.unary(UnaryKind::Exp, shifted)?;
    let size = b.unary(UnaryKind::Abs, x)?;
    let matters = compare_num(b, CompareKind::Gt, size, 1e-7)?;
    let zero = num(b, x, 0.0)?;
    let exp = b.select(matters, exp, zero)?;
    let sum = b.reduce(ReduceKind::Sum, exp, &[axis], true)?;
    let nothing = compare_num(b, CompareKind::Eq, sum, 0.0)?;
    let one = num(b, sum, 1.0)?;
    let divisor = b.select(nothing, one, sum)?;
    let y = b.div(exp, divisor)?;
    let half = num(b, y, 0.5)?;
    Ok(b.select(nothing, half, y)?)
}

fn linear_regressor(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let targets = usize::try_from(cx.attr_i("targets", 1)?).unwrap_or(0);
    let x = as_float(cx.b, x)?;
    let scores = linear(cx, x, targets)?;
    Ok(vec![post_transform(cx, scores)?])
}

fn linear_classifier(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let Some(labels) = cx.attr_ints("classlabels_ints")? else {
        return unsupported("classes with names; only numbers are supported");
    };
    let x = as_float(cx.b, x)?;
    let x = if cx.b.rank(x) == 1 { unsqueeze(cx.b, x, 0)? } else { x };
    let features = cx.const_dim(&cx.b.shape(x)[1])?.max(1);
    let n = cx.attr_floats("coefficients")?.unwrap_or_default().len() / features;
    let mut scores = linear(cx, x, n)?;
    if n == 1 && labels.len() == 2 {
        let against = cx.b.unary(UnaryKind::Neg, scores)?;
        scores = concat(cx.b, &[against, scores], 1)?;
    }
    let none = cx.attr_s("post_transform", "NONE")? == "NONE";
    let scores = post_transform(cx, scores)?;
    let b = &mut *cx.b;
    let chosen = if b.shape(scores)[1].as_const() == Some(1) {
        let threshold = if none { 0.0 } else { 0.5 };
        let hit = compare_num(b, CompareKind::Ge, scores, threshold)?;
        let rows = b.shape(scores)[0].clone();
        let hit = b.reshape(hit, vec![rows])?;
        let label = b.scalar(DType::I64, labels.first().copied().unwrap_or(1) as f64)?;
        let zero = b.scalar(DType::I64, 0.0)?;
        b.select(hit, label, zero)?
    } else {
        let best = b.emit(ops::ArgReduce { kind: ops::ArgKind::Max, axis: 1, last: false }, &[scores])?;
        let table = b.ints(&labels)?;
        b.emit(ops::Gather { axis: 0 }, &[table, best])?
    };
    Ok(vec![chosen, scores])
}
