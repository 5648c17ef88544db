//! `RNN`, `GRU` and `LSTM`: the input's part of all gates is one matrix product; the rest runs step by step.

use super::kit::*;
use super::quantize::QuantizedWeights;
use super::recur::{self, Step, Time};
use super::rnn_cell::{Cell, Kind, Params, Weights};

pub(crate) const ROWS: &[Row] = &[
    Row::onnx("RNN", 1, |cx, inputs| import(cx, inputs, Kind::Rnn)),
    Row::onnx("GRU", 1, |cx, inputs| import(cx, inputs, Kind::Gru)),
    Row::onnx("LSTM", 1, |cx, inputs| import(cx, inputs, Kind::Lstm)),
    Row::microsoft("DynamicQuantizeLSTM", |cx, inputs| import_form(cx, inputs, Kind::Lstm, true)),
];

/// Which optional values a direction's steps see behind the gates' inputs and the recurrent weights.
#[derive(Clone, Copy)]
struct Captures {
    recurrent: Weights,
    inner_bias: bool,
    peepholes: bool,
    lengths: bool,
}

struct Direction<'c> {
    cell: &'c Cell,
    has: Captures,
}

impl Step for Direction<'_> {
    fn step(
        &self,
        b: &mut Builder,
        captured: &[ValueId],
        time: Time,
        states: &[ValueId],
    ) -> Result<(Vec<ValueId>, ValueId), ImportError> {
        let mut captured = captured.iter().copied();
        let mut next = || match captured.next() {
            Some(value) => Ok(value),
            None => bad("a recurrence lost a value"),
        };
        let gates = next()?;
        let params = Params {
            recurrent: self.has.recurrent.replaced(&mut next)?,
            inner_bias: self.has.inner_bias.then(&mut next).transpose()?,
            peepholes: self.has.peepholes.then(&mut next).transpose()?,
        };
        let lengths = self.has.lengths.then(&mut next).transpose()?;
        let input = time.of(b, gates)?;
        let mut after = self.cell.step(b, &params, input, states)?;
        let mut out = after[0];
        if let Some(lengths) = lengths {
            // Behind a sequence's end states stay, and results are 0.
            let now = time.value(b)?;
            let inside = b.compare(CompareKind::Lt, now, lengths)?;
            let zero = num(b, out, 0.0)?;
            out = b.select(inside, out, zero)?;
            for (new, old) in after.iter_mut().zip(states) {
                *new = b.select(inside, *new, *old)?;
            }
        }
        Ok((after, out))
    }
}

/// The node's operands, in the layout with time first.
struct Operands {
    x: ValueId,
    weights: Weights,
    recurrent: Weights,
    bias: Option<ValueId>,
    lengths: Option<ValueId>,
    peepholes: Option<ValueId>,
    /// First states, `[batch, hidden]` for each direction, where the model gives them.
    states: Vec<Option<ValueId>>,
    /// The axis of the directions in the first states.
    direction_axis: usize,
}

/// The weights of all directions; of `DynamicQuantizeLSTM` with their scale and zero point.
fn weights(
    cx: &Cx,
    inputs: Inputs,
    at: usize,
    [scale, zero]: [usize; 2],
    quantized: bool,
) -> Result<Weights, ImportError> {
    let weights = cx.input(inputs, at)?;
    Ok(if quantized {
        Weights::Quantized(QuantizedWeights { weights, scale: cx.input(inputs, scale)?, zero: cx.input(inputs, zero)? })
    } else {
        Weights::Plain(weights)
    })
}

fn import(cx: &mut Cx, inputs: Inputs, kind: Kind) -> OpResult {
    import_form(cx, inputs, kind, false)
}

