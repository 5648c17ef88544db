//! Any stretch of the flow on its own: from a model or a printed graph to the printed form of any phase.

use crate::assemble::{assemble, pack};
use crate::compile::{compile_graph, emit_error, saturate};
use crate::ranges::Facts;
use crate::{Error, Options, Phase, Report, Target, import_model, load_model};
use artifact::Artifact;
use codegen::Source;
use graph::{Graph, TextOptions};
use import_onnx::Needs;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Where the flow starts.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// A model file.
    Model(&'a Path),
    /// The printed graph that this phase takes: [`Phase::Canonicalize`], [`Phase::Optimize`] or [`Phase::Schedule`].
    Graph(&'a Path, Phase),
}

/// The printed form of what the phase `to` makes.
///
/// # Errors
/// See [`Error`]; [`Error::Order`] where `to` is before the start, or nothing printed can be read there.
pub fn phase_text(start: Start<'_>, to: Phase, text: TextOptions, options: &Options) -> Result<String, Error> {
    let (graph, facts, first) = match start {
        Start::Model(path) => {
            let imported = import_model(&load_model(path)?, options)?;
            let facts = Facts::of(&imported);
            (imported.graph, facts, Phase::Canonicalize)
        }
        Start::Graph(path, phase) => {
            let graph = read_graph(path)?;
            let facts = Facts::of_printed(&graph, options)?;
            (graph, facts, phase)
        }
    };
    let is_possible =
        first <= Phase::Schedule && first > Phase::Import && (to >= first || matches!(start, Start::Model(_)));
    if !is_possible {
        return Err(Error::Order { from: first.name(), to: to.name() });
    }
    let graph = graph_up_to(graph, first, to, options)?;
    if to <= Phase::Optimize {
        return Ok(graph::to_text(&graph, text));
    }
    below(&graph, &facts, to, options)
}

/// The printed form of an artifact: what it says about itself, and its programs.
pub fn artifact_text(artifact: &Artifact) -> String {
    let programs = artifact.variants.iter().map(|variant| format!("{}: {:#?}\n", variant.target, variant.program));
    format!("{:#?}\n{}", artifact.manifest, programs.collect::<String>())
}

fn read_graph(path: &Path) -> Result<Graph, Error> {
    let fail = |reason: String| Error::File { verb: "read", path: path.into(), reason };
    let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    graph::parse(&text, &name).map_err(|fault| Error::Model { diagnostics: vec![fault], needs: Needs::default() })
}

fn graph_up_to(mut graph: Graph, first: Phase, to: Phase, options: &Options) -> Result<Graph, Error> {
    if first <= Phase::Canonicalize && to >= Phase::Canonicalize {
        options.enter(Phase::Canonicalize)?;
        graph = rewrite::canonicalize_under(graph, options.numerics);
    }
    if first <= Phase::Optimize && to >= Phase::Optimize {
        options.enter(Phase::Optimize)?;
        graph = saturate(graph, options, &mut Report::default())?;
    }
    Ok(graph)
}

/// The phases below the graph.
fn below(graph: &Graph, facts: &Facts, to: Phase, options: &Options) -> Result<String, Error> {
    let plan = schedule::plan(graph);
    if to == Phase::Schedule {
        return Ok(format!("{plan:#?}\n"));
    }
    if to == Phase::Pack {
        return Ok(artifact_text(&compile_graph(graph, facts, options, &mut Report::default())?));
    }
    let mut out = String::new();
    for target in &options.targets {
        let mut weights = pack::Weights::default();
        let kernels = assemble(graph, &plan, facts, target, options, &mut weights)?.kernels;
        let texts = if to == Phase::Lower {
            kernels.iter().map(|kernel| kernel.text.clone()).collect()
        } else {
            assembly(target, &kernels, options)?
        };
        for (kernel, text) in kernels.iter().zip(texts) {
            let _ = writeln!(out, "// {} {}\n{text}", target.name(), kernel.name);
        }
    }
    Ok(out)
}

fn assembly(target: &Target, kernels: &[lower::Kernel], options: &Options) -> Result<Vec<String>, Error> {
    let sources: Vec<Source> = kernels.iter().map(|kernel| Source { name: &kernel.name, text: &kernel.text }).collect();
    let go_on = |done: usize| options.go_on(Phase::Emit, done, sources.len()).is_ok();
    let texts = match target {
        Target::Host(host) => codegen::assembly(&sources, host, options.threads, &go_on),
        Target::Nvptx(ptx) => codegen::compile_ptx(&sources, ptx, options.threads, &go_on),
    };
    texts.map_err(|e| emit_error(e, options))
}

/// Compiles from a printed graph; see [`Start::Graph`].
///
/// # Errors
/// See [`Error`].
pub fn compile_graph_file(path: &Path, first: Phase, options: &Options) -> Result<crate::Compiled, Error> {
    if !(Phase::Canonicalize..=Phase::Schedule).contains(&first) {
        return Err(Error::Order { from: first.name(), to: Phase::Pack.name() });
    }
    let graph = read_graph(path)?;
    let facts = Facts::of_printed(&graph, options)?;
    let graph = graph_up_to(graph, first, Phase::Optimize, options)?;
    let mut report = Report { nodes_optimized: graph.n_nodes(), ..Report::default() };
    let artifact = compile_graph(&graph, &facts, options, &mut report)?;
    Ok(crate::Compiled { artifact, report, metadata: BTreeMap::new() })
}
