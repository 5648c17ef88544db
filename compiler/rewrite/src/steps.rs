//! Values that steps are taken from: rounding, truncation and comparison make a large difference of a small one.
//!
//! Where a value reaches a step through elementwise work only, re-rounding it could flip the step, and in a quantised
//! network that is far more than a rounding error. Such values keep their arithmetic.

use graph::Graph;
use ops::{Op, ReduceKind, UnaryKind};
use tensor::DType;

/// For each value, whether a step follows without a contraction or sum in between.
pub(crate) fn before_steps(graph: &Graph) -> Vec<bool> {
    let mut out = vec![false; graph.n_values()];
    for node in graph.nodes.iter().rev() {
        let from_float = |v: &graph::ValueId| graph.ty(*v).dtype.is_float();
        let is_step = is_step(&node.op) && node.inputs.iter().any(from_float);
        let passes = carries(&node.op) && node.outputs.iter().any(|v| out[v.index()]);
        if is_step || passes {
            node.inputs.iter().for_each(|v| out[v.index()] = true);
        }
    }
    out
}

fn is_step(op: &Op) -> bool {
    use UnaryKind::{Ceil, Floor, Round, Sign, Trunc};
    match op {
        Op::Unary(op) => matches!(op.kind, Floor | Ceil | Round | Trunc | Sign),
        Op::Compare(_) | Op::Bitcast(_) => true,
        Op::Cast(op) => op.to.is_int() || op.to == DType::Bool || op.to.is_tiny_float(),
        _ => false,
    }
}

/// Whether a small change of an operand is a small change of the result's same elements.
fn carries(op: &Op) -> bool {
    match op {
        Op::Unary(_) | Op::Binary(_) | Op::Select(_) | Op::Cast(_) => true,
        Op::Reshape(_) | Op::Transpose(_) | Op::Broadcast(_) => true,
        Op::Slice(_) | Op::Pad(_) | Op::Concat(_) | Op::Gather(_) => true,
        Op::Reduce(op) => matches!(op.kind, ReduceKind::Max | ReduceKind::Min),
        _ => false,
    }
}
