//! Control flow: `If`, `Loop`, `Scan`.

use super::kit::*;
use crate::env::Slot;
use crate::error::Needs;
use crate::proto::GraphProto;
use crate::region::{Bind, Captures, Param, Region};
use std::collections::BTreeSet;
use tensor::{Symbol, TensorType};

/// The family's table.
pub(crate) const ROWS: &[Row] =
    &[Row::slots("If", 1, if_row), Row::slots("Loop", 1, loop_row), Row::onnx("Scan", 8, scan)];

/// Loops over sequences are unrolled up to this many trips.
const MAX_UNROLLED: i64 = 1024;

type Slots = Result<Vec<Slot>, ImportError>;

/// The tensor in an operand that must be one.
pub(super) fn tensor_of(slot: Option<&Option<Slot>>) -> Result<Option<ValueId>, ImportError> {
    match slot {
        None | Some(None) => Ok(None),
        Some(Some(Slot::Value(value))) => Ok(Some(*value)),
        Some(Some(Slot::Poisoned)) => Err(ImportError::Reported),
        Some(Some(Slot::Sequence(_))) => bad("a sequence where a tensor belongs"),
        Some(Some(Slot::Nothing)) => bad("an empty optional where a tensor belongs"),
    }
}

/// Symbols that have no value outside of a region: those that its nodes define, and those of its parameters alone.
fn hidden_symbols(region: &Region, params: &BTreeSet<Symbol>) -> BTreeSet<Symbol> {
    let nodes = region.b.graph().nodes.iter();
    let defined = nodes.flat_map(|node| node.op.defined_symbols());
    defined.chain(params.iter().cloned()).collect()
}

/// The dimension as the outside sees it: as it is, or a new symbol that the control-flow operator defines.
fn outer_dim(cx: &mut Cx, dim: &Dim, hidden: &BTreeSet<Symbol>, symbols: &mut Vec<String>) -> Dim {
    let mut used = Vec::new();
    dim.symbols(&mut used);
    if used.iter().any(|symbol| hidden.contains(symbol)) {
        return new_dim(cx, symbols);
    }
    dim.clone()
}

fn new_dim(cx: &mut Cx, symbols: &mut Vec<String>) -> Dim {
    let symbol = cx.fresh("s");
    symbols.push(symbol.clone());
    Dim::symbol(&symbol)
}

fn if_row(cx: &mut Cx, inputs: &[Option<Slot>]) -> Slots {
    let Some(condition) = tensor_of(inputs.first())? else {
        return bad("input #0 is missing");
    };
    let (then, otherwise) = (cx.attr_graph("then_branch")?, cx.attr_graph("else_branch")?);
    let decided = cx.b.ty(condition).num_elements().as_const() == Some(1);
    if let (true, Ok(taken)) = (decided, cx.const_ints(condition)) {
        let branch = if taken[0] != 0 { then } else { otherwise };
        return cx.splice(branch, Vec::new());
    }
    let captures = cx.captures(&[then, otherwise])?;
    let none = |_: &mut Builder, _: &[ValueId]| Ok(Vec::new());
    let then = cx.region(then, &[], &captures, &none);
    let otherwise = cx.region(otherwise, &[], &captures, &none);
    if then.is_err() || otherwise.is_err() {
        // A branch that does not fit may be the one that is never taken: with the condition fixed, it is not looked at.
        return Err(match cx.needs_constant(condition) {
            ImportError::NeedsConstant { needs, .. } if needs.is_empty() => ImportError::Reported,
            error => error,
        });
    }
    let (then, otherwise) = (then?, otherwise?);
    let mut symbols = Vec::new();
    let types = joined_types(cx, &then, &otherwise, condition, &mut symbols)?;
    let condition = as_scalar(cx.b, condition)?;
    let operands = [&[condition], captures.operands.as_slice()].concat();
    let regions = vec![then.finish(), otherwise.finish()];
    let results = cx.b.emit_regions(ops::If { symbols }, &operands, regions, types);
    Ok(results.into_iter().map(Slot::Value).collect())
}

