//! Attention of a block of rows by warpgroups (`sm_90a`): the first one brings tiles by tensor copies, the others have 64 rows
//! each.
//!
//! Tiles of both right operands go round in stages of their own, each with a barrier *full* and one *empty*, as in
//! [`GroupMatmul`]. Columns are walked from the last tile to the first, so that only the tile before the loop can have an edge.
//! A step of the loop begins the scores of its tile and the sums of the tile before, and computes the exponentials of the new
//! scores while the sums are still under way; then the weights are rounded and the sums scaled. Consumers begin their products in
//! turns, so that one computes exponentials while another multiplies. (Shah et al., "FlashAttention-3", 2024: ping-pong and
//! intra-warpgroup pipelining.)
//!
//! At the end each warp puts its sums, some columns at a time, where its rows of the left operand were, and finishes neighbors.

use super::flash_group_schedule::GroupFlash;
use super::group::once;
use super::softmax::{Score, ScorePlaces, Seen, Weighed, packed, scaled};
use super::wgmma::{Chain, GroupTile, Left, ROWS, settle};
use super::{Along, GroupMatmul, GroupPlace, GroupSchedule, Ints};
use crate::text::{IntCmp, Scalar, Ty, Val, Writer};

/// The first of the barriers at which consumers wait for their turn to multiply, one for each of them. Behind them is one for
/// the warps of each consumer.
const TURNS: u32 = 1;

/// Which part of an attention a block computes. All numbers are `i32`.
#[derive(Clone, Debug)]
pub struct GroupFlashPlace {
    /// First row.
    pub row: Val,
    /// Rows of the matrix.
    pub m: Val,
    /// Columns of the scores, and whether they are a multiple of the tile's.
    pub n: (Val, bool),
    /// The first tile of columns and the one behind the last.
    pub tiles: [Val; 2],
    /// Whether there certainly is one.
    pub has_tiles: bool,
    /// Columns of the result.
    pub width: Val,
    /// Whether a row whose weights are not numbers is zero.
    pub zero_rows: bool,
    /// Coordinates of the operands in their maps, beyond the first two.
    pub matrix: [Vec<Val>; 3],
}

/// The right operands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Right {
    /// Of the product that makes scores.
    Scores,
    /// Of the one that sums values.
    Values,
}

/// Tiles and barriers in shared memory.
struct Area {
    flash: GroupFlash,
    shared: Val,
    barriers: Val,
}

impl Area {
    fn new(w: &mut Writer, flash: GroupFlash) -> Area {
        let shared = w.shared();
        let barriers = w.gep_const(shared, flash.ring_bytes().into(), Ty::I8);
        Area { flash, shared, barriers }
    }

    fn barrier(&self, w: &mut Writer, kind: u32, stage: Val) -> Val {
        let offset = w.times(stage, 8);
        let far = w.num(kind * self.flash.stages * 8);
        let offset = w.addi(offset, far);
        w.shared_at(self.barriers, offset)
    }

    fn full(&self, w: &mut Writer, right: Right, stage: Val) -> Val {
        self.barrier(w, right as u32, stage)
    }

    fn empty(&self, w: &mut Writer, right: Right, stage: Val) -> Val {
        self.barrier(w, 2 + right as u32, stage)
    }

    /// The barrier of the left operand.
    fn ready(&self, w: &mut Writer) -> Val {
        let zero = w.num(0);
        self.barrier(w, 4, zero)
    }

    /// How far a tile of a stage is from the beginning, in bytes.
    fn tile_offset(&self, w: &mut Writer, right: Right, stage: Val) -> Val {
        let flash = self.flash;
        let first = flash.consumers * flash.left_bytes();
        let before = if right == Right::Values { flash.tiles()[1].bytes() } else { 0 };
        let (far, offset) = (w.num(first + before), w.times(stage, flash.stage_bytes()));
        w.addi(offset, far)
    }

