//! Shapes as data, and other shapes for the same elements.

use super::kit::*;

/// The family's table.
pub(crate) const ROWS: &[Row] = &[
    Row::onnx("Shape", 1, shape),
    Row::onnx("Size", 1, size),
    Row::onnx("Reshape", 1, reshape),
    Row::onnx("Flatten", 1, flatten),
    Row::onnx("Squeeze", 1, squeeze),
    Row::onnx("Unsqueeze", 1, unsqueeze_row),
    Row::onnx("Transpose", 1, transpose),
    Row::onnx("Expand", 8, expand),
    Row::onnx("Tile", 1, tile),
];

fn shape(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let rank = cx.b.rank(x) as i64;
    let clamped = |at: i64| (if at < 0 { at.saturating_add(rank) } else { at }).clamp(0, rank);
    let start = clamped(cx.attr_i("start", 0)?) as usize;
    let end = clamped(cx.attr_i("end", rank)?) as usize;
    let dims = cx.b.shape(x).get(start..end).unwrap_or_default().to_vec();
    Ok(vec![cx.b.dims(dims)?])
}

fn size(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let count = cx.b.ty(x).num_elements();
    Ok(vec![dim_value(cx.b, &count, DType::I64)?])
}

fn reshape(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let copy_zero = !cx.attr_bool("allowzero", false)?;
    let (target, exact) = match cx.opt(inputs, 1) {
        Some(value) => (cx.runtime_dims(value)?, cx.known_dims(value).is_some()),
        None => match cx.attr_ints("shape")? {
            Some(dims) => (dims.into_iter().map(Dim::from).collect(), true),
            None => return bad("there is no shape, neither as input nor as attribute"),
        },
    };
    let from = cx.b.shape(x).to_vec();
    let shape = if exact || target.iter().all(|d| d.as_const().is_some()) {
        resolved(&from, &target, copy_zero)?
    } else {
        resolved_at_run_time(&from, &target, copy_zero)
    };
    Ok(vec![cx.b.reshape(x, shape)?])
}

/// A target shape whose 0 and -1 are known as such.
fn resolved(from: &[Dim], target: &[Dim], copy_zero: bool) -> Result<Vec<Dim>, ImportError> {
    let mut shape = target.to_vec();
    let mut open = None;
    for (axis, dim) in target.iter().enumerate() {
        match dim.as_const() {
            Some(0) if copy_zero => match from.get(axis) {
                Some(dim) => shape[axis] = dim.clone(),
                None => {
                    return bad(format!("axis {axis} of the target copies an axis that the operand lacks"));
                }
            },
            Some(-1) if open.is_some() => return bad("two axes of the target are -1"),
            Some(-1) => open = Some(axis),
            Some(size) if size < 0 => return bad(format!("a dimension of the target is {size}")),
            _ => {}
        }
    }
    if let Some(axis) = open {
        let others: Vec<Dim> =
            shape.iter().enumerate().filter(|(at, _)| *at != axis).map(|(_, dim)| dim.clone()).collect();
        shape[axis] = quotient(from, &others);
    }
    Ok(shape)
}

/// The product of the first dimensions over that of the second; equal ones cancel before they are multiplied out.
fn quotient(from: &[Dim], by: &[Dim]) -> Dim {
    let mut left = from.to_vec();
    let mut right = Vec::new();
    for dim in by {
        match left.iter().position(|d| d == dim && d.as_const() != Some(0)) {
            Some(at) => {
                left.remove(at);
            }
            None => right.push(dim.clone()),
        }
    }
    let (left, right) = (product(&left), product(&right));
    if right.as_const() == Some(0) {
        return Dim::from(0);
    }
    left.floor_div(right)
}

/// A target shape that only a run tells, where any element may be 0 or -1.
fn resolved_at_run_time(from: &[Dim], target: &[Dim], copy_zero: bool) -> Vec<Dim> {
    let copied = |(axis, dim): (usize, &Dim)| match from.get(axis) {
        Some(own) if copy_zero => Dim::select_eq(dim.clone(), 0.into(), own.clone(), dim.clone()),
        _ => dim.clone(),
    };
    let given: Vec<Dim> = target.iter().enumerate().map(copied).collect();
    // With one element of -1, the product is the others' with its sign turned.
    let others = -product(&given);
    let total = product(from);
    let open = |dim: &Dim| {
        let missing = total.clone().floor_div(others.clone());
        Dim::select_eq(dim.clone(), (-1).into(), missing, dim.clone())
    };
    given.iter().map(open).collect()
}

