//! Asynchronous copies.
//!
//! A copy begins when its instruction runs: from then on its bytes in shared memory are busy, and whoever touches them makes a
//! fault. It ends when it is waited for, or at a moment that the seed chooses if it reports to an mbarrier. The source is read
//! at the beginning or at the end, as the seed says.

use super::access::{Target, check_aligned, note, note_async, resolve};
use super::barrier::{self, check_fenced, locate, parity};
use super::tensor::{Piece, TensorMap};
use super::warp::Flow;
use super::{Warp, World, bad};
use crate::code::{Op, Place, Slot};
use crate::error::Trouble;
use crate::memory::atomic::Update;
use crate::memory::{Clocks, Kind, number};
use crate::row::lanes;

/// What is done with asynchronous copies.
pub(crate) enum CopyOp {
    /// `cp.async`: from global to shared memory.
    Start { to: Place, from: Place, bytes: usize, source_bytes: Option<Slot>, ignore: Option<Slot> },
    /// `cp.async.commit_group`.
    Commit,
    /// `cp.async.wait_group`; all with none.
    Wait { groups: Option<u64> },
    /// `cp.async.mbarrier.arrive`.
    Arrive { at: Place, noinc: bool },
    /// `cp.async.bulk` to shared memory; it reports to an mbarrier.
    Bulk { to: Place, from: Outside, barrier: Place, mask: Option<Slot> },
    /// `cp.async.bulk` from shared to global memory, and `cp.reduce.async.bulk` with a function and bytes of an element.
    BulkStore { to: Outside, from: Place, reduce: Option<(Update, usize)> },
    /// `cp.async.bulk.commit_group`.
    BulkCommit,
    /// `cp.async.bulk.wait_group`.
    BulkWait { groups: u64, reads_only: bool },
}

/// The side of a bulk copy that is not in shared memory.
pub(crate) enum Outside {
    /// So many bytes in a row.
    Line { at: Place, bytes: Slot },
    /// A tile of a tensor map.
    Tile { map: Place, start: Vec<Slot> },
}

/// A copy of one thread that has begun.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    lane: usize,
    /// The group of the thread, when it was committed.
    group: Option<u64>,
    /// Index of the block whose shared memory it is.
    block: usize,
    pieces: Vec<Piece>,
    /// What was read already.
    data: Option<Vec<u8>>,
    /// Of a store: its source may be used again.
    is_read: bool,
    /// Of a reduction: which instruction it is.
    pc: usize,
    /// Whether what is read is rounded to `tf32`.
    rounds: bool,
}

/// Copies of a warp that are under way, and how many groups each thread committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copies {
    loads: Vec<Copy>,
    committed: [u64; 32],
    stores: Vec<Copy>,
    stores_committed: [u64; 32],
}

/// Something that happens at a later moment.
#[derive(Clone, Debug)]
pub(crate) struct Deferred {
    due: u64,
    block: usize,
    copies: Vec<Copy>,
    /// Block and offset of an mbarrier.
    barrier: (usize, u64),
    /// Bytes that it reports; an arrival with none.
    reported: Option<i64>,
    clocks: Clocks,
}

/// The longest time that something takes, in instructions of warps.
const LATENCY: u64 = 2000;

/// Does what an instruction says.
pub(super) fn run(warp: &mut Warp, op: &CopyOp, active: u32, world: &mut World<'_>) -> Result<Flow, Trouble> {
    match op {
        CopyOp::Commit => lanes(active).for_each(|lane| {
            let group = warp.copies.committed[lane];
            let open = warp.copies.loads.iter_mut().filter(|copy| copy.lane == lane && copy.group.is_none());
            open.for_each(|copy| copy.group = Some(group));
            warp.copies.committed[lane] += 1;
        }),
        CopyOp::BulkCommit => lanes(active).for_each(|lane| {
            let group = warp.copies.stores_committed[lane];
            let open = warp.copies.stores.iter_mut().filter(|copy| copy.lane == lane && copy.group.is_none());
            open.for_each(|copy| copy.group = Some(group));
            warp.copies.stores_committed[lane] += 1;
        }),
        CopyOp::Wait { groups } => wait(warp, *groups, active, world)?,
        CopyOp::BulkWait { groups, reads_only } => wait_stores(warp, *groups, *reads_only, active, world)?,
        CopyOp::Arrive { at, noinc } => arrive(warp, at, *noinc, active, world)?,
        _ => {
            for lane in lanes(active) {
                start(warp, op, lane, world)?;
            }
        }
    }
    Ok(Flow::Next)
}

/// The place in shared memory of an operand.
fn shared(warp: &Warp, place: &Place, lane: usize, world: &World<'_>, align: u64) -> Result<(usize, u64), Trouble> {
    let target = resolve(warp, place, lane, world)?;
    check_aligned(target, align, lane)?;
    match target {
        Target::Shared(block, offset) => Ok((block, offset)),
        _ => Err(bad(lane, "the address is not in shared memory")),
    }
}

