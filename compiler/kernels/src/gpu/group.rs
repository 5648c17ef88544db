//! A block's product by warpgroups (`sm_90a`): the first one brings tiles by tensor copies, the others multiply.
//!
//! Stages go round. Each has two barriers: *full* ends a phase when the stage's bytes have come, *empty* when every consumer is
//! done with them. Consumers keep one group of products under way while they wait for the next stage, so a stage is given back
//! one tile later. What the copies find beyond the matrices is zero, so edges need no care until sums are finished.
//!
//! At the end each warp puts its sums, 16 rows at a time, where the stages were, and finishes neighbors of a row.

use super::epilogue::SumTile;
use super::group_schedule::GroupSchedule;
use super::wgmma::{Product, ROWS, STEPS, settle};
use super::{Along, Ints};
use crate::text::{IntCmp, Scalar, Ty, Val, Writer};

/// The barrier of all consumers.
const CONSUMERS: u32 = 1;

/// A product of two operands that tensor maps describe.
#[derive(Clone, Copy, Debug)]
pub struct GroupMatmul {
    /// How.
    pub schedule: GroupSchedule,
}

/// Which part of the result a block computes. All numbers are `i32`.
#[derive(Clone, Debug)]
pub struct GroupPlace {
    /// First row.
    pub row: Val,
    /// First column.
    pub column: Val,
    /// Rows of the whole result.
    pub m: Val,
    /// Columns of the whole result.
    pub n: Val,
    /// How many products each element sums.
    pub k: Val,
    /// Coordinates of `A` and of `B` in their maps, beyond the first two.
    pub matrix: [Vec<Val>; 2],
}

/// The stages in shared memory.
struct Ring {
    schedule: GroupSchedule,
    shared: Val,
    barriers: Val,
}

impl Ring {
    fn new(w: &mut Writer, schedule: GroupSchedule) -> Ring {
        let shared = w.shared();
        let barriers = w.gep_const(shared, schedule.ring_bytes().into(), Ty::I8);
        Ring { schedule, shared, barriers }
    }

    fn full(&self, w: &mut Writer, stage: Val) -> Val {
        let at = w.times(stage, 8);
        w.shared_at(self.barriers, at)
    }

    fn empty(&self, w: &mut Writer, stage: Val) -> Val {
        let full = self.full(w, stage);
        w.gep_const(full, (8 * self.schedule.stages).into(), Ty::I8)
    }

    /// One thread of a warp makes the barriers, and all see them.
    fn init(&self, w: &mut Writer, leads: Val, maps: [Val; 2]) {
        once(w, leads, |w| {
            for map in maps {
                w.prefetch_map(map);
            }
            for stage in 0..self.schedule.stages {
                let stage = w.num(stage);
                let (full, empty) = (self.full(w, stage), self.empty(w, stage));
                w.init_barrier(full, 1);
                w.init_barrier(empty, self.schedule.consumers);
            }
            w.fence_new_barriers();
        });
        w.barrier();
    }

    /// The next stage, and the parity of its phase.
    fn advance(&self, w: &mut Writer, stage: Val, parity: Val) -> [Val; 2] {
        let (one, zero, end) = (w.num(1), w.num(0), w.num(self.schedule.stages));
        let next = w.addi(stage, one);
        let wraps = w.cmpi(IntCmp::Eq, next, end);
        let other = w.xori(parity, one);
        [w.select(wraps, zero, next), w.select(wraps, other, parity)]
    }

    fn previous(&self, w: &mut Writer, stage: Val) -> Val {
        let (zero, last, less) = (w.num(0), w.num(self.schedule.stages - 1), w.i32(-1));
        let before = w.addi(stage, less);
        let first = w.cmpi(IntCmp::Eq, stage, zero);
        w.select(first, last, before)
    }
}

/// Something that one thread of a warp does. Where the choice is the hardware's, ptxas knows that it is only one.
pub(super) fn once(w: &mut Writer, is_warp: Val, body: impl FnOnce(&mut Writer)) {
    w.if_then(is_warp, |w| {
        let elected = w.elected();
        w.if_then(elected, body);
    });
}

