//! Dimensions by name: whether the model has them, and the ranges that its artifact must check.

use crate::{Error, Frontend, ModelDim, Options};
use artifact::SymbolRange;
use graph::Graph;
use import_onnx::Imported;
use std::collections::{BTreeMap, BTreeSet};
use tensor::{Bounds, Dim, Range, Symbol, Tensor};

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

    /// The facts that a printed form tells.
    pub(crate) fn told(frozen: BTreeMap<String, Tensor>, ranges: &[SymbolRange]) -> Facts {
        let mut facts = Facts { frozen, ..Facts::default() };
        for range in ranges {
            let symbol = Symbol::new(&range.symbol);
            facts.names.insert(range.symbol.clone(), range.name.clone());
            if range.is_assumed {
                facts.bounds.assume_not_empty(symbol);
                // Asking records the assumption.
                facts.bounds.is_non_negative_if_not_empty(&(Dim::symbol(&range.symbol) - 1.into()));
            } else {
                facts.bounds.promise(symbol, range.range());
            }
        }
        facts
    }

    /// The facts of a printed graph, whose symbols are its dimensions' names, with the ranges that the options add.
    ///
    /// The graph may rely on the ranges that its text tells, so they can only become narrower.
    pub(crate) fn of_printed(self, graph: &Graph, options: &Options) -> Result<Facts, Error> {
        if let Some(name) = options.dims.keys().next() {
            let why =
                format!("dimension `{name}` of a printed graph cannot be given a number; print the graph with it");
            return Err(Error::Dimension(why));
        }
        check_names(&extents(graph).iter().map(Symbol::name).collect::<BTreeSet<_>>(), options)?;
        let mut ranges = self.known();
        for (symbol, range) in &options.ranges {
            let told = ranges.iter().position(|told| told.symbol == *symbol).map(|at| ranges.remove(at));
            if let Some(told) = told.as_ref().filter(|told| !is_within(*range, told.range())) {
                let why = format!("dimension `{symbol}` cannot be in {range}: the graph was made for {told}");
                return Err(Error::Dimension(why));
            }
            let name = told.map_or_else(|| symbol.clone(), |told| told.name);
            let (low, high) = (range.low, range.high);
            ranges.push(SymbolRange { symbol: symbol.clone(), name, low, high, is_assumed: false });
        }
        Ok(Facts::told(self.frozen, &ranges))
    }

    /// All ranges, those that were promised and those that the import assumed, by symbol.
    pub(crate) fn known(&self) -> Vec<SymbolRange> {
        let entry = |symbol: &Symbol, range: Range, is_assumed: bool| SymbolRange {
            symbol: symbol.name().into(),
            name: self.names.get(symbol.name()).map_or(symbol.name(), String::as_str).into(),
            low: range.low,
            high: range.high,
            is_assumed,
        };
        let promised = self.bounds.promised().iter().map(|(symbol, range)| entry(symbol, *range, false));
        let assumed = self.bounds.assumed();
        let assumed = assumed.iter().map(|symbol| entry(symbol, Range { low: 1, high: None }, true));
        let mut ranges: Vec<SymbolRange> = promised.chain(assumed).collect();
        ranges.sort_by(|a, b| a.symbol.cmp(&b.symbol));
        ranges
    }

    /// The ranges that a run must check: those that were promised, and those that the import assumed.
    pub(crate) fn ranges(&self, graph: &Graph) -> Result<Vec<SymbolRange>, Error> {
        let extents = extents(graph);
        let mut ranges = self.known();
        ranges.retain(|range| !range.is_assumed || extents.contains(&Symbol::new(&range.symbol)));
        match ranges.iter().find(|range| !extents.contains(&Symbol::new(&range.symbol))) {
            None => Ok(ranges),
            Some(SymbolRange { symbol, .. }) => {
                let why = format!("no input has the extent `{symbol}` alone, so its range cannot be checked");
                Err(Error::Dimension(why))
            }
        }
    }
}

fn is_within(inner: Range, outer: Range) -> bool {
    inner.low >= outer.low && outer.high.is_none_or(|end| inner.high.is_some_and(|high| high <= end))
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