fn global(warp: &Warp, place: &Place, lane: usize, world: &World<'_>, align: u64) -> Result<u64, Trouble> {
    let target = resolve(warp, place, lane, world)?;
    check_aligned(target, align, lane)?;
    match target {
        Target::Global(at) => Ok(at),
        _ => Err(bad(lane, "the address is not in global memory")),
    }
}

fn start(warp: &mut Warp, op: &CopyOp, lane: usize, world: &mut World<'_>) -> Result<(), Trouble> {
    match op {
        CopyOp::Start { to, from, bytes, source_bytes, ignore } => {
            let taken = source_bytes.map_or(*bytes as u64, |slot| warp.row(slot)[lane] & 0xffff_ffff);
            let ignores = ignore.is_some_and(|slot| warp.row(slot)[lane] & 1 == 1);
            let taken = if ignores { 0 } else { taken as usize };
            if taken > *bytes {
                return Err(bad(lane, format!("{taken} source bytes for a copy of {bytes}")));
            }
            let (block, at) = shared(warp, to, lane, world, *bytes as u64)?;
            let from = global(warp, from, lane, world, *bytes as u64)?;
            let all = [(taken, Some(from), at), (bytes - taken, None, at + taken as u64)];
            let pieces = all.into_iter().filter(|(bytes, ..)| *bytes > 0);
            let pieces = pieces.map(|(bytes, global, shared)| Piece { shared, global, bytes }).collect();
            let copy = begin(warp, block, pieces, lane, world, None)?;
            warp.copies.loads.push(copy);
            Ok(())
        }
        CopyOp::Bulk { to, from, barrier, mask } => bulk(warp, (to, from, barrier, *mask), lane, world),
        CopyOp::BulkStore { to, from, .. } => bulk_store(warp, to, from, lane, world),
        _ => Ok(()),
    }
}

fn bulk(
    warp: &mut Warp,
    (to, from, barrier, mask): (&Place, &Outside, &Place, Option<Slot>),
    lane: usize,
    world: &mut World<'_>,
) -> Result<(), Trouble> {
    let (own, at) = shared(warp, to, lane, world, align(from))?;
    let (pieces, rounds) = pieces(warp, from, at, lane, world)?;
    let barrier = locate(warp, barrier, lane, world)?;
    let total: usize = pieces.iter().map(|piece| piece.bytes).sum();
    // With a mask the bytes go to the same offset in several blocks, and are reported to the barrier there.
    let blocks = mask.map_or(1 << own, |slot| warp.row(slot)[lane] & 0xffff);
    for block in (0..16).filter(|block| blocks >> block & 1 == 1) {
        if block >= world.blocks.len() {
            return Err(bad(lane, format!("block {block} of a cluster of {}", world.blocks.len())));
        }
        let barrier = (if mask.is_some() { block } else { barrier.0 }, barrier.1);
        check_fenced(world, barrier, lane)?;
        let copy = begin(warp, block, pieces.clone(), lane, world, Some(rounds))?;
        defer(warp, vec![copy], barrier, Some(total as i64), world);
    }
    warp.tick();
    Ok(())
}

/// The alignment of a bulk copy in shared memory.
fn align(outside: &Outside) -> u64 {
    match outside {
        Outside::Line { .. } => 16,
        Outside::Tile { .. } => 128,
    }
}

/// What a bulk copy moves, with its place in shared memory, and whether it is rounded to `tf32` on the way.
fn pieces(
    warp: &Warp,
    outside: &Outside,
    at: u64,
    lane: usize,
    world: &World<'_>,
) -> Result<(Vec<Piece>, bool), Trouble> {
    match outside {
        Outside::Line { at: place, bytes } => {
            let bytes = warp.row(*bytes)[lane] as u32 as usize;
            if bytes == 0 || !bytes.is_multiple_of(16) {
                return Err(bad(lane, format!("a bulk copy of {bytes} bytes; it must be a multiple of 16")));
            }
            let address = global(warp, place, lane, world, 16)?;
            Ok((vec![Piece { shared: at, global: Some(address), bytes }], false))
        }
        Outside::Tile { map, start } => {
            let map = TensorMap::fetch(warp, map, lane, world)?;
            if map.sizes.len() != start.len() {
                return Err(bad(
                    lane,
                    format!("{} coordinates for a tensor map of {} axes", start.len(), map.sizes.len()),
                ));
            }
            let start: Vec<i32> = start.iter().map(|slot| warp.row(*slot)[lane] as i32).collect();
            Ok((map.pieces(at, &start), map.rounds))
        }
    }
}