fn import_form(cx: &mut Cx, inputs: Inputs, kind: Kind, quantized: bool) -> OpResult {
    let batch_first = cx.attr_bool("layout", false)?;
    let reverse: &[bool] = match cx.attr_s("direction", "forward")?.as_str() {
        "forward" => &[false],
        "reverse" => &[true],
        "bidirectional" => &[false, true],
        other => return bad(format!("direction {other}")),
    };
    let cells = Cell::read_all(cx, kind, reverse.len())?;
    let x = cx.input(inputs, 0)?;
    if cx.b.rank(x) != 3 {
        return bad(format!("a sequence of type {}", cx.b.ty(x)));
    }
    let lengths = match cx.opt(inputs, 4) {
        Some(lengths) => {
            let wide = cx.b.cast(lengths, DType::I64)?;
            Some(unsqueeze(cx.b, wide, 1)?)
        }
        None => None,
    };
    let n_states = if kind == Kind::Lstm { 2 } else { 1 };
    let operands = Operands {
        x: if batch_first { cx.b.transpose(x, vec![1, 0, 2])? } else { x },
        weights: weights(cx, inputs, 1, [8, 9], quantized)?,
        recurrent: weights(cx, inputs, 2, [10, 11], quantized)?,
        bias: cx.opt(inputs, 3),
        lengths,
        peepholes: cx.opt(inputs, 7).filter(|_| kind == Kind::Lstm),
        states: (0..n_states).map(|idx| cx.opt(inputs, 5 + idx)).collect(),
        direction_axis: usize::from(batch_first),
    };
    let mut results = Vec::new();
    for (idx, (cell, reverse)) in cells.iter().zip(reverse).enumerate() {
        results.push(direction(cx.b, cell, &operands, idx, *reverse)?);
    }
    let b = &mut *cx.b;
    let steps: Vec<ValueId> = results.iter().map(|(_, steps)| *steps).collect();
    let mut y = stack(b, &steps, 1)?;
    if batch_first {
        y = b.transpose(y, vec![2, 0, 1, 3])?;
    }
    let mut outputs = vec![y];
    for state in 0..n_states {
        let last: Vec<ValueId> = results.iter().map(|(states, _)| states[state]).collect();
        outputs.push(stack(b, &last, usize::from(batch_first))?);
    }
    Ok(outputs)
}

/// The last states and all results of one direction.
fn direction(
    b: &mut Builder,
    cell: &Cell,
    operands: &Operands,
    idx: usize,
    reverse: bool,
) -> Result<(Vec<ValueId>, ValueId), ImportError> {
    let x = operands.x;
    let (length, batch) = (b.shape(x)[0].clone(), b.shape(x)[1].clone());
    let dtype = b.dtype(x);
    let weights = operands.weights.replaced_each(|v| pick(b, v, 0, idx))?;
    let recurrent = operands.recurrent.replaced_each(|v| pick(b, v, 0, idx))?;
    let hidden = match recurrent {
        Weights::Plain(weights) => b.shape(weights)[1].clone(),
        Weights::Quantized(all) => b.shape(all.weights)[0].clone(),
    };
    let mut gates = weights.product(b, x)?;
    let mut inner_bias = None;
    if let Some(bias) = operands.bias {
        let bias = pick(b, bias, 0, idx)?;
        let (outer, inner) = merged_bias(b, cell, bias)?;
        gates = b.add(gates, outer)?;
        inner_bias = inner;
    }
    let peepholes = operands.peepholes.map(|p| pick(b, p, 0, idx)).transpose()?;
    let mut states = Vec::new();
    for state in &operands.states {
        states.push(match state {
            Some(state) => pick(b, *state, operands.direction_axis, idx)?,
            None => {
                let zero = b.scalar(dtype, 0.0)?;
                b.broadcast(zero, vec![batch.clone(), hidden.clone()])?
            }
        });
    }
    let has = Captures {
        recurrent,
        inner_bias: inner_bias.is_some(),
        peepholes: peepholes.is_some(),
        lengths: operands.lengths.is_some(),
    };
    let optional = [inner_bias, peepholes, operands.lengths];
    let captured: Vec<ValueId> =
        std::iter::once(gates).chain(recurrent.values()).chain(optional.into_iter().flatten()).collect();
    recur::run(b, &Direction { cell, has }, &length, reverse, &captured, states)
}

/// The bias `[2 * gates * hidden]` as one that is added outside of the recurrence, and what has to stay inside.
fn merged_bias(b: &mut Builder, cell: &Cell, bias: ValueId) -> Result<(ValueId, Option<ValueId>), ImportError> {
    let halves = split_axis(b, bias, 0, 2)?;
    let inner = cell.kind == Kind::Gru && cell.linear_before_reset;
    if !inner {
        return Ok((b.add(halves[0], halves[1])?, None));
    }
    let (outer, recurrent) =
        (split_axis(b, halves[0], 0, cell.kind.gates())?, split_axis(b, halves[1], 0, cell.kind.gates())?);
    let update = b.add(outer[0], recurrent[0])?;
    let reset = b.add(outer[1], recurrent[1])?;
    let merged = concat(b, &[update, reset, outer[2]], 0)?;
    Ok((merged, Some(recurrent[2])))
}
