//! Attention of a block of rows on tensor cores: scores, softmax and sums of values without leaving registers.
//!
//! A block has some rows of the left operand in registers and walks over the columns of the scores, a tile at a time. Tiles of
//! both right operands come by `cp.async` into two stages, one ahead. What is kept of a row is in [`softmax`](super::softmax).
//! Weights are rounded to the type of the values for the second product; sums are `f32`.

use super::matmul::{Core, Matmul, Place};
use super::schedule::{Math, Pipeline, Schedule, Tile};
use super::softmax::{Score, ScorePlaces, Seen, Weighed, packed, scaled};
use super::stage::{Deal, Stager};
use super::tensor_core::{Side, TensorCore};
use super::{Along, Atom, Chip, Feature, Ints, Operand, SharedTile};
use crate::text::{IntCmp, Ty, Val, Writer};

/// Rows of a block, 16 for each warp.
const ROWS: u32 = 64;
const WARPS: u32 = ROWS / 16;

/// How an attention is tiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flash {
    /// What it is written for.
    pub chip: Chip,
    /// The matrix instruction.
    pub atom: Atom,
    /// Columns of the scores that are computed at a time.
    pub columns: u32,
    /// What the scores sum over, and columns of the result; powers of two from 32 on. What operands lack is zero.
    pub depths: [u32; 2],
    /// The axis of neighbors of the operands: of both of the first product, and of the right one of the second.
    pub along: [Along; 3],
    /// Neighboring elements of the result that are finished together.
    pub lanes: u32,
}

/// Operands and extents of a block. Numbers are `i32`.
pub struct FlashPlace<'a> {
    /// Rows of the left operand.
    pub left: Operand<'a>,
    /// Columns of the scores, as the axis that is walked along (`k`), across what is summed over.
    pub right: Operand<'a>,
    /// The right operand of the second product.
    pub values: Operand<'a>,
    /// First row of the block, rows, columns of the scores, what they sum over, columns of the result.
    pub row: Val,
    /// Rows of the matrix.
    pub m: Val,
    /// Columns of the scores, and whether they are a multiple of the tile's.
    pub n: (Val, bool),
    /// The first tile of columns and the one behind the last.
    pub tiles: [Val; 2],
    /// What scores sum over, and whether it fills the tile.
    pub depth: (Val, bool),
    /// Columns of the result.
    pub width: Val,
    /// Whether a row whose weights are not numbers is zero.
    pub zero_rows: bool,
}

impl Flash {
    /// The tiling for these depths, if the chip can.
    pub fn choose(chip: Chip, atom: Atom, depths: [u32; 2], along: [Along; 3], lanes: u32) -> Option<Flash> {
        let depths = depths.map(|depth| depth.next_power_of_two().max(32));
        let widest = depths[0].max(depths[1]);
        let flash = Flash { chip, atom, columns: if widest > 128 { 32 } else { 64 }, depths, along, lanes };
        let fits = widest <= 256 && flash.shared() <= chip.shared_per_block();
        (fits && atom.bytes() == 2 && atom.legal(chip) && chip.has(Feature::CpAsync)).then_some(flash)
    }

    /// Rows of a block.
    pub fn rows(&self) -> u32 {
        ROWS
    }

    /// Threads of a block.
    pub fn threads(&self) -> u32 {
        32 * WARPS
    }

    /// Bytes of shared memory.
    pub fn shared(&self) -> u32 {
        let stages = self.left().bytes() + 2 * self.stage_bytes();
        stages.max(ROWS * self.depths[1] * 4)
    }

    /// A name for reports.
    pub fn name(&self) -> String {
        let math = format!("{:?}", self.atom).to_lowercase();
        format!("mma {math} {ROWS}x{}, depths {} and {}", self.columns, self.depths[0], self.depths[1])
    }

    /// Whether pieces of so many bytes of the three operands can be dealt out to the threads.
    pub fn deals(&self, pieces: [u32; 3]) -> bool {
        let tiles = [self.left(), self.right(), self.values()];
        tiles.iter().zip(pieces).all(|(tile, piece)| piece >= 4 && self.deal(tile, piece).is_some())
    }

