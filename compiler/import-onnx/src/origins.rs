//! Which graph inputs and symbols a value depends on: what the user can fix when a constant is needed.

use crate::env::Symbols;
use crate::error::Needs;
use graph::{Builder, ValueId};
use std::collections::{BTreeMap, BTreeSet};
use tensor::{Dim, Symbol};

/// What graph inputs and region parameters stand for; parameters that are in no list change from run to run of the region.
pub(crate) type Origins = BTreeMap<ValueId, Needs>;

/// What must be fixed for a value to be constant; `None` if nothing that the user can give is enough.
pub(crate) fn needs(b: &Builder, origins: &Origins, symbols: &Symbols, value: ValueId) -> Option<Needs> {
    Walk::new(b, origins, symbols).run(vec![value], Vec::new())
}

/// What must be fixed for a dimension to be a number; `None` if nothing that the user can give is enough.
pub(crate) fn dim_needs(b: &Builder, origins: &Origins, symbols: &Symbols, dim: &Dim) -> Option<Needs> {
    let mut used = Vec::new();
    dim.symbols(&mut used);
    Walk::new(b, origins, symbols).run(Vec::new(), used)
}

/// A walk from a value back to what it is computed from.
struct Walk<'a> {
    b: &'a Builder,
    origins: &'a Origins,
    symbols: &'a Symbols,
    producers: Vec<Option<usize>>,
    definers: BTreeMap<Symbol, usize>,
}

impl<'a> Walk<'a> {
    fn new(b: &'a Builder, origins: &'a Origins, symbols: &'a Symbols) -> Self {
        let nodes = b.graph().nodes.iter().enumerate();
        let defined = nodes.flat_map(|(idx, node)| {
            let symbols = node.op.defined_symbols();
            symbols.into_iter().map(move |symbol| (symbol, idx))
        });
        Walk { b, origins, symbols, producers: b.graph().producers(), definers: defined.collect() }
    }

    fn run(&self, mut values: Vec<ValueId>, mut symbols: Vec<Symbol>) -> Option<Needs> {
        let mut needs = Needs::default();
        let (mut seen, mut seen_symbols) = (BTreeSet::new(), BTreeSet::new());
        loop {
            if let Some(symbol) = symbols.pop() {
                if !seen_symbols.insert(symbol.clone()) {
                } else if let Some(idx) = self.definers.get(&symbol) {
                    values.extend(&self.b.graph().nodes[*idx].inputs);
                } else {
                    needs.dims.insert(self.symbols.param_of(&symbol)?.into());
                }
            } else if let Some(value) = values.pop() {
                if seen.insert(value) {
                    self.visit(value, &mut needs, &mut values, &mut symbols)?;
                }
            } else {
                return Some(needs);
            }
        }
    }

    /// Adds what one value depends on; `None` if it changes whatever the user gives.
    fn visit(
        &self,
        value: ValueId,
        needs: &mut Needs,
        values: &mut Vec<ValueId>,
        symbols: &mut Vec<Symbol>,
    ) -> Option<()> {
        if let Some(known) = self.b.known(value) {
            known.iter().for_each(|dim| dim.symbols(symbols));
            return Some(());
        }
        let Some(idx) = self.producers[value.index()] else {
            needs.extend(self.origins.get(&value)?);
            return Some(());
        };
        let node = &self.b.graph().nodes[idx];
        if node.op.is_impure() {
            return None;
        }
        values.extend(&node.inputs);
        symbols.extend(node.op.used_symbols());
        Some(())
    }
}
