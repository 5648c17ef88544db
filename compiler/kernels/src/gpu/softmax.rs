//! The softmax of rows whose scores come a tile of columns at a time, in the registers of a warp.
//!
//! A warp has 16 rows of scores, as matrix instructions leave sums: lane `l` holds, of row `l / 4` and of the one eight
//! further, columns `2 (l % 4)` and the next of every eight. Each thread keeps the largest score of its two rows so far and its
//! part of the sum of their exponentials; when a larger score comes, what is summed is scaled down (Milakov and Gimelshein,
//! "Online normalizer calculation for softmax", 2018; Dao et al., "FlashAttention", 2022). Exponentials are powers of two.

use super::Ints;
use crate::text::{FloatCmp, IntCmp, Scalar, Ty, Val, Writer};

/// A score by its row and column (`i32`), from the sum of products.
pub type Score<'a> = &'a mut dyn FnMut(&mut Writer, Val, Val, Val) -> Val;

/// Which of a thread's two rows the score or sum with this number is of.
pub(super) fn row_of(at: usize) -> usize {
    at % 4 / 2
}

/// Where the scores of a thread are in the matrix. Numbers are `i32`.
#[derive(Clone, Copy)]
pub(super) struct ScorePlaces {
    /// Its two rows; the last one of the matrix in place of those behind it.
    rows: [Val; 2],
    /// Its first column in a tile.
    near: Val,
    /// Columns of the matrix.
    n: Val,
}

impl ScorePlaces {
    /// Those of a thread of a warp whose first row is given. `m` and `n` are the sizes of the matrix.
    pub(super) fn new(w: &mut Writer, thread: Val, warp_row: Val, [m, n]: [Val; 2]) -> ScorePlaces {
        let lane = w.rest(thread, 32);
        let (down, across, one) = (w.over(lane, 4), w.rest(lane, 4), w.num(1));
        let (first, last) = (w.addi(warp_row, down), w.subi(m, one));
        let rows = [0, 8].map(|far| {
            let far = w.num(far);
            let row = w.addi(first, far);
            w.minsi(row, last)
        });
        ScorePlaces { rows, near: w.times(across, 2), n }
    }

    /// The scores of a tile that begins at a column. Unless the tile is whole, those behind the last column are minus
    /// infinity.
    pub(super) fn scores(
        &self,
        w: &mut Writer,
        sums: &[Val],
        (column, is_whole): (Val, bool),
        score: Score<'_>,
    ) -> Vec<Val> {
        let low = w.float(Ty::F32, f64::NEG_INFINITY);
        let one = w.num(1);
        let (column, last) = (w.addi(column, self.near), w.subi(self.n, one));
        let found = sums.iter().zip(0..).map(|(sum, at)| {
            let far = w.num(at / 4 * 8 + at % 2);
            let column = w.addi(column, far);
            let row = self.rows[row_of(at as usize)];
            if is_whole {
                return score(w, row, column, *sum);
            }
            let existing = w.minsi(column, last);
            let found = score(w, row, existing, *sum);
            let exists = w.cmpi(IntCmp::Slt, column, self.n);
            w.select(exists, found, low)
        });
        found.collect()
    }
}

/// What a thread knows of the scores of its two rows so far.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    largest: [Val; 2],
    /// Of the exponentials that it saw itself; three other lanes have the rest of the row.
    total: [Val; 2],
}

/// A tile of scores in the light of all before.
pub(super) struct Weighed {
    pub(super) seen: Seen,
    /// Exponentials of the scores, relative to the largest so far.
    pub(super) weights: Vec<Val>,
    /// What sums so far are to be multiplied with, for each row.
    pub(super) scales: [Val; 2],
}

impl Seen {
    /// Nothing.
    pub(super) fn none(w: &mut Writer) -> Seen {
        let (low, none) = (w.float(Ty::F32, f64::NEG_INFINITY), w.float(Ty::F32, 0.0));
        Seen { largest: [low; 2], total: [none; 2] }
    }

    /// From four values that a loop carries.
    pub(super) fn of(vals: &[Val]) -> Seen {
        Seen { largest: [vals[0], vals[1]], total: [vals[2], vals[3]] }
    }

    /// Those values.
    pub(super) fn vals(self) -> [Val; 4] {
        [self.largest[0], self.largest[1], self.total[0], self.total[1]]
    }

