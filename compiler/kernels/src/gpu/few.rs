//! Products with at most eight rows on one side: the other side is read once, which is all the work there is.
//!
//! Where the long side lies along `k`, each warp takes some of its rows: every lane loads 16 bytes of each, multiplies them with
//! the same part of every short row, and shuffles add the lanes up. Where it lies along its outer axis, eight lanes load
//! 128 neighboring bytes for one `k`, four `k` are in a warp, and the warps share all of `k`; sums are added up by shuffles
//! and then through shared memory. Sums are in `f32`, in an order that depends on nothing but the sizes.

use super::{Along, Decoder, Ints};
use crate::text::{IntCmp, Scalar, Ty, Val, Writer};

/// Threads of a block.
const THREADS: u32 = 256;
const WARPS: u32 = THREADS / 32;
/// Lanes that read neighbors where the long side lies along its outer axis.
const NEIGHBORS: u32 = 8;

/// A product with few rows on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Few {
    /// Rows of the short side, 1 to 8.
    pub rows: u32,
    /// The axis of neighbors of the long side.
    pub along: Along,
    /// The types of the short and the long side: floats of at most 32 bits.
    pub elems: [Scalar; 2],
    /// Bytes of a piece of each.
    pub pieces: [u32; 2],
    /// Elements of the long side in each of its bytes or words: more than one where it holds codes that are decoded.
    pub codes: u32,
}

/// Where the operands are. Strides are `i64`, sizes `i32`.
#[derive(Clone, Copy, Debug)]
pub struct FewPlace {
    /// First elements of the short and the long side.
    pub first: [Val; 2],
    /// Distances along the outer axes.
    pub outer_stride: [Val; 2],
    /// Distances along `k`.
    pub k_stride: [Val; 2],
    /// Extent of the long side.
    pub n: Val,
    /// Extent of `k`.
    pub k: Val,
    /// The number of the block along the long side.
    pub block: Val,
}

impl Few {
    /// Threads of a block.
    pub fn threads(&self) -> u32 {
        THREADS
    }

    /// Elements of a piece of the long side.
    fn lanes(&self) -> u32 {
        self.pieces[1] / self.elems[1].bytes() * self.codes
    }

    /// Rows of the long side that a warp takes, where it lies along `k`.
    fn per_warp(&self) -> u32 {
        if self.rows <= 4 { 4 } else { 2 }
    }

    /// Elements of the long side's outer axis that a block takes.
    pub fn per_block(&self) -> u32 {
        match self.along {
            Along::K => self.per_warp() * WARPS,
            Along::Outer => NEIGHBORS * self.lanes(),
        }
    }

    /// Bytes of shared memory.
    pub fn shared(&self) -> u32 {
        match self.along {
            Along::K => 0,
            Along::Outer => WARPS * self.rows * self.per_block() * 4,
        }
    }

    /// Writes one block. `finish` gets the row of the short side, the index along the long side (both `i64`) and the sum.
    /// What is decoded lies along `k`.
    pub fn write(
        &self,
        w: &mut Writer,
        place: &FewPlace,
        decoder: Option<&dyn Decoder>,
        finish: &mut dyn FnMut(&mut Writer, Val, Val, Val),
    ) {
        match self.along {
            Along::K => self.along_k(w, place, decoder, finish),
            Along::Outer => self.along_outer(w, place, finish),
        }
    }

    /// A piece of the long side's row as it is in memory, from element `k` on.
    fn words(&self, w: &mut Writer, row: Val, k: Val, valid: Val) -> Vec<Val> {
        let at = w.over(k, self.codes);
        let at = w.extsi(at, Scalar::I64);
        let at = w.gep(row, at, self.elems[1].into());
        w.load_words(at, self.pieces[1], Some(valid))
    }

    /// Elements `k..` of an operand's row as `f32`, as many as a piece of the long side has.
    fn run(&self, w: &mut Writer, side: usize, row: Val, k: Val, place: &FewPlace, valid: Val) -> Vec<Val> {
        let (elem, piece) = (self.elems[side], self.pieces[side].min(self.lanes() * self.elems[side].bytes()));
        let per_piece = piece / elem.bytes();
        let wide = w.extsi(k, Scalar::I64);
        let offset = w.muli(wide, place.k_stride[side]);
        let pointer = w.gep(row, offset, elem.into());
        (0..self.lanes() / per_piece)
            .flat_map(|part| {
                let by = w.i64(i64::from(part * per_piece));
                let by = w.muli(by, place.k_stride[side]);
                let at = w.gep(pointer, by, elem.into());
                let words = w.load_words(at, piece, Some(valid));
                (0..per_piece).map(|n| w.unpack(&words, elem, n, Scalar::F32)).collect::<Vec<_>>()
            })
            .collect()
    }

