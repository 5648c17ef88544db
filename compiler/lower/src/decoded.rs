//! Columns of a contraction that are decoded as they are read: quantized weights on the host.
//!
//! Vectors are neighboring bytes of the codes. Where several codes share a byte, each of them is a vector of its own, so
//! nothing is shuffled: the other operand is brought into the same order. Codes of at most four bits choose from sixteen
//! numbers that one block has in common; with AVX-512 these are a register, and decoding is one permutation.

use crate::context::{Cx, Scope};
use crate::index::Idx;
use crate::types::lanes_of;
use graph::{Node, ValueId};
use kernels::text::{Scalar, Ty, Val, Writer};
use ops::{Dot, Op};
use schedule::{Decode, Shared, Strided, row_major};
use tensor::{DType, Dim};

/// Lanes of a register that holds all values of a code.
pub(crate) const TABLE: u32 = 16;

/// A right operand that is decoded.
#[derive(Clone, Debug)]
pub(crate) struct Decoded {
    pub(crate) decode: Decode,
    /// What it is.
    pub(crate) operand: ValueId,
    /// The axes of the operand that are columns, and those that are summed over before the run of bytes.
    columns: Vec<usize>,
    blocks: Vec<usize>,
}

/// A run of bytes: which column, the indices along the axes before, and where it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) column: Val,
    pub(crate) blocks: &'a [Val],
    pub(crate) first: Val,
}

impl Decoded {
    /// The right operand of a contraction, if it is decoded by these nodes.
    pub(crate) fn of(cx: &Cx, node: &Node, inlined: &dyn Fn(usize) -> bool) -> Option<Decoded> {
        let Op::Dot(op) = &node.op else { return None };
        let producer = |value: ValueId| cx.producers[value.index()].filter(|idx| inlined(*idx));
        let decode = Decode::of(cx.graph, &producer, node)?;
        let operand = node.inputs[1];
        let columns = (0..cx.ty(operand).rank()).filter(|axis| !op.rhs_contract.contains(axis)).collect();
        let shared = decode.shared.map(|shared| shared.axis);
        let is_block = |axis: &&usize| {
            **axis != decode.run && Some(**axis) != shared && cx.ty(operand).shape[**axis] != Dim::from(1)
        };
        let blocks = op.rhs_contract.iter().filter(is_block).copied().collect();
        Some(Decoded { decode, operand, columns, blocks })
    }

    /// The operand as if it were in memory, column by column. Only the order of the axes counts.
    pub(crate) fn as_matrix(&self, cx: &Cx, op: &Dot) -> Strided {
        let shape = &cx.ty(self.operand).shape;
        let axes: Vec<usize> = self.columns.iter().chain(&op.rhs_contract).copied().collect();
        let sizes: Vec<Dim> = axes.iter().map(|axis| shape[*axis].clone()).collect();
        let mut strides = vec![Dim::from(0); shape.len()];
        axes.into_iter().zip(row_major(&sizes)).for_each(|(axis, stride)| strides[axis] = stride);
        Strided { leaf: self.decode.codes, offset: 0.into(), strides }
    }

    /// Bytes of a run.
    pub(crate) fn run_bytes(&self, cx: &Cx) -> i64 {
        cx.ty(self.operand).shape[self.decode.run].as_const().unwrap_or(1)
    }

    /// Codes of a byte.
    pub(crate) fn per_byte(&self) -> u32 {
        self.decode.shared.map_or(1, |shared| 8 / shared.bits)
    }

    /// Bytes that are decoded at a time: a vector, or as many as a run is a multiple of.
    pub(crate) fn lanes(&self, cx: &Cx) -> u32 {
        let run = self.run_bytes(cx);
        let mut lanes = cx.wide();
        while lanes > 1 && run % i64::from(lanes) != 0 {
            lanes /= 2;
        }
        lanes
    }

    /// Extents of the axes before the run.
    pub(crate) fn block_extents(&self, cx: &Cx) -> Vec<Dim> {
        self.blocks.iter().map(|axis| cx.ty(self.operand).shape[*axis].clone()).collect()
    }

    /// Bytes from column to column, if each column is one run of bytes.
    pub(crate) fn column_stride(&self, cx: &Cx) -> Option<Dim> {
        let shape = &cx.ty(self.operand).shape;
        let along = |axes: &[usize], first: Dim| {
            axes.iter().rev().try_fold(first, |stride, axis| {
                let fits = self.decode.strides[*axis] == stride || shape[*axis] == Dim::from(1);
                fits.then(|| stride * shape[*axis].clone())
            })
        };
        let bytes = along(&[&self.blocks[..], &[self.decode.run]].concat(), 1.into())?;
        let (last, others) = self.columns.split_last()?;
        let stride = self.decode.strides[*last].clone();
        along(others, stride.clone() * shape[*last].clone())?;
        (bytes == stride || shape[*last] == Dim::from(1)).then_some(stride)
    }

