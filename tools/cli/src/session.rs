//! From a model or an artifact to an engine and its inputs: what `run`, `bench`, `compare` and `test` share.

use crate::args::RunArgs;
use crate::data::{self, Dims, Tensors};
use crate::{Failure, cache, output};
use driver::{Compiled, Deadline, Error, Frontend, ModelInput, Options, Report, Target};
use import_onnx::Imported;
use runtime::{Device, Engine};
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tenfold_run::{DeviceSpec, LimitArgs};
use tensor::{Dim, Tensor};

/// A model is imported again so often, with more inputs frozen each time.
const TRIES: usize = 8;

/// A loaded model with inputs.
pub(crate) struct Session {
    pub(crate) engine: Engine,
    /// In the engine's order.
    pub(crate) inputs: Vec<Tensor>,
    /// What the compile did, if there was one.
    pub(crate) report: Option<Report>,
    /// Time of the compile, or zero.
    pub(crate) compile: Duration,
    /// Time to load the artifact on the device.
    pub(crate) load: Duration,
    limits: LimitArgs,
    begin: Instant,
}

impl Session {
    /// Runs the model, if there is time.
    pub(crate) fn run(&self) -> Result<Vec<Tensor>, Failure> {
        self.limits.check_time(self.begin.elapsed())?;
        Ok(self.engine.run(&self.inputs)?)
    }
}

/// A model that is imported, with everything that its run needs.
pub(crate) struct Loaded {
    pub(crate) imported: Imported,
    pub(crate) tensors: Tensors,
    options: Options,
    device: Box<dyn Device>,
    limits: LimitArgs,
    begin: Instant,
}

/// Whether a file begins like an artifact, or is named like one.
pub(crate) fn is_artifact(path: &Path) -> bool {
    let mut magic = [0; artifact::MAGIC.len()];
    let begins = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok();
    path.extension().is_some_and(|extension| extension == "tenfold") || (begins && magic == artifact::MAGIC)
}

/// Opens a device, and tells what to compile for it.
pub(crate) fn open_device(
    spec: DeviceSpec,
    threads: Option<NonZeroUsize>,
) -> Result<(Box<dyn Device>, Target), Failure> {
    let target = match spec {
        DeviceSpec::Host => Target::host(),
        DeviceSpec::Cuda(ordinal) => gpu_target(cuda::Cuda::new(ordinal)?.info())?,
        DeviceSpec::Sim { capability, .. } => Target::for_gpu(capability)
            .ok_or_else(|| Failure::Device(format!("sim:sm_{capability}: nothing can be compiled for it")))?,
    };
    Ok((spec.open(threads)?, target))
}

fn gpu_target(info: &cuda::Info) -> Result<Target, Failure> {
    Target::for_gpu(info.capability).ok_or_else(|| {
        let capability = format!("{}.{}", info.capability / 10, info.capability % 10);
        Failure::Device(format!(
            "cuda:{} ({}): nothing can be compiled for compute capability {capability}",
            info.ordinal, info.name
        ))
    })
}

/// Prepares a model or an artifact for running.
pub(crate) fn prepare(args: &RunArgs) -> Result<Session, Failure> {
    if is_artifact(&args.model) { prepare_artifact(args) } else { load(args)?.compile() }
}

/// Imports a model for running: on the device, with the inputs and for the shapes that are given.
pub(crate) fn load(args: &RunArgs) -> Result<Loaded, Failure> {
    let begin = Instant::now();
    let (device, target) = open_device(args.device.spec()?, args.compile.threads)?;
    let mut options = Options { targets: vec![target], ..args.compile.options() };
    options.cache = args.cache.open()?;
    options.deadline = args.limits.timeout.map(Deadline::after);
    options.observer = output::watch_compile();
    let frontend = driver::load_model(&args.model)?;
    let ports = frontend.inputs();
    let (tensors, dims) = data::for_model(&ports, &args.inputs, &args.compile)?;
    check_complete(&ports, &tensors)?;
    specialise(&mut options, &ports, &tensors, &dims);
    let imported = import_with(&frontend, &mut options, &tensors)?;
    Ok(Loaded { imported, tensors, options, device, limits: args.limits, begin })
}