    fn deal(&self, tile: &SharedTile, piece: u32) -> Option<Deal> {
        Deal::new(tile, tile.along, piece / self.atom.bytes(), self.threads())
    }

    fn tile(&self, along: Along, outer: u32, k: u32) -> SharedTile {
        SharedTile { elem: Math::Tensor(self.atom).operand(), along, outer, k, simt: false }
    }

    fn left(&self) -> SharedTile {
        self.tile(self.along[0], ROWS, self.depths[0])
    }

    /// The first product's right operand as the walk over its columns sees it.
    fn right(&self) -> SharedTile {
        self.tile(flipped(self.along[1]), self.depths[0], self.columns)
    }

    fn values(&self) -> SharedTile {
        self.tile(self.along[2], self.depths[1], self.columns)
    }

    fn stage_bytes(&self) -> u32 {
        self.right().bytes() + self.values().bytes()
    }

    /// The first product's right operand as the product sees it: the same bytes.
    fn scores(&self) -> TensorCore {
        let b = self.tile(self.along[1], self.columns, self.depths[0]);
        let tile = Tile { m: ROWS, n: self.columns, k: self.depths[0], warps_m: WARPS, warps_n: 1 };
        TensorCore { chip: self.chip, atom: self.atom, tile, a: self.left(), b }
    }

    fn product(&self) -> TensorCore {
        let tile = Tile { m: ROWS, n: self.depths[1], k: self.columns, warps_m: WARPS, warps_n: 1 };
        let a = self.tile(Along::K, ROWS, self.columns);
        TensorCore { chip: self.chip, atom: self.atom, tile, a, b: self.values() }
    }

    /// Writes one block. `finish` gets the row and column (`i64`) of the first of `lanes` neighbors, and those.
    ///
    /// # Panics
    /// If pieces of the operands cannot be dealt out; [`Flash::deals`] says so before.
    pub fn write(
        &self,
        w: &mut Writer,
        place: FlashPlace<'_>,
        score: Score<'_>,
        finish: &mut dyn FnMut(&mut Writer, Val, Val, Val),
    ) {
        let thread = w.thread();
        let FlashPlace { row, m, n, tiles, depth, width, zero_rows, .. } = place;
        let dealt = |w: &mut Writer, operand, tile: SharedTile, outer: Val, k: (Val, bool)| {
            let Operand { piece, .. } = operand;
            let deal = self.deal(&tile, piece).expect("the tiling fits the operands");
            Stager::new(w, operand, tile, deal, (thread, self.threads()), outer, k)
        };
        let zero = w.num(0);
        let left = dealt(w, place.left, self.left(), row, depth);
        let right = dealt(w, place.right, self.right(), zero, n);
        let values = dealt(w, place.values, self.values(), zero, n);
        let warp = w.over(thread, 32);
        let near = w.times(warp, 16);
        let first = w.addi(row, near);
        let places = ScorePlaces::new(w, thread, first, [m, n.0]);
        let walk = Walk { flash: self, right, values, n, tiles, thread, places };
        let shared = w.shared();
        left.copy_async(w, zero, shared);
        w.commit_copies();
        let (seen, sums) = walk.run(w, shared, score);
        let sums = seen.normalized(w, &sums, n.0, zero_rows);
        let tile = self.product().tile;
        let (math, along) = (Math::Tensor(self.atom), [Along::K, self.along[2]]);
        let schedule = Schedule { math, tile, pipeline: Pipeline::Ring(2), along, lanes: self.lanes, slabs: 1 };
        let matmul = Matmul { chip: self.chip, schedule };
        let place = Place { row, column: zero, m, n: width, k: n.0, k_whole: n.1 };
        matmul.finish_all(w, &Core::Tensor(self.product()), &sums, &place, finish);
    }
}

fn flipped(along: Along) -> Along {
    if along == Along::K { Along::Outer } else { Along::K }
}

/// The walk of a block over tiles of columns.
struct Walk<'a> {
    flash: &'a Flash,
    right: Stager<'a>,
    values: Stager<'a>,
    n: (Val, bool),
    tiles: [Val; 2],
    thread: Val,
    places: ScorePlaces,
}

