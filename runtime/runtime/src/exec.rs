//! Runs the steps of a program: straight-line work, symbols and branches. Loops are in [`repeat`](crate::repeat).

use crate::device::{Address, Stream, Work};
use crate::limits::Clock;
use crate::memory::{Located, RunMemory, host_bytes};
use crate::profile::{Recorder, Watch};
use crate::{DeviceError, Error, TensorMap, host_ops};
use artifact::{BlockId, Condition, DimId, HostOp, Launch, Program, Step, SymbolId, ViewId};
use bytes::Bytes;
use tensor::{Scalar, Tensor};

/// One run of a program.
pub(crate) struct Run<'a> {
    pub(crate) memory: RunMemory<'a>,
    pub(crate) stream: &'a mut dyn Stream,
    pub(crate) clock: Clock,
    pub(crate) recorder: Option<&'a mut Recorder>,
    /// The caller vouches for indices.
    pub(crate) trusts_indices: bool,
    args: Vec<Address>,
    buffers: Vec<(Address, usize)>,
    dims: Vec<i64>,
    maps: Vec<TensorMap>,
}

impl<'a> Run<'a> {
    /// A run that has not begun.
    pub(crate) fn new(
        memory: RunMemory<'a>,
        stream: &'a mut dyn Stream,
        clock: Clock,
        recorder: Option<&'a mut Recorder>,
    ) -> Self {
        let (args, buffers, dims, maps) = (vec![], vec![], vec![], vec![]);
        Run { memory, stream, clock, recorder, trusts_indices: false, args, buffers, dims, maps }
    }

    /// Runs the whole program.
    pub(crate) fn program(&mut self) -> Result<(), Error> {
        let prepared = self.memory.prepared;
        for at in 0..prepared.program().blocks[0].len() {
            if !prepared.moved.contains(at) {
                self.timed(Program::ENTRY, at)?;
            }
            self.memory.release_dying(&prepared.lifetimes.dying[at]);
        }
        Ok(())
    }

    /// Runs a block.
    pub(crate) fn block(&mut self, block: BlockId) -> Result<(), Error> {
        let n_steps = self.memory.prepared.program().blocks[block.idx()].len();
        (0..n_steps).try_for_each(|at| self.timed(block, at))
    }

    fn timed(&mut self, block: BlockId, at: usize) -> Result<(), Error> {
        self.clock.check()?;
        let step = &self.memory.prepared.program().blocks[block.idx()][at];
        let leaf = matches!(step, Step::Launch(_) | Step::Dims { .. } | Step::Copy { .. } | Step::Host { .. });
        let watch = (leaf && self.recorder.is_some()).then(|| Watch::start(self.stream)).transpose()?;
        self.step(step).map_err(|error| match error {
            Error::Program(why) => Error::Program(format!("block {}, step {at}: {why}", block.0)),
            other => other,
        })?;
        if let (Some(watch), Some(recorder)) = (watch, self.recorder.as_deref_mut()) {
            recorder.add(block, at, watch.stop(self.stream)?, &self.memory);
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Launch(launch) => self.launch(launch),
            Step::Dims { values, out } => self.dims(values, *out),
            Step::Bind { input, symbols } => self.bind(*input, symbols),
            Step::Let { symbol, value } => {
                let value = self.memory.value(*value)?;
                self.set(*symbol, value);
                Ok(())
            }
            Step::Check { condition, message } => self.check(*condition, message),
            Step::Indices { .. } if self.trusts_indices => Ok(()),
            Step::Indices { input, sizes, axis, message } => self.indices(*input, sizes, *axis, message),
            Step::Expect { given, expected, message } => self.expect(*given, *expected, message),
            Step::Copy { from, to } => {
                let (from, to) = (self.memory.locate(*from)?, self.memory.locate(*to)?);
                self.copy(&from, &to)
            }
            Step::Host { op, inputs, outputs, symbols, .. } => self.host(op, inputs, outputs, symbols),
            Step::If { cond, then, otherwise } => {
                let block = if self.read_int(*cond)? != 0 { *then } else { *otherwise };
                self.block(block)
            }
            Step::Loop(repeat) => self.repeat(repeat),
        }
    }

