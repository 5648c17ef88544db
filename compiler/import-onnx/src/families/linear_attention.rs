//! Sequence operators with a state: `LinearAttention` and `CausalConvWithState`.

use super::attention::unpacked;
use super::kit::*;
use super::recur::{self, Step, Time};

pub(crate) const ROWS: &[Row] =
    &[Row::onnx("LinearAttention", 27, linear_attention), Row::onnx("CausalConvWithState", 27, causal_conv)];

/// One step of the recurrence. Captured are query, key, value, then decay and beta where the rule has them.
struct Recurrence {
    decays: bool,
    corrects: bool,
    scale: f64,
}

impl Step for Recurrence {
    fn step(
        &self,
        b: &mut Builder,
        captured: &[ValueId],
        time: Time,
        states: &[ValueId],
    ) -> Result<(Vec<ValueId>, ValueId), ImportError> {
        let mut now = Vec::new();
        for sequence in captured {
            now.push(time.of(b, *sequence)?);
        }
        let (Some([query, key, value]), [state]) = (now.first_chunk(), states) else {
            return bad("a linear attention lost a value");
        };
        let (query, key, mut value, mut state) = (*query, *key, *value, *state);
        let dtype = b.dtype(state);
        if self.decays {
            let factor = b.unary(UnaryKind::Exp, now[3])?;
            let factor = unsqueeze(b, factor, 3)?;
            state = b.mul(state, factor)?;
        }
        if self.corrects {
            let beta = now[if self.decays { 4 } else { 3 }];
            let known = dot(b, (state, &[0, 1], &[2]), (key, &[0, 1], &[2]), dtype)?;
            let new = b.sub(value, known)?;
            value = b.mul(beta, new)?;
        }
        let (column, row) = (unsqueeze(b, key, 3)?, unsqueeze(b, value, 2)?);
        let outer = b.mul(column, row)?;
        state = b.add(state, outer)?;
        let (qs, heads) = (b.shape(query).to_vec(), b.shape(state)[1].clone());
        let group = qs[1].clone().floor_div(heads.clone());
        let split = vec![qs[0].clone(), heads, group, qs[2].clone()];
        let query = b.reshape(query, split)?;
        let read = dot(b, (query, &[0, 1], &[3]), (state, &[0, 1], &[2]), dtype)?;
        let size = b.shape(read)[3].clone();
        let read = b.reshape(read, vec![qs[0].clone(), qs[1].clone(), size])?;
        let read = mul_num(b, read, self.scale)?;
        Ok((vec![state], read))
    }
}

/// `[batch, time, heads * size]` as `f32[time, batch, heads, size]`.
fn by_time(b: &mut Builder, x: ValueId, heads: &Dim) -> One {
    let x = b.cast(x, DType::F32)?;
    let x = unpacked(b, x, heads)?;
    Ok(b.transpose(x, vec![2, 0, 1, 3])?)
}

fn linear_attention(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let [q, k, v] = [cx.input(inputs, 0)?, cx.input(inputs, 1)?, cx.input(inputs, 2)?];
    let heads = |name: &str| match cx.attr_i(name, 0)? {
        n if n > 0 => Ok(Dim::from(n)),
        n => bad(format!("{name} {n}")),
    };
    let (q_heads, kv_heads) = (heads("q_num_heads")?, heads("kv_num_heads")?);
    let (decays, corrects) = match cx.attr_s("update_rule", "gated_delta")?.as_str() {
        "linear" => (false, false),
        "gated" => (true, false),
        "delta" => (false, true),
        "gated_delta" => (true, true),
        other => return bad(format!("update_rule {other}")),
    };
    let scale = cx.attr_f("scale", 0.0)?;
    let dtype = cx.b.dtype(q);
    let query = by_time(cx.b, q, &q_heads)?;
    let key = by_time(cx.b, k, &kv_heads)?;
    let value = by_time(cx.b, v, &kv_heads)?;
    let key_size = cx.b.shape(key)[3].clone();
    let scale = if scale == 0.0 { 1.0 / (cx.const_dim(&key_size)? as f64).sqrt() } else { scale };
    let mut captured = vec![query, key, value];
    if decays {
        // One number for each head, or one for each element of its keys.
        let decay = cx.input(inputs, 4)?;
        captured.push(by_time(cx.b, decay, &kv_heads)?);
    }
    if corrects {
        let beta = cx.input(inputs, 5)?;
        let last = cx.b.shape(beta).last().cloned().unwrap_or(1.into());
        captured.push(by_time(cx.b, beta, &last)?);
    }
    let past = cx.opt(inputs, 3);
    let b = &mut *cx.b;
    let length = b.shape(query)[0].clone();
    let batch = b.shape(query)[1].clone();
    let value_size = b.shape(value)[3].clone();
    let (state, state_dtype) = match past {
        Some(past) => (b.cast(past, DType::F32)?, b.dtype(past)),
        None => {
            let zero = b.scalar(DType::F32, 0.0)?;
            let shape = vec![batch.clone(), kv_heads, key_size, value_size.clone()];
            (b.broadcast(zero, shape)?, dtype)
        }
    };
    let step = Recurrence { decays, corrects, scale };
    let (states, read) = recur::run(b, &step, &length, false, &captured, vec![state])?;
    let y = b.transpose(read, vec![1, 0, 2, 3])?;
    let y = b.reshape(y, vec![batch, length, q_heads * value_size])?;
    Ok(vec![b.cast(y, dtype)?, b.cast(states[0], state_dtype)?])
}

/// A depthwise convolution that sees the past only; the state is the end of what it has seen.
fn causal_conv(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, w) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let (bias, past) = (cx.opt(inputs, 2), cx.opt(inputs, 3));
    let activation = cx.attr_s("activation", "none")?;
    let channels = cx.const_dim(&cx.b.shape(w)[0])?;
    let b = &mut *cx.b;
    let dtype = b.dtype(x);
    let before = b.shape(w)[2].clone() - 1.into();
    let padded = match past {
        Some(past) => concat(b, &[past, x], 2)?,
        None => {
            let low = vec![0.into(), 0.into(), before.clone()];
            pad_num(b, x, low, vec![0.into(); 3], 0.0)?
        }
    };
    let op = ops::Conv {
        strides: vec![1],
        pads_low: vec![0.into()],
        pads_high: vec![0.into()],
        dilations: vec![1],
        base_dilations: vec![1],
        groups: channels,
        out: wide(dtype),
    };
    let y = b.emit(op, &[padded, w])?;
    let bias = bias.map(|bias| b.cast(bias, wide(dtype))).transpose()?;
    let mut y = super::nn_conv::add_bias(b, y, bias)?;
    match activation.as_str() {
        "none" => {}
        "silu" | "swish" => {
            let gate = b.unary(UnaryKind::Sigmoid, y)?;
            y = b.mul(y, gate)?;
        }
        other => return bad(format!("activation {other}")),
    }
    let start = b.shape(padded)[2].clone() - before.clone();
    let state = slice_axis(b, padded, 2, start, before)?;
    Ok(vec![b.cast(y, dtype)?, state])
}
