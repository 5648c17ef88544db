//! The flow: one function, phase by phase.

use crate::assemble::{Assembled, assemble, pack};
use crate::check::Faults;
use crate::emit::emit;
use crate::files::{Beside, dump, map};
use crate::printed::{self, Module};
use crate::ranges::Facts;
use crate::{Error, Options, Phase, Report, Target, Timing, kernel_text};
use artifact::{Artifact, Manifest, Signature, Variant};
use diag::Sink;
use graph::{Graph, TextOptions};
use import_onnx::{ExternalData, Imported, Model, Needs};
use schedule::Plan;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

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
/// [`Error::Model`] with every fault, [`Error::Dimension`], and [`Error::Limit`].
pub fn import_model(frontend: &Frontend, options: &Options) -> Result<Imported, Error> {
    import(frontend, options).map_err(|failed| failed.error)
}

/// Why a model could not be imported, with the parts that could.
pub(crate) struct Failed {
    pub(crate) error: Error,
    pub(crate) partial: Option<Box<Graph>>,
}

impl From<Error> for Box<Failed> {
    fn from(error: Error) -> Self {
        Box::new(Failed { error, partial: None })
    }
}

pub(crate) fn import(frontend: &Frontend, options: &Options) -> Result<Imported, Box<Failed>> {
    options.enter(Phase::Import)?;
    frontend.check_dims(options)?;
    let import = import_onnx::Options {
        freeze: options.freeze.clone(),
        dims: options.dims.clone(),
        ranges: options.ranges.clone(),
        shapes: options.shapes.clone(),
    };
    let mut sink = Sink::new();
    let external: Option<&dyn ExternalData> = Some(&frontend.beside);
    import_onnx::import(&frontend.model, &import, external, &mut sink)
        .map_err(|failed| Box::new(Failed { error: model_error(&sink, failed.needs), partial: failed.partial }))
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
    let facts = Facts::of(&imported);
    let mut module = Module { graph: imported.graph, facts, plan: None };
    dump_module(options, "10-imported.graph", &module)?;
    advance(&mut module, Phase::Canonicalize, Phase::Schedule, options, &mut report)?;
    let artifact = compile_module(&module, options, &mut report)?;
    Ok(Compiled { artifact, report, metadata: imported.metadata })
}

/// The phases from an imported graph to an optimized one.
///
/// # Errors
/// [`Error::Bug`] for a contradiction that a rewrite brought about, [`Error::Limit`] where time is up.
pub fn optimize_graph(graph: Graph, options: &Options, report: &mut Report) -> Result<Graph, Error> {
    let mut module = Module { graph, facts: Facts::default(), plan: None };
    advance(&mut module, Phase::Canonicalize, Phase::Optimize, options, report)?;
    Ok(module.graph)
}