    /// The stage of a tile by its number, and the parity of the stage's phase.
    fn turn(&self, w: &mut Writer, number: Val) -> [Val; 2] {
        let round = w.over(number, self.flash.stages);
        [w.rest(number, self.flash.stages), w.rest(round, 2)]
    }

    fn await_full(&self, w: &mut Writer, right: Right, number: Val) {
        let [stage, parity] = self.turn(w, number);
        let full = self.full(w, right, stage);
        w.await_phase(full, parity);
    }

    /// One thread of a warp makes the barriers, and all see them.
    fn init(&self, w: &mut Writer, leads: Val, maps: [Val; 3]) {
        once(w, leads, |w| {
            for map in maps {
                w.prefetch_map(map);
            }
            for stage in 0..self.flash.stages {
                let stage = w.num(stage);
                for right in [Right::Scores, Right::Values] {
                    let (full, empty) = (self.full(w, right, stage), self.empty(w, right, stage));
                    w.init_barrier(full, 1);
                    w.init_barrier(empty, self.flash.consumers);
                }
            }
            let ready = self.ready(w);
            w.init_barrier(ready, 1);
            w.fence_new_barriers();
        });
        w.barrier();
    }
}

/// Starts the copies of a tile's blocks, the first from these coordinates along `k` and the outer axis.
fn bring(w: &mut Writer, tile: &GroupTile, map: Val, [to, full]: [Val; 2], [k, outer]: [Val; 2], matrix: &[Val]) {
    for number in 0..tile.n_boxes() {
        let [far_k, far_outer] = tile.box_start(number).map(|far| w.num(far));
        let (k, outer) = (w.addi(k, far_k), w.addi(outer, far_outer));
        let first = if tile.along == Along::K { [k, outer] } else { [outer, k] };
        let to = w.gep_const(to, (number * tile.box_bytes()).into(), Ty::I8);
        w.copy_tile(to, map, &[&first[..], matrix].concat(), full);
    }
}

impl GroupFlash {
    /// Writes one block. `finish` gets the row and column (`i64`) of the first of `lanes` neighbors, and those.
    ///
    /// All threads of the block must come here.
    pub fn write(
        &self,
        w: &mut Writer,
        maps: [Val; 3],
        place: &GroupFlashPlace,
        score: Score<'_>,
        finish: &mut dyn FnMut(&mut Writer, Val, Val, Val),
    ) {
        let area = Area::new(w, *self);
        let thread = w.thread();
        let (zero, warp) = (w.num(0), w.over(thread, 32));
        let warp = w.uniform(warp);
        let group = w.over(warp, 4);
        let leads = w.cmpi(IntCmp::Eq, warp, zero);
        area.init(w, leads, maps);
        let produces = w.cmpi(IntCmp::Eq, group, zero);
        w.if_else(
            produces,
            &[],
            |w| {
                if let Some([producer, _]) = self.registers() {
                    w.set_registers(producer, false);
                }
                once(w, leads, |w| Producer { area: &area, maps, place }.run(w));
                vec![]
            },
            |w| {
                if let Some([_, consumer]) = self.registers() {
                    w.set_registers(consumer, true);
                }
                let less = w.i32(-1);
                let group = w.addi(group, less);
                let consumer = Consumer::new(w, &area, place, (thread, group));
                let sums = consumer.sums(w, score);
                consumer.finish_all(w, &sums, finish);
                vec![]
            },
        );
    }
}

/// The thread that brings all tiles.
struct Producer<'a> {
    area: &'a Area,
    maps: [Val; 3],
    place: &'a GroupFlashPlace,
}