    /// Exponentials of a tile's scores.
    pub(super) fn weigh(self, w: &mut Writer, scores: &[Val]) -> Weighed {
        let to_bits = w.float(Ty::F32, std::f64::consts::LOG2_E);
        let (low, none) = (w.float(Ty::F32, f64::NEG_INFINITY), w.float(Ty::F32, 0.0));
        let mut weights = scores.to_vec();
        let (Seen { mut largest, mut total }, mut scales) = (self, self.largest);
        for row in 0..2 {
            let own: Vec<usize> = (0..scores.len()).filter(|at| row_of(*at) == row).collect();
            let most = own[1..].iter().fold(scores[own[0]], |most, at| w.maximumf(most, scores[*at]));
            let most = of_row(w, most, Writer::maximumf);
            largest[row] = w.maximumf(self.largest[row], most);
            // A row without scores has none to compare with.
            let is_empty = w.cmpf(FloatCmp::Oeq, largest[row], low);
            let origin = w.select(is_empty, none, largest[row]);
            let to_bits = self.factor(w, origin, to_bits);
            let origin = w.mulf(origin, to_bits);
            let origin = w.negf(origin);
            let before = w.fma(self.largest[row], to_bits, origin);
            scales[row] = exp2(w, before);
            let mut sum = w.mulf(self.total[row], scales[row]);
            for at in own {
                let power = w.fma(scores[at], to_bits, origin);
                weights[at] = exp2(w, power);
                sum = w.addf(sum, weights[at]);
            }
            total[row] = sum;
        }
        Weighed { seen: Seen { largest, total }, weights, scales }
    }

    /// What differences of scores are multiplied with before `exp2`: `to_bits`, unless that would overflow. Where the largest
    /// score is so far from zero, as in a row that a finite number hides, others are equal or below by more than 2^100, and any
    /// factor says which.
    fn factor(self, w: &mut Writer, largest: Val, to_bits: Val) -> Val {
        let (far, half) = (w.float(Ty::F32, 2f64.powi(126)), w.float(Ty::F32, 0.5));
        let opposite = w.negf(largest);
        let size = w.maximumf(largest, opposite);
        let is_far = w.cmpf(FloatCmp::Ogt, size, far);
        w.select(is_far, half, to_bits)
    }

    /// Sums over the totals of their rows. `n` are the columns of the matrix; rows whose total is not positive become zero
    /// where `zero_rows` says so.
    pub(super) fn normalized(self, w: &mut Writer, sums: &[Val], n: Val, zero_rows: bool) -> Vec<Val> {
        let one = w.float(Ty::F32, 1.0);
        let zero = w.float(Ty::F32, 0.0);
        let zero_columns = w.num(0);
        let is_empty = w.cmpi(IntCmp::Eq, n, zero_columns);
        let rows = self.total.map(|total| {
            let total = of_row(w, total, Writer::addf);
            let scale = w.divf(one, total);
            // No score was above minus infinity, or one was no number.
            let exists = w.cmpf(FloatCmp::Ogt, total, zero);
            (scale, exists)
        });
        let sums = sums.iter().enumerate().map(|(at, sum)| {
            let (scale, exists) = rows[row_of(at)];
            let scaled = w.mulf(*sum, scale);
            let scaled = if zero_rows { w.select(exists, scaled, zero) } else { scaled };
            // A sum of no columns.
            w.select(is_empty, zero, scaled)
        });
        sums.collect()
    }
}

/// Sums multiplied with the scale of their row.
pub(super) fn scaled(w: &mut Writer, sums: &[Val], scales: [Val; 2]) -> Vec<Val> {
    sums.iter().enumerate().map(|(at, sum)| w.mulf(*sum, scales[row_of(at)])).collect()
}

/// Weights as fragments of a left operand of this type, one for each 16 columns: the places of sums and of operands agree.
pub(super) fn packed(w: &mut Writer, weights: &[Val], elem: Scalar) -> Vec<[Val; 4]> {
    let mut pair = |at: usize| {
        let wide = w.vector_of(&weights[at..at + 2]);
        let narrow = w.float_to_float(wide, elem);
        w.llvm_bitcast(narrow, Scalar::I32.into())
    };
    (0..weights.len() / 8).map(|step| [0, 2, 4, 6].map(|at| pair(step * 8 + at))).collect()
}

/// Combines the values of the four lanes that share a row.
fn of_row(w: &mut Writer, value: Val, with: fn(&mut Writer, Val, Val) -> Val) -> Val {
    [1, 2].into_iter().fold(value, |sum, by| {
        let other = w.shuffle_xor(sum, by);
        with(w, sum, other)
    })
}

/// Two to a power.
fn exp2(w: &mut Writer, power: Val) -> Val {
    w.op(Ty::F32, format_args!("llvm.call_intrinsic \"llvm.nvvm.ex2.approx.ftz.f\"({power}) : (f32) -> f32"))
}
