//! Products of matrices and convolutions, block by block: tiles in shared memory, sums in registers.
//!
//! Takes every `dot` and `conv` that the host's tiles take, for floats of 16, 32 and 64 bits, `i32`, and bytes into `i32`:
//! any batch axes, any strides of the operands, any sizes, known or not. Elements that lie side by side are loaded 16 bytes at
//! a time if the strides prove that this is aligned, in smaller pieces otherwise, one by one for a convolution's windows.
//! 16-bit floats and bytes use tensor cores; `f32` does so only where the contract permits `tf32`, and is otherwise one
//! chain of fused multiply-adds for each element, in order of `k`, just as the kernel that computes each element on its own.

use super::Gpu;
use super::blocks::{Tiles, finish};
use super::codes::{Codes, CodesAt};
use super::facts::{divides, guess};
use super::groups::GroupProduct;
use super::maps;
use super::operands::{Facts, Side, dim32, facts};
use super::windows::WindowPlaces;
use crate::context::Cx;
use crate::contraction::{Columns, Contraction, Matrix};
use crate::kernel::{Block, Recipe};
use crate::types::memory;
use graph::Node;
use kernels::gpu::{self, Along, Atom, GroupSchedule, Ints, Matmul, Operand, Place, Problem, Schedule, Source};
use kernels::text::{Scalar, Val, Writer};
use ops::Op;
use tensor::{DType, Dim};

/// What an unknown size is taken for when a schedule is chosen.
const UNKNOWN: u64 = 512;

/// A product with its schedule.
struct Product {
    contraction: Contraction,
    matmul: Matmul,
    a: Facts,
    b: Facts,
    /// How columns are decoded, if they are.
    codes: Option<Codes>,
}

/// Codes of a piece, so that a warp's threads can share a tile of few columns.
const CODES: u32 = 16;

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
    let a = facts(cx, &contraction, Side::A);
    let codes = match contraction.decoded {
        Some(_) => Some(Codes::of(cx, &contraction, CODES, false, gpu)?),
        None => None,
    };
    let b = match &codes {
        Some(codes) => decoded_facts(cx, node, codes),
        None => facts(cx, &contraction, Side::B),
    };
    let operands = maps::both(&contraction, a, b, atom(cx, node, gpu))
        .filter(|operands| codes.is_none() && operands.iter().all(|operand| maps::is_argument(cx, &operand.map)));
    let problem = problem(cx, &contraction, [a, b], atom(cx, node, gpu), gpu, operands.is_some());
    let problem = Problem { codes: codes.is_some(), ..problem };
    let choice = choice(&problem, gpu, Cx::accumulator(cx.ty(node.outputs[0]).dtype))?;
    cx.groups = Some(contraction.groups.clone());
    match (choice, operands) {
        (Choice::Groups(schedule), Some(operands)) => Some(Box::new(GroupProduct { contraction, schedule, operands })),
        (Choice::Block(schedule), _) => {
            Some(Box::new(Product { matmul: Matmul { chip: gpu.chip, schedule }, contraction, a, b, codes }))
        }
        (Choice::Groups(_), None) => None,
    }
}

/// Columns of codes as what they stand for.
fn decoded_facts(cx: &Cx, node: &Node, codes: &Codes) -> Facts {
    let elem = memory(cx.ty(node.inputs[1]).dtype);
    Facts { elem, along: Along::K, piece: codes.piece * codes.per_byte() * elem.bytes(), dense: true }
}

/// A schedule of one of the two ways.
enum Choice {
    Groups(GroupSchedule),
    Block(Schedule),
}