fn bulk_store(warp: &mut Warp, to: &Outside, from: &Place, lane: usize, world: &mut World<'_>) -> Result<(), Trouble> {
    let (block, at) = shared(warp, from, lane, world, align(to))?;
    let (mut pieces, rounds) = pieces(warp, to, at, lane, world)?;
    if rounds {
        return Err(bad(lane, "stores through a tensor map that rounds to tf32 are not known"));
    }
    // What lies beyond the tensor is not stored.
    pieces.retain(|piece| piece.global.is_some());
    let mut data = vec![];
    for piece in &pieces {
        note_async(warp, Target::Shared(block, piece.shared), piece.bytes, Kind::Read, lane, world)?;
        let shared = &world.blocks[block].shared;
        shared.check_proxy(piece.shared, piece.bytes, warp.actor.warp, &world.proxy_fences)?;
        data.extend_from_slice(shared.read(piece.shared, piece.bytes, lane)?);
        world.blocks[block].shared.begin(piece.shared, piece.bytes, false, lane)?;
        let target = Target::Global(piece.global.unwrap_or(0));
        note_async(warp, target, piece.bytes, Kind::Write, lane, world)?;
    }
    let pc = warp.running;
    warp.copies.stores.push(Copy { lane, group: None, block, pieces, data: Some(data), is_read: false, pc, rounds });
    Ok(())
}

/// Begins a copy to shared memory; `bulk` is for one by the asynchronous proxy, and whether it rounds to `tf32`.
fn begin(
    warp: &Warp,
    block: usize,
    pieces: Vec<Piece>,
    lane: usize,
    world: &mut World<'_>,
    bulk: Option<bool>,
) -> Result<Copy, Trouble> {
    for piece in &pieces {
        let target = Target::Shared(block, piece.shared);
        match bulk.is_some() {
            true => note_async(warp, target, piece.bytes, Kind::Write, lane, world)?,
            false => note(warp, target, piece.bytes, Kind::Write, lane, world)?,
        }
        if let Some(from) = piece.global {
            note(warp, Target::Global(from), piece.bytes, Kind::Read, lane, world)?;
            world.heap.read(from, piece.bytes, lane)?;
            world.counts.global_read += piece.bytes as u64;
        }
        world.blocks[block].shared.begin(piece.shared, piece.bytes, true, lane)?;
    }
    let rounds = bulk == Some(true);
    let mut copy = Copy { lane, group: None, block, pieces, data: None, is_read: false, pc: warp.running, rounds };
    if world.random.below(2) == 0 {
        copy.data = Some(take(&copy, world)?);
    }
    Ok(copy)
}

fn take(copy: &Copy, world: &World<'_>) -> Result<Vec<u8>, Trouble> {
    let mut data = vec![];
    for piece in &copy.pieces {
        match piece.global {
            Some(from) => data.extend_from_slice(world.heap.read(from, piece.bytes, copy.lane)?),
            None => data.resize(data.len() + piece.bytes, 0),
        }
    }
    if copy.rounds {
        super::tensor::round_to_tf32(&mut data);
    }
    Ok(data)
}

/// Ends a copy to shared memory.
fn end(copy: &Copy, world: &mut World<'_>) -> Result<(), Trouble> {
    let data = match &copy.data {
        Some(data) => data.clone(),
        None => take(copy, world)?,
    };
    let mut rest = &data[..];
    for piece in &copy.pieces {
        let (now, later) = rest.split_at(piece.bytes);
        let shared = &mut world.blocks[copy.block].shared;
        shared.write_async(piece.shared, piece.bytes, copy.lane)?.copy_from_slice(now);
        shared.end(piece.shared, piece.bytes, true);
        rest = later;
    }
    Ok(())
}

fn wait(warp: &mut Warp, groups: Option<u64>, active: u32, world: &mut World<'_>) -> Result<(), Trouble> {
    let committed = warp.copies.committed;
    let is_due = |copy: &Copy| {
        let in_time = match (groups, copy.group) {
            (None, _) => true,
            (Some(groups), Some(group)) => group + groups < committed[copy.lane],
            (Some(_), None) => false,
        };
        active >> copy.lane & 1 == 1 && in_time
    };
    let (due, rest): (Vec<Copy>, Vec<Copy>) = std::mem::take(&mut warp.copies.loads).into_iter().partition(is_due);
    warp.copies.loads = rest;
    due.iter().try_for_each(|copy| end(copy, world))
}

fn wait_stores(
    warp: &mut Warp,
    groups: u64,
    reads_only: bool,
    active: u32,
    world: &mut World<'_>,
) -> Result<(), Trouble> {
    let committed = warp.copies.stores_committed;
    let mut rest = vec![];
    for mut copy in std::mem::take(&mut warp.copies.stores) {
        let is_due =
            active >> copy.lane & 1 == 1 && copy.group.is_some_and(|group| group + groups < committed[copy.lane]);
        if !is_due {
            rest.push(copy);
            continue;
        }
        release_source(&mut copy, world);
        if reads_only {
            rest.push(copy);
        } else {
            finish_store(&copy, world)?;
        }
    }
    warp.copies.stores = rest;
    Ok(())
}