/// The phases `first` to `to`, as far as they are above the kernels.
pub(crate) fn advance(
    module: &mut Module,
    first: Phase,
    to: Phase,
    options: &Options,
    report: &mut Report,
) -> Result<(), Error> {
    for phase in
        [Phase::Canonicalize, Phase::Optimize, Phase::Schedule].into_iter().filter(|p| (first..=to).contains(p))
    {
        options.enter(phase)?;
        let start = Instant::now();
        let graph = std::mem::take(&mut module.graph);
        let file = match phase {
            Phase::Canonicalize => {
                module.graph = rewrite::canonicalize_under(graph, options.numerics);
                report.nodes_canonical = module.graph.n_nodes();
                "20-canonical.graph"
            }
            Phase::Optimize => {
                module.graph = saturate(graph, options, report)?;
                "30-optimized.graph"
            }
            _ => {
                module.plan = Some(schedule::plan(&graph));
                module.graph = graph;
                "40-scheduled.plan"
            }
        };
        report.timings.push(Timing { phase, time: start.elapsed() });
        dump_module(options, file, module)?;
    }
    report.nodes_optimized = module.graph.n_nodes();
    Ok(())
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

/// Writes the printed form of a module, if dumps are asked for.
pub(crate) fn dump_module(options: &Options, name: &str, module: &Module) -> Result<(), Error> {
    let Some(folder) = options.dump_dir.as_deref() else { return Ok(()) };
    let printed = printed::print(module, TextOptions { locs: true, ..Default::default() });
    dump(Some(folder), name, &printed.text)?;
    if options.dump_constants { printed.write_constants(folder) } else { Ok(()) }
}

/// The phases from a plan to an artifact.
pub(crate) fn compile_module(module: &Module, options: &Options, report: &mut Report) -> Result<Artifact, Error> {
    let manifest = manifest(&module.graph, &module.facts, options)?;
    let mut artifact = Artifact { manifest, variants: vec![], code: vec![], weights: vec![] };
    let mut weights = pack::Weights::default();
    let start = Instant::now();
    let assembled = assemble_all(module, options, &mut weights)?;
    report.timings.push(Timing { phase: Phase::Lower, time: start.elapsed() });
    let start = Instant::now();
    for (target, assembled) in options.targets.iter().zip(assembled) {
        let template = |kernel: &lower::Kernel| (target.name(), kernel.name.clone(), kernel.template.clone());
        report.templates.extend(assembled.kernels.iter().map(template));
        report.kernels.push((target.name(), assembled.n_launches, assembled.kernels.len()));
        let kernels = emit(target, &assembled.kernels, options, &mut report.cache, &mut artifact)?;
        artifact.variants.push(Variant { target: target.name(), kernels, program: assembled.program });
    }
    report.timings.push(Timing { phase: Phase::Emit, time: start.elapsed() });
    options.enter(Phase::Pack)?;
    let start = Instant::now();
    artifact.weights = weights.finish(options.threads);
    report.timings.push(Timing { phase: Phase::Pack, time: start.elapsed() });
    Ok(artifact)
}

/// The programs of all targets; kernels that cannot be written are told for all of them.
pub(crate) fn assemble_all(
    module: &Module,
    options: &Options,
    weights: &mut pack::Weights,
) -> Result<Vec<Assembled>, Error> {
    let Module { graph, facts, plan } = module;
    let plan: &Plan = plan.as_ref().ok_or_else(|| Error::bug("lower", "there is no plan"))?;
    let (mut all, mut faults) = (vec![], Faults::default());
    for target in &options.targets {
        let assembled = match assemble(graph, plan, facts, target, options, weights) {
            Ok(assembled) => assembled,
            Err(Error::Model { diagnostics, .. }) => {
                faults.add(diagnostics);
                continue;
            }
            Err(other) => return Err(other),
        };
        for (at, kernel) in assembled.kernels.iter().enumerate().filter(|_| options.dump_dir.is_some()) {
            let name = format!("50-{}-{at:03}-{}.mlir", target.short_name(), kernel.name);
            let text = kernel_text::print(target, std::slice::from_ref(kernel));
            dump(options.dump_dir.as_deref(), &name, &text)?;
        }
        all.push(assembled);
    }
    let diagnostics = faults.finish();
    if diagnostics.is_empty() { Ok(all) } else { Err(Error::Model { diagnostics, needs: Needs::default() }) }
}

fn manifest(graph: &Graph, facts: &Facts, options: &Options) -> Result<Manifest, Error> {
    let signature = |port: &graph::Port| Signature {
        name: port.name.clone(),
        dtype: graph.ty(port.value).dtype,
        shape: graph.ty(port.value).shape.iter().map(ToString::to_string).collect(),
    };
    Ok(Manifest {
        producer: format!("tenfold {}", env!("CARGO_PKG_VERSION")),
        model: graph.name.clone(),
        numerics: options.numerics.name().into(),
        inputs: graph.inputs.iter().map(signature).collect(),
        outputs: graph.outputs.iter().map(signature).collect(),
        ranges: facts.ranges(graph)?,
    })
}
