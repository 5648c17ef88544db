//! Packing of `B` into panels by the thread that needs them.

use crate::context::{Cx, Scope};
use crate::contraction::{Columns, Contraction, Windows};
use crate::index::Idx;
use crate::tile::Tile;
use crate::turned::transposed;
use kernels::text::{Access, IntCmp, Scalar, Ty, Val, Writer};
use tensor::{DType, Dim};

impl Contraction {
    /// Packs panels `first..end` one after the other into `block`, each `k` rows of its columns.
    pub(crate) fn pack_panels(&self, cx: &Cx, w: &mut Writer, batch: &[Val], first: Val, end: Val, block: Val) {
        let one = w.i64(1);
        w.for_loop(first, end, one, &[], |w, panel, _| {
            let (width, k) = (w.i64(self.tile.columns().into()), cx.dim(w, &self.k));
            let local = w.subi(panel, first);
            let size = w.muli(k, width);
            let offset = w.muli(local, size);
            let out = w.gep(block, offset, Ty::F32);
            let column = w.muli(panel, width);
            match (&self.columns, &self.decoded) {
                (_, Some(decoded)) => self.pack_decoded(cx, w, decoded, column, out),
                (Columns::Matrix, None) => self.pack_matrix(cx, w, batch, column, out),
                (Columns::Windows(windows), None) => self.pack_windows(cx, w, batch, windows, column, out),
            }
            vec![]
        });
    }

    fn pack_matrix(&self, cx: &Cx, w: &mut Writer, batch: &[Val], column: Val, out: Val) {
        let shape = self.tile;
        let base = self.base(cx, w, &self.b, batch);
        let (zero, one, k) = (w.i64(0), w.i64(1), cx.dim(w, &self.k));
        let n = cx.dim(w, &self.n);
        let scopes: Vec<(Scope, Idx)> = (0..shape.vectors)
            .map(|v| {
                let by = w.i64((v * shape.lanes).into());
                let at = w.addi(column, by);
                let left = w.subi(n, at);
                let mask = w.tail_mask(left, shape.lanes);
                let stride = cx.dim(w, &self.b.outer_stride);
                let at = Idx::Linear(at, 1).scale(w, stride, shape.lanes);
                (Scope::new(shape.lanes, Some(mask)), at)
            })
            .collect();
        let step = cx.dim(w, &self.b.k_stride);
        let zero = if self.b.k_stride == Dim::from(1) && self.b.outer_stride != Dim::from(1) {
            self.pack_transposed(cx, w, base, column, out)
        } else {
            zero
        };
        w.for_loop(zero, k, one, &[], |w, k, _| {
            let row = w.muli(k, step);
            let row = w.addi(base, row);
            let width = w.i64(shape.columns().into());
            let to = w.muli(k, width);
            let to = w.gep(out, to, Ty::F32);
            for (v, (scope, at)) in scopes.iter().enumerate() {
                let at = at.offset(w, row);
                let value = cx.load(w, scope, cx.ptrs[&self.b.leaf], DType::F32, at);
                let value = w.broadcast(value, shape.vector());
                let place = w.gep_const(to, (v as u32 * shape.lanes).into(), Ty::F32);
                w.store(value, place, 64.min(shape.lanes * 4));
            }
            vec![]
        });
    }

    /// Packs columns whose elements are neighbors, as many `k` as there are lanes at a time, and returns the first `k` that is
    /// left. Squares are transposed in registers, because a gather costs a load for each lane.
    fn pack_transposed(&self, cx: &Cx, w: &mut Writer, base: Val, column: Val, out: Val) -> Val {
        let Tile { vectors, lanes, .. } = self.tile;
        let (zero, one, step) = (w.i64(0), w.i64(1), w.i64(lanes.into()));
        let (n, k, stride) = (cx.dim(w, &self.n), cx.dim(w, &self.k), cx.dim(w, &self.b.outer_stride));
        let last = w.subi(n, one);
        let starts: Vec<Val> = (0..vectors * lanes)
            .map(|c| {
                let by = w.i64(c.into());
                // Columns behind the last are thrown away, so any elements will do.
                let at = w.addi(column, by);
                let at = w.minsi(at, last);
                let at = w.muli(at, stride);
                let at = w.addi(base, at);
                w.gep(cx.ptrs[&self.b.leaf], at, Ty::F32)
            })
            .collect();
        let count = w.divsi(k, step);
        let end = w.muli(count, step);
        w.for_loop(zero, end, step, &[], |w, k, _| {
            let width = w.i64(self.tile.columns().into());
            let to = w.muli(k, width);
            let to = w.gep(out, to, Ty::F32);
            for (v, columns) in (0..).zip(starts.chunks(lanes as usize)) {
                let square = columns.iter().map(|start| {
                    let at = w.gep(*start, k, Ty::F32);
                    w.load(at, self.tile.vector(), Access::aligned(4).invariant())
                });
                let square: Vec<Val> = square.collect();
                for (row, value) in (0..).zip(transposed(w, square)) {
                    let place = w.gep_const(to, (row * self.tile.columns() + v * lanes).into(), Ty::F32);
                    w.store(value, place, 64.min(lanes * 4));
                }
            }
            vec![]
        });
        end
    }

