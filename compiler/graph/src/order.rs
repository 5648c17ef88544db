//! Dead code and order, with respect to values and to the symbols that nodes define.

use crate::{Graph, Node};

use std::collections::{BTreeMap, BTreeSet};
use tensor::Symbol;

/// The symbols that a node needs: those in its attributes and in the types of its results (and inside its regions).
fn needed_symbols(graph: &Graph, node: &Node) -> BTreeSet<Symbol> {
    let mut out = node.op.used_symbols();
    for value in &node.outputs {
        graph.ty(*value).shape.iter().for_each(|dim| dim.symbols(&mut out));
    }
    let mut all: BTreeSet<Symbol> = out.into_iter().collect();
    for region in &node.regions {
        let mut defined = BTreeSet::new();
        for inner in &region.nodes {
            all.extend(needed_symbols(region, inner).into_iter().filter(|s| !defined.contains(s)));
            defined.extend(inner.op.defined_symbols());
        }
    }
    for own in node.op.defined_symbols() {
        all.remove(&own);
    }
    all
}

/// For each symbol that a node of the graph defines, that node.
fn symbol_definers(graph: &Graph) -> BTreeMap<Symbol, usize> {
    let nodes = graph.nodes.iter().enumerate();
    nodes.flat_map(|(idx, node)| node.op.defined_symbols().into_iter().map(move |s| (s, idx))).collect()
}

/// For each node, the nodes that must run before it.
fn dependencies(graph: &Graph) -> Vec<BTreeSet<usize>> {
    let producers = graph.producers();
    let definers = symbol_definers(graph);
    let of_node = |node: &Node| -> BTreeSet<usize> {
        let values = node.inputs.iter().filter_map(|v| producers[v.index()]);
        let symbols = needed_symbols(graph, node);
        values.chain(symbols.iter().filter_map(|s| definers.get(s).copied())).collect()
    };
    graph.nodes.iter().map(of_node).collect()
}

/// Puts the nodes into an order in which they can run, as close to the present one as possible.
/// Returns `false`, leaving the graph as it is, if there is a cycle.
pub fn sort(graph: &mut Graph) -> bool {
    let deps = dependencies(graph);
    let mut state = vec![0u8; deps.len()];
    let mut order = Vec::with_capacity(deps.len());
    // Depth-first with an explicit stack, so that deep models cannot exhaust the thread's.
    for root in 0..deps.len() {
        let mut stack = vec![root];
        while let Some(&node) = stack.last() {
            match state[node] {
                0 => {
                    state[node] = 1;
                    for dep in deps[node].iter().rev().filter(|dep| state[**dep] != 2) {
                        if state[*dep] == 1 {
                            return false;
                        }
                        stack.push(*dep);
                    }
                }
                1 => {
                    state[node] = 2;
                    order.push(node);
                    stack.pop();
                }
                _ => {
                    stack.pop();
                }
            }
        }
    }
    let mut nodes: Vec<Option<Node>> = std::mem::take(&mut graph.nodes).into_iter().map(Some).collect();
    graph.nodes = order.into_iter().filter_map(|idx| nodes[idx].take()).collect();
    true
}

/// Removes nodes that nothing needs: neither an output of the graph, nor a symbol in a needed type.
pub fn eliminate_dead(graph: &mut Graph) {
    let deps = dependencies(graph);
    let producers = graph.producers();
    let definers = symbol_definers(graph);
    let mut live = vec![false; graph.nodes.len()];
    let mut work: Vec<usize> = graph.outputs.iter().filter_map(|port| producers[port.value.index()]).collect();
    for port in &graph.outputs {
        let mut symbols = Vec::new();
        graph.ty(port.value).shape.iter().for_each(|dim| dim.symbols(&mut symbols));
        work.extend(symbols.iter().filter_map(|s| definers.get(s)));
    }
    while let Some(idx) = work.pop() {
        if !std::mem::replace(&mut live[idx], true) {
            work.extend(&deps[idx]);
        }
    }
    let mut keep = live.into_iter();
    graph.nodes.retain(|_| keep.next().unwrap_or(false));
    graph.nodes.iter_mut().flat_map(|node| &mut node.regions).for_each(eliminate_dead);
}
