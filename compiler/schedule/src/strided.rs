//! Strided access: a chain of transposes, slices, broadcasts and unit reshapes as one address computation.

use crate::class::is_unit_reshape;
use graph::{Graph, ValueId};
use ops::Op;
use tensor::Dim;

/// How the elements of a value lie in the memory of another: `offset + sum(index[k] * strides[k])`, in elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strided {
    /// The value that is in memory.
    pub leaf: ValueId,
    /// Where the element with all indices 0 is.
    pub offset: Dim,
    /// Distance between neighbors along each axis; 0 along broadcast axes.
    pub strides: Vec<Dim>,
}

/// The strides of a dense row-major tensor.
pub fn row_major(shape: &[Dim]) -> Vec<Dim> {
    let mut strides = vec![Dim::from(1); shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].clone() * shape[axis].clone();
    }
    strides
}

/// The strided access of a value, following producers as long as `inlined` says that they are not in memory.
/// `None` if one of those is not a strided view.
pub fn strided(
    graph: &Graph,
    producers: &[Option<usize>],
    value: ValueId,
    inlined: &dyn Fn(usize) -> bool,
) -> Option<Strided> {
    let Some(idx) = producers[value.index()].filter(|idx| inlined(*idx)) else {
        return Some(Strided { leaf: value, offset: 0.into(), strides: row_major(&graph.ty(value).shape) });
    };
    let node = &graph.nodes[idx];
    let inner = strided(graph, producers, *node.inputs.first()?, inlined)?;
    let shape = &graph.ty(value).shape;
    match &node.op {
        Op::Transpose(op) => {
            Some(Strided { strides: op.perm.iter().map(|axis| inner.strides[*axis].clone()).collect(), ..inner })
        }
        Op::Slice(op) => {
            let starts = op.starts.iter().zip(&inner.strides);
            let offset = starts.fold(inner.offset, |sum, (start, stride)| sum + start.clone() * stride.clone());
            let strides = inner.strides.iter().zip(&op.steps).map(|(s, step)| s.clone() * (*step).into()).collect();
            Some(Strided { offset, strides, ..inner })
        }
        Op::Broadcast(_) => {
            let from = &graph.ty(node.inputs[0]).shape;
            let strides = broadcast_onto(from, shape, &inner.strides)?;
            Some(Strided { strides, ..inner })
        }
        Op::Reshape(_) if is_unit_reshape(graph, node) => {
            let from = &graph.ty(node.inputs[0]).shape;
            let mut kept = from.iter().zip(&inner.strides).filter(|(d, _)| **d != Dim::from(1)).map(|(_, s)| s.clone());
            let one = Dim::from(1);
            let strides =
                shape.iter().map(|d| if *d == one { Some(0.into()) } else { kept.next() }).collect::<Option<_>>()?;
            Some(Strided { strides, ..inner })
        }
        _ => None,
    }
}

/// Strides along the axes of `to` of a value of shape `from` broadcast to it, or `None` if it is not known whether an axis repeats.
fn broadcast_onto(from: &[Dim], to: &[Dim], strides: &[Dim]) -> Option<Vec<Dim>> {
    let missing = to.len() - from.len();
    let aligned = from.iter().zip(strides).zip(&to[missing..]).map(|((from, stride), to)| {
        match (from == to, *from == Dim::from(1)) {
            (true, _) => Some(stride.clone()),
            (false, true) => Some(0.into()),
            (false, false) => None,
        }
    });
    std::iter::repeat_n(Some(0.into()), missing).chain(aligned).collect()
}
