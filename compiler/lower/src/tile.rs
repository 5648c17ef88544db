//! One tile of a contraction: the loop over `k` in registers, then what follows, row by row.

use crate::context::{Cx, Scope};
use crate::contraction::{Contraction, Matrix, Role};
use crate::index::Idx;
use kernels::text::{Access, IntCmp, Scalar, Ty, Val, Writer};
use tensor::Dim;

/// The quotient of non-negative numbers, rounded up.
pub(crate) fn ceil_div(a: i64, b: i64) -> i64 {
    (a + b - 1) / b
}

/// The shape of a tile: `rows` times `vectors` registers of `lanes` accumulate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) rows: u32,
    pub(crate) vectors: u32,
    pub(crate) lanes: u32,
}

impl Tile {
    /// The shape that wastes least. `B` costs two loads a step and `A` one broadcast for each row, so more rows are better
    /// as long as registers last: 32 of them with AVX-512, 16 otherwise.
    pub(crate) fn choose(lanes: u32, m: Option<i64>, n: Option<i64>) -> Tile {
        let registers = if lanes >= 16 { 32 } else { 16 };
        let vectors = match m {
            Some(1..=3) => 4,
            _ => 2,
        };
        let vectors = match n.map(|n| ceil_div(n, lanes.into())) {
            Some(needed) => vectors.min(needed.max(1) as u32),
            None => vectors,
        };
        let most = ((registers - vectors - 1) / vectors).min(14);
        let Some(m) = m else { return Tile { rows: most.min(12), vectors, lanes } };
        let cost = |rows: u32| ceil_div(m, rows.into()) * i64::from(rows * vectors + 2 * vectors + 2);
        let rows = (1..=most.min(m.max(1) as u32)).rev().min_by_key(|rows| cost(*rows)).unwrap_or(1);
        Tile { rows, vectors, lanes }
    }

    /// Columns of a panel.
    pub(crate) fn columns(self) -> u32 {
        self.vectors * self.lanes
    }

    /// Bytes of a finished tile.
    pub(crate) fn bytes(self) -> i64 {
        i64::from(self.rows * self.columns() * 4)
    }

    pub(crate) fn vector(self) -> Ty {
        Ty::vector(Scalar::F32, self.lanes)
    }
}

/// Where the loop over `k` reads its operands.
struct Streams {
    /// One pointer for each row, and the distance from one `k` to the next in elements.
    rows: Vec<Val>,
    row_step: Val,
    panel: Val,
    panel_step: Val,
    /// Masks of the columns that exist, where a panel is read in place.
    masks: Option<Vec<Val>>,
}

impl Contraction {
    /// Computes tile `tile` of rows with panel `panel` of columns. `memory` is the finished tile's and the packed block's.
    #[allow(clippy::too_many_arguments, reason = "one place in a nest of loops")]
    pub(crate) fn tile(
        &self,
        cx: &Cx,
        w: &mut Writer,
        batch: &[Val],
        tile: Val,
        panel: Val,
        local: Val,
        memory: [Val; 2],
    ) {
        let shape = self.tile;
        let (rows, columns) = (w.i64(shape.rows.into()), w.i64(shape.columns().into()));
        let (row, column) = (w.muli(tile, rows), w.muli(panel, columns));
        let streams = self.streams(cx, w, batch, tile, row, panel, column, local, memory[1]);
        let sums = self.accumulate(cx, w, &streams);
        for (at, sum) in sums.iter().enumerate() {
            let place = w.gep_const(memory[0], (at as u32 * shape.lanes).into(), Ty::F32);
            w.store(*sum, place, 64);
        }
        self.finish(cx, w, batch, row, column, memory[0]);
    }

