//! Loading an artifact on a device, and running it.

use crate::device::{Address, Device, GraphId, Memory, Module, Stream};
use crate::exec::{Run, tensor};
use crate::limits::mebibytes;
use crate::memory::{RunMemory, host_bytes};
use crate::plan::Plan;
use crate::prepared::Prepared;
use crate::profile::{Profile, Recorder, Runs, Watch};
use crate::{Error, Limits, inputs};
use artifact::{Artifact, Signature};
use bytes::Bytes;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tensor::Tensor;

/// The first runs of a measurement load code and record graphs.
const WARM_UP: usize = 2;

/// Plans are kept for this many shapes of inputs.
const PLANS: usize = 8;

/// A loaded model. Runs may happen from several threads at once.
///
/// ```
/// use runtime::{Engine, Host};
/// use tensor::Tensor;
/// # use artifact::{Artifact, Kernels, Manifest, Place, ProgramBuilder, Signature, Step, Variant};
/// # use tensor::{DType, Dim};
/// # let mut b = ProgramBuilder::new();
/// # let [x, y] = [Place::Input(0), Place::Output(0)].map(|place| b.tensor(place, DType::F32, &[Dim::symbol("N"), 3.into()]));
/// # b.input("x", x);
/// # b.output("y", y);
/// # b.push(Step::Copy { from: x, to: y });
/// # let signature = |name: &str| vec![Signature { name: name.into(), dtype: DType::F32, shape: vec!["N".into(), "3".into()] }];
/// # let (inputs, outputs) = (signature("x"), signature("y"));
/// # let manifest = Manifest { producer: "doc".into(), model: "copy".into(), numerics: "strict".into(), inputs, outputs, ranges: vec![] };
/// # let target = format!("host:{}-unknown-{}-gnu/generic/", std::env::consts::ARCH, std::env::consts::OS);
/// # let kernels = Kernels::Host { units: vec![], kernels: vec![] };
/// # let variants = vec![Variant { target, kernels, program: b.finish() }];
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("model.tenfold");
/// # Artifact { manifest, variants, code: vec![], weights: vec![] }.write(&path)?;
///
/// // A model `y = x`, compiled before.
/// let engine = Engine::load(&path, &Host::new(None))?;
/// assert_eq!(engine.inputs()[0].to_string(), "x: f32[N,3]");
///
/// let x = Tensor::from_vec(vec![1, 3], vec![1.0f32, 2.0, 3.0]);
/// let outputs = engine.run(&[x.clone()])?;
/// assert_eq!(outputs[0], x);
///
/// let wrong = Tensor::from_vec(vec![1, 4], vec![0.0f32; 4]);
/// assert_eq!(engine.run(&[wrong]).unwrap_err().to_string(), "input `x`: axis 1 is 4, it must be 3");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Engine {
    prepared: Prepared,
    module: Box<dyn Module>,
    device: String,
    limits: Limits,
    /// Most recently used last.
    plans: Mutex<Vec<Arc<Plan>>>,
    idle: Mutex<Vec<Context>>,
}

