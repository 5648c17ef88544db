//! From e-graph to problem of extraction, and from its solution to nodes of a graph.

use crate::cost::{Cost, Role, role};
use crate::egraph::{ENode, Eg, Head, op_of, operands};
use crate::extract::{Candidate, Choice, Problem};
use crate::part::Built;
use egg::{Id, Language};
use graph::{Graph, Node, ValueId};
use ops::{Const, Op};
use std::collections::HashMap;
use tensor::TensorType;

/// The problem of an e-graph, with what its numbers mean.
pub(crate) struct Extraction {
    pub(crate) problem: Problem,
    /// For each class of the problem, its members in the same order.
    members: Vec<Vec<ENode>>,
    index: HashMap<Id, usize>,
}

/// Makes the problem.
pub(crate) fn problem(built: &Built, cost: &Cost) -> Extraction {
    let eg = &built.eg;
    let ids: Vec<Id> = eg.egraph.classes().map(|class| class.id).collect();
    let index: HashMap<Id, usize> = ids.iter().enumerate().map(|(idx, id)| (*id, idx)).collect();
    let mut members: Vec<Vec<ENode>> = ids.iter().map(|_| Vec::new()).collect();
    let mut start: Choice = vec![None; ids.len()];
    // The input's own nodes come first: of equal costs the first stays.
    for (id, node) in &built.original {
        let class = index[&eg.egraph.find(*id)];
        let node = node.clone().map_children(|id| eg.egraph.find(id));
        if start[class].is_none() {
            start[class] = Some(members[class].len());
        }
        if !members[class].contains(&node) {
            members[class].push(node);
        }
    }
    for class in eg.egraph.classes() {
        let list = &mut members[index[&class.id]];
        for node in &class.nodes {
            if !list.contains(node) {
                list.push(node.clone());
            }
        }
    }
    let classes = ids
        .iter()
        .zip(&members)
        .map(|(id, nodes)| nodes.iter().map(|node| candidate(eg, *id, node, cost, &index)).collect())
        .collect();
    let mut roots: Vec<usize> = built.roots.iter().map(|id| index[&eg.egraph.find(*id)]).collect();
    roots.dedup();
    let problem = Problem { classes, roots, start };
    Extraction { problem, members, index }
}

fn candidate(eg: &Eg, id: Id, node: &ENode, cost: &Cost, index: &HashMap<Id, usize>) -> Candidate {
    // What is computed at compile time needs no operands at run time.
    if eg.is_weight(id) {
        return Candidate::default();
    }
    let mut children: Vec<usize> = operands(node)
        .iter()
        .map(|child| eg.egraph.find(*child))
        .filter(|child| !eg.is_weight(*child))
        .map(|child| index[&child])
        .collect();
    children.sort_unstable();
    children.dedup();
    let Some(op) = op_of(&eg.egraph, node) else {
        return Candidate { children, ..Candidate::default() };
    };
    let inputs: Vec<&TensorType> = operands(node).iter().filter_map(|id| eg.ty(*id)).collect();
    let outputs: Vec<&TensorType> = eg.data(id).types.iter().collect();
    Candidate { cost: cost.of(op, &inputs, &outputs), children, is_view: matches!(role(op), Role::View) }
}

/// For each class that is computed at compile time, the member to compute it by.
fn weight_members(built: &Built, extraction: &Extraction) -> Choice {
    let eg = &built.eg;
    let mut best: Vec<Option<(f64, usize)>> = vec![None; extraction.members.len()];
    let weights: Vec<(Id, usize)> = eg
        .egraph
        .classes()
        .filter(|class| class.data.stored.is_some())
        .map(|class| (class.id, extraction.index[&class.id]))
        .collect();
    // Each round settles at least one more class or ends; expressions of weights are shallow.
    loop {
        let mut changed = false;
        for (id, class) in &weights {
            for (member, node) in extraction.members[*class].iter().enumerate() {
                let Some(found) = weight_cost(eg, *id, node, &best, &extraction.index) else {
                    continue;
                };
                if best[*class].is_none_or(|(old, _)| found < old) {
                    best[*class] = Some((found, member));
                    changed = true;
                }
            }
        }
        if !changed {
            return best.into_iter().map(|best| Some(best?.1)).collect();
        }
    }
}

fn weight_cost(
    eg: &Eg,
    id: Id,
    node: &ENode,
    best: &[Option<(f64, usize)>],
    index: &HashMap<Id, usize>,
) -> Option<f64> {
    let own = match node.head {
        Head::Weight(_) => return Some(0.0),
        Head::Op(_) => match op_of(&eg.egraph, node)? {
            Op::Broadcast(_) => 1.0,
            _ => 1.0 + eg.ty(id)?.num_elements().as_const()? as f64,
        },
        _ => return None,
    };
    operands(node).iter().try_fold(own, |sum, child| {
        let (cost, _) = best[*index.get(&eg.egraph.find(*child))?]?;
        Some(sum + cost)
    })
}

