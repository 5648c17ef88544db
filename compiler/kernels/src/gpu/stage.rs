//! Bringing tiles of an operand from global to shared memory.

use super::layout::Swizzle;
use super::{Along, Ints, Operand, Piece, Plain, Source};
use crate::text::{IntCmp, Scalar, Ty, Val, Writer};

/// A tile of an operand in shared memory: rows along one axis, one below the other, permuted so that what reads them has no
/// bank conflicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedTile {
    /// The type there.
    pub elem: Scalar,
    /// The axis of neighbors.
    pub along: Along,
    /// Extent of the outer axis.
    pub outer: u32,
    /// Extent along `k`.
    pub k: u32,
    /// Whether FMA units read it; otherwise `ldmatrix` does.
    pub simt: bool,
}

impl SharedTile {
    /// Bytes of a row.
    pub fn row_bytes(&self) -> u32 {
        let elements = if self.along == Along::K { self.k } else { self.outer };
        elements * self.elem.bytes()
    }

    /// Bytes of the tile.
    pub fn bytes(&self) -> u32 {
        self.outer * self.k * self.elem.bytes()
    }

    /// The permutation of its addresses.
    ///
    /// `ldmatrix` reads 16 bytes of eight rows at once, so the 16-byte column is mixed with the row number. FMA units read
    /// rows one at a time, which needs nothing; what is transposed on its way in is written down columns, four rows from
    /// each thread, so groups of four rows are mixed into the 32-byte column.
    pub fn swizzle(&self) -> Swizzle {
        let log = self.row_bytes().ilog2();
        match (self.simt, self.row_bytes()) {
            (true, _) => Swizzle::new(2, 5, log + 2 - 5),
            (false, 64) => Swizzle::new(2, 4, 3),
            (false, _) => Swizzle::new(3, 4, log - 4),
        }
    }

    /// The address of an element in the tile, in bytes.
    pub fn address<I: Ints>(&self, i: &mut I, outer: I::Num, k: I::Num) -> I::Num {
        let (row, column) = if self.along == Along::K { (outer, k) } else { (k, outer) };
        let row = i.times(row, self.row_bytes());
        let column = i.times(column, self.elem.bytes());
        let sum = i.add(row, column);
        self.swizzle().apply(i, sum)
    }
}

/// How the pieces of a tile are dealt out to threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deal {
    along: Along,
    /// Elements of a piece.
    lanes: u32,
    /// Pieces of a row of memory.
    per_row: u32,
    /// Rows that the block takes at once.
    rows: u32,
    /// Pieces of each thread.
    pub(crate) pieces: u32,
}

impl Deal {
    /// The deal, if every thread gets the same number of pieces.
    pub(crate) fn new(tile: &SharedTile, along: Along, lanes: u32, threads: u32) -> Option<Deal> {
        let (length, height) = if along == Along::K { (tile.k, tile.outer) } else { (tile.outer, tile.k) };
        let per_row = length / lanes;
        let even = length.is_multiple_of(lanes)
            && threads.is_multiple_of(per_row)
            && (per_row * height).is_multiple_of(threads);
        even.then(|| Deal { along, lanes, per_row, rows: threads / per_row, pieces: per_row * height / threads })
    }

    /// Row and column (in elements) of a thread's first piece.
    fn first<I: Ints>(&self, i: &mut I, thread: I::Num) -> (I::Num, I::Num) {
        let row = i.over(thread, self.per_row);
        let at = i.rest(thread, self.per_row);
        (row, i.times(at, self.lanes))
    }

    /// The place in shared memory of an element of a piece.
    fn place<I: Ints>(&self, i: &mut I, tile: &SharedTile, thread: I::Num, piece: u32, element: u32) -> I::Num {
        let (row, column) = self.first(i, thread);
        let (down, right) = (i.num(piece * self.rows), i.num(element));
        let (row, column) = (i.add(row, down), i.add(column, right));
        let (outer, k) = if self.along == Along::K { (row, column) } else { (column, row) };
        tile.address(i, outer, k)
    }

