//! A block's product on tensor cores: `ldmatrix` and `mma.sync`.

use super::matmul::RunRow;
use super::schedule::Tile;
use super::{Along, Atom, Chip, Ints, SharedTile};
use crate::text::{Ty, Val, Writer};

/// Which of the operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    A,
    B,
}

/// The tiles of a block and its warps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TensorCore {
    pub(crate) chip: Chip,
    pub(crate) atom: Atom,
    pub(crate) tile: Tile,
    pub(crate) a: SharedTile,
    pub(crate) b: SharedTile,
}

/// Where a thread's `ldmatrix` reads, for the first step and the first fragment.
pub(crate) struct Bases {
    pub(crate) a: Val,
    pub(crate) b: Val,
}

impl TensorCore {
    fn tile_of(&self, side: Side) -> &SharedTile {
        if side == Side::A { &self.a } else { &self.b }
    }

    /// 16-row fragments of a warp along an operand's outer axis.
    pub(crate) fn fragments(&self, side: Side) -> u32 {
        self.warp_extent(side) / 16
    }

    /// Rows or columns of a warp.
    pub(crate) fn warp_extent(&self, side: Side) -> u32 {
        match side {
            Side::A => self.tile.m / self.tile.warps_m,
            Side::B => self.tile.n / self.tile.warps_n,
        }
    }

    /// Steps along `k` of a tile.
    pub(crate) fn steps(&self) -> u32 {
        self.tile.k / self.atom.k()
    }

    /// The address that a lane gives to `ldmatrix` for the fragment pair at `(fragment, step)`.
    ///
    /// The four matrices are for `A` the halves of the rows, then those of `k`; for `B` the halves of `k`, then those of the
    /// columns. Where `k` is the row, `ldmatrix` transposes.
    pub(crate) fn address<I: Ints>(
        &self,
        i: &mut I,
        side: Side,
        (lane, warp): (I::Num, I::Num),
        fragment: u32,
        step: u32,
    ) -> I::Num {
        let (low, number) = (i.rest(lane, 8), i.over(lane, 8));
        let (first, second) = (i.rest(number, 2), i.over(number, 2));
        // Which of the matrix's halves the outer axis and `k` take.
        let (outer_half, k_half) = if side == Side::A { (first, second) } else { (second, first) };
        let tile = self.tile_of(side);
        let bytes = self.atom.bytes();
        let base = i.times(warp, self.warp_extent(side));
        let far = i.num(fragment * 16);
        let base = i.add(base, far);
        let k_far = i.num(step * self.atom.k());
        let (outer, k) = match tile.along {
            Along::K => {
                let half = i.times(outer_half, 8);
                let row = i.add(half, low);
                (i.add(base, row), i.times(k_half, 16 / bytes))
            }
            Along::Outer => {
                let half = i.times(outer_half, 8);
                let k = i.times(k_half, 8);
                (i.add(base, half), i.add(k, low))
            }
        };
        let k = i.add(k, k_far);
        tile.address(i, outer, k)
    }

    /// What a warp's number says of its place along rows and columns.
    pub(crate) fn warp<I: Ints>(&self, i: &mut I, warp: I::Num) -> (I::Num, I::Num) {
        (i.over(warp, self.tile.warps_n), i.rest(warp, self.tile.warps_n))
    }

    pub(crate) fn bases(&self, w: &mut Writer, thread: Val) -> Bases {
        let (lane, warp) = (w.rest(thread, 32), w.over(thread, 32));
        let (wm, wn) = self.warp(w, warp);
        Bases { a: self.address(w, Side::A, (lane, wm), 0, 0), b: self.address(w, Side::B, (lane, wn), 0, 0) }
    }

    /// How the address of a fragment follows from the first: bits to flip, and bytes to add.
    pub(crate) fn offset(&self, side: Side, fragment: u32, step: u32) -> (u32, u32) {
        let tile = self.tile_of(side);
        let (outer, k) = (fragment * 16, step * self.atom.k());
        let bytes = self.atom.bytes();
        match tile.along {
            Along::K => (k * bytes, outer * tile.row_bytes()),
            Along::Outer => (outer * bytes, k * tile.row_bytes()),
        }
    }

