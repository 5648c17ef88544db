//! The audit: every member of every class is evaluated, and all members of a class must agree.

use crate::Exactness;
use crate::egraph::{ENode, Head, op_of, operands};
use crate::part::{Built, Part, build, partition};
use egg::Id;
use graph::Graph;
use std::collections::BTreeMap;
use tensor::{Dim, Tensor};

/// The e-graph of a whole graph.
pub(super) fn whole(graph: &Graph) -> Built {
    let parts = partition(graph, usize::MAX / 2);
    let [part]: &[Part; 1] = parts.as_slice().try_into().expect("a single part");
    build(graph, part, 1 << 20, &|value| graph.ty(value).clone())
}

/// Evaluates every e-node whose operands have values, and compares it with the others of its class.
/// The number of e-nodes that were evaluated, or the first two that differ.
pub(super) fn audit(built: &Built, graph: &Graph, inputs: &[Tensor], exactness: Exactness) -> Result<usize, String> {
    let egraph = &built.eg.egraph;
    let outer: Vec<Tensor> = built
        .inputs
        .iter()
        .map(|value| {
            let at = graph.inputs.iter().position(|port| port.value == *value);
            inputs[at.expect("a value from outside is an input")].clone()
        })
        .collect();
    let mut values: BTreeMap<Id, (ENode, Tensor)> = BTreeMap::new();
    let mut done: Vec<(Id, ENode)> = Vec::new();
    loop {
        let before = done.len();
        for class in egraph.classes() {
            for node in &class.nodes {
                let key = (class.id, node.clone());
                if done.contains(&key) {
                    continue;
                }
                let Some(value) = evaluated(built, node, &values, &outer)? else {
                    continue;
                };
                done.push(key);
                if let Some((other, expected)) = values.get(&class.id) {
                    if !super::equal(expected, &value, exactness) {
                        return Err(format!("{other} is {expected:?} but {node} is {value:?}"));
                    }
                } else {
                    values.insert(class.id, (node.clone(), value));
                }
            }
        }
        if done.len() == before {
            return Ok(done.len());
        }
    }
}

fn evaluated(
    built: &Built,
    node: &ENode,
    values: &BTreeMap<Id, (ENode, Tensor)>,
    outer: &[Tensor],
) -> Result<Option<Tensor>, String> {
    let egraph = &built.eg.egraph;
    match node.head {
        Head::Input(idx) => Ok(Some(outer[idx as usize].clone())),
        Head::Weight(idx) => Ok(Some(egraph.analysis.weights[idx as usize].clone())),
        Head::Attr(_) | Head::Opaque(_) | Head::Result(_) => Ok(None),
        Head::Op(_) => {
            let Some(op) = op_of(egraph, node) else {
                return Err(format!("{node} is no operator"));
            };
            let inputs: Option<Vec<Tensor>> =
                operands(node).iter().map(|id| values.get(&egraph.find(*id)).map(|(_, value)| value.clone())).collect();
            let op = op.substitute(&|_| Some(Dim::from(3)));
            let Some(inputs) = inputs else {
                return Ok(None);
            };
            let mut results = op.eval(&inputs).map_err(|e| format!("{node}: {e}"))?;
            Ok(results.pop())
        }
    }
}
