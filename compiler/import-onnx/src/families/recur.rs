//! Running a step over the first axis of a sequence: unrolled where it is short, as a loop otherwise.

use super::kit::*;

/// Sequences of at most this many steps are unrolled.
const MAX_UNROLLED: i64 = 32;

/// One step: from the outside values (as values of the graph that is being built), the step's time and the states to the
/// next states and the step's own result.
pub(super) trait Step {
    fn step(
        &self,
        b: &mut Builder,
        captured: &[ValueId],
        time: Time,
        states: &[ValueId],
    ) -> Result<(Vec<ValueId>, ValueId), ImportError>;
}

/// The place of a step in the sequence.
#[derive(Clone, Copy, Debug)]
pub(super) enum Time {
    /// Known at compile time.
    Known(i64),
    /// A scalar of the graph under construction.
    Value(ValueId),
}

impl Time {
    /// The slice of a sequence at this time.
    pub(super) fn of(self, b: &mut Builder, sequence: ValueId) -> One {
        match self {
            Time::Known(t) => pick(b, sequence, 0, t),
            Time::Value(t) => Ok(b.emit(ops::Gather { axis: 0 }, &[sequence, t])?),
        }
    }

    /// As an `i64` scalar.
    pub(super) fn value(self, b: &mut Builder) -> One {
        match self {
            Time::Known(t) => Ok(b.constant(Tensor::scalar(DType::I64, Scalar::Int(t.into())))?),
            Time::Value(t) => Ok(t),
        }
    }
}

/// The last states, and the steps' results stacked along a new first axis in order of time.
pub(super) fn run(
    b: &mut Builder,
    step: &dyn Step,
    length: &Dim,
    reverse: bool,
    captured: &[ValueId],
    states: Vec<ValueId>,
) -> Result<(Vec<ValueId>, ValueId), ImportError> {
    match length.as_const() {
        Some(n) if (1..=MAX_UNROLLED).contains(&n) => unrolled(b, step, n, reverse, captured, states),
        _ => looped(b, step, length, reverse, captured, states),
    }
}

fn unrolled(
    b: &mut Builder,
    step: &dyn Step,
    n: i64,
    reverse: bool,
    captured: &[ValueId],
    mut states: Vec<ValueId>,
) -> Result<(Vec<ValueId>, ValueId), ImportError> {
    let mut results = Vec::new();
    for trip in 0..n {
        let time = if reverse { n - 1 - trip } else { trip };
        let (next, result) = step.step(b, captured, Time::Known(time), &states)?;
        states = next;
        results.push(result);
    }
    if reverse {
        results.reverse();
    }
    let stacked = stack(b, &results, 0)?;
    Ok((states, stacked))
}

fn looped(
    b: &mut Builder,
    step: &dyn Step,
    length: &Dim,
    reverse: bool,
    captured: &[ValueId],
    states: Vec<ValueId>,
) -> Result<(Vec<ValueId>, ValueId), ImportError> {
    let last = dim_value(b, &(length.clone() - 1.into()), DType::I64)?;
    let outside: Vec<ValueId> = captured.iter().copied().chain([last]).collect();
    let mut body = Builder::with_bounds("step", b.bounds().clone());
    body.set_loc(b.loc().clone());
    let scalar = tensor::TensorType::scalar;
    let trip = body.input("trip", scalar(DType::I64));
    let go_on = body.input("condition", scalar(DType::Bool));
    let parameters = |body: &mut Builder, values: &[ValueId], name: &str| -> Vec<ValueId> {
        let typed = values.iter().enumerate();
        typed.map(|(idx, v)| body.input(&format!("{name}_{idx}"), b.ty(*v).clone())).collect()
    };
    let inner_states = parameters(&mut body, &states, "state");
    let inner = parameters(&mut body, &outside, "captured");
    let time = if reverse {
        let last = inner[inner.len() - 1];
        body.sub(last, trip)?
    } else {
        trip
    };
    let (next, result) = step.step(&mut body, &inner[..captured.len()], Time::Value(time), &inner_states)?;
    body.output("condition", go_on);
    for (idx, value) in next.iter().enumerate() {
        body.output(&format!("state_{idx}"), *value);
    }
    let slice = body.ty(result).clone();
    body.output("result", result);
    let trips = dim_value(b, length, DType::I64)?;
    let start = b.constant(Tensor::scalar(DType::Bool, Scalar::Bool(true)))?;
    let operands: Vec<ValueId> = [trips, start].into_iter().chain(states.iter().copied()).chain(outside).collect();
    let mut types: Vec<tensor::TensorType> = states.iter().map(|v| b.ty(*v).clone()).collect();
    let n_carried = types.len();
    let shape = std::iter::once(length.clone()).chain(slice.shape).collect();
    types.push(tensor::TensorType { dtype: slice.dtype, shape });
    let op = ops::Loop { n_carried, symbols: Vec::new() };
    let mut outputs = b.emit_regions(op, &operands, vec![body.finish()], types);
    let Some(mut stacked) = outputs.pop() else {
        return bad("a loop without results");
    };
    if reverse {
        stacked = flip(b, stacked, &[0])?;
    }
    Ok((outputs, stacked))
}