    /// One fragment of `A`, or two of `B`.
    fn fragment(&self, w: &mut Writer, stage: Val, base: Val, side: Side, fragment: u32, step: u32) -> [Val; 4] {
        let offset = if side == Side::A { 0 } else { self.a.bytes() };
        let tile = w.gep_const(stage, offset.into(), Ty::I8);
        self.fragment_at(w, tile, base, side, fragment, step)
    }

    /// The same with the operand's own tile.
    pub(crate) fn fragment_at(
        &self,
        w: &mut Writer,
        tile: Val,
        base: Val,
        side: Side,
        fragment: u32,
        step: u32,
    ) -> [Val; 4] {
        let (flip, add) = self.offset(side, fragment, step);
        let flip = w.num(flip);
        let at = w.xori(base, flip);
        let pointer = w.shared_at(tile, at);
        let pointer = w.gep_const(pointer, add.into(), Ty::I8);
        let mut words = w.ldmatrix(pointer, self.tile_of(side).along == Along::Outer);
        if self.atom == Atom::Tf32 {
            words = words.map(|word| round_to_tf32(w, word));
        }
        words
    }

    fn load(&self, w: &mut Writer, stage: Val, bases: &Bases, step: u32) -> (Vec<[Val; 4]>, Vec<[Val; 4]>) {
        let a = (0..self.fragments(Side::A)).map(|f| self.fragment(w, stage, bases.a, Side::A, f, step)).collect();
        let b = (0..self.fragments(Side::B)).map(|f| self.fragment(w, stage, bases.b, Side::B, f, step)).collect();
        (a, b)
    }

    /// How many sums a thread has.
    pub(crate) fn n_sums(&self) -> usize {
        (self.fragments(Side::A) * self.fragments(Side::B) * 8) as usize
    }

    /// Adds the product of the tiles at `stage` to the sums. Fragments are read one step ahead of their use.
    pub(crate) fn multiply(&self, w: &mut Writer, stage: Val, bases: &Bases, sums: &[Val]) -> Vec<Val> {
        let mut sums = sums.to_vec();
        let mut next = self.load(w, stage, bases, 0);
        for step in 0..self.steps() {
            let (a, b) = next.clone();
            if step + 1 < self.steps() {
                next = self.load(w, stage, bases, step + 1);
            }
            for (row, a) in a.iter().enumerate() {
                for column in 0..b.len() * 2 {
                    let pair = &b[column / 2];
                    let b = [pair[column % 2 * 2], pair[column % 2 * 2 + 1]];
                    let at = (row * 2 * (self.fragments(Side::B) as usize) + column) * 4;
                    let c = [sums[at], sums[at + 1], sums[at + 2], sums[at + 3]];
                    let sum = self.atom.multiply(w, self.chip, *a, b, c);
                    sums[at..at + 4].copy_from_slice(&sum);
                }
            }
        }
        sums
    }

    /// Where a pair of neighboring sums of a thread belongs.
    pub(crate) fn run_place<I: Ints>(&self, i: &mut I, thread: I::Num, pair: usize) -> (RunRow<I::Num>, I::Num) {
        let (lane, warp) = (i.rest(thread, 32), i.over(thread, 32));
        let (wm, wn) = self.warp(i, warp);
        let columns = self.fragments(Side::B) * 2;
        let (fragment, half) = (pair as u32 / 2, pair as u32 % 2);
        let constant = fragment / columns * 16 + half * 8;
        let (base, far, near) =
            (i.times(wn, self.warp_extent(Side::B)), i.num(fragment % columns * 8), i.rest(lane, 4));
        let near = i.times(near, 2);
        let column = i.add(base, far);
        (RunRow { warp: wm, constant, lane: i.over(lane, 4) }, i.add(column, near))
    }
}

/// `f32` to the nearest `tf32`, ties away from zero.
fn round_to_tf32(w: &mut Writer, word: Val) -> Val {
    let value = w.bitcast(word, crate::text::Scalar::F32);
    w.op(Ty::I32, format_args!("llvm.call_intrinsic \"llvm.nvvm.f2tf32.rna\"({value}) : (f32) -> i32"))
}