/// The types of an `If`'s results: where the branches' shapes differ, the size is told by the run.
fn joined_types(
    cx: &mut Cx,
    then: &Region,
    otherwise: &Region,
    condition: ValueId,
    symbols: &mut Vec<String>,
) -> Result<Vec<TensorType>, ImportError> {
    let (a, b) = (then.types(), otherwise.types());
    if a.len() != b.len() {
        return bad(format!("the branches have {} and {} results", a.len(), b.len()));
    }
    let none = BTreeSet::new();
    let hidden: BTreeSet<Symbol> = [then, otherwise].iter().flat_map(|region| hidden_symbols(region, &none)).collect();
    let mut types = Vec::new();
    for (a, b) in a.iter().zip(&b) {
        if a.dtype != b.dtype {
            return unsupported(format!("the branches' results are {a} and {b}"));
        }
        if a.rank() != b.rank() {
            // With the condition fixed, only one branch is left.
            return Err(cx.needs_constant(condition));
        }
        let dims = a.shape.iter().zip(&b.shape);
        let shape =
            dims.map(|(x, y)| if x == y { outer_dim(cx, x, &hidden, symbols) } else { new_dim(cx, symbols) }).collect();
        types.push(TensorType { dtype: a.dtype, shape });
    }
    Ok(types)
}

fn param(name: &str, ty: TensorType, origin: Option<Needs>) -> Param {
    Param { name: name.into(), ty, origin }
}

/// A loop before its region is made.
struct LoopPlan<'a> {
    body: &'a GraphProto,
    trips: ValueId,
    condition: ValueId,
    carried: Vec<ValueId>,
    /// Operands of the region that stay the same, before the captured ones.
    fixed: Vec<ValueId>,
    captures: Captures,
    /// Whether the body's results begin with the next condition.
    has_condition: bool,
}

/// A loop's region with the types of what it carries.
struct LoopRegion {
    region: Region,
    carried: Vec<TensorType>,
    /// Symbols of the carried values' parameters: sizes that change from trip to trip.
    changing: BTreeSet<Symbol>,
}

impl LoopPlan<'_> {
    /// Imports the body; dimensions of carried values that a trip changes become symbols, until nothing changes any more.
    fn region(&self, cx: &mut Cx, bind: Bind) -> Result<LoopRegion, ImportError> {
        let mut carried: Vec<TensorType> = self.carried.iter().map(|v| cx.b.ty(*v).clone()).collect();
        let mut changing = BTreeSet::new();
        loop {
            let mut params = vec![
                param("trip", TensorType::scalar(DType::I64), None),
                param("condition", TensorType::scalar(DType::Bool), None),
            ];
            params.extend(carried.iter().map(|ty| param("carried", ty.clone(), None)));
            params.extend(self.fixed.iter().map(|v| param("fixed", cx.b.ty(*v).clone(), None)));
            let mut region = cx.region(self.body, &params, &self.captures, bind)?;
            if !self.has_condition {
                region.results.insert(0, region.params[1]);
            }
            if region.results.len() <= carried.len() {
                return bad(format!(
                    "the body has {} results for {} carried values",
                    region.results.len(),
                    carried.len()
                ));
            }
            let next = region.types();
            if !widen(cx, &mut carried, &next[1..], &mut changing)? {
                return Ok(LoopRegion { region, carried, changing });
            }
        }
    }

    /// Whether every trip goes on, so that their number is known before the first.
    fn runs_all_trips(&self, cx: &Cx, region: &Region) -> bool {
        let is_true = |b: &Builder, v: ValueId| b.constant_of(v).is_some_and(|t| t.len() == 1 && t.get(0).as_bool());
        let next = region.results[0];
        is_true(cx.b, self.condition) && (next == region.params[1] || is_true(&region.b, next))
    }

    /// Adds the loop; gives the last carried values, then the stacked slices.
    fn emit(self, cx: &mut Cx, bind: Bind) -> OpResult {
        let LoopRegion { mut region, carried, changing } = self.region(cx, bind)?;
        let hidden = hidden_symbols(&region, &changing);
        let mut symbols = Vec::new();
        let mut outer = |cx: &mut Cx, ty: &TensorType| TensorType {
            dtype: ty.dtype,
            shape: ty.shape.iter().map(|d| outer_dim(cx, d, &hidden, &mut symbols)).collect(),
        };
        let mut types: Vec<TensorType> = carried.iter().map(|ty| outer(cx, ty)).collect();
        let slices = &region.types()[1 + carried.len()..];
        let slices: Vec<TensorType> = slices.iter().map(|ty| outer(cx, ty)).collect();
        let known = cx.known_dims(self.trips).filter(|_| self.runs_all_trips(cx, &region));
        let count = match known.as_deref() {
            _ if slices.is_empty() => Dim::from(0),
            Some([count]) if graph::is_non_negative(count) => count.clone(),
            Some([count]) => count.clone().max(0.into()),
            _ => new_dim(cx, &mut symbols),
        };
        types.extend(
            slices
                .into_iter()
                .map(|ty| TensorType { dtype: ty.dtype, shape: [vec![count.clone()], ty.shape].concat() }),
        );
        let next = region.results[0];
        region.results[0] = as_scalar(&mut region.b, next)?;
        let operands =
            [&[self.trips, self.condition], &self.carried[..], &self.fixed, &self.captures.operands].concat();
        let op = ops::Loop { n_carried: self.carried.len(), symbols };
        Ok(cx.b.emit_regions(op, &operands, vec![region.finish()], types))
    }
}

