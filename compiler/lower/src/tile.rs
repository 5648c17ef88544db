//! One tile of a contraction: where its operands are, the loop over `k` (see `accumulate`), then what follows, row by row.

use crate::context::{Cx, Scope};
use crate::contraction::{Contraction, Matrix, Role};
use crate::index::Idx;
use kernels::text::{IntCmp, Scalar, Ty, Val, Writer};
use tensor::Dim;

/// The quotient of non-negative numbers, rounded up.
pub(crate) fn ceil_div(a: i64, b: i64) -> i64 {
    (a + b - 1) / b
}

/// Vector registers of a machine: AVX-512 has 32, others 16.
fn vector_registers(lanes: u32) -> u32 {
    if lanes >= 16 { 32 } else { 16 }
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
    /// as long as registers last.
    pub(crate) fn choose(lanes: u32, m: Option<i64>, n: Option<i64>) -> Tile {
        let vectors = match m {
            Some(1..=3) => 4,
            _ => 2,
        };
        let vectors = match n.map(|n| ceil_div(n, lanes.into())) {
            Some(needed) => vectors.min(needed.max(1) as u32),
            None => vectors,
        };
        let most = ((vector_registers(lanes) - vectors - 1) / vectors).min(14);
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

    pub(crate) fn registers(self) -> u32 {
        vector_registers(self.lanes)
    }

    pub(crate) fn vector(self) -> Ty {
        Ty::vector(Scalar::F32, self.lanes)
    }
}

/// Where the loop over `k` reads its operands.
struct Streams {
    /// The first row's, and how many rows there are.
    rows: Val,
    rows_left: Val,
    panel: Val,
    /// How many columns there are.
    columns_left: Val,
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
        self.sums(cx, w, batch, tile, panel, local, memory);
        let (rows, columns) = (w.i64(self.tile.rows.into()), w.i64(self.tile.columns().into()));
        let (row, column) = (w.muli(tile, rows), w.muli(panel, columns));
        self.finish(cx, w, batch, row, column, memory[0]);
    }

    /// Computes the sums of a tile. `memory` is the finished tile's and the packed block's.
    #[allow(clippy::too_many_arguments, reason = "one place in a nest of loops")]
    pub(crate) fn sums(
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
        let [k, row_stride, row_step, panel_step] = self.steps().map(|dim| cx.dim(w, &dim));
        let Streams { rows, rows_left, panel: columns, columns_left } = streams;
        let stride = cx.dim(w, &self.tile_stride);
        let args = [rows, columns, memory[0], k, row_stride, row_step, panel_step, rows_left, columns_left, stride];
        self.call_accumulate(cx, w, panel, &args);
    }

    /// The extent of `k`, the distance between rows of `A`, and from one `k` to the next in `A` and in `B`.
    pub(crate) fn steps(&self) -> [Dim; 4] {
        let panel_step =
            if self.reads_in_place() { self.b.k_stride.clone() } else { i64::from(self.tile.columns()).into() };
        let (row_stride, row_step) = match self.a.packing {
            Some(_) => (Dim::from(1), i64::from(self.tile.rows).into()),
            None => (self.a.outer_stride.clone(), self.a.k_stride.clone()),
        };
        [self.k.clone(), row_stride, row_step, panel_step]
    }

    pub(crate) fn reads_in_place(&self) -> bool {
        !self.packs() && self.b.packing.is_none()
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
        let (m, n, k) = (cx.dim(w, &self.m), cx.dim(w, &self.n), cx.dim(w, &self.k));
        let (rows_left, columns_left) = (w.subi(m, row), w.subi(n, column));
        let rows = self.row_stream(cx, w, batch, tile, row);
        let width = w.i64(self.tile.columns().into());
        let panel_size = w.muli(k, width);
        let panel = if self.packs() {
            let offset = w.muli(local, panel_size);
            w.gep(block, offset, Ty::F32)
        } else if let Some(packing) = self.b.packing {
            let panels = w.i64(packing.rows.div_ceil(packing.panel) as i64);
            let matrix = self.matrix_number(w, &self.b, batch);
            let first = w.muli(matrix, panels);
            let number = w.addi(first, panel);
            let offset = w.muli(number, panel_size);
            w.gep(cx.ptrs[&self.b.leaf], offset, Ty::F32)
        } else {
            let base = self.base(cx, w, &self.b, batch);
            let offset = w.addi(base, column);
            w.gep(cx.ptrs[&self.b.leaf], offset, Ty::F32)
        };
        Streams { rows, rows_left, panel, columns_left }
    }

    /// The first row of a tile.
    fn row_stream(&self, cx: &Cx, w: &mut Writer, batch: &[Val], tile: Val, row: Val) -> Val {
        let pointer = cx.pointer(self.a.leaf);
        let offset = if let Some(packing) = self.a.packing {
            let k = cx.dim(w, &self.k);
            let tiles = w.i64(packing.rows.div_ceil(packing.panel) as i64);
            let matrix = self.matrix_number(w, &self.a, batch);
            let first = w.muli(matrix, tiles);
            let number = w.addi(first, tile);
            let height = w.i64(self.tile.rows.into());
            let size = w.muli(k, height);
            w.muli(number, size)
        } else {
            let base = self.base(cx, w, &self.a, batch);
            let stride = cx.dim(w, &self.a.outer_stride);
            let offset = w.muli(row, stride);
            w.addi(base, offset)
        };
        w.gep(pointer, offset, Ty::F32)
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
    fn matrix_number(&self, w: &mut Writer, matrix: &Matrix, batch: &[Val]) -> Val {
        let zero = Dim::from(0);
        let walked = (0..batch.len()).find(|at| matrix.batch_strides[*at] != zero && self.batch[*at] != Dim::from(1));
        walked.map_or_else(|| w.i64(0), |at| batch[at])
    }

    pub(crate) fn column_masks(&self, w: &mut Writer, left: Val) -> Vec<Val> {
        (0..self.tile.vectors)
            .map(|v| {
                let by = w.i64((v * self.tile.lanes).into());
                let left = w.subi(left, by);
                w.tail_mask(left, self.tile.lanes)
            })
            .collect()
    }

    /// What follows the contraction, for each row of a finished tile.
    pub(crate) fn finish(&self, cx: &Cx, w: &mut Writer, batch: &[Val], row: Val, column: Val, tile: Val) {
        let (zero, one, height) = (w.i64(0), w.i64(1), w.i64(self.tile.rows.into()));
        let m = cx.dim(w, &self.m);
        let left = w.subi(m, row);
        let n_rows = w.minsi(left, height);
        let n = cx.dim(w, &self.n);
        let columns_left = w.subi(n, column);
        let masks = self.column_masks(w, columns_left);
        let width = i64::from(self.tile.columns());
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