    /// How a place follows from the thread's first: bits to flip, then bytes to add, if they are the same for all threads.
    fn distance(&self, tile: &SharedTile, threads: u32, piece: u32, element: u32) -> Option<(u32, u32)> {
        let swizzle = tile.swizzle();
        let mixed = ((1 << swizzle.bits) - 1) << swizzle.base;
        let pair =
            |thread| (self.place(&mut Plain, tile, thread, 0, 0), self.place(&mut Plain, tile, thread, piece, element));
        let (first, there) = pair(0);
        let flip = (first ^ there) & mixed;
        let add = there.checked_sub(first ^ flip)?;
        let mut all = (0..threads).map(pair);
        all.all(|(first, there)| (first ^ flip) + add == there).then_some((flip, add))
    }

    /// The places of all elements that all threads bring.
    #[cfg(test)]
    pub(crate) fn all(&self, tile: &SharedTile, threads: u32) -> Vec<u32> {
        let mut all = vec![];
        for thread in 0..threads {
            for piece in 0..self.pieces {
                all.extend((0..self.lanes).map(|element| self.place(&mut Plain, tile, thread, piece, element)));
            }
        }
        all
    }

    /// All addresses of one element of the pieces of a warp, for the bank checker.
    pub(crate) fn addresses(&self, tile: &SharedTile, piece: u32, element: u32) -> Vec<u32> {
        (0..32).map(|thread| self.place(&mut Plain, tile, thread, piece, element)).collect()
    }
}

/// A piece in registers.
pub(crate) struct Loaded<'a> {
    words: Vec<Val>,
    codes: Option<Box<dyn Piece + 'a>>,
}

/// What a thread does to bring tiles of one operand.
pub struct Stager<'a> {
    operand: Operand<'a>,
    tile: SharedTile,
    deal: Deal,
    threads: u32,
    thread: Val,
    /// Row and column in the tile of the thread's first piece.
    row: Val,
    column: Val,
    /// First outer index of the tile.
    outer: Val,
    /// Extent of `k`, and whether all tiles lie inside of it.
    k: Val,
    k_whole: bool,
    /// Place of the first piece in shared memory.
    to: Val,
    /// Address of the first piece for `k = 0`, and the distance to the next in elements.
    from: Option<[Val; 2]>,
    gathered: Vec<Vec<Val>>,
}

