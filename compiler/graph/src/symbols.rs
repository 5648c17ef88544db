//! The values of symbols while a graph runs, and how types and actual shapes define them.

use crate::{EvalFailure, Graph};
use diag::Loc;
use std::collections::BTreeMap;
use tensor::{Dim, Symbol, Tensor, TensorType};

/// The symbols that have a value by now.
#[derive(Clone, Debug, Default)]
pub(crate) struct SymbolValues(BTreeMap<Symbol, i64>);

impl SymbolValues {
    pub(crate) fn get(&self, symbol: &Symbol) -> Option<i64> {
        self.0.get(symbol).copied()
    }

    pub(crate) fn define(&mut self, name: &str, value: i64) {
        self.0.insert(Symbol::new(name), value);
    }

    pub(crate) fn eval(&self, dim: &Dim) -> Option<i64> {
        dim.eval(&|symbol| self.get(symbol))
    }

    /// Matches inputs with their types: a symbol that has no value yet gets the size where it stands alone.
    pub(crate) fn bind_inputs(
        &mut self,
        graph: &Graph,
        types: &[&TensorType],
        inputs: &[Tensor],
    ) -> Result<(), EvalFailure> {
        if types.len() != inputs.len() {
            return Err(EvalFailure {
                loc: Loc::Unknown,
                message: format!("graph `{}` takes {} inputs and not {}", graph.name, types.len(), inputs.len()),
            });
        }
        for (ty, input) in types.iter().zip(inputs) {
            for (dim, size) in ty.shape.iter().zip(input.shape()) {
                if let Some(symbol) = dim.as_symbol() {
                    self.0.entry(symbol.clone()).or_insert(*size as i64);
                }
            }
        }
        for ((port, ty), input) in graph.inputs.iter().zip(types).zip(inputs) {
            self.check(&Loc::Unknown, &format!("input `{}`", port.name), ty, input)?;
        }
        Ok(())
    }

    /// Matches a node's results with their types; `defined` are the symbols that get their values from them.
    pub(crate) fn bind_results(
        &mut self,
        loc: &Loc,
        defined: &[Symbol],
        types: &[&TensorType],
        results: &[Tensor],
    ) -> Result<(), EvalFailure> {
        if types.len() != results.len() {
            return Err(EvalFailure {
                loc: loc.clone(),
                message: format!("{} results where {} are declared", results.len(), types.len()),
            });
        }
        let mut open: Vec<&Symbol> = defined.iter().collect();
        for (ty, result) in types.iter().zip(results) {
            for (dim, size) in ty.shape.iter().zip(result.shape()) {
                let symbol = dim.as_symbol();
                if let Some(at) = open.iter().position(|s| Some(*s) == symbol) {
                    self.0.insert(open.remove(at).clone(), *size as i64);
                }
            }
        }
        for (idx, (ty, result)) in types.iter().zip(results).enumerate() {
            self.check(loc, &format!("result {idx}"), ty, result)?;
        }
        Ok(())
    }

    /// Whether a tensor is of a type, now that symbols have values.
    fn check(&self, loc: &Loc, what: &str, ty: &TensorType, tensor: &Tensor) -> Result<(), EvalFailure> {
        let mut dims = ty.shape.iter().zip(tensor.shape());
        let fits = tensor.dtype() == ty.dtype
            && tensor.rank() == ty.rank()
            && dims.all(|(dim, size)| self.eval(dim) == Some(*size as i64));
        if fits {
            return Ok(());
        }
        let mut names = Vec::new();
        ty.shape.iter().for_each(|dim| dim.symbols(&mut names));
        let known: Vec<String> = names
            .iter()
            .map(|s| match self.get(s) {
                Some(value) => format!("{} = {value}", s.name()),
                None => format!("{} is not known", s.name()),
            })
            .collect();
        let hint = if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) };
        Err(EvalFailure { loc: loc.clone(), message: format!("{what} is {} and not {ty}{hint}", tensor.ty()) })
    }
}
