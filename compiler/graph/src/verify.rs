//! The rules that graphs keep, form by form.
//!
//! # Every form (`imported`)
//! - `defined-once`: every value is an input or a result of exactly one node.
//! - `defined-before-use`: operands and outputs are inputs or results of earlier nodes of the same graph.
//! - `types`: a node's operands fit its operator, and its results have the types that `infer` gives, as far as symbols tell.
//! - `regions`: `if` has two regions and `loop` one, others none; a region's parameters and results fit the node's operands and results.
//!   That regions are closed follows: a region is a graph of its own, and these rules hold in it.
//! - `symbols`: symbols in attributes and types are defined before: by the outside, by an input where one stands alone as
//!   a dimension, or by an earlier node. No two nodes define the same symbol.
//!
//! # `canonical` adds
//! - `no-dead-nodes`: every node is needed for an output.
//! - `no-identity`: no reshape, broadcast or cast to the type that is there, no transpose that keeps the order, no slice of all.
//! - `no-duplicates`: no two pure nodes without regions are equal in operator and operands; so constants are there once.
//!
//! # `optimized`
//! The rules are those of `canonical`: optimization may not undo it.

use crate::{Graph, Node, ValueId, eliminate_dead};
use diag::Loc;
use ops::Op;
use std::collections::{BTreeMap, BTreeSet};
use tensor::{DType, Dim, Symbol, TensorType};

/// What a graph may look like at a point of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// As importers make it.
    Imported,
    /// After canonicalization.
    Canonical,
    /// After extraction from the e-graph.
    Optimized,
}

/// A rule that a graph breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{loc}: {message} (rule `{rule}`)")]
pub struct Violation {
    /// The rule's name.
    pub rule: &'static str,
    /// The node, or nothing known.
    pub loc: Loc,
    /// What is wrong.
    pub message: String,
}

type Rule = fn(&Graph, &BTreeSet<Symbol>, &mut Vec<Violation>);

/// The rules of the canonical forms, which take for granted that the graph is whole.
const CANONICAL: [Rule; 3] = [no_dead_nodes, no_identity, no_duplicates];

/// Every rule of this form that the graph breaks; rules about regions are checked in them, too.
pub fn verify(graph: &Graph, form: Form) -> Vec<Violation> {
    let mut out = Vec::new();
    check(graph, form, &BTreeSet::new(), &mut out);
    out
}

fn check(graph: &Graph, form: Form, outside: &BTreeSet<Symbol>, out: &mut Vec<Violation>) {
    let n_before = out.len();
    definitions(graph, out);
    // The other rules look values up, which must be there.
    if out.len() > n_before {
        return;
    }
    types(graph, out);
    regions(graph, out);
    symbols(graph, outside, form, out);
    if form >= Form::Canonical && out.len() == n_before {
        CANONICAL.iter().for_each(|rule| rule(graph, outside, out));
    }
}

fn broken(rule: &'static str, loc: &Loc, message: impl Into<String>) -> Violation {
    Violation { rule, loc: loc.clone(), message: message.into() }
}

fn definitions(graph: &Graph, out: &mut Vec<Violation>) {
    let mut defined = vec![false; graph.n_values()];
    let mut define = |value: ValueId, loc: &Loc, out: &mut Vec<Violation>| {
        let seen = defined.get_mut(value.index());
        let message = match seen.map(|seen| std::mem::replace(seen, true)) {
            None => "is not a value of this graph",
            Some(true) => "is defined twice",
            Some(false) => return,
        };
        out.push(broken("defined-once", loc, format!("value {} {message}", value.0)));
    };
    for port in &graph.inputs {
        define(port.value, &Loc::Unknown, out);
    }
    let mut available: BTreeSet<ValueId> = graph.inputs.iter().map(|port| port.value).collect();
    let use_value = |available: &BTreeSet<ValueId>, value: ValueId, loc: &Loc, what: &str| {
        let message = || format!("{what} {} is not defined before", value.0);
        (!available.contains(&value)).then(|| broken("defined-before-use", loc, message()))
    };
    for node in &graph.nodes {
        let uses = node.inputs.iter();
        out.extend(uses.filter_map(|v| use_value(&available, *v, &node.loc, "operand")));
        for value in &node.outputs {
            define(*value, &node.loc, out);
            available.insert(*value);
        }
    }
    let outputs = graph.outputs.iter();
    out.extend(outputs.filter_map(|p| use_value(&available, p.value, &Loc::Unknown, "output")));
}

