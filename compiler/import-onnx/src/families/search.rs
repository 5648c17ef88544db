//! The best, the distinct, and the boxes that stay.

use super::kit::*;

/// The family's table.
pub(crate) const ROWS: &[Row] = &[
    Row::onnx("TopK", 1, top_k),
    Row::onnx("Unique", 11, unique),
    Row::onnx("NonMaxSuppression", 10, non_max_suppression),
];

fn top_k(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let axis = cx.axis(cx.attr_i("axis", -1)?, cx.b.rank(x))?;
    let k = match (cx.opt(inputs, 1), cx.attr_i_opt("k")?) {
        (Some(k), _) => cx.runtime_dim(k)?,
        (None, Some(k)) => k.into(),
        (None, None) => return bad("there is no `k`, neither as input nor as attribute"),
    };
    let largest = cx.attr_bool("largest", true)?;
    Ok(cx.b.emit_all(ops::TopK { axis, k, largest }, &[x])?)
}

fn unique(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let axis = match cx.attr_i_opt("axis")? {
        Some(axis) => cx.axis(axis, cx.b.rank(x))? as i64,
        None => -1,
    };
    let sorted = cx.attr_bool("sorted", true)?;
    let count = cx.fresh("distinct");
    Ok(cx.b.emit_all(ops::Unique { axis, sorted, count }, &[x])?)
}

/// Without a score threshold every box counts; without a number of boxes none is kept.
fn non_max_suppression(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (boxes, scores) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let scalar = |cx: &mut Cx, idx: usize, dtype: DType, default: f64| -> One {
        match cx.opt(inputs, idx) {
            Some(value) => {
                let value = as_scalar(cx.b, value)?;
                Ok(cx.b.cast(value, dtype)?)
            }
            None => Ok(cx.b.scalar(dtype, default)?),
        }
    };
    let most = scalar(cx, 2, DType::I64, 0.0)?;
    let overlap = scalar(cx, 3, DType::F32, 0.0)?;
    let least = scalar(cx, 4, DType::F32, f64::NEG_INFINITY)?;
    let center_point = cx.attr_bool("center_point_box", false)?;
    let count = cx.fresh("boxes");
    let op = ops::NonMaxSuppression { center_point, count };
    Ok(vec![cx.b.emit(op, &[boxes, scores, most, overlap, least])?])
}
