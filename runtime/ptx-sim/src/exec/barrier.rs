//! Barriers: the sixteen of a block, the cluster's, and mbarriers.

use super::access::{Target, check_aligned, resolve};
use super::warp::{Flow, State};
use super::{Warp, World, bad};
use crate::code::{Place, Slot};
use crate::error::{FaultKind, Trouble};
use crate::memory::Clocks;
use crate::row::{LANES, lanes, mask_of};
use std::collections::VecDeque;

/// Finished rounds of a barrier that late threads may still ask about.
const REMEMBERED: usize = 4;

/// A barrier that counts threads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    /// How often it opened.
    pub(crate) generation: u64,
    /// Threads that arrived, whole warps counted as 32.
    arrived: u32,
    /// Threads that arrived and have not ended.
    present: u32,
    /// How many it waits for; none for all of the block.
    expected: Option<u32>,
    clocks: Clocks,
    /// Threads with a true predicate, for reductions.
    votes: u32,
    voters: u32,
    past: VecDeque<Round>,
}

/// A finished round.
#[derive(Clone, Debug)]
struct Round {
    generation: u64,
    clocks: Clocks,
    votes: u32,
    voters: u32,
}

impl Named {
    /// What was known to those who came to a finished round.
    pub(crate) fn learn(&self, generation: u64, clocks: &mut Clocks) {
        if let Some(round) = self.past.iter().find(|round| round.generation == generation) {
            clocks.join(&round.clocks);
        }
    }

    /// Opens if enough threads arrived. `alive` are all that have not ended.
    fn try_open(&mut self, alive: u32) {
        let is_full = match self.expected {
            Some(expected) => self.arrived >= expected,
            None => self.present > 0 && self.present >= alive,
        };
        if !is_full {
            return;
        }
        self.past.push_back(Round {
            generation: self.generation,
            clocks: std::mem::take(&mut self.clocks),
            votes: self.votes,
            voters: self.voters,
        });
        if self.past.len() > REMEMBERED {
            self.past.pop_front();
        }
        let generation = self.generation + 1;
        *self = Named { generation, past: std::mem::take(&mut self.past), ..Named::default() };
    }

    fn arrive(&mut self, threads: u32, rounded: u32, expected: Option<u32>, clocks: &Clocks) -> Result<(), String> {
        if self.present > 0 && self.expected != expected {
            return Err("the threads at this barrier name different numbers of threads".into());
        }
        self.expected = expected;
        self.arrived += rounded;
        self.present += threads;
        self.clocks.join(clocks);
        match expected {
            Some(expected) if self.arrived > expected => {
                Err(format!("{} threads come to a barrier for {expected}", self.arrived))
            }
            _ => Ok(()),
        }
    }
}

/// Threads of a block ended: barriers that waited for them may open.
pub(crate) fn thread_ends(world: &mut World<'_>, block: usize, threads: u32) {
    let block = &mut world.blocks[block];
    block.alive -= threads;
    let alive = block.alive;
    block.named.iter_mut().filter(|named| named.expected.is_none()).for_each(|named| named.try_open(alive));
    let alive = world.alive();
    world.cluster_barrier.try_open(alive);
}

/// An mbarrier object.
#[derive(Clone, Debug)]
pub(crate) struct Parity {
    /// Arrivals of each phase.
    expected: u32,
    /// Arrivals still missing in this one.
    pending: u32,
    /// Bytes that asynchronous copies announced and have not brought.
    bytes: i64,
    /// How many phases are complete.
    pub(crate) phase: u64,
    /// The warp that made it, and when.
    made: (u32, u64),
    clocks: Clocks,
    /// What was known at the end of the last phase.
    done: Clocks,
}

impl Parity {
    /// Something asynchronous is complete: bytes came, or with none it is an arrival.
    pub(crate) fn report(&mut self, bytes: Option<i64>, clocks: &Clocks) -> Result<(), String> {
        self.clocks.join(clocks);
        match bytes {
            None => self.arrive(1),
            Some(bytes) => {
                self.bytes -= bytes;
                self.try_flip();
                Ok(())
            }
        }
    }

    fn try_flip(&mut self) {
        if self.pending == 0 && self.bytes == 0 {
            self.phase += 1;
            self.pending = self.expected;
            self.done = std::mem::take(&mut self.clocks);
        }
    }

    fn arrive(&mut self, count: u32) -> Result<(), String> {
        if count > self.pending {
            return Err(format!("{count} arrivals at an mbarrier that waits for {}", self.pending));
        }
        self.pending -= count;
        self.try_flip();
        Ok(())
    }