/// Whether two types may be equal: no known number tells them apart.
fn may_equal(a: &TensorType, b: &TensorType) -> bool {
    let dims = |a: &Dim, b: &Dim| {
        let difference = (a.clone() - b.clone()).as_const();
        difference.is_none_or(|d| d == 0)
    };
    a.dtype == b.dtype && a.rank() == b.rank() && a.shape.iter().zip(&b.shape).all(|(a, b)| dims(a, b))
}

fn node_types(graph: &Graph, values: &[ValueId]) -> Vec<TensorType> {
    values.iter().map(|v| graph.ty(*v).clone()).collect()
}

fn types(graph: &Graph, out: &mut Vec<Violation>) {
    for node in &graph.nodes {
        if matches!(node.op, Op::If(_) | Op::Loop(_)) {
            continue;
        }
        let actual = node_types(graph, &node.outputs);
        match node.op.infer(&node_types(graph, &node.inputs)) {
            Err(error) => out.push(broken("types", &node.loc, error.to_string())),
            Ok(expected) => same_types("types", node, "result", &expected, &actual, out),
        }
    }
}

fn same_types(
    rule: &'static str,
    node: &Node,
    what: &str,
    expected: &[TensorType],
    actual: &[TensorType],
    out: &mut Vec<Violation>,
) {
    let name = node.op.name();
    if expected.len() != actual.len() {
        let message = format!("`{name}` has {} {what}s and not {}", actual.len(), expected.len());
        out.push(broken(rule, &node.loc, message));
        return;
    }
    for (idx, (expected, actual)) in expected.iter().zip(actual).enumerate() {
        if !may_equal(expected, actual) {
            let message = format!("{what} {idx} of `{name}` is {actual} and not {expected}");
            out.push(broken(rule, &node.loc, message));
        }
    }
}

fn regions(graph: &Graph, out: &mut Vec<Violation>) {
    for node in &graph.nodes {
        let n_regions = match node.op {
            Op::If(_) => 2,
            Op::Loop(_) => 1,
            _ => 0,
        };
        if node.regions.len() != n_regions {
            let (name, n) = (node.op.name(), node.regions.len());
            let message = format!("`{name}` has {n} regions and not {n_regions}");
            out.push(broken("regions", &node.loc, message));
            continue;
        }
        let (operands, results) = (node_types(graph, &node.inputs), node_types(graph, &node.outputs));
        match &node.op {
            Op::If(_) => if_regions(node, &operands, &results, out),
            Op::Loop(op) => loop_region(node, op.n_carried, &operands, &results, out),
            _ => {}
        }
    }
}

fn port_types(region: &Graph, ports: &[crate::Port]) -> Option<Vec<TensorType>> {
    let inside = |port: &crate::Port| port.value.index() < region.n_values();
    ports.iter().map(|port| inside(port).then(|| region.ty(port.value).clone())).collect()
}

fn if_regions(node: &Node, operands: &[TensorType], results: &[TensorType], out: &mut Vec<Violation>) {
    if operands.first() != Some(&TensorType::scalar(DType::Bool)) {
        out.push(broken("regions", &node.loc, "the condition of `if` is not a `bool[]`"));
        return;
    }
    for region in &node.regions {
        let ports = (port_types(region, &region.inputs), port_types(region, &region.outputs));
        // A port without a value is told where the region itself is checked.
        if let (Some(inputs), Some(outputs)) = ports {
            same_types("regions", node, "parameter", &operands[1..], &inputs, out);
            same_types("regions", node, "region result", results, &outputs, out);
        }
    }
}

fn loop_region(
    node: &Node,
    n_carried: usize,
    operands: &[TensorType],
    results: &[TensorType],
    out: &mut Vec<Violation>,
) {
    let region = &node.regions[0];
    let heads = [DType::I64, DType::Bool].map(TensorType::scalar);
    if operands.len() < 2 + n_carried || operands[..2] != heads || results.len() < n_carried {
        let message = "`loop` takes an `i64[]`, a `bool[]` and its carried values, and gives these";
        out.push(broken("regions", &node.loc, message));
        return;
    }
    let ports = (port_types(region, &region.inputs), port_types(region, &region.outputs));
    let (Some(inputs), Some(outputs)) = ports else {
        return;
    };
    same_types("regions", node, "parameter", operands, &inputs, out);
    let slices = results[n_carried..]
        .iter()
        .map(|stacked| TensorType { dtype: stacked.dtype, shape: stacked.shape.iter().skip(1).cloned().collect() });
    let expected: Vec<TensorType> = [TensorType::scalar(DType::Bool)]
        .into_iter()
        .chain(results[..n_carried].iter().cloned())
        .chain(slices)
        .collect();
    same_types("regions", node, "region result", &expected, &outputs, out);
}

