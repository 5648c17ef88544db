//! Columns that are decoded on a GPU: pieces of codes become numbers in registers.
//!
//! A code of up to eight bits is put into the lowest bits of the fraction of 2^23, and 2^23 is subtracted: exact, and quicker
//! than a conversion. What else the expression does is written for each element, with what a block has in common once.

use super::Gpu;
use super::facts::divides;
use crate::context::{Cx, Scope};
use crate::contraction::Contraction;
use crate::decoded::{Decoded, Run};
use crate::index::Idx;
use graph::{Node, ValueId};
use kernels::gpu::{Decoder, Ints, Piece};
use kernels::text::{Scalar, Ty, Val, Writer};
use ops::{BinaryKind, Op};
use schedule::Numbers;
use std::collections::BTreeSet;
use tensor::{DType, Dim};

/// The bits of 2^23 as `f32`.
const TWO_TO_23: u32 = 0x4b00_0000;

/// An operand of codes that can be read by pieces.
pub(super) struct Codes {
    decoded: Decoded,
    numbers: Numbers,
    /// Bytes of a piece; it never lies in two blocks.
    pub(super) piece: u32,
    /// Bytes from column to column.
    pub(super) outer_stride: Dim,
    /// What is computed, in place of the operand: without a last rounding to 16 bits where the contract permits that.
    result: ValueId,
    /// Values that are not the same for all codes of a block.
    varying: BTreeSet<ValueId>,
    /// The zero point, where all that is done with numbers is to subtract it, with the differences.
    zero: Option<(ValueId, Vec<ValueId>)>,
    /// What the result is multiplied with, which a block has in common; sums of a piece may be multiplied instead.
    factor: Option<ValueId>,
}

impl Codes {
    /// The columns of a contraction as codes, by pieces of at most so many of them. `factors` says whether sums of a piece
    /// can be multiplied.
    pub(super) fn of(cx: &Cx, contraction: &Contraction, most: u32, factors: bool, gpu: Gpu) -> Option<Codes> {
        let decoded = contraction.decoded.clone().filter(|decoded| decoded.decode.by_blocks)?;
        let numbers = decoded.decode.numbers.clone()?;
        let outer_stride = decoded.column_stride(cx)?;
        let run = decoded.run_bytes(cx);
        let mut piece = 1 << (most / decoded.per_byte()).clamp(1, 16).ilog2();
        while piece > 1 && (run % i64::from(piece) != 0 || !divides(piece, &outer_stride)) {
            piece /= 2;
        }
        let mut result = match cx.member(decoded.operand) {
            Some(node) if gpu.rerounds && matches!(node.op, Op::Cast(_)) && is_single(cx, node.inputs[0]) => {
                node.inputs[0]
            }
            _ => decoded.operand,
        };
        let mut varying: BTreeSet<ValueId> = numbers.values.iter().copied().collect();
        for idx in &decoded.decode.members {
            let node = &cx.graph.nodes[*idx];
            if node.inputs.iter().any(|value| varying.contains(value)) {
                varying.extend(&node.outputs);
            }
        }
        let zero = zero_point(cx, &decoded, &numbers, &varying);
        let scaled = scaled(cx, result, &varying).filter(|_| gpu.rerounds && factors && is_single(cx, result));
        let factor = scaled.map(|[number, factor]| {
            result = number;
            factor
        });
        (piece >= 4).then_some(Codes { decoded, numbers, piece, outer_stride, result, varying, zero, factor })
    }

    pub(super) fn per_byte(&self) -> u32 {
        self.decoded.per_byte()
    }

    /// Where the codes are.
    pub(super) fn pointer(&self, cx: &Cx) -> Val {
        cx.ptrs[&self.decoded.decode.codes]
    }

    /// What a code's bits are more than the code: 2^23, and the offset that makes signs positive.
    fn excess(&self) -> f64 {
        f64::from((1u32 << 23) + self.offset())
    }

    /// A sign becomes an offset: the lowest number has code 0.
    fn offset(&self) -> u32 {
        if self.numbers.code.is_signed_int() { 1 << (8 / self.per_byte() - 1) } else { 0 }
    }

    /// Code number `at` of a piece as an `f32`, less what is in excess.
    fn number(&self, w: &mut Writer, words: &[Val], at: u32, excess: Val) -> Val {
        let bits = 8 / self.per_byte();
        let first = at * bits;
        let mask = (1u32 << bits) - 1;
        let distance = w.num(first % 32);
        let low = w.shrui(words[(first / 32) as usize], distance);
        // The bits of 2^23 and of a code are apart.
        let raw = w.masked_xor(low, mask, TWO_TO_23 | self.offset());
        let number = w.bitcast(raw, Scalar::F32);
        w.subf(number, excess)
    }

    /// What codes are given as: differences from the zero point, or the codes.
    fn given(&self) -> &[ValueId] {
        self.zero.as_ref().map_or(&self.numbers.values, |(_, differences)| differences)
    }

    /// The indices of the axes before the run, and the byte in the run, of the byte that holds element `k`.
    fn place(&self, cx: &Cx, w: &mut Writer, k: Val) -> (Vec<Val>, Val) {
        let byte = w.over(k, self.per_byte());
        let run = w.i32(self.decoded.run_bytes(cx) as i32);
        let (mut rest, first) = (w.divui(byte, run), w.remui(byte, run));
        let mut blocks = vec![];
        for (place, extent) in self.decoded.block_extents(cx).iter().enumerate().rev() {
            let digit = if place == 0 {
                rest
            } else {
                let extent = super::operands::dim32(cx, w, extent);
                let digit = w.remui(rest, extent);
                rest = w.divui(rest, extent);
                digit
            };
            blocks.push(w.extsi(digit, Scalar::I64));
        }
        blocks.reverse();
        (blocks, w.extsi(first, Scalar::I64))
    }
}