    fn row(&self, w: &mut Writer, side: usize, number: Val, place: &FewPlace) -> Val {
        let number = w.extsi(number, Scalar::I64);
        let offset = w.muli(number, place.outer_stride[side]);
        w.gep(place.first[side], offset, self.elems[side].into())
    }

    fn short_rows(&self, w: &mut Writer, place: &FewPlace) -> Vec<Val> {
        let number = |w: &mut Writer, n| w.num(n);
        (0..self.rows)
            .map(|n| {
                let n = number(w, n);
                self.row(w, 0, n, place)
            })
            .collect()
    }

    fn along_k(
        &self,
        w: &mut Writer,
        place: &FewPlace,
        decoder: Option<&dyn Decoder>,
        finish: &mut dyn FnMut(&mut Writer, Val, Val, Val),
    ) {
        let thread = w.thread();
        let (lane, warp) = (w.rest(thread, 32), w.over(thread, 32));
        let per_warp = self.per_warp();
        let block = w.times(place.block, self.per_block());
        let first = w.times(warp, per_warp);
        let first = w.addi(block, first);
        let one = w.num(1);
        let last = w.subi(place.n, one);
        let long: Vec<(Val, Val)> = (0..per_warp)
            .map(|n| {
                let n = w.num(n);
                let at = w.addi(first, n);
                // What is behind the last row is computed from the last and thrown away.
                let at = w.minsi(at, last);
                (at, self.row(w, 1, at, place))
            })
            .collect();
        let short = self.short_rows(w, place);
        let (lanes, parts) = (self.lanes(), 2);
        let start = w.times(lane, lanes);
        let step = w.num(32 * lanes * parts);
        let zero = w.num(0);
        let init = w.float(Ty::F32, 0.0);
        let inits = vec![init; (self.rows * per_warp) as usize];
        let sums = w.for_loop_rolled(zero, place.k, step, &inits, |w, k, sums| {
            let mut sums = sums.to_vec();
            for part in 0..parts {
                let far = w.num(part * 32 * lanes);
                let at = w.addi(k, far);
                let at = w.addi(at, start);
                let valid = w.cmpi(IntCmp::Slt, at, place.k);
                let long: Vec<(Vec<Val>, Option<Val>)> = match decoder {
                    None => long.iter().map(|(_, row)| (self.run(w, 1, *row, at, place, valid), None)).collect(),
                    Some(decoder) => {
                        let words: Vec<_> = long.iter().map(|(_, row)| self.words(w, *row, at, valid)).collect();
                        // What belongs to codes behind the last is not there, and neither is what they meet.
                        let known = w.select(valid, at, zero);
                        let decode = |((number, _), words): (&(Val, Val), Vec<Val>)| {
                            let mut piece = decoder.piece(w, *number, known);
                            (piece.decode(w, &words), piece.factor(w))
                        };
                        long.iter().zip(words).map(decode).collect()
                    }
                };
                for (f, row) in short.iter().enumerate() {
                    let x = self.run(w, 0, *row, at, place, valid);
                    for (r, (long, factor)) in long.iter().enumerate() {
                        let sum = &mut sums[f * per_warp as usize + r];
                        let start = if factor.is_some() { init } else { *sum };
                        let part = x.iter().zip(long).fold(start, |sum, (x, y)| w.fma(*x, *y, sum));
                        *sum = factor.map_or(part, |factor| w.fma(part, factor, *sum));
                    }
                }
            }
            sums
        });
        self.finish_warp(w, place, lane, first, &sums, finish);
    }

    /// Adds the lanes' sums up; each of the first lanes finishes one.
    fn finish_warp(
        &self,
        w: &mut Writer,
        place: &FewPlace,
        lane: Val,
        first: Val,
        sums: &[Val],
        finish: &mut dyn FnMut(&mut Writer, Val, Val, Val),
    ) {
        let mut mine = None;
        for (n, sum) in (0..).zip(sums) {
            let total = [16, 8, 4, 2, 1].into_iter().fold(*sum, |sum, by| {
                let other = w.shuffle_xor(sum, by);
                w.addf(sum, other)
            });
            let number = w.num(n);
            let is_mine = w.cmpi(IntCmp::Eq, lane, number);
            mine = Some(mine.map_or(total, |other| w.select(is_mine, total, other)));
        }
        let Some(mine) = mine else { return };
        let per_warp = self.per_warp();
        let (row, column) = (w.over(lane, per_warp), w.rest(lane, per_warp));
        let column = w.addi(first, column);
        let count = w.num(sums.len() as u32);
        let (one_of, exists) = (w.cmpi(IntCmp::Slt, lane, count), w.cmpi(IntCmp::Slt, column, place.n));
        let active = w.andi(one_of, exists);
        w.if_then(active, |w| {
            let (row, column) = (w.extsi(row, Scalar::I64), w.extsi(column, Scalar::I64));
            finish(w, row, column, mine);
        });
    }