/// What a run needs and leaves to the next one.
struct Context {
    stream: Box<dyn Stream>,
    arena: Option<Memory>,
    /// Recorded runs, by plan; valid for this arena only.
    graphs: Vec<(u64, GraphId)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while one of these locks is held leaves a list that is complete: entries are moved in and out whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Engine {
    /// Maps an artifact's file and loads it on a device.
    pub fn load(path: &Path, device: &dyn Device) -> Result<Self, Error> {
        Engine::load_with(path, device, Limits::default())
    }

    /// The same, with limits for the runs. Weights that pass the limit are refused before they are given to the device.
    pub fn load_with(path: &Path, device: &dyn Device, limits: Limits) -> Result<Self, Error> {
        Engine::new(Arc::new(Artifact::open(path)?), device, limits)
    }

    /// Loads an artifact that is in memory.
    pub fn from_bytes(bytes: Bytes, device: &dyn Device) -> Result<Self, Error> {
        Engine::new(Arc::new(Artifact::decode(bytes)?), device, Limits::default())
    }

    /// Loads an artifact that was just built, or decoded.
    pub fn from_artifact(artifact: Arc<Artifact>, device: &dyn Device) -> Result<Self, Error> {
        Engine::from_artifact_with(artifact, device, Limits::default())
    }

    /// The same, with limits for the runs; see [`Engine::load_with`].
    pub fn from_artifact_with(artifact: Arc<Artifact>, device: &dyn Device, limits: Limits) -> Result<Self, Error> {
        artifact.check()?;
        Engine::new(artifact, device, limits)
    }

    /// Loads a valid artifact.
    fn new(artifact: Arc<Artifact>, device: &dyn Device, limits: Limits) -> Result<Self, Error> {
        limits.check_memory(weight_bytes(&artifact), || "the weights alone".into())?;
        let targets: Vec<String> = artifact.variants.iter().map(|variant| variant.target.clone()).collect();
        let variant = device.choose(&targets)?;
        let module = device.load(&artifact, variant)?;
        let prepared = Prepared::new(artifact, variant, module.is_host_memory())?;
        let (plans, idle) = (Mutex::new(vec![]), Mutex::new(vec![]));
        Ok(Engine { prepared, module, device: device.name(), limits, plans, idle })
    }

    /// The inputs, in order.
    pub fn inputs(&self) -> &[Signature] {
        &self.prepared.artifact().manifest.inputs
    }

    /// The outputs, in order.
    pub fn outputs(&self) -> &[Signature] {
        &self.prepared.artifact().manifest.outputs
    }

    /// The artifact.
    pub fn artifact(&self) -> &Artifact {
        self.prepared.artifact()
    }

    /// The target of the variant that was chosen.
    pub fn target(&self) -> &str {
        &self.artifact().variants[self.prepared.variant()].target
    }

    /// The device's name.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// What the device has to tell about the runs so far, as lines for people.
    pub fn device_report(&self) -> Vec<String> {
        self.module.report()
    }

    /// Runs the model on inputs in order.
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        self.execute(inputs, Look::Away).map(|(outputs, _)| outputs)
    }

    /// Runs the model on inputs by name; the outputs come with their names.
    pub fn run_named(&self, inputs: &[(&str, Tensor)]) -> Result<Vec<(String, Tensor)>, Error> {
        let outputs = self.run(&self.order_inputs(inputs)?)?;
        Ok(self.outputs().iter().map(|port| port.name.clone()).zip(outputs).collect())
    }

    /// Puts named inputs in order.
    pub fn order_inputs(&self, inputs: &[(&str, Tensor)]) -> Result<Vec<Tensor>, Error> {
        let names: Vec<&str> = self.inputs().iter().map(|port| port.name.as_str()).collect();
        let mut ordered = vec![None; names.len()];
        for (name, tensor) in inputs {
            let Some(at) = names.iter().position(|known| known == name) else {
                return Err(Error::Input(format!("the model has no input `{name}`; it takes {}", names.join(", "))));
            };
            if ordered[at].replace(tensor.clone()).is_some() {
                return Err(Error::Input(format!("input `{name}` is given twice")));
            }
        }
        let missing = || names.iter().zip(&ordered).filter(|(_, given)| given.is_none()).map(|(name, _)| *name);
        match ordered.iter().cloned().collect() {
            Some(tensors) => Ok(tensors),
            None => Err(Error::Input(format!("missing inputs: {}", missing().collect::<Vec<_>>().join(", ")))),
        }
    }

    /// Runs the model and measures each step.
    pub fn profile(&self, inputs: &[Tensor]) -> Result<(Vec<Tensor>, Profile), Error> {
        let mut recorder = Recorder::default();
        let start = std::time::Instant::now();
        let (outputs, memory) = self.execute(inputs, Look::Steps(&mut recorder))?;
        let profile = Profile {
            total: start.elapsed(),
            steps: recorder.finish(self.prepared.program()),
            arena_bytes: memory.arena,
            peak_bytes: memory.arena + memory.late,
            weight_bytes: weight_bytes(self.artifact()),
        };
        Ok((outputs, profile))
    }

