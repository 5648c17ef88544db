//! Attention on the host: scores of a few rows, what becomes of them, and its product with the values, in one task.
//!
//! A task has some rows of one matrix of the batch. It packs both right operands once; then, for a few row tiles at a time,
//! the loop over `k` of [`Contraction`] writes scores of all columns to scratch memory, each row is reduced and overwritten by
//! its weights as a kernel of rows would do it, and the second contraction reads them there.
//! Every sum has the order that it has in kernels of its own, so results are the same to the last bit.

use crate::context::{Cx, Kept};
use crate::contraction::{Contraction, Matrix};
use crate::index::Idx;
use crate::kernel::Recipe;
use crate::map::{each_vector, split};
use crate::packing::Packing;
use crate::rows::KeptRows;
use graph::{Node, ValueId};
use kernels::text::{Ty, Val, Writer};
use ops::Op;
use tensor::{DType, Dim};

/// Where the packed left operand of the scores takes no more than this, it is walked anew for every row tile.
const NEAR_BYTES: i64 = 64 * 1024;
/// Row tiles that share a walk over it otherwise.
const FAR_TILES: i64 = 4;
/// Elements of a cache line. One more than a row needs, so that rows whose length is a power of two do not share a set.
const LINE: i64 = 16;
/// Tasks that keep all threads busy.
const TASKS: i64 = 8;

/// An attention and how it is tiled.
pub(crate) struct Attention {
    scores: Contraction,
    product: Contraction,
    score: ValueId,
    weight: ValueId,
    kept: KeptRows,
    /// Elements from one row of scores to the next.
    pitch: Dim,
    /// Row tiles whose scores are in scratch memory at a time.
    group: i64,
    tiles_per_task: Dim,
}

/// What a task has in scratch memory.
struct Memory {
    tile: Val,
    left: Val,
    right: Val,
    scores: Val,
    kept: Val,
}

impl Attention {
    /// The recipe of an attention in `f32`.
    pub(crate) fn choose(cx: &Cx) -> Option<Attention> {
        let (first, second) = (&cx.graph.nodes[cx.region.scores?], cx.anchor()?);
        let is_f32 = |node: &Node| node.inputs.iter().chain(&node.outputs).all(|v| cx.ty(*v).dtype == DType::F32);
        if !is_f32(first) || !is_f32(second) || cx.wide() < 4 {
            return None;
        }
        let (Op::Dot(of_scores), Op::Dot(of_values)) = (&first.op, &second.op) else { return None };
        let weight = second.inputs[0];
        let maker = cx.producers[weight.index()];
        let mut scores = Contraction::of_dot(cx, first, of_scores, &|idx| cx.is_member(idx))?;
        let mut product = Contraction::of_dot(cx, second, of_values, &|idx| cx.is_member(idx) && Some(idx) != maker)?;
        if scores.decoded.is_some() || product.decoded.is_some() {
            return None;
        }
        if scores.a.packing.is_some() || !product.epilogue_fits(cx, second) {
            return None;
        }
        let rows = scores.tile.rows.min(product.tile.rows);
        (scores.tile.rows, product.tile.rows) = (rows, rows);
        let pitch = scores.n_panels() * i64::from(scores.tile.columns()).into() + LINE.into();
        scores.tile_stride = pitch.clone();
        scores.functions = ["score", "score_tail"];
        let batch_strides = vec![Dim::from(0); product.batch.len()];
        let (outer_stride, k_stride) = (pitch.clone(), 1.into());
        product.a = Matrix { leaf: weight, offset: 0.into(), batch_strides, outer_stride, k_stride, packing: None };
        let near = scores.k.as_const().unwrap_or(64) * scores.n.as_const().unwrap_or(512) * 4 <= NEAR_BYTES;
        let matrices = product.batch.iter().filter_map(Dim::as_const).product::<i64>().max(1);
        Some(Attention {
            score: first.outputs[0],
            weight,
            kept: KeptRows::of(cx, weight, &scores.n),
            pitch,
            group: if near { 1 } else { FAR_TILES },
            tiles_per_task: product.n_tiles().ceil_div((TASKS / matrices).max(1).into()),
            scores,
            product,
        })
    }

    /// Bytes of a packed right operand.
    fn packed_bytes(contraction: &Contraction) -> Dim {
        let width = i64::from(contraction.tile.columns() * 4);
        if contraction.packs() { contraction.n_panels() * contraction.k.clone() * width.into() } else { Dim::from(0) }
    }

    /// Bytes of each part of the scratch memory.
    fn sizes(&self) -> [Dim; 5] {
        let rows = self.group * i64::from(self.product.tile.rows);
        [
            self.product.tile.bytes().into(),
            Self::packed_bytes(&self.scores),
            Self::packed_bytes(&self.product),
            self.pitch.clone() * (rows * 4).into(),
            self.kept.bytes(),
        ]
    }

    fn memory(&self, cx: &Cx, w: &mut Writer, scratch: Val) -> Memory {
        let mut at = scratch;
        let [tile, left, right, scores, kept] = self.sizes().map(|size| {
            let here = at;
            let size = cx.dim(w, &size);
            at = w.gep_bytes(at, size);
            here
        });
        Memory { tile, left, right, scores, kept }
    }

    fn n_blocks(&self) -> Dim {
        self.product.n_tiles().ceil_div(self.tiles_per_task.clone().max(1.into()))
    }

