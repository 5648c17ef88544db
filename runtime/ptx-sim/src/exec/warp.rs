//! A warp: registers, and the places at which its lanes are.
//!
//! Lanes that are at the same instruction run together as a [`Fragment`]. The fragment that is farthest behind runs first, so
//! that lanes meet again after a branch; fragments at the same instruction become one. This is what sm_70 and later allow:
//! each thread has its own place, and instructions with a mask wait for the threads that the mask names.

use super::World;
use super::access;
use super::collective;
use super::copy::{self, Copies};
use super::wgmma::{self, Products};
use super::{Launch, bad, barrier, matrix};
use crate::code::{Guard, Instruction, Op, Slot};
use crate::error::{FaultKind, Trouble};
use crate::memory::{Actor, Clocks, atomic};
use crate::row::{LANES, Row, mask_of};

/// Lanes at the same instruction.
#[derive(Clone, Debug)]
pub(crate) struct Fragment {
    pub(crate) pc: usize,
    pub(crate) mask: u32,
    pub(crate) state: State,
    /// Backward branches while others waited; with many of them others go first.
    debt: u32,
}

/// What a fragment waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    /// For the other lanes of this mask to come to the same instruction.
    Gather(u32),
    /// For a barrier of the block to open.
    Barrier {
        id: usize,
        generation: u64,
    },
    /// For the cluster's barrier.
    Cluster {
        generation: u64,
    },
    /// For something that others do; the instruction is tried again.
    Polling,
}

/// What an instruction makes of its fragment.
pub(crate) enum Flow {
    Next,
    /// The same instruction again, when something changed.
    Wait(State),
    /// The next instruction, when something changed.
    After(State),
}

/// Backward branches after which another fragment of the warp may run.
const PATIENCE: u32 = 4096;

/// 32 threads.
pub(crate) struct Warp {
    pub(crate) registers: Vec<Row>,
    /// Index of its block in the cluster.
    pub(crate) block: usize,
    /// Index in the block.
    pub(crate) index: u32,
    /// Lanes that have not ended.
    pub(crate) alive: u32,
    pub(crate) fragments: Vec<Fragment>,
    /// Local memory of each lane in turn.
    pub(crate) local: Vec<u8>,
    pub(crate) local_written: Vec<bool>,
    pub(crate) actor: Actor,
    pub(crate) clocks: Clocks,
    /// Asynchronous copies that its threads began.
    pub(crate) copies: Copies,
    /// Products of its warpgroup that it began.
    pub(crate) products: Products,
    /// The instruction that runs.
    pub(crate) running: usize,
}

impl Warp {
    /// A warp at the beginning, without anything in its registers.
    pub(crate) fn new(registers: Vec<Row>, block: usize, index: u32, alive: u32, local: usize, tracks: bool) -> Self {
        Warp {
            registers,
            block,
            index,
            alive,
            fragments: vec![Fragment { pc: 0, mask: alive, state: State::Ready, debt: 0 }],
            local: vec![0xcd; LANES * local],
            local_written: vec![false; if tracks { LANES * local } else { 0 }],
            actor: Actor::default(),
            clocks: Clocks::default(),
            copies: Copies::default(),
            products: Products::default(),
            running: 0,
        }
    }

    /// A register's row.
    pub(crate) fn row(&self, slot: Slot) -> &Row {
        &self.registers[slot as usize]
    }

    /// Writes a register in some lanes.
    pub(crate) fn set(&mut self, slot: Slot, mask: u32, values: &Row) {
        let row = &mut self.registers[slot as usize];
        if mask == u32::MAX {
            *row = *values;
            return;
        }
        for lane in 0..LANES {
            if mask >> lane & 1 == 1 {
                row[lane] = values[lane];
            }
        }
    }

    fn guarded(&self, guard: Option<Guard>, mask: u32) -> u32 {
        let Some(guard) = guard else { return mask };
        let holds = mask_of(self.row(guard.slot));
        mask & if guard.is_negated { !holds } else { holds }
    }

    /// The value that a register has in all lanes of a mask.
    pub(crate) fn uniform(&self, slot: Slot, mask: u32, what: &str) -> Result<u64, Trouble> {
        let row = self.row(slot);
        let first = mask.trailing_zeros() as usize % LANES;
        for lane in crate::row::lanes(mask) {
            if row[lane] != row[first] {
                return Err(bad(lane, format!("{what} differs between the threads of a warp")));
            }
        }
        Ok(row[first])
    }

