//! Decoded kernels: what the machine runs.

use crate::exec::barrier::BarrierOp;
use crate::exec::collective::{Elect, Match, Redux, Shuffle, Vote};
use crate::exec::copy::CopyOp;
use crate::exec::matrix::{MatrixMove, Mma};
use crate::exec::wgmma::WgmmaOp;
use crate::memory::atomic::Atomic;
use crate::row::MapFn;
use std::sync::Arc;

/// A register: the index of its first row.
pub(crate) type Slot = u32;

/// A kernel, ready to run.
pub(crate) struct Code {
    pub(crate) name: String,
    pub(crate) instructions: Vec<Instruction>,
    /// Rows of registers, constants and special registers.
    pub(crate) slots: u32,
    pub(crate) constants: Vec<(Slot, u64)>,
    pub(crate) specials: Vec<(Slot, Special)>,
    pub(crate) param_bytes: u64,
    /// Bytes of static shared memory; dynamic memory begins there, rounded up to 16 or what its variables ask for.
    pub(crate) shared_bytes: u64,
    /// Bytes of local memory of each thread.
    pub(crate) local_bytes: u64,
    pub(crate) max_threads: Option<[u32; 3]>,
    pub(crate) required_threads: Option<[u32; 3]>,
    pub(crate) cluster: Option<[u32; 3]>,
    /// Whether it has `wgmma`, which needs a look at every instruction.
    pub(crate) has_products: bool,
    /// The text that lines are quoted from.
    pub(crate) text: Arc<str>,
}

/// An operation, its guard and its line.
pub(crate) struct Instruction {
    pub(crate) op: Op,
    pub(crate) guard: Option<Guard>,
    pub(crate) line: u32,
}

/// A predicate, and whether it must be false.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guard {
    pub(crate) slot: Slot,
    pub(crate) is_negated: bool,
}

/// What an instruction does.
pub(crate) enum Op {
    /// A function of each lane's registers.
    Map {
        f: MapFn,
        to: Slot,
        from: [Slot; 4],
    },
    /// Copies a register.
    Move {
        to: Slot,
        from: Slot,
    },
    /// Reads memory.
    Load(Access),
    /// Writes memory.
    Store(Access),
    /// Reads, changes and writes memory at once.
    Atomic(Atomic),
    /// Goes to another instruction.
    Branch(usize),
    /// Goes to one of several.
    BranchIndexed {
        index: Slot,
        targets: Vec<usize>,
    },
    /// Ends the thread.
    Exit,
    /// Ends the kernel with a fault.
    Trap,
    /// A number that grows.
    Clock(Slot),
    /// The lanes that run together.
    ActiveMask(Slot),
    Shuffle(Shuffle),
    Vote(Vote),
    Match(Match),
    Redux(Redux),
    Elect(Elect),
    Barrier(BarrierOp),
    /// Orders memory; for the race detector it also is a moment.
    Fence,
    /// Orders generic accesses before asynchronous ones.
    FenceProxy,
    /// `fence.mbarrier_init`.
    FenceNewBarriers,
    Copy(CopyOp),
    MatrixMove(MatrixMove),
    Mma(Box<Mma>),
    Wgmma(WgmmaOp),
}

/// A state space of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccessSpace {
    Generic,
    Global,
    Shared,
    SharedCluster,
    Local,
    Param,
    Const,
}

/// An address: a register plus an offset, in a space.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) space: AccessSpace,
    pub(crate) slot: Slot,
    pub(crate) offset: i64,
}

/// A load or store of one or several elements.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) place: Place,
    /// Bytes of an element.
    pub(crate) bytes: usize,
    /// Registers, or `None` for what is not wanted.
    pub(crate) slots: Vec<Option<Slot>>,
    /// Loads: the bits to which the sign is extended.
    pub(crate) sign_to: Option<u32>,
    /// `volatile`, `relaxed`, `acquire` or `release`: does not race with others of its kind.
    pub(crate) is_strong: bool,
}

/// Read-only registers that the machine fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Special {
    Tid(usize),
    Ntid(usize),
    Ctaid(usize),
    Nctaid(usize),
    ClusterId(usize),
    NclusterId(usize),
    ClusterCtaid(usize),
    ClusterNctaid(usize),
    ClusterCtarank,
    ClusterNctarank,
    IsExplicitCluster,
    LaneId,
    WarpId,
    NwarpId,
    LaneMask(LaneMask),
    Zero,
    One,
    DynamicSharedSize,
    TotalSharedSize,
}

/// Which lanes a mask register has, by their place beside the own one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LaneMask {
    Equal,
    AtMost,
    Below,
    AtLeast,
    Above,
}

impl Op {
    /// Tells the registers that may hold data: each with whether it is written.
    pub(crate) fn registers(&self, tell: &mut dyn FnMut(Slot, bool)) {
        let mut read = |slots: &[Slot]| slots.iter().for_each(|slot| tell(*slot, false));
        match self {
            Op::Map { to, from, .. } => {
                read(from);
                tell(*to, true);
            }
            Op::Move { to, from } => {
                read(&[*from]);
                tell(*to, true);
            }
            Op::Load(access) => {
                read(&[access.place.slot]);
                access.slots.iter().flatten().for_each(|slot| tell(*slot, true));
            }
            Op::Store(access) => {
                read(&[access.place.slot]);
                access.slots.iter().flatten().for_each(|slot| tell(*slot, false));
            }
            Op::Atomic(op) => {
                read(&op.a);
                op.to.iter().for_each(|slot| tell(*slot, true));
            }
            Op::Shuffle(op) => {
                read(&[op.from]);
                tell(op.to, true);
            }
            Op::Redux(op) => {
                read(&[op.from]);
                tell(op.to, true);
            }
            Op::MatrixMove(op) => op.registers.iter().for_each(|slot| tell(*slot, op.writes())),
            Op::Mma(op) => {
                op.registers[1..].iter().for_each(|slots| read(slots));
                op.registers[0].iter().for_each(|slot| tell(*slot, true));
            }
            // Their operands are addresses, predicates and masks.
            Op::Branch(_)
            | Op::BranchIndexed { .. }
            | Op::Exit
            | Op::Trap
            | Op::Clock(_)
            | Op::ActiveMask(_)
            | Op::Vote(_)
            | Op::Match(_)
            | Op::Elect(_)
            | Op::Barrier(_)
            | Op::Fence
            | Op::FenceProxy
            | Op::FenceNewBarriers
            | Op::Copy(_)
            | Op::Wgmma(_) => {}
        }
    }
}