    /// The place of a row's scores: `row` counts from the first in scratch memory.
    fn row_of(&self, cx: &Cx, w: &mut Writer, scores: Val, row: Val) -> Val {
        let pitch = cx.dim(w, &self.pitch);
        let offset = w.muli(row, pitch);
        w.gep(scores, offset, Ty::F32)
    }

    fn score_tiles(&self, cx: &Cx, w: &mut Writer, batch: &[Val], [first, end]: [Val; 2], memory: &Memory) {
        let (zero, one, n_panels) = (w.i64(0), w.i64(1), cx.dim(w, &self.scores.n_panels()));
        w.for_loop(zero, n_panels, one, &[], |w, panel, _| {
            w.for_loop(first, end, one, &[], |w, tile, _| {
                let (local, rows) = (w.subi(tile, first), w.i64(self.scores.tile.rows.into()));
                let row = w.muli(local, rows);
                let (line, width) = (self.row_of(cx, w, memory.scores, row), w.i64(self.scores.tile.columns().into()));
                let column = w.muli(panel, width);
                let out = w.gep(line, column, Ty::F32);
                self.scores.sums(cx, w, batch, tile, panel, panel, [out, memory.left]);
                vec![]
            });
            vec![]
        });
    }

    /// Makes weights of scores in rows `first..end`, where they are.
    fn weigh(&self, cx: &Cx, w: &mut Writer, batch: &[Idx], [first, end]: [Val; 2], memory: &Memory) {
        let one = w.i64(1);
        w.for_loop(first, end, one, &[], |w, row, _| {
            let local = w.subi(row, first);
            let ptr = self.row_of(cx, w, memory.scores, local);
            cx.kept.borrow_mut().insert(self.score, Kept { ptr, is_written: true });
            let outer = [batch, &[Idx::Uniform(row)]].concat();
            self.kept.reduce(cx, w, &outer, memory.kept);
            cx.kept.borrow_mut().insert(self.weight, Kept { ptr, is_written: false });
            let (lo, hi) = (w.i64(0), cx.dim(w, &self.scores.n));
            each_vector(w, [cx.wide(); 2], &self.scores.n, [lo, hi], &mut |w, s, at| {
                cx.value(w, s, self.weight, &[&outer[..], &[at]].concat());
            });
            vec![]
        });
    }

    fn product_tiles(&self, cx: &Cx, w: &mut Writer, batch: &[Val], tiles: [Val; 2], first_row: Val, memory: &Memory) {
        let (zero, one, n_panels) = (w.i64(0), w.i64(1), cx.dim(w, &self.product.n_panels()));
        // The contraction counts rows from the first of the matrix.
        let before = w.subi(zero, first_row);
        let ptr = self.row_of(cx, w, memory.scores, before);
        cx.kept.borrow_mut().insert(self.weight, Kept { ptr, is_written: true });
        w.for_loop(tiles[0], tiles[1], one, &[], |w, tile, _| {
            w.for_loop(zero, n_panels, one, &[], |w, panel, _| {
                self.product.tile(cx, w, batch, tile, panel, panel, [memory.tile, memory.right]);
                vec![]
            });
            vec![]
        });
    }
}

impl Recipe for Attention {
    fn tasks(&self) -> Dim {
        self.product.batch.iter().fold(self.n_blocks(), |a, b| a * b.clone())
    }

    fn scratch(&self) -> Dim {
        self.sizes().into_iter().fold(Dim::from(0), |a, b| a + b)
    }

    fn packing(&self, value: ValueId) -> Option<Packing> {
        self.scores.packing(value).or(self.product.packing(value))
    }

    fn functions(&self, w: &mut Writer) {
        self.scores.accumulate_functions(w);
        self.product.accumulate_functions(w);
    }

    fn template(&self) -> String {
        format!("attention, {} rows at a time", self.group * i64::from(self.product.tile.rows))
    }

    fn task(&self, cx: &Cx, w: &mut Writer, task: Val, scratch: Option<Val>) {
        let Some(scratch) = scratch else { return };
        let memory = self.memory(cx, w, scratch);
        let mut extents = self.product.batch.clone();
        extents.push(self.n_blocks());
        let idx = split(cx, w, task, &extents);
        let mut batch: Vec<Val> = idx.iter().map(|i| i.val(w, 1)).collect();
        let (zero, outer) = (w.i64(0), &idx[..batch.len() - 1]);
        let block = batch.pop().unwrap_or(zero);
        for (contraction, to) in [(&self.scores, memory.left), (&self.product, memory.right)] {
            if contraction.packs() {
                let n_panels = cx.dim(w, &contraction.n_panels());
                contraction.pack_panels(cx, w, &batch, zero, n_panels, to);
            }
        }
        let (n_tiles, per_task) = (cx.dim(w, &self.product.n_tiles()), cx.dim(w, &self.tiles_per_task));
        let first = w.muli(block, per_task);
        let end = w.addi(first, per_task);
        let end = w.minsi(end, n_tiles);
        let (group, height, m) = (w.i64(self.group), w.i64(self.product.tile.rows.into()), cx.dim(w, &self.product.m));
        w.for_loop(first, end, group, &[], |w, tile, _| {
            let tile_end = w.addi(tile, group);
            let tile_end = w.minsi(tile_end, end);
            let (row, row_end) = (w.muli(tile, height), w.muli(tile_end, height));
            let row_end = w.minsi(row_end, m);
            self.score_tiles(cx, w, &batch, [tile, tile_end], &memory);
            self.weigh(cx, w, outer, [row, row_end], &memory);
            self.product_tiles(cx, w, &batch, [tile, tile_end], row, &memory);
            vec![]
        });
    }
}