    /// Whether a block has all its values in one register.
    fn table_of(&self, cx: &Cx) -> Option<Shared> {
        let fits = cx.wide() == TABLE && self.lanes(cx) == TABLE && self.decode.by_blocks;
        self.decode.shared.filter(|_| fits && cx.ty(self.operand).dtype == DType::F32)
    }

    /// The index of the operand in a run.
    pub(crate) fn index(&self, cx: &Cx, w: &mut Writer, run: &Run, at: Idx, code: u32) -> Vec<Idx> {
        let shape = &cx.ty(self.operand).shape;
        let zero = Idx::Uniform(w.i64(0));
        let mut idx = vec![zero; shape.len()];
        let mut rest = run.column;
        for (place, axis) in self.columns.iter().enumerate().rev() {
            if place == 0 {
                idx[*axis] = Idx::Uniform(rest);
                break;
            }
            let extent = cx.dim(w, &shape[*axis]);
            idx[*axis] = Idx::Uniform(w.remui(rest, extent));
            rest = w.divui(rest, extent);
        }
        self.blocks.iter().zip(run.blocks).for_each(|(axis, at)| idx[*axis] = Idx::Uniform(*at));
        idx[self.decode.run] = at;
        if let Some(shared) = self.decode.shared {
            idx[shared.axis] = Idx::Uniform(w.i64(code.into()));
        }
        idx
    }

    /// All values that codes of a block may stand for, where one register holds them.
    pub(crate) fn table(&self, cx: &Cx, w: &mut Writer, run: &Run) -> Option<Val> {
        let shared = self.table_of(cx)?;
        let codes: Vec<i64> = (0..i64::from(TABLE)).collect();
        let codes = w.ints(Scalar::I8, &codes);
        let zero = Idx::Uniform(w.i64(0));
        let idx = self.index(cx, w, run, zero, 0);
        let values = self.with_byte(cx, w, &mut Scope::by_axes(TABLE), shared, codes, &idx);
        Some(w.broadcast(values, Ty::vector(Scalar::F32, TABLE)))
    }

    /// The operand where a byte that holds a code in its lowest bits is this one.
    fn with_byte(&self, cx: &Cx, w: &mut Writer, s: &mut Scope, shared: Shared, byte: Val, idx: &[Idx]) -> Val {
        cx.given.borrow_mut().insert(shared.shifted, byte);
        s.memo.clear();
        let value = cx.value(w, s, self.operand, idx);
        cx.given.borrow_mut().remove(&shared.shifted);
        value
    }

    /// The elements of as many bytes as there are lanes, from byte `run.first` on: one vector for each code of a byte.
    pub(crate) fn vectors(&self, cx: &Cx, w: &mut Writer, run: &Run, table: Option<Val>) -> Vec<Val> {
        let lanes = self.lanes(cx);
        let mut scope = Scope::by_axes(lanes);
        let at = if lanes == 1 { Idx::Uniform(run.first) } else { Idx::Linear(run.first, 1) };
        let vector = lanes_of(Scalar::F32, lanes);
        let Some(shared) = self.decode.shared else {
            let idx = self.index(cx, w, run, at, 0);
            let value = cx.value(w, &mut scope, self.operand, &idx);
            return vec![w.broadcast(value, vector)];
        };
        let idx = self.index(cx, w, run, at, 0);
        let place = cx.address(w, lanes, &idx, &self.decode.strides);
        let bytes = cx.load(w, &scope, cx.ptrs[&self.decode.codes], DType::U8, place);
        (0..self.per_byte())
            .map(|code| {
                if let Some(table) = table {
                    return chosen(w, table, bytes, code * shared.bits);
                }
                let distance = w.int(bytes.ty, (code * shared.bits).into());
                let byte = w.shrui(bytes, distance);
                let idx = self.index(cx, w, run, at, code);
                let value = self.with_byte(cx, w, &mut scope, shared, byte, &idx);
                w.broadcast(value, vector)
            })
            .collect()
    }
}

/// For each byte the entry of a table that four of its bits name. The instruction looks at no other bits.
fn chosen(w: &mut Writer, table: Val, bytes: Val, first_bit: u32) -> Val {
    let wide = w.extui(bytes, Scalar::I32);
    let distance = w.int(wide.ty, first_bit.into());
    let picks = w.shrui(wide, distance);
    let (ty, of) = (table.ty, picks.ty);
    let name = "llvm.x86.avx512.permvar.sf.512";
    w.op(ty, format_args!("llvm.call_intrinsic \"{name}\"({table}, {picks}) : ({ty}, {of}) -> {ty}"))
}
