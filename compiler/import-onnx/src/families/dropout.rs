//! `Dropout`: nothing at inference, a random mask in training.

use super::kit::*;

pub(crate) const ROWS: &[Row] = &[Row::onnx("Dropout", 1, dropout)];

/// A seed for a node that does not tell one: a number made of its result's name, so that each compilation gives the same program.
fn seed_of(cx: &Cx) -> u64 {
    let name = cx.node.output.first().map_or("", String::as_str);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn seed(cx: &Cx) -> Result<u64, ImportError> {
    Ok(match cx.attr_i_opt("seed")? {
        Some(seed) => seed.cast_unsigned(),
        None => seed_of(cx),
    })
}

fn dropout(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let shape = cx.b.shape(x).to_vec();
    let training = cx.opt(inputs, 2).filter(|_| cx.opset >= 12);
    let off = match training {
        None => true,
        Some(training) => cx.b.constant_of(training).is_some_and(|t| t.iter().all(|v| !v.as_bool())),
    };
    let Some(training) = training.filter(|_| !off) else {
        if !cx.wants(1) {
            return Ok(vec![x]);
        }
        let mask_type = if cx.opset < 10 { cx.b.dtype(x) } else { DType::Bool };
        let one = cx.b.scalar(mask_type, 1.0)?;
        return Ok(vec![x, cx.b.broadcast(one, shape)?]);
    };
    let ratio = match cx.opt(inputs, 1) {
        Some(ratio) => ratio,
        None => cx.b.scalar(DType::F32, 0.5)?,
    };
    let seed = seed(cx)?;
    let b = &mut *cx.b;
    let op =
        ops::Random { kind: ops::RandomKind::Uniform, dtype: DType::F32, shape, a: 0.0.into(), b: 1.0.into(), seed };
    let random = b.emit(op, &[])?;
    let ratio = as_scalar(b, ratio)?;
    let ratio = b.cast(ratio, DType::F32)?;
    let training = as_scalar(b, training)?;
    let training = b.cast(training, DType::Bool)?;
    let none = num(b, ratio, 0.0)?;
    let ratio = b.select(training, ratio, none)?;
    let mask = b.compare(CompareKind::Ge, random, ratio)?;
    let kept = num_sub(b, 1.0, ratio)?;
    let dtype = b.dtype(x);
    let kept = b.cast(kept, dtype)?;
    let scaled = b.div(x, kept)?;
    let zero = num(b, x, 0.0)?;
    Ok(vec![b.select(mask, scaled, zero)?, mask])
}