    #[allow(clippy::too_many_arguments, reason = "one place in a nest of loops")]
    fn streams(
        &self,
        cx: &Cx,
        w: &mut Writer,
        batch: &[Val],
        tile: Val,
        row: Val,
        panel: Val,
        column: Val,
        local: Val,
        block: Val,
    ) -> Streams {
        let (rows, row_step) = self.row_streams(cx, w, batch, tile, row);
        let shape = self.tile;
        let k = cx.dim(w, &self.k);
        let width = w.i64(shape.columns().into());
        let panel_size = w.muli(k, width);
        if self.packs() {
            let offset = w.muli(local, panel_size);
            let panel = w.gep(block, offset, Ty::F32);
            return Streams { rows, row_step, panel, panel_step: width, masks: None };
        }
        if let Some(packing) = self.b.packing {
            let panels = w.i64(packing.rows.div_ceil(packing.panel) as i64);
            let matrix = self.matrix_number(cx, w, &self.b, batch);
            let first = w.muli(matrix, panels);
            let number = w.addi(first, panel);
            let offset = w.muli(number, panel_size);
            let panel = w.gep(cx.ptrs[&self.b.leaf], offset, Ty::F32);
            return Streams { rows, row_step, panel, panel_step: width, masks: None };
        }
        let base = self.base(cx, w, &self.b, batch);
        let offset = w.addi(base, column);
        let panel = w.gep(cx.ptrs[&self.b.leaf], offset, Ty::F32);
        let panel_step = cx.dim(w, &self.b.k_stride);
        let masks = self.column_masks(cx, w, column);
        Streams { rows, row_step, panel, panel_step, masks: Some(masks) }
    }

    fn row_streams(&self, cx: &Cx, w: &mut Writer, batch: &[Val], tile: Val, row: Val) -> (Vec<Val>, Val) {
        let n_rows = self.tile.rows;
        let pointer = cx.ptrs[&self.a.leaf];
        if let Some(packing) = self.a.packing {
            let k = cx.dim(w, &self.k);
            let tiles = w.i64(packing.rows.div_ceil(packing.panel) as i64);
            let matrix = self.matrix_number(cx, w, &self.a, batch);
            let first = w.muli(matrix, tiles);
            let number = w.addi(first, tile);
            let height = w.i64(n_rows.into());
            let size = w.muli(k, height);
            let offset = w.muli(number, size);
            let base = w.gep(pointer, offset, Ty::F32);
            return ((0..n_rows).map(|r| w.gep_const(base, r.into(), Ty::F32)).collect(), height);
        }
        let base = self.base(cx, w, &self.a, batch);
        let (m, one, stride) = (cx.dim(w, &self.m), w.i64(1), cx.dim(w, &self.a.outer_stride));
        let last = w.subi(m, one);
        let rows = (0..n_rows)
            .map(|r| {
                // Rows behind the last are computed from the last and thrown away.
                let by = w.i64(r.into());
                let at = w.addi(row, by);
                let at = w.minsi(at, last);
                let offset = w.muli(at, stride);
                let offset = w.addi(base, offset);
                w.gep(pointer, offset, Ty::F32)
            })
            .collect();
        (rows, cx.dim(w, &self.a.k_stride))
    }

    /// The first element of a batch's matrix.
    pub(crate) fn base(&self, cx: &Cx, w: &mut Writer, matrix: &Matrix, batch: &[Val]) -> Val {
        let mut sum = cx.dim(w, &matrix.offset);
        for (idx, stride) in batch.iter().zip(&matrix.batch_strides) {
            let stride = cx.dim(w, stride);
            let term = w.muli(*idx, stride);
            sum = w.addi(sum, term);
        }
        sum
    }

    /// Which of the packed matrices a batch uses.
    fn matrix_number(&self, _cx: &Cx, w: &mut Writer, matrix: &Matrix, batch: &[Val]) -> Val {
        let zero = Dim::from(0);
        let walked = (0..batch.len()).find(|at| matrix.batch_strides[*at] != zero && self.batch[*at] != Dim::from(1));
        walked.map_or_else(|| w.i64(0), |at| batch[at])
    }

    fn column_masks(&self, cx: &Cx, w: &mut Writer, column: Val) -> Vec<Val> {
        let n = cx.dim(w, &self.n);
        let left = w.subi(n, column);
        (0..self.tile.vectors)
            .map(|v| {
                let by = w.i64((v * self.tile.lanes).into());
                let left = w.subi(left, by);
                w.tail_mask(left, self.tile.lanes)
            })
            .collect()
    }