impl Loaded {
    /// Compiles the model, and loads it on the device.
    pub(crate) fn compile(self) -> Result<Session, Failure> {
        let Loaded { imported, tensors, options, device, limits, begin } = self;
        let compiled = driver::compile_imported(imported, begin.elapsed(), &options)?;
        let compile = begin.elapsed();
        cache::warn(&compiled.report);
        let start = Instant::now();
        let of_run = limits.of_run(options.deadline.and_then(|deadline| deadline.left()));
        let engine = Engine::from_artifact_with(Arc::new(compiled.artifact), &*device, of_run)?;
        let inputs = order(&engine, &tensors)?;
        Ok(Session { engine, inputs, report: Some(compiled.report), compile, load: start.elapsed(), limits, begin })
    }
}

fn prepare_artifact(args: &RunArgs) -> Result<Session, Failure> {
    let begin = Instant::now();
    let (device, _) = open_device(args.device.spec()?, args.compile.threads)?;
    let start = Instant::now();
    let of_run = args.limits.of_run(args.limits.timeout);
    let engine = Engine::load_with(&args.model, &*device, of_run).map_err(|e| match e {
        runtime::Error::Artifact(e @ artifact::Error::Io { .. }) => Failure::Input(e.to_string()),
        runtime::Error::Artifact(e) => Failure::Input(format!("`{}`: {e}", args.model.display())),
        other => other.into(),
    })?;
    let load = start.elapsed();
    let dims = data::artifact_dims(&engine.artifact().manifest, &args.compile)?;
    let mut tensors = data::from_files(engine.inputs(), &args.inputs.inputs)?;
    data::check_dims(engine.inputs(), &tensors, &dims)?;
    if let Some(seed) = args.inputs.random_inputs {
        let ranges = &engine.artifact().manifest.ranges;
        tenfold_run::inputs::fill_randomly(engine.inputs(), &mut tensors, seed, &dims, ranges)?;
    }
    let inputs = order(&engine, &tensors)?;
    Ok(Session { engine, inputs, report: None, compile: Duration::ZERO, load, limits: args.limits, begin })
}

/// Tensors by name in the engine's order.
pub(crate) fn order(engine: &Engine, tensors: &Tensors) -> Result<Vec<Tensor>, Failure> {
    let named: Vec<(&str, Tensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.clone())).collect();
    Ok(engine.order_inputs(&named)?)
}

pub(crate) fn check_complete(ports: &[ModelInput], tensors: &Tensors) -> Result<(), Failure> {
    let missing: Vec<&str> =
        ports.iter().map(|port| port.name.as_str()).filter(|name| !tensors.contains_key(*name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let text = missing.join(", ");
    Err(Failure::Input(format!(
        "missing inputs: {text}; give them by --input NAME=FILE, or make them up by --random-inputs SEED"
    )))
}

/// Gives dimensions and shapes the values that they have in the given tensors; dimensions with a range stay symbols.
pub(crate) fn specialise(options: &mut Options, ports: &[ModelInput], tensors: &Tensors, dims: &Dims) {
    let fixed = dims.iter().filter(|(name, _)| !options.ranges.contains_key(*name));
    options.dims.extend(fixed.map(|(name, value)| (name.clone(), Dim::from(*value))));
    tell_ranks(options, ports, tensors);
}

/// Gives the shapes of inputs whose rank the model does not declare.
pub(crate) fn tell_ranks(options: &mut Options, ports: &[ModelInput], tensors: &Tensors) {
    for port in ports.iter().filter(|port| port.shape.is_none()) {
        if let Some(tensor) = tensors.get(&port.name) {
            options.shapes.insert(port.name.clone(), tensor.ty().shape);
        }
    }
}

/// Imports a model; inputs whose values it needs at compile time are frozen to the given ones.
pub(crate) fn import_with(frontend: &Frontend, options: &mut Options, tensors: &Tensors) -> Result<Imported, Failure> {
    for _ in 0..TRIES {
        let needs = match driver::import_model(frontend, options) {
            Ok(imported) => return Ok(imported),
            Err(Error::Model { needs, .. }) => needs,
            Err(other) => return Err(other.into()),
        };
        let before = options.freeze.len();
        for name in &needs.inputs {
            if let Some(tensor) = tensors.get(name) {
                options.freeze.insert(name.clone(), tensor.clone());
            }
        }
        if options.freeze.len() == before {
            break;
        }
        tracing::info!("inputs frozen to the given values: {:?}", needs.inputs);
    }
    Ok(driver::import_model(frontend, options)?)
}

/// Compiles a model; inputs whose values it needs at compile time are frozen to the given ones.
pub(crate) fn compile_with(frontend: &Frontend, mut options: Options, tensors: &Tensors) -> Result<Compiled, Failure> {
    let start = Instant::now();
    let imported = import_with(frontend, &mut options, tensors)?;
    Ok(driver::compile_imported(imported, start.elapsed(), &options)?)
}