    fn launch(&mut self, launch: &Launch) -> Result<(), Error> {
        let tasks = self.memory.value(launch.tasks)?;
        if tasks <= 0 {
            return Ok(());
        }
        self.args.clear();
        for view in &launch.args {
            self.args.push(self.memory.address(*view)?);
        }
        self.buffers.clear();
        if self.memory.module.checks_bounds() {
            self.buffers.extend(launch.args.iter().filter_map(|view| self.memory.buffer(*view)));
        }
        self.dims.clear();
        for dim in &launch.dims {
            self.dims.push(self.memory.value(*dim)?);
        }
        self.memory.maps(launch, &mut self.maps)?;
        let scratch = self.memory.scratch(launch.scratch)?;
        let cost = self.memory.value(launch.cost)?;
        let (args, buffers, dims, maps) = (&self.args[..], &self.buffers[..], &self.dims[..], &self.maps[..]);
        let work = Work { kernel: launch.kernel, args, buffers, maps, dims, tasks, scratch, cost };
        // SAFETY: every address begins a view that was checked to lie in its buffer, which lives as long as the run; that the
        // kernel stays within its views is the contract of a trusted artifact.
        unsafe { self.stream.launch(work) }.map_err(|error| self.with_nodes(error, launch))?;
        Ok(())
    }

    /// Says which nodes of the model a launch that failed computes.
    fn with_nodes(&self, error: DeviceError, launch: &Launch) -> DeviceError {
        let names = &self.memory.prepared.program().nodes;
        let nodes: Vec<&str> = launch.nodes.iter().map(|node| names[node.idx()].as_str()).collect();
        match error {
            DeviceError::Failed { device, why } if !nodes.is_empty() => {
                DeviceError::Failed { device, why: format!("{why}; the kernel computes {}", nodes.join(", ")) }
            }
            DeviceError::Lost { device, why } if !nodes.is_empty() => {
                DeviceError::Lost { device, why: format!("{why}; the kernel computes {}", nodes.join(", ")) }
            }
            other => other,
        }
    }

    fn dims(&mut self, values: &[DimId], out: ViewId) -> Result<(), Error> {
        let out = self.memory.locate(out)?;
        let size = out.dtype.size();
        if out.bytes != values.len() * size {
            return Err(Error::Program(format!("{} dimensions for {} bytes", values.len(), out.bytes)));
        }
        let mut bytes = vec![0; out.bytes];
        for (dim, chunk) in values.iter().zip(bytes.chunks_exact_mut(size)) {
            Scalar::Int(self.memory.value(*dim)?.into()).store(out.dtype, chunk);
        }
        // SAFETY: `out` was checked to have these bytes.
        unsafe { self.stream.upload(&bytes, out.address) }?;
        Ok(())
    }

    fn bind(&mut self, input: ViewId, symbols: &[SymbolId]) -> Result<(), Error> {
        let values = self.read_ints(input)?;
        if values.len() != symbols.len() {
            return Err(Error::Program(format!("{} values for {} symbols", values.len(), symbols.len())));
        }
        for (symbol, value) in symbols.iter().zip(values) {
            self.set(*symbol, value);
        }
        Ok(())
    }

    /// Gives a symbol a value.
    pub(crate) fn set(&mut self, symbol: SymbolId, value: i64) {
        self.memory.symbols[symbol.idx()] = Some(value);
    }

    fn check(&self, condition: Condition, message: &str) -> Result<(), Error> {
        let [a, b] = condition.operands().map(|dim| self.memory.value(dim));
        let (a, b) = (a?, b?);
        let (holds, relation) = match condition {
            Condition::Equal(..) => (a == b, "equal to"),
            Condition::AtMost(..) => (a <= b, "at most"),
            Condition::MultipleOf(..) => (b != 0 && a.checked_rem(b).unwrap_or(0) == 0, "a multiple of"),
            Condition::Broadcasts(..) => (a == b || a == 1 || b == 1, "equal to (or 1, or beside a 1)"),
        };
        if holds { Ok(()) } else { Err(Error::Check(format!("{message} ({a} must be {relation} {b})"))) }
    }

    fn expect(&mut self, given: ViewId, expected: ViewId, message: &str) -> Result<(), Error> {
        let (given, expected) = (self.read(given)?, self.read(expected)?);
        match difference(&given, &expected) {
            None => Ok(()),
            Some(why) => Err(Error::Check(format!("{message}: {why}"))),
        }
    }

