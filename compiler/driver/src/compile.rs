//! The flow: one function, phase by phase.

use crate::assemble::{assemble, pack};
use crate::files::{Beside, dump, map};
use crate::{Error, Options, Phase, Report, Target, Timing};
use artifact::{Artifact, Manifest, Signature, Variant};
use codegen::Source;
use diag::{Diagnostic, Sink};
use graph::Graph;
use import_onnx::{ExternalData, Imported, Model, Needs};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};
use tensor::Tensor;

/// A compiled model.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What to run, or to write to a file.
    pub artifact: Artifact,
    /// What happened on the way.
    pub report: Report,
    /// The model's own key-value pairs.
    pub metadata: BTreeMap<String, String>,
}

/// A model that is read but not yet imported.
pub struct Frontend {
    pub(crate) model: Model,
    beside: Beside,
}

/// Reads a model file.
///
/// # Errors
/// [`Error::File`] and [`Error::Model`].
pub fn load_model(path: &Path) -> Result<Frontend, Error> {
    let bytes = map(path)?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut sink = Sink::new();
    let model = import_onnx::parse(bytes, &name, &mut sink).map_err(|_| model_error(&sink, Needs::default()))?;
    Ok(Frontend { model, beside: Beside::new(path) })
}

impl Frontend {
    /// The names of the model's inputs, in order; those with a default value included.
    pub fn input_names(&self) -> Vec<String> {
        let graph = self.model.proto.graph.as_ref();
        graph.map(|g| g.input.iter().map(|i| i.name.clone()).collect()).unwrap_or_default()
    }
}

fn model_error(sink: &Sink, needs: Needs) -> Error {
    Error::Model { diagnostics: sink.diagnostics().to_vec(), needs }
}

/// Imports a model that was read.
///
/// # Errors
/// [`Error::Model`] with every fault.
pub fn import_model(frontend: &Frontend, options: &Options) -> Result<Imported, Error> {
    let import = import_onnx::Options {
        freeze: options.freeze.clone(),
        dims: options.dims.clone(),
        shapes: options.shapes.clone(),
    };
    let mut sink = Sink::new();
    let external: Option<&dyn ExternalData> = Some(&frontend.beside);
    import_onnx::import(&frontend.model, &import, external, &mut sink)
        .map_err(|failed| model_error(&sink, failed.needs))
}

/// Everything in a model that is not supported, without compiling it.
///
/// # Errors
/// [`Error::File`], and [`Error::Model`] for a file that is no model at all.
pub fn check(path: &Path, options: &Options) -> Result<Vec<Diagnostic>, Error> {
    let frontend = load_model(path)?;
    match import_model(&frontend, options) {
        Ok(_) => Ok(vec![]),
        Err(Error::Model { diagnostics, .. }) => Ok(diagnostics),
        Err(other) => Err(other),
    }
}

/// Compiles a model file.
///
/// # Errors
/// See [`Error`].
pub fn compile(path: &Path, options: &Options) -> Result<Compiled, Error> {
    let start = Instant::now();
    let frontend = load_model(path)?;
    let imported = import_model(&frontend, options)?;
    compile_imported(imported, start.elapsed(), options)
}

/// Compiles a model that was imported, which took `import` so far.
///
/// # Errors
/// See [`Error`].
pub fn compile_imported(imported: Imported, import: Duration, options: &Options) -> Result<Compiled, Error> {
    let mut report = Report { nodes_imported: imported.graph.n_nodes(), ..Report::default() };
    report.timings.push(Timing { phase: Phase::Import, time: import });
    dump_graph(options, "10-imported.graph", &imported.graph)?;
    let graph = optimize_graph(imported.graph, options, &mut report)?;
    let artifact = compile_graph(&graph, &imported.frozen, options, &mut report)?;
    Ok(Compiled { artifact, report, metadata: imported.metadata })
}

/// The phases from an imported graph to an optimized one.
///
/// # Errors
/// [`Error::Bug`] for a contradiction that a rewrite brought about.
pub fn optimize_graph(graph: Graph, options: &Options, report: &mut Report) -> Result<Graph, Error> {
    let start = Instant::now();
    let graph = rewrite::canonicalize_under(graph, options.numerics);
    report.nodes_canonical = graph.n_nodes();
    report.timings.push(Timing { phase: Phase::Canonicalize, time: start.elapsed() });
    dump_graph(options, "20-canonical.graph", &graph)?;
    let start = Instant::now();
    let graph = saturate(graph, options, report)?;
    report.nodes_optimized = graph.n_nodes();
    report.timings.push(Timing { phase: Phase::Optimize, time: start.elapsed() });
    dump_graph(options, "30-optimized.graph", &graph)?;
    Ok(graph)
}

