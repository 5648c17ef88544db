//! Attention on tensor cores: scores, softmax and the product with the values in one kernel, with the softmax of rows that
//! are seen a tile at a time.
//!
//! Takes `f16` and `bf16` where both products have neighbors in memory that `cp.async` can copy, more than a few rows, and
//! depths of at most 256. What is between the first product and the softmax (scale, masks, caps, biases) is any expression:
//! the walker writes it for each score at its row and column. The softmax itself must be one: exponentials relative to the
//! largest score of a row over their sum, with or without zeros for what is no number.
//! Sums are scaled as larger scores come, and weights are rounded before they are divided by their sum, so the contract must
//! permit other roundings.

use super::Gpu;
use super::attention_groups::Choice;
use super::facts::divides;
use super::operands::{Facts, Side, batch_of, dim32, facts, result_index};
use super::span::Span;
use crate::context::{Cx, Scope};
use crate::contraction::{Contraction, Matrix};
use crate::index::Idx;
use crate::kernel::{Block, Recipe};
use crate::reduce::finish;
use crate::types::memory;
use graph::{Node, ValueId};
use kernels::gpu::{Along, Atom, Flash, FlashPlace, Ints, Operand, Source};
use kernels::text::{Scalar, Val, Writer};
use ops::{BinaryKind, Op, ReduceKind, UnaryKind};
use tensor::{DType, Dim};

/// Fewer rows are for the template of few rows, which splits columns among blocks.
const FEW: i64 = 8;

/// What every template of attention needs to know of a region.
pub(super) struct Parts {
    pub(super) scores: Contraction,
    pub(super) product: Contraction,
    /// The sum of products.
    score: ValueId,
    /// What follows.
    pub(super) softmax: Softmax,
    /// What masks leave of the scores.
    span: Option<Span>,
    /// Neighbors of the result that are finished together.
    pub(super) lanes: u32,
}

struct Attention {
    parts: Parts,
    flash: Flash,
    facts: [Facts; 3],
}

/// The recipe of an attention.
pub(crate) fn choose<'a>(cx: &mut Cx<'a>, gpu: Gpu) -> Option<Box<dyn Recipe + 'a>> {
    let (first, second) = (&cx.graph.nodes[cx.region.scores?], cx.anchor()?);
    let (Op::Dot(of_scores), Op::Dot(of_values), true) = (&first.op, &second.op, gpu.rerounds) else { return None };
    let weight = second.inputs[0];
    let maker = cx.producers[weight.index()];
    let scores = Contraction::of_dot(cx, first, of_scores, &|idx| cx.is_member(idx))?;
    let product = Contraction::of_dot(cx, second, of_values, &|idx| cx.is_member(idx) && Some(idx) != maker)?;
    if scores.decoded.is_some() || product.decoded.is_some() {
        return None;
    }
    let atom = atom(cx, first).filter(|atom| Some(*atom) == self::atom(cx, second))?;
    let softmax = Softmax::of(cx, weight)?;
    let is_few = scores.m.as_const().is_some_and(|m| m <= FEW);
    let sizes = [&scores.m, &scores.n, &scores.k, &product.n];
    let is_wide = sizes.iter().any(|size| size.as_const().is_some_and(|n| i32::try_from(n).is_err()));
    if is_few || is_wide || !product.epilogue_fits(cx, second) {
        return None;
    }
    let facts = [facts(cx, &scores, Side::A), facts(cx, &scores, Side::B), facts(cx, &product, Side::B)];
    let depth = |dim: &Dim| dim.as_const().and_then(|n| u32::try_from(n).ok()).filter(|n| (1..=256).contains(n));
    let (depths, along) = ([depth(&scores.k)?, depth(&product.n)?], facts.map(|facts| facts.along));
    let span = Span::of(cx, softmax.of);
    let parts = Parts { span, lanes: lanes(cx, &product), scores, product, score: first.outputs[0], softmax };
    let choice = Choice::of(cx, gpu, &parts, facts, atom, depths);
    let n_groups = choice.as_ref().map_or(0, Choice::len);
    if let Some(choice) = choice
        && gpu.schedule.is_none_or(|place| place < n_groups)
    {
        return Some(Box::new(choice.recipe(parts, gpu.schedule)?));
    }
    if gpu.schedule.is_some_and(|place| place > n_groups) {
        return None;
    }
    let flash = Flash::choose(gpu.chip, atom, depths, along, parts.lanes)?;
    if !flash.deals(facts.map(|facts| facts.piece)) {
        return None;
    }
    Some(Box::new(Attention { parts, flash, facts }))
}

