//! Times of a run, step by step.

use crate::DeviceError;
use crate::device::{Mark, Memory, Stream};
use crate::memory::RunMemory;
use artifact::{BlockId, Program, Step};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What one run cost.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// The steps that do work, in program order. A step in a loop counts once, with all its calls.
    pub steps: Vec<StepProfile>,
    /// The whole run, with the waits that measuring adds.
    pub total: Duration,
    /// Bytes of the planned arena.
    pub arena_bytes: usize,
    /// Most bytes in use at once: the arena, buffers whose size steps decided, and (on the host) outputs and scratch memory.
    pub peak_bytes: usize,
    /// Bytes of all weights.
    pub weight_bytes: usize,
}

/// What one step cost.
#[derive(Clone, Debug)]
pub struct StepProfile {
    /// The kernel's name, or that of the operator or step.
    pub name: String,
    /// The nodes of the source model that it computes.
    pub nodes: Vec<String>,
    /// How often it ran.
    pub calls: u64,
    /// Time of all calls.
    pub time: Duration,
    /// Floating-point operations of all calls.
    pub flops: i64,
    /// Bytes that all calls had to read and write.
    pub bytes: i64,
}

/// Times work on a stream: by the device's clock if it has one, else by ours.
pub(crate) struct Watch {
    mark: Option<Mark>,
    start: Instant,
}

impl Watch {
    /// Starts when everything before is done.
    pub(crate) fn start(stream: &mut dyn Stream) -> Result<Watch, DeviceError> {
        let mark = stream.mark()?;
        if mark.is_none() {
            stream.synchronize()?;
        }
        Ok(Watch { mark, start: Instant::now() })
    }

    /// Waits until everything is done.
    pub(crate) fn stop(self, stream: &mut dyn Stream) -> Result<Duration, DeviceError> {
        let end = stream.mark()?;
        stream.synchronize()?;
        match (self.mark, end) {
            (Some(start), Some(end)) => stream.between(start, end),
            _ => Ok(self.start.elapsed()),
        }
    }
}

/// Collects the times of whole runs.
pub(crate) struct Runs {
    /// Copied from one half to the other before each run, so that the caches hold nothing of the last one.
    pub(crate) eviction: Option<Memory>,
    pub(crate) times: Vec<Duration>,
}

impl Runs {
    /// Empties the caches.
    pub(crate) fn evict(&self, stream: &mut dyn Stream) -> Result<(), DeviceError> {
        let Some(memory) = &self.eviction else { return Ok(()) };
        let half = memory.bytes() / 2;
        let from = memory.address();
        // SAFETY: both halves lie in the memory, which lives as long as `self`; the run is waited for before that ends.
        unsafe { stream.copy(from, from.offset(half), half) }
    }
}

/// Collects times while a run goes on.
#[derive(Default)]
pub(crate) struct Recorder {
    steps: BTreeMap<(BlockId, usize), StepProfile>,
}

impl Recorder {
    /// Adds one call of a step.
    pub(crate) fn add(&mut self, block: BlockId, at: usize, time: Duration, memory: &RunMemory<'_>) {
        let prepared = memory.prepared;
        let program = prepared.program();
        let step = &program.blocks[block.idx()][at];
        let entry = self.steps.entry((block, at)).or_insert_with(|| {
            let kernels = &prepared.artifact().variants[prepared.variant()].kernels;
            let (name, nodes) = match step {
                Step::Launch(launch) => (kernels.name(launch.kernel.idx()), &launch.nodes[..]),
                Step::Host { op, nodes, .. } => (op.name(), &nodes[..]),
                Step::Copy { .. } => ("copy", &[][..]),
                _ => ("dims", &[][..]),
            };
            let nodes = nodes.iter().map(|node| program.nodes[node.idx()].clone()).collect();
            StepProfile { name: name.into(), nodes, calls: 0, time: Duration::ZERO, flops: 0, bytes: 0 }
        });
        entry.calls += 1;
        entry.time += time;
        if let Step::Launch(launch) = step {
            entry.flops = entry.flops.saturating_add(memory.value(launch.flops).unwrap_or(0));
            entry.bytes = entry.bytes.saturating_add(memory.value(launch.bytes).unwrap_or(0));
        }
    }

    /// The steps in the order in which the program runs them.
    pub(crate) fn finish(self, program: &Program) -> Vec<StepProfile> {
        fn walk(program: &Program, block: BlockId, order: &mut Vec<(BlockId, usize)>) {
            for (at, step) in program.blocks[block.idx()].iter().enumerate() {
                order.push((block, at));
                step.blocks().into_iter().for_each(|nested| walk(program, nested, order));
            }
        }
        let (mut order, mut steps) = (vec![], self.steps);
        walk(program, Program::ENTRY, &mut order);
        order.into_iter().filter_map(|key| steps.remove(&key)).collect()
    }
}
