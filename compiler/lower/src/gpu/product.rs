//! Products of matrices and convolutions, block by block: tiles in shared memory, sums in registers.
//!
//! Takes every `dot` and `conv` that the host's tiles take, for floats of 16, 32 and 64 bits, `i32`, and bytes into `i32`:
//! any batch axes, any strides of the operands, any sizes, known or not. Elements that lie side by side are loaded 16 bytes at
//! a time if the strides prove that this is aligned, in smaller pieces otherwise, one by one for a convolution's windows.
//! 16-bit floats and bytes use tensor cores; `f32` does so only where the contract permits `tf32`, and is otherwise one
//! chain of fused multiply-adds for each element, in order of `k`, just as the kernel that computes each element on its own.

use super::Gpu;
use super::facts::{divides, guess};
use super::operands::{Facts, Side, batch_of, dim32, facts, result_index};
use super::windows::WindowPlaces;
use crate::context::{Cx, Scope};
use crate::contraction::{Columns, Contraction, Matrix};
use crate::kernel::{Block, Recipe};
use crate::reduce::finish;
use crate::types::memory;
use graph::Node;
use kernels::gpu::{Atom, Ints, Matmul, Operand, Place, Problem, Schedule, Source};
use kernels::text::{Val, Writer};
use ops::Op;
use tensor::{DType, Dim};

/// Tile rows that are walked before the next tile column, so that blocks that run together share both operands.
const GROUP: u32 = 8;
/// What an unknown size is taken for when a schedule is chosen.
const UNKNOWN: u64 = 512;

/// A product with its schedule.
struct Product {
    contraction: Contraction,
    matmul: Matmul,
    a: Facts,
    b: Facts,
}

/// The recipe of a region whose anchor is a product.
pub(super) fn choose<'a>(cx: &mut Cx<'a>, gpu: Gpu) -> Option<Box<dyn Recipe + 'a>> {
    let node = cx.anchor()?;
    if !matches!(node.op, Op::Dot(_) | Op::Conv(_)) {
        return None;
    }
    let contraction = Contraction::describe(cx, node)?;
    // Indices inside a matrix are 32-bit numbers.
    let sizes = [&contraction.m, &contraction.n, &contraction.k];
    if sizes.iter().any(|size| size.as_const().is_some_and(|n| i32::try_from(n).is_err())) {
        return None;
    }
    let (a, b) = (facts(cx, &contraction, Side::A), facts(cx, &contraction, Side::B));
    let schedule = schedule(cx, node, &contraction, gpu, a, b)?;
    cx.groups = Some(contraction.groups.clone());
    Some(Box::new(Product { matmul: Matmul { chip: gpu.chip, schedule }, contraction, a, b }))
}

/// The matrix instruction for these types.
fn atom(cx: &Cx, node: &Node, gpu: Gpu) -> Option<Atom> {
    let types = [cx.ty(node.inputs[0]).dtype, cx.ty(node.inputs[1]).dtype, cx.ty(node.outputs[0]).dtype];
    match types {
        [DType::F16, DType::F16, out] if out.is_float() && out != DType::F64 => Some(Atom::F16),
        [DType::BF16, DType::BF16, out] if out.is_float() && out != DType::F64 => Some(Atom::Bf16),
        [DType::F32, DType::F32, DType::F32] if gpu.approximate => Some(Atom::Tf32),
        [DType::I8, DType::I8, DType::I32] => Some(Atom::S8),
        [DType::U8, DType::U8, DType::I32] => Some(Atom::U8),
        _ => None,
    }
}

fn schedule(cx: &Cx, node: &Node, contraction: &Contraction, gpu: Gpu, a: Facts, b: Facts) -> Option<Schedule> {
    let batch = contraction.batch.iter().map(|dim| guess(dim, 1)).product();
    let size = |dim: &Dim| guess(dim, UNKNOWN);
    let out = cx.ty(node.outputs[0]).dtype;
    // Sums of the FMA units are in the result's own type or `f32`.
    let lanes = lanes(cx, contraction);
    let problem = Problem {
        chip: gpu.chip,
        sizes: [batch, size(&contraction.m), size(&contraction.n), size(&contraction.k)],
        elems: [a.elem, b.elem],
        along: [a.along, b.along],
        pieces: [a.piece, b.piece],
        lanes,
        atom: atom(cx, node, gpu),
    };
    let sums_in = |schedule: &Schedule| {
        let sum = schedule.math.sum();
        Cx::accumulator(out) == sum
    };
    match gpu.schedule {
        None => problem.choose().filter(sums_in),
        Some(place) => problem.space().into_iter().filter(sums_in).nth(place),
    }
}

/// Neighboring columns that are finished together: 16 bytes of the result, if rows are so aligned.
fn lanes(cx: &Cx, contraction: &Contraction) -> u32 {
    let bytes = memory(cx.ty(cx.region.store.value).dtype).bytes();
    let mut lanes = (16 / bytes).min(8);
    while lanes > 1 && !divides(lanes, &contraction.n) {
        lanes /= 2;
    }
    lanes
}

