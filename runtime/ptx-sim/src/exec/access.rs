//! Loads and stores.

use super::{Warp, World, bad};
use crate::code::{Access, AccessSpace, Place};
use crate::error::{FaultKind, Trouble};
use crate::memory::{Kind, number, window};
use crate::row::{LANES, lanes};

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Global(u64),
    /// The index of a block in the cluster, and the offset in its shared memory.
    Shared(usize, u64),
    Local(u64),
    Param(u64),
}

/// Follows an address of a lane.
pub(crate) fn resolve(warp: &Warp, place: &Place, lane: usize, world: &World<'_>) -> Result<Target, Trouble> {
    let address = warp.row(place.slot)[lane].wrapping_add(place.offset.cast_unsigned());
    resolve_address(warp.block, place.space, address, lane, world)
}

/// Follows an address.
pub(crate) fn resolve_address(
    block: usize,
    space: AccessSpace,
    address: u64,
    lane: usize,
    world: &World<'_>,
) -> Result<Target, Trouble> {
    let shared = |address: u64| {
        // Addresses of shared memory are often computed in 32 bits.
        let address = address & 0xffff_ffff;
        let rank = window::rank(address).map_or(block, |rank| rank as usize);
        if rank >= world.blocks.len() {
            return Err(bad(lane, format!("shared memory of block {rank} of a cluster of {}", world.blocks.len())));
        }
        if rank != block && space == AccessSpace::Shared {
            return Err(bad(lane, "an address in the shared memory of another block needs .shared::cluster"));
        }
        Ok(Target::Shared(rank, window::offset(address)))
    };
    match space {
        AccessSpace::Global | AccessSpace::Const => Ok(Target::Global(address)),
        AccessSpace::Shared | AccessSpace::SharedCluster => shared(address),
        AccessSpace::Local => Ok(Target::Local(address)),
        AccessSpace::Param => Ok(Target::Param(address)),
        AccessSpace::Generic => match window::of(address) {
            window::SHARED => shared(address - window::SHARED),
            window::LOCAL => Ok(Target::Local(address - window::LOCAL)),
            window::PARAM => Ok(Target::Param(address - window::PARAM)),
            _ => Ok(Target::Global(address)),
        },
    }
}

/// Fails unless an address is a multiple of the size.
pub(crate) fn check_aligned(target: Target, bytes: u64, lane: usize) -> Result<(), Trouble> {
    let (Target::Global(at) | Target::Shared(_, at) | Target::Local(at) | Target::Param(at)) = target;
    if at.is_multiple_of(bytes) {
        return Ok(());
    }
    let space = match target {
        Target::Global(_) => "global",
        Target::Shared(..) => "shared",
        Target::Local(_) => "local",
        Target::Param(_) => "param",
    };
    Err(Trouble::new(FaultKind::Misaligned, lane, format!("{bytes} bytes at {space} address {at:#x}")))
}

/// Notes an ordinary access for the race detector.
pub(crate) fn note(
    warp: &Warp,
    target: Target,
    bytes: usize,
    kind: Kind,
    lane: usize,
    world: &mut World<'_>,
) -> Result<(), Trouble> {
    note_as(warp, target, bytes, kind, lane, world, world.time)
}

/// Notes an access by the asynchronous proxy.
pub(crate) fn note_async(
    warp: &Warp,
    target: Target,
    bytes: usize,
    kind: Kind,
    lane: usize,
    world: &mut World<'_>,
) -> Result<(), Trouble> {
    note_as(warp, target, bytes, kind, lane, world, 0)
}

