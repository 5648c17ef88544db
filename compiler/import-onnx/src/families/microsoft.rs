//! Fused operators of ONNX Runtime that exporters and optimizers leave in models.

use super::kit::*;
use super::matmul::numpy_matmul;
use super::nn_norm::{normalized, rms_normalized};

pub(crate) const ROWS: &[Row] = &[
    Row::microsoft("FusedMatMul", fused_matmul),
    Row::microsoft("TransposeMatMul", fused_matmul),
    Row::microsoft("SkipLayerNormalization", skip_layer_norm),
    Row::microsoft("SkipSimplifiedLayerNormalization", skip_simplified_layer_norm),
];

fn swap_last(b: &mut Builder, x: ValueId) -> One {
    let rank = b.rank(x);
    if rank < 2 {
        return Ok(x);
    }
    let mut perm: Vec<usize> = (0..rank).collect();
    perm.swap(rank - 1, rank - 2);
    Ok(b.transpose(x, perm)?)
}

/// `[m, batch.., k]` as `[batch.., m, k]`.
fn batch_first(b: &mut Builder, x: ValueId) -> One {
    let rank = b.rank(x);
    if rank < 3 {
        return Ok(x);
    }
    let perm = (1..rank - 1).chain([0, rank - 1]).collect();
    Ok(b.transpose(x, perm)?)
}

fn fused_matmul(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let mut operands = [cx.input(inputs, 0)?, cx.input(inputs, 1)?];
    let flags = [("transBatchA", "transA"), ("transBatchB", "transB")];
    for (operand, (batch, last)) in operands.iter_mut().zip(flags) {
        if cx.attr_bool(batch, false)? {
            *operand = batch_first(cx.b, *operand)?;
        }
        if cx.attr_bool(last, false)? {
            *operand = swap_last(cx.b, *operand)?;
        }
    }
    let alpha = cx.attr_f("alpha", 1.0)?;
    let [x, y] = operands;
    let out = cx.b.dtype(x);
    let product = numpy_matmul(cx.b, x, y, out)?;
    Ok(vec![mul_num(cx.b, product, alpha)?])
}

/// Operand plus skip plus bias, and the position of the bias among the operands.
fn skipped(cx: &mut Cx, inputs: Inputs, bias: usize) -> Result<(ValueId, usize), ImportError> {
    let (x, skip) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let bias = cx.opt(inputs, bias);
    let mut sum = cx.b.add(x, skip)?;
    if let Some(bias) = bias {
        sum = cx.b.add(sum, bias)?;
    }
    let axis = cx.b.rank(sum) - 1;
    Ok((sum, axis))
}

fn epsilon(cx: &Cx) -> Result<f64, ImportError> {
    cx.attr_f("epsilon", f64::from(1e-12f32))
}

fn skip_layer_norm(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (sum, axis) = skipped(cx, inputs, 4)?;
    let (scale, shift) = (cx.input(inputs, 2)?, cx.opt(inputs, 3));
    let epsilon = epsilon(cx)?;
    let b = &mut *cx.b;
    let dtype = b.dtype(sum);
    let x = b.cast(sum, wide(dtype))?;
    let normal = normalized(b, x, &[axis], epsilon)?;
    let scale = b.cast(scale, wide(dtype))?;
    let mut y = b.mul(normal.y, scale)?;
    if let Some(shift) = shift {
        let shift = b.cast(shift, wide(dtype))?;
        y = b.add(y, shift)?;
    }
    Ok(vec![b.cast(y, dtype)?, normal.mean, normal.inverse_deviation, sum])
}

fn skip_simplified_layer_norm(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (sum, axis) = skipped(cx, inputs, 3)?;
    let scale = cx.input(inputs, 2)?;
    let epsilon = epsilon(cx)?;
    let b = &mut *cx.b;
    let dtype = b.dtype(sum);
    let x = b.cast(sum, wide(dtype))?;
    let (y, inverse) = rms_normalized(b, x, &[axis], epsilon)?;
    let scale = b.cast(scale, wide(dtype))?;
    let y = b.mul(y, scale)?;
    Ok(vec![b.cast(y, dtype)?, inverse, inverse, sum])
}