fn symbols(graph: &Graph, outside: &BTreeSet<Symbol>, form: Form, out: &mut Vec<Violation>) {
    let mut known = outside.clone();
    let shapes = |values: Vec<ValueId>| -> Vec<Symbol> {
        let mut used = Vec::new();
        let dims = values.into_iter().flat_map(|v| &graph.ty(v).shape);
        dims.for_each(|dim| dim.symbols(&mut used));
        used
    };
    let inputs: Vec<ValueId> = graph.inputs.iter().map(|port| port.value).collect();
    let alone = inputs.iter().flat_map(|v| &graph.ty(*v).shape);
    known.extend(alone.filter_map(|dim| dim.as_symbol().cloned()));
    let undefined = |used: Vec<Symbol>, known: &BTreeSet<Symbol>, loc: &Loc| {
        let missing = used.into_iter().find(|s| !known.contains(s))?;
        let message = format!("symbol `{}` is not defined before", missing.name());
        Some(broken("symbols", loc, message))
    };
    out.extend(undefined(shapes(inputs), &known, &Loc::Unknown));
    let mut by_nodes = BTreeSet::new();
    for node in &graph.nodes {
        for region in &node.regions {
            check(region, form, &known, out);
        }
        out.extend(undefined(node.op.used_symbols(), &known, &node.loc));
        for symbol in node.op.defined_symbols() {
            if !by_nodes.insert(symbol.clone()) {
                let message = format!("symbol `{}` is defined twice", symbol.name());
                out.push(broken("symbols", &node.loc, message));
            }
            known.insert(symbol);
        }
        out.extend(undefined(shapes(node.outputs.clone()), &known, &node.loc));
    }
}

fn no_dead_nodes(graph: &Graph, _: &BTreeSet<Symbol>, out: &mut Vec<Violation>) {
    let mut live = graph.clone();
    eliminate_dead(&mut live);
    let keys = |graph: &Graph| -> BTreeSet<(Op, Vec<ValueId>, Vec<ValueId>)> {
        let key = |n: &Node| (n.op.clone(), n.inputs.clone(), n.outputs.clone());
        graph.nodes.iter().map(key).collect()
    };
    let live = keys(&live);
    let dead = graph.nodes.iter().filter(|n| !live.contains(&(n.op.clone(), n.inputs.clone(), n.outputs.clone())));
    out.extend(dead.map(|node| {
        let message = format!("nothing needs this `{}`", node.op.name());
        broken("no-dead-nodes", &node.loc, message)
    }));
}

fn no_identity(graph: &Graph, _: &BTreeSet<Symbol>, out: &mut Vec<Violation>) {
    let is_identity = |node: &Node| {
        let same_type = || graph.ty(node.inputs[0]) == graph.ty(node.outputs[0]);
        match &node.op {
            Op::Reshape(_) | Op::Broadcast(_) | Op::Cast(_) => same_type(),
            Op::Transpose(op) => op.perm.is_sorted(),
            Op::Slice(op) => {
                let from_start = op.starts.iter().all(|start| *start == Dim::from(0));
                from_start && op.steps.iter().all(|step| *step == 1) && same_type()
            }
            _ => false,
        }
    };
    let identities = graph.nodes.iter().filter(|node| is_identity(node));
    out.extend(identities.map(|node| {
        let message = format!("this `{}` changes nothing", node.op.name());
        broken("no-identity", &node.loc, message)
    }));
}

fn no_duplicates(graph: &Graph, _: &BTreeSet<Symbol>, out: &mut Vec<Violation>) {
    let mut seen: BTreeMap<(&Op, &[ValueId]), ValueId> = BTreeMap::new();
    for node in &graph.nodes {
        let has_effect = node.op.is_impure() || !node.op.defined_symbols().is_empty();
        let ([first, ..], true) = (&node.outputs[..], node.regions.is_empty() && !has_effect) else {
            continue;
        };
        if let Some(other) = seen.insert((&node.op, &node.inputs), *first) {
            let name = node.op.name();
            let message = format!("values {} and {} are the same `{name}`", other.0, first.0);
            out.push(broken("no-duplicates", &node.loc, message));
        }
    }
}