fn note_as(
    warp: &Warp,
    target: Target,
    bytes: usize,
    kind: Kind,
    lane: usize,
    world: &mut World<'_>,
    time: u64,
) -> Result<(), Trouble> {
    if !world.options.sanitize {
        return Ok(());
    }
    if let (Target::Shared(block, at), Kind::Write | Kind::Strong) = (target, kind) {
        world.blocks[block].shared.mark(at, bytes, warp.actor.warp, time);
    }
    let noted = match target {
        Target::Global(at) => world.heap.note(at, bytes, warp.actor, kind, &warp.clocks),
        Target::Shared(block, at) => world.blocks[block].shared.note(at, bytes, warp.actor, kind, &warp.clocks),
        Target::Local(_) | Target::Param(_) => Ok(()),
    };
    noted.map_err(|what| {
        let space = if matches!(target, Target::Global(_)) { "global" } else { "shared" };
        Trouble::new(FaultKind::Race, lane, format!("{space} memory, {what}"))
    })
}

/// Counts the sectors or banks of one access of a warp.
fn count(targets: &[Option<Target>; LANES], bytes: u64, world: &mut World<'_>) {
    let (mut global, mut shared) = (vec![], vec![]);
    for target in targets.iter().flatten() {
        match target {
            Target::Global(at) => global.push(*at),
            Target::Shared(_, at) => shared.push(*at),
            Target::Local(_) | Target::Param(_) => {}
        }
    }
    if !global.is_empty() {
        world.counts.global(&global, bytes);
    }
    if !shared.is_empty() {
        world.counts.shared(&shared, bytes);
    }
}

/// Follows the addresses of all lanes, and checks their alignment.
fn targets(
    warp: &Warp,
    access: &Access,
    active: u32,
    world: &mut World<'_>,
) -> Result<[Option<Target>; LANES], Trouble> {
    let total = (access.bytes * access.slots.len()) as u64;
    let mut targets = [None; LANES];
    for lane in lanes(active) {
        let target = resolve(warp, &access.place, lane, world)?;
        check_aligned(target, total, lane)?;
        targets[lane] = Some(target);
    }
    if world.options.sanitize {
        count(&targets, total, world);
    }
    Ok(targets)
}

/// The lanes that take part, and where each goes.
fn each(targets: &[Option<Target>; LANES]) -> impl Iterator<Item = (usize, Target)> {
    targets.iter().enumerate().filter_map(|(lane, target)| Some((lane, (*target)?)))
}

/// `ld`.
pub(crate) fn load(warp: &mut Warp, access: &Access, active: u32, world: &mut World<'_>) -> Result<(), Trouble> {
    let total = access.bytes * access.slots.len();
    if access.is_strong {
        let strong = world.strong.clone();
        warp.clocks.join(&strong);
        warp.clocks.knows_others |= !matches!(access.place.space, AccessSpace::Shared);
    }
    let targets = targets(warp, access, active, world)?;
    let kind = if access.is_strong { Kind::Strong } else { Kind::Read };
    for (lane, target) in each(&targets) {
        note(warp, target, total, kind, lane, world)?;
        let Warp { registers, local, local_written, .. } = &mut *warp;
        let bytes = match target {
            Target::Global(at) => {
                world.counts.global_read += total as u64;
                world.heap.read(at, total, lane)?
            }
            Target::Shared(block, at) => world.blocks[block].shared.read(at, total, lane)?,
            Target::Local(at) => read_local(local, local_written, at, total, lane)?,
            Target::Param(at) => read_param(&world.launch.params, at, total, lane)?,
        };
        for (slot, bytes) in access.slots.iter().zip(bytes.chunks_exact(access.bytes)) {
            let Some(slot) = slot.map(|slot| slot as usize) else { continue };
            match (access.bytes, access.sign_to) {
                (16, _) => {
                    registers[slot][lane] = number(&bytes[..8]);
                    registers[slot + 1][lane] = number(&bytes[8..]);
                }
                (size, Some(bits)) => registers[slot][lane] = extend(number(bytes), size as u32 * 8, bits),
                (_, None) => registers[slot][lane] = number(bytes),
            }
        }
    }
    Ok(())
}

/// Local memory that has been written before.
fn read_local<'a>(local: &'a [u8], written: &[bool], at: u64, bytes: usize, lane: usize) -> Result<&'a [u8], Trouble> {
    let range = local_range(local.len(), at, bytes, lane)?;
    if !written.is_empty() && !written[range.clone()].iter().all(|written| *written) {
        return Err(Trouble::new(FaultKind::Uninitialized, lane, format!("byte {at} of local memory")));
    }
    Ok(&local[range])
}