    /// Times so many runs on the device alone, in order, after two to warm up: inputs are there before, outputs are fetched
    /// after. By the device's own clock if it has one.
    ///
    /// Before each run `evict` bytes are copied on the device, so that its caches are cold if that is twice what they hold or
    /// more; 0 leaves them warm.
    pub fn measure(&self, inputs: &[Tensor], runs: usize, evict: usize) -> Result<Vec<Duration>, Error> {
        let eviction = (evict > 0).then(|| self.module.alloc(evict)).transpose()?;
        let mut measured = Runs { eviction, times: vec![] };
        for _ in 0..WARM_UP + runs {
            self.execute(inputs, Look::Whole(&mut measured))?;
        }
        Ok(measured.times.split_off(WARM_UP))
    }

    fn execute(&self, inputs: &[Tensor], look: Look<'_>) -> Result<(Vec<Tensor>, Used), Error> {
        let clock = self.limits.clock();
        let plan = self.plan(inputs::bind(&self.prepared, inputs)?);
        self.check_planned(&plan)?;
        // A context whose run failed is dropped: its stream may be in any state.
        let mut context = self.context(plan.arena_bytes)?;
        let arena = context.arena.as_ref().map_or(Address::new(0), Memory::address);
        let memory = RunMemory::new(&self.prepared, &plan, &*self.module, arena, inputs, self.limits)?;
        let (recorder, runs) = match look {
            Look::Away => (None, None),
            Look::Steps(recorder) => (Some(recorder), None),
            Look::Whole(runs) => (None, Some(runs)),
        };
        let mut run = Run::new(memory, &mut *context.stream, clock, recorder);
        run.check_inputs(inputs)?;
        if !self.module.is_host_memory() {
            self.upload_inputs(&mut run, inputs)?;
        }
        let recorded = self.prepared.is_straight && plan.is_fixed && run.recorder.is_none();
        let graphs = recorded.then_some(&mut context.graphs);
        match runs {
            None => do_work(&mut run, &plan, graphs)?,
            Some(runs) => {
                runs.evict(run.stream)?;
                let watch = Watch::start(run.stream)?;
                do_work(&mut run, &plan, graphs)?;
                runs.times.push(watch.stop(run.stream)?);
            }
        }
        run.check_rest()?;
        let outputs = self.collect(&mut run)?;
        let used = Used { arena: plan.arena_bytes, late: run.memory.late_peak() };
        drop(run);
        lock(&self.idle).push(context);
        Ok((outputs, used))
    }

    /// Refuses a run whose planned memory passes the limit, before anything is allocated.
    fn check_planned(&self, plan: &Plan) -> Result<(), Error> {
        let weights = weight_bytes(self.artifact());
        let outputs = plan.output_bytes(&self.prepared);
        let scratch = plan.scratch_bytes(&self.prepared).saturating_mul(self.module.scratch_copies());
        let parts = [weights, plan.arena_bytes, outputs, scratch];
        let total = parts.into_iter().fold(0, usize::saturating_add);
        self.limits.check_memory(total, || {
            let [weights, arena, outputs, scratch] = parts.map(mebibytes);
            format!("weights {weights}, arena {arena}, outputs {outputs}, scratch {scratch}")
        })
    }

    fn upload_inputs(&self, run: &mut Run<'_>, inputs: &[Tensor]) -> Result<(), Error> {
        for (port, tensor) in self.prepared.program().inputs.iter().zip(inputs) {
            let located = run.memory.locate(port.view)?;
            if located.bytes != tensor.bytes().len() {
                return Err(Error::Program(format!("input `{}` has another size than its view", port.name)));
            }
            // SAFETY: the view has as many bytes as the tensor.
            unsafe { run.stream.upload(tensor.bytes(), located.address) }?;
        }
        Ok(())
    }

