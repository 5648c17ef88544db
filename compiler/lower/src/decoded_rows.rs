//! Contractions whose columns are decoded: few rows straight from the codes, many rows from panels of decoded columns.

use crate::anchor::nest;
use crate::context::{Cx, Scope};
use crate::contraction::{Contraction, Matrix};
use crate::decoded::{Decoded, Run, TABLE};
use crate::index::Idx;
use crate::turned::transposed;
use crate::types::lanes_of;
use kernels::text::{FastMath, IntCmp, Reduce, Scalar, Ty, Val, Writer};
use tensor::{DType, Dim};

/// For up to so many rows codes are read from memory once and decoded for a few rows at a time; for more, panels of decoded
/// columns pay.
const FEW: i64 = 16;
/// Rows that decoding pays for together; fewer are taken one by one.
const ALONE: i64 = 2;
/// Columns whose sums are in registers at a time: what is read of the rows serves all of them.
const COLUMNS: u32 = 4;
/// Vectors of sums at most, so that registers are left for what is multiplied.
const SUMS: u32 = 16;
/// Loops of so few steps are written out.
const UNROLLED: i64 = 4;

/// What the loops over a block's bytes work on.
struct Sums<'a> {
    decoded: &'a Decoded,
    batch: &'a [Val],
    columns: &'a [Val],
    rows: &'a [Val],
}

impl Contraction {
    /// Whether there are never more than a few rows.
    pub(crate) fn always_few(&self) -> bool {
        self.decoded.is_some() && self.m.as_const().is_some_and(|m| m <= FEW)
    }

    /// Runs one of two ways: for few rows, and for many.
    pub(crate) fn by_rows(
        &self,
        cx: &Cx,
        w: &mut Writer,
        few: impl FnOnce(&mut Writer),
        many: impl FnOnce(&mut Writer),
    ) {
        match self.m.as_const() {
            _ if self.always_few() => few(w),
            Some(_) => many(w),
            None => {
                let (m, most) = (cx.dim(w, &self.m), w.i64(FEW));
                let is_few = w.cmpi(IntCmp::Sle, m, most);
                w.if_else(
                    is_few,
                    &[],
                    |w| {
                        few(w);
                        vec![]
                    },
                    |w| {
                        many(w);
                        vec![]
                    },
                );
            }
        }
    }

    /// A panel of columns for all rows, which are few. `tile` is the finished tile's memory.
    pub(crate) fn few_rows(&self, cx: &Cx, w: &mut Writer, decoded: &Decoded, batch: &[Val], panel: Val, tile: Val) {
        let together = if self.tile.lanes >= TABLE { COLUMNS } else { COLUMNS / 2 };
        let rows = |this: &Self, w: &mut Writer, count: u32| this.row_tiles(cx, w, decoded, batch, panel, tile, count);
        match self.m.as_const() {
            Some(m) => rows(self, w, u32::try_from(m).map_or(1, |m| m.clamp(1, together))),
            None => {
                let (m, most) = (cx.dim(w, &self.m), w.i64(ALONE));
                let alone = w.cmpi(IntCmp::Sle, m, most);
                let way = |count: u32| {
                    move |w: &mut Writer| {
                        rows(self, w, count);
                        vec![]
                    }
                };
                w.if_else(alone, &[], way(1), way(together));
            }
        }
    }

    /// The same, as many rows as a finished tile has after each other, `count` of them at a time.
    #[allow(clippy::too_many_arguments, reason = "one place in a nest of loops")]
    fn row_tiles(&self, cx: &Cx, w: &mut Writer, decoded: &Decoded, batch: &[Val], panel: Val, tile: Val, count: u32) {
        let (zero, one, step) = (w.i64(0), w.i64(1), w.i64(COLUMNS.into()));
        let (width, n, m) = (w.i64(self.tile.columns().into()), cx.dim(w, &self.n), cx.dim(w, &self.m));
        let (height, by) = (w.i64(self.tile.rows.into()), w.i64(count.into()));
        let column = w.muli(panel, width);
        let (left, last) = (w.subi(n, column), w.subi(n, one));
        let n_columns = w.minsi(left, width);
        w.for_loop(zero, m, height, &[], |w, top, _| {
            let end = w.addi(top, height);
            let end = w.minsi(end, m);
            let bottom = w.subi(end, one);
            w.for_loop(zero, n_columns, step, &[], |w, at, _| {
                let first = w.addi(column, at);
                // What is behind the last column is computed from the last and thrown away.
                let columns = from(w, first, COLUMNS, last);
                w.for_loop(top, end, by, &[], |w, first, _| {
                    // Rows behind the last are the last once more.
                    let rows = from(w, first, count, bottom);
                    let sums = self.sums_of(cx, w, &Sums { decoded, batch, columns: &columns, rows: &rows });
                    for (row, sums) in rows.iter().zip(sums.chunks(columns.len())) {
                        let row = w.subi(*row, top);
                        let row = w.muli(row, width);
                        let to = w.addi(row, at);
                        let to = w.gep(tile, to, Ty::F32);
                        for (column, sum) in (0..).zip(sums) {
                            let to = w.gep_const(to, column, Ty::F32);
                            w.store(*sum, to, 4);
                        }
                    }
                    vec![]
                });
                vec![]
            });
            self.finish(cx, w, batch, top, column, tile);
            vec![]
        });
    }