    /// The loop over `k`: one broadcast of `A` for each row, times every vector of `B`.
    fn accumulate(&self, cx: &Cx, w: &mut Writer, streams: &Streams) -> Vec<Val> {
        let shape = self.tile;
        let vector = shape.vector();
        let zero = w.zero(vector);
        let (lo, hi, one) = (w.i64(0), cx.dim(w, &self.k), w.i64(1));
        let start = vec![zero; (shape.rows * shape.vectors) as usize];
        let aligned = if streams.masks.is_some() { 4 } else { 64.min(shape.lanes * 4) };
        w.for_loop(lo, hi, one, &start, |w, k, sums| {
            let at = w.muli(k, streams.panel_step);
            let panel = w.gep(streams.panel, at, Ty::F32);
            let bs: Vec<Val> = (0..shape.vectors)
                .map(|v| {
                    let place = w.gep_const(panel, (v * shape.lanes).into(), Ty::F32);
                    match &streams.masks {
                        None => w.load(place, vector, aligned),
                        Some(masks) => w.masked_load(place, masks[v as usize], zero, 4),
                    }
                })
                .collect();
            let at = w.muli(k, streams.row_step);
            let mut next = Vec::with_capacity(sums.len());
            for (r, row) in streams.rows.iter().enumerate() {
                let place = w.gep(*row, at, Ty::F32);
                let a = w.load(place, Ty::F32, Access::aligned(4).invariant());
                let a = w.broadcast(a, vector);
                for (v, b) in bs.iter().enumerate() {
                    next.push(w.fma(a, *b, sums[r * shape.vectors as usize + v]));
                }
            }
            next
        })
    }

    /// What follows the contraction, for each row of a finished tile.
    fn finish(&self, cx: &Cx, w: &mut Writer, batch: &[Val], row: Val, column: Val, tile: Val) {
        let (zero, one, height) = (w.i64(0), w.i64(1), w.i64(self.tile.rows.into()));
        let m = cx.dim(w, &self.m);
        let left = w.subi(m, row);
        let n_rows = w.minsi(left, height);
        let masks = self.column_masks(cx, w, column);
        let width = i64::from(self.tile.columns());
        let n = cx.dim(w, &self.n);
        w.for_loop(zero, n_rows, one, &[], |w, r, _| {
            if self.n.as_const().is_some_and(|n| n % width == 0) {
                self.finish_row(cx, w, batch, row, r, column, tile, None);
                return vec![];
            }
            let width = w.i64(width);
            let end = w.addi(column, width);
            let is_full = w.cmpi(IntCmp::Sle, end, n);
            w.if_else(
                is_full,
                &[],
                |w| {
                    self.finish_row(cx, w, batch, row, r, column, tile, None);
                    vec![]
                },
                |w| {
                    self.finish_row(cx, w, batch, row, r, column, tile, Some(&masks));
                    vec![]
                },
            );
            vec![]
        });
    }

    #[allow(clippy::too_many_arguments, reason = "one place in a nest of loops")]
    fn finish_row(
        &self,
        cx: &Cx,
        w: &mut Writer,
        batch: &[Val],
        row: Val,
        r: Val,
        column: Val,
        tile: Val,
        masks: Option<&[Val]>,
    ) {
        let shape = self.tile;
        let Some(anchor) = cx.anchor() else { return };
        let width = w.i64(shape.columns().into());
        let offset = w.muli(r, width);
        let sums = w.gep(tile, offset, Ty::F32);
        let row = w.addi(row, r);
        for v in 0..shape.vectors {
            let by = w.i64((v * shape.lanes).into());
            let column = w.addi(column, by);
            let place = w.gep_const(sums, (v * shape.lanes).into(), Ty::F32);
            let sum = w.load(place, shape.vector(), 64.min(shape.lanes * 4));
            cx.given.borrow_mut().insert(anchor.outputs[0], sum);
            let mut scope = Scope::new(shape.lanes, masks.map(|masks| masks[v as usize]));
            let idx = self.result_index(cx, w, batch, row, column);
            let value = cx.value(w, &mut scope, cx.region.result, &idx);
            cx.store(w, &scope, &idx, value);
        }
    }

    fn result_index(&self, cx: &Cx, w: &mut Writer, batch: &[Val], row: Val, column: Val) -> Vec<Idx> {
        self.roles
            .iter()
            .map(|role| match role {
                Role::Batch(at) => Idx::Uniform(batch[*at]),
                Role::Row(None) => Idx::Uniform(row),
                Role::Row(Some(group)) => {
                    let m = cx.dim(w, &self.m);
                    let first = w.muli(batch[*group], m);
                    Idx::Uniform(w.addi(first, row))
                }
                Role::Column => Idx::Linear(column, 1),
            })
            .collect()
    }
}
