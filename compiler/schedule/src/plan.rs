//! The plan's data, and its making.

use crate::bounds::Bounds;
use crate::class::{Class, class};
use crate::fusion::{Fusion, fuse};
use crate::indices::{self, IndexCheck};
use graph::{Graph, Node, ValueId};
use ops::Op;
use tensor::Dim;

/// What runs, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
}

/// One thing that runs. Numbers are positions in the graph's node list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A kernel.
    Kernel(Region),
    /// A result that is the operand's memory under another shape.
    Alias(usize),
    /// Shape arithmetic or an operator that the runtime runs itself.
    Host(usize),
    /// A look at indices that come from data, before a step that selects by them.
    Indices(IndexCheck),
    /// Control flow, with a plan for each region.
    Control(usize, Vec<Plan>),
}

/// Nodes that become one kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The nodes computed in it, ascending. Empty for a plain copy.
    pub members: Vec<usize>,
    /// The member that combines many elements into one, if there is one.
    pub anchor: Option<usize>,
    /// Members that each reduce the last axis of what has the result's shape, ascending: their results are needed for
    /// every element of the row, so a row is computed as a whole. There is no anchor beside them but that of an attention.
    pub rows: Vec<usize>,
    /// Attention: the contraction whose result's rows are reduced, where the anchor contracts what they become.
    pub scores: Option<usize>,
    /// The value that is computed for each element of the result.
    pub result: ValueId,
    /// Where it is written.
    pub store: Store,
    /// The values in memory that it reads, in order of first use.
    pub leaves: Vec<ValueId>,
}

/// Where a kernel writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The value whose memory is written.
    pub value: ValueId,
    /// For a part of a concatenation: the axis and the index along it where the part begins.
    pub part: Option<(usize, Dim)>,
}

/// Decides which nodes share kernels.
///
/// Every value that a step reads is an input of the graph, a constant, or written by an earlier step.
pub fn plan(graph: &Graph) -> Plan {
    plan_within(&Bounds::new(graph, None))
}

/// The plan of a graph, or of a region of which something is known from around it.
fn plan_within(bounds: &Bounds) -> Plan {
    let graph = bounds.graph;
    let checks = indices::checks(bounds);
    let fusion = fuse(graph, &indices::stored(&checks));
    let mut checks = checks.into_iter().peekable();
    let mut steps = Vec::new();
    for (idx, node) in graph.nodes.iter().enumerate() {
        // A kernel stands where its last member does, so what it selects by is in memory here, and it comes later.
        while let Some(check) = checks.next_if(|check| check.node == idx) {
            steps.push(Step::Indices(check));
        }
        match class(graph, node) {
            Class::Constant => {}
            Class::Host => steps.push(Step::Host(idx)),
            Class::Control => steps.push(Step::Control(idx, regions(bounds, node))),
            Class::Alias => steps.push(Step::Alias(idx)),
            Class::Movement if matches!(node.op, Op::Reshape(_)) && fusion.is_root(idx) => steps.push(Step::Alias(idx)),
            Class::Alone => steps.push(Step::Kernel(alone(graph, idx))),
            Class::Concat => concat_copies(graph, &fusion, idx, &mut steps),
            Class::Elementwise | Class::Movement | Class::Anchor => {
                if let Some(region) = fusion.region(graph, idx) {
                    steps.push(Step::Kernel(region));
                }
            }
        }
    }
    Plan { steps }
}

fn regions(bounds: &Bounds, node: &Node) -> Vec<Plan> {
    node.regions.iter().map(|region| plan_within(&Bounds::new(region, Some((bounds, node))))).collect()
}

/// A kernel of one node; each of its inputs is a leaf once.
fn alone(graph: &Graph, idx: usize) -> Region {
    let node = &graph.nodes[idx];
    let mut leaves = Vec::new();
    for input in &node.inputs {
        if !leaves.contains(input) {
            leaves.push(*input);
        }
    }
    let result = node.outputs[0];
    Region {
        members: vec![idx],
        anchor: Some(idx),
        rows: vec![],
        scores: None,
        result,
        store: Store { value: result, part: None },
        leaves,
    }
}

/// Copies of the parts of a concatenation that no kernel writes in place.
fn concat_copies(graph: &Graph, fusion: &Fusion, idx: usize, steps: &mut Vec<Step>) {
    let node = &graph.nodes[idx];
    for (at, operand) in node.inputs.iter().enumerate() {
        if fusion.writes_part(idx, at) {
            continue;
        }
        let store = part_store(graph, idx, at);
        steps.push(Step::Kernel(Region {
            members: vec![],
            anchor: None,
            rows: vec![],
            scores: None,
            result: *operand,
            store,
            leaves: vec![*operand],
        }));
    }
}

/// Where operand `at` of a concatenation goes.
pub(crate) fn part_store(graph: &Graph, idx: usize, at: usize) -> Store {
    let node = &graph.nodes[idx];
    let Op::Concat(op) = &node.op else { return Store { value: node.outputs[0], part: None } };
    let before = node.inputs[..at].iter().map(|v| graph.ty(*v).shape[op.axis].clone());
    Store { value: node.outputs[0], part: Some((op.axis, before.fold(Dim::from(0), |a, b| a + b))) }
}
