//! The whole way: canonicalize, cut, saturate, extract, put together, fold weights, and keep it only if it is better.

use crate::canon::canonicalize_within;
use crate::cost::Cost;
use crate::emit;
use crate::extract::extract;
use crate::part::{Built, Part, build, partition};
use crate::report::{Budget, Error, Report};
use crate::saturate::{Loaded, load, saturate};
use crate::{Contract, rules};
use graph::{Graph, Port, ValueId};
use std::time::Instant;
use tensor::TensorType;

/// The best form of a graph that rules allowed by a contract lead to, by a machine's cost, within a budget.
///
/// The result is canonical, and never costs more than the canonical form of what was given.
///
/// # Errors
/// If a rule contradicts the analysis, which is a bug in that rule; the error names it.
pub fn optimize(graph: Graph, contract: Contract, cost: &Cost, budget: &Budget) -> Result<(Graph, Report), Error> {
    let phases = rules::phases(contract).map(|rules| load(&rules));
    optimize_with(graph, &phases, contract, cost, budget)
}

/// The same with these rules, phase by phase.
pub(crate) fn optimize_with(
    graph: Graph,
    phases: &[Vec<Loaded>],
    contract: Contract,
    cost: &Cost,
    budget: &Budget,
) -> Result<(Graph, Report), Error> {
    let mut report = Report { nodes_before: graph.n_nodes(), ..Report::default() };
    let started = Instant::now();
    let mut best = canonicalize_within(graph, contract, budget.max_weight_bytes);
    report.nodes_canonical = best.n_nodes();
    report.spend("canonicalize", started.elapsed());
    for region in best.nodes.iter_mut().flat_map(|node| &mut node.regions) {
        let given = std::mem::take(region);
        let (better, inner) = optimize_with(given, phases, contract, cost, budget)?;
        *region = better;
        report.absorb(inner);
    }
    report.cost_before = cost.of_graph(&best);
    report.cost_after = report.cost_before;
    for rules in phases {
        let Some(after) = rewritten(&best, rules, cost, budget, &mut report)? else {
            continue;
        };
        let started = Instant::now();
        let after = canonicalize_within(after, contract, budget.max_weight_bytes);
        let found = cost.of_graph(&after);
        if found < report.cost_after * (1.0 - 1e-9) {
            (best, report.cost_after) = (after, found);
        }
        report.spend("fold", started.elapsed());
    }
    report.nodes_after = best.n_nodes();
    Ok((best, report))
}

/// The graph with every part in its best form; `None` if the parts do not fit together again.
fn rewritten(
    graph: &Graph,
    rules: &[Loaded],
    cost: &Cost,
    budget: &Budget,
    report: &mut Report,
) -> Result<Option<Graph>, Error> {
    let mut stitch = Stitch::new(graph);
    for part in partition(graph, budget.max_part) {
        let started = Instant::now();
        let types = |value: ValueId| stitch.type_of(value);
        let mut built = build(graph, &part, budget.max_weight_bytes, &types);
        report.spend("build", started.elapsed());
        let started = Instant::now();
        match saturate(&mut built.eg, rules, budget, false) {
            Ok(outcome) => {
                *report.stops.entry(outcome.stop).or_default() += 1;
                for (name, count) in outcome.fired {
                    *report.fired.entry(name).or_default() += count;
                }
            }
            Err(conflict) => {
                // Once more, slowly, to learn which rule it is.
                let mut again = build(graph, &part, budget.max_weight_bytes, &types);
                let exact = saturate(&mut again.eg, rules, budget, true).err().unwrap_or(conflict);
                return Err(Error { rule: exact.rule, what: exact.what });
            }
        }
        report.e_nodes += built.eg.egraph.total_number_of_nodes();
        report.e_classes += built.eg.egraph.number_of_classes();
        report.spend("saturate", started.elapsed());
        let started = Instant::now();
        let done = stitch.best(&built, &part, cost, budget);
        if !done {
            report.kept += 1;
        }
        if !done && !stitch.as_it_was(&part) {
            return Ok(None);
        }
        report.spend("extract", started.elapsed());
    }
    Ok(stitch.finish())
}

/// The graph that parts are put together in.
struct Stitch<'a> {
    source: &'a Graph,
    out: Graph,
    /// For each value of the source, what it has become.
    values: Vec<Option<ValueId>>,
}

impl<'a> Stitch<'a> {
    fn new(source: &'a Graph) -> Self {
        let mut out = Graph::new(source.name.clone());
        let mut values = vec![None; source.n_values()];
        for port in &source.inputs {
            let info = source.value(port.value);
            let value = out.add_value(info.ty.clone(), info.name.clone());
            values[port.value.index()] = Some(value);
            out.inputs.push(Port { name: port.name.clone(), value });
        }
        Stitch { source, out, values }
    }

    /// The type of a source's value, as it is by now.
    fn type_of(&self, value: ValueId) -> TensorType {
        match self.values[value.index()] {
            Some(new) => self.out.ty(new).clone(),
            None => self.source.ty(value).clone(),
        }
    }

    /// Adds the best form of a part, if one can be built.
    fn best(&mut self, built: &Built, part: &Part, cost: &Cost, budget: &Budget) -> bool {
        let extraction = emit::problem(built, cost);
        let Some((choice, _)) = extract(&extraction.problem, budget.extraction_steps) else {
            return false;
        };
        let Some(results) = emit::emit(built, &extraction, &choice, self.source, &mut self.out, &self.values) else {
            return false;
        };
        for (idx, class) in built.class_of.iter().enumerate() {
            let value = class.and_then(|id| results.get(&built.eg.egraph.find(id)));
            if let Some(value) = value.copied() {
                self.inherit_name(ValueId(idx as u32), value);
            }
        }
        for value in &part.outputs {
            let class = built.class_of[value.index()].map(|id| built.eg.egraph.find(id));
            self.values[value.index()] = class.and_then(|id| results.get(&id).copied());
        }
        true
    }

    fn inherit_name(&mut self, old: ValueId, new: ValueId) {
        if let Some(name) = &self.source.value(old).name {
            self.out.value_mut(new).name.get_or_insert_with(|| name.clone());
        }
    }

    /// Adds a part's own nodes unchanged, with copies of the constants that they need.
    fn as_it_was(&mut self, part: &Part) -> bool {
        let mut copied = vec![None; self.source.n_values()];
        for idx in crate::part::with_constants(self.source, part) {
            let mut node = self.source.nodes[idx].clone();
            for input in &mut node.inputs {
                let known = copied[input.index()].or(self.values[input.index()]);
                let Some(value) = known else { return false };
                *input = value;
            }
            for output in &mut node.outputs {
                let info = self.source.value(*output);
                let value = self.out.add_value(info.ty.clone(), info.name.clone());
                copied[output.index()] = Some(value);
                *output = value;
            }
            self.out.nodes.push(node);
        }
        for value in &part.outputs {
            self.values[value.index()] = copied[value.index()];
        }
        true
    }

    fn finish(mut self) -> Option<Graph> {
        for port in &self.source.outputs {
            self.out.outputs.push(Port { name: port.name.clone(), value: self.values[port.value.index()]? });
        }
        graph::sort(&mut self.out).then_some(self.out)
    }
}
