//! Facts that types leave open because of symbols, checked when the program runs.

use super::{Assembler, Frame};
use artifact::{Condition, Place, Step, ViewId};
use graph::{Graph, Node};
use ops::Op;
use tensor::{Dim, Tensor};

/// A fact about dimensions, not yet registered in the program.
enum Fact {
    Equal(Dim, Dim),
    AtMost(Dim, Dim),
    Broadcasts(Dim, Dim),
}

impl Assembler<'_> {
    /// Checks for all nodes up to this one that have none yet.
    pub(crate) fn checks_up_to(&mut self, frame: &mut Frame, last: usize) {
        let graph = frame.graph;
        for idx in frame.n_checked..=last {
            let node = &graph.nodes[idx];
            for fact in facts(graph, node) {
                self.check(graph, node, fact);
            }
        }
        frame.n_checked = frame.n_checked.max(last + 1);
    }

    fn check(&mut self, graph: &Graph, node: &Node, fact: Fact) {
        let condition = match &fact {
            Fact::Equal(a, b) => {
                if (a.clone() - b.clone()).as_const() == Some(0) {
                    return;
                }
                Condition::Equal(self.b.dim(a), self.b.dim(b))
            }
            Fact::AtMost(a, b) => {
                if self.facts.bounds.is_non_negative(&(b.clone() - a.clone())) {
                    return;
                }
                Condition::AtMost(self.b.dim(a), self.b.dim(b))
            }
            Fact::Broadcasts(a, b) => {
                if a == b || *a == Dim::from(1) {
                    return;
                }
                Condition::Broadcasts(self.b.dim(a), self.b.dim(b))
            }
        };
        let operands: Vec<String> = node.inputs.iter().map(|v| graph.ty(*v).to_string()).collect();
        let message = format!("{}: operands {} of {} do not fit", node.loc, operands.join(", "), node.op.name());
        self.b.push(Step::Check { condition, message });
    }

    /// A run must be given the value that the program was compiled for.
    pub(crate) fn check_frozen(&mut self, name: &str, given: ViewId, value: &Tensor) {
        let weight = self.weights.add(value, None, name);
        let expected = self.b.tensor(Place::Weight(weight), value.dtype(), &value.ty().shape);
        let message = format!("input `{name}` differs from the value that the model was compiled for");
        self.b.push(Step::Expect { given, expected, message });
    }
}

fn facts(graph: &Graph, node: &Node) -> Vec<Fact> {
    let shape = |k: usize| &graph.ty(node.inputs[k]).shape;
    let same = |a: &[Dim], b: &[Dim]| -> Vec<Fact> {
        a.iter().zip(b).map(|(a, b)| Fact::Equal(a.clone(), b.clone())).collect()
    };
    match &node.op {
        Op::Binary(_) | Op::Compare(_) => same(shape(0), shape(1)),
        Op::Select(_) => [same(shape(0), shape(1)), same(shape(1), shape(2))].concat_facts(),
        Op::Reshape(op) => {
            let count = |shape: &[Dim]| shape.iter().fold(Dim::from(1), |a, b| a * b.clone());
            vec![Fact::Equal(count(shape(0)), count(&op.shape))]
        }
        Op::Broadcast(op) => {
            let aligned = &op.shape[op.shape.len() - shape(0).len()..];
            shape(0).iter().zip(aligned).map(|(a, b)| Fact::Broadcasts(a.clone(), b.clone())).collect()
        }
        Op::Slice(op) => (0..op.steps.len()).flat_map(|axis| slice_facts(op, axis, &shape(0)[axis])).collect(),
        Op::Dot(op) => {
            let pairs = op.lhs_contract.iter().zip(&op.rhs_contract).chain(op.lhs_batch.iter().zip(&op.rhs_batch));
            pairs.map(|(a, b)| Fact::Equal(shape(0)[*a].clone(), shape(1)[*b].clone())).collect()
        }
        Op::Conv(op) => vec![Fact::Equal(shape(0)[1].clone(), shape(1)[1].clone() * op.groups.into())],
        Op::Concat(op) => (1..node.inputs.len())
            .flat_map(|k| {
                let others = move |axis: &usize| *axis != op.axis;
                let (a, b) = (shape(0), shape(k));
                (0..a.len())
                    .filter(others)
                    .map(|axis| Fact::Equal(a[axis].clone(), b[axis].clone()))
                    .collect::<Vec<_>>()
            })
            .collect(),
        Op::TopK(op) => vec![Fact::AtMost(op.k.clone(), shape(0)[op.axis].clone())],
        Op::GatherElements(op) => (0..shape(0).len())
            .filter(|axis| *axis != op.axis)
            .map(|axis| Fact::AtMost(shape(1)[axis].clone(), shape(0)[axis].clone()))
            .collect(),
        Op::ScatterElements(op) => (0..shape(0).len())
            .filter(|axis| *axis != op.axis)
            .map(|axis| Fact::AtMost(shape(2)[axis].clone(), shape(0)[axis].clone()))
            .chain(same(shape(1), shape(2)))
            .collect(),
        _ => vec![],
    }
}

trait ConcatFacts {
    fn concat_facts(self) -> Vec<Fact>;
}

impl ConcatFacts for [Vec<Fact>; 2] {
    fn concat_facts(self) -> Vec<Fact> {
        self.into_iter().flatten().collect()
    }
}

/// The first and the last index of a slice lie inside, unless it is empty.
fn slice_facts(op: &ops::Slice, axis: usize, extent: &Dim) -> Vec<Fact> {
    let (start, size) = (&op.starts[axis], &op.sizes[axis]);
    if *size == Dim::from(0) || (*start == Dim::from(0) && size == extent && op.steps[axis] == 1) {
        return vec![];
    }
    let last = start.clone() + (size.clone() - 1.into()) * op.steps[axis].into();
    let (low, high) = if op.steps[axis] > 0 { (start.clone(), last) } else { (last, start.clone()) };
    // Where nothing is taken, any start will do.
    let if_any = |dim: Dim, empty: Dim| Dim::select_eq(size.clone(), 0.into(), empty, dim);
    vec![Fact::AtMost(0.into(), if_any(low, 0.into())), Fact::AtMost(if_any(high + 1.into(), 0.into()), extent.clone())]
}