    /// Runs until all fragments wait, the warp ends, or so many instructions ran. Tells whether anything happened.
    pub(crate) fn run(&mut self, world: &mut World<'_>, slice: u32) -> Result<bool, (Trouble, usize)> {
        let mut moved = false;
        for _ in 0..slice {
            let Some(at) = self.pick(world) else { break };
            moved |= self.step(at, world)?;
        }
        for fragment in &mut self.fragments {
            if fragment.state == State::Polling {
                fragment.state = State::Ready;
            }
        }
        Ok(moved)
    }

    /// The fragment that runs next; others at its instruction join it.
    fn pick(&mut self, world: &World<'_>) -> Option<usize> {
        if let [only] = &self.fragments[..]
            && only.state == State::Ready
        {
            return Some(0);
        }
        let alive = self.alive;
        for fragment in &mut self.fragments {
            let opens = match fragment.state {
                State::Gather(needed) => needed & alive & !fragment.mask == 0,
                State::Barrier { id, generation } => world.blocks[self.block].named[id].generation != generation,
                State::Cluster { generation } => world.cluster_barrier.generation != generation,
                State::Ready | State::Polling => false,
            };
            if opens {
                if let State::Barrier { id, generation } = fragment.state {
                    world.blocks[self.block].named[id].learn(generation, &mut self.clocks);
                }
                if let State::Cluster { generation } = fragment.state {
                    world.cluster_barrier.learn(generation, &mut self.clocks);
                }
                fragment.state = State::Ready;
            }
        }
        let ready = self.fragments.iter().enumerate().filter(|(_, fragment)| fragment.state == State::Ready);
        let (at, pc) = ready.min_by_key(|(_, f)| (f.debt / PATIENCE, f.pc)).map(|(at, fragment)| (at, fragment.pc))?;
        let joins = |other: &Fragment| other.pc == pc && matches!(other.state, State::Ready | State::Gather(_));
        if self.fragments.iter().filter(|other| joins(other)).count() == 1 {
            return Some(at);
        }
        let mut merged = self.fragments[at].clone();
        self.fragments.retain(|other| {
            let stays = !joins(other);
            if !stays {
                merged.mask |= other.mask;
            }
            stays
        });
        self.fragments.push(merged);
        Some(self.fragments.len() - 1)
    }

    /// One instruction of one fragment.
    fn step(&mut self, at: usize, world: &mut World<'_>) -> Result<bool, (Trouble, usize)> {
        let Fragment { pc, mask, .. } = self.fragments[at];
        let launch: &Launch = world.launch;
        let instruction = &launch.code.instructions[pc];
        world.time += 1;
        world.counts.warp_instructions += 1;
        let active = self.guarded(instruction.guard, mask);
        world.counts.thread_instructions += u64::from(active.count_ones());
        self.running = pc;
        if launch.code.has_products && active != 0 {
            wgmma::check(self, &instruction.op, active, world.time).map_err(|trouble| (trouble, pc))?;
        }
        match &instruction.op {
            Op::Move { to, from } => {
                let row = self.registers[*from as usize];
                self.set(*to, active, &row);
                self.fragments[at].pc = pc + 1;
            }
            Op::Map { f, to, from } => {
                let mut result = [0; LANES];
                f(&mut result, from.map(|slot| &self.registers[slot as usize]));
                self.set(*to, active, &result);
                self.fragments[at].pc = pc + 1;
            }
            Op::Branch(target) => self.branch(at, active, *target),
            Op::BranchIndexed { index, targets } => {
                self.branch_indexed(at, active, *index, targets).map_err(|trouble| (trouble, pc))?;
            }
            Op::Exit => {
                copy::thread_ends(self, active, world).map_err(|trouble| (trouble, pc))?;
                self.exit(at, active, world);
            }
            _ if active == 0 => self.fragments[at].pc = pc + 1,
            _ => {
                let flow = self.other(instruction, active, world).map_err(|trouble| (trouble, pc))?;
                return Ok(self.flow(at, active, flow));
            }
        }
        Ok(true)
    }

    /// Splits off the lanes of a fragment that an instruction did not concern, and does what it asks with the others.
    fn flow(&mut self, at: usize, active: u32, flow: Flow) -> bool {
        let fragment = &mut self.fragments[at];
        let (pc, rest) = (fragment.pc, fragment.mask & !active);
        let (next, state) = match flow {
            Flow::Next => {
                fragment.pc = pc + 1;
                return true;
            }
            Flow::Wait(state) => (pc, state),
            Flow::After(state) => (pc + 1, state),
        };
        (fragment.pc, fragment.mask, fragment.state) = (next, active, state);
        let debt = fragment.debt;
        if rest != 0 {
            self.fragments.push(Fragment { pc: pc + 1, mask: rest, state: State::Ready, debt });
        }
        next != pc || rest != 0
    }