    fn collect(&self, run: &mut Run<'_>) -> Result<Vec<Tensor>, Error> {
        run.stream.synchronize()?;
        let mut outputs = vec![];
        for port in &self.prepared.program().outputs {
            let located = run.memory.locate(port.view)?;
            let block = match run.memory.take_host_output(port.view) {
                Some(block) => block,
                None => {
                    let mut block = host_bytes(located.bytes)?;
                    // SAFETY: the view was checked to have these bytes.
                    unsafe { run.stream.download(located.address, block.as_mut()) }?;
                    block
                }
            };
            outputs.push(tensor(located, Bytes::from_owner(block))?);
        }
        Ok(outputs)
    }

    /// The plan for an assignment of symbols, from the cache or new.
    fn plan(&self, symbols: Vec<Option<i64>>) -> Arc<Plan> {
        let mut plans = lock(&self.plans);
        let n_bound = symbols.len();
        let same =
            |plan: &Arc<Plan>| (0..n_bound).all(|slot| plan.symbols[slot] == symbols[slot] || symbols[slot].is_none());
        let plan = match plans.iter().position(same) {
            Some(at) => plans.remove(at),
            None => Arc::new(Plan::new(&self.prepared, symbols, self.module.is_host_memory())),
        };
        plans.push(plan.clone());
        if plans.len() > PLANS {
            plans.remove(0);
        }
        plan
    }

    /// An idle context whose arena is large enough, or a new one.
    fn context(&self, arena_bytes: usize) -> Result<Context, Error> {
        let idle = lock(&self.idle).pop();
        let mut context = match idle {
            Some(context) => context,
            None => Context { stream: self.module.stream()?, arena: None, graphs: vec![] },
        };
        if context.arena.as_ref().is_none_or(|arena| arena.bytes() < arena_bytes) {
            context.graphs.clear();
            context.stream.forget_captures();
            // The old memory goes first, so that both need not fit.
            context.arena = None;
            context.arena = Some(self.module.alloc(arena_bytes)?);
        }
        Ok(context)
    }

    /// Bytes of the arena for inputs of these shapes: the planned peak of intermediate memory.
    pub fn arena_bytes(&self, inputs: &[Tensor]) -> Result<usize, Error> {
        Ok(self.plan(inputs::bind(&self.prepared, inputs)?).arena_bytes)
    }
}

fn weight_bytes(artifact: &Artifact) -> usize {
    artifact.weights.iter().map(|weight| weight.data.len()).sum()
}

/// Memory that a run used.
struct Used {
    arena: usize,
    late: usize,
}

/// What to watch during a run.
enum Look<'a> {
    Away,
    /// Every step. Nothing is recorded then.
    Steps(&'a mut Recorder),
    /// The run as a whole, as it is done without looking.
    Whole(&'a mut Runs),
}

/// Runs the program, through records if there may be some.
fn do_work(run: &mut Run<'_>, plan: &Plan, graphs: Option<&mut Vec<(u64, GraphId)>>) -> Result<(), Error> {
    match graphs {
        Some(graphs) => replay_or_record(run, plan, graphs),
        None => run.program(),
    }
}

/// Runs straight-line work: by a record of an earlier run, or while recording if the device can.
fn replay_or_record(run: &mut Run<'_>, plan: &Plan, graphs: &mut Vec<(u64, GraphId)>) -> Result<(), Error> {
    run.clock.check()?;
    let known = graphs.iter().find(|(id, _)| *id == plan.id).map(|(_, graph)| *graph);
    let graph = match known {
        Some(graph) => graph,
        None if run.stream.begin_capture()? => {
            let recorded = run.program();
            // The capture ends in any case, or the stream would be lost with it.
            let graph = run.stream.end_capture();
            recorded?;
            let graph = graph?;
            graphs.push((plan.id, graph));
            graph
        }
        None => return run.program(),
    };
    // SAFETY: the record belongs to this plan and this arena, so its addresses are those of this run.
    unsafe { run.stream.replay(graph) }?;
    Ok(())
}
