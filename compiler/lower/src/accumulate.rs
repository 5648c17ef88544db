//! The loop over `k` of a tile, in registers.
//!
//! It is a function of its own because LLVM takes the deep loops that pack operands for the hot ones: in one function it
//! keeps their constants in registers, and spills accumulators.
//!
//! A row of a tile is `vectors` vectors of columns. The last panel of a matrix has often few columns, most lanes of
//! whose vectors would be wasted; there the columns behind the last full vector are *singles*: vectors of rows, one for
//! each such column.

use crate::context::Cx;
use crate::contraction::Contraction;
use crate::tile::Tile;
use kernels::text::{Access, Function, IntCmp, Param, Scalar, Ty, Val, Writer};
use tensor::Dim;

/// Operands and the finished tile; then `k`, the distances between rows and from one `k` to the next in rows and panel,
/// how many rows and columns are left, and the distance between rows of the tile.
const PARAMS: [Param<'static>; 10] = {
    let (pointer, number) = (Param::of(Ty::PTR), Param::of(Ty::I64));
    [pointer, pointer, pointer, number, number, number, number, number, number, number]
};

/// Accumulators of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    /// Vectors of columns for each row.
    vectors: u32,
    /// Columns behind them, each a vector of rows.
    singles: u32,
}

impl Shape {
    /// The shape for the last panel, if one with fewer accumulators than the others suits it. `columns` is what the last
    /// panel holds.
    fn tail(tile: Tile, columns: u32) -> Option<Shape> {
        let masked = Shape { vectors: columns.div_ceil(tile.lanes), singles: 0 };
        let mixed = Shape { vectors: columns / tile.lanes, singles: columns % tile.lanes };
        let fits = |shape: &Shape| {
            (shape.singles == 0 || tile.rows <= tile.lanes)
                && shape.accumulators(tile) + shape.vectors + 2 <= tile.registers()
        };
        let best = [mixed, masked].into_iter().filter(fits).min_by_key(|shape| shape.accumulators(tile))?;
        (best.accumulators(tile) < tile.rows * tile.vectors).then_some(best)
    }

    fn accumulators(self, tile: Tile) -> u32 {
        tile.rows * self.vectors + self.singles
    }
}

/// What the loop over `k` walks.
struct Walk<'a> {
    k: Val,
    /// A pointer for each row, and the step from one `k` to the next.
    rows: &'a [Val],
    row_step: Val,
    panel: Val,
    panel_step: Val,
    masks: Option<&'a [Val]>,
}

impl Contraction {
    /// Writes the functions of the loop over `k`.
    pub(crate) fn accumulate_functions(&self, w: &mut Writer) {
        self.accumulate_function(w, self.functions[0], Shape { vectors: self.tile.vectors, singles: 0 });
        if let Some(shape) = self.tail() {
            self.accumulate_function(w, self.functions[1], shape);
        }
    }

    /// Calls the one for a panel.
    pub(crate) fn call_accumulate(&self, cx: &Cx, w: &mut Writer, panel: Val, args: &[Val]) {
        let [full, tail] = self.functions;
        if self.tail().is_none() {
            w.call(full, args, &[]);
            return;
        }
        let (count, one) = (cx.dim(w, &self.n_panels()), w.i64(1));
        let last = w.subi(count, one);
        let is_last = w.cmpi(IntCmp::Eq, panel, last);
        let call = |name: &'static str| move |w: &mut Writer| w.call(name, args, &[]);
        w.if_else(is_last, &[], call(tail), call(full));
    }

    /// The shape of the last panel's tiles, where it differs. Singles load rows as vectors, so those must be packed.
    fn tail(&self) -> Option<Shape> {
        let left = self.n.as_const().map(|n| n % i64::from(self.tile.columns())).filter(|left| *left > 0)?;
        if !self.packs() || self.a.packing.is_none() {
            return None;
        }
        Shape::tail(self.tile, left as u32)
    }

    fn accumulate_function(&self, w: &mut Writer, name: &str, shape: Shape) {
        w.function(Function::outlined(name, &PARAMS), |w, p| {
            // Numbers that are known make for shorter code than parameters.
            let steps = self.steps();
            let known = |w: &mut Writer, dim: &Dim, param| dim.as_const().map_or(param, |value| w.i64(value));
            let [k, row_stride, row_step, panel_step] = [0, 1, 2, 3].map(|at| known(w, &steps[at], p[at + 3]));
            let tile_stride = known(w, &self.tile_stride, p[9]);
            let rows = self.row_pointers(w, p[0], row_stride, p[7]);
            let masks = self.reads_in_place().then(|| self.column_masks(w, p[8]));
            let walk = Walk { k, rows: &rows, row_step, panel: p[1], panel_step, masks: masks.as_deref() };
            let sums = self.accumulate(w, shape, &walk);
            self.store_tile(w, shape, &sums, p[2], tile_stride);
            vec![]
        });
    }

