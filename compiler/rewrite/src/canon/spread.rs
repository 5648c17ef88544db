//! Elementwise work done before elements are repeated, not after.

use super::{Canon, fold};
use crate::scalars;
use graph::ValueId;
use ops::Op;
use tensor::{Dim, TensorType};

/// `f(broadcast a, broadcast b) = broadcast f(a, b)`, and numbers that are repeated everywhere stay one number.
pub(super) fn spread(c: &mut Canon, op: &Op, inputs: &[ValueId]) -> Option<ValueId> {
    if !is_elementwise(op) {
        return None;
    }
    let result = c.ty(inputs[0]).clone();
    if inputs.iter().any(|v| c.ty(*v).shape != result.shape) || result.shape.is_empty() {
        return None;
    }
    of_numbers(c, op, inputs, &result).or_else(|| of_broadcasts(c, op, inputs, &result))
}

fn of_numbers(c: &mut Canon, op: &Op, inputs: &[ValueId], result: &TensorType) -> Option<ValueId> {
    let numbers: Vec<_> = inputs.iter().map(|v| Some((c.ty(*v).dtype, c.splat(*v)?))).collect::<Option<_>>()?;
    let number = fold::splat_result(op, &numbers)?;
    let number = c.constant(number)?;
    c.emit(ops::Broadcast { shape: result.shape.clone() }, &[number])
}

fn of_broadcasts(c: &mut Canon, op: &Op, inputs: &[ValueId], result: &TensorType) -> Option<ValueId> {
    let sources: Vec<ValueId> = inputs
        .iter()
        .map(|v| match c.producer(*v) {
            Some(node) if matches!(node.op, Op::Broadcast(_)) => Some(node.inputs[0]),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let shapes: Vec<&[Dim]> = sources.iter().map(|v| &c.ty(*v).shape[..]).collect();
    let joint = joint_shape(&shapes, &result.shape)?;
    inputs.iter().for_each(|v| c.absorb(*v));
    let operands: Vec<ValueId> =
        sources.iter().map(|v| c.emit(ops::Broadcast { shape: joint.clone() }, &[*v])).collect::<Option<_>>()?;
    let small = c.emit(op.clone(), &operands)?;
    c.emit(ops::Broadcast { shape: result.shape.clone() }, &[small])
}

/// Writes constants that repeat themselves as repetitions, so that their core can be seen.
/// Only elementwise operators ask for this: others want their weights in full.
pub(super) fn compressed(c: &mut Canon, op: &Op, inputs: &mut [ValueId]) {
    if !is_elementwise(op) {
        return;
    }
    for input in inputs {
        let Some(core) = c.constant_of(*input).and_then(scalars::core) else {
            continue;
        };
        let shape = c.ty(*input).shape.clone();
        let small = c.constant(core);
        let repeated = small.and_then(|small| c.emit(ops::Broadcast { shape }, &[small]));
        *input = repeated.unwrap_or(*input);
    }
}

fn is_elementwise(op: &Op) -> bool {
    matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::Cast(_))
}

/// The smallest shape that all of some shapes broadcast to, if it is smaller than the one that they are broadcast to.
/// Only dimensions that are 1 or equal to the target's are understood.
pub(crate) fn joint_shape(shapes: &[&[Dim]], target: &[Dim]) -> Option<Vec<Dim>> {
    let one = Dim::from(1);
    let rank = shapes.iter().map(|shape| shape.len()).max()?;
    let aligned = target.get(target.len().checked_sub(rank)?..)?;
    let mut joint = vec![one.clone(); rank];
    for shape in shapes {
        let offset = rank - shape.len();
        for (axis, dim) in shape.iter().enumerate() {
            if *dim == aligned[axis + offset] {
                joint[axis + offset] = dim.clone();
            } else if *dim != one {
                return None;
            }
        }
    }
    let leading = target[..target.len() - rank].iter();
    let shrinks = joint.iter().zip(aligned).any(|(a, b)| a != b) || leading.into_iter().any(|dim| *dim != one);
    shrinks.then_some(joint)
}
