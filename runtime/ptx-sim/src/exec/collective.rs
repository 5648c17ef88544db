//! Instructions by which the threads of a warp exchange values.

use super::warp::{Flow, State};
use super::{Warp, bad};
use crate::code::Slot;
use crate::error::Trouble;
use crate::row::{LANES, Row, lanes, mask_of};

/// Where a shuffle takes values from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShuffleMode {
    Up,
    Down,
    Butterfly,
    Index,
}

/// `shfl.sync`.
pub(crate) struct Shuffle {
    pub(crate) mode: ShuffleMode,
    pub(crate) to: Slot,
    pub(crate) valid: Option<Slot>,
    pub(crate) from: Slot,
    pub(crate) by: Slot,
    pub(crate) clamp: Slot,
    pub(crate) mask: Slot,
}

/// What a vote decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VoteMode {
    All,
    Any,
    Uniform,
    Ballot,
}

/// `vote.sync`.
pub(crate) struct Vote {
    pub(crate) mode: VoteMode,
    pub(crate) to: Slot,
    pub(crate) from: Slot,
    pub(crate) mask: Slot,
}

/// `match.sync`: with `all`, whether all threads have the same value.
pub(crate) struct Match {
    pub(crate) to: Slot,
    pub(crate) all: Option<Slot>,
    pub(crate) from: Slot,
    pub(crate) mask: Slot,
    pub(crate) is_all: bool,
}

/// The operation of a reduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReduxMode {
    Add,
    MinSigned,
    MaxSigned,
    MinUnsigned,
    MaxUnsigned,
    And,
    Or,
    Xor,
    MinFloat { of_abs: bool, with_nan: bool },
    MaxFloat { of_abs: bool, with_nan: bool },
}

/// `redux.sync`.
pub(crate) struct Redux {
    pub(crate) mode: ReduxMode,
    pub(crate) to: Slot,
    pub(crate) from: Slot,
    pub(crate) mask: Slot,
}

/// `elect.sync`.
pub(crate) struct Elect {
    pub(crate) leader: Option<Slot>,
    pub(crate) to: Slot,
    pub(crate) mask: Slot,
}

/// The threads of a mask when all of them are here; otherwise what to wait for.
pub(crate) fn members(warp: &Warp, mask: Slot, active: u32) -> Result<Result<u32, Flow>, Trouble> {
    let needed = warp.uniform(mask, active, "the mask of threads")? as u32;
    let outside = active & !needed;
    if outside != 0 {
        let lane = outside.trailing_zeros() as usize;
        return Err(bad(lane, format!("the thread is not in the mask {needed:#010x} that it gives")));
    }
    if needed & warp.alive & !active != 0 {
        return Ok(Err(Flow::Wait(State::Gather(needed))));
    }
    Ok(Ok(active))
}

/// Runs the rest of a function only when all threads are here.
macro_rules! gather {
    ($warp:expr, $mask:expr, $active:expr) => {
        match members($warp, $mask, $active)? {
            Ok(members) => members,
            Err(flow) => return Ok(flow),
        }
    };
}

pub(super) fn shuffle(warp: &mut Warp, op: &Shuffle, active: u32) -> Result<Flow, Trouble> {
    let members = gather!(warp, op.mask, active);
    let (from, by, clamps) = (*warp.row(op.from), *warp.row(op.by), *warp.row(op.clamp));
    let (mut result, mut valid): (Row, Row) = ([0; LANES], [0; LANES]);
    for lane in lanes(members) {
        let (amount, control) = (by[lane] as i64 & 0x1f, clamps[lane] as i64);
        let (clamp, segment) = (control & 0x1f, control >> 8 & 0x1f);
        let own = lane as i64;
        let last = (own & segment) | (clamp & !segment);
        let first = own & segment;
        let (source, is_valid) = match op.mode {
            ShuffleMode::Up => (own - amount, own - amount >= last),
            ShuffleMode::Down => (own + amount, own + amount <= last),
            ShuffleMode::Butterfly => (own ^ amount, own ^ amount <= last),
            ShuffleMode::Index => (first | (amount & !segment), first | (amount & !segment) <= last),
        };
        let source = if is_valid { source as usize & 31 } else { lane };
        if members >> source & 1 == 0 {
            return Err(bad(lane, format!("the value of lane {source} is asked for, which takes no part")));
        }
        result[lane] = from[source];
        valid[lane] = is_valid.into();
    }
    warp.set(op.to, members, &result);
    if let Some(slot) = op.valid {
        warp.set(slot, members, &valid);
    }
    Ok(Flow::Next)
}