/// Makes dimensions that differ after a trip symbols of the parameters; tells whether there were any.
fn widen(
    cx: &mut Cx,
    carried: &mut [TensorType],
    next: &[TensorType],
    changing: &mut BTreeSet<Symbol>,
) -> Result<bool, ImportError> {
    let mut changed = false;
    for (ty, next) in carried.iter_mut().zip(next) {
        if ty.dtype != next.dtype || ty.rank() != next.rank() {
            return unsupported(format!("a carried value changes from {ty} to {next}"));
        }
        for (dim, next) in ty.shape.iter_mut().zip(&next.shape) {
            let is_changing = dim.as_symbol().is_some_and(|symbol| changing.contains(symbol));
            if dim == next || is_changing {
                continue;
            }
            let symbol = cx.fresh("carried");
            changing.insert(Symbol::new(&symbol));
            *dim = Dim::symbol(&symbol);
            changed = true;
        }
    }
    Ok(changed)
}

fn loop_row(cx: &mut Cx, inputs: &[Option<Slot>]) -> Slots {
    let body = cx.attr_graph("body")?;
    let (trips, condition) = (tensor_of(inputs.first())?, tensor_of(inputs.get(1))?);
    let carried = inputs.get(2..).unwrap_or_default();
    if carried.iter().any(|slot| !matches!(slot, Some(Slot::Value(_)))) {
        return unrolled(cx, body, trips, condition, carried);
    }
    let trips = match trips {
        Some(trips) => {
            let trips = as_scalar(cx.b, trips)?;
            cx.b.cast(trips, DType::I64)?
        }
        None => cx.b.constant(Tensor::scalar(DType::I64, Scalar::Int(i64::MAX.into())))?,
    };
    let condition = match condition {
        Some(condition) => as_scalar(cx.b, condition)?,
        None => cx.b.scalar(DType::Bool, 1.0)?,
    };
    let carried: Vec<ValueId> = carried
        .iter()
        .filter_map(|slot| match slot {
            Some(Slot::Value(value)) => Some(*value),
            _ => None,
        })
        .collect();
    let captures = cx.captures(&[body])?;
    let n_bound = 2 + carried.len();
    let plan = LoopPlan { body, trips, condition, carried, fixed: Vec::new(), captures, has_condition: true };
    let bind = |_: &mut Builder, params: &[ValueId]| Ok(params[..n_bound].to_vec());
    Ok(plan.emit(cx, &bind)?.into_iter().map(Slot::Value).collect())
}

/// A loop that carries sequences: each trip's nodes one after the other.
fn unrolled(
    cx: &mut Cx,
    body: &GraphProto,
    trips: Option<ValueId>,
    condition: Option<ValueId>,
    carried: &[Option<Slot>],
) -> Slots {
    let trips = match trips {
        Some(trips) => cx.const_int(trips)?,
        None => i64::MAX,
    };
    let mut go = match condition {
        Some(condition) => cx.const_int(condition)? != 0,
        None => true,
    };
    let mut carried: Vec<Slot> = carried.iter().map(|slot| slot.clone().unwrap_or(Slot::Nothing)).collect();
    let mut stacked: Vec<Vec<ValueId>> = Vec::new();
    let mut trip = 0;
    while go && trip < trips {
        if trip == MAX_UNROLLED {
            return unsupported(format!("a loop over sequences of more than {MAX_UNROLLED} trips"));
        }
        let number = cx.b.constant(Tensor::scalar(DType::I64, Scalar::Int(trip.into())))?;
        let truth = cx.b.scalar(DType::Bool, 1.0)?;
        let mut operands = vec![Slot::Value(number), Slot::Value(truth)];
        operands.append(&mut carried);
        let n_carried = operands.len() - 2;
        let results: Vec<Option<Slot>> = cx.splice(body, operands)?.into_iter().map(Some).collect();
        let Some(next) = tensor_of(results.first())? else {
            return bad("the body has no condition");
        };
        go = cx.const_int(next)? != 0;
        carried = results[1..].iter().take(n_carried).flatten().cloned().collect();
        for (idx, slot) in results.iter().skip(1 + n_carried).enumerate() {
            if stacked.len() <= idx {
                stacked.push(Vec::new());
            }
            stacked[idx].extend(tensor_of(Some(slot))?);
        }
        trip += 1;
    }
    for slices in stacked {
        carried.push(Slot::Value(stack(cx.b, &slices, 0)?));
    }
    Ok(carried)
}

