//! Which graph inputs and symbols a value depends on: what the user can fix when a constant is needed.

use crate::env::Symbols;
use crate::error::Needs;
use graph::{Graph, ValueId};
use std::collections::{BTreeMap, BTreeSet};

/// What graph inputs and region parameters stand for; parameters that are in no list change from run to run of the region.
pub(crate) type Origins = BTreeMap<ValueId, Needs>;

/// What must be fixed for the value to be constant; `None` if nothing that the user can give is enough.
pub(crate) fn needs(
    graph: &Graph,
    origins: &Origins,
    symbols: &Symbols,
    value: ValueId,
) -> Option<Needs> {
    let producers = graph.producers();
    let mut definers = BTreeMap::new();
    for (idx, node) in graph.nodes.iter().enumerate() {
        for symbol in node.op.defined_symbols() {
            definers.insert(symbol, idx);
        }
    }
    let (mut needs, mut seen) = (Needs::default(), BTreeSet::new());
    let mut work = vec![value];
    while let Some(value) = work.pop() {
        if !seen.insert(value) {
            continue;
        }
        let Some(idx) = producers[value.index()] else {
            needs.extend(origins.get(&value)?);
            continue;
        };
        let node = &graph.nodes[idx];
        if node.op.is_impure() {
            return None;
        }
        work.extend(&node.inputs);
        for symbol in node.op.used_symbols() {
            match (definers.get(&symbol), symbols.param_of(&symbol)) {
                (Some(definer), _) if *definer != idx => work.extend(&graph.nodes[*definer].inputs),
                (_, Some(name)) => {
                    needs.dims.insert(name.into());
                }
                _ => {}
            }
        }
    }
    Some(needs)
}