fn release_source(copy: &mut Copy, world: &mut World<'_>) {
    if !copy.is_read {
        for piece in &copy.pieces {
            world.blocks[copy.block].shared.end(piece.shared, piece.bytes, false);
        }
        copy.is_read = true;
    }
}

fn finish_store(copy: &Copy, world: &mut World<'_>) -> Result<(), Trouble> {
    let launch = world.launch;
    let reduce = match &launch.code.instructions[copy.pc].op {
        Op::Copy(CopyOp::BulkStore { reduce, .. }) => reduce.as_ref(),
        _ => None,
    };
    let mut rest = copy.data.as_deref().unwrap_or_default();
    for piece in &copy.pieces {
        let (now, later) = rest.split_at(piece.bytes);
        rest = later;
        world.counts.global_written += piece.bytes as u64;
        let address = piece.global.unwrap_or(0);
        let Some((update, size)) = reduce else {
            world.heap.write(address, piece.bytes, copy.lane)?.copy_from_slice(now);
            continue;
        };
        let mut data = world.heap.read(address, piece.bytes, copy.lane)?.to_vec();
        for (old, new) in data.chunks_exact_mut(*size).zip(now.chunks_exact(*size)) {
            old.copy_from_slice(&update(number(old), number(new), 0).to_le_bytes()[..*size]);
        }
        world.heap.write(address, piece.bytes, copy.lane)?.copy_from_slice(&data);
    }
    Ok(())
}

/// The threads of a warp ended: their stores still arrive; their loads do so for nobody.
pub(super) fn thread_ends(warp: &mut Warp, ending: u32, world: &mut World<'_>) -> Result<(), Trouble> {
    if warp.copies.loads.is_empty() && warp.copies.stores.is_empty() {
        return Ok(());
    }
    let ends = |copy: &Copy| ending >> copy.lane & 1 == 1;
    let (due, rest): (Vec<Copy>, Vec<Copy>) = std::mem::take(&mut warp.copies.loads).into_iter().partition(ends);
    warp.copies.loads = rest;
    due.iter().try_for_each(|copy| end(copy, world))?;
    let (due, rest): (Vec<Copy>, Vec<Copy>) = std::mem::take(&mut warp.copies.stores).into_iter().partition(ends);
    warp.copies.stores = rest;
    for mut copy in due {
        release_source(&mut copy, world);
        finish_store(&copy, world)?;
    }
    Ok(())
}

fn defer(warp: &Warp, copies: Vec<Copy>, barrier: (usize, u64), reported: Option<i64>, world: &mut World<'_>) {
    let due = world.time + world.random.below(LATENCY);
    let clocks = warp.clocks.clone();
    world.deferred.push(Deferred { due, block: warp.block, copies, barrier, reported, clocks });
}

/// The barrier hears of it when all copies of the thread so far are complete.
fn arrive(warp: &mut Warp, at: &Place, noinc: bool, active: u32, world: &mut World<'_>) -> Result<(), Trouble> {
    for lane in lanes(active) {
        let place = locate(warp, at, lane, world)?;
        let barrier = parity(world, place, lane)?;
        if !noinc {
            barrier.expect_one();
        }
        let all = std::mem::take(&mut warp.copies.loads);
        let (own, rest): (Vec<Copy>, Vec<Copy>) = all.into_iter().partition(|copy| copy.lane == lane);
        warp.copies.loads = rest;
        defer(warp, own, place, None, world);
    }
    warp.tick();
    Ok(())
}

/// Ends what is due; with `force`, at least the first that is not. Tells whether anything happened.
pub(super) fn progress(world: &mut World<'_>, force: bool) -> Result<bool, (Trouble, usize)> {
    let mut moved = false;
    loop {
        let first = world.deferred.iter().enumerate().min_by_key(|(_, deferred)| deferred.due);
        let Some((at, due)) = first.map(|(at, deferred)| (at, deferred.due)) else { return Ok(moved) };
        if due > world.time && (moved || !force) {
            return Ok(moved);
        }
        let deferred = world.deferred.remove(at);
        moved = true;
        let block = deferred.block;
        let fail = |trouble| (trouble, block);
        for copy in &deferred.copies {
            end(copy, world).map_err(fail)?;
        }
        world.polls = 0;
        let lane = deferred.copies.first().map_or(0, |copy| copy.lane);
        let barrier = barrier::parity(world, deferred.barrier, lane).map_err(fail)?;
        let outcome = barrier.report(deferred.reported, &deferred.clocks);
        outcome.map_err(|what| fail(bad(lane, what)))?;
    }
}
