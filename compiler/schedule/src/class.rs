//! What the scheduler needs to know of an operator.

use graph::{Graph, Node};
use ops::{BinaryKind, Op, UnaryKind};
use tensor::Dim;

/// How an operator takes part in kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Computes each result element from the operands' elements at the same index.
    Elementwise,
    /// Computes each result element from one operand element at another index.
    Movement,
    /// Combines many operand elements into each result element.
    Anchor,
    /// The same bytes under another shape.
    Alias,
    /// Several operands written one after the other into one buffer.
    Concat,
    /// A kernel of its own, which nothing is fused with.
    Alone,
    /// Known at compile time.
    Constant,
    /// Shape arithmetic or a host operator; no kernel.
    Host,
    /// A region run by the runtime.
    Control,
}

/// The class of a node.
pub fn class(graph: &Graph, node: &Node) -> Class {
    match &node.op {
        Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::Cast(_) | Op::Bitcast(_) => {
            Class::Elementwise
        }
        Op::Reshape(_) if is_unit_reshape(graph, node) => Class::Movement,
        Op::Reshape(_) => Class::Alias,
        Op::Broadcast(_) | Op::Transpose(_) | Op::Slice(_) | Op::Pad(_) | Op::Iota(_) => Class::Movement,
        Op::Gather(_) | Op::GatherElements(_) | Op::GatherNd(_) => Class::Movement,
        Op::Reduce(_) | Op::ArgReduce(_) | Op::Dot(_) | Op::Conv(_) | Op::Pool(_) | Op::PoolArgMax(_) => Class::Anchor,
        Op::Concat(_) => Class::Concat,
        Op::ScatterElements(_) | Op::ScatterNd(_) | Op::Cumulative(_) => Class::Alone,
        Op::Constant(_) => Class::Constant,
        Op::Dims(_) | Op::Bind(_) => Class::Host,
        Op::TopK(_) | Op::NonZero(_) | Op::Unique(_) | Op::NonMaxSuppression(_) | Op::Random(_) => Class::Host,
        Op::If(_) | Op::Loop(_) => Class::Control,
    }
}

/// Whether a reshape only adds or removes axes of size 1, so that indices map without arithmetic.
pub fn is_unit_reshape(graph: &Graph, node: &Node) -> bool {
    let strip = |shape: &[Dim]| shape.iter().filter(|d| **d != Dim::from(1)).cloned().collect::<Vec<_>>();
    let (Op::Reshape(_), [x], [y]) = (&node.op, &node.inputs[..], &node.outputs[..]) else { return false };
    strip(&graph.ty(*x).shape) == strip(&graph.ty(*y).shape)
}

/// Whether computing an element costs about as much as loading it, so that doing it again in each reader pays.
pub fn is_cheap(op: &Op) -> bool {
    match op {
        Op::Unary(op) => matches!(op.kind, UnaryKind::Neg | UnaryKind::Abs | UnaryKind::Not | UnaryKind::Floor),
        Op::Binary(op) => !matches!(
            op.kind,
            BinaryKind::Pow | BinaryKind::Mod | BinaryKind::Rem | BinaryKind::Atan2 | BinaryKind::Div
        ),
        Op::Compare(_) | Op::Select(_) | Op::Cast(_) | Op::Bitcast(_) => true,
        Op::Broadcast(_) | Op::Transpose(_) | Op::Slice(_) | Op::Iota(_) | Op::Reshape(_) => true,
        _ => false,
    }
}
