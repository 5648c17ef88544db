//! A block's product of two operands: the loop over `k`, on tensor cores or FMA units, and what follows.
//!
//! Tiles of both operands come into shared memory in one of two ways. A *ring* (`sm_80` on): so many stages, filled by
//! `cp.async` while earlier ones are used; a stage is filled again one barrier after its last use. *Registers*: each thread
//! loads its pieces of the next tile before it works on the present one and writes them down after that; two stages. This
//! way also takes pieces of less than 4 bytes, changes types, and transposes.

use super::epilogue;
use super::schedule::{Math, Pipeline, Schedule};
use super::simt::{self, Simt};
use super::stage::{Deal, Loaded, Stager};
use super::tensor_core::{self, TensorCore};
use super::{Chip, Ints, Operand, SharedTile};
use crate::text::{IntCmp, Ty, Val, Writer};

/// Which part of the result a block computes. All numbers are `i32`.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// First row and column.
    pub row: Val,
    /// First column.
    pub column: Val,
    /// Rows of the whole result.
    pub m: Val,
    /// Columns of the whole result.
    pub n: Val,
    /// How many products each element sums.
    pub k: Val,
    /// Whether `k` is a multiple of the tile's.
    pub k_whole: bool,
}

/// A product of two operands with a schedule.
#[derive(Clone, Copy, Debug)]
pub struct Matmul {
    /// What it is written for.
    pub chip: Chip,
    /// How.
    pub schedule: Schedule,
}

/// The row of a run of sums: its warp along rows, the part that is the same for all threads, and the lane's part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunRow<T> {
    pub(crate) warp: T,
    pub(crate) constant: u32,
    pub(crate) lane: T,
}

/// The arithmetic of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Core {
    Simt(Simt),
    Tensor(TensorCore),
}

enum Bases {
    Simt(simt::Bases),
    Tensor(tensor_core::Bases),
}

impl Core {
    fn n_sums(&self) -> usize {
        match self {
            Core::Simt(core) => core.n_sums(),
            Core::Tensor(core) => core.n_sums(),
        }
    }

    /// Neighboring sums that are in one thread.
    pub(crate) fn run_lanes(&self) -> u32 {
        match self {
            Core::Simt(core) => core.group(),
            Core::Tensor(_) => 2,
        }
    }

    pub(crate) fn n_runs(&self) -> usize {
        self.n_sums() / self.run_lanes() as usize
    }

    pub(crate) fn run_place<I: Ints>(&self, i: &mut I, thread: I::Num, run: usize) -> (RunRow<I::Num>, I::Num) {
        match self {
            Core::Simt(core) => core.run_place(i, thread, run),
            Core::Tensor(core) => core.run_place(i, thread, run),
        }
    }

    /// All sums with their places.
    pub(crate) fn runs(&self, w: &mut Writer, thread: Val, sums: &[Val]) -> Vec<(Vec<Val>, RunRow<Val>, Val)> {
        let runs = sums.chunks(self.run_lanes() as usize).enumerate();
        runs.map(|(run, vals)| {
            let (row, column) = self.run_place(w, thread, run);
            (vals.to_vec(), row, column)
        })
        .collect()
    }

    fn bases(&self, w: &mut Writer, thread: Val) -> Bases {
        match self {
            Core::Simt(core) => Bases::Simt(core.bases(w, thread)),
            Core::Tensor(core) => Bases::Tensor(core.bases(w, thread)),
        }
    }

    fn multiply(&self, w: &mut Writer, stage: Val, bases: &Bases, sums: &[Val]) -> Vec<Val> {
        match (self, bases) {
            (Core::Simt(core), Bases::Simt(bases)) => core.multiply(w, stage, bases, sums),
            (Core::Tensor(core), Bases::Tensor(bases)) => core.multiply(w, stage, bases, sums),
            _ => unreachable!("bases come from the same core"),
        }
    }
}

/// What the loop over `k` needs.
struct Loop<'a> {
    core: Core,
    a: Stager<'a>,
    b: Stager<'a>,
    bases: Bases,
    shared: Val,
    stage_bytes: u32,
    tile_k: u32,
    /// Tiles along `k`.
    count: Val,
}