    /// The sums of some rows and columns, row by row.
    fn sums_of(&self, cx: &Cx, w: &mut Writer, of: &Sums) -> Vec<Val> {
        let (per, lanes) = (of.decoded.per_byte(), of.decoded.lanes(cx));
        let n_sums = of.rows.len() as u32 * COLUMNS;
        // Codes of a byte have sums of their own where registers permit, so that additions need not wait.
        let apart = if n_sums * per <= SUMS { per } else { 1 };
        let zero = w.zero(lanes_of(Scalar::F32, lanes));
        let extents: Vec<Val> = of.decoded.block_extents(cx).iter().map(|dim| cx.dim(w, dim)).collect();
        let sums = nest(w, &extents, &vec![zero; (n_sums * apart) as usize], &mut |w, blocks, sums| {
            self.block_sums(cx, w, of, blocks, sums)
        });
        sums.chunks(apart as usize)
            .map(|parts| {
                let sum = parts[1..].iter().fold(parts[0], |a, b| w.addf(a, *b));
                if lanes == 1 { sum } else { w.with_fastmath(FastMath::REASSOC, |w| w.reduce(Reduce::Add, sum)) }
            })
            .collect()
    }

    /// The sums with all bytes of a block.
    fn block_sums(&self, cx: &Cx, w: &mut Writer, of: &Sums, blocks: &[Val], sums: &[Val]) -> Vec<Val> {
        let (bytes, lanes) = (of.decoded.run_bytes(cx), of.decoded.lanes(cx));
        let zero = w.i64(0);
        let run = |column: &Val, first: Val| Run { column: *column, blocks, first };
        let tables: Vec<Option<Val>> =
            of.columns.iter().map(|column| of.decoded.table(cx, w, &run(column, zero))).collect();
        let before = self.bytes_before(cx, w, of.decoded, blocks);
        let step = |w: &mut Writer, first: Val, sums: &[Val]| {
            let at = w.addi(before, first);
            let per = w.i64(of.decoded.per_byte().into());
            let k = w.muli(at, per);
            let rows: Vec<Vec<Val>> = of.rows.iter().map(|row| self.row_part(cx, w, of, *row, k)).collect();
            let mut next = sums.to_vec();
            let apart = sums.len() / (rows.len() * of.columns.len());
            for (c, (column, table)) in of.columns.iter().zip(&tables).enumerate() {
                let codes = of.decoded.vectors(cx, w, &run(column, first), *table);
                for (r, row) in rows.iter().enumerate() {
                    for (p, (x, y)) in row.iter().zip(&codes).enumerate() {
                        let sum = &mut next[(r * of.columns.len() + c) * apart + p % apart];
                        *sum = w.fma(*x, *y, *sum);
                    }
                }
            }
            next
        };
        if bytes / i64::from(lanes) <= UNROLLED {
            return (0..bytes / i64::from(lanes)).fold(sums.to_vec(), |sums, at| {
                let first = w.i64(at * i64::from(lanes));
                step(w, first, &sums)
            });
        }
        let (end, by) = (w.i64(bytes), w.i64(lanes.into()));
        w.for_loop(zero, end, by, sums, step)
    }

    /// Bytes of a column before those of a block.
    fn bytes_before(&self, cx: &Cx, w: &mut Writer, decoded: &Decoded, blocks: &[Val]) -> Val {
        let mut number = w.i64(0);
        for (extent, at) in decoded.block_extents(cx).iter().zip(blocks) {
            let extent = cx.dim(w, extent);
            number = w.muli(number, extent);
            number = w.addi(number, *at);
        }
        let bytes = w.i64(decoded.run_bytes(cx));
        w.muli(number, bytes)
    }

