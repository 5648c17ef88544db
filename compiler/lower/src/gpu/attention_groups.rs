//! Attention by warpgroups on `sm_90a`: tensor copies bring tiles, `wgmma` multiplies, and the scores of a tile become weights
//! while sums are under way.
//!
//! Takes the attention of [`attention`](super::attention) whose three operands [tensor maps](super::maps) can describe, in any
//! direction. Axes of the batch along which an operand does not move (heads that share keys) are no axes of its map.

use super::Gpu;
use super::attention::Parts;
use super::facts::{divides, guess};
use super::maps::{self, Mapped, mapped};
use super::operands::{Facts, Side, batch_of, dim32};
use crate::context::Cx;
use crate::kernel::{Block, Recipe, TensorMap};
use graph::Node;
use kernels::gpu::{Atom, FlashProblem, GroupFlash, GroupFlashPlace, Ints};
use kernels::text::{Scalar, Val, Writer};
use ops::Op;
use tensor::Dim;

/// What an unknown size is taken for when a schedule is chosen.
const UNKNOWN: u64 = 512;

/// An attention with its schedule and maps.
pub(super) struct GroupAttention {
    pub(super) parts: Parts,
    flash: GroupFlash,
    operands: [Mapped; 3],
}

/// The schedules that this can have, with the maps that they need.
pub(super) struct Choice {
    problem: FlashProblem,
    operands: [Mapped; 3],
}

impl Choice {
    /// Those of an attention, if tensor maps can describe its operands.
    pub(super) fn of(
        cx: &Cx,
        gpu: Gpu,
        parts: &Parts,
        facts: [Facts; 3],
        atom: Atom,
        depths: [u32; 2],
    ) -> Option<Choice> {
        let Parts { scores, product, lanes, .. } = parts;
        let operands = [
            mapped(scores, Side::A, facts[0], atom)?,
            mapped(scores, Side::B, facts[1], atom)?,
            mapped(product, Side::B, facts[2], atom)?,
        ];
        let batch = product.batch.iter().map(|dim| guess(dim, 1)).product();
        let sizes = [batch, guess(&scores.m, UNKNOWN), guess(&scores.n, UNKNOWN)];
        let along = facts.map(|facts| facts.along);
        let own = operands.iter().map(|operand| operand.map.value).collect::<Vec<_>>();
        let in_memory = cx.region.leaves.iter().filter(|leaf| !own.contains(leaf) && cx.literal(**leaf).is_none());
        // What is one element is read before the loop.
        let reads = in_memory.filter(|leaf| cx.ty(**leaf).num_elements() != Dim::from(1)).count() as u32;
        let reads = reads + positions(cx);
        let problem = FlashProblem { chip: gpu.chip, atom, sizes, depths, along, lanes: *lanes, reads };
        let described = operands.iter().all(|operand| maps::is_argument(cx, &operand.map));
        (described && !problem.group_space().is_empty()).then_some(Choice { problem, operands })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.problem.group_space().len()
    }

    /// The recipe with the schedule at this place, or with the one that should be fastest.
    pub(super) fn recipe(self, parts: Parts, place: Option<usize>) -> Option<GroupAttention> {
        let flash = match place {
            Some(place) => self.problem.group_space().into_iter().nth(place),
            None => self.problem.choose_group(),
        };
        Some(GroupAttention { parts, flash: flash?, operands: self.operands })
    }
}

impl GroupAttention {
    fn row_tiles(&self) -> Dim {
        self.parts.row_tiles(self.flash.rows())
    }

    /// The sizes of a block and where it is.
    fn place(&self, cx: &Cx, w: &mut Writer, batch: &[Val], row: Val) -> GroupFlashPlace {
        let Parts { scores, product, softmax, .. } = &self.parts;
        GroupFlashPlace {
            row,
            m: dim32(cx, w, &scores.m),
            n: (dim32(cx, w, &scores.n), divides(self.flash.columns, &scores.n)),
            tiles: self.parts.tiles(cx, w, batch, row, [self.flash.rows(), self.flash.columns]),
            has_tiles: self.parts.sees_all(),
            width: dim32(cx, w, &product.n),
            zero_rows: softmax.zero_rows,
            matrix: [0, 1, 2].map(|side: usize| {
                let axes = self.operands[side].batch.iter();
                axes.map(|at| w.trunci(batch[*at], Scalar::I32)).collect()
            }),
        }
    }
}

impl Recipe for GroupAttention {
    fn tasks(&self) -> Dim {
        self.parts.product.batch.iter().fold(self.row_tiles(), |a, b| a * b.clone())
    }

    fn template(&self) -> String {
        format!("attention {}{}", self.flash.name(), self.parts.walked())
    }

    fn block(&self) -> Option<Block> {
        Some(Block { threads: self.flash.threads(), tasks: 1, shared: self.flash.shared() })
    }

    fn maps(&self) -> Vec<TensorMap> {
        let sides = self.operands.iter().zip(self.flash.along).zip(self.flash.boxes());
        sides.map(|((operand, along), tile)| operand.with_tile(along, tile)).collect()
    }

    fn task(&self, cx: &Cx, w: &mut Writer, task: Val, _scratch: Option<Val>) {
        let tiles = dim32(cx, w, &self.row_tiles());
        let (matrix, tile) = (w.divui(task, tiles), w.remui(task, tiles));
        let batch = batch_of(cx, w, &self.parts.product, matrix);
        let tile = self.parts.row_tile(w, tile, tiles);
        let row = w.times(tile, self.flash.rows());
        let place = self.place(cx, w, &batch, row);
        let maps = [cx.maps[0], cx.maps[1], cx.maps[2]];
        let mut score = |w: &mut Writer, row, column, sum| self.parts.score(cx, w, &batch, [row, column], sum);
        let mut finish = |w: &mut Writer, row, column, sums| self.parts.finish(cx, w, &batch, [row, column], sums);
        self.flash.write(w, maps, &place, &mut score, &mut finish);
    }
}

/// What positions in scores cost, in units of addresses: them, and each comparison of integers. Found with ptxas.
fn positions(cx: &Cx) -> u32 {
    let nodes = || cx.region.members.iter().map(|idx| &cx.graph.nodes[*idx]);
    let compares = |node: &&Node| matches!(node.op, Op::Compare(_)) && cx.ty(node.inputs[0]).dtype.is_signed_int();
    let are_used = nodes().any(|node| matches!(node.op, Op::Iota(_)));
    u32::from(are_used) + nodes().filter(compares).count() as u32
}
