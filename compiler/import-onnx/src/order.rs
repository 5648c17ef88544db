//! The order of a graph's nodes by the names that they use and define.

use crate::proto::{GraphProto, NodeProto};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The names that a graph uses and does not define, those in nested subgraphs included, sorted.
pub(crate) fn free_names(graph: &GraphProto) -> BTreeSet<&str> {
    let defined = defined_names(graph);
    let mut free = BTreeSet::new();
    let uses = graph.node.iter().flat_map(used_names);
    let outputs = graph.output.iter().map(|v| v.name.as_str());
    free.extend(uses.chain(outputs).filter(|n| !n.is_empty() && !defined.contains(n)));
    free
}

fn defined_names(graph: &GraphProto) -> HashSet<&str> {
    let inputs = graph.input.iter().map(|v| v.name.as_str());
    let weights = graph.initializer.iter().map(|t| t.name.as_str());
    let sparse = graph.sparse_initializer.iter();
    let sparse = sparse.filter_map(|s| s.values.as_ref()).map(|t| t.name.as_str());
    let outputs = graph.node.iter().flat_map(|n| &n.output).map(String::as_str);
    inputs.chain(weights).chain(sparse).chain(outputs).collect()
}

/// The names that a node uses, those that its subgraphs see from outside included.
pub(crate) fn used_names(node: &NodeProto) -> BTreeSet<&str> {
    let mut names: BTreeSet<&str> = node.input.iter().map(String::as_str).collect();
    for graph in subgraphs(node) {
        names.extend(free_names(graph));
    }
    names.remove("");
    names
}

/// The subgraphs of a node.
pub(crate) fn subgraphs(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs))
}

/// An order in which every name is defined before it is used, as close to the given one as possible;
/// or the positions of nodes that form a cycle.
pub(crate) fn order(nodes: &[NodeProto]) -> Result<Vec<usize>, Vec<usize>> {
    let mut definers: HashMap<&str, usize> = HashMap::new();
    for (idx, node) in nodes.iter().enumerate() {
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            definers.entry(name).or_insert(idx);
        }
    }
    let deps: Vec<Vec<usize>> =
        nodes.iter().map(|node| used_names(node).iter().filter_map(|n| definers.get(n).copied()).collect()).collect();
    let (mut state, mut out) = (vec![0u8; nodes.len()], Vec::with_capacity(nodes.len()));
    for root in 0..nodes.len() {
        // Depth first with an explicit stack: (node, its dependencies that were looked at).
        let mut stack = vec![(root, 0)];
        while let Some((node, at)) = stack.pop() {
            if state[node] == 2 {
                continue;
            }
            state[node] = 1;
            match deps[node].get(at) {
                Some(dep) if state[*dep] == 1 => {
                    let path = stack.iter().map(|(n, _)| *n).chain([node]);
                    return Err(path.skip_while(|n| n != dep).collect());
                }
                Some(dep) => stack.extend([(node, at + 1), (*dep, 0)]),
                None => {
                    state[node] = 2;
                    out.push(node);
                }
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(inputs: &[&str], outputs: &[&str]) -> NodeProto {
        NodeProto {
            input: inputs.iter().map(|s| (*s).into()).collect(),
            output: outputs.iter().map(|s| (*s).into()).collect(),
            ..NodeProto::default()
        }
    }

    #[test]
    fn nodes_are_sorted_and_cycles_named() {
        let sorted = [node(&["x"], &["a"]), node(&["a", "x"], &["b"])];
        assert_eq!(order(&sorted), Ok(vec![0, 1]));
        let reversed = [node(&["a", "x"], &["b"]), node(&["x"], &["a"])];
        assert_eq!(order(&reversed), Ok(vec![1, 0]));
        let cyclic = [node(&["x"], &["y"]), node(&["c"], &["b"]), node(&["b"], &["c"])];
        assert_eq!(order(&cyclic), Err(vec![1, 2]));
        assert_eq!(order(&[node(&["a"], &["a"])]), Err(vec![0]));
    }

    #[test]
    fn a_subgraph_uses_what_it_does_not_define() {
        let inner = GraphProto {
            node: vec![node(&["a", "outer"], &["b"])],
            input: vec![crate::proto::ValueInfoProto { name: "a".into(), r#type: None }],
            ..GraphProto::default()
        };
        assert_eq!(free_names(&inner).into_iter().collect::<Vec<_>>(), ["outer"]);
    }
}