/// Equality saturation, if the options ask for it.
pub(crate) fn saturate(graph: Graph, options: &Options, report: &mut Report) -> Result<Graph, Error> {
    if !options.optimize {
        return Ok(graph);
    }
    let on_host = options.targets.iter().any(|target| matches!(target, Target::Host(_)));
    // A fixed machine, so that the same model gives the same artifact wherever it is compiled.
    let cost = if on_host { rewrite::Cost::host(4) } else { rewrite::Cost::gpu() };
    let budget = rewrite::Budget::default();
    let (graph, done) =
        rewrite::optimize(graph, options.numerics, &cost, &budget).map_err(|e| Error::bug("optimize", e))?;
    report.e_nodes = done.e_nodes;
    report.rules = done.fired.iter().map(|(rule, count)| ((*rule).to_string(), *count)).collect();
    Ok(graph)
}

fn dump_graph(options: &Options, name: &str, graph: &Graph) -> Result<(), Error> {
    if options.dump_dir.is_none() {
        return Ok(());
    }
    dump(
        options.dump_dir.as_deref(),
        name,
        &graph::to_text(graph, graph::TextOptions { locs: true, ..Default::default() }),
    )
}

pub(crate) fn compile_graph(
    graph: &Graph,
    frozen: &BTreeMap<String, Tensor>,
    options: &Options,
    report: &mut Report,
) -> Result<Artifact, Error> {
    let start = Instant::now();
    let plan = schedule::plan(graph);
    report.timings.push(Timing { phase: Phase::Schedule, time: start.elapsed() });
    dump(options.dump_dir.as_deref(), "40-plan.txt", &format!("{plan:#?}"))?;
    let (mut lowering, mut emission) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
    let mut artifact = Artifact { manifest: manifest(graph, options), variants: vec![], code: vec![], weights: vec![] };
    let mut weights = pack::Weights::default();
    for target in &options.targets {
        let start = Instant::now();
        let assembled = assemble(graph, &plan, frozen, target.lowering(), &mut weights)?;
        lowering += start.elapsed();
        for (at, kernel) in assembled.kernels.iter().enumerate() {
            let name = format!("50-{}-{at:03}-{}.mlir", target.short_name(), kernel.name);
            dump(options.dump_dir.as_deref(), &name, &kernel.text)?;
        }
        report.kernels.push((target.name(), assembled.n_launches, assembled.kernels.len()));
        let start = Instant::now();
        let kernels = emit(target, &assembled.kernels, options, &mut artifact)?;
        emission += start.elapsed();
        artifact.variants.push(Variant { target: target.name(), kernels, program: assembled.program });
    }
    let start = Instant::now();
    artifact.weights = weights.finish();
    report.timings.push(Timing { phase: Phase::Lower, time: lowering });
    report.timings.push(Timing { phase: Phase::Emit, time: emission });
    report.timings.push(Timing { phase: Phase::Pack, time: start.elapsed() });
    Ok(artifact)
}

fn manifest(graph: &Graph, options: &Options) -> Manifest {
    let signature = |port: &graph::Port| Signature {
        name: port.name.clone(),
        dtype: graph.ty(port.value).dtype,
        shape: graph.ty(port.value).shape.iter().map(ToString::to_string).collect(),
    };
    Manifest {
        producer: format!("tenfold {}", env!("CARGO_PKG_VERSION")),
        model: graph.name.clone(),
        numerics: options.numerics.name().into(),
        inputs: graph.inputs.iter().map(signature).collect(),
        outputs: graph.outputs.iter().map(signature).collect(),
    }
}

fn emit(
    target: &Target,
    kernels: &[lower::Kernel],
    options: &Options,
    artifact: &mut Artifact,
) -> Result<artifact::Kernels, Error> {
    let sources: Vec<Source> = kernels.iter().map(|k| Source { name: &k.name, text: &k.text }).collect();
    let folder = options.dump_dir.as_deref();
    match target {
        Target::Host(host) => {
            let codes = codegen::compile_host(&sources, host, options.threads).map_err(|e| Error::bug("emit", e))?;
            pack::host_kernels(kernels, codes, artifact)
        }
        Target::Nvptx(ptx) => {
            let texts = codegen::compile_ptx(&sources, ptx, options.threads).map_err(|e| Error::bug("emit", e))?;
            for (at, (kernel, text)) in kernels.iter().zip(&texts).enumerate() {
                dump(folder, &format!("70-{}-{at:03}-{}.ptx", target.short_name(), kernel.name), text)?;
            }
            Ok(pack::ptx_kernels(kernels, texts, artifact))
        }
    }
}
