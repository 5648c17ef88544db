//! Random numbers.

use super::kit::*;
use ops::RandomKind;

/// The family's table.
pub(crate) const ROWS: &[Row] = &[
    Row::onnx("RandomNormal", 1, normal),
    Row::onnx("RandomUniform", 1, uniform),
    Row::onnx("RandomNormalLike", 1, normal_like),
    Row::onnx("RandomUniformLike", 1, uniform_like),
    Row::onnx("Bernoulli", 15, bernoulli),
    Row::onnx("Multinomial", 7, multinomial),
];

/// The node's seed, or one of its own that is the same in every import.
fn seed(cx: &mut Cx) -> Result<u64, ImportError> {
    Ok(match cx.attr_f_opt("seed")? {
        Some(seed) => seed.to_bits(),
        None => cx
            .fresh("seed")
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)),
    })
}

fn random(cx: &mut Cx, kind: RandomKind, dtype: DType, shape: Vec<Dim>) -> One {
    let (a, b) = match kind {
        RandomKind::Uniform => (cx.attr_f("low", 0.0)?, cx.attr_f("high", 1.0)?),
        RandomKind::Normal => (cx.attr_f("mean", 0.0)?, cx.attr_f("scale", 1.0)?),
    };
    let seed = seed(cx)?;
    Ok(cx.b.emit(ops::Random { kind, dtype, shape, a: a.into(), b: b.into(), seed }, &[])?)
}

fn of_shape(cx: &mut Cx, kind: RandomKind) -> OpResult {
    let Some(shape) = cx.attr_ints("shape")? else {
        return bad("attribute `shape` is missing");
    };
    if shape.iter().any(|d| *d < 0) {
        return bad(format!("the shape {shape:?} has a negative dimension"));
    }
    let dtype = cx.attr_dtype("dtype")?.unwrap_or(DType::F32);
    let shape = shape.into_iter().map(Dim::from).collect();
    Ok(vec![random(cx, kind, dtype, shape)?])
}

fn normal(cx: &mut Cx, _inputs: Inputs) -> OpResult {
    of_shape(cx, RandomKind::Normal)
}

fn uniform(cx: &mut Cx, _inputs: Inputs) -> OpResult {
    of_shape(cx, RandomKind::Uniform)
}

fn like(cx: &mut Cx, inputs: Inputs, kind: RandomKind) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let dtype = cx.attr_dtype("dtype")?.unwrap_or(cx.b.dtype(x));
    let shape = cx.b.shape(x).to_vec();
    Ok(vec![random(cx, kind, dtype, shape)?])
}

fn normal_like(cx: &mut Cx, inputs: Inputs) -> OpResult {
    like(cx, inputs, RandomKind::Normal)
}

fn uniform_like(cx: &mut Cx, inputs: Inputs) -> OpResult {
    like(cx, inputs, RandomKind::Uniform)
}

fn unit_uniform(cx: &mut Cx, dtype: DType, shape: Vec<Dim>) -> One {
    let seed = seed(cx)?;
    let (a, b) = (0.0.into(), 1.0.into());
    Ok(cx.b.emit(ops::Random { kind: RandomKind::Uniform, dtype, shape, a, b, seed }, &[])?)
}

/// 1 with the probability that the operand tells.
fn bernoulli(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let to = cx.attr_dtype("dtype")?.unwrap_or(cx.b.dtype(x));
    let shape = cx.b.shape(x).to_vec();
    let dtype = cx.b.dtype(x);
    let draw = unit_uniform(cx, dtype, shape)?;
    let hit = cx.b.compare(CompareKind::Lt, draw, x)?;
    Ok(vec![cx.b.cast(hit, to)?])
}

/// Class indices drawn by unnormalized log-probabilities: how many cumulated probabilities lie below a uniform number.
fn multinomial(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let to = cx.attr_dtype("dtype")?.unwrap_or(DType::I32);
    let samples = cx.attr_i("sample_size", 1)?;
    let [batch, _classes] = cx.b.shape(x) else {
        return bad(format!("{} is not a matrix", cx.b.ty(x)));
    };
    let shape = vec![batch.clone(), samples.into()];
    let x = cx.b.cast(x, DType::F32)?;
    let most = cx.b.reduce(ReduceKind::Max, x, &[1], true)?;
    let centred = cx.b.sub(x, most)?;
    let weights = cx.b.unary(UnaryKind::Exp, centred)?;
    let op = ops::Cumulative { kind: ops::CumKind::Sum, axis: 1, exclusive: false, reverse: false };
    let sums = cx.b.emit(op, &[weights])?;
    let total = cx.b.reduce(ReduceKind::Sum, weights, &[1], true)?;
    let draw = unit_uniform(cx, DType::F32, shape)?;
    let draw = cx.b.mul(draw, total)?;
    let (draw, sums) = (unsqueeze(cx.b, draw, 2)?, unsqueeze(cx.b, sums, 1)?);
    let below = cx.b.compare(CompareKind::Le, sums, draw)?;
    let below = cx.b.cast(below, to)?;
    Ok(vec![cx.b.reduce(ReduceKind::Sum, below, &[2], false)?])
}