/// The matrix instruction of a product whose sums are in `f32`.
fn atom(cx: &Cx, node: &Node) -> Option<Atom> {
    let types = [cx.ty(node.inputs[0]).dtype, cx.ty(node.inputs[1]).dtype];
    let sums = Cx::accumulator(cx.ty(node.outputs[0]).dtype) == Scalar::F32;
    match types {
        [DType::F16, DType::F16] if sums => Some(Atom::F16),
        [DType::BF16, DType::BF16] if sums => Some(Atom::Bf16),
        _ => None,
    }
}

/// Neighbors of the result that are finished together: 16 bytes, if rows are so aligned.
fn lanes(cx: &Cx, product: &Contraction) -> u32 {
    let mut lanes = (16 / memory(cx.ty(cx.region.store.value).dtype).bytes()).min(8);
    while lanes > 1 && !divides(lanes, &product.n) {
        lanes /= 2;
    }
    lanes
}

/// The softmax of rows.
pub(super) struct Softmax {
    /// What it is of.
    of: ValueId,
    /// Whether what is no number becomes zero.
    pub(super) zero_rows: bool,
}

impl Softmax {
    /// The softmax that makes these weights, but for their type.
    fn of(cx: &Cx, weight: ValueId) -> Option<Softmax> {
        let [largest, total] = cx.region.rows[..] else { return None };
        let reduction = |idx: usize, kind: ReduceKind| match &cx.graph.nodes[idx] {
            node @ Node { op: Op::Reduce(op), .. } if op.kind == kind => Some((node.inputs[0], node.outputs[0])),
            _ => None,
        };
        let (of, largest) = reduction(largest, ReduceKind::Max)?;
        let (powers, total) = reduction(total, ReduceKind::Sum)?;
        let exp = unary(cx, powers, UnaryKind::Exp)?;
        let [left, right] = binary(cx, exp, BinaryKind::Sub)?;
        let is_shifted = left == of && unrepeated(cx, right) == largest && cx.ty(of).dtype == DType::F32;
        let (mut value, mut zero_rows) = (weight, false);
        loop {
            let node = cx.member(value)?;
            match &node.op {
                Op::Cast(_) => value = node.inputs[0],
                Op::Select(_) => {
                    let is_number = node.inputs[2];
                    let guards = unary(cx, node.inputs[0], UnaryKind::IsNan) == Some(is_number);
                    if !guards || !is_literal(cx, node.inputs[1], 0.0) {
                        return None;
                    }
                    (value, zero_rows) = (is_number, true);
                }
                _ => break,
            }
        }
        let divided = match (binary(cx, value, BinaryKind::Div), binary(cx, value, BinaryKind::Mul)) {
            (Some([x, by]), _) => x == powers && unrepeated(cx, by) == total,
            (_, Some([x, by])) => {
                let [one, by] = binary(cx, unrepeated(cx, by), BinaryKind::Div)?;
                x == powers && is_literal(cx, one, 1.0) && unrepeated(cx, by) == total
            }
            _ => false,
        };
        (is_shifted && divided).then_some(Softmax { of, zero_rows })
    }
}

/// The operand of a member that is such a function.
fn unary(cx: &Cx, value: ValueId, kind: UnaryKind) -> Option<ValueId> {
    let node = cx.member(value)?;
    matches!(&node.op, Op::Unary(op) if op.kind == kind).then(|| node.inputs[0])
}