    fn along_outer(&self, w: &mut Writer, place: &FewPlace, finish: &mut dyn FnMut(&mut Writer, Val, Val, Val)) {
        let thread = w.thread();
        let (lane, warp) = (w.rest(thread, 32), w.over(thread, 32));
        let lanes = self.lanes();
        let (near, far) = (w.rest(lane, NEIGHBORS), w.over(lane, NEIGHBORS));
        let local = w.times(near, lanes);
        let block = w.times(place.block, self.per_block());
        let column = w.addi(block, local);
        let inside = w.cmpi(IntCmp::Slt, column, place.n);
        let long = self.row(w, 1, column, place);
        let short = self.short_rows(w, place);
        let depth = 32 / NEIGHBORS;
        let parts = if self.rows <= 2 { 8 } else { 4 };
        let start = w.times(warp, depth);
        let start = w.addi(start, far);
        let (zero, step) = (w.num(0), w.num(WARPS * depth * parts));
        let init = w.float(Ty::F32, 0.0);
        let inits = vec![init; (self.rows * lanes) as usize];
        let sums = w.for_loop_rolled(zero, place.k, step, &inits, |w, k, sums| {
            let mut sums = sums.to_vec();
            let loaded: Vec<(Vec<Val>, Vec<Val>)> = (0..parts)
                .map(|part| {
                    let by = w.num(part * WARPS * depth);
                    let at = w.addi(k, by);
                    let at = w.addi(at, start);
                    let valid = w.cmpi(IntCmp::Slt, at, place.k);
                    let both = w.andi(valid, inside);
                    let wide = w.extsi(at, Scalar::I64);
                    let offset = w.muli(wide, place.k_stride[1]);
                    let pointer = w.gep(long, offset, self.elems[1].into());
                    let words = w.load_words(pointer, self.pieces[1], Some(both));
                    let x = short.iter().map(|row| self.single(w, *row, wide, place, valid)).collect();
                    (words, x)
                })
                .collect();
            for (words, x) in loaded {
                for n in 0..lanes {
                    let y = w.unpack(&words, self.elems[1], n, Scalar::F32);
                    for (f, x) in (0..).zip(&x) {
                        let sum = &mut sums[(f * lanes + n) as usize];
                        *sum = w.fma(*x, y, *sum);
                    }
                }
            }
            sums
        });
        self.finish_block(w, place, [thread, lane, warp, local, block], &sums, finish);
    }

    /// One element of the short side.
    fn single(&self, w: &mut Writer, row: Val, k: Val, place: &FewPlace, valid: Val) -> Val {
        let offset = w.muli(k, place.k_stride[0]);
        let at = w.gep(row, offset, self.elems[0].into());
        let words = w.load_words(at, self.elems[0].bytes(), Some(valid));
        w.unpack(&words, self.elems[0], 0, Scalar::F32)
    }

    /// Adds up the lanes of a column, then the warps, through shared memory.
    fn finish_block(
        &self,
        w: &mut Writer,
        place: &FewPlace,
        [thread, lane, warp, local, block]: [Val; 5],
        sums: &[Val],
        finish: &mut dyn FnMut(&mut Writer, Val, Val, Val),
    ) {
        let shared = w.shared();
        let columns = self.per_block();
        let totals: Vec<Val> = sums
            .iter()
            .map(|sum| {
                [8, 16].into_iter().fold(*sum, |sum, by| {
                    let other = w.shuffle_xor(sum, by);
                    w.addf(sum, other)
                })
            })
            .collect();
        let neighbors = w.num(NEIGHBORS);
        let writes = w.cmpi(IntCmp::Slt, lane, neighbors);
        let at = w.times(warp, self.rows * columns);
        let at = w.addi(at, local);
        w.if_then(writes, |w| {
            for (n, total) in (0..).zip(&totals) {
                let (f, e) = (n / self.lanes(), n % self.lanes());
                let by = w.num(f * columns + e);
                let at = w.addi(at, by);
                let pointer = w.gep(shared, at, Ty::F32);
                w.store(*total, pointer, 4);
            }
        });
        w.barrier();
        let count = self.rows * columns;
        let (end, step) = (w.num(count), w.num(THREADS));
        w.for_loop_rolled(thread, end, step, &[], |w, n, _| {
            let (row, column) = (w.over(n, columns), w.rest(n, columns));
            let mut total = w.float(Ty::F32, 0.0);
            for warp in 0..WARPS {
                let by = w.num(warp * count);
                let at = w.addi(n, by);
                let pointer = w.gep(shared, at, Ty::F32);
                let part = w.load(pointer, Ty::F32, 4);
                total = w.addf(total, part);
            }
            let column = w.addi(block, column);
            let exists = w.cmpi(IntCmp::Slt, column, place.n);
            w.if_then(exists, |w| {
                let (row, column) = (w.extsi(row, Scalar::I64), w.extsi(column, Scalar::I64));
                finish(w, row, column, total);
            });
            vec![]
        });
    }
}
