//! Which tile of a product a block computes, and what follows its sums.

use super::operands::{batch_of, dim32, result_index};
use crate::context::{Cx, Scope};
use crate::contraction::Contraction;
use crate::reduce::finish as rounded;
use kernels::text::{Val, Writer};
use tensor::Dim;

/// Tile rows that are walked before the next tile column, so that blocks that run together share both operands.
const GROUP: u32 = 8;

/// The tiles of a product, as rows and columns of each.
pub(super) struct Tiles<'a> {
    pub(super) contraction: &'a Contraction,
    pub(super) tile: [u32; 2],
}

impl Tiles<'_> {
    /// Tiles along rows and columns.
    fn counts(&self) -> [Dim; 2] {
        let count = |size: &Dim, tile: u32| size.clone().ceil_div(i64::from(tile).into());
        [count(&self.contraction.m, self.tile[0]), count(&self.contraction.n, self.tile[1])]
    }

    /// Tiles of all matrices.
    pub(super) fn total(&self) -> Dim {
        let [rows, columns] = self.counts();
        self.contraction.batch.iter().fold(rows * columns, |a, b| a * b.clone())
    }

    /// The indices of the batch, and the tile's row and column, of a block.
    pub(super) fn place_of(&self, cx: &Cx, w: &mut Writer, block: Val) -> (Vec<Val>, [Val; 2]) {
        use kernels::gpu::Ints;
        let [rows, columns] = self.counts();
        let (n_rows, n_columns) = (dim32(cx, w, &rows), dim32(cx, w, &columns));
        let per_matrix = w.muli(n_rows, n_columns);
        let alone = self.contraction.batch.iter().all(|extent| *extent == Dim::from(1));
        let (matrix, at) =
            if alone { (w.num(0), block) } else { (w.divui(block, per_matrix), w.remui(block, per_matrix)) };
        let batch = batch_of(cx, w, self.contraction, matrix);
        let group = w.num(GROUP);
        let width = w.muli(group, n_columns);
        let (number, within) = (w.divui(at, width), w.remui(at, width));
        let first = w.muli(number, group);
        let left = w.subi(n_rows, first);
        let height = w.minsi(left, group);
        let (row, column) = (w.remui(within, height), w.divui(within, height));
        (batch, [w.addi(first, row), column])
    }
}

/// What follows so many neighboring sums at a row and column.
pub(super) fn finish(
    cx: &Cx,
    w: &mut Writer,
    (contraction, batch): (&Contraction, &[Val]),
    lanes: u32,
    [row, column]: [Val; 2],
    sums: Val,
) {
    let Some(anchor) = cx.anchor() else { return };
    let sums = rounded(w, sums, cx.ty(anchor.outputs[0]).dtype);
    cx.given.borrow_mut().insert(anchor.outputs[0], sums);
    let mut scope = Scope { aligned: Some(column), ..Scope::new(lanes, None) };
    let idx = result_index(cx, w, contraction, batch, [row, column], lanes);
    let value = cx.value(w, &mut scope, cx.region.result, &idx);
    cx.store(w, &scope, &idx, value);
}
