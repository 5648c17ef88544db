//! Attention whose scores and probabilities the model changes by subgraphs.

use super::attention::grouped_dot;
use super::kit::*;
use super::softmax::softmax_axes;
use crate::env::Slot;

pub(crate) const ROWS: &[Row] = &[Row::of("ai.onnx.preview", "FlexAttention", 1, flex_attention)];

/// The only result of a subgraph over one value; the value itself if there is no subgraph.
fn modified(cx: &mut Cx, name: &str, x: ValueId) -> One {
    if !cx.has_attr(name) {
        return Ok(x);
    }
    let graph = cx.attr_graph(name)?;
    match cx.splice(graph, vec![Slot::Value(x)])?.as_slice() {
        [Slot::Value(y)] => Ok(*y),
        [Slot::Poisoned] => Err(ImportError::Reported),
        _ => bad(format!("{name} does not give one tensor")),
    }
}

fn flex_attention(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let [q, k, v] = [cx.input(inputs, 0)?, cx.input(inputs, 1)?, cx.input(inputs, 2)?];
    if [q, k, v].iter().any(|x| cx.b.rank(*x) != 4) {
        return bad("FlexAttention takes tensors of four axes");
    }
    let scale = match cx.attr_f_opt("scale")? {
        Some(scale) => scale,
        None => 1.0 / (cx.const_dim(&cx.b.shape(q)[3])? as f64).sqrt(),
    };
    let out = cx.b.dtype(v);
    let computing = match cx.attr_dtype("softmax_precision")? {
        Some(dtype) => dtype,
        None => wide(cx.b.dtype(q)),
    };
    let scores = grouped_dot(cx.b, q, k, 3, wide(computing))?;
    let scores = mul_num(cx.b, scores, scale)?;
    let scores = cx.b.cast(scores, computing)?;
    let scores = modified(cx, "score_mod", scores)?;
    let weights = softmax_axes(cx.b, scores, &[3])?;
    let weights = modified(cx, "prob_mod", weights)?;
    let weights = cx.b.cast(weights, computing)?;
    let values = cx.b.cast(v, computing)?;
    let y = grouped_dot(cx.b, weights, values, 2, computing)?;
    Ok(vec![cx.b.cast(y, out)?])
}