/// Adds the chosen nodes to a graph. `values` says what values from outside have become.
/// `None`, with nothing added, if a node no longer fits its operands.
pub(crate) fn emit(
    built: &Built,
    extraction: &Extraction,
    choice: &Choice,
    source: &Graph,
    out: &mut Graph,
    values: &[Option<ValueId>],
) -> Option<HashMap<Id, ValueId>> {
    let n_nodes = out.nodes.len();
    let mut emitter =
        Emitter { built, extraction, choice: choice.clone(), source, out, values, results: HashMap::new() };
    for (slot, weight) in emitter.choice.iter_mut().zip(weight_members(built, extraction)) {
        *slot = weight.or(*slot);
    }
    let done = built.roots.iter().all(|root| emitter.demand(built.eg.egraph.find(*root)).is_some());
    let results = std::mem::take(&mut emitter.results);
    if !done {
        out.nodes.truncate(n_nodes);
        return None;
    }
    let first = |(id, values): (Id, Vec<ValueId>)| Some((id, values.first().copied()?));
    Some(results.into_iter().filter_map(first).collect())
}

struct Emitter<'a> {
    built: &'a Built,
    extraction: &'a Extraction,
    choice: Choice,
    source: &'a Graph,
    out: &'a mut Graph,
    values: &'a [Option<ValueId>],
    /// For each class that was added, its values: several for an opaque node.
    results: HashMap<Id, Vec<ValueId>>,
}

impl Emitter<'_> {
    /// Adds a class and all that it needs, without recursion.
    fn demand(&mut self, root: Id) -> Option<()> {
        let mut stack = vec![root];
        // A choice without cycles visits each class at most once for each user.
        let mut fuel = 4 * self.extraction.members.iter().map(Vec::len).sum::<usize>() + 64;
        while let Some(id) = stack.last().copied() {
            fuel = fuel.checked_sub(1)?;
            if self.results.contains_key(&id) {
                stack.pop();
                continue;
            }
            let class = *self.extraction.index.get(&id)?;
            let node = &self.extraction.members[class][self.choice[class]?];
            let find = |child: &Id| self.built.eg.egraph.find(*child);
            let missing: Vec<Id> =
                operands(node).iter().map(find).filter(|child| !self.results.contains_key(child)).collect();
            if missing.is_empty() {
                let values = self.add(id, node)?;
                self.results.insert(id, values);
            }
            stack.extend(missing.into_iter().rev());
        }
        Some(())
    }

    fn add(&mut self, id: Id, node: &ENode) -> Option<Vec<ValueId>> {
        let eg = &self.built.eg;
        let all: Vec<&Vec<ValueId>> =
            operands(node).iter().map(|child| self.results.get(&eg.egraph.find(*child))).collect::<Option<_>>()?;
        match node.head {
            Head::Input(idx) => {
                let outer = self.built.inputs.get(idx as usize)?;
                return Some(vec![self.values[outer.index()]?]);
            }
            Head::Result(idx) => return Some(vec![*all.first()?.get(idx as usize)?]),
            _ => {}
        }
        let inputs: Vec<ValueId> = all.iter().map(|values| values.first().copied()).collect::<Option<_>>()?;
        let loc = eg.data(id).loc.clone();
        if let Some(idx) = self.built.opaque(node) {
            let original = &self.source.nodes[idx];
            let types = original.outputs.iter().map(|v| self.source.ty(*v).clone()).collect();
            let (op, regions) = (original.op.clone(), original.regions.clone());
            return Some(self.push(op, inputs, types, regions, original.loc.clone()));
        }
        let op: Op = match node.head {
            Head::Weight(idx) => {
                let tensor = eg.egraph.analysis.weights.get(idx as usize)?.clone();
                ops::Constant { value: Const(tensor) }.into()
            }
            _ => op_of(&eg.egraph, node)?.clone(),
        };
        let types: Vec<TensorType> = inputs.iter().map(|v| self.out.ty(*v).clone()).collect();
        let types = op.infer(&types).ok()?;
        Some(self.push(op, inputs, types, Vec::new(), loc))
    }

    fn push(
        &mut self,
        op: Op,
        inputs: Vec<ValueId>,
        types: Vec<TensorType>,
        regions: Vec<Graph>,
        loc: diag::Loc,
    ) -> Vec<ValueId> {
        let outputs: Vec<ValueId> = types.into_iter().map(|ty| self.out.add_value(ty, None)).collect();
        self.out.nodes.push(Node { op, inputs, outputs: outputs.clone(), regions, loc });
        outputs
    }
}
