//! Parts of a graph that are optimised one at a time, and their e-graphs.

use crate::canon::fold::is_plain;
use crate::egraph::{ENode, Eg, Head};
use crate::steps::before_steps;
use egg::Id;
use graph::{Graph, ValueId};
use ops::Op;

/// A run of nodes. Constants and what is made of nothing else belong to no part: every part has its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// Positions of its nodes, ascending.
    pub(crate) nodes: Vec<usize>,
    /// Values that others need from it.
    pub(crate) outputs: Vec<ValueId>,
}

/// For each value, whether it depends on nothing but constants and symbols.
fn replicated(graph: &Graph) -> Vec<bool> {
    let mut out = vec![false; graph.n_values()];
    for node in &graph.nodes {
        let all = is_plain(&node.op) && node.inputs.iter().all(|v| out[v.index()]);
        if let ([value], true) = (&node.outputs[..], all) {
            out[value.index()] = true;
        }
    }
    out
}

/// Cuts a graph where few values are alive.
pub(crate) fn partition(graph: &Graph, max_part: usize) -> Vec<Part> {
    let replicated = replicated(graph);
    let is_own = |idx: &usize| {
        let outputs = &graph.nodes[*idx].outputs;
        outputs.is_empty() || outputs.iter().any(|v| !replicated[v.index()])
    };
    let own: Vec<usize> = (0..graph.nodes.len()).filter(is_own).collect();
    let alive = alive_after(graph, &own, &replicated);
    let mut parts = Vec::new();
    let mut start = 0;
    while start < own.len() {
        let mut end = own.len();
        if own.len() - start > max_part {
            let (first, last) = (start + max_part * 2 / 3, start + max_part);
            end = 1 + (first..last).min_by_key(|at| alive[*at]).unwrap_or(last - 1);
        }
        parts.push(Part { nodes: own[start..end].to_vec(), outputs: Vec::new() });
        start = end;
    }
    if parts.is_empty() {
        parts.push(Part::default());
    }
    set_outputs(graph, &replicated, &mut parts);
    parts
}

/// For each own node, how many values live on after it.
fn alive_after(graph: &Graph, own: &[usize], replicated: &[bool]) -> Vec<usize> {
    let mut last_use = vec![None; graph.n_values()];
    for (at, idx) in own.iter().enumerate() {
        let inputs = graph.nodes[*idx].inputs.iter();
        inputs.for_each(|v| last_use[v.index()] = Some(at));
    }
    graph.outputs.iter().for_each(|port| last_use[port.value.index()] = Some(own.len()));
    let mut dying = vec![0usize; own.len() + 1];
    let mut count = 0;
    own.iter()
        .enumerate()
        .map(|(at, idx)| {
            for value in &graph.nodes[*idx].outputs {
                if let Some(last) = last_use[value.index()].filter(|last| *last > at && !replicated[value.index()]) {
                    count += 1;
                    dying[last] += 1;
                }
            }
            count -= dying[at];
            count
        })
        .collect()
}

fn set_outputs(graph: &Graph, replicated: &[bool], parts: &mut [Part]) {
    let mut part_of = vec![None; graph.n_values()];
    for (number, part) in parts.iter().enumerate() {
        for value in part.nodes.iter().flat_map(|idx| &graph.nodes[*idx].outputs) {
            part_of[value.index()] = Some(number);
        }
    }
    let mut needed = vec![false; graph.n_values()];
    for (number, part) in parts.iter().enumerate() {
        for value in part.nodes.iter().flat_map(|idx| &graph.nodes[*idx].inputs) {
            needed[value.index()] |= part_of[value.index()].is_some_and(|of| of != number);
        }
    }
    for port in &graph.outputs {
        needed[port.value.index()] = true;
        if replicated[port.value.index()] {
            part_of[port.value.index()] = Some(parts.len() - 1);
        }
    }
    for (idx, number) in part_of.iter().enumerate() {
        if let (Some(number), true) = (number, needed[idx]) {
            parts[*number].outputs.push(ValueId(idx as u32));
        }
    }
}

/// The e-graph of a part.
pub(crate) struct Built {
    pub(crate) eg: Eg,
    /// For each value of the graph that occurs, its class.
    pub(crate) class_of: Vec<Option<Id>>,
    /// The nodes as they were added, in order.
    pub(crate) original: Vec<(Id, ENode)>,
    /// For each opaque node, its position in the graph.
    pub(crate) opaques: Vec<usize>,
    /// For each value from outside, which one it is.
    pub(crate) inputs: Vec<ValueId>,
    /// What must be computed.
    pub(crate) roots: Vec<Id>,
}

