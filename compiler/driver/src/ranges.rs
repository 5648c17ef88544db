//! Dimensions by name: whether the model has them, and the ranges that its artifact must check.

use crate::{Error, Frontend, ModelDim, Options};
use artifact::SymbolRange;
use graph::Graph;
use import_onnx::Imported;
use std::collections::{BTreeMap, BTreeSet};
use tensor::{Bounds, Range, Symbol, Tensor};

/// What is known of a graph beside the graph.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) frozen: BTreeMap<String, Tensor>,
    pub(crate) bounds: Bounds,
    /// Names of dimensions in the model, by symbol.
    names: BTreeMap<String, String>,
}

impl Facts {
    pub(crate) fn of(imported: &Imported) -> Facts {
        let (frozen, bounds, names) = (&imported.frozen, &imported.bounds, &imported.dim_names);
        Facts { frozen: frozen.clone(), bounds: bounds.clone(), names: names.clone() }
    }

    /// The facts of a printed graph, whose symbols are its dimensions' names.
    pub(crate) fn of_printed(graph: &Graph, options: &Options) -> Result<Facts, Error> {
        if let Some(name) = options.dims.keys().next() {
            let why =
                format!("dimension `{name}` of a printed graph cannot be given a number; print the graph with it");
            return Err(Error::Dimension(why));
        }
        check_names(&extents(graph).iter().map(Symbol::name).collect::<BTreeSet<_>>(), options)?;
        let mut facts = Facts::default();
        for (name, range) in &options.ranges {
            facts.bounds.promise(Symbol::new(name), *range);
        }
        Ok(facts)
    }

    /// The ranges that a run must check: those that were promised, and those that the import assumed.
    pub(crate) fn ranges(&self, graph: &Graph) -> Result<Vec<SymbolRange>, Error> {
        let extents = extents(graph);
        let entry = |symbol: &Symbol, range: Range, is_assumed: bool| SymbolRange {
            symbol: symbol.name().into(),
            name: self.names.get(symbol.name()).map_or(symbol.name(), String::as_str).into(),
            low: range.low,
            high: range.high,
            is_assumed,
        };
        let mut ranges = vec![];
        for (symbol, range) in self.bounds.promised() {
            if !extents.contains(symbol) {
                let why = format!("no input has the extent `{}` alone, so its range cannot be checked", symbol.name());
                return Err(Error::Dimension(why));
            }
            ranges.push(entry(symbol, *range, false));
        }
        let assumed = self.bounds.assumed();
        let assumed = assumed.iter().filter(|symbol| extents.contains(symbol));
        ranges.extend(assumed.map(|symbol| entry(symbol, Range { low: 1, high: None }, true)));
        ranges.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        Ok(ranges)
    }
}

/// Symbols that are an extent of an input.
fn extents(graph: &Graph) -> BTreeSet<Symbol> {
    let shapes = graph.inputs.iter().map(|port| &graph.ty(port.value).shape);
    shapes.flatten().filter_map(|dim| dim.as_symbol()).cloned().collect()
}

impl Frontend {
    /// The names of all dimensions of the inputs that are not numbers, each once.
    pub fn dim_names(&self) -> BTreeSet<String> {
        let dims = self.inputs().into_iter().flat_map(|input| input.shape.unwrap_or_default());
        let name = |dim| match dim {
            ModelDim::Named(name) => Some(name),
            ModelDim::Fixed(_) => None,
        };
        dims.filter_map(name).collect()
    }

    /// Every dimension that the options name must be one of the model.
    pub(crate) fn check_dims(&self, options: &Options) -> Result<(), Error> {
        let known = self.dim_names();
        check_names(&known.iter().map(String::as_str).collect(), options)
    }
}

fn check_names(known: &BTreeSet<&str>, options: &Options) -> Result<(), Error> {
    let unknown = options.dims.keys().chain(options.ranges.keys()).find(|name| !known.contains(name.as_str()));
    if let Some(name) = unknown {
        let quoted: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
        let has = if quoted.is_empty() {
            "all its extents are numbers".into()
        } else {
            format!("it has {}", quoted.join(", "))
        };
        return Err(Error::Dimension(format!("the model has no dimension `{name}`; {has}")));
    }
    if let Some(name) = options.ranges.keys().find(|name| options.dims.contains_key(*name)) {
        return Err(Error::Dimension(format!("dimension `{name}` is given a number and a range")));
    }
    match options.ranges.iter().find(|(_, range)| range.low < 0 || range.high.is_some_and(|high| high < range.low)) {
        Some((name, range)) => Err(Error::Dimension(format!("dimension `{name}` cannot be in {range}"))),
        None => Ok(()),
    }
}