impl GroupMatmul {
    /// Writes one block. `finish` gets the row and column (`i64`) of the first of as many neighboring sums as the schedule's
    /// lanes, and those; all of them exist if the number of columns is a multiple of the lanes.
    ///
    /// All threads of the block must come here.
    pub fn write(
        &self,
        w: &mut Writer,
        maps: [Val; 2],
        place: &GroupPlace,
        finish: &mut dyn FnMut(&mut Writer, Val, Val, Val),
    ) {
        let schedule = self.schedule;
        let ring = Ring::new(w, schedule);
        let thread = w.thread();
        let (zero, warp) = (w.num(0), w.over(thread, 32));
        let warp = w.uniform(warp);
        let group = w.over(warp, 4);
        let leads = w.cmpi(IntCmp::Eq, warp, zero);
        ring.init(w, leads, maps);
        let rounding = w.num(schedule.k() - 1);
        let rounded = w.addi(place.k, rounding);
        let count = w.over(rounded, schedule.k());
        let produces = w.cmpi(IntCmp::Eq, group, zero);
        w.if_else(
            produces,
            &[],
            |w| {
                if let Some([producer, _]) = schedule.registers() {
                    w.set_registers(producer, false);
                }
                once(w, leads, |w| self.produce(w, &ring, maps, place, count));
                vec![]
            },
            |w| {
                if let Some([_, consumer]) = schedule.registers() {
                    w.set_registers(consumer, true);
                }
                let less = w.i32(-1);
                let group = w.addi(group, less);
                let sums = self.consume(w, &ring, (thread, group), count);
                self.finish_all(w, &ring, (thread, group), &sums, place, finish);
                vec![]
            },
        );
    }

    /// Brings all tiles. One thread does that.
    fn produce(&self, w: &mut Writer, ring: &Ring, maps: [Val; 2], place: &GroupPlace, count: Val) {
        let (zero, one) = (w.num(0), w.num(1));
        let schedule = self.schedule;
        // Nobody has used the stages before their first phase: waiting for the phase before that does not wait.
        w.for_loop_rolled(zero, count, one, &[zero, one], |w, tile, carried| {
            let (stage, parity) = (carried[0], carried[1]);
            let empty = ring.empty(w, stage);
            w.await_phase(empty, parity);
            let full = ring.full(w, stage);
            w.arrive_expecting(full, schedule.stage_bytes());
            let offset = w.times(stage, schedule.stage_bytes());
            let mut to = w.shared_at(ring.shared, offset);
            let k = w.times(tile, schedule.k());
            for (side, tile) in schedule.tiles().into_iter().enumerate() {
                let outer = [place.row, place.column][side];
                let [width, n_boxes] = tile.boxes();
                for number in 0..n_boxes {
                    let far = w.num(number * width);
                    let outer = w.addi(outer, far);
                    let first = if tile.along == Along::K { [k, outer] } else { [outer, k] };
                    let at = [&first[..], &place.matrix[side]].concat();
                    w.copy_tile(to, maps[side], &at, full);
                    to = w.gep_const(to, tile.box_bytes().into(), Ty::I8);
                }
            }
            ring.advance(w, stage, parity).to_vec()
        });
    }

    /// The sums of a consumer's rows.
    fn consume(&self, w: &mut Writer, ring: &Ring, (thread, group): (Val, Val), count: Val) -> Vec<Val> {
        let schedule = self.schedule;
        let (zero, one) = (w.num(0), w.num(1));
        let product = Product { atom: schedule.atom, n: schedule.n, along: schedule.along };
        let in_group = w.rest(thread, 128);
        let leads = w.cmpi(IntCmp::Eq, in_group, zero);
        let bases = self.bases(w, ring, group);
        let none = w.zero(schedule.atom.sum().into());
        let sums = vec![none; product.n_sums() * schedule.blocks() as usize];
        let inits = [vec![zero, zero], sums].concat();
        let results = w.for_loop_rolled(zero, count, one, &inits, |w, tile, carried| {
            let (stage, parity) = (carried[0], carried[1]);
            let full = ring.full(w, stage);
            w.await_phase(full, parity);
            let pairs = self.pairs(w, bases, stage);
            let sums = product.write(w, &pairs, &carried[2..], 1);
            // The products of the tile before are done now.
            let later = w.cmpi(IntCmp::Sgt, tile, zero);
            let gives_back = w.andi(later, leads);
            w.if_then(gives_back, |w| {
                let before = ring.previous(w, stage);
                let empty = ring.empty(w, before);
                w.arrive(empty);
            });
            [ring.advance(w, stage, parity).to_vec(), sums].concat()
        });
        settle(w, &results[2..])
    }

    /// Descriptors of both operands in the first stage, of the consumer's first rows and step.
    fn bases(&self, w: &mut Writer, ring: &Ring, group: Val) -> [Val; 2] {
        let [a, b] = self.schedule.tiles();
        let start = w.shared_offset(ring.shared);
        let start = w.over(start, 16);
        let share = w.times(group, a.rows_from(self.schedule.m / self.schedule.consumers));
        let behind = w.num(a.bytes() / 16);
        let starts = [w.addi(start, share), w.addi(start, behind)];
        [(starts[0], a), (starts[1], b)].map(|(start, tile)| {
            let start = w.extui(start, Scalar::I64);
            let rest = w.i64(tile.descriptor().cast_signed());
            w.addi(start, rest)
        })
    }