/// Axes or directions of a scan's inputs or outputs; all 0 where the attribute is missing.
fn per_value(cx: &Cx, name: &str, n: usize) -> Result<Vec<i64>, ImportError> {
    let given = cx.attr_ints(name)?.unwrap_or_else(|| vec![0; n]);
    if given.len() != n {
        return bad(format!("attribute `{name}` has {} entries for {n} values", given.len()));
    }
    Ok(given)
}

/// A loop over the slices of its operands.
fn scan(cx: &mut Cx, inputs: Inputs) -> OpResult {
    if cx.opset < 9 {
        return unsupported(
            "Scan of opset 8, which has batches, is not supported; convert the model to opset 9 or later",
        );
    }
    let body = cx.attr_graph("body")?;
    let all: Vec<ValueId> = (0..inputs.len()).map(|idx| cx.input(inputs, idx)).collect::<Result<_, _>>()?;
    let n_scanned = usize::try_from(cx.attr_i("num_scan_inputs", 0)?).unwrap_or(0);
    let n_states = match all.len().checked_sub(n_scanned) {
        Some(n) if n_scanned > 0 => n,
        _ => {
            return bad(format!("num_scan_inputs is {n_scanned} of {} inputs", all.len()));
        }
    };
    let (states, scanned) = all.split_at(n_states);
    let axes = per_value(cx, "scan_input_axes", n_scanned)?;
    let backwards = per_value(cx, "scan_input_directions", n_scanned)?;
    let axes: Vec<usize> =
        axes.iter().zip(scanned).map(|(axis, v)| cx.axis(*axis, cx.b.rank(*v))).collect::<Result<_, _>>()?;
    let length = cx.b.shape(scanned[0])[axes[0]].clone();
    let plan = LoopPlan {
        body,
        trips: dim_value(cx.b, &length, DType::I64)?,
        condition: cx.b.scalar(DType::Bool, 1.0)?,
        carried: states.to_vec(),
        fixed: scanned.to_vec(),
        captures: cx.captures(&[body])?,
        has_condition: false,
    };
    let bind = |b: &mut Builder, params: &[ValueId]| {
        let (trip, rest) = (params[0], &params[2..]);
        let mut bound = rest[..n_states].to_vec();
        for (idx, whole) in rest[n_states..n_states + n_scanned].iter().enumerate() {
            let at = if backwards[idx] == 0 {
                trip
            } else {
                let last = b.shape(*whole)[axes[idx]].clone() - 1.into();
                let last = dim_value(b, &last, DType::I64)?;
                b.sub(last, trip)?
            };
            bound.push(b.emit(ops::Gather { axis: axes[idx] }, &[*whole, at])?);
        }
        Ok(bound)
    };
    let results = plan.emit(cx, &bind)?;
    placed(cx, results, n_states)
}

/// Scan outputs with their new axis, and in the order, that the attributes say.
fn placed(cx: &mut Cx, mut results: Vec<ValueId>, n_states: usize) -> OpResult {
    let n = results.len().saturating_sub(n_states);
    let axes = per_value(cx, "scan_output_axes", n)?;
    let backwards = per_value(cx, "scan_output_directions", n)?;
    for (idx, value) in results.iter_mut().skip(n_states).enumerate() {
        if backwards[idx] != 0 {
            *value = flip(cx.b, *value, &[0])?;
        }
        let rank = cx.b.rank(*value);
        let axis = cx.axis(axes[idx], rank)?;
        let mut perm: Vec<usize> = (1..rank).collect();
        perm.insert(axis, 0);
        *value = cx.b.transpose(*value, perm)?;
    }
    Ok(results)
}
