//! `NegativeLogLikelihoodLoss` and `SoftmaxCrossEntropyLoss`.

use super::kit::*;

pub(crate) const ROWS: &[Row] = &[
    Row::onnx("NegativeLogLikelihoodLoss", 12, negative_log_likelihood),
    Row::onnx("SoftmaxCrossEntropyLoss", 12, softmax_cross_entropy),
];

fn negative_log_likelihood(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let dtype = cx.b.dtype(x);
    let x = cx.b.cast(x, wide(dtype))?;
    let loss = loss(cx, inputs, x)?;
    Ok(vec![cx.b.cast(loss, dtype)?])
}

fn softmax_cross_entropy(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let dtype = cx.b.dtype(x);
    let x = cx.b.cast(x, wide(dtype))?;
    let log = super::softmax::log_softmax_axes(cx.b, x, &[1])?;
    let loss = loss(cx, inputs, log)?;
    Ok(vec![cx.b.cast(loss, dtype)?, cx.b.cast(log, dtype)?])
}

/// The loss of `log[n, class, ..]` at the target classes, each with its class's weight, reduced as the node asks for.
fn loss(cx: &mut Cx, inputs: Inputs, log: ValueId) -> One {
    let target = cx.input(inputs, 1)?;
    let weights = cx.opt(inputs, 2);
    let ignored = cx.attr_i_opt("ignore_index")?;
    let reduction = cx.attr_s("reduction", "mean")?;
    let b = &mut *cx.b;
    if b.rank(log) < 2 {
        return bad(format!("a loss over classes of {}", b.ty(log)));
    }
    let off = match ignored {
        Some(index) => {
            let index = b.scalar(b.dtype(target), index as f64)?;
            Some(b.compare(CompareKind::Eq, target, index)?)
        }
        None => None,
    };
    let target = match off {
        Some(off) => {
            let any = num(b, target, 0.0)?;
            b.select(off, any, target)?
        }
        None => target,
    };
    let index = unsqueeze(b, target, 1)?;
    let picked = b.emit(ops::GatherElements { axis: 1 }, &[log, index])?;
    let picked = b.reshape(picked, b.shape(target).to_vec())?;
    let loss = b.unary(UnaryKind::Neg, picked)?;
    let zero = num(b, loss, 0.0)?;
    let mut weight = match weights {
        Some(weights) => {
            let weights = b.cast(weights, b.dtype(log))?;
            Some(b.emit(ops::Gather { axis: 0 }, &[weights, target])?)
        }
        None => None,
    };
    if let Some(off) = off {
        let one = num(b, loss, 1.0)?;
        weight = Some(b.select(off, zero, weight.unwrap_or(one))?);
    }
    let weighted = match weight {
        Some(weight) => b.mul(loss, weight)?,
        None => loss,
    };
    let axes: Vec<usize> = (0..b.rank(weighted)).collect();
    match (reduction.as_str(), weight) {
        ("none", _) => Ok(weighted),
        ("sum", _) => Ok(b.reduce(ReduceKind::Sum, weighted, &axes, false)?),
        ("mean", Some(weight)) => {
            let sum = b.reduce(ReduceKind::Sum, weighted, &axes, false)?;
            let weight = b.broadcast(weight, b.shape(weighted).to_vec())?;
            let total = b.reduce(ReduceKind::Sum, weight, &axes, false)?;
            Ok(b.div(sum, total)?)
        }
        ("mean", None) => {
            let mean = mean(b, weighted, &axes)?;
            as_scalar(b, mean)
        }
        (other, _) => bad(format!("reduction {other}")),
    }
}
