//! A block's product on FMA units: each thread has a square of sums in registers.
//!
//! A warp is four rows of eight threads. A thread's rows and columns are groups of 16 bytes, each group a warp's width from
//! the next, so that the eight threads of a row read 128 neighboring bytes.
//! Each sum is one chain `s = fma(a[k], b[k], s)` in order of `k`, from zero.

use super::matmul::RunRow;
use super::schedule::Tile;
use super::{Ints, Plain, SharedTile};
use crate::text::{Access, Scalar, Ty, Val, Writer};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Simt {
    pub(crate) tile: Tile,
    pub(crate) a: SharedTile,
    pub(crate) b: SharedTile,
}

pub(crate) struct Bases {
    a: Val,
    b: Val,
}

impl Simt {
    fn elem(&self) -> Scalar {
        self.a.elem
    }

    /// Elements of a group.
    pub(crate) fn group(&self) -> u32 {
        16 / self.elem().bytes()
    }

    /// Groups of a thread along rows and columns.
    pub(crate) fn groups(&self) -> [u32; 2] {
        let width = self.group();
        [self.tile.m / self.tile.warps_m / (4 * width), self.tile.n / self.tile.warps_n / (8 * width)]
    }

    /// A thread's place among the warp's rows and columns of threads, and its warp's.
    pub(crate) fn position<I: Ints>(&self, i: &mut I, thread: I::Num) -> [I::Num; 4] {
        let (lane, warp) = (i.rest(thread, 32), i.over(thread, 32));
        let (wm, wn) = (i.over(warp, self.tile.warps_n), i.rest(warp, self.tile.warps_n));
        [wm, wn, i.over(lane, 8), i.rest(lane, 8)]
    }

    /// Where a run of sums, one group of a row, belongs. Runs are numbered row by row.
    pub(crate) fn run_place<I: Ints>(&self, i: &mut I, thread: I::Num, run: usize) -> (RunRow<I::Num>, I::Num) {
        let [wm, wn, ty, tx] = self.position(i, thread);
        let (width, [_, columns]) = (self.group(), self.groups());
        let (row, group) = (run as u32 / columns, run as u32 % columns);
        let constant = row / width * 4 * width + row % width;
        let (base, near) = (i.times(wn, self.tile.n / self.tile.warps_n), i.times(tx, width));
        let far = i.num(group * 8 * width);
        let column = i.add(base, near);
        (RunRow { warp: wm, constant, lane: i.times(ty, width) }, i.add(column, far))
    }

    pub(crate) fn bases(&self, w: &mut Writer, thread: Val) -> Bases {
        let [wm, wn, ty, tx] = self.position(w, thread);
        let bytes = self.elem().bytes();
        let mut place = |warp: Val, extent: u32, lane: Val| {
            let (far, near) = (w.times(warp, extent * bytes), w.times(lane, 16));
            w.addi(far, near)
        };
        let a = place(wm, self.tile.m / self.tile.warps_m, ty);
        let b = place(wn, self.tile.n / self.tile.warps_n, tx);
        Bases { a, b }
    }

    pub(crate) fn n_sums(&self) -> usize {
        let [rows, columns] = self.groups();
        (rows * columns * self.group() * self.group()) as usize
    }

    /// How the address of a group follows from that of a thread's first for `k = 0`: bits to flip, and bytes to add.
    /// The row's share of the swizzle is known here; a group's distance is added where the swizzle does not touch it.
    pub(crate) fn offset(&self, tile: &SharedTile, k: u32, group: u32, stride: u32) -> (u32, u32) {
        let flip = tile.address(&mut Plain, 0, k) - k * tile.row_bytes();
        let far = group * stride * self.elem().bytes();
        let mixed = ((1 << tile.swizzle().bits) - 1) << tile.swizzle().base;
        if far & mixed == 0 { (flip, far + k * tile.row_bytes()) } else { (flip ^ far, k * tile.row_bytes()) }
    }

    /// Elements of one operand for one `k`.
    fn row(
        &self,
        w: &mut Writer,
        stage: Val,
        tile: &SharedTile,
        base: Val,
        k: u32,
        [groups, stride]: [u32; 2],
    ) -> Vec<Val> {
        let ty = Ty::vector(self.elem(), self.group());
        (0..groups)
            .flat_map(|group| {
                let (flip, add) = self.offset(tile, k, group, stride);
                let flip = w.num(flip);
                let at = w.xori(base, flip);
                let pointer = w.shared_at(stage, at);
                let pointer = w.gep_const(pointer, add.into(), Ty::I8);
                let all = w.load(pointer, ty, Access::aligned(16));
                (0..self.group()).map(|lane| w.extract(all, lane)).collect::<Vec<_>>()
            })
            .collect()
    }

    /// Adds the product of the tiles at `stage` to the sums, one `k` after the other.
    pub(crate) fn multiply(&self, w: &mut Writer, stage: Val, bases: &Bases, sums: &[Val]) -> Vec<Val> {
        let mut sums = sums.to_vec();
        let [rows, columns] = self.groups();
        let width = self.group();
        let b_stage = w.gep_const(stage, self.a.bytes().into(), Ty::I8);
        let load = |w: &mut Writer, k: u32| {
            let a = self.row(w, stage, &self.a, bases.a, k, [rows, 4 * width]);
            let b = self.row(w, b_stage, &self.b, bases.b, k, [columns, 8 * width]);
            (a, b)
        };
        let n_columns = (columns * width) as usize;
        let mut next = load(w, 0);
        for k in 0..self.tile.k {
            let (a, b) = next.clone();
            if k + 1 < self.tile.k {
                next = load(w, k + 1);
            }
            for (row, a) in a.iter().enumerate() {
                for (column, b) in b.iter().enumerate() {
                    let sum = &mut sums[row * n_columns + column];
                    *sum = if self.elem().is_float() {
                        w.fma(*a, *b, *sum)
                    } else {
                        let product = w.muli(*a, *b);
                        w.addi(product, *sum)
                    };
                }
            }
        }
        sums
    }
}