    fn branch(&mut self, at: usize, taken: u32, target: usize) {
        let others = self.fragments.len() > 1;
        let fragment = &mut self.fragments[at];
        let (pc, rest) = (fragment.pc, fragment.mask & !taken);
        if taken == 0 {
            fragment.pc = pc + 1;
            return;
        }
        fragment.pc = target;
        fragment.debt += u32::from(others && target <= pc);
        let debt = fragment.debt;
        if rest != 0 {
            fragment.mask = taken;
            self.fragments.push(Fragment { pc: pc + 1, mask: rest, state: State::Ready, debt });
        }
    }

    fn branch_indexed(&mut self, at: usize, taken: u32, index: Slot, targets: &[usize]) -> Result<(), Trouble> {
        let Fragment { pc, mask, debt, .. } = self.fragments.swap_remove(at);
        let mut go =
            |pc: usize, mask: u32| match self.fragments.iter_mut().find(|f| f.pc == pc && f.state == State::Ready) {
                Some(fragment) => fragment.mask |= mask,
                None => self.fragments.push(Fragment { pc, mask, state: State::Ready, debt }),
            };
        for lane in crate::row::lanes(taken) {
            let wanted = self.registers[index as usize][lane] as u32 as usize;
            let target =
                targets.get(wanted).ok_or_else(|| bad(lane, format!("branch {wanted} of {}", targets.len())))?;
            go(*target, 1 << lane);
        }
        if mask & !taken != 0 {
            go(pc + 1, mask & !taken);
        }
        Ok(())
    }

    fn exit(&mut self, at: usize, ending: u32, world: &mut World<'_>) {
        let fragment = &mut self.fragments[at];
        fragment.mask &= !ending;
        fragment.pc += 1;
        if fragment.mask == 0 {
            self.fragments.swap_remove(at);
        }
        self.alive &= !ending;
        barrier::thread_ends(world, self.block, ending.count_ones());
    }

    fn other(&mut self, instruction: &Instruction, active: u32, world: &mut World<'_>) -> Result<Flow, Trouble> {
        match &instruction.op {
            Op::Load(access) => access::load(self, access, active, world).map(|()| Flow::Next),
            Op::Store(access) => access::store(self, access, active, world).map(|()| Flow::Next),
            Op::Atomic(op) => atomic::run(self, op, active, world).map(|()| Flow::Next),
            Op::Clock(to) => {
                self.set(*to, active, &[world.time; LANES]);
                Ok(Flow::Next)
            }
            Op::ActiveMask(to) => {
                self.set(*to, active, &[active.into(); LANES]);
                Ok(Flow::Next)
            }
            Op::Shuffle(op) => collective::shuffle(self, op, active),
            Op::Vote(op) => collective::vote(self, op, active),
            Op::Match(op) => collective::matching(self, op, active),
            Op::Redux(op) => collective::redux(self, op, active),
            Op::Elect(op) => collective::elect(self, op, active),
            Op::Barrier(op) => barrier::run(self, op, active, world),
            Op::Fence => {
                self.publish(world);
                Ok(Flow::Next)
            }
            Op::FenceProxy => {
                world.proxy_fences[self.actor.warp as usize] = world.time;
                world.barrier_fences[self.actor.warp as usize] = world.time;
                Ok(Flow::Next)
            }
            Op::FenceNewBarriers => {
                world.barrier_fences[self.actor.warp as usize] = world.time;
                self.publish(world);
                Ok(Flow::Next)
            }
            Op::Wgmma(op) => wgmma::run(self, op, active, world),
            Op::Copy(op) => copy::run(self, op, active, world),
            Op::MatrixMove(op) => matrix::transfer(self, op, active, world),
            Op::Mma(op) => matrix::multiply(self, op, active, world),
            Op::Trap => Err(Trouble::new(FaultKind::Trap, active.trailing_zeros() as usize, "the kernel ended itself")),
            // These never come here: `step` does them.
            Op::Map { .. } | Op::Move { .. } | Op::Branch(_) | Op::BranchIndexed { .. } | Op::Exit => Ok(Flow::Next),
        }
    }

    /// Tells others by a strong access or fence what happened so far.
    pub(crate) fn publish(&mut self, world: &mut World<'_>) {
        world.strong.join(&self.clocks);
        self.tick();
    }

    /// Begins a new moment of this warp.
    pub(crate) fn tick(&mut self) {
        self.actor.clock += 1;
        if let Some(own) = self.clocks.seen.get_mut(self.actor.warp as usize) {
            *own = self.actor.clock;
        }
    }
}
