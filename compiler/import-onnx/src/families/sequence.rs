//! Sequences and optionals whose structure is known at compile time.

use super::control::tensor_of;
use super::kit::*;
use crate::env::Slot;

/// The family's table.
pub(crate) const ROWS: &[Row] = &[
    Row::slots("Identity", 1, identity),
    Row::slots("SequenceConstruct", 11, construct),
    Row::slots("SequenceEmpty", 11, empty),
    Row::slots("SequenceAt", 11, at),
    Row::slots("SequenceInsert", 11, insert),
    Row::slots("SequenceErase", 11, erase),
    Row::slots("SequenceLength", 11, length),
    Row::slots("SequenceMap", 17, map),
    Row::slots("SplitToSequence", 11, split),
    Row::slots("ConcatFromSequence", 11, concat_row),
    Row::slots("Optional", 15, optional),
    Row::slots("OptionalGetElement", 15, get_element),
    Row::slots("OptionalHasElement", 15, has_element),
];

type Slots<'s> = &'s [Option<Slot>];
type SlotResult = Result<Vec<Slot>, ImportError>;

fn tensor(inputs: Slots, idx: usize) -> One {
    match tensor_of(inputs.get(idx))? {
        Some(value) => Ok(value),
        None => bad(format!("input #{idx} is missing")),
    }
}

fn sequence(inputs: Slots, idx: usize) -> Result<Vec<ValueId>, ImportError> {
    match inputs.get(idx) {
        Some(Some(Slot::Sequence(items))) => Ok(items.clone()),
        Some(Some(Slot::Poisoned)) => Err(ImportError::Reported),
        _ => bad(format!("input #{idx} is not a sequence")),
    }
}

fn one(value: ValueId) -> SlotResult {
    Ok(vec![Slot::Value(value)])
}

fn identity(_cx: &mut Cx, inputs: Slots) -> SlotResult {
    match inputs.first() {
        Some(Some(slot)) => Ok(vec![slot.clone()]),
        _ => bad("input #0 is missing"),
    }
}

fn construct(_cx: &mut Cx, inputs: Slots) -> SlotResult {
    let items = (0..inputs.len()).map(|idx| tensor(inputs, idx));
    Ok(vec![Slot::Sequence(items.collect::<Result<_, _>>()?)])
}

fn empty(_cx: &mut Cx, _inputs: Slots) -> SlotResult {
    Ok(vec![Slot::Sequence(Vec::new())])
}

/// A position in a sequence of `n`, counted from the end where it is negative; `end` is the first that is too large.
fn position(cx: &mut Cx, at: ValueId, n: usize, end: usize) -> Result<usize, ImportError> {
    let at = cx.const_int(at)?;
    let from_front = if at < 0 { at.saturating_add(n as i64) } else { at };
    match usize::try_from(from_front) {
        Ok(position) if position < end => Ok(position),
        _ => bad(format!("position {at} of a sequence of {n}")),
    }
}

fn at(cx: &mut Cx, inputs: Slots) -> SlotResult {
    let items = sequence(inputs, 0)?;
    let at = position(cx, tensor(inputs, 1)?, items.len(), items.len())?;
    one(items[at])
}

fn insert(cx: &mut Cx, inputs: Slots) -> SlotResult {
    let mut items = sequence(inputs, 0)?;
    let item = tensor(inputs, 1)?;
    let at = match tensor_of(inputs.get(2))? {
        // One place more than there are items: behind the last.
        Some(at) => position(cx, at, items.len(), items.len() + 1)?,
        None => items.len(),
    };
    items.insert(at, item);
    Ok(vec![Slot::Sequence(items)])
}

fn erase(cx: &mut Cx, inputs: Slots) -> SlotResult {
    let mut items = sequence(inputs, 0)?;
    let at = match tensor_of(inputs.get(1))? {
        Some(at) => position(cx, at, items.len(), items.len())?,
        None if items.is_empty() => return bad("the sequence is empty"),
        None => items.len() - 1,
    };
    items.remove(at);
    Ok(vec![Slot::Sequence(items)])
}