fn flatten(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let (axis, rank) = (cx.attr_i("axis", 1)?, cx.b.rank(x) as i64);
    if !(-rank..=rank).contains(&axis) {
        return bad(format!("axis {axis} of a tensor with {rank} axes"));
    }
    let at = (if axis < 0 { axis + rank } else { axis }) as usize;
    let (before, behind) = cx.b.shape(x).split_at(at);
    let shape = vec![product(before), product(behind)];
    Ok(vec![cx.b.reshape(x, shape)?])
}

/// Axes from the attribute of old versions or the operand of new ones.
pub(super) fn given_axes(cx: &mut Cx, inputs: Inputs) -> Result<Option<Vec<i64>>, ImportError> {
    match cx.opt(inputs, 1) {
        Some(axes) => Ok(Some(cx.const_ints(axes)?)),
        None => cx.attr_ints("axes"),
    }
}

fn squeeze(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let shape = cx.b.shape(x).to_vec();
    let axes = match given_axes(cx, inputs)? {
        Some(axes) => cx.axes(&axes, shape.len())?,
        None => {
            if let Some(open) = shape.iter().find(|d| d.as_const().is_none()) {
                return Err(cx.needs_dim(open));
            }
            let is_one = |axis: &usize| shape[*axis].as_const() == Some(1);
            (0..shape.len()).filter(is_one).collect()
        }
    };
    if let Some(axis) = axes.iter().find(|axis| shape[**axis].as_const().is_some_and(|d| d != 1)) {
        return bad(format!("axis {axis} has size {}, not 1", shape[*axis]));
    }
    let kept = shape.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
    let shape = kept.map(|(_, dim)| dim.clone()).collect();
    Ok(vec![cx.b.reshape(x, shape)?])
}

fn unsqueeze_row(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let Some(axes) = given_axes(cx, inputs)? else {
        return bad("there are no axes, neither as input nor as attribute");
    };
    let rank = cx.b.rank(x) + axes.len();
    let axes = cx.axes(&axes, rank)?;
    let mut own = cx.b.shape(x).to_vec().into_iter();
    let dim = |axis: usize| match axes.contains(&axis) {
        true => Dim::from(1),
        false => own.next().unwrap_or(1.into()),
    };
    let shape = (0..rank).map(dim).collect();
    Ok(vec![cx.b.reshape(x, shape)?])
}

fn transpose(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let rank = cx.b.rank(x);
    let perm = match cx.attr_ints("perm")? {
        Some(perm) => cx.axes(&perm, rank)?,
        None => (0..rank).rev().collect(),
    };
    Ok(vec![cx.b.transpose(x, perm)?])
}

/// Broadcasting in both directions: an axis of the target may be 1 where the operand's is more.
fn expand(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, target) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let target = cx.runtime_dims(target)?;
    let shape = expanded(cx.b.shape(x), &target, cx.b.bounds());
    let Some(shape) = shape else {
        return bad(format!("{} does not broadcast to {target:?}", cx.b.ty(x)));
    };
    Ok(vec![cx.b.broadcast(x, shape)?])
}

fn expanded(from: &[Dim], target: &[Dim], bounds: &tensor::Bounds) -> Option<Vec<Dim>> {
    let rank = from.len().max(target.len());
    let at = |shape: &[Dim], axis: usize| {
        let own = (axis + shape.len()).checked_sub(rank);
        own.map_or(Dim::from(1), |own| shape[own].clone())
    };
    (0..rank).map(|axis| tensor::broadcast_dims(&at(from, axis), &at(target, axis), bounds)).collect()
}

fn tile(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, repeats) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let repeats = cx.runtime_dims(repeats)?;
    let rank = cx.b.rank(x);
    if repeats.len() != rank {
        return bad(format!("{} repeats for {rank} axes", repeats.len()));
    }
    let own = cx.b.shape(x).to_vec();
    let pairs = |repeat: &dyn Fn(usize) -> Dim| -> Vec<Dim> {
        (0..rank).flat_map(|axis| [repeat(axis), own[axis].clone()]).collect()
    };
    let apart = cx.b.reshape(x, pairs(&|_| 1.into()))?;
    let repeated = cx.b.broadcast(apart, pairs(&|axis| repeats[axis].clone()))?;
    let shape = own.iter().zip(&repeats).map(|(d, r)| d.clone() * r.clone()).collect();
    Ok(vec![cx.b.reshape(repeated, shape)?])
}