    /// Copies a tensor to another of the same size.
    pub(crate) fn copy(&mut self, from: &Located, to: &Located) -> Result<(), Error> {
        if from.bytes != to.bytes {
            return Err(Error::Program(format!("a copy of {:?} to {:?}", from.shape, to.shape)));
        }
        if from.bytes > 0 && from.address != to.address {
            // SAFETY: both ranges lie in buffers of the run; the format demands that they do not overlap.
            unsafe { self.stream.copy(from.address, to.address, from.bytes) }?;
        }
        Ok(())
    }

    /// Reads a tensor into host memory.
    pub(crate) fn read(&mut self, view: ViewId) -> Result<Tensor, Error> {
        let located = self.memory.locate(view)?;
        let mut block = host_bytes(located.bytes)?;
        // SAFETY: the view was checked to have these bytes.
        unsafe { self.stream.download(located.address, block.as_mut()) }?;
        tensor(located, Bytes::from_owner(block))
    }

    fn read_ints(&mut self, view: ViewId) -> Result<Vec<i64>, Error> {
        Ok(self.read(view)?.to_ints())
    }

    /// Reads a tensor of one integer or truth value.
    pub(crate) fn read_int(&mut self, view: ViewId) -> Result<i64, Error> {
        match self.read_ints(view)?[..] {
            [value] => Ok(value),
            ref values => Err(Error::Program(format!("{} elements where one was expected", values.len()))),
        }
    }

    fn host(&mut self, op: &HostOp, inputs: &[ViewId], outputs: &[ViewId], symbols: &[SymbolId]) -> Result<(), Error> {
        let inputs = inputs.iter().map(|view| self.read(*view)).collect::<Result<Vec<_>, _>>()?;
        let mut wanted = vec![];
        for view in outputs {
            let dtype = self.memory.prepared.program().views[view.idx()].dtype;
            // With data-dependent sizes the shapes are known only afterwards.
            let shape = if op.sizes() == 0 { self.memory.locate(*view)?.shape } else { vec![] };
            wanted.push(host_ops::Wanted { dtype, shape });
        }
        let result =
            host_ops::run(op, &inputs, &wanted).map_err(|why| Error::Check(format!("{}: {why}", op.name())))?;
        if result.tensors.len() != outputs.len() || result.sizes.len() != symbols.len() {
            return Err(Error::Program(format!("{} has another number of results", op.name())));
        }
        for (symbol, size) in symbols.iter().zip(&result.sizes) {
            self.set(*symbol, *size);
        }
        for (view, tensor) in outputs.iter().zip(&result.tensors) {
            let located = self.memory.locate(*view)?;
            if located.shape != tensor.shape() || located.dtype != tensor.dtype() {
                let expected = self.memory.prepared.describe(*view);
                return Err(Error::Program(format!("{} gave {} for {expected}", op.name(), tensor.ty())));
            }
            // SAFETY: shape and type are equal, so the view has as many bytes.
            unsafe { self.stream.upload(tensor.bytes(), located.address) }?;
        }
        Ok(())
    }
}

/// The first difference of two tensors of one type, bit by bit; all NaNs are the same.
fn difference(given: &Tensor, expected: &Tensor) -> Option<String> {
    if given.shape() != expected.shape() {
        return Some(format!("it is {}, not {}", given.ty(), expected.ty()));
    }
    let size = given.dtype().size();
    let elements = given.bytes().chunks_exact(size).zip(expected.bytes().chunks_exact(size));
    let is_nan = |tensor: &Tensor, at: usize| given.dtype().is_float() && tensor.get(at).as_f64().is_nan();
    for (at, (a, b)) in elements.enumerate() {
        if a != b && !(is_nan(given, at) && is_nan(expected, at)) {
            let text = |tensor: &Tensor| match tensor.get(at) {
                Scalar::Int(v) => v.to_string(),
                Scalar::Float(v) => format!("{v:?}"),
                Scalar::Bool(v) => v.to_string(),
            };
            return Some(format!("element {at} of {} is {}, not {}", given.ty(), text(given), text(expected)));
        }
    }
    None
}

/// A host tensor from bytes that fit.
pub(crate) fn tensor(located: Located, bytes: Bytes) -> Result<Tensor, Error> {
    let fitted = bytes.slice(..located.bytes.min(bytes.len()));
    Tensor::from_bytes(located.dtype, located.shape, fitted).map_err(|e| Error::Program(e.to_string()))
}