fn length(cx: &mut Cx, inputs: Slots) -> SlotResult {
    let n = sequence(inputs, 0)?.len();
    let n = cx.b.constant(Tensor::scalar(DType::I64, Scalar::Int(n as i128)))?;
    one(n)
}

/// The body's nodes for each item, one after the other.
fn map(cx: &mut Cx, inputs: Slots) -> SlotResult {
    let body = cx.attr_graph("body")?;
    let n = sequence(inputs, 0)?.len();
    let mut results: Vec<Vec<ValueId>> = vec![Vec::new(); body.output.len()];
    for idx in 0..n {
        let item = |slot: &Option<Slot>| match slot {
            Some(Slot::Sequence(items)) if items.len() == n => Ok(Slot::Value(items[idx])),
            Some(Slot::Sequence(items)) => bad(format!("sequences of {n} and {} items", items.len())),
            Some(slot) => Ok(slot.clone()),
            None => bad("an input is missing"),
        };
        let operands = inputs.iter().map(item).collect::<Result<_, _>>()?;
        for (items, slot) in results.iter_mut().zip(cx.splice(body, operands)?) {
            items.extend(tensor_of(Some(&Some(slot)))?);
        }
    }
    Ok(results.into_iter().map(Slot::Sequence).collect())
}

fn split(cx: &mut Cx, inputs: Slots) -> SlotResult {
    let x = tensor(inputs, 0)?;
    let axis = cx.axis(cx.attr_i("axis", 0)?, cx.b.rank(x))?;
    let extent = cx.b.shape(x)[axis].clone();
    let sizes = tensor_of(inputs.get(1))?;
    let (sizes, keep) = match sizes {
        Some(sizes) if cx.b.rank(sizes) == 1 => (cx.const_ints(sizes)?, true),
        Some(size) => (chunks(cx, &extent, size)?, true),
        None => (vec![1; cx.const_dim(&extent)?], cx.attr_bool("keepdims", true)?),
    };
    let (mut start, mut parts) = (0, Vec::new());
    for size in sizes {
        let part = slice_axis(cx.b, x, axis, start, size)?;
        let part = if keep { part } else { pick(cx.b, part, axis, 0)? };
        parts.push(part);
        start += size;
    }
    Ok(vec![Slot::Sequence(parts)])
}

/// Parts of one size, the last one with what is left.
fn chunks(cx: &mut Cx, extent: &Dim, size: ValueId) -> Result<Vec<i64>, ImportError> {
    let (extent, size) = (cx.const_dim(extent)? as i64, cx.const_int(size)?);
    if size <= 0 {
        return bad(format!("parts of {size} elements"));
    }
    let starts = (0..extent).step_by(size as usize);
    Ok(starts.map(|start| size.min(extent - start)).collect())
}

fn concat_row(cx: &mut Cx, inputs: Slots) -> SlotResult {
    let items = sequence(inputs, 0)?;
    let Some(first) = items.first() else {
        return bad("the sequence is empty");
    };
    let rank = cx.b.rank(*first);
    let axis = cx.attr_i("axis", 0)?;
    if cx.attr_bool("new_axis", false)? {
        let axis = cx.axis(axis, rank + 1)?;
        return one(stack(cx.b, &items, axis)?);
    }
    let axis = cx.axis(axis, rank)?;
    one(concat(cx.b, &items, axis)?)
}

fn optional(_cx: &mut Cx, inputs: Slots) -> SlotResult {
    Ok(vec![match inputs.first() {
        Some(Some(slot)) => slot.clone(),
        _ => Slot::Nothing,
    }])
}

fn get_element(_cx: &mut Cx, inputs: Slots) -> SlotResult {
    match inputs.first() {
        Some(Some(Slot::Nothing)) | Some(None) | None => bad("the optional is empty"),
        Some(Some(slot)) => Ok(vec![slot.clone()]),
    }
}

fn has_element(cx: &mut Cx, inputs: Slots) -> SlotResult {
    let has = !matches!(inputs.first(), Some(Some(Slot::Nothing)) | Some(None) | None);
    let truth = cx.b.scalar(DType::Bool, f64::from(u8::from(has)))?;
    one(truth)
}