    /// A pointer for each row. Rows behind the last are computed from the last and thrown away.
    fn row_pointers(&self, w: &mut Writer, first: Val, stride: Val, left: Val) -> Vec<Val> {
        let one = w.i64(1);
        let last = w.subi(left, one);
        (0..self.tile.rows)
            .map(|r| {
                let mut at = w.i64(r.into());
                if self.a.packing.is_none() && r > 0 {
                    at = w.minsi(at, last);
                }
                let offset = w.muli(at, stride);
                w.gep(first, offset, Ty::F32)
            })
            .collect()
    }

    /// The loop: one broadcast of `A` for each row, times every vector of `B`; then one of `B` for each single, times the
    /// vector of rows.
    fn accumulate(&self, w: &mut Writer, shape: Shape, walk: &Walk) -> Vec<Val> {
        let zero = w.zero(self.tile.vector());
        let start = vec![zero; shape.accumulators(self.tile) as usize];
        let (lo, one) = (w.i64(0), w.i64(1));
        w.for_loop(lo, walk.k, one, &start, |w, k, sums| {
            let at = w.muli(k, walk.panel_step);
            let panel = w.gep(walk.panel, at, Ty::F32);
            let columns = self.load_columns(w, shape, panel, walk.masks);
            let at = w.muli(k, walk.row_step);
            let mut next = Vec::with_capacity(sums.len());
            for row in walk.rows.iter().filter(|_| shape.vectors > 0) {
                let place = w.gep(*row, at, Ty::F32);
                let a = self.load_splat(w, place);
                for b in &columns {
                    next.push(w.fma(a, *b, sums[next.len()]));
                }
            }
            if shape.singles > 0 {
                let place = w.gep(walk.rows[0], at, Ty::F32);
                let rows = self.load_rows(w, place);
                for single in 0..shape.singles {
                    let place = w.gep_const(panel, (shape.vectors * self.tile.lanes + single).into(), Ty::F32);
                    let b = self.load_splat(w, place);
                    next.push(w.fma(rows, b, sums[next.len()]));
                }
            }
            next
        })
    }

    fn load_columns(&self, w: &mut Writer, shape: Shape, panel: Val, masks: Option<&[Val]>) -> Vec<Val> {
        let lanes = self.tile.lanes;
        (0..shape.vectors)
            .map(|v| {
                let place = w.gep_const(panel, (v * lanes).into(), Ty::F32);
                match masks {
                    None => w.load(place, self.tile.vector(), 64.min(lanes * 4)),
                    Some(masks) => {
                        let zero = w.zero(self.tile.vector());
                        w.masked_load(place, masks[v as usize], zero, 4)
                    }
                }
            })
            .collect()
    }

    fn load_splat(&self, w: &mut Writer, place: Val) -> Val {
        let scalar = w.load(place, Ty::F32, Access::aligned(4).invariant());
        w.broadcast(scalar, self.tile.vector())
    }

    /// The rows of a packed tile as one vector; behind the last packed tile is nothing to be read.
    fn load_rows(&self, w: &mut Writer, place: Val) -> Val {
        let exists: Vec<i64> = (0..self.tile.lanes).map(|lane| i64::from(lane < self.tile.rows)).collect();
        let (mask, zero) = (w.ints(Scalar::I1, &exists), w.zero(self.tile.vector()));
        w.masked_load(place, mask, zero, 4)
    }

    fn store_tile(&self, w: &mut Writer, shape: Shape, sums: &[Val], tile: Val, stride: Val) {
        let Tile { rows, lanes, .. } = self.tile;
        let starts: Vec<Val> = (0..rows)
            .map(|row| {
                let row = w.i64(row.into());
                let offset = w.muli(row, stride);
                w.gep(tile, offset, Ty::F32)
            })
            .collect();
        let (full, singles) = sums.split_at((rows * shape.vectors) as usize);
        for (at, sum) in (0..).zip(full) {
            let (row, v) = (at / shape.vectors, at % shape.vectors);
            let place = w.gep_const(starts[row as usize], (v * lanes).into(), Ty::F32);
            w.store(*sum, place, 64.min(lanes * 4));
        }
        for (single, sum) in (0..).zip(singles) {
            for row in 0..rows {
                let value = w.extract(*sum, row);
                let place = w.gep_const(starts[row as usize], (shape.vectors * lanes + single).into(), Ty::F32);
                w.store(value, place, 4);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TILE: Tile = Tile { rows: 14, vectors: 2, lanes: 16 };

    #[test]
    fn few_columns_become_singles() {
        assert_eq!(Shape::tail(TILE, 4), Some(Shape { vectors: 0, singles: 4 }));
        assert_eq!(Shape::tail(TILE, 17), Some(Shape { vectors: 1, singles: 1 }));
    }

    #[test]
    fn many_columns_stay_vectors() {
        assert_eq!(Shape::tail(TILE, 15), Some(Shape { vectors: 1, singles: 0 }));
        assert_eq!(Shape::tail(TILE, 31), None);
    }

    #[test]
    fn rows_that_fill_no_vector_stay_rows() {
        let high = Tile { rows: 12, vectors: 1, lanes: 8 };
        assert_eq!(Shape::tail(high, 3), None);
    }
}
