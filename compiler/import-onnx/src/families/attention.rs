//! Scaled dot-product attention.
//!
//! Grouped queries do not repeat keys and values: query heads are split into groups, and the head of keys is a batch axis.

use super::kit::*;

pub(crate) const ROWS: &[Row] = &[Row::onnx("Attention", 23, attention)];

/// The operands with heads on an axis of their own: `[batch, heads, length, size]`.
struct Heads {
    q: ValueId,
    k: ValueId,
    v: ValueId,
    /// Whether the model's tensors have the heads inside of the last axis.
    packed: bool,
}

fn count(cx: &Cx, name: &str) -> Result<Dim, ImportError> {
    match cx.attr_i(name, 0)? {
        n if n > 0 => Ok(Dim::from(n)),
        n => bad(format!("{name} {n}")),
    }
}

/// `[batch, length, heads * size]` as `[batch, heads, length, size]`.
pub(super) fn unpacked(b: &mut Builder, x: ValueId, heads: &Dim) -> One {
    let shape = b.shape(x).to_vec();
    let [batch, length, hidden] = &shape[..] else {
        return bad(format!("heads inside of {}", b.ty(x)));
    };
    let size = hidden.clone().floor_div(heads.clone());
    let split = vec![batch.clone(), length.clone(), heads.clone(), size];
    let x = b.reshape(x, split)?;
    Ok(b.transpose(x, vec![0, 2, 1, 3])?)
}

/// The inverse of [`unpacked`].
pub(super) fn packed(b: &mut Builder, x: ValueId) -> One {
    let x = b.transpose(x, vec![0, 2, 1, 3])?;
    let shape = b.shape(x).to_vec();
    let hidden = shape[2].clone() * shape[3].clone();
    Ok(b.reshape(x, vec![shape[0].clone(), shape[1].clone(), hidden])?)
}

impl Heads {
    fn read(cx: &mut Cx, inputs: Inputs) -> Result<Heads, ImportError> {
        let [q, k, v] = [cx.input(inputs, 0)?, cx.input(inputs, 1)?, cx.input(inputs, 2)?];
        if cx.b.rank(q) == 4 {
            return Ok(Heads { q, k, v, packed: false });
        }
        let (q_heads, kv_heads) = (count(cx, "q_num_heads")?, count(cx, "kv_num_heads")?);
        let b = &mut *cx.b;
        Ok(Heads {
            q: unpacked(b, q, &q_heads)?,
            k: unpacked(b, k, &kv_heads)?,
            v: unpacked(b, v, &kv_heads)?,
            packed: true,
        })
    }
}

/// Contraction over heads, where each head of `y` serves a group of heads of `x`:
/// `[batch, heads, m, k]` with axis `contract` of `[batch, kv_heads, .., ..]`.
pub(super) fn grouped_dot(b: &mut Builder, x: ValueId, y: ValueId, contract: usize, out: DType) -> One {
    let xs = b.shape(x).to_vec();
    let ys = b.shape(y).to_vec();
    if xs[1] == ys[1] {
        return dot(b, (x, &[0, 1], &[3]), (y, &[0, 1], &[contract]), out);
    }
    let kv_heads = ys[1].clone();
    let group = xs[1].clone().floor_div(kv_heads.clone());
    let split = vec![xs[0].clone(), kv_heads, group, xs[2].clone(), xs[3].clone()];
    let x = b.reshape(x, split)?;
    let product = dot(b, (x, &[0, 1], &[4]), (y, &[0, 1], &[contract]), out)?;
    let last = b.shape(product)[4].clone();
    let shape = vec![xs[0].clone(), xs[1].clone(), xs[2].clone(), last];
    Ok(b.reshape(product, shape)?)
}

/// Which key places a query must not see, and what is added to scores.
struct Bias {
    /// `true` where a score counts; broadcasts to `[batch, heads, queries, keys]`.
    allowed: Option<ValueId>,
    /// Added to scores; broadcasts likewise.
    added: Option<ValueId>,
}

/// How queries lie against keys.
struct Places {
    queries: Dim,
    keys: Dim,
    /// How many keys come before the first query: `i64`, broadcasts to `[batch, 1, 1, 1]`.
    offset: ValueId,
}