/// Whether a value has 32 bits: a conversion of it to a 16-bit float rounds, and sums are such.
fn is_single(cx: &Cx, value: ValueId) -> bool {
    cx.ty(value).dtype == DType::F32
}

/// The zero point that is subtracted from all numbers, if that is all that is done with them and it is a small integer: then
/// it is subtracted with what a code's bits have in excess.
fn zero_point(
    cx: &Cx,
    decoded: &Decoded,
    numbers: &Numbers,
    varying: &BTreeSet<ValueId>,
) -> Option<(ValueId, Vec<ValueId>)> {
    let members = decoded.decode.members.iter().map(|idx| &cx.graph.nodes[*idx]);
    let readers: Vec<&Node> = members.filter(|n| n.inputs.iter().any(|v| numbers.values.contains(v))).collect();
    let zero = *readers.first()?.inputs.get(1)?;
    let subtracts = |node: &&Node| {
        matches!(&node.op, Op::Binary(op) if op.kind == BinaryKind::Sub)
            && numbers.values.contains(&node.inputs[0])
            && node.inputs[1] == zero
    };
    let fits = readers.iter().all(subtracts) && !varying.contains(&zero) && is_small_integer(cx, zero);
    fits.then(|| (zero, readers.iter().map(|node| node.outputs[0]).collect()))
}

/// Whether a value repeats an integer of at most eight bits, as a float.
fn is_small_integer(cx: &Cx, value: ValueId) -> bool {
    if let Some(tensor) = cx.literal(value) {
        let number = tensor.get(0).as_f64();
        return number.fract() == 0.0 && number.abs() <= 256.0;
    }
    let Some(node) = cx.member(value) else { return false };
    match &node.op {
        Op::Broadcast(_) | Op::Transpose(_) | Op::Reshape(_) => is_small_integer(cx, node.inputs[0]),
        Op::Cast(_) => {
            let from = cx.ty(node.inputs[0]).dtype;
            from.is_int() && from.bits() <= 8
        }
        _ => false,
    }
}

/// The parts of a product of which one is the same for all codes of a block: first what is not.
fn scaled(cx: &Cx, value: ValueId, varying: &BTreeSet<ValueId>) -> Option<[ValueId; 2]> {
    let node = cx.member(value).filter(|node| matches!(&node.op, Op::Binary(op) if op.kind == BinaryKind::Mul))?;
    let [a, b] = node.inputs[..] else { return None };
    match [a, b].map(|v| varying.contains(&v)) {
        [true, false] => Some([a, b]),
        [false, true] => Some([b, a]),
        _ => None,
    }
}

/// The same while a kernel is written.
pub(super) struct CodesAt<'a, 'g> {
    pub(super) codes: &'a Codes,
    pub(super) cx: &'a Cx<'g>,
}

/// A piece while it is decoded: what its codes have in common is in the scope.
struct At<'a, 'g> {
    codes: &'a Codes,
    cx: &'a Cx<'g>,
    idx: Vec<Idx>,
    scope: Scope,
    /// What is subtracted from a code's bits.
    excess: Val,
}

impl Decoder for CodesAt<'_, '_> {
    fn piece(&self, w: &mut Writer, outer: Val, k: Val) -> Box<dyn Piece + '_> {
        let (codes, cx) = (self.codes, self.cx);
        let (blocks, first) = codes.place(cx, w, k);
        let column = w.extsi(outer, Scalar::I64);
        let run = Run { column, blocks: &blocks, first };
        let idx = codes.decoded.index(cx, w, &run, Idx::Uniform(first), 0);
        let mut scope = Scope::by_axes(1);
        let mut excess = w.float(Ty::F32, codes.excess());
        if let Some((zero, _)) = &codes.zero {
            let zero = cx.value(w, &mut scope, *zero, &idx);
            excess = w.addf(zero, excess);
        }
        let mut at = At { codes, cx, idx, scope, excess };
        // Any number brings what is computed without one into the scope.
        let any = w.float(Ty::F32, 0.0);
        at.value(w, any);
        at.factor(w);
        Box::new(at)
    }
}

impl At<'_, '_> {
    /// What a code stands for, from the code as a number.
    fn value(&mut self, w: &mut Writer, number: Val) -> Val {
        let values = self.codes.given();
        self.cx.given.borrow_mut().extend(values.iter().map(|value| (*value, number)));
        self.scope.memo.retain(|(value, _), _| !self.codes.varying.contains(value));
        let value = self.cx.value(w, &mut self.scope, self.codes.result, &self.idx);
        self.cx.given.borrow_mut().retain(|value, _| !values.contains(value));
        w.float_to_float(value, Scalar::F32)
    }
}

impl Piece for At<'_, '_> {
    fn decode(&mut self, w: &mut Writer, words: &[Val]) -> Vec<Val> {
        (0..self.codes.piece * self.codes.per_byte())
            .map(|at| {
                let number = self.codes.number(w, words, at, self.excess);
                self.value(w, number)
            })
            .collect()
    }

    fn factor(&mut self, w: &mut Writer) -> Option<Val> {
        Some(self.cx.value(w, &mut self.scope, self.codes.factor?, &self.idx))
    }
}
