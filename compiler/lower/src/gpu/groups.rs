//! Products by warpgroups on `sm_90a`: tensor copies bring tiles, `wgmma` multiplies.
//!
//! Takes the products of [`product`](super::product) whose operands [tensor maps](super::maps) can describe: 16-bit floats in any
//! direction, and bytes and `tf32` with their neighbors along `k`. The axes of the batch along which an operand moves are further
//! axes of its map.

use super::blocks::{Tiles, finish};
use super::maps::Mapped;
use super::operands::dim32;
use crate::context::Cx;
use crate::contraction::Contraction;
use crate::kernel::{Block, Recipe, TensorMap};
use kernels::gpu::{GroupMatmul, GroupPlace, GroupSchedule, Ints};
use kernels::text::{Scalar, Val, Writer};
use tensor::Dim;

/// A product with its schedule and maps.
pub(super) struct GroupProduct {
    pub(super) contraction: Contraction,
    pub(super) schedule: GroupSchedule,
    pub(super) operands: [Mapped; 2],
}

impl GroupProduct {
    fn tiles(&self) -> Tiles<'_> {
        Tiles { contraction: &self.contraction, tile: [self.schedule.m, self.schedule.n] }
    }
}

impl Recipe for GroupProduct {
    fn tasks(&self) -> Dim {
        self.tiles().total()
    }

    fn template(&self) -> String {
        format!("product {}", self.schedule.name())
    }

    fn block(&self) -> Option<Block> {
        Some(Block { threads: self.schedule.threads(), tasks: 1, shared: self.schedule.shared() })
    }

    fn maps(&self) -> Vec<TensorMap> {
        let sides = self.operands.iter().zip(self.schedule.along).zip(self.schedule.boxes());
        sides.map(|((operand, along), tile)| operand.with_tile(along, tile)).collect()
    }

    fn task(&self, cx: &Cx, w: &mut Writer, task: Val, _scratch: Option<Val>) {
        let (schedule, contraction) = (self.schedule, &self.contraction);
        let (batch, [tile_row, tile_column]) = self.tiles().place_of(cx, w, task);
        let place = GroupPlace {
            row: w.times(tile_row, schedule.m),
            column: w.times(tile_column, schedule.n),
            m: dim32(cx, w, &contraction.m),
            n: dim32(cx, w, &contraction.n),
            k: dim32(cx, w, &contraction.k),
            matrix: [0, 1].map(|side: usize| {
                let axes = self.operands[side].batch.iter();
                axes.map(|at| w.trunci(batch[*at], Scalar::I32)).collect()
            }),
        };
        let maps = [cx.maps[0], cx.maps[1]];
        GroupMatmul { schedule }.write(w, maps, &place, &mut |w, row, column, sums| {
            finish(cx, w, (contraction, &batch), schedule.lanes, [row, column], sums);
        });
    }
}