/// The operands of a member that is such an operation.
fn binary(cx: &Cx, value: ValueId, kind: BinaryKind) -> Option<[ValueId; 2]> {
    let node = cx.member(value)?;
    matches!(&node.op, Op::Binary(op) if op.kind == kind).then(|| [node.inputs[0], node.inputs[1]])
}

/// What a chain of broadcasts and reshapes is of.
fn unrepeated(cx: &Cx, mut value: ValueId) -> ValueId {
    while let Some(Node { op: Op::Broadcast(_) | Op::Reshape(_), inputs, .. }) = cx.member(value) {
        value = inputs[0];
    }
    value
}

fn is_literal(cx: &Cx, value: ValueId, number: f64) -> bool {
    let tensor = cx.literal(unrepeated(cx, value));
    tensor.is_some_and(|tensor| tensor.dtype().is_float() && tensor.get(0).as_f64() == number)
}

/// A matrix of a batch, `extent` along its own axis, as tiles of so many rows read it.
fn operand<'b>(
    cx: &Cx,
    w: &mut Writer,
    batch: &[Val],
    (contraction, matrix): (&Contraction, &Matrix),
    facts: Facts,
    extent: &Dim,
    tile: u32,
) -> Operand<'b> {
    let base = contraction.base(cx, w, matrix, batch);
    Operand {
        elem: facts.elem,
        along: facts.along,
        piece: facts.piece,
        extent: dim32(cx, w, extent),
        whole: divides(tile, extent),
        source: Source::Strided {
            first: w.gep(cx.ptrs[&matrix.leaf], base, facts.elem.into()),
            outer_stride: cx.dim(w, &matrix.outer_stride),
            k_stride: cx.dim(w, &matrix.k_stride),
        },
        codes: None,
    }
}

impl Parts {
    /// What the softmax is of, at a row and column.
    pub(super) fn score(&self, cx: &Cx, w: &mut Writer, batch: &[Val], [row, column]: [Val; 2], sum: Val) -> Val {
        let value = finish(w, sum, cx.ty(self.score).dtype);
        cx.given.borrow_mut().insert(self.score, value);
        let (row, column) = (w.extsi(row, Scalar::I64), w.extsi(column, Scalar::I64));
        let idx: Vec<Idx> = batch.iter().copied().chain([row, column]).map(Idx::Uniform).collect();
        cx.value(w, &mut Scope::new(1, None), self.softmax.of, &idx)
    }

    /// What follows the second product.
    pub(super) fn finish(&self, cx: &Cx, w: &mut Writer, batch: &[Val], place: [Val; 2], sums: Val) {
        let Some(anchor) = cx.anchor() else { return };
        let sums = finish(w, sums, cx.ty(anchor.outputs[0]).dtype);
        cx.given.borrow_mut().insert(anchor.outputs[0], sums);
        let lanes = self.lanes;
        let mut scope = Scope { aligned: Some(place[1]), ..Scope::new(lanes, None) };
        let idx = result_index(cx, w, &self.product, batch, place, lanes);
        let value = cx.value(w, &mut scope, cx.region.result, &idx);
        cx.store(w, &scope, &idx, value);
    }

    /// The first tile of so many columns that some of the rows from `row` on may see, and the one behind the last.
    pub(super) fn tiles(
        &self,
        cx: &Cx,
        w: &mut Writer,
        batch: &[Val],
        row: Val,
        [rows, columns]: [u32; 2],
    ) -> [Val; 2] {
        let Some(span) = &self.span else {
            let count = self.scores.n.clone().ceil_div(i64::from(columns).into());
            return [w.num(0), dim32(cx, w, &count)];
        };
        let (m, n) = (cx.dim(w, &self.scores.m), cx.dim(w, &self.scores.n));
        let (row, more) = (w.extsi(row, Scalar::I64), w.i64(i64::from(rows) - 1));
        let last = w.addi(row, more);
        let (one, rounding) = (w.i64(1), w.num(columns - 1));
        let end = w.subi(m, one);
        let last = w.minsi(last, end);
        let [low, high] = span.columns(cx, w, batch, [row, last], n);
        let high = w.addi(high, rounding);
        [w.over(low, columns), w.over(high, columns)]
    }