    /// One arrival more is awaited in this phase, as `cp.async.mbarrier.arrive` without `noinc` does.
    pub(crate) fn expect_one(&mut self) {
        self.pending += 1;
    }

    /// A number that stands for the state of the present phase.
    fn token(&self) -> u64 {
        self.phase << 32 | u64::from(self.pending)
    }
}

/// The reduction of a `barrier.red`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reduction {
    Count,
    All,
    Any,
}

/// What is done with a barrier.
pub(crate) enum BarrierOp {
    /// `bar.sync`, `barrier.sync`, and with a result `barrier.red`.
    Sync { id: Slot, count: Option<Slot>, aligned: bool, reduce: Option<(Reduction, Slot, Slot)>, is_retry: Slot },
    /// `bar.arrive`.
    Arrive { id: Slot, count: Slot, aligned: bool },
    /// `bar.warp.sync`.
    Warp { mask: Slot },
    /// `barrier.cluster.arrive`; the slot keeps the round that its thread is in.
    ClusterArrive { round: Slot },
    /// `barrier.cluster.wait`.
    ClusterWait { round: Slot },
    /// `mbarrier.init`.
    Init { at: Place, count: Slot },
    /// `mbarrier.inval`.
    Invalidate { at: Place },
    /// `mbarrier.arrive` and its kin.
    MArrive { at: Place, state: Option<Slot>, count: Option<Slot>, expect: Option<Slot>, drop: bool },
    /// `mbarrier.expect_tx`, `mbarrier.complete_tx`.
    Bytes { at: Place, bytes: Slot, completes: bool },
    /// `mbarrier.test_wait`, `try_wait`.
    Test { at: Place, result: Slot, state: Slot, is_parity: bool, blocks: bool },
    /// `mbarrier.pending_count`.
    Pending { to: Slot, state: Slot },
}

/// Does what an instruction says.
pub(crate) fn run(warp: &mut Warp, op: &BarrierOp, active: u32, world: &mut World<'_>) -> Result<Flow, Trouble> {
    match op {
        BarrierOp::Sync { id, count, aligned, reduce, is_retry } => {
            sync(warp, (*id, *count, *aligned, *reduce, *is_retry), active, world)
        }
        BarrierOp::Arrive { id, count, aligned } => {
            if *aligned && warp.alive & !active != 0 {
                return Ok(Flow::Wait(State::Gather(warp.alive)));
            }
            arrive(warp, *id, Some(*count), active, world)?;
            warp.tick();
            Ok(Flow::Next)
        }
        BarrierOp::Warp { mask } => {
            let needed = warp.uniform(*mask, active, "the mask")? as u32;
            let outside = active & !needed;
            if outside != 0 {
                return Err(bad(outside.trailing_zeros() as usize, format!("the mask {needed:#x} lacks the thread")));
            }
            let missing = needed & warp.alive & !active;
            Ok(if missing != 0 { Flow::Wait(State::Gather(needed)) } else { Flow::Next })
        }
        BarrierOp::ClusterArrive { round } => {
            let alive = world.alive();
            warp.set(*round, active, &[world.cluster_barrier.generation + 1; LANES]);
            let n = active.count_ones();
            let barrier = &mut world.cluster_barrier;
            barrier.arrive(n, n, None, &warp.clocks).map_err(|what| bad(active.trailing_zeros() as usize, what))?;
            barrier.try_open(alive);
            warp.tick();
            Ok(Flow::Next)
        }
        BarrierOp::ClusterWait { round } => {
            let generation = warp.uniform(*round, active, "the round of the cluster's barrier")?;
            let Some(generation) = generation.checked_sub(1) else {
                return Err(bad(active.trailing_zeros() as usize, "barrier.cluster.wait without an arrive before"));
            };
            if world.cluster_barrier.generation == generation {
                return Ok(Flow::Wait(State::Cluster { generation }));
            }
            world.cluster_barrier.learn(generation, &mut warp.clocks);
            warp.set(*round, active, &[0; LANES]);
            Ok(Flow::Next)
        }
        op => mbarrier(warp, op, active, world),
    }
}

type SyncParts = (Slot, Option<Slot>, bool, Option<(Reduction, Slot, Slot)>, Slot);

