//! Everything that a compile would refuse, without compiling: faults of the import, and kernels that cannot be written.

use crate::assemble::{assemble, pack};
use crate::compile::{Failed, import, load_model, optimize_graph};
use crate::ranges::Facts;
use crate::{Error, Options, Report};
use diag::{Code, Diagnostic, Severity};
use graph::Graph;
use std::path::Path;

/// Everything in a model that is not supported on the targets of the options, without compiling it.
///
/// Where parts of the model cannot be imported, the kernels of the other parts are tried nevertheless.
///
/// # Errors
/// [`Error::File`], and [`Error::Model`] for a file that is no model at all.
pub fn check(path: &Path, options: &Options) -> Result<Vec<Diagnostic>, Error> {
    let frontend = load_model(path)?;
    match import(&frontend, options) {
        Ok(imported) => {
            let facts = Facts::of(&imported);
            kernels(imported.graph, &facts, options)
        }
        Err(failed) => match *failed {
            Failed { error: Error::Model { diagnostics, .. }, partial } => beside(diagnostics, partial, options),
            Failed { error, .. } => Err(error),
        },
    }
}

/// Faults of the import, and those of the kernels beside them.
fn beside(
    mut diagnostics: Vec<Diagnostic>,
    partial: Option<Box<Graph>>,
    options: &Options,
) -> Result<Vec<Diagnostic>, Error> {
    // A model that contradicts itself may lead to kernels that nobody wrote.
    let is_lacking = |d: &Diagnostic| matches!(d.code, Code::Unsupported | Code::NeedsConstant);
    let only_lacking = diagnostics.iter().filter(|d| d.severity == Severity::Error).all(is_lacking);
    if let Some(graph) = partial.filter(|_| only_lacking) {
        diagnostics.extend(kernels(*graph, &Facts::default(), options)?);
    }
    Ok(diagnostics)
}

/// The kernels of a graph that cannot be written.
fn kernels(graph: Graph, facts: &Facts, options: &Options) -> Result<Vec<Diagnostic>, Error> {
    let graph = optimize_graph(graph, options, &mut Report::default())?;
    let plan = schedule::plan(&graph);
    let mut faults = Faults::default();
    for target in &options.targets {
        match assemble(&graph, &plan, facts, target, options, &mut pack::Weights::default()) {
            Ok(_) => {}
            Err(Error::Model { diagnostics, .. }) => faults.add(diagnostics),
            Err(other) => return Err(other),
        }
    }
    Ok(faults.finish())
}

/// Faults of several targets, those that are the same once.
#[derive(Default)]
pub(crate) struct Faults(Vec<Diagnostic>);

impl Faults {
    pub(crate) fn add(&mut self, more: Vec<Diagnostic>) {
        for fault in more {
            let same = self.0.iter_mut().find(|known| known.loc == fault.loc && known.message == fault.message);
            match same {
                Some(known) => {
                    let new: Vec<String> = fault.notes.into_iter().filter(|note| !known.notes.contains(note)).collect();
                    known.notes.extend(new);
                }
                None => self.0.push(fault),
            }
        }
    }

    pub(crate) fn finish(self) -> Vec<Diagnostic> {
        self.0
    }
}
