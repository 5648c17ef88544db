//! State of an import: what all nodes share, what one graph under construction has, what one scope of names has.

use crate::Options;
use crate::error::Needs;
use crate::external::ExternalData;
use crate::origins::Origins;
use crate::proto::FunctionProto;
use diag::Sink;
use graph::{Builder, ValueId};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use tensor::{Bounds, Dim, Symbol};

/// The most nodes that an import may add, functions inlined: a guard against files that unfold without end.
pub(crate) const MAX_NODES: usize = 500_000;

/// The most elements that one value may have: more than any machine holds, and far from what 64 bits can count.
pub(crate) const MAX_ELEMENTS: usize = 1 << 44;

/// The deepest nesting of functions and subgraphs.
pub(crate) const MAX_DEPTH: usize = 48;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A tensor.
    Value(ValueId),
    /// A sequence whose length is known.
    Sequence(Vec<ValueId>),
    /// An optional without content.
    Nothing,
    /// The result of a node that could not be imported; it is reported already.
    Poisoned,
}

/// What all nodes of a model share.
pub(crate) struct Env<'m> {
    pub(crate) model: Arc<str>,
    pub(crate) functions: BTreeMap<(&'m str, &'m str, &'m str), &'m FunctionProto>,
    pub(crate) options: &'m Options,
    pub(crate) external: Option<&'m dyn ExternalData>,
    pub(crate) sink: &'m mut Sink,
    pub(crate) needs: Needs,
    pub(crate) symbols: Symbols,
    /// What is known of the model's symbols; complete once the inputs are defined.
    pub(crate) bounds: Bounds,
    /// What could be imported of a model that has faults.
    pub(crate) partial: Option<graph::Graph>,
    pub(crate) nodes_left: usize,
    pub(crate) depth: usize,
}

/// One graph under construction: the model's, or a region's.
pub(crate) struct Frame {
    pub(crate) b: Builder,
    pub(crate) origins: Origins,
}

/// The names of one graph or function body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    pub(crate) names: HashMap<String, Slot>,
    pub(crate) opsets: Rc<BTreeMap<String, i64>>,
    /// Names of the calls that lead to a function's body, each with a `/`.
    pub(crate) path: String,
}

/// Symbols of the model: one for each name of a dimension, and new ones on demand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Symbols {
    by_param: BTreeMap<String, Dim>,
    params: BTreeMap<Symbol, String>,
    used: BTreeSet<String>,
    n_fresh: usize,
}

impl Symbols {
    /// The dimension of a name in the model, replaced as the user says.
    pub(crate) fn param(&mut self, name: &str, replace: &BTreeMap<String, Dim>) -> Dim {
        if let Some(dim) = self.by_param.get(name) {
            return dim.clone();
        }
        let dim = match replace.get(name) {
            Some(dim) => dim.clone(),
            None => {
                let symbol = self.unused(name);
                self.params.insert(Symbol::new(&symbol), name.into());
                Dim::symbol(&symbol)
            }
        };
        self.by_param.insert(name.into(), dim.clone());
        dim
    }

    /// Keeps new symbols apart from those that the user brings.
    pub(crate) fn reserve(&mut self, dim: &Dim) {
        let mut symbols = Vec::new();
        dim.symbols(&mut symbols);
        for symbol in symbols {
            self.used.insert(symbol.name().into());
            self.params.entry(symbol.clone()).or_insert_with(|| symbol.name().into());
        }
    }

    /// The name in the model, or of the user, that a symbol stands for.
    pub(crate) fn param_of(&self, symbol: &Symbol) -> Option<&str> {
        self.params.get(symbol).map(String::as_str)
    }

    /// For each symbol of the model, the name of its dimension there.
    pub(crate) fn names(&self) -> BTreeMap<String, String> {
        let entry = |(symbol, name): (&Symbol, &String)| (symbol.name().to_string(), name.clone());
        self.params.iter().map(entry).collect()
    }

    /// A name that nothing has yet.
    pub(crate) fn fresh(&mut self, hint: &str) -> String {
        self.n_fresh += 1;
        let name = format!("{hint}{}", self.n_fresh);
        self.unused(&name)
    }

    fn unused(&mut self, name: &str) -> String {
        let clean = Symbol::new(name).name().to_string();
        let mut candidate = clean.clone();
        let mut n = 1;
        while !self.used.insert(candidate.clone()) {
            n += 1;
            candidate = format!("{clean}_{n}");
        }
        candidate
    }
}