pub(super) fn vote(warp: &mut Warp, op: &Vote, active: u32) -> Result<Flow, Trouble> {
    let members = gather!(warp, op.mask, active);
    let votes = mask_of(warp.row(op.from)) & members;
    let result = match op.mode {
        VoteMode::All => u64::from(votes == members),
        VoteMode::Any => u64::from(votes != 0),
        VoteMode::Uniform => u64::from(votes == 0 || votes == members),
        VoteMode::Ballot => votes.into(),
    };
    warp.set(op.to, members, &[result; LANES]);
    Ok(Flow::Next)
}

pub(super) fn matching(warp: &mut Warp, op: &Match, active: u32) -> Result<Flow, Trouble> {
    let members = gather!(warp, op.mask, active);
    let values = *warp.row(op.from);
    let mut result = [0; LANES];
    let first = members.trailing_zeros() as usize % LANES;
    let all_same = lanes(members).all(|lane| values[lane] == values[first]);
    for lane in lanes(members) {
        let same = lanes(members).filter(|other| values[*other] == values[lane]).fold(0u32, |mask, at| mask | 1 << at);
        result[lane] = match (op.is_all, all_same) {
            (true, true) => members.into(),
            (true, false) => 0,
            (false, _) => same.into(),
        };
    }
    warp.set(op.to, members, &result);
    if let Some(slot) = op.all {
        warp.set(slot, members, &[all_same.into(); LANES]);
    }
    Ok(Flow::Next)
}

pub(super) fn redux(warp: &mut Warp, op: &Redux, active: u32) -> Result<Flow, Trouble> {
    let members = gather!(warp, op.mask, active);
    let row = *warp.row(op.from);
    let values = lanes(members).map(|lane| row[lane] as u32);
    let signed = lanes(members).map(|lane| row[lane] as u32 as i32);
    let float = |is_max: bool, of_abs: bool, with_nan: bool| {
        let values = lanes(members).map(|lane| f32::from_bits(row[lane] as u32));
        let values = values.map(|value| f64::from(if of_abs { value.abs() } else { value }));
        let result = values.reduce(|a, b| crate::decode::extreme(is_max, with_nan, a, b)).unwrap_or(0.0) as f32;
        if result.is_nan() { 0x7fff_ffff } else { result.to_bits() }
    };
    let result = match op.mode {
        ReduxMode::Add => values.fold(0, u32::wrapping_add),
        ReduxMode::MinSigned => signed.min().unwrap_or(0) as u32,
        ReduxMode::MaxSigned => signed.max().unwrap_or(0) as u32,
        ReduxMode::MinUnsigned => values.min().unwrap_or(0),
        ReduxMode::MaxUnsigned => values.max().unwrap_or(0),
        ReduxMode::And => values.fold(u32::MAX, |a, b| a & b),
        ReduxMode::Or => values.fold(0, |a, b| a | b),
        ReduxMode::Xor => values.fold(0, |a, b| a ^ b),
        ReduxMode::MinFloat { of_abs, with_nan } => float(false, of_abs, with_nan),
        ReduxMode::MaxFloat { of_abs, with_nan } => float(true, of_abs, with_nan),
    };
    warp.set(op.to, members, &[result.into(); LANES]);
    Ok(Flow::Next)
}

/// The leader is the lowest thread: the ISA leaves it open, and GPUs do so.
pub(super) fn elect(warp: &mut Warp, op: &Elect, active: u32) -> Result<Flow, Trouble> {
    let members = gather!(warp, op.mask, active);
    let leader = members.trailing_zeros();
    let mut row = [0; LANES];
    row[leader as usize % LANES] = 1;
    warp.set(op.to, members, &row);
    if let Some(slot) = op.leader {
        warp.set(slot, members, &[leader.into(); LANES]);
    }
    Ok(Flow::Next)
}