    /// The pairs of descriptors of a stage: for each row block one for each step.
    fn pairs(&self, w: &mut Writer, bases: [Val; 2], stage: Val) -> Vec<Vec<[Val; 2]>> {
        let tiles = self.schedule.tiles();
        let offset = w.times(stage, self.schedule.stage_bytes() / 16);
        let offset = w.extui(offset, Scalar::I64);
        let [a, b] = bases.map(|base| w.addi(base, offset));
        (0..self.schedule.blocks())
            .map(|block| {
                (0..STEPS)
                    .map(|step| {
                        let far = tiles[0].rows_from(block * ROWS) + tiles[0].step(step);
                        let (far_a, far_b) = (w.i64(far.into()), w.i64(tiles[1].step(step).into()));
                        [w.addi(a, far_a), w.addi(b, far_b)]
                    })
                    .collect()
            })
            .collect()
    }

    /// Hands every sum to `finish`, each warp those of its own rows.
    fn finish_all(
        &self,
        w: &mut Writer,
        ring: &Ring,
        (thread, group): (Val, Val),
        sums: &[Val],
        place: &GroupPlace,
        finish: &mut dyn FnMut(&mut Writer, Val, Val, Val),
    ) {
        let schedule = self.schedule;
        let (lane, warp) = (w.rest(thread, 32), w.over(thread, 32));
        let in_group = w.rest(warp, 4);
        let number = w.times(group, 4);
        let number = w.addi(number, in_group);
        let offset = w.times(number, schedule.slab_bytes());
        let slab = w.shared_at(ring.shared, offset);
        let near = w.times(in_group, 16);
        let share = w.times(group, schedule.m / schedule.consumers);
        let near = w.addi(share, near);
        let row = w.addi(place.row, near);
        // Others may still multiply what lies there.
        w.named_barrier(CONSUMERS, 128 * schedule.consumers);
        let per_block = sums.len() / schedule.blocks() as usize;
        for (block, sums) in sums.chunks(per_block).enumerate() {
            if block > 0 {
                w.warp_barrier();
            }
            self.put_down(w, slab, lane, sums);
            w.warp_barrier();
            let far = w.num(block as u32 * ROWS);
            let row = w.addi(row, far);
            self.take_up(w, slab, (lane, row), place, finish);
        }
    }

    pub(crate) fn sum_tile(&self) -> SumTile {
        SumTile { elem: self.schedule.atom.sum(), columns: self.schedule.n }
    }

    /// The row and column in a warp's slab of a lane's pair of sums.
    pub(crate) fn pair_place<I: Ints>(&self, i: &mut I, lane: I::Num, pair: u32) -> [I::Num; 2] {
        let (row, near) = (i.over(lane, 4), i.rest(lane, 4));
        let (down, far, near) = (i.num(pair % 2 * 8), i.num(pair / 2 * 8), i.times(near, 2));
        [i.add(row, down), i.add(far, near)]
    }

    pub(super) fn put_down(&self, w: &mut Writer, slab: Val, lane: Val, sums: &[Val]) {
        let tile = self.sum_tile();
        for (pair, sums) in (0..).zip(sums.chunks(2)) {
            let [row, column] = self.pair_place(w, lane, pair);
            let address = tile.address(w, row, column);
            let pointer = w.shared_at(slab, address);
            let value = w.vector_of(sums);
            w.store(value, pointer, value.ty.bytes());
        }
    }

    pub(super) fn take_up(
        &self,
        w: &mut Writer,
        slab: Val,
        (lane, first_row): (Val, Val),
        place: &GroupPlace,
        finish: &mut dyn FnMut(&mut Writer, Val, Val, Val),
    ) {
        let lanes = self.schedule.lanes;
        let per_row = self.schedule.n / lanes;
        let (zero, end, step) = (w.num(0), w.num(16 * per_row), w.num(32));
        w.for_loop_rolled(zero, end, step, &[], |w, first, _| {
            let at = w.addi(first, lane);
            let (slab_row, column) = (w.over(at, per_row), w.rest(at, per_row));
            let column = w.times(column, lanes);
            let (row, absolute) = (w.addi(first_row, slab_row), w.addi(place.column, column));
            let (row_ok, column_ok) = (w.cmpi(IntCmp::Slt, row, place.m), w.cmpi(IntCmp::Slt, absolute, place.n));
            let inside = w.andi(row_ok, column_ok);
            w.if_then(inside, |w| {
                let sums = self.sum_tile().read(w, slab, [slab_row, column], lanes);
                let (row, column) = (w.extsi(row, Scalar::I64), w.extsi(absolute, Scalar::I64));
                finish(w, row, column, sums);
            });
            vec![]
        });
    }
}
