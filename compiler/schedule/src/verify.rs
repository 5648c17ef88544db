//! Which plans a graph may have.
//!
//! Plans that [`plan`](crate::plan) makes keep these rules by construction; one that was written by hand may not.
//!
//! - Every node but constants is computed: by the one step of its kind, or in kernels.
//! - What a step reads is an input, a constant, or was written by an earlier step; so are the graph's outputs at the end.
//! - A symbol that a node defines is used only by later steps.
//! - Nodes share a kernel only where the scheduler itself could let them, by the rules of `fusion.rs`.
//! - Each part of a concatenation is written once, at its place.
//! - Indices from data that are not proven to be in range are looked at before a step selects by them.

use crate::bounds::Bounds;
use crate::class::{Class, class, is_unit_reshape};
use crate::fusion::{Grouping, grouping, leaves};
use crate::plan::part_store;
use crate::{IndexCheck, IndexClaim, Plan, Region, Step, indices};
use graph::{Graph, Node, ValueId, value_names};
use ops::Op;
use std::collections::{BTreeMap, BTreeSet};
use tensor::{Symbol, TensorType};

type Check = Result<(), String>;

/// Follows a plan step by step, and tells the first that may not be there.
pub(crate) struct Verifier<'g> {
    graph: &'g Graph,
    producers: Vec<Option<usize>>,
    users: Vec<Vec<usize>>,
    names: BTreeMap<ValueId, String>,
    /// For each value, whether its memory has been written.
    in_memory: Vec<bool>,
    /// For each node, whether a step computes it.
    computed: Vec<bool>,
    /// Concatenations with the operands that have been written.
    parts: BTreeSet<(usize, usize)>,
    /// The nodes that define symbols.
    definers: BTreeMap<Symbol, usize>,
    /// Looks at indices that no step has taken yet.
    open_checks: Vec<IndexCheck>,
}

/// The first fault of a plan.
///
/// # Errors
/// The rule that is broken, in words.
pub fn verify(graph: &Graph, plan: &Plan) -> Check {
    verify_within(&Bounds::new(graph, None), plan)
}

fn verify_within(bounds: &Bounds, plan: &Plan) -> Check {
    let mut verifier = Verifier::new(bounds);
    for step in &plan.steps {
        verifier.step(step)?;
        if let Step::Control(idx, plans) = step {
            let node = &bounds.graph.nodes[*idx];
            for (region, plan) in node.regions.iter().zip(plans) {
                verify_within(&Bounds::new(region, Some((bounds, node))), plan)?;
            }
        }
    }
    verifier.finish()
}

impl<'g> Verifier<'g> {
    /// Before the first step of a graph's plan.
    pub(crate) fn new(bounds: &Bounds<'g>) -> Self {
        let graph = bounds.graph;
        let mut in_memory = vec![false; graph.n_values()];
        graph.inputs.iter().for_each(|port| in_memory[port.value.index()] = true);
        let mut computed = vec![false; graph.nodes.len()];
        let mut definers = BTreeMap::new();
        for (idx, node) in graph.nodes.iter().enumerate() {
            definers.extend(node.op.defined_symbols().into_iter().map(|symbol| (symbol, idx)));
            if class(graph, node) == Class::Constant {
                computed[idx] = true;
                node.outputs.iter().for_each(|v| in_memory[v.index()] = true);
            }
        }
        Verifier {
            graph,
            producers: graph.producers(),
            users: graph.users(),
            names: value_names(graph),
            in_memory,
            computed,
            parts: BTreeSet::new(),
            definers,
            open_checks: indices::checks(bounds),
        }
    }

    /// The next step. The plans of regions are not looked into.
    ///
    /// # Errors
    /// Why the step may not stand here.
    pub(crate) fn step(&mut self, step: &Step) -> Check {
        match step {
            Step::Kernel(region) => self.kernel(region),
            Step::Alias(idx) => {
                let node = self.node(*idx)?;
                let is_alias = class(self.graph, node) == Class::Alias || is_unit_reshape(self.graph, node);
                self.alone(*idx, is_alias, "an alias is a reshape")
            }
            Step::Host(idx) => {
                let is_host = class(self.graph, self.node(*idx)?) == Class::Host;
                self.alone(*idx, is_host, "the runtime has no such operator; it needs a kernel")
            }
            Step::Indices(check) => self.indices(check),
            Step::Control(idx, plans) => {
                let node = self.node(*idx)?;
                let is_control = class(self.graph, node) == Class::Control && node.regions.len() == plans.len();
                self.alone(*idx, is_control, "control flow is `if` or `loop`, with a plan for each region")
            }
        }
    }