fn read_param(params: &[u8], at: u64, bytes: usize, lane: usize) -> Result<&[u8], Trouble> {
    let found = params.get(at as usize..(at as usize).saturating_add(bytes));
    found.ok_or_else(|| Trouble::new(FaultKind::OutOfBounds, lane, format!("byte {at} of the parameters")))
}

/// The sign of a number of so many bits, in so many bits.
fn extend(value: u64, from: u32, to: u32) -> u64 {
    let extended = ((value << (64 - from)).cast_signed() >> (64 - from)).cast_unsigned();
    if to >= 64 { extended } else { extended & ((1 << to) - 1) }
}

fn local_range(len: usize, at: u64, bytes: usize, lane: usize) -> Result<std::ops::Range<usize>, Trouble> {
    let each = len / LANES;
    let start = usize::try_from(at).ok().filter(|start| start.saturating_add(bytes) <= each);
    let start = start.ok_or_else(|| {
        Trouble::new(
            FaultKind::OutOfBounds,
            lane,
            format!("{bytes} bytes at byte {at} of {each} bytes of local memory"),
        )
    })?;
    Ok(lane * each + start..lane * each + start + bytes)
}

/// `st`.
pub(crate) fn store(warp: &mut Warp, access: &Access, active: u32, world: &mut World<'_>) -> Result<(), Trouble> {
    let total = access.bytes * access.slots.len();
    let targets = targets(warp, access, active, world)?;
    let kind = if access.is_strong { Kind::Strong } else { Kind::Write };
    if world.options.sanitize && !access.is_strong {
        check_same_place(warp, access, &targets)?;
    }
    for (lane, target) in each(&targets) {
        note(warp, target, total, kind, lane, world)?;
        let Warp { registers, local, local_written, .. } = &mut *warp;
        let bytes = match target {
            Target::Global(at) => {
                world.counts.global_written += total as u64;
                world.heap.write(at, total, lane)?
            }
            Target::Shared(block, at) => world.blocks[block].shared.write(at, total, lane)?,
            Target::Local(at) => {
                let range = local_range(local.len(), at, total, lane)?;
                if !local_written.is_empty() {
                    local_written[range.clone()].fill(true);
                }
                &mut local[range]
            }
            Target::Param(_) => return Err(bad(lane, "parameters cannot be written")),
        };
        for (slot, to) in access.slots.iter().zip(bytes.chunks_exact_mut(access.bytes)) {
            let Some(slot) = slot.map(|slot| slot as usize) else { continue };
            for (register, to) in registers[slot..].iter().zip(to.chunks_mut(8)) {
                to.copy_from_slice(&register[lane].to_le_bytes()[..to.len()]);
            }
        }
    }
    if access.is_strong {
        warp.publish(world);
    }
    Ok(())
}

/// Lanes of one store that write different values to one place: nobody knows which stays.
fn check_same_place(warp: &Warp, access: &Access, targets: &[Option<Target>; LANES]) -> Result<(), Trouble> {
    let (rows, bits) = (access.bytes.div_ceil(8), 8 * access.bytes.min(8));
    let stored = move |slot: u32, lane: usize| {
        (0..rows).map(move |row| warp.row(slot + row as u32)[lane] & (u64::MAX >> (64 - bits)))
    };
    let values = |lane: usize| access.slots.iter().flatten().flat_map(move |slot| stored(*slot, lane));
    for lane in 1..LANES {
        let Some(target @ (Target::Global(_) | Target::Shared(..))) = targets[lane] else { continue };
        let same = (0..lane).find(|other| targets[*other] == Some(target) && !values(*other).eq(values(lane)));
        if let Some(other) = same {
            let what = format!("lanes {other} and {lane} of a warp write different values to the same place");
            return Err(Trouble::new(FaultKind::Race, lane, what));
        }
    }
    Ok(())
}
