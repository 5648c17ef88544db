//! Which operation each operator becomes.

use super::form::{Form, Reason, Result, Tens, element};
use graph::{Graph, Node};
use ops::Op;

/// Why an operator has no form at all, whatever its operands are.
pub(super) fn refused(graph: &Graph, node: &Node) -> std::result::Result<(), Reason> {
    let reason = match &node.op {
        Op::ScatterElements(_) | Op::ScatterNd(_) => {
            "its updates are applied in order, which no loop nest of linalg says"
        }
        Op::Cumulative(_) => "each element needs the one before it, which no loop nest of linalg says",
        Op::PoolArgMax(_) => "windows are compared by place and value, and padded places have neither",
        Op::TopK(_) => "linalg has no sorting",
        Op::NonZero(_) | Op::Unique(_) | Op::NonMaxSuppression(_) => "the size of its result depends on data",
        Op::Random(_) => "its generator is defined on single elements of 64-bit state",
        Op::If(_) | Op::Loop(_) => "control flow has regions, and linalg functions have none",
        _ => {
            node.inputs.iter().chain(&node.outputs).try_for_each(|v| element(graph.ty(*v).dtype).map(|_| ()))?;
            return Ok(());
        }
    };
    Err(reason.into())
}

impl Form<'_> {
    /// Writes a node; nothing for one without results.
    pub(super) fn node(&mut self, node: &Node) -> Result<Option<Tens>> {
        refused(self.graph, node)?;
        let first = |form: &Self| form.value(node.inputs[0]);
        let tens = match &node.op {
            Op::Constant(op) => self.constant(&op.value.0)?,
            Op::Dims(op) => self.dims_tensor(&op.values)?,
            Op::Bind(op) => return self.bind(op, node.inputs[0]).map(|()| None),
            Op::Iota(op) => self.iota(op)?,
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::Cast(_) | Op::Bitcast(_) => {
                self.elementwise(node)?
            }
            Op::Reshape(op) => self.reshape(&first(self), &op.shape)?,
            Op::Transpose(op) => self.transpose(&first(self), &op.perm)?,
            Op::Broadcast(op) => self.broadcast(&first(self), &op.shape)?,
            Op::Slice(op) => self.slice(&first(self), op)?,
            Op::Pad(op) => self.pad(node, op)?,
            Op::Concat(op) => self.concat(node, op.axis)?,
            Op::Gather(op) => self.gather(node, op.axis)?,
            Op::GatherElements(op) => self.gather_elements(node, op.axis)?,
            Op::GatherNd(op) => self.gather_nd(node, op.batch_dims)?,
            Op::Reduce(op) => self.reduce(node, op)?,
            Op::ArgReduce(op) => self.arg_reduce(node, op)?,
            Op::Dot(op) => self.dot(node, op)?,
            Op::Conv(op) => self.conv(node, op)?,
            Op::Pool(op) => self.pool(node, op)?,
            Op::ScatterElements(_)
            | Op::ScatterNd(_)
            | Op::Cumulative(_)
            | Op::PoolArgMax(_)
            | Op::TopK(_)
            | Op::NonZero(_)
            | Op::Unique(_)
            | Op::NonMaxSuppression(_)
            | Op::Random(_)
            | Op::If(_)
            | Op::Loop(_) => return Err("it was refused before".into()),
        };
        Ok(Some(tens))
    }
}
