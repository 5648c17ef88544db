//! What runs leave to each other: plans, streams, arenas and records.

use super::{Engine, lock};
use crate::device::{Address, GraphId, Memory, Stream};
use crate::exec::Run;
use crate::order::{Fence, RawStream};
use crate::plan::{Homes, Plan};
use crate::{DeviceError, Error};
use std::sync::Arc;

/// Plans are kept for this many shapes of inputs and places of inputs and outputs.
const PLANS: usize = 8;

/// So many runs may be on the way on streams that differ; the next one waits in line behind one of them.
const BUSY: usize = 8;

/// So many records are kept in a context.
const RECORDS: usize = 4;

/// What a run needs and leaves to the next one. Everything in it is used in the order of its stream.
pub(super) struct Context {
    /// The first field, so that it is dropped first: that waits for what uses the arena.
    pub(super) stream: Box<dyn Stream>,
    pub(super) arena: Option<Memory>,
    /// Most recently used last.
    pub(super) records: Vec<Record>,
    /// Where the last run went, if it was not waited for, and its end.
    pub(super) left: Option<(Option<RawStream>, Arc<dyn Fence>)>,
}

/// A recorded run.
pub(super) struct Record {
    plan: u64,
    /// The arena, and what was outside of it.
    bases: Vec<Address>,
    graph: GraphId,
}

impl Context {
    fn is_done(&self) -> Result<bool, DeviceError> {
        self.left.as_ref().map_or(Ok(true), |(_, fence)| fence.is_done())
    }

    pub(super) fn arena(&self) -> Address {
        self.arena.as_ref().map_or(Address::new(0), Memory::address)
    }
}

impl Engine {
    /// The plan for an assignment of symbols and places, from the cache or new.
    pub(super) fn plan(&self, symbols: Vec<Option<i64>>, homes: Homes) -> Arc<Plan> {
        let mut plans = lock(&self.plans);
        let n_bound = symbols.len();
        let same = |plan: &Arc<Plan>| {
            plan.homes == homes
                && (0..n_bound).all(|slot| plan.symbols[slot] == symbols[slot] || symbols[slot].is_none())
        };
        let plan = match plans.iter().position(same) {
            Some(at) => plans.remove(at),
            None => Arc::new(Plan::new(&self.prepared, symbols, homes)),
        };
        plans.push(plan.clone());
        if plans.len() > PLANS {
            plans.remove(0);
        }
        plan
    }

    /// A context that nobody else uses, whose arena is large enough.
    pub(super) fn context(&self, arena_bytes: usize, stream: Option<RawStream>) -> Result<Context, Error> {
        let mut context = match self.idle_context(stream)? {
            Some(context) => context,
            None => {
                let stream = self.module.stream()?;
                Context { stream, arena: None, records: vec![], left: None }
            }
        };
        if context.arena.as_ref().is_none_or(|arena| arena.bytes() < arena_bytes) {
            // The old memory goes first, so that both need not fit. Freeing it waits for its last use.
            context.arena = None;
            context.arena = Some(self.allocate_arena(arena_bytes)?);
        }
        Ok(context)
    }

    /// One whose last run is done; else one that need not wait because it is in the same line; else, if there are too many, one
    /// that must wait.
    fn idle_context(&self, stream: Option<RawStream>) -> Result<Option<Context>, Error> {
        let mut idle = lock(&self.idle);
        let mut at = None;
        for (idx, context) in idle.iter().enumerate() {
            if context.is_done()? {
                at = Some(idx);
            }
        }
        let in_line =
            |context: &Context| stream.is_some() && context.left.as_ref().is_some_and(|(last, _)| *last == stream);
        let at = at.or_else(|| idle.iter().position(in_line)).or_else(|| (idle.len() >= BUSY).then_some(0));
        Ok(at.map(|at| idle.remove(at)))
    }

    fn allocate_arena(&self, bytes: usize) -> Result<Memory, DeviceError> {
        match self.module.alloc_for(bytes, "the arena of a run") {
            Err(DeviceError::OutOfMemory { .. }) => {
                // Other contexts hold arenas that nobody needs now.
                self.trim();
                self.module.alloc_for(bytes, "the arena of a run")
            }
            other => other,
        }
    }

    /// Leaves a context to later runs.
    pub(super) fn give_back(&self, context: Context) {
        lock(&self.idle).push(context);
    }
}

/// Runs straight-line work: by a record of an earlier run, or while recording if the device can.
pub(super) fn replay_or_record(
    run: &mut Run<'_>,
    plan: &Plan,
    arena: Address,
    records: &mut Vec<Record>,
) -> Result<(), Error> {
    run.clock.check()?;
    let bases = run.memory.bases(arena);
    let known = records.iter().position(|record| record.plan == plan.id && record.bases == bases);
    let record = match known {
        Some(at) => records.remove(at),
        None if run.stream.begin_capture()? => {
            if let Err(error) = run.program() {
                // The record ends in any case, or the stream would be lost with it.
                run.stream.abandon_capture();
                return Err(error);
            }
            let over = (records.len() >= RECORDS).then(|| records.remove(0).graph);
            Record { plan: plan.id, bases, graph: run.stream.end_capture(over)? }
        }
        None => return run.program(),
    };
    let graph = record.graph;
    records.push(record);
    // SAFETY: the record belongs to this plan, and its addresses are those of this run.
    unsafe { run.stream.replay(graph) }?;
    Ok(())
}