impl Product {
    fn tile_counts(&self) -> [Dim; 2] {
        let tile = self.matmul.schedule.tile;
        let count = |size: &Dim, tile: u32| size.clone().ceil_div(i64::from(tile).into());
        [count(&self.contraction.m, tile.m), count(&self.contraction.n, tile.n)]
    }

    /// The indices of the batch, and the tile's row and column, of a block.
    fn place_of(&self, cx: &Cx, w: &mut Writer, block: Val) -> (Vec<Val>, [Val; 2]) {
        let [rows, columns] = self.tile_counts();
        let (n_rows, n_columns) = (dim32(cx, w, &rows), dim32(cx, w, &columns));
        let per_matrix = w.muli(n_rows, n_columns);
        let alone = self.contraction.batch.iter().all(|extent| *extent == Dim::from(1));
        let (matrix, at) =
            if alone { (w.num(0), block) } else { (w.divui(block, per_matrix), w.remui(block, per_matrix)) };
        let batch = batch_of(cx, w, &self.contraction, matrix);
        let group = w.num(GROUP);
        let width = w.muli(group, n_columns);
        let (number, within) = (w.divui(at, width), w.remui(at, width));
        let first = w.muli(number, group);
        let left = w.subi(n_rows, first);
        let height = w.minsi(left, group);
        let (row, column) = (w.remui(within, height), w.divui(within, height));
        (batch, [w.addi(first, row), column])
    }

    fn operand<'b>(
        &self,
        cx: &Cx,
        w: &mut Writer,
        batch: &[Val],
        side: Side,
        windows: &'b WindowPlaces,
    ) -> Operand<'b> {
        let tile = self.matmul.schedule.tile;
        let (facts, matrix, extent, step): (Facts, &Matrix, &Dim, u32) = match side {
            Side::A => (self.a, &self.contraction.a, &self.contraction.m, tile.m),
            Side::B => (self.b, &self.contraction.b, &self.contraction.n, tile.n),
        };
        let source = match &self.contraction.columns {
            Columns::Windows(_) if side == Side::B => Source::Gather(windows),
            _ => {
                let base = self.contraction.base(cx, w, matrix, batch);
                Source::Strided {
                    first: w.gep(cx.ptrs[&matrix.leaf], base, facts.elem.into()),
                    outer_stride: cx.dim(w, &matrix.outer_stride),
                    k_stride: cx.dim(w, &matrix.k_stride),
                }
            }
        };
        Operand {
            elem: facts.elem,
            along: facts.along,
            piece: facts.piece,
            extent: dim32(cx, w, extent),
            whole: divides(step, extent),
            source,
        }
    }

    /// What follows the sums at a row and column.
    fn finish(&self, cx: &Cx, w: &mut Writer, batch: &[Val], row: Val, column: Val, sums: Val) {
        let Some(anchor) = cx.anchor() else { return };
        let lanes = self.matmul.schedule.lanes;
        let sums = finish(w, sums, cx.ty(anchor.outputs[0]).dtype);
        cx.given.borrow_mut().insert(anchor.outputs[0], sums);
        let mut scope = Scope { aligned: Some(column), ..Scope::new(lanes, None) };
        let idx = result_index(cx, w, &self.contraction, batch, [row, column], lanes);
        let value = cx.value(w, &mut scope, cx.region.result, &idx);
        cx.store(w, &scope, &idx, value);
    }
}

impl Recipe for Product {
    fn tasks(&self) -> Dim {
        let [rows, columns] = self.tile_counts();
        self.contraction.batch.iter().fold(rows * columns, |a, b| a * b.clone())
    }

    fn template(&self) -> String {
        let pieces = |facts: Facts| format!("{} bytes", facts.piece);
        let what = if matches!(self.contraction.columns, Columns::Windows(_)) { "windows" } else { "product" };
        format!("{what} {}, pieces of {} and {}", self.matmul.schedule.name(), pieces(self.a), pieces(self.b))
    }

    fn block(&self) -> Option<Block> {
        let schedule = &self.matmul.schedule;
        Some(Block { threads: schedule.threads(), tasks: 1, shared: schedule.shared() })
    }

    fn task(&self, cx: &Cx, w: &mut Writer, task: Val, _scratch: Option<Val>) {
        let (batch, [tile_row, tile_column]) = self.place_of(cx, w, task);
        let tile = self.matmul.schedule.tile;
        let contraction = &self.contraction;
        let place = Place {
            row: w.times(tile_row, tile.m),
            column: w.times(tile_column, tile.n),
            m: dim32(cx, w, &contraction.m),
            n: dim32(cx, w, &contraction.n),
            k: dim32(cx, w, &contraction.k),
            k_whole: divides(tile.k, &contraction.k),
        };
        let windows = WindowPlaces::new(cx, w, contraction, &batch, &place);
        let a = self.operand(cx, w, &batch, Side::A, &windows);
        let b = self.operand(cx, w, &batch, Side::B, &windows);
        self.matmul.write(w, a, b, &place, &mut |w, row, column, sums| {
            self.finish(cx, w, &batch, row, column, sums);
        });
    }
}
