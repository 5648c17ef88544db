//! Any stretch of the flow on its own: from a model or a printed form to the printed form of any phase.

use crate::assemble::pack;
use crate::compile::{advance, assemble_all, compile_module, dump_module};
use crate::emit::emit_error;
use crate::printed::{self, Module, Printed};
use crate::ranges::Facts;
use crate::{Compiled, Error, Options, Phase, Report, Target, import_model, kernel_text, load_model};
use graph::{Graph, TextOptions};
use std::collections::BTreeMap;
use std::path::Path;

/// Where the flow starts.
///
/// Each phase takes what the phase before prints: [`Phase::Canonicalize`], [`Phase::Optimize`] and [`Phase::Schedule`] a
/// graph, [`Phase::Lower`] a graph with its plan, [`Phase::Emit`] the text of kernels, which are all that it can make
/// machine code of. Nothing printed can be packed: an artifact needs the code and the program that launches it.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// A model file.
    Model(&'a Path),
    /// The printed form that this phase takes.
    Text(&'a Path, Phase),
}

impl Start<'_> {
    fn phase(&self) -> Phase {
        match self {
            Start::Model(_) => Phase::Import,
            Start::Text(_, phase) => *phase,
        }
    }
}

/// The printed form of what the phase `to` makes.
///
/// Where [`Options::targets`] is empty, kernels that are read as text are compiled for the targets that they name.
///
/// # Errors
/// See [`Error`]; [`Error::Order`] where `to` is before the start, or cannot be made of what is read there.
pub fn phase_text(start: Start<'_>, to: Phase, text: TextOptions, options: &Options) -> Result<Printed, Error> {
    check_order(start, to)?;
    if let Start::Text(path, Phase::Emit) = start {
        let kernels = kernel_text::parse(&printed::read_text(path)?);
        let file = path.display().to_string();
        return kernel_text::emit(&file, &kernels, &options.targets, options).map(Printed::whole);
    }
    let mut module = read(start, options)?;
    advance(&mut module, start.phase(), to, options, &mut Report::default())?;
    match to {
        Phase::Import | Phase::Canonicalize | Phase::Optimize | Phase::Schedule => Ok(printed::print(&module, text)),
        Phase::Lower | Phase::Emit => kernels(&module, to, options).map(Printed::whole),
        Phase::Pack => {
            let artifact = compile_module(&module, options, &mut Report::default())?;
            Ok(Printed::whole(artifact.to_string()))
        }
    }
}

/// The graph that the phase `to` makes, for other printed forms than ours.
///
/// # Errors
/// See [`Error`]; [`Error::Order`] also where `to` makes no graph.
pub fn phase_graph(start: Start<'_>, to: Phase, options: &Options) -> Result<Graph, Error> {
    check_order(start, to)?;
    if to > Phase::Optimize {
        let reason = "a graph comes of import, canonicalize and optimize";
        return Err(Error::Order { from: start.phase().name(), to: to.name(), reason });
    }
    let mut module = read(start, options)?;
    advance(&mut module, start.phase(), to, options, &mut Report::default())?;
    Ok(module.graph)
}

/// Refuses what makes no sense, with the way out.
fn check_order(start: Start<'_>, to: Phase) -> Result<(), Error> {
    let from = start.phase();
    let reason = match (start, to) {
        (Start::Text(_, Phase::Import), _) => "import reads models, not texts",
        (Start::Text(_, Phase::Pack), _) => {
            "an artifact is packed from machine code and the program that launches it, and no text holds both; \
             start from the plan (--from lower)"
        }
        (Start::Text(_, Phase::Emit), Phase::Pack) => {
            "the text of kernels does not say how they are launched, so it can be compiled only `--to emit`; \
             for an artifact start from the plan (--from lower)"
        }
        _ if to < from => "the flow only goes down",
        _ => return Ok(()),
    };
    Err(Error::Order { from: from.name(), to: to.name(), reason })
}

fn read(start: Start<'_>, options: &Options) -> Result<Module, Error> {
    match start {
        Start::Model(path) => {
            let imported = import_model(&load_model(path)?, options)?;
            let facts = Facts::of(&imported);
            let module = Module { graph: imported.graph, facts, plan: None };
            dump_module(options, "10-imported.graph", &module)?;
            Ok(module)
        }
        Start::Text(path, phase) => printed::read(path, phase, options),
    }
}

/// The kernels of a module for all targets, as MLIR or as assembly.
fn kernels(module: &Module, to: Phase, options: &Options) -> Result<String, Error> {
    let assembled = assemble_all(module, options, &mut pack::Weights::default())?;
    let mut out = String::new();
    for (target, assembled) in options.targets.iter().zip(assembled) {
        out += &match to {
            Phase::Lower => kernel_text::print(target, &assembled.kernels),
            _ => assembly(target, &assembled.kernels, options)?,
        };
    }
    Ok(out)
}

fn assembly(target: &Target, kernels: &[lower::Kernel], options: &Options) -> Result<String, Error> {
    let kernels: Vec<(&str, &str)> = kernels.iter().map(|kernel| (&*kernel.name, &*kernel.text)).collect();
    kernel_text::assembly(target, &kernels, options).map_err(|e| emit_error(e, options))
}

/// Compiles from a printed graph or plan; see [`Start::Text`].
///
/// # Errors
/// See [`Error`].
pub fn compile_text(path: &Path, first: Phase, options: &Options) -> Result<Compiled, Error> {
    let start = Start::Text(path, first);
    check_order(start, Phase::Pack)?;
    let mut module = read(start, options)?;
    let mut report = Report { nodes_imported: module.graph.n_nodes(), ..Report::default() };
    advance(&mut module, first, Phase::Schedule, options, &mut report)?;
    let artifact = compile_module(&module, options, &mut report)?;
    Ok(Compiled { artifact, report, metadata: BTreeMap::new() })
}
