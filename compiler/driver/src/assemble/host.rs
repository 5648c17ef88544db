//! Steps that the runtime runs itself.

use super::{Assembler, Frame};
use artifact::{F32, HostOp, Step};
use ops::{Op, RandomKind};

impl Assembler<'_> {
    pub(crate) fn host(&mut self, frame: &mut Frame, idx: usize) {
        let node = &frame.graph.nodes[idx];
        match &node.op {
            Op::Dims(op) => {
                let values = op.values.iter().map(|dim| self.b.dim(dim)).collect();
                let out = self.view(frame, node.outputs[0]);
                self.b.push(Step::Dims { values, out });
            }
            Op::Bind(op) => {
                let input = self.view(frame, node.inputs[0]);
                let symbols = op.symbols.iter().map(|name| self.b.symbol(name)).collect();
                self.b.push(Step::Bind { input, symbols });
            }
            other => {
                let Some(op) = host_op(other) else { return };
                let inputs = node.inputs.iter().map(|v| self.view(frame, *v)).collect();
                let outputs = node.outputs.iter().map(|v| self.view(frame, *v)).collect();
                let symbols = other.defined_symbols().iter().map(|s| self.b.symbol(s.name())).collect();
                let nodes = node.loc.node_names().into_iter().map(|name| self.b.node(name)).collect();
                self.b.push(Step::Host { op, inputs, outputs, symbols, nodes });
            }
        }
    }
}

fn host_op(op: &Op) -> Option<HostOp> {
    Some(match op {
        Op::TopK(op) => HostOp::TopK { axis: op.axis as u32, largest: op.largest, sorted: true },
        Op::NonZero(_) => HostOp::NonZero,
        Op::Unique(op) => HostOp::Unique { axis: u32::try_from(op.axis).ok(), sorted: op.sorted },
        Op::NonMaxSuppression(op) => HostOp::NonMaxSuppression { center_point_box: op.center_point },
        Op::Random(op) => {
            let (a, b) = (F32::from(op.a.get() as f32), F32::from(op.b.get() as f32));
            match op.kind {
                RandomKind::Uniform => HostOp::RandomUniform { low: a, high: b, seed: op.seed },
                RandomKind::Normal => HostOp::RandomNormal { mean: a, scale: b, seed: op.seed },
            }
        }
        _ => return None,
    })
}