/// A slot of its own tells whether the threads have arrived already and wait only for the result.
fn sync(warp: &mut Warp, parts: SyncParts, active: u32, world: &mut World<'_>) -> Result<Flow, Trouble> {
    let (id, count, aligned, reduce, is_retry) = parts;
    let first = active.trailing_zeros() as usize;
    let waited = warp.row(is_retry)[first];
    if let (Some((reduction, to, _)), true) = (reduce, waited > 0) {
        let number = warp.uniform(id, active, "the barrier")? as usize;
        let past = &world.blocks[warp.block].named[number].past;
        let round = past.iter().find(|round| round.generation == waited - 1);
        let (votes, voters) = round.map_or((0, 0), |round| (round.votes, round.voters));
        let value = match reduction {
            Reduction::Count => votes,
            Reduction::All => u32::from(votes == voters),
            Reduction::Any => u32::from(votes > 0),
        };
        warp.set(to, active, &[value.into(); LANES]);
        warp.set(is_retry, active, &[0; LANES]);
        return Ok(Flow::Next);
    }
    if aligned && warp.alive & !active != 0 {
        return Ok(Flow::Wait(State::Gather(warp.alive)));
    }
    let number = warp.uniform(id, active, "the barrier")? as usize;
    let generation = world.blocks[warp.block].named.get(number).map_or(0, |named| named.generation);
    if let Some((_, _, predicate)) = reduce {
        let votes = (mask_of(warp.row(predicate)) & active).count_ones();
        if let Some(named) = world.blocks[warp.block].named.get_mut(number) {
            named.votes += votes;
            named.voters += active.count_ones();
        }
        warp.set(is_retry, active, &[generation + 1; LANES]);
    }
    arrive(warp, id, count, active, world)?;
    warp.tick();
    let state = State::Barrier { id: number, generation };
    Ok(if reduce.is_some() { Flow::Wait(state) } else { Flow::After(state) })
}

fn arrive(warp: &mut Warp, id: Slot, count: Option<Slot>, active: u32, world: &mut World<'_>) -> Result<(), Trouble> {
    let lane = active.trailing_zeros() as usize;
    let number = warp.uniform(id, active, "the barrier")?;
    let expected = count.map(|count| warp.uniform(count, active, "the number of threads")).transpose()?;
    let expected = expected.map(|expected| expected as u32);
    if expected.is_some_and(|expected| expected == 0 || !expected.is_multiple_of(32)) {
        return Err(bad(lane, "the number of threads at a barrier must be a multiple of 32"));
    }
    let block = &mut world.blocks[warp.block];
    let alive = block.alive;
    let Some(named) = block.named.get_mut(number as usize) else {
        return Err(bad(lane, format!("barrier {number} of 16")));
    };
    // Whole warps count as 32 threads, even the last one of a block that is no multiple of 32.
    let rounded = if active == warp.alive { LANES as u32 } else { active.count_ones() };
    named.arrive(active.count_ones(), rounded, expected, &warp.clocks).map_err(|what| bad(lane, what))?;
    named.try_open(alive);
    Ok(())
}

/// The block and offset of an mbarrier.
pub(crate) fn locate(warp: &Warp, at: &Place, lane: usize, world: &World<'_>) -> Result<(usize, u64), Trouble> {
    let target = resolve(warp, at, lane, world)?;
    check_aligned(target, 8, lane)?;
    match target {
        Target::Shared(block, offset) if offset + 8 <= world.blocks[block].shared.len() as u64 => Ok((block, offset)),
        _ => Err(Trouble::new(FaultKind::OutOfBounds, lane, "the mbarrier is not in shared memory")),
    }
}

/// Fails if asynchronous copies may not see an mbarrier yet: who made it did not fence since.
pub(crate) fn check_fenced(world: &mut World<'_>, place: (usize, u64), lane: usize) -> Result<(), Trouble> {
    let (maker, time) = parity(world, place, lane)?.made;
    if world.barrier_fences.get(maker as usize).is_some_and(|fence| *fence > time) {
        return Ok(());
    }
    let what =
        "the mbarrier of an asynchronous copy was made without fence.mbarrier_init or fence.proxy.async after it";
    Err(Trouble::new(FaultKind::Race, lane, what))
}

/// The mbarrier at a place.
pub(crate) fn parity<'w>(
    world: &'w mut World<'_>,
    (block, offset): (usize, u64),
    lane: usize,
) -> Result<&'w mut Parity, Trouble> {
    let found = world.blocks[block].mbarriers.get_mut(&offset);
    found.ok_or_else(|| {
        Trouble::new(FaultKind::Uninitialized, lane, format!("there is no mbarrier at byte {offset} of shared memory"))
    })
}