impl Walk<'_> {
    fn copy(&self, w: &mut Writer, tile: Val, stage: Val) {
        let k = w.times(tile, self.flash.columns);
        self.right.copy_async(w, k, stage);
        let values = w.gep_const(stage, self.flash.right().bytes().into(), Ty::I8);
        self.values.copy_async(w, k, values);
    }

    /// What was seen of each row, and the sums.
    fn run(&self, w: &mut Writer, shared: Val, score: Score<'_>) -> (Seen, Vec<Val>) {
        let flash = self.flash;
        let (zero, one, size) = (w.num(0), w.num(1), w.num(flash.stage_bytes()));
        let ring = w.gep_const(shared, flash.left().bytes().into(), Ty::I8);
        let [first, end] = self.tiles;
        let exists = w.cmpi(IntCmp::Slt, first, end);
        w.if_then(exists, |w| self.copy(w, first, ring));
        w.commit_copies();
        w.wait_copies(1);
        w.barrier();
        let (scores, product) = (flash.scores(), flash.product());
        let bases = [scores.bases(w, self.thread), product.bases(w, self.thread)];
        // The left operand stays in registers, unless the sums need them.
        let resident = (flash.depths[0] <= 128).then(|| self.left_fragments(w, &scores, bases[0].a, shared));
        let (nothing, none) = (Seen::none(w).vals(), w.float(Ty::F32, 0.0));
        let inits = [&[zero][..], &nothing, &vec![none; product.n_sums()]].concat();
        let results = w.for_loop_rolled(first, end, one, &inits, |w, tile, carried| {
            w.wait_copies(0);
            w.barrier();
            let next = w.addi(tile, one);
            let other = w.subi(size, carried[0]);
            let exists = w.cmpi(IntCmp::Slt, next, end);
            w.if_then(exists, |w| {
                let to = w.shared_at(ring, other);
                self.copy(w, next, to);
            });
            w.commit_copies();
            let stage = w.shared_at(ring, carried[0]);
            let left = resident.clone().unwrap_or_else(|| self.left_fragments(w, &scores, bases[0].a, shared));
            let raw = self.multiply(w, &scores, &left, stage, bases[0].b, None);
            let column = w.times(tile, flash.columns);
            let found = self.places.scores(w, &raw, (column, self.n.1), score);
            let Weighed { seen, weights, scales } = Seen::of(&carried[1..5]).weigh(w, &found);
            let sums = scaled(w, &carried[5..], scales);
            let values = w.gep_const(stage, flash.right().bytes().into(), Ty::I8);
            let packed = packed(w, &weights, Math::Tensor(flash.atom).operand());
            let sums = self.multiply(w, &product, &packed, values, bases[1].b, Some(&sums));
            [&[other][..], &seen.vals(), &sums].concat()
        });
        w.wait_copies(0);
        w.barrier();
        (Seen::of(&results[1..5]), results[5..].to_vec())
    }

    fn left_fragments(&self, w: &mut Writer, core: &TensorCore, base: Val, shared: Val) -> Vec<[Val; 4]> {
        (0..core.steps()).map(|step| core.fragment_at(w, shared, base, Side::A, 0, step)).collect()
    }

    /// The product of fragments in registers, one for each step, with a tile in shared memory, added to sums.
    fn multiply(
        &self,
        w: &mut Writer,
        core: &TensorCore,
        left: &[[Val; 4]],
        tile: Val,
        base: Val,
        sums: Option<&[Val]>,
    ) -> Vec<Val> {
        let none = w.float(Ty::F32, 0.0);
        let mut sums = sums.map_or_else(|| vec![none; core.n_sums()], <[Val]>::to_vec);
        for (step, a) in (0..).zip(left) {
            for pair in 0..core.fragments(Side::B) {
                let b = core.fragment_at(w, tile, base, Side::B, pair, step);
                for half in 0..2 {
                    let at = (pair as usize * 2 + half) * 4;
                    let c = [sums[at], sums[at + 1], sums[at + 2], sums[at + 3]];
                    let sum = core.atom.multiply(w, core.chip, *a, [b[half * 2], b[half * 2 + 1]], c);
                    sums[at..at + 4].copy_from_slice(&sum);
                }
            }
        }
        sums
    }
}