/// The schedule that should be fastest, or the one that was asked for by its place; those by warpgroups come first.
fn choice(problem: &Problem, gpu: Gpu, sum: Scalar) -> Option<Choice> {
    let groups = problem.group_space().into_iter().filter(|schedule| schedule.atom.sum() == sum);
    if let Some(place) = gpu.schedule {
        let blocks = problem.space().into_iter().filter(|schedule| schedule.math.sum() == sum);
        return groups.map(Choice::Groups).chain(blocks.map(Choice::Block)).nth(place);
    }
    let best = groups.min_by(|a, b| a.cost(problem).total_cmp(&b.cost(problem)));
    let block = problem.choose().filter(|schedule| schedule.math.sum() == sum);
    match (best, block) {
        (Some(group), Some(block)) if group.cost(problem) > block.cost(problem) => Some(Choice::Block(block)),
        (Some(group), _) => Some(Choice::Groups(group)),
        (None, block) => block.map(Choice::Block),
    }
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

/// What is known of a product.
fn problem(
    cx: &Cx,
    contraction: &Contraction,
    [a, b]: [Facts; 2],
    atom: Option<Atom>,
    gpu: Gpu,
    maps: bool,
) -> Problem {
    let batch = contraction.batch.iter().map(|dim| guess(dim, 1)).product();
    let size = |dim: &Dim| guess(dim, UNKNOWN);
    Problem {
        chip: gpu.chip,
        sizes: [batch, size(&contraction.m), size(&contraction.n), size(&contraction.k)],
        elems: [a.elem, b.elem],
        along: [a.along, b.along],
        pieces: [a.piece, b.piece],
        codes: false,
        lanes: lanes(cx, contraction),
        atom,
        maps,
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
    fn tiles(&self) -> Tiles<'_> {
        let tile = self.matmul.schedule.tile;
        Tiles { contraction: &self.contraction, tile: [tile.m, tile.n] }
    }

    fn operand<'b>(
        &self,
        cx: &Cx,
        w: &mut Writer,
        batch: &[Val],
        side: Side,
        windows: &'b WindowPlaces,
        decoder: Option<&'b CodesAt>,
    ) -> Operand<'b> {
        let tile = self.matmul.schedule.tile;
        let (facts, matrix, extent, step): (Facts, &Matrix, &Dim, u32) = match side {
            Side::A => (self.a, &self.contraction.a, &self.contraction.m, tile.m),
            Side::B => (self.b, &self.contraction.b, &self.contraction.n, tile.n),
        };
        if let (Side::B, Some(at)) = (side, decoder) {
            return Operand {
                elem: Scalar::I8,
                along: Along::K,
                piece: at.codes.piece,
                extent: dim32(cx, w, extent),
                whole: divides(step, extent),
                source: Source::Strided {
                    first: at.codes.pointer(cx),
                    outer_stride: cx.dim(w, &at.codes.outer_stride),
                    k_stride: w.i64(1),
                },
                codes: Some(gpu::Codes { per_byte: at.codes.per_byte(), decoder: at }),
            };
        }
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
            codes: None,
        }
    }
}

impl Recipe for Product {
    fn tasks(&self) -> Dim {
        self.tiles().total()
    }

    fn template(&self) -> String {
        let pieces = |facts: Facts| format!("{} bytes", facts.piece);
        if let Some(codes) = &self.codes {
            let (name, a) = (self.matmul.schedule.name(), pieces(self.a));
            return format!("product {name}, pieces of {a} and {} bytes of codes", codes.piece);
        }
        let what = if matches!(self.contraction.columns, Columns::Windows(_)) { "windows" } else { "product" };
        format!("{what} {}, pieces of {} and {}", self.matmul.schedule.name(), pieces(self.a), pieces(self.b))
    }

    fn block(&self) -> Option<Block> {
        let schedule = &self.matmul.schedule;
        Some(Block { threads: schedule.threads(), tasks: 1, shared: schedule.shared() })
    }

    fn task(&self, cx: &Cx, w: &mut Writer, task: Val, _scratch: Option<Val>) {
        let (batch, [tile_row, tile_column]) = self.tiles().place_of(cx, w, task);
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
        let decoder = self.codes.as_ref().map(|codes| CodesAt { codes, cx });
        let a = self.operand(cx, w, &batch, Side::A, &windows, None);
        let b = self.operand(cx, w, &batch, Side::B, &windows, decoder.as_ref());
        self.matmul.write(w, a, b, &place, &mut |w, row, column, sums| {
            finish(cx, w, (contraction, &batch), self.matmul.schedule.lanes, [row, column], sums);
        });
    }
}