impl<'a> Stager<'a> {
    /// Prepares what does not change from tile to tile. `outer` is the tile's first outer index, `k` the extent along `k`.
    pub(crate) fn new(
        w: &mut Writer,
        operand: Operand<'a>,
        tile: SharedTile,
        deal: Deal,
        (thread, threads): (Val, u32),
        outer: Val,
        (k, k_whole): (Val, bool),
    ) -> Stager<'a> {
        let (row, column) = deal.first(w, thread);
        let to = deal.place(w, &tile, thread, 0, 0);
        let mut stager = Stager {
            operand,
            tile,
            deal,
            threads,
            thread,
            row,
            column,
            outer,
            k,
            k_whole,
            to,
            from: None,
            gathered: vec![],
        };
        stager.prepare(w);
        stager
    }

    fn prepare(&mut self, w: &mut Writer) {
        let by_rows = self.deal.along == Along::K;
        match self.operand.source {
            Source::Strided { first, outer_stride, k_stride } => {
                let (outer, k) = if by_rows { (self.row, self.column) } else { (self.column, self.row) };
                let outer = w.addi(self.outer, outer);
                let k = w.over(k, self.operand.per_place());
                let (outer, k) = (w.extsi(outer, Scalar::I64), w.extsi(k, Scalar::I64));
                let (outer, k) = (w.muli(outer, outer_stride), w.muli(k, k_stride));
                let offset = w.addi(outer, k);
                let pointer = w.gep(first, offset, self.operand.elem.into());
                let rows = w.i64(self.deal.rows.into());
                let step = w.muli(rows, if by_rows { outer_stride } else { k_stride });
                self.from = Some([pointer, step]);
            }
            Source::Gather(gather) => {
                let n_outer = if by_rows { self.deal.pieces } else { 1 };
                for piece in 0..n_outer {
                    let outer = self.outer_of(w, piece);
                    self.gathered.push(gather.outer(w, outer));
                }
            }
        }
    }

    /// The outer index of a piece.
    fn outer_of(&self, w: &mut Writer, piece: u32) -> Val {
        let at = if self.deal.along == Along::K { self.down(w, piece) } else { self.column };
        w.addi(self.outer, at)
    }

    fn down(&self, w: &mut Writer, piece: u32) -> Val {
        let down = w.num(piece * self.deal.rows);
        w.addi(self.row, down)
    }

    /// The pieces of the tile that begins at `k`: addresses, and which exist (`None`: it does).
    fn pieces(&self, w: &mut Writer, k: Val, also: Option<Val>) -> Vec<(Val, Option<Val>)> {
        let by_rows = self.deal.along == Along::K;
        // What is the same for all pieces of the thread.
        let (same, varies) =
            if by_rows { (!self.k_whole, !self.operand.whole) } else { (!self.operand.whole, !self.k_whole) };
        let mut common = also;
        if same {
            let (at, end) =
                if by_rows { (w.addi(k, self.column), self.k) } else { (self.outer_of(w, 0), self.operand.extent) };
            let inside = w.cmpi(IntCmp::Slt, at, end);
            common = Some(and(w, common, inside));
        }
        let left = varies.then(|| {
            let (at, end) =
                if by_rows { (self.outer_of(w, 0), self.operand.extent) } else { (w.addi(k, self.row), self.k) };
            w.subi(end, at)
        });
        let mut pointer = self.from.map(|[pointer, step]| {
            let Source::Strided { k_stride, .. } = self.operand.source else { return (pointer, step) };
            let k = w.over(k, self.operand.per_place());
            let k = w.extsi(k, Scalar::I64);
            let offset = w.muli(k, k_stride);
            (w.gep(pointer, offset, self.operand.elem.into()), step)
        });
        (0..self.deal.pieces)
            .map(|piece| {
                let mut valid = common;
                if let Some(left) = left {
                    let at = w.num(piece * self.deal.rows);
                    let inside = w.cmpi(IntCmp::Slt, at, left);
                    valid = Some(and(w, valid, inside));
                }
                if let Source::Gather(gather) = self.operand.source {
                    return self.gather(w, gather, piece, k, valid);
                }
                let (at, step) = pointer.unwrap_or((self.k, self.k));
                let next = if piece + 1 < self.deal.pieces { w.gep(at, step, self.operand.elem.into()) } else { at };
                pointer = Some((next, step));
                (at, valid)
            })
            .collect()
    }

    fn gather(
        &self,
        w: &mut Writer,
        gather: &dyn super::Gather,
        piece: u32,
        k: Val,
        valid: Option<Val>,
    ) -> (Val, Option<Val>) {
        let (outer, at) = if self.deal.along == Along::K {
            (&self.gathered[piece as usize], self.column)
        } else {
            (&self.gathered[0], self.down(w, piece))
        };
        let k = w.addi(k, at);
        let (pointer, exists) = gather.place(w, outer, k);
        (pointer, Some(and(w, valid, exists)))
    }

    /// Starts to copy the tile that begins at `k` into shared memory at `stage`, without passing registers.
    /// The tile must have the operand's type and direction, and pieces at least 4 bytes.
    pub(crate) fn copy_async(&self, w: &mut Writer, k: Val, stage: Val) {
        let pieces = self.pieces(w, k, None);
        let first = w.shared_at(stage, self.to);
        for (piece, (from, valid)) in (0..).zip(pieces) {
            let to = self.target(w, stage, first, piece, 0);
            let size = valid.map(|valid| {
                let (all, none) = (w.num(self.operand.piece), w.num(0));
                w.select(valid, all, none)
            });
            w.copy_async(to, from, self.operand.piece, size);
        }
    }

    /// Loads the tile that begins at `k` into registers, if `exists`.
    pub(crate) fn load(&self, w: &mut Writer, k: Val, exists: Val) -> Vec<Loaded<'_>> {
        let pieces = self.pieces(w, k, Some(exists));
        (0..)
            .zip(pieces)
            .map(|(piece, (from, valid))| Loaded {
                words: w.load_words(from, self.operand.piece, valid),
                codes: self.common(w, piece, k),
            })
            .collect()
    }

    /// What the codes of a piece have in common. Where there is no piece that of another will do: what its zeros stand for
    /// meets zeros of the other operand, or is thrown away.
    fn common(&self, w: &mut Writer, piece: u32, k: Val) -> Option<Box<dyn Piece + '_>> {
        let codes = self.operand.codes?;
        let (zero, one) = (w.num(0), w.num(1));
        let (outer, k) = (self.outer_of(w, piece), w.addi(k, self.column));
        let last = w.subi(self.operand.extent, one);
        let outer = w.minsi(outer, last);
        let inside = w.cmpi(IntCmp::Slt, k, self.k);
        let k = w.select(inside, k, zero);
        Some(codes.decoder.piece(w, outer, k))
    }

    /// Writes loaded pieces to shared memory at `stage`.
    pub(crate) fn store(&self, w: &mut Writer, pieces: &mut [Loaded], stage: Val) {
        let first = w.shared_at(stage, self.to);
        let same_way = self.tile.along == self.deal.along;
        let as_is = same_way && self.tile.elem == self.operand.elem;
        for (piece, Loaded { words, codes }) in (0..).zip(pieces) {
            let elements: Vec<Val> = match codes {
                Some(codes) => {
                    let elements = codes.decode(w, words);
                    elements.into_iter().map(|element| w.float_to_float(element, self.tile.elem)).collect()
                }
                None if as_is => {
                    let to = self.target(w, stage, first, piece, 0);
                    self.store_piece(w, words, to);
                    continue;
                }
                None => {
                    let unpacked = |n| w.unpack(words, self.operand.elem, n, self.tile.elem);
                    (0..self.deal.lanes).map(unpacked).collect()
                }
            };
            // Neighbors that stay neighbors are written 16 bytes at a time.
            let at_a_time = if same_way && codes.is_some() { 16 / self.tile.elem.bytes() } else { 1 };
            for (element, values) in (0..).step_by(at_a_time as usize).zip(elements.chunks(at_a_time as usize)) {
                let to = self.target(w, stage, first, piece, element);
                let value = if values.len() == 1 { values[0] } else { w.vector_of(values) };
                w.store(value, to, value.ty.bytes());
            }
        }
    }

    fn store_piece(&self, w: &mut Writer, words: &[Val], to: Val) {
        let value = match self.operand.piece {
            1 => w.trunci(words[0], Scalar::I8),
            2 => w.trunci(words[0], Scalar::I16),
            4 => words[0],
            _ => w.vector_of(words),
        };
        w.store(value, to, self.operand.piece);
    }

    /// Where an element of a piece goes.
    fn target(&self, w: &mut Writer, stage: Val, first: Val, piece: u32, element: u32) -> Val {
        match self.deal.distance(&self.tile, self.threads, piece, element) {
            Some((0, add)) => w.gep_const(first, add.into(), Ty::I8),
            Some((flip, add)) => {
                let flip = w.num(flip);
                let at = w.xori(self.to, flip);
                let pointer = w.shared_at(stage, at);
                w.gep_const(pointer, add.into(), Ty::I8)
            }
            None => {
                let at = self.deal.place(w, &self.tile, self.thread, piece, element);
                w.shared_at(stage, at)
            }
        }
    }
}

fn and(w: &mut Writer, a: Option<Val>, b: Val) -> Val {
    a.map_or(b, |a| w.andi(a, b))
}
