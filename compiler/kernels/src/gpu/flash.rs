//! Attention of a block of rows on tensor cores: scores, softmax and sums of values without leaving registers.
//!
//! A block has some rows of the left operand in registers and walks over the columns of the scores, a tile at a time. Tiles of
//! both right operands come by `cp.async` into two stages, one ahead. Each thread keeps the largest score of its rows so far
//! and the sum of its exponentials; when a larger score comes, what is summed is scaled down (Milakov and Gimelshein, "Online
//! normalizer calculation for softmax", 2018; Dao et al., "FlashAttention", 2022). Exponentials are powers of two, rounded to
//! the type of the values for the second product; sums are `f32`.

use super::matmul::{Core, Matmul, Place};
use super::schedule::{Math, Pipeline, Schedule, Tile};
use super::stage::{Deal, Stager};
use super::tensor_core::{Side, TensorCore};
use super::{Along, Atom, Chip, Feature, Ints, Operand, SharedTile};
use crate::text::{FloatCmp, IntCmp, Scalar, Ty, Val, Writer};

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
    /// What scores sum over, and whether it fills the tile.
    pub depth: (Val, bool),
    /// Columns of the result.
    pub width: Val,
    /// Whether a row whose weights are not numbers is zero.
    pub zero_rows: bool,
}

/// A score by its row and column (`i32`), from the sum of products.
pub type Score<'a> = &'a mut dyn FnMut(&mut Writer, Val, Val, Val) -> Val;

/// What a thread carries from one tile of columns to the next, for each of its two rows, and its sums.
struct State {
    largest: [Val; 2],
    total: [Val; 2],
    sums: Vec<Val>,
}

impl State {
    fn of(vals: &[Val]) -> State {
        State { largest: [vals[0], vals[1]], total: [vals[2], vals[3]], sums: vals[4..].to_vec() }
    }

    fn vals(self) -> Vec<Val> {
        [self.largest.to_vec(), self.total.to_vec(), self.sums].concat()
    }
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
        let FlashPlace { row, m, n, depth, width, zero_rows, .. } = place;
        let dealt = |w: &mut Writer, operand, tile: SharedTile, outer: Val, k: (Val, bool)| {
            let Operand { piece, .. } = operand;
            let deal = self.deal(&tile, piece).expect("the tiling fits the operands");
            Stager::new(w, operand, tile, deal, (thread, self.threads()), outer, k)
        };
        let zero = w.num(0);
        let left = dealt(w, place.left, self.left(), row, depth);
        let right = dealt(w, place.right, self.right(), zero, n);
        let values = dealt(w, place.values, self.values(), zero, n);
        let rows = self.rows_of(w, row, m, thread);
        let walk = Walk { flash: self, right, values, n, thread, rows };
        let shared = w.shared();
        left.copy_async(w, zero, shared);
        w.commit_copies();
        let state = walk.run(w, shared, score);
        let sums = self.normalized(w, state, n.0, zero_rows);
        let tile = self.product().tile;
        let (math, along) = (Math::Tensor(self.atom), [Along::K, self.along[2]]);
        let schedule = Schedule { math, tile, pipeline: Pipeline::Ring(2), along, lanes: self.lanes, slabs: 1 };
        let matmul = Matmul { chip: self.chip, schedule };
        let place = Place { row, column: zero, m, n: width, k: n.0, k_whole: n.1 };
        matmul.finish_all(w, &Core::Tensor(self.product()), &sums, &place, finish);
    }

    /// A thread's two rows, the last one in place of those behind it.
    fn rows_of(&self, w: &mut Writer, row: Val, m: Val, thread: Val) -> [Val; 2] {
        let (lane, warp) = (w.rest(thread, 32), w.over(thread, 32));
        let (near, far) = (w.over(lane, 4), w.times(warp, 16));
        let at = w.addi(near, far);
        let (first, one) = (w.addi(row, at), w.num(1));
        let last = w.subi(m, one);
        [0, 8].map(|far| {
            let far = w.num(far);
            let row = w.addi(first, far);
            w.minsi(row, last)
        })
    }

    /// The sums over the totals of their rows.
    fn normalized(&self, w: &mut Writer, state: State, n: Val, zero_rows: bool) -> Vec<Val> {
        let one = w.float(Ty::F32, 1.0);
        let zero = w.float(Ty::F32, 0.0);
        let zero_columns = w.num(0);
        let is_empty = w.cmpi(IntCmp::Eq, n, zero_columns);
        let rows = state.total.map(|total| {
            let total = of_row(w, total, Writer::addf);
            let scale = w.divf(one, total);
            // No score was above minus infinity, or one was no number.
            let exists = w.cmpf(FloatCmp::Ogt, total, zero);
            (scale, exists)
        });
        let sums = state.sums.iter().enumerate().map(|(at, sum)| {
            let (scale, exists) = rows[at % 4 / 2];
            let scaled = w.mulf(*sum, scale);
            let scaled = if zero_rows { w.select(exists, scaled, zero) } else { scaled };
            // A sum of no columns.
            w.select(is_empty, zero, scaled)
        });
        sums.collect()
    }
}

