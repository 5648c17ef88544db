//! One run, from its inputs to its outputs.

use super::contexts::{Context, replay_or_record};
use super::{Engine, weight_bytes};
use crate::exec::{Run, tensor};
use crate::external::{Home, Range, check};
use crate::limits::mebibytes;
use crate::memory::{Provision, RunMemory, host_bytes};
use crate::order::Fence;
use crate::plan::{Homes, Plan};
use crate::profile::{Recorder, Runs, Watch};
use crate::{DeviceTensor, Error, Input, Order, Output, Produced, inputs};
use bytes::Bytes;
use std::sync::Arc;
use tensor::Tensor;

/// What a caller asks for.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) inputs: &'a [Input<'a>],
    /// Where the outputs go; without it, they are tensors of the host.
    pub(super) outputs: Option<&'a [Output<'a>]>,
    pub(super) order: &'a Order,
    /// Whether the run is done when the call returns.
    pub(super) waits: bool,
}

/// A run that is done, or given to the device.
pub(super) struct Done {
    pub(super) tensors: Vec<Tensor>,
    pub(super) produced: Vec<Produced>,
    pub(super) used: Used,
    pub(super) fence: Option<Arc<dyn Fence>>,
}

/// Memory that a run used.
pub(super) struct Used {
    pub(super) arena: usize,
    pub(super) late: usize,
}

/// What to watch during a run.
pub(super) enum Look<'a> {
    Away,
    /// Every step. Nothing is recorded then.
    Steps(&'a mut Recorder),
    /// The run as a whole, as it is done without looking.
    Whole(&'a mut Runs),
}

impl<'a> Call<'a> {
    /// A run that is waited for, with outputs that are tensors of the host.
    pub(super) fn with(inputs: &'a [Input<'a>]) -> Self {
        static NOW: Order = Order { stream: None, after: vec![], trusts_indices: false };
        Call { inputs, outputs: None, order: &NOW, waits: true }
    }

    /// Where the caller wants outputs.
    fn rooms(&self, n_outputs: usize) -> Vec<Option<Range>> {
        match self.outputs {
            None => vec![None; n_outputs],
            Some(outputs) => {
                let room = |output: &Output<'_>| match output {
                    Output::New => None,
                    Output::Into(room) => Some(room.range()),
                };
                outputs.iter().map(room).collect()
            }
        }
    }

    /// Whose memory inputs and outputs are in.
    fn homes(&self, n_outputs: usize, is_host_memory: bool) -> Homes {
        let input = |input: &Input<'_>| match input {
            Input::Host(_) if !is_host_memory => Home::Arena,
            Input::Host(_) | Input::Here(_) => Home::Caller,
        };
        let output = |output: &Output<'_>| match output {
            Output::New => Home::Own,
            Output::Into(_) => Home::Caller,
        };
        let taken = if is_host_memory { Home::Own } else { Home::Arena };
        Homes {
            inputs: self.inputs.iter().map(input).collect(),
            outputs: match self.outputs {
                None => vec![taken; n_outputs],
                Some(outputs) => outputs.iter().map(output).collect(),
            },
        }
    }
}

impl Engine {
    /// The plan for what a caller asks for, whose inputs are checked.
    pub(super) fn plan_of(&self, call: &Call<'_>) -> Result<Arc<Plan>, Error> {
        let n_outputs = self.prepared.program().outputs.len();
        if let Some(outputs) = call.outputs
            && outputs.len() != n_outputs
        {
            return Err(Error::Input(format!("{} places for outputs given, the model has {n_outputs}", outputs.len())));
        }
        let symbols = inputs::bind(&self.prepared, call.inputs)?;
        Ok(self.plan(symbols, call.homes(n_outputs, self.module.is_host_memory())))
    }

