//! Faults with their place, and what to say when nothing moves any more.

use super::warp::State;
use super::{Launch, Warp, World};
use crate::error::{Error, Fault, FaultKind, Trouble};

/// Characters of a line that are quoted.
const QUOTED: usize = 160;

/// The place of what happened to a lane at an instruction.
pub(super) fn place(trouble: Trouble, launch: &Launch, warp: &Warp, ctaid: [u32; 3], pc: usize) -> Error {
    let Trouble { kind, lane, what } = trouble;
    let line = launch.code.instructions.get(pc).map_or(0, |instruction| instruction.line);
    let text = launch.code.text.lines().nth(line.saturating_sub(1) as usize).unwrap_or_default();
    Error::Fault(Box::new(Fault {
        kind,
        what,
        kernel: launch.code.name.clone(),
        ctaid,
        tid: tid(launch.block, warp.index * 32 + lane as u32),
        line,
        text: text.trim().chars().take(QUOTED).collect(),
    }))
}

/// The coordinates of a thread of a block.
pub(super) fn tid(block: [u32; 3], thread: u32) -> [u32; 3] {
    [thread % block[0], thread / block[0] % block[1], thread / block[0] / block[1]]
}

/// Nothing moves: the thread to blame, and why.
pub(super) fn stuck(world: &World<'_>, warps: &[Warp]) -> Error {
    let waiting = || warps.iter().flat_map(|warp| warp.fragments.iter().map(move |fragment| (warp, fragment)));
    let gathering = waiting().find(|(_, fragment)| matches!(fragment.state, State::Gather(_)));
    let Some((warp, fragment)) = gathering.or_else(|| waiting().next()) else {
        return Error::Launch("no thread is left, and the kernel has not ended".into());
    };
    let others: Vec<String> = waiting()
        .filter(|(other, part)| other.actor.warp != warp.actor.warp || part.pc != fragment.pc)
        .take(4)
        .map(|(other, part)| {
            let line = world.launch.code.instructions[part.pc].line;
            format!("warp {} of block {} at line {line}", other.index, other.block)
        })
        .collect();
    let others = if others.is_empty() { "no other thread is left".into() } else { others.join(", ") };
    let (kind, what) = match fragment.state {
        State::Gather(needed) => {
            let missing = needed & warp.alive & !fragment.mask;
            let what = format!("threads {:#010x} of the warp wait for {missing:#010x}", fragment.mask);
            (FaultKind::DivergentBarrier, what)
        }
        State::Barrier { id, .. } => (FaultKind::Deadlock, format!("barrier {id} never opens")),
        State::Cluster { .. } => (FaultKind::Deadlock, "the cluster's barrier never opens".into()),
        State::Polling | State::Ready => (FaultKind::Deadlock, "what is waited for never happens".into()),
    };
    let pc = if matches!(fragment.state, State::Barrier { .. }) { fragment.pc.saturating_sub(1) } else { fragment.pc };
    let trouble = Trouble::new(kind, fragment.mask.trailing_zeros() as usize, format!("{what}; others: {others}"));
    place(trouble, world.launch, warp, world.blocks[warp.block].ctaid, pc)
}