impl Loop<'_> {
    fn b_stage(&self, w: &mut Writer, stage: Val) -> Val {
        let offset = match &self.core {
            Core::Simt(core) => core.a.bytes(),
            Core::Tensor(core) => core.a.bytes(),
        };
        w.gep_const(stage, offset.into(), Ty::I8)
    }

    fn k_of(&self, w: &mut Writer, tile: Val) -> Val {
        w.times(tile, self.tile_k)
    }

    fn copy_async(&self, w: &mut Writer, tile: Val, stage: Val) {
        let k = self.k_of(w, tile);
        self.a.copy_async(w, k, stage);
        let b = self.b_stage(w, stage);
        self.b.copy_async(w, k, b);
    }

    fn zeros(&self, w: &mut Writer, sum: Ty) -> Vec<Val> {
        vec![w.zero(sum); self.core.n_sums()]
    }

    fn ring(&self, w: &mut Writer, sum: Ty, stages: u32) -> Vec<Val> {
        for stage in 0..stages - 1 {
            let (number, at) = (w.num(stage), w.gep_const(self.shared, (stage * self.stage_bytes).into(), Ty::I8));
            let exists = w.cmpi(IntCmp::Slt, number, self.count);
            w.if_then(exists, |w| self.copy_async(w, number, at));
            w.commit_copies();
        }
        let (zero, one) = (w.num(0), w.num(1));
        let filled = w.num((stages - 1) * self.stage_bytes);
        let inits = [vec![zero, filled], self.zeros(w, sum)].concat();
        let results = w.for_loop_rolled(zero, self.count, one, &inits, |w, tile, carried| {
            let (read, write) = (carried[0], carried[1]);
            w.wait_copies(stages - 2);
            w.barrier();
            let ahead = w.num(stages - 1);
            let next = w.addi(tile, ahead);
            let exists = w.cmpi(IntCmp::Slt, next, self.count);
            w.if_then(exists, |w| {
                let to = w.shared_at(self.shared, write);
                self.copy_async(w, next, to);
            });
            w.commit_copies();
            let stage = w.shared_at(self.shared, read);
            let sums = self.core.multiply(w, stage, &self.bases, &carried[2..]);
            let turns = [self.turn(w, read, stages), self.turn(w, write, stages)];
            [turns.to_vec(), sums].concat()
        });
        w.wait_copies(0);
        w.barrier();
        results[2..].to_vec()
    }

    /// The offset of the next stage.
    fn turn(&self, w: &mut Writer, offset: Val, stages: u32) -> Val {
        let (size, end, zero) = (w.num(self.stage_bytes), w.num(stages * self.stage_bytes), w.num(0));
        let next = w.addi(offset, size);
        let wraps = w.cmpi(IntCmp::Eq, next, end);
        w.select(wraps, zero, next)
    }

    fn load(&self, w: &mut Writer, tile: Val) -> [Vec<Loaded<'_>>; 2] {
        let exists = w.cmpi(IntCmp::Slt, tile, self.count);
        let k = self.k_of(w, tile);
        [self.a.load(w, k, exists), self.b.load(w, k, exists)]
    }

    fn store(&self, w: &mut Writer, [a, b]: &mut [Vec<Loaded>; 2], stage: Val) {
        self.a.store(w, a, stage);
        let to = self.b_stage(w, stage);
        self.b.store(w, b, to);
    }

    fn registers(&self, w: &mut Writer, sum: Ty) -> Vec<Val> {
        let (zero, one) = (w.num(0), w.num(1));
        let mut first = self.load(w, zero);
        self.store(w, &mut first, self.shared);
        w.barrier();
        let inits = [vec![zero], self.zeros(w, sum)].concat();
        let results = w.for_loop_rolled(zero, self.count, one, &inits, |w, tile, carried| {
            let next = w.addi(tile, one);
            let mut pieces = self.load(w, next);
            let stage = w.shared_at(self.shared, carried[0]);
            let sums = self.core.multiply(w, stage, &self.bases, &carried[1..]);
            let other = self.turn(w, carried[0], 2);
            let to = w.shared_at(self.shared, other);
            self.store(w, &mut pieces, to);
            w.barrier();
            [vec![other], sums].concat()
        });
        results[1..].to_vec()
    }
}

impl Matmul {
    /// The tiles of both operands in shared memory.
    pub(crate) fn tiles(&self) -> [SharedTile; 2] {
        self.schedule.tiles()
    }

    pub(crate) fn core(&self) -> Core {
        let (tile, [a, b]) = (self.schedule.tile, self.tiles());
        match self.schedule.math {
            Math::Fma(_) => Core::Simt(Simt { tile, a, b }),
            Math::Tensor(atom) => Core::Tensor(TensorCore { chip: self.chip, atom, tile, a, b }),
        }
    }

    /// Writes one block. `finish` gets the row and column (`i64`) of the first of as many neighboring sums as the
    /// schedule's lanes, and those; all of them exist if the number of columns is a multiple of the lanes.
    ///
    /// All threads of the block must come here.
    ///
    /// # Panics
    /// If the schedule does not fit the operands; [`Schedule::fits`] says so before.
    pub fn write(
        &self,
        w: &mut Writer,
        a: Operand<'_>,
        b: Operand<'_>,
        place: &Place,
        finish: &mut dyn FnMut(&mut Writer, Val, Val, Val),
    ) {
        let schedule = &self.schedule;
        let (thread, threads) = (w.thread(), schedule.threads());
        let core = self.core();
        let [a_tile, b_tile] = self.tiles();
        let deal = |tile: &SharedTile, operand: &Operand| {
            Deal::new(tile, operand.along, operand.lanes(), threads).expect("the schedule fits the operands")
        };
        let (a_deal, b_deal) = (deal(&a_tile, &a), deal(&b_tile, &b));
        let k = (place.k, place.k_whole);
        let a = Stager::new(w, a, a_tile, a_deal, (thread, threads), place.row, k);
        let b = Stager::new(w, b, b_tile, b_deal, (thread, threads), place.column, k);
        let rounding = w.num(schedule.tile.k - 1);
        let rounded = w.addi(place.k, rounding);
        let this = Loop {
            bases: core.bases(w, thread),
            core,
            a,
            b,
            shared: w.shared(),
            stage_bytes: schedule.stage_bytes(),
            tile_k: schedule.tile.k,
            count: w.over(rounded, schedule.tile.k),
        };
        let sum: Ty = schedule.math.sum().into();
        let sums = match schedule.pipeline {
            Pipeline::Ring(stages) => this.ring(w, sum, stages),
            Pipeline::Registers => this.registers(w, sum),
        };
        self.finish_all(w, &core, &sums, place, finish);
    }

    /// Accesses of a warp to shared memory that have bank conflicts: what, and how many wavefronts too many.
    /// Pieces that are written to shared memory lie along the given axes and have so many elements.
    pub fn conflicts(&self, along: [super::Along; 2], lanes: [u32; 2]) -> Vec<(String, u32)> {
        epilogue::conflicts(self, along, lanes)
    }
}