/// Makes the e-graph of a part. `types` are those of values from outside, as they are by now.
pub(crate) fn build(
    graph: &Graph,
    part: &Part,
    max_weight_bytes: usize,
    outer: &dyn Fn(ValueId) -> tensor::TensorType,
) -> Built {
    let mut built = Built {
        eg: Eg::new(max_weight_bytes),
        class_of: vec![None; graph.n_values()],
        original: Vec::new(),
        opaques: Vec::new(),
        inputs: Vec::new(),
        roots: Vec::new(),
    };
    let before_steps = before_steps(graph);
    for idx in with_constants(graph, part) {
        let outputs = &graph.nodes[idx].outputs;
        built.eg.egraph.analysis.before_step = outputs.iter().any(|v| before_steps[v.index()]);
        built.add(graph, idx, outer);
    }
    built.eg.egraph.analysis.before_step = false;
    for value in &part.outputs {
        let id = built.class(*value, outer);
        built.roots.push(id);
    }
    built
}

/// The nodes of a part and the constant nodes that they need, in order.
pub(crate) fn with_constants(graph: &Graph, part: &Part) -> Vec<usize> {
    let (replicated, producers) = (replicated(graph), graph.producers());
    let mut all: std::collections::BTreeSet<usize> = part.nodes.iter().copied().collect();
    let inputs = part.nodes.iter().flat_map(|idx| graph.nodes[*idx].inputs.iter());
    let mut work: Vec<ValueId> = inputs.chain(&part.outputs).copied().collect();
    while let Some(value) = work.pop() {
        if let Some(idx) = producers[value.index()].filter(|_| replicated[value.index()])
            && all.insert(idx)
        {
            work.extend(&graph.nodes[idx].inputs);
        }
    }
    all.into_iter().collect()
}

impl Built {
    fn class(&mut self, value: ValueId, outer: &dyn Fn(ValueId) -> tensor::TensorType) -> Id {
        if let Some(id) = self.class_of[value.index()] {
            return id;
        }
        let id = self.eg.input(outer(value));
        self.inputs.push(value);
        self.record(id);
        self.class_of[value.index()] = Some(id);
        id
    }

    fn record(&mut self, id: Id) {
        let node = self.eg.egraph.id_to_node(id).clone();
        self.original.push((id, node));
    }

    fn add(&mut self, graph: &Graph, idx: usize, outer: &dyn Fn(ValueId) -> tensor::TensorType) {
        let node = &graph.nodes[idx];
        let inputs: Vec<Id> = node.inputs.iter().map(|v| self.class(*v, outer)).collect();
        self.eg.egraph.analysis.loc = node.loc.clone();
        if let Op::Constant(op) = &node.op {
            let id = self.eg.constant(&op.value.0);
            self.record(id);
            self.class_of[node.outputs[0].index()] = Some(id);
            return;
        }
        let plain = node.regions.is_empty() && is_plain(&node.op);
        if let ([value], true) = (&node.outputs[..], plain)
            && let Some(id) = self.eg.emit(node.op.clone(), &inputs)
            && self.eg.rank(id) == graph.ty(*value).rank()
        {
            self.record(id);
            self.class_of[value.index()] = Some(id);
            return;
        }
        self.add_opaque(graph, idx, inputs);
    }

    fn add_opaque(&mut self, graph: &Graph, idx: usize, inputs: Vec<Id>) {
        let node = &graph.nodes[idx];
        let types = node.outputs.iter().map(|v| graph.ty(*v).clone()).collect();
        let (id, results) = self.eg.opaque(inputs, types);
        self.opaques.push(idx);
        self.record(id);
        self.roots.push(id);
        for (value, result) in node.outputs.iter().zip(results) {
            self.record(result);
            self.class_of[value.index()] = Some(result);
        }
    }

    /// The graph's node behind an opaque e-node.
    pub(crate) fn opaque(&self, node: &ENode) -> Option<usize> {
        match node.head {
            Head::Opaque(uid) => self.opaques.get(uid as usize).copied(),
            _ => None,
        }
    }
}
