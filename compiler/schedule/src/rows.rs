//! Which nodes turn rows into numbers and back: what softmax and normalizations are made of.

use graph::Graph;
use ops::Op;
use tensor::Dim;

/// Longer rows leave the first caches between one pass over them and the next.
const MAX_LENGTH: i64 = 64 * 1024;

/// Whether a node reduces the last axis, and only that, of a value of shape `full`.
pub(crate) fn reduces(graph: &Graph, idx: usize, full: &[Dim]) -> bool {
    let node = &graph.nodes[idx];
    let Op::Reduce(op) = &node.op else { return false };
    let fits = full.last().is_some_and(|length| length.as_const().is_none_or(|n| n <= MAX_LENGTH));
    fits && graph.ty(node.inputs[0]).shape == full && op.axes == [full.len() - 1]
}

/// Whether a node is a broadcast that repeats one number along each row.
pub(crate) fn repeats(graph: &Graph, idx: usize) -> bool {
    let node = &graph.nodes[idx];
    let Op::Broadcast(_) = &node.op else { return false };
    let (from, to) = (&graph.ty(node.inputs[0]).shape, &graph.ty(node.outputs[0]).shape);
    let Some((last, outer)) = from.split_last() else { return false };
    *last == Dim::from(1) && Some(outer) == to.split_last().map(|(_, outer)| outer)
}