fn and(b: &mut Builder, all: Option<ValueId>, more: ValueId) -> Result<Option<ValueId>, ImportError> {
    Ok(Some(match all {
        Some(all) => b.binary(BinaryKind::And, all, more)?,
        None => more,
    }))
}

impl Places {
    /// The distance `offset + query - key`, as `[batch or 1, 1, queries, keys]`.
    fn distance(&self, b: &mut Builder) -> One {
        let query = iota(b, DType::I64, self.queries.clone())?;
        let query = along(b, query, 4, 2)?;
        let key = iota(b, DType::I64, self.keys.clone())?;
        let key = along(b, key, 4, 3)?;
        let query = b.add(query, self.offset)?;
        Ok(b.sub(query, key)?)
    }
}

/// A mask whose last axis may be shorter than the keys, in a shape that broadcasts to four axes.
fn fitted_mask(b: &mut Builder, mask: ValueId, keys: &Dim) -> One {
    let shape = b.shape(mask).to_vec();
    let Some(last) = shape.last() else {
        return Ok(mask);
    };
    if last == keys || last.as_const() == Some(1) && keys.as_const().is_none() {
        return Ok(mask);
    }
    let n = shape.len();
    let mut high = vec![Dim::from(0); n];
    high[n - 1] = keys.clone() - last.clone();
    let outside = if b.dtype(mask) == DType::Bool { 0.0 } else { f64::NEG_INFINITY };
    pad_num(b, mask, vec![0.into(); n], high, outside)
}

fn bias(cx: &mut Cx, inputs: Inputs, places: &Places, computing: DType) -> Result<Bias, ImportError> {
    let mut bias = Bias { allowed: None, added: None };
    if let Some(mask) = cx.opt(inputs, 3) {
        let mask = fitted_mask(cx.b, mask, &places.keys)?;
        if cx.b.dtype(mask) == DType::Bool {
            bias.allowed = Some(mask);
        } else {
            bias.added = Some(cx.b.cast(mask, computing)?);
        }
    }
    let causal = cx.attr_bool("is_causal", false)?;
    let left = cx.attr_i("left_window_size", -1)?;
    let right = cx.attr_i("right_window_size", -1)?;
    let lengths = cx.opt(inputs, 6);
    let b = &mut *cx.b;
    if causal || left >= 0 || right >= 0 {
        let distance = places.distance(b)?;
        let least = match (causal, right) {
            (true, _) => Some(0),
            (false, right) if right >= 0 => Some(-right),
            _ => None,
        };
        if let Some(least) = least {
            let near = compare_num(b, CompareKind::Ge, distance, least as f64)?;
            bias.allowed = and(b, bias.allowed, near)?;
        }
        if left >= 0 {
            let near = compare_num(b, CompareKind::Le, distance, left as f64)?;
            bias.allowed = and(b, bias.allowed, near)?;
        }
    }
    if let Some(lengths) = lengths {
        let lengths = b.cast(lengths, DType::I64)?;
        let lengths = along(b, lengths, 4, 0)?;
        let key = iota(b, DType::I64, places.keys.clone())?;
        let key = along(b, key, 4, 3)?;
        let inside = b.compare(CompareKind::Lt, key, lengths)?;
        bias.allowed = and(b, bias.allowed, inside)?;
    }
    Ok(bias)
}

/// Softmax over keys; rows in which nothing is allowed are zeros.
fn probabilities(b: &mut Builder, scores: ValueId, bias: &Bias) -> One {
    if bias.allowed.is_none() && bias.added.is_none() {
        return super::softmax::softmax_axes(b, scores, &[3]);
    }
    let max = b.reduce(ReduceKind::Max, scores, &[3], true)?;
    // Where every score is -inf the maximum is; any finite number in its place gives zeros instead of NaN.
    let nothing = compare_num(b, CompareKind::Eq, max, f64::NEG_INFINITY)?;
    let zero = num(b, max, 0.0)?;
    let max = b.select(nothing, zero, max)?;
    let shifted = b.sub(scores, max)?;
    let exp = b.unary(UnaryKind::Exp, shifted)?;
    let sum = b.reduce(ReduceKind::Sum, exp, &[3], true)?;
    let one = num(b, sum, 1.0)?;
    let sum = b.select(nothing, one, sum)?;
    Ok(b.div(exp, sum)?)
}