    pub(super) fn execute(&self, call: Call<'_>, look: Look<'_>) -> Result<Done, Error> {
        let clock = self.limits.clock();
        let plan = self.plan_of(&call)?;
        let rooms = call.rooms(plan.homes.outputs.len());
        check(&self.prepared, &*self.module, call.inputs, &rooms)?;
        self.check_planned(&plan)?;
        // A context whose run failed is dropped: its stream may be in any state.
        let mut context = self.context(plan.arena_bytes, call.order.stream)?;
        begin(&mut context, call.order)?;
        let arena = context.arena();
        let pool = context.stream.pool();
        let provision = Provision { pool, arena, inputs: call.inputs, rooms: &rooms, limits: self.limits };
        let memory = RunMemory::new(&self.prepared, &plan, &*self.module, provision)?;
        let (recorder, runs) = match look {
            Look::Away => (None, None),
            Look::Steps(recorder) => (Some(recorder), None),
            Look::Whole(runs) => (None, Some(runs)),
        };
        let mut run = Run::new(memory, &mut *context.stream, clock, recorder);
        run.trusts_indices = call.order.trusts_indices;
        run.check_inputs(call.inputs)?;
        self.upload_inputs(&mut run, call.inputs)?;
        let recorded = self.prepared.is_straight && plan.is_fixed && run.recorder.is_none();
        let mut records = recorded.then_some(&mut context.records);
        let mut work = |run: &mut Run<'_>| match &mut records {
            Some(records) => replay_or_record(run, &plan, arena, records),
            None => run.program(),
        };
        match runs {
            None => work(&mut run)?,
            Some(runs) => {
                runs.evict(run.stream)?;
                let watch = Watch::start(run.stream)?;
                work(&mut run)?;
                runs.times.push(watch.stop(run.stream)?);
            }
        }
        run.check_rest()?;
        let (tensors, produced) = match call.outputs {
            None => (self.collect(&mut run)?, vec![]),
            Some(_) => (vec![], self.produced(&mut run)?),
        };
        let fence = end(&mut run, &call)?;
        let used = Used { arena: plan.arena_bytes, late: run.memory.late_peak() };
        drop(run);
        context.left = fence.clone().map(|fence| (call.order.stream, fence));
        self.give_back(context);
        Ok(Done { tensors, produced, used, fence })
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

    /// Copies the host's tensors to a device with memory of its own.
    fn upload_inputs(&self, run: &mut Run<'_>, inputs: &[Input<'_>]) -> Result<(), Error> {
        for (idx, (port, input)) in self.prepared.program().inputs.iter().zip(inputs).enumerate() {
            let Input::Host(tensor) = input else { continue };
            if run.memory.plan.homes.inputs[idx] != Home::Arena {
                continue;
            }
            let located = run.memory.locate(port.view)?;
            if located.bytes != tensor.bytes().len() {
                return Err(Error::Program(format!("input `{}` has another size than its view", port.name)));
            }
            // SAFETY: the view has as many bytes as the tensor.
            unsafe { run.stream.upload(tensor.bytes(), located.address) }?;
        }
        Ok(())
    }

    /// The outputs as tensors of the host.
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

    /// The outputs where they are.
    fn produced(&self, run: &mut Run<'_>) -> Result<Vec<Produced>, Error> {
        let mut outputs = vec![];
        for port in &self.prepared.program().outputs {
            let located = run.memory.locate(port.view)?;
            let (dtype, shape) = (located.dtype, located.shape);
            let memory = run.memory.take_output(port.view);
            let tensor = memory.map(|memory| DeviceTensor::new(dtype, shape.clone(), memory, self.module.space()));
            outputs.push(Produced { dtype, shape, tensor });
        }
        Ok(outputs)
    }
}

/// Puts a run in the order that is asked for.
fn begin(context: &mut Context, order: &Order) -> Result<(), Error> {
    context.left = None;
    if let Some(stream) = order.stream {
        // SAFETY: promised by whoever made the stream's handle.
        unsafe { context.stream.adopt(stream) }?;
    }
    for event in &order.after {
        // SAFETY: promised by whoever made the event's handle.
        unsafe { context.stream.wait_for(*event) }?;
    }
    Ok(())
}

/// Ends it: waits, or says when it will be done.
fn end(run: &mut Run<'_>, call: &Call<'_>) -> Result<Option<Arc<dyn Fence>>, Error> {
    let fence = if call.waits {
        run.stream.synchronize()?;
        None
    } else {
        run.stream.fence()?
    };
    run.stream.release()?;
    Ok(fence)
}