    /// The end of the plan.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn finish(&self) -> Check {
        if let Some(idx) = self.computed.iter().position(|done| !done) {
            return Err(format!("no step computes {}", self.call(idx)));
        }
        let outputs: Vec<ValueId> = self.graph.outputs.iter().map(|port| port.value).collect();
        self.readable(&outputs)
    }

    fn node(&self, idx: usize) -> Result<&'g Node, String> {
        self.graph.nodes.get(idx).ok_or_else(|| format!("there is no node {idx}"))
    }

    /// A node as messages call it.
    fn call(&self, idx: usize) -> String {
        let node = &self.graph.nodes[idx];
        match node.outputs.first() {
            Some(value) => format!("`{} {}`", node.op.name(), self.names[value]),
            None => format!("`{} @{idx}`", node.op.name()),
        }
    }

    /// A look at indices, which must be one that is needed.
    fn indices(&mut self, check: &IndexCheck) -> Check {
        let at = self.open_checks.iter().position(|open| open == check);
        let at = at.ok_or("no node asks for this look at indices")?;
        if let IndexClaim::Elements { indices, .. } = &check.claim {
            self.readable(&[*indices])?;
        }
        self.symbols_known(&[check.node])?;
        self.open_checks.remove(at);
        Ok(())
    }

    /// Whether all indices that these nodes select by were looked at.
    fn looked_at(&self, nodes: &[usize]) -> Check {
        match self.open_checks.iter().find(|open| nodes.contains(&open.node)) {
            None => Ok(()),
            Some(open) => Err(format!("{} selects by indices that no step before has looked at", self.call(open.node))),
        }
    }

    /// A step of one node that is not a kernel.
    fn alone(&mut self, idx: usize, fits: bool, rule: &str) -> Check {
        let node = self.node(idx)?;
        if !fits {
            return Err(format!("{}: {rule}", self.call(idx)));
        }
        if self.computed[idx] {
            return Err(format!("{} is computed already", self.call(idx)));
        }
        self.readable(&node.inputs)?;
        self.symbols_known(&[idx])?;
        self.computed[idx] = true;
        node.outputs.iter().for_each(|v| self.in_memory[v.index()] = true);
        Ok(())
    }

    fn readable(&self, values: &[ValueId]) -> Check {
        match values.iter().find(|v| !self.in_memory[v.index()]) {
            None => Ok(()),
            Some(value) => Err(format!("{} is not in memory here: no step before has written it", self.names[value])),
        }
    }

    fn kernel(&mut self, region: &Region) -> Check {
        let Grouping { anchor, rows, scores } = self.members(region)?;
        let reads = match region.members.is_empty() {
            true => vec![region.result],
            false => leaves(self.graph, &self.producers, &region.members),
        };
        if (anchor, &rows, scores) != (region.anchor, &region.rows, region.scores) || reads != region.leaves {
            return Err("the anchor, the rows and the reads of the kernel are not those of its nodes".into());
        }
        self.readable(&region.leaves)?;
        self.symbols_known(&region.members)?;
        self.looked_at(&region.members)?;
        region.members.iter().for_each(|idx| self.computed[*idx] = true);
        self.store(region)
    }

    /// Whether these nodes may be one kernel.
    fn members(&self, region: &Region) -> Result<Grouping, String> {
        let mut classes = Vec::new();
        for idx in &region.members {
            classes.push(class(self.graph, self.node(*idx)?));
        }
        if !region.members.is_sorted_by(|a, b| a < b) {
            return Err("the nodes of the kernel are not in order".into());
        }
        for (idx, class) in region.members.iter().zip(&classes) {
            let fits = match class {
                Class::Elementwise | Class::Movement | Class::Anchor => true,
                Class::Alone => region.members.len() == 1 && !self.computed[*idx],
                Class::Alias | Class::Concat | Class::Constant | Class::Host | Class::Control => false,
            };
            if !fits {
                return Err(format!("{} cannot be in this kernel", self.call(*idx)));
            }
        }
        let grouping = grouping(self.graph, &self.users, &region.members)
            .map_err(|(idx, rule)| format!("{} cannot be in this kernel: {rule}", self.call(idx)))?;
        let Some(root) = region.members.last() else { return Ok(grouping) };
        if matches!(self.graph.nodes[*root].op, Op::Reshape(_)) {
            return Err(format!("{} is an alias and no kernel", self.call(*root)));
        }
        match self.graph.nodes[*root].outputs[..] {
            [result] if result == region.result => Ok(grouping),
            _ => Err(format!("the kernel does not compute {}", self.names[&region.result])),
        }
    }

    /// Where a kernel writes: its result's own memory, or a part of a concatenation that is still open.
    fn store(&mut self, region: &Region) -> Check {
        let target = region.store.value;
        let written = || format!("{} is written already", self.names[&target]);
        if region.store.part.is_none() {
            if target != region.result || region.members.is_empty() {
                return Err(format!("the kernel does not compute {}", self.names[&target]));
            }
            if self.in_memory[target.index()] {
                return Err(written());
            }
            self.in_memory[target.index()] = true;
            return Ok(());
        }
        let concat = self.producers[target.index()];
        let concat = concat.filter(|idx| matches!(self.graph.nodes[*idx].op, Op::Concat(_)));
        let concat = concat.ok_or_else(|| format!("{} has no parts: it is no concatenation", self.names[&target]))?;
        if region.members.iter().any(|idx| class(self.graph, &self.graph.nodes[*idx]) == Class::Alone) {
            return Err("this kernel writes the whole of its result's own memory".into());
        }
        let operands = &self.graph.nodes[concat].inputs;
        let fits = |at: &usize| operands[*at] == region.result && part_store(self.graph, concat, *at) == region.store;
        let places: Vec<usize> = (0..operands.len()).filter(fits).collect();
        if places.is_empty() {
            return Err(format!("{} is not at this place of {}", self.names[&region.result], self.names[&target]));
        }
        let open = places.into_iter().find(|at| !self.parts.contains(&(concat, *at))).ok_or_else(written)?;
        self.parts.insert((concat, open));
        if (0..operands.len()).all(|at| self.parts.contains(&(concat, at))) {
            self.symbols_known(&[concat])?;
            self.computed[concat] = true;
            self.in_memory[target.index()] = true;
        }
        Ok(())
    }

    /// Whether all symbols that these nodes use are defined by the outside, by themselves, or by earlier steps.
    fn symbols_known(&self, nodes: &[usize]) -> Check {
        let mut used = Vec::new();
        for idx in nodes {
            used_symbols(self.graph, &self.graph.nodes[*idx], &mut used);
        }
        let open = used.into_iter().find_map(|symbol| {
            let definer = *self.definers.get(&symbol)?;
            (!self.computed[definer] && !nodes.contains(&definer)).then_some((symbol, definer))
        });
        match open {
            None => Ok(()),
            Some((symbol, definer)) => {
                Err(format!("symbol `{}` has no value here: {} comes later", symbol.name(), self.call(definer)))
            }
        }
    }
}

/// The symbols in the types and attributes of a node; of its regions those that come from outside.
fn used_symbols(graph: &Graph, node: &Node, used: &mut Vec<Symbol>) {
    let in_type = |ty: &TensorType, used: &mut Vec<Symbol>| ty.shape.iter().for_each(|dim| dim.symbols(used));
    used.extend(node.op.used_symbols());
    node.inputs.iter().chain(&node.outputs).for_each(|v| in_type(graph.ty(*v), used));
    for region in &node.regions {
        let params = || region.inputs.iter().map(|port| region.ty(port.value));
        let alone = params().flat_map(|ty| &ty.shape).filter_map(|dim| dim.as_symbol().cloned());
        let own: BTreeSet<Symbol> = region.nodes.iter().flat_map(|n| n.op.defined_symbols()).chain(alone).collect();
        let mut inner = Vec::new();
        params().for_each(|ty| in_type(ty, &mut inner));
        region.nodes.iter().for_each(|node| used_symbols(region, node, &mut inner));
        used.extend(inner.into_iter().filter(|symbol| !own.contains(symbol)));
    }
}