/// Scores with the bias. Places that are not allowed get -inf whatever the score is, NaN included.
fn biased(b: &mut Builder, mut scores: ValueId, bias: &Bias) -> One {
    if let Some(added) = bias.added {
        let sum = b.add(scores, added)?;
        let minus = num(b, added, f64::NEG_INFINITY)?;
        let off = b.compare(CompareKind::Eq, added, minus)?;
        scores = b.select(off, minus, sum)?;
    }
    if let Some(allowed) = bias.allowed {
        let minus = num(b, scores, f64::NEG_INFINITY)?;
        scores = b.select(allowed, scores, minus)?;
    }
    Ok(scores)
}

fn scale_of(cx: &Cx, q: ValueId) -> Result<f64, ImportError> {
    Ok(match cx.attr_f_opt("scale")? {
        Some(scale) => scale,
        None => {
            let size = cx.const_dim(&cx.b.shape(q)[3])?;
            1.0 / (size as f64).sqrt()
        }
    })
}

/// New keys or values behind those of earlier steps.
fn with_past(b: &mut Builder, past: Option<ValueId>, new: ValueId) -> One {
    match past {
        Some(past) => concat(b, &[past, new], 2),
        None => Ok(new),
    }
}

fn offset(b: &mut Builder, past: Option<ValueId>, lengths: Option<ValueId>, queries: &Dim) -> One {
    match (past, lengths) {
        (Some(past), _) => {
            let length = b.shape(past)[2].clone();
            dim_value(b, &length, DType::I64)
        }
        (None, Some(lengths)) => {
            let lengths = b.cast(lengths, DType::I64)?;
            let lengths = along(b, lengths, 4, 0)?;
            let queries = dim_value(b, queries, DType::I64)?;
            Ok(b.sub(lengths, queries)?)
        }
        (None, None) => Ok(b.scalar(DType::I64, 0.0)?),
    }
}

fn attention(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let heads = Heads::read(cx, inputs)?;
    let scale = scale_of(cx, heads.q)?;
    let softcap = cx.attr_f("softcap", 0.0)?;
    let mode = cx.attr_i("qk_matmul_output_mode", 0)?;
    let (past_key, past_value) = (cx.opt(inputs, 4), cx.opt(inputs, 5));
    let lengths = cx.opt(inputs, 6);
    let key = with_past(cx.b, past_key, heads.k)?;
    let value = with_past(cx.b, past_value, heads.v)?;
    let dtype = cx.b.dtype(heads.q);
    let precision = cx.attr_dtype("softmax_precision")?;
    let computing = match (precision, dtype) {
        (Some(DType::F64), _) | (_, DType::F64) => DType::F64,
        _ => DType::F32,
    };
    let queries = cx.b.shape(heads.q)[2].clone();
    let places =
        Places { offset: offset(cx.b, past_key, lengths, &queries)?, queries, keys: cx.b.shape(key)[2].clone() };
    let bias = bias(cx, inputs, &places, computing)?;
    let b = &mut *cx.b;
    let product = grouped_dot(b, heads.q, key, 3, computing)?;
    let mut scores = mul_num(b, product, scale)?;
    let raw = scores;
    if softcap > 0.0 {
        let small = mul_num(b, scores, 1.0 / softcap)?;
        let bent = b.unary(UnaryKind::Tanh, small)?;
        scores = mul_num(b, bent, softcap)?;
    }
    let capped = scores;
    let scores = biased(b, scores, &bias)?;
    let weights = probabilities(b, scores, &bias)?;
    let shown = match mode {
        0 => raw,
        1 => capped,
        2 => scores,
        3 => weights,
        other => return bad(format!("qk_matmul_output_mode {other}")),
    };
    let shown = b.cast(shown, dtype)?;
    let weights = b.cast(weights, b.dtype(value))?;
    let out = b.dtype(value);
    let mut y = grouped_dot(b, weights, value, 2, out)?;
    if heads.packed {
        y = packed(b, y)?;
    }
    Ok(vec![y, key, value, shown])
}