fn mbarrier(warp: &mut Warp, op: &BarrierOp, active: u32, world: &mut World<'_>) -> Result<Flow, Trouble> {
    if !matches!(op, BarrierOp::Test { .. }) {
        world.polls = 0;
    }
    for lane in lanes(active) {
        match op {
            BarrierOp::Init { at, count } => init(warp, at, warp.row(*count)[lane], lane, world)?,
            BarrierOp::Invalidate { at } => {
                let (block, offset) = locate(warp, at, lane, world)?;
                parity(world, (block, offset), lane)?;
                world.blocks[block].mbarriers.remove(&offset);
            }
            BarrierOp::MArrive { at, state, count, expect, drop } => {
                let place = locate(warp, at, lane, world)?;
                let count = count.map_or(1, |slot| warp.row(slot)[lane] as u32);
                let bytes = expect.map_or(0, |slot| warp.row(slot)[lane] as u32);
                let clocks = warp.clocks.clone();
                let barrier = parity(world, place, lane)?;
                let token = barrier.token();
                barrier.clocks.join(&clocks);
                barrier.bytes += i64::from(bytes);
                if *drop {
                    barrier.expected = barrier.expected.saturating_sub(count);
                }
                barrier.arrive(count).map_err(|what| bad(lane, what))?;
                if let Some(state) = state {
                    warp.set(*state, 1 << lane, &[token; LANES]);
                }
            }
            BarrierOp::Bytes { at, bytes, completes } => {
                let place = locate(warp, at, lane, world)?;
                let bytes = i64::from(warp.row(*bytes)[lane] as u32);
                let barrier = parity(world, place, lane)?;
                barrier.bytes += if *completes { -bytes } else { bytes };
                if *completes {
                    barrier.try_flip();
                }
            }
            BarrierOp::Pending { to, state } => {
                let value = warp.row(*state)[lane] & 0xffff_ffff;
                warp.set(*to, 1 << lane, &[value; LANES]);
            }
            BarrierOp::Test { at, result, state, is_parity, blocks } => {
                return test(warp, (at, *result, *state, *is_parity, *blocks), active, world);
            }
            _ => {}
        }
    }
    warp.tick();
    Ok(Flow::Next)
}

fn init(warp: &Warp, at: &Place, count: u64, lane: usize, world: &mut World<'_>) -> Result<(), Trouble> {
    let (block, offset) = locate(warp, at, lane, world)?;
    let count = u32::try_from(count).ok().filter(|count| (1..1 << 20).contains(count));
    let expected = count.ok_or_else(|| bad(lane, "an mbarrier for no arrivals, or too many"))?;
    let made = (warp.actor.warp, world.time);
    let (clocks, done) = (Clocks::default(), Clocks::default());
    let barrier = Parity { expected, pending: expected, bytes: 0, phase: 0, made, clocks, done };
    world.blocks[block].shared.write(offset, 8, lane)?.fill(0);
    world.blocks[block].mbarriers.insert(offset, barrier);
    Ok(())
}

/// Polls that fail on purpose: `try_wait` may give up, and who does not ask again has a bug.
const GIVES_UP: u64 = 8;

/// After so many answers of no without an arrival, whoever asks waits: otherwise nobody would see a deadlock.
const POLLS: u32 = 1024;

/// `test_wait` answers; `try_wait` waits, and sometimes gives up.
fn test(
    warp: &mut Warp,
    (at, result, state, is_parity, blocks): (&Place, Slot, Slot, bool, bool),
    active: u32,
    world: &mut World<'_>,
) -> Result<Flow, Trouble> {
    let mut done = 0u32;
    for lane in lanes(active) {
        let place = locate(warp, at, lane, world)?;
        let state = warp.row(state)[lane];
        let barrier = parity(world, place, lane)?;
        // The phase with a parity is complete when the present one has the other parity.
        let is_done = if is_parity { barrier.phase & 1 != state & 1 } else { barrier.phase != state >> 32 };
        if is_done {
            done |= 1 << lane;
            let clocks = barrier.done.clone();
            warp.clocks.join(&clocks);
        }
    }
    if done == 0 {
        world.polls += 1;
        if world.polls > POLLS || (blocks && world.random.below(GIVES_UP) != 0) {
            return Ok(Flow::Wait(State::Polling));
        }
    }
    let mut row = [0; LANES];
    lanes(done).for_each(|lane| row[lane] = 1);
    warp.set(result, active, &row);
    Ok(Flow::Next)
}