impl Producer<'_> {
    fn run(&self, w: &mut Writer) {
        let (zero, one) = (w.num(0), w.num(1));
        let [first, end] = self.place.tiles;
        let count = w.subi(end, first);
        let exists = w.cmpi(IntCmp::Sgt, count, zero);
        // The values of a tile are needed one step later than its scores.
        w.if_then(exists, |w| {
            self.left(w);
            self.bring_tile(w, Right::Scores, zero);
            w.for_loop_rolled(one, count, one, &[], |w, number, _| {
                self.tile(w, Right::Scores, number);
                let before = w.subi(number, one);
                self.tile(w, Right::Values, before);
                vec![]
            });
            let last = w.subi(count, one);
            self.tile(w, Right::Values, last);
        });
    }

    /// Brings every consumer's rows.
    fn left(&self, w: &mut Writer) {
        let flash = self.area.flash;
        let tile = flash.tiles()[0];
        let (zero, ready) = (w.num(0), self.area.ready(w));
        w.arrive_expecting(ready, flash.consumers * tile.bytes());
        for consumer in 0..flash.consumers {
            let far = w.num(consumer * ROWS);
            let row = w.addi(self.place.row, far);
            let to = w.gep_const(self.area.shared, (consumer * flash.left_bytes()).into(), Ty::I8);
            bring(w, &tile, self.maps[0], [to, ready], [zero, row], &self.place.matrix[0]);
        }
    }

    /// Brings a tile by its number when its stage is empty.
    fn tile(&self, w: &mut Writer, right: Right, number: Val) {
        let one = w.num(1);
        let [stage, parity] = self.area.turn(w, number);
        // Nobody has used the stages before their first phase: waiting for the phase before that does not wait.
        let parity = w.xori(parity, one);
        let empty = self.area.empty(w, right, stage);
        w.await_phase(empty, parity);
        self.bring_tile(w, right, number);
    }

    /// Brings a tile by its number, the last one first.
    fn bring_tile(&self, w: &mut Writer, right: Right, number: Val) {
        let zero = w.num(0);
        let [stage, _] = self.area.turn(w, number);
        let at = 1 + right as usize;
        let tile = self.area.flash.tiles()[at];
        let full = self.area.full(w, right, stage);
        w.arrive_expecting(full, tile.bytes());
        let offset = self.area.tile_offset(w, right, stage);
        let to = w.shared_at(self.area.shared, offset);
        let column = column_of(w, self.area.flash, self.place, number);
        let from = if right == Right::Scores { [zero, column] } else { [column, zero] };
        bring(w, &tile, self.maps[at], [to, full], from, &self.place.matrix[at]);
    }
}

/// The first column of a tile by its number.
fn column_of(w: &mut Writer, flash: GroupFlash, place: &GroupFlashPlace, number: Val) -> Val {
    let one = w.num(1);
    let last = w.subi(place.tiles[1], one);
    let tile = w.subi(last, number);
    w.times(tile, flash.columns)
}

/// A warpgroup with its rows.
struct Consumer<'a> {
    area: &'a Area,
    place: &'a GroupFlashPlace,
    /// The thread in its group, and the group among the consumers.
    thread: Val,
    group: Val,
    /// Whether it is the one thread that speaks for the group.
    leads: Val,
    /// The first row of its warp.
    row: Val,
    places: ScorePlaces,
    /// The descriptor of the left operand.
    left: Val,
}

