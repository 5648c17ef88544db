//! What templates of products need to know of operands and of the result's indices.

use super::facts::divides;
use crate::context::Cx;
use crate::contraction::{Columns, Contraction, Role};
use crate::index::Idx;
use crate::types::memory;
use kernels::gpu::Along;
use kernels::text::{Scalar, Val, Writer};
use tensor::Dim;

/// Which of the operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Rows of the result.
    A,
    /// Columns.
    B,
}

/// What is known of an operand in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    /// The type.
    pub(super) elem: Scalar,
    /// The axis of neighbors.
    pub(super) along: Along,
    /// Bytes of the widest piece of neighbors that is aligned everywhere and never lies partly outside.
    pub(super) piece: u32,
    /// Whether there are neighbors at all.
    pub(super) dense: bool,
}

/// The facts of an operand.
pub(super) fn facts(cx: &Cx, contraction: &Contraction, side: Side) -> Facts {
    let (matrix, outer) = match side {
        Side::A => (&contraction.a, &contraction.m),
        Side::B => (&contraction.b, &contraction.n),
    };
    let elem = memory(cx.ty(matrix.leaf).dtype);
    let bytes = elem.bytes();
    if side == Side::B && matches!(contraction.columns, Columns::Windows(_)) {
        return Facts { elem, along: Along::Outer, piece: bytes, dense: false };
    }
    let one = Dim::from(1);
    let (along, length, other) = if matrix.k_stride == one {
        (Along::K, &contraction.k, &matrix.outer_stride)
    } else if matrix.outer_stride == one {
        (Along::Outer, outer, &matrix.k_stride)
    } else {
        return Facts { elem, along: Along::K, piece: bytes, dense: false };
    };
    // An axis of one element is never walked.
    let stride = |extent: &Dim, stride: &Dim| if *extent == one { Dim::from(0) } else { stride.clone() };
    let across = if along == Along::K { outer } else { &contraction.k };
    let batch = contraction.batch.iter().zip(&matrix.batch_strides).map(|(extent, by)| stride(extent, by));
    let strides: Vec<Dim> = batch.chain([length.clone(), stride(across, other), matrix.offset.clone()]).collect();
    let mut piece = 16;
    while piece > bytes && !strides.iter().all(|stride| divides(piece / bytes, stride)) {
        piece /= 2;
    }
    Facts { elem, along, piece, dense: true }
}

/// The indices of the batch axes, from the number of a matrix.
pub(super) fn batch_of(cx: &Cx, w: &mut Writer, contraction: &Contraction, mut matrix: Val) -> Vec<Val> {
    let mut batch = vec![];
    for extent in contraction.batch.iter().rev() {
        let extent = dim32(cx, w, extent);
        let idx = w.remui(matrix, extent);
        batch.push(w.extsi(idx, Scalar::I64));
        matrix = w.divui(matrix, extent);
    }
    batch.reverse();
    batch
}

/// The index of the result at a row and at so many neighboring columns.
pub(super) fn result_index(
    cx: &Cx,
    w: &mut Writer,
    contraction: &Contraction,
    batch: &[Val],
    [row, column]: [Val; 2],
    lanes: u32,
) -> Vec<Idx> {
    contraction
        .roles
        .iter()
        .map(|role| match role {
            Role::Batch(at) => Idx::Uniform(batch[*at]),
            Role::Row(None) => Idx::Uniform(row),
            Role::Row(Some(group)) => {
                let m = cx.dim(w, &contraction.m);
                let first = w.muli(batch[*group], m);
                Idx::Uniform(w.addi(first, row))
            }
            Role::Column if lanes == 1 => Idx::Uniform(column),
            Role::Column => Idx::Linear(column, 1),
        })
        .collect()
}

/// A dimension as an `i32`.
pub(super) fn dim32(cx: &Cx, w: &mut Writer, dim: &Dim) -> Val {
    let wide = cx.dim(w, dim);
    w.trunci(wide, Scalar::I32)
}