    /// Whether each tile of rows certainly sees a column.
    pub(super) fn sees_all(&self) -> bool {
        self.span.is_none() && self.scores.n.as_const().is_some_and(|n| n > 0)
    }

    /// The tile of rows that a block takes, of so many. Blocks begin in the order of their numbers: those with the most work
    /// are first.
    pub(super) fn row_tile(&self, w: &mut Writer, number: Val, count: Val) -> Val {
        if !self.span.as_ref().is_some_and(Span::grows) {
            return number;
        }
        let one = w.num(1);
        let last = w.subi(count, one);
        w.subi(last, number)
    }

    /// What reports say of the columns that a block walks over.
    pub(super) fn walked(&self) -> &'static str {
        if self.span.is_some() { ", columns by rows" } else { "" }
    }

    /// Tiles of so many rows.
    pub(super) fn row_tiles(&self, rows: u32) -> Dim {
        self.scores.m.clone().ceil_div(i64::from(rows).into())
    }
}

impl Attention {
    /// The operands and sizes of a block.
    fn place<'b>(&self, cx: &Cx, w: &mut Writer, batch: &[Val], row: Val) -> FlashPlace<'b> {
        let (Parts { scores, product, softmax, .. }, flash) = (&self.parts, &self.flash);
        let left = operand(cx, w, batch, (scores, &scores.a), self.facts[0], &scores.m, flash.rows());
        let mut right = operand(cx, w, batch, (scores, &scores.b), self.facts[1], &scores.k, flash.depths[0]);
        // The walk is along the columns of the scores.
        if let Source::Strided { outer_stride, k_stride, .. } = &mut right.source {
            std::mem::swap(outer_stride, k_stride);
        }
        right.along = if right.along == Along::K { Along::Outer } else { Along::K };
        let values = operand(cx, w, batch, (product, &product.b), self.facts[2], &product.n, flash.depths[1]);
        FlashPlace {
            left,
            right,
            values,
            row,
            m: dim32(cx, w, &scores.m),
            n: (dim32(cx, w, &scores.n), divides(flash.columns, &scores.n)),
            depth: (dim32(cx, w, &scores.k), divides(flash.depths[0], &scores.k)),
            width: dim32(cx, w, &product.n),
            tiles: self.parts.tiles(cx, w, batch, row, [flash.rows(), flash.columns]),
            zero_rows: softmax.zero_rows,
        }
    }
}

impl Recipe for Attention {
    fn tasks(&self) -> Dim {
        self.parts.product.batch.iter().fold(self.parts.row_tiles(self.flash.rows()), |a, b| a * b.clone())
    }

    fn template(&self) -> String {
        let [q, k, v] = self.facts.map(|facts| facts.piece);
        format!("attention {}, pieces of {q}, {k} and {v} bytes{}", self.flash.name(), self.parts.walked())
    }

    fn block(&self) -> Option<Block> {
        Some(Block { threads: self.flash.threads(), tasks: 1, shared: self.flash.shared() })
    }

    fn task(&self, cx: &Cx, w: &mut Writer, task: Val, _scratch: Option<Val>) {
        let tiles = dim32(cx, w, &self.parts.row_tiles(self.flash.rows()));
        let (matrix, tile) = (w.divui(task, tiles), w.remui(task, tiles));
        let batch = batch_of(cx, w, &self.parts.product, matrix);
        let tile = self.parts.row_tile(w, tile, tiles);
        let row = w.times(tile, self.flash.rows());
        let place = self.place(cx, w, &batch, row);
        let mut score = |w: &mut Writer, row, column, sum| self.parts.score(cx, w, &batch, [row, column], sum);
        let mut finish = |w: &mut Writer, row, column, sums| self.parts.finish(cx, w, &batch, [row, column], sums);
        self.flash.write(w, place, &mut score, &mut finish);
    }
}