fn flipped(along: Along) -> Along {
    if along == Along::K { Along::Outer } else { Along::K }
}

/// Combines the values of the four lanes that share a row.
fn of_row(w: &mut Writer, value: Val, with: fn(&mut Writer, Val, Val) -> Val) -> Val {
    [1, 2].into_iter().fold(value, |sum, by| {
        let other = w.shuffle_xor(sum, by);
        with(w, sum, other)
    })
}

/// The walk of a block over tiles of columns.
struct Walk<'a> {
    flash: &'a Flash,
    right: Stager<'a>,
    values: Stager<'a>,
    n: (Val, bool),
    thread: Val,
    rows: [Val; 2],
}

impl Walk<'_> {
    fn copy(&self, w: &mut Writer, tile: Val, stage: Val) {
        let k = w.times(tile, self.flash.columns);
        self.right.copy_async(w, k, stage);
        let values = w.gep_const(stage, self.flash.right().bytes().into(), Ty::I8);
        self.values.copy_async(w, k, values);
    }

    fn run(&self, w: &mut Writer, shared: Val, score: Score<'_>) -> State {
        let flash = self.flash;
        let (zero, one, size) = (w.num(0), w.num(1), w.num(flash.stage_bytes()));
        let ring = w.gep_const(shared, flash.left().bytes().into(), Ty::I8);
        let rounding = w.num(flash.columns - 1);
        let rounded = w.addi(self.n.0, rounding);
        let count = w.over(rounded, flash.columns);
        let exists = w.cmpi(IntCmp::Slt, zero, count);
        w.if_then(exists, |w| self.copy(w, zero, ring));
        w.commit_copies();
        w.wait_copies(1);
        w.barrier();
        let (scores, product) = (flash.scores(), flash.product());
        let bases = [scores.bases(w, self.thread), product.bases(w, self.thread)];
        // The left operand stays in registers, unless the sums need them.
        let resident = (flash.depths[0] <= 128).then(|| self.left_fragments(w, &scores, bases[0].a, shared));
        let (low, none) = (w.float(Ty::F32, f64::NEG_INFINITY), w.float(Ty::F32, 0.0));
        let inits = [vec![zero, low, low, none, none], vec![none; product.n_sums()]].concat();
        let results = w.for_loop_rolled(zero, count, one, &inits, |w, tile, carried| {
            w.wait_copies(0);
            w.barrier();
            let next = w.addi(tile, one);
            let other = w.subi(size, carried[0]);
            let exists = w.cmpi(IntCmp::Slt, next, count);
            w.if_then(exists, |w| {
                let to = w.shared_at(ring, other);
                self.copy(w, next, to);
            });
            w.commit_copies();
            let stage = w.shared_at(ring, carried[0]);
            let left = resident.clone().unwrap_or_else(|| self.left_fragments(w, &scores, bases[0].a, shared));
            let raw = self.multiply(w, &scores, &left, stage, bases[0].b, None);
            let column = w.times(tile, flash.columns);
            let found = self.scores(w, &raw, column, score);
            let (state, weights) = self.weigh(w, State::of(&carried[1..]), &found);
            let values = w.gep_const(stage, flash.right().bytes().into(), Ty::I8);
            let packed = self.packed(w, &weights);
            let sums = self.multiply(w, &product, &packed, values, bases[1].b, Some(&state.sums));
            [vec![other], State { sums, ..state }.vals()].concat()
        });
        w.wait_copies(0);
        w.barrier();
        State::of(&results[1..])
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

    /// The scores of a tile; those behind the last column are minus infinity.
    fn scores(&self, w: &mut Writer, raw: &[Val], column: Val, score: Score<'_>) -> Vec<Val> {
        let low = w.float(Ty::F32, f64::NEG_INFINITY);
        let lane = w.rest(self.thread, 4);
        let near = w.times(lane, 2);
        let column = w.addi(column, near);
        let one = w.num(1);
        let last = w.subi(self.n.0, one);
        let found = raw.iter().zip(0..).map(|(sum, at)| {
            let far = w.num(at / 4 * 8 + at % 2);
            let column = w.addi(column, far);
            let row = self.rows[at as usize % 4 / 2];
            if self.n.1 {
                return score(w, row, column, *sum);
            }
            let existing = w.minsi(column, last);
            let found = score(w, row, existing, *sum);
            let exists = w.cmpi(IntCmp::Slt, column, self.n.0);
            w.select(exists, found, low)
        });
        found.collect()
    }

    /// Exponentials of scores relative to the largest of their rows so far, and the state that knows them.
    fn weigh(&self, w: &mut Writer, state: State, scores: &[Val]) -> (State, Vec<Val>) {
        let to_bits = w.float(Ty::F32, std::f64::consts::LOG2_E);
        let (low, none) = (w.float(Ty::F32, f64::NEG_INFINITY), w.float(Ty::F32, 0.0));
        let mut weights = scores.to_vec();
        let (mut largest, mut total, mut scales) = (state.largest, state.total, state.largest);
        for row in 0..2 {
            let own: Vec<usize> = (0..scores.len()).filter(|at| at % 4 / 2 == row).collect();
            let most = own[1..].iter().fold(scores[own[0]], |most, at| w.maximumf(most, scores[*at]));
            let most = of_row(w, most, Writer::maximumf);
            largest[row] = w.maximumf(state.largest[row], most);
            // A row without scores has none to compare with.
            let is_empty = w.cmpf(FloatCmp::Oeq, largest[row], low);
            let origin = w.select(is_empty, none, largest[row]);
            let origin = w.mulf(origin, to_bits);
            let origin = w.negf(origin);
            let before = w.fma(state.largest[row], to_bits, origin);
            scales[row] = exp2(w, before);
            let mut sum = w.mulf(state.total[row], scales[row]);
            for at in own {
                let power = w.fma(scores[at], to_bits, origin);
                weights[at] = exp2(w, power);
                sum = w.addf(sum, weights[at]);
            }
            total[row] = sum;
        }
        let sums = state.sums.iter().enumerate().map(|(at, sum)| w.mulf(*sum, scales[at % 4 / 2])).collect();
        (State { largest, total, sums }, weights)
    }

    /// Weights as fragments of a left operand: the places of sums and of operands agree.
    fn packed(&self, w: &mut Writer, weights: &[Val]) -> Vec<[Val; 4]> {
        let elem = Math::Tensor(self.flash.atom).operand();
        let mut pair = |at: usize| {
            let wide = w.vector_of(&weights[at..at + 2]);
            let narrow = w.float_to_float(wide, elem);
            w.llvm_bitcast(narrow, Scalar::I32.into())
        };
        (0..weights.len() / 8).map(|step| [0, 2, 4, 6].map(|at| pair(step * 8 + at))).collect()
    }
}

/// Two to a power.
fn exp2(w: &mut Writer, power: Val) -> Val {
    w.op(Ty::F32, format_args!("llvm.call_intrinsic \"llvm.nvvm.ex2.approx.ftz.f\"({power}) : (f32) -> f32"))
}