    /// What the windows at `column..` see. Columns of one output row are neighbors in an input row, so each such run is
    /// copied by masked vectors; places in the padding become 0.
    fn pack_windows(&self, cx: &Cx, w: &mut Writer, batch: &[Val], windows: &Windows, column: Val, out: Val) {
        let (width, one) = (w.i64(self.tile.columns().into()), w.i64(1));
        let (n, row_length) = (cx.dim(w, &self.n), cx.dim(w, &windows.output[1]));
        let end = w.addi(column, width);
        let end = w.minsi(end, n);
        let first_row = w.divui(column, row_length);
        let last = w.subi(end, one);
        let last_row = w.divui(last, row_length);
        let row_end = w.addi(last_row, one);
        w.for_loop(first_row, row_end, one, &[], |w, row, _| {
            let row_start = w.muli(row, row_length);
            let next_row = w.addi(row_start, row_length);
            let (start, stop) = (w.maxsi(column, row_start), w.minsi(end, next_row));
            let x = w.subi(start, row_start);
            let length = w.subi(stop, start);
            let to = w.subi(start, column);
            let to = w.gep(out, to, Ty::F32);
            self.pack_run(cx, w, batch, windows, [row, x, length], to);
            vec![]
        });
    }

    /// One run of output places in a row: for each window element, `length` neighbors from place `x` on.
    fn pack_run(&self, cx: &Cx, w: &mut Writer, batch: &[Val], windows: &Windows, [row, x, length]: [Val; 3], to: Val) {
        let base = self.base(cx, w, &self.b, batch);
        let (zero, one, lanes) = (w.i64(0), w.i64(1), w.i64(self.tile.lanes.into()));
        let [height, kernel_width] = windows.kernel.clone().map(|d| cx.dim(w, &d));
        let channels = cx.dim(w, &windows.channels);
        let (pad_y, pad_x) = (cx.dim(w, &windows.pads[0]), cx.dim(w, &windows.pads[1]));
        let (stride_y, stride_x) = (w.i64(windows.strides[0]), w.i64(windows.strides[1]));
        let y0 = w.muli(row, stride_y);
        let y0 = w.subi(y0, pad_y);
        w.for_loop(zero, length, lanes, &[], |w, done, _| {
            let left = w.subi(length, done);
            let exists = w.tail_mask(left, self.tile.lanes);
            let place = w.addi(x, done);
            let x0 = w.muli(place, stride_x);
            let x0 = w.subi(x0, pad_x);
            let to = w.gep(to, done, Ty::F32);
            w.for_loop(zero, channels, one, &[], |w, channel, _| {
                w.for_loop(zero, height, one, &[], |w, ky, _| {
                    w.for_loop(zero, kernel_width, one, &[], |w, kx, _| {
                        self.pack_tap(cx, w, windows, base, [channel, ky, kx], [y0, x0], exists, to);
                        vec![]
                    });
                    vec![]
                });
                vec![]
            });
            vec![]
        });
    }

    #[allow(clippy::too_many_arguments, reason = "one place in a nest of loops")]
    fn pack_tap(
        &self,
        cx: &Cx,
        w: &mut Writer,
        windows: &Windows,
        base: Val,
        [channel, ky, kx]: [Val; 3],
        [y0, x0]: [Val; 2],
        exists: Val,
        to: Val,
    ) {
        let shape = self.tile;
        let [rows, columns] = windows.input.clone().map(|d| cx.dim(w, &d));
        let [height, kernel_width] = windows.kernel.clone().map(|d| cx.dim(w, &d));
        let (dilation_y, dilation_x) = (w.i64(windows.dilations[0]), w.i64(windows.dilations[1]));
        let reach_y = w.muli(ky, dilation_y);
        let y = w.addi(y0, reach_y);
        let reach_x = w.muli(kx, dilation_x);
        let x = w.addi(x0, reach_x);
        let x = Idx::Linear(x, windows.strides[1]);
        let row_exists = w.cmpi(IntCmp::Ult, y, rows);
        let row_exists = w.broadcast(row_exists, Ty::vector(Scalar::I1, shape.lanes));
        let inside = x.inside(w, shape.lanes, columns);
        let mask = w.andi(inside, exists);
        let mask = w.andi(mask, row_exists);
        let channel_rows = w.muli(channel, rows);
        let line = w.addi(channel_rows, y);
        let line = w.muli(line, columns);
        let line = w.addi(base, line);
        let at = x.offset(w, line);
        let scope = Scope::new(shape.lanes, Some(mask));
        let value = cx.load(w, &scope, cx.ptrs[&self.b.leaf], DType::F32, at);
        let k = w.muli(channel, height);
        let k = w.addi(k, ky);
        let k = w.muli(k, kernel_width);
        let k = w.addi(k, kx);
        let width = w.i64(shape.columns().into());
        let offset = w.muli(k, width);
        let place = w.gep(to, offset, Ty::F32);
        w.masked_store(value, place, exists, 4);
    }
}
