//! Loading an artifact on a device, and running it.

mod contexts;
mod execute;

use crate::device::{Device, Module};
use crate::external::byte_len;
use crate::memory::host_bytes;
use crate::plan::Plan;
use crate::prepared::Prepared;
use crate::profile::{Profile, Recorder, Runs};
use crate::{DeviceTensor, Error, Input, Limits, Order, Output, Produced, TensorRef, Ticket};
use artifact::{Artifact, Signature};
use bytes::Bytes;
use contexts::Context;
use execute::{Call, Look};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tensor::{DType, Tensor};

/// The first runs of a measurement load code and record graphs.
const WARM_UP: usize = 2;

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
        self.execute(Call::with(&host_inputs(inputs)), Look::Away).map(|done| done.tensors)
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

    /// Runs the model on memory of the caller, and waits until it is done.
    ///
    /// Each input is a tensor of the host, or one in the device's memory, which is read where it is. Each output goes to
    /// memory of the caller, or to new memory of the device. What lies in a device's memory begins at a multiple of 16 bytes
    /// and of its element's size; on the host the latter is enough.
    ///
    /// Inputs may overlap each other. An output overlaps no other output, and an input only if nothing reads that input any
    /// more when the output is begun. What is not so is refused.
    ///
    /// ```
    /// use runtime::{Engine, Host, Input, Order, Output, Room, TensorRef};
    /// use tensor::DType;
    /// # use artifact::{Artifact, Kernels, Manifest, Place, ProgramBuilder, Signature, Step, Variant};
    /// # use tensor::Dim;
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
    /// # let model = std::sync::Arc::new(Artifact { manifest, variants, code: vec![], weights: vec![] });
    ///
    /// // A model `y = x`, compiled before; here on the host, whose memory is the process's.
    /// let engine = Engine::from_artifact(model, &Host::new(None))?;
    /// let x: Vec<u8> = [1.0f32, 2.0, 3.0].iter().flat_map(|value| value.to_ne_bytes()).collect();
    /// let mut y = vec![0; x.len()];
    /// let input = TensorRef::from_host(DType::F32, vec![1, 3], &x)?;
    /// let produced = engine.run_on(&[input.into()], &[Room::from_host(&mut y).into()], &Order::default())?;
    /// assert_eq!(produced[0].shape, [1, 3]);
    /// assert_eq!(x, y);
    ///
    /// // Memory of the device, whatever that is, for what goes from one run to the next.
    /// let x = engine.upload(&tensor::Tensor::from_vec(vec![1, 3], vec![1.0f32, 2.0, 3.0]))?;
    /// let mut y = engine.empty(DType::F32, &[1, 3])?;
    /// for _ in 0..2 {
    ///     engine.run_on(&[(&x).into()], &[(&mut y).into()], &Order::default())?;
    /// }
    /// assert_eq!(engine.download(&y.as_ref())?.values::<f32>()[..], [1.0, 2.0, 3.0]);
    ///
    /// // Without a place of their own, outputs come in new memory.
    /// let new = engine.run_on(&[Input::from(&x)], &[Output::New], &Order::default())?;
    /// assert!(new[0].tensor.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As of [`Engine::run`]; [`Error::Input`] if memory is not as said above, or too small for an output.
    pub fn run_on(&self, inputs: &[Input<'_>], outputs: &[Output<'_>], order: &Order) -> Result<Vec<Produced>, Error> {
        let call = Call { outputs: Some(outputs), order, ..Call::with(inputs) };
        self.execute(call, Look::Away).map(|done| done.produced)
    }

    /// The same, but does not wait: the run is given to the device in the [order](Order) that is asked for, and the ticket says
    /// when it is done. What goes wrong on the device then is told by the ticket, or by any later run.
    ///
    /// Some runs wait nevertheless before this returns, wholly or in part: all of them on the host and the simulator; programs whose steps
    /// depend on data (loops, branches, sizes that are computed); and where indices are looked at, if the order does not
    /// [trust](Order::trusts_indices) them.
    ///
    /// # Safety
    /// Until the run is done, the memory of inputs and outputs lives; inputs are not written, outputs neither read nor written,
    /// but by what is ordered after the run on the device. This holds for [new](Output::New) outputs, too.
    ///
    /// # Errors
    /// As of [`Engine::run_on`].
    pub unsafe fn enqueue(
        &self,
        inputs: &[Input<'_>],
        outputs: &[Output<'_>],
        order: &Order,
    ) -> Result<(Vec<Produced>, Ticket), Error> {
        let call = Call { outputs: Some(outputs), order, waits: false, ..Call::with(inputs) };
        self.execute(call, Look::Away).map(|done| (done.produced, Ticket::new(done.fence)))
    }

    /// The shapes of the outputs for inputs of these types and shapes; `None` of an output whose shape depends on data.
    ///
    /// # Errors
    /// [`Error::Input`] if the model does not take such inputs.
    pub fn output_shapes(&self, inputs: &[(DType, &[usize])]) -> Result<Vec<Option<Vec<usize>>>, Error> {
        let types = inputs.iter().map(|(dtype, shape)| TensorRef::nowhere(*dtype, shape.to_vec()));
        let inputs: Vec<Input<'_>> = types.map(Input::Here).collect();
        let plan = self.plan_of(&Call::with(&inputs))?;
        let program = self.prepared.program();
        let shape = |port: &artifact::Port| {
            let dims = program.views[port.view.idx()].shape.iter();
            dims.map(|dim| plan.values[dim.idx()].and_then(|value| usize::try_from(value).ok())).collect()
        };
        Ok(program.outputs.iter().map(shape).collect())
    }

    /// New memory of the device for a tensor. What is in it is undefined.
    ///
    /// # Errors
    /// [`Error::Device`] if there is not so much.
    pub fn empty(&self, dtype: DType, shape: &[usize]) -> Result<DeviceTensor, Error> {
        let bytes = byte_len(dtype, shape).map_err(|why| Error::Input(why.to_string()))?;
        let memory = self.module.alloc(bytes)?;
        Ok(DeviceTensor::new(dtype, shape.to_vec(), memory, self.module.space()))
    }

    /// A copy of a tensor in the device's memory.
    ///
    /// # Errors
    /// [`Error::Device`] if there is no memory, or copying fails.
    pub fn upload(&self, tensor: &Tensor) -> Result<DeviceTensor, Error> {
        let copy = self.empty(tensor.dtype(), tensor.shape())?;
        let mut context = self.context(0, None)?;
        // SAFETY: the memory was made for as many bytes, and lives until the wait below.
        unsafe { context.stream.upload(tensor.bytes(), copy.address()) }?;
        context.stream.synchronize()?;
        self.give_back(context);
        Ok(copy)
    }

    /// A copy of a tensor of the device in the host's memory.
    ///
    /// # Errors
    /// [`Error::Input`] if the tensor is in the memory of another device, [`Error::Device`] if copying fails.
    pub fn download(&self, tensor: &TensorRef<'_>) -> Result<Tensor, Error> {
        if !tensor.may_be_in(self.module.space()) {
            return Err(Error::Input("the tensor is in the memory of another device".into()));
        }
        let mut block = host_bytes(tensor.bytes())?;
        let mut context = self.context(0, None)?;
        // SAFETY: the block has as many bytes as the tensor, whose maker promised that it lives.
        unsafe { context.stream.download(tensor.address(), block.as_mut()) }?;
        self.give_back(context);
        let bytes = Bytes::from_owner(block).slice(..tensor.bytes());
        Tensor::from_bytes(tensor.dtype(), tensor.shape().to_vec(), bytes).map_err(|why| Error::Input(why.to_string()))
    }

    /// Frees what is kept for later runs: arenas, records, cached memory. Runs that go on keep theirs.
    pub fn trim(&self) {
        let idle = std::mem::take(&mut *lock(&self.idle));
        drop(idle);
    }

    /// Runs the model and measures each step.
    pub fn profile(&self, inputs: &[Tensor]) -> Result<(Vec<Tensor>, Profile), Error> {
        let mut recorder = Recorder::default();
        let start = std::time::Instant::now();
        let done = self.execute(Call::with(&host_inputs(inputs)), Look::Steps(&mut recorder))?;
        let profile = Profile {
            total: start.elapsed(),
            steps: recorder.finish(self.prepared.program()),
            arena_bytes: done.used.arena,
            peak_bytes: done.used.arena + done.used.late,
            weight_bytes: weight_bytes(self.artifact()),
        };
        Ok((done.tensors, profile))
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
            self.execute(Call::with(&host_inputs(inputs)), Look::Whole(&mut measured))?;
        }
        Ok(measured.times.split_off(WARM_UP))
    }

    /// Bytes of the arena for inputs of these shapes: the planned peak of intermediate memory.
    pub fn arena_bytes(&self, inputs: &[Tensor]) -> Result<usize, Error> {
        let inputs = host_inputs(inputs);
        Ok(self.plan_of(&Call::with(&inputs))?.arena_bytes)
    }
}

fn host_inputs(inputs: &[Tensor]) -> Vec<Input<'_>> {
    inputs.iter().map(Input::Host).collect()
}

fn weight_bytes(artifact: &Artifact) -> usize {
    artifact.weights.iter().map(|weight| weight.data.len()).sum()
}
