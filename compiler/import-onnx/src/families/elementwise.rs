//! Elementwise arithmetic.

use crate::cx::{Cx, Inputs, OpResult};
use crate::registry::Row;

pub(crate) const ROWS: &[Row] = &[Row::onnx("Add", 1, add)];

fn add(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (a, b) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    Ok(vec![cx.b.add(a, b)?])
}