    /// What codes of as many bytes as there are lanes are multiplied with, from element `k` on: a vector for each code of a
    /// byte.
    fn row_part(&self, cx: &Cx, w: &mut Writer, of: &Sums, row: Val, k: Val) -> Vec<Val> {
        let Matrix { leaf, outer_stride, k_stride, .. } = &self.a;
        let stride = cx.dim(w, outer_stride);
        let row = w.muli(row, stride);
        let base = self.base(cx, w, &self.a, of.batch);
        let start = w.addi(base, row);
        let (per, lanes) = (of.decoded.per_byte(), of.decoded.lanes(cx));
        let scope = Scope::new(lanes, None);
        let is_dense = *k_stride == Dim::from(1) && lanes > 1;
        let loaded = (0..per).map(|part| {
            let by = w.i64(i64::from(part) * if is_dense { i64::from(lanes) } else { 1 });
            let first = w.addi(k, by);
            let stride = cx.dim(w, k_stride);
            let at = match (lanes, is_dense) {
                (1, _) => Idx::Uniform(first),
                (_, true) => Idx::Linear(first, 1),
                _ => Idx::Linear(first, per.into()),
            };
            let at = at.scale(w, stride, lanes).offset(w, start);
            let value = cx.load(w, &scope, cx.pointer(*leaf), DType::F32, at);
            w.broadcast(value, lanes_of(Scalar::F32, lanes))
        });
        let loaded: Vec<Val> = loaded.collect();
        if is_dense { dealt(w, loaded) } else { loaded }
    }

    /// Decodes columns `column..` of a panel into `out`, `k` rows of them.
    pub(crate) fn pack_decoded(&self, cx: &Cx, w: &mut Writer, decoded: &Decoded, column: Val, out: Val) {
        let (zero, one, n) = (w.i64(0), w.i64(1), cx.dim(w, &self.n));
        let (lanes, bytes) = (decoded.lanes(cx), decoded.run_bytes(cx));
        let (end, step) = (w.i64(self.tile.columns().into()), w.i64(lanes.into()));
        let last = w.subi(n, one);
        let extents: Vec<Val> = decoded.block_extents(cx).iter().map(|dim| cx.dim(w, dim)).collect();
        w.for_loop(zero, end, step, &[], |w, group, _| {
            let first = w.addi(column, group);
            let columns = from(w, first, lanes, last);
            nest(w, &extents, &[], &mut |w, blocks, _| {
                let run = |column: &Val, first: Val| Run { column: *column, blocks, first };
                let tables: Vec<Option<Val>> =
                    columns.iter().map(|column| decoded.table(cx, w, &run(column, zero))).collect();
                let before = self.bytes_before(cx, w, decoded, blocks);
                let bytes = w.i64(bytes);
                w.for_loop(zero, bytes, step, &[], |w, first, _| {
                    let parts: Vec<Vec<Val>> = columns
                        .iter()
                        .zip(&tables)
                        .map(|(column, table)| decoded.vectors(cx, w, &run(column, first), *table))
                        .collect();
                    let at = w.addi(before, first);
                    self.store_square(w, decoded, &parts, at, group, out);
                    vec![]
                });
                vec![]
            });
            vec![]
        });
    }

    /// Writes as many columns as there are lanes, each a vector for every code of a byte, from byte `at` of a column on.
    fn store_square(&self, w: &mut Writer, decoded: &Decoded, columns: &[Vec<Val>], at: Val, group: Val, out: Val) {
        let per = decoded.per_byte();
        let step = w.i64(i64::from(per * self.tile.columns()));
        let row = w.muli(at, step);
        let to = w.addi(row, group);
        let to = w.gep(out, to, Ty::F32);
        for code in 0..per {
            let square = columns.iter().map(|parts| parts[code as usize]).collect();
            for (lane, values) in (0..).zip(transposed(w, square)) {
                let place = w.gep_const(to, i64::from((lane * per + code) * self.tile.columns()), Ty::F32);
                w.store(values, place, 4 * columns.len() as u32);
            }
        }
    }
}

/// So many numbers from `first` on, and `last` for those behind it.
fn from(w: &mut Writer, first: Val, count: u32, last: Val) -> Vec<Val> {
    (0..count)
        .map(|at| {
            let by = w.i64(at.into());
            let number = w.addi(first, by);
            w.minsi(number, last)
        })
        .collect()
}

/// Vectors of neighbors dealt out in turns: of `n` vectors the result `i` holds elements `i`, `i + n`, and so on.
fn dealt(w: &mut Writer, vectors: Vec<Val>) -> Vec<Val> {
    if vectors.len() < 2 {
        return vectors;
    }
    let lanes = vectors[0].ty.lanes();
    let mut halves = [0, 1].map(|first| {
        let picks: Vec<u32> = (0..lanes).map(|lane| 2 * lane + first).collect();
        let half: Vec<Val> = vectors.chunks(2).map(|pair| w.shuffle(pair[0], pair[1], &picks)).collect();
        dealt(w, half).into_iter()
    });
    (0..vectors.len()).filter_map(|at| halves[at % 2].next()).collect()
}