impl<'a> Consumer<'a> {
    fn new(w: &mut Writer, area: &'a Area, place: &'a GroupFlashPlace, (thread, group): (Val, Val)) -> Consumer<'a> {
        let (zero, thread) = (w.num(0), w.rest(thread, 128));
        let warp = w.over(thread, 32);
        let (far, near) = (w.times(group, ROWS), w.times(warp, 16));
        let row = w.addi(place.row, far);
        let row = w.addi(row, near);
        let places = ScorePlaces::new(w, thread, row, [place.m, place.n.0]);
        let offset = w.times(group, area.flash.left_bytes());
        let leads = w.cmpi(IntCmp::Eq, thread, zero);
        let left = descriptor(w, area, &area.flash.tiles()[0], offset);
        Consumer { area, place, thread, group, leads, row, places, left }
    }

    /// The results of the rows.
    fn sums(&self, w: &mut Writer, score: Score<'_>) -> Vec<Val> {
        let zero = w.num(0);
        let [first, end] = self.place.tiles;
        let count = w.subi(end, first);
        let n_sums = self.area.flash.products()[1].n_sums();
        let found = if self.place.has_tiles {
            self.walk(w, count, score)
        } else {
            let exists = w.cmpi(IntCmp::Sgt, count, zero);
            let nothing = |w: &mut Writer| {
                let none = w.float(Ty::F32, 0.0);
                [&Seen::none(w).vals()[..], &vec![none; n_sums]].concat()
            };
            w.if_else(exists, &vec![Ty::F32; 4 + n_sums], |w| self.walk(w, count, score), nothing)
        };
        Seen::of(&found[..4]).normalized(w, &found[4..], self.place.n.0, self.place.zero_rows)
    }

    /// What was seen of each row, and the sums.
    fn walk(&self, w: &mut Writer, count: Val, score: Score<'_>) -> Vec<Val> {
        let (zero, one, flash) = (w.num(0), w.num(1), self.area.flash);
        let ready = self.area.ready(w);
        w.await_phase(ready, zero);
        self.area.await_full(w, Right::Scores, zero);
        let raw = self.first_scores(w);
        self.give_back(w, Right::Scores, zero);
        let nothing = Seen::none(w);
        let first = self.weigh(w, (&raw, zero), (nothing, self.place.n.1), score);
        self.await_next(w, zero, count);
        let weights = self.rounded(w, &first.weights);
        self.first_turn(w);
        let none = w.float(Ty::F32, 0.0);
        let n_sums = flash.products()[1].n_sums();
        let inits = [&first.seen.vals()[..], &weights, &vec![none; n_sums]].concat();
        let end = 4 + weights.len();
        let results = w.for_loop_rolled(one, count, one, &inits, |w, number, carried| {
            let before = w.subi(number, one);
            self.area.await_full(w, Right::Values, before);
            let [raw, sums] = self.begin(w, number, &carried[4..end], &carried[end..]);
            self.give_back(w, Right::Scores, number);
            let Weighed { seen, weights, scales } =
                self.weigh(w, (&raw, number), (Seen::of(&carried[..4]), true), score);
            // The tile is needed soon. That the wait for it stands here keeps ptxas from moving the wait for the sums up
            // before the exponentials.
            self.await_next(w, number, count);
            let settled = settle(w, &[&sums[..], &weights].concat());
            self.give_back(w, Right::Values, before);
            let weights = self.rounded(w, &settled[n_sums..]);
            let sums = scaled(w, &settled[..n_sums], scales);
            [&seen.vals()[..], &weights, &sums].concat()
        });
        let last = w.subi(count, one);
        self.area.await_full(w, Right::Values, last);
        let sums = self.last_sums(w, last, &results[4..end], &results[end..]);
        self.last_turn(w);
        [&results[..4], &sums].concat()
    }

    /// Weighs the raw scores of a tile by its number.
    fn weigh(
        &self,
        w: &mut Writer,
        (raw, number): (&[Val], Val),
        (seen, is_whole): (Seen, bool),
        score: Score<'_>,
    ) -> Weighed {
        let column = column_of(w, self.area.flash, self.place, number);
        let found = self.places.scores(w, raw, (column, is_whole), score);
        seen.weigh(w, &found)
    }

    /// Weights as left operands of the second product.
    fn rounded(&self, w: &mut Writer, weights: &[Val]) -> Vec<Val> {
        packed(w, weights, self.area.flash.atom.elem()).concat()
    }

    /// The first tile's raw scores.
    fn first_scores(&self, w: &mut Writer) -> Vec<Val> {
        let zero = w.num(0);
        let mut chain = Chain::new(vec![None; self.area.flash.products()[0].n_sums()]);
        chain.fence();
        self.multiply_scores(w, &mut chain, zero, 0);
        chain.wait(0);
        chain.write(w)
    }

    /// Begins the raw scores of a tile and the sums of the tile before. The scores are done, the sums are not.
    fn begin(&self, w: &mut Writer, number: Val, weights: &[Val], sums: &[Val]) -> [Vec<Val>; 2] {
        let flash = self.area.flash;
        let n_scores = flash.products()[0].n_sums();
        let one = w.num(1);
        let before = w.subi(number, one);
        let first = vec![None; n_scores].into_iter();
        let mut chain = Chain::new(first.chain(sums.iter().copied().map(Some)).collect());
        self.take_turn(w);
        chain.fence();
        self.multiply_scores(w, &mut chain, number, 0);
        self.multiply_values(w, &mut chain, before, weights, n_scores);
        self.pass_turn(w, &mut chain);
        chain.wait(1);
        let mut scores = chain.write(w);
        let sums = scores.split_off(n_scores);
        [scores, sums]
    }

    /// The sums with the last tile of values.
    fn last_sums(&self, w: &mut Writer, number: Val, weights: &[Val], sums: &[Val]) -> Vec<Val> {
        let mut chain = Chain::new(sums.iter().copied().map(Some).collect());
        chain.fence();
        self.multiply_values(w, &mut chain, number, weights, 0);
        chain.wait(0);
        chain.write(w)
    }

    fn multiply_scores(&self, w: &mut Writer, chain: &mut Chain, number: Val, first: usize) {
        let [left, right, _] = self.area.flash.tiles();
        let product = self.area.flash.products()[0];
        let base = self.tile_descriptor(w, Right::Scores, &right, number);
        for step in 0..left.steps() {
            let pair = (Left::Shared(ahead(w, self.left, left.step(step))), ahead(w, base, right.step(step)));
            chain.multiply(&product, first, pair, step > 0);
        }
        chain.commit();
    }

    fn multiply_values(&self, w: &mut Writer, chain: &mut Chain, number: Val, weights: &[Val], first: usize) {
        let [_, _, values] = self.area.flash.tiles();
        let product = self.area.flash.products()[1];
        let base = self.tile_descriptor(w, Right::Values, &values, number);
        for (step, fragment) in (0..).zip(weights.chunks(4)) {
            let left = Left::Registers([fragment[0], fragment[1], fragment[2], fragment[3]]);
            chain.multiply(&product, first, (left, ahead(w, base, values.step(step))), true);
        }
        chain.commit();
    }

    fn tile_descriptor(&self, w: &mut Writer, right: Right, tile: &GroupTile, number: Val) -> Val {
        let [stage, _] = self.area.turn(w, number);
        let offset = self.area.tile_offset(w, right, stage);
        descriptor(w, self.area, tile, offset)
    }

    /// Tells the producer that the group has read a tile.
    fn give_back(&self, w: &mut Writer, right: Right, number: Val) {
        w.if_then(self.leads, |w| {
            let [stage, _] = self.area.turn(w, number);
            let empty = self.area.empty(w, right, stage);
            w.arrive(empty);
        });
    }

    /// Waits for the tile of the next scores, if there is one.
    fn await_next(&self, w: &mut Writer, number: Val, count: Val) {
        let one = w.num(1);
        let next = w.addi(number, one);
        let exists = w.cmpi(IntCmp::Slt, next, count);
        w.if_then(exists, |w| self.area.await_full(w, Right::Scores, next));
    }

    /// The barrier of a group's turn: half of those that come there are the group before.
    fn turn_of(&self, w: &mut Writer, group: Val) -> Val {
        let first = w.num(TURNS);
        w.addi(group, first)
    }

    fn next_turn(&self, w: &mut Writer) -> Val {
        let (one, zero, end) = (w.num(1), w.num(0), w.num(self.area.flash.consumers));
        let next = w.addi(self.group, one);
        let wraps = w.cmpi(IntCmp::Eq, next, end);
        let next = w.select(wraps, zero, next);
        self.turn_of(w, next)
    }

    /// The last consumer lets the first one begin.
    fn first_turn(&self, w: &mut Writer) {
        let consumers = self.area.flash.consumers;
        if consumers == 1 {
            return;
        }
        let last = w.num(consumers - 1);
        let is_last = w.cmpi(IntCmp::Eq, self.group, last);
        w.if_then(is_last, |w| {
            let first = w.num(TURNS);
            w.pass_barrier(first, 256);
        });
    }

    fn take_turn(&self, w: &mut Writer) {
        if self.area.flash.consumers > 1 {
            let own = self.turn_of(w, self.group);
            w.named_barrier_at(own, 256);
        }
    }

    fn pass_turn(&self, w: &mut Writer, chain: &mut Chain) {
        if self.area.flash.consumers > 1 {
            let next = self.next_turn(w);
            chain.arrive(next, 256);
        }
    }

    /// The first consumer takes the turn that the last one passed at the end, so that no barrier is left half full.
    fn last_turn(&self, w: &mut Writer) {
        if self.area.flash.consumers > 1 {
            let zero = w.num(0);
            let is_first = w.cmpi(IntCmp::Eq, self.group, zero);
            w.if_then(is_first, |w| w.named_barrier(TURNS, 256));
        }
    }

    /// Hands every sum to `finish`, each warp those of its own rows.
    fn finish_all(&self, w: &mut Writer, sums: &[Val], finish: &mut dyn FnMut(&mut Writer, Val, Val, Val)) {
        let flash = self.area.flash;
        let slabs = GroupMatmul { schedule: slab_schedule(flash) };
        let (lane, warp) = (w.rest(self.thread, 32), w.over(self.thread, 32));
        let (far, near) = (w.times(self.group, flash.left_bytes()), w.times(warp, flash.left_bytes() / 4));
        let offset = w.addi(far, near);
        let slab = w.shared_at(self.area.shared, offset);
        // Other warps of the group may still multiply what lies there.
        let first = w.num(TURNS + flash.consumers);
        let own = w.addi(self.group, first);
        w.named_barrier_at(own, 128);
        let columns = flash.slab_columns();
        for (pass, sums) in (0..).zip(sums.chunks(columns as usize / 2)) {
            if pass > 0 {
                w.warp_barrier();
            }
            slabs.put_down(w, slab, lane, sums);
            w.warp_barrier();
            let GroupFlashPlace { row, m, width, n, .. } = self.place;
            let column = w.num(pass * columns);
            let place = GroupPlace { row: *row, column, m: *m, n: *width, k: n.0, matrix: [vec![], vec![]] };
            slabs.take_up(w, slab, (lane, self.row), &place, finish);
        }
    }
}

/// The sums of a warp as those of a product: only the columns, lanes and type matter.
fn slab_schedule(flash: GroupFlash) -> GroupSchedule {
    let GroupFlash { atom, lanes, .. } = flash;
    GroupSchedule { atom, m: ROWS, n: flash.slab_columns(), consumers: 1, stages: 1, along: [Along::K; 2], lanes }
}

/// The descriptor of a tile so many bytes from the beginning.
fn descriptor(w: &mut Writer, area: &Area, tile: &GroupTile, offset: Val) -> Val {
    let start = w.shared_offset(area.shared);
    let start = w.addi(start, offset);
    let start = w.over(start, 16);
    let start = w.extui(start, Scalar::I64);
    let rest = w.i64(tile.descriptor().cast_signed());
    w.addi(start, rest)
}

/// A descriptor of what is so many units of 16 bytes further.
fn ahead(w: &mut Writer, descriptor: Val, units: u32) -> Val {
    let far = w.i64(units.into());
    w.addi(descriptor, far)
}
