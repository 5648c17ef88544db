//! Which columns of the scores a tile of rows needs: what masks by positions leave.
//!
//! A mask is a choice between a score and minus infinity by comparisons of sums of positions: causal with any offset, windows,
//! lengths, and what all of them allow. A column that is hidden from all rows of a tile need not be computed: its weights are
//! zero. Where a finite number stands for minus infinity nothing is left out: a row might have nothing else.
//!
//! What is hidden counts as not there: a value that is no number behind a mask, which times a weight of zero is none either,
//! does not reach the result. Where the model's result is a number ours is the same.

use super::form::{Form, Look};
use crate::context::Cx;
use graph::{Node, ValueId};
use kernels::text::{Scalar, Val, Writer};
use ops::{BinaryKind, CompareKind, Op, UnaryKind};
use tensor::DType;

/// What may be seen of the scores.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    /// Sums with a column once, or minus once: where one is negative the score is hidden.
    limits: Vec<Form>,
}

impl Span {
    /// What masks leave of a value whose axes are those of the batch, rows and columns; nothing if there are none.
    pub(crate) fn of(cx: &Cx, value: ValueId) -> Option<Span> {
        let rank = cx.ty(value).rank().checked_sub(2)?;
        let limits = hides(&Look::new(cx), value, &Form::indices(rank));
        (!limits.is_empty()).then_some(Span { limits })
    }

    /// Whether later rows see columns that earlier ones do not, and so have more work.
    pub(crate) fn grows(&self) -> bool {
        let higher = |limit: &Form| limit.column < 0 && limit.row > 0;
        self.limits.iter().any(higher) && !self.limits.iter().any(|limit| limit.column > 0)
    }

    /// The first column that a row from `rows[0]` to `rows[1]` may see, and the first behind the last, both from 0 to `n`.
    /// All are `i64`, the result `i32`.
    pub(crate) fn columns(&self, cx: &Cx, w: &mut Writer, batch: &[Val], rows: [Val; 2], n: Val) -> [Val; 2] {
        let (zero, one) = (w.i64(0), w.i64(1));
        let (mut low, mut high) = (zero, n);
        for limit in &self.limits {
            // The row that sees the most.
            let row = rows[usize::from(limit.row > 0)];
            let rest = limit.at_row(cx, w, batch, row);
            if limit.column > 0 {
                let first = w.subi(zero, rest);
                low = w.maxsi(low, first);
            } else {
                let end = w.addi(rest, one);
                high = w.minsi(high, end);
            }
        }
        let low = w.minsi(low, n);
        let high = w.maxsi(high, zero);
        [low, high].map(|column| w.trunci(column, Scalar::I32))
    }
}

/// What hides elements of a value.
fn hides(look: &Look, value: ValueId, idx: &[Form]) -> Vec<Form> {
    let Some(node) = look.member(value) else { return vec![] };
    let operand = |at: usize| hides(look, node.inputs[at], idx);
    match &node.op {
        Op::Select(_) => chosen(look, node, idx),
        // Minus infinity stays what it is.
        Op::Binary(op) => match op.kind {
            BinaryKind::Add => [operand(0), operand(1)].concat(),
            BinaryKind::Sub => operand(0),
            BinaryKind::Mul => {
                let is_positive = |at: usize| number(look, node.inputs[at]).is_some_and(|n| n > 0.0 && n.is_finite());
                match [is_positive(0), is_positive(1)] {
                    [_, true] => operand(0),
                    [true, false] => operand(1),
                    [false, false] => vec![],
                }
            }
            _ => vec![],
        },
        Op::Cast(_) if [node.inputs[0], value].iter().all(|value| is_wide(look.cx.ty(*value).dtype)) => operand(0),
        _ => Form::through(look.cx, node, idx).map_or(vec![], |inner| hides(look, node.inputs[0], &inner)),
    }
}

/// A type that has minus infinity.
fn is_wide(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
}

/// `condition ? a : b` where one of them is minus infinity.
fn chosen(look: &Look, node: &Node, idx: &[Form]) -> Vec<Form> {
    let [condition, a, b] = node.inputs[..] else { return vec![] };
    let is_low = |value| number(look, value) == Some(f64::NEG_INFINITY);
    let (holds, other) = match (is_low(a), is_low(b)) {
        (false, true) => (true, a),
        (true, false) => (false, b),
        _ => return vec![],
    };
    [limits(look, condition, holds, idx), hides(look, other, idx)].concat()
}

/// The number that all elements of a value are.
fn number(look: &Look, mut value: ValueId) -> Option<f64> {
    while let Some(Node { op: Op::Broadcast(_) | Op::Reshape(_), inputs, .. }) = look.member(value) {
        value = inputs[0];
    }
    let tensor = look.cx.literal(value).filter(|tensor| is_wide(tensor.dtype()))?;
    Some(tensor.get(0).as_f64()).filter(|number| !number.is_nan())
}

/// Sums that are not negative where a truth value is `wanted`, each with a column once or minus once. There may be none.
fn limits(look: &Look, value: ValueId, wanted: bool, idx: &[Form]) -> Vec<Form> {
    let Some(node) = look.member(value) else { return vec![] };
    let operand = |at: usize, wanted| limits(look, node.inputs[at], wanted, idx);
    match &node.op {
        Op::Binary(op) if op.kind == if wanted { BinaryKind::And } else { BinaryKind::Or } => {
            [operand(0, wanted), operand(1, wanted)].concat()
        }
        Op::Unary(op) if op.kind == UnaryKind::Not => operand(0, !wanted),
        Op::Compare(op) => {
            let forms = [0, 1].map(|at| Form::of(look, node.inputs[at], idx));
            let [Some(a), Some(b)] = forms else { return vec![] };
            let all = compared(op.kind, wanted, &a, &b);
            all.into_iter().filter(|limit| limit.column.abs() == 1).collect()
        }
        _ => Form::through(look.cx, node, idx).map_or(vec![], |idx| limits(look, node.inputs[0], wanted, &idx)),
    }
}

/// Sums that are not negative where a comparison has this outcome.
fn compared(kind: CompareKind, wanted: bool, a: &Form, b: &Form) -> Vec<Form> {
    let at_least = |a: &Form, b: &Form| a.and(-1, b);
    let above = |a: &Form, b: &Form| at_least(a, b).plus(-1);
    match (kind, wanted) {
        (CompareKind::Lt, true) | (CompareKind::Ge, false) => vec![above(b, a)],
        (CompareKind::Le, true) | (CompareKind::Gt, false) => vec![at_least(b, a)],
        (CompareKind::Gt, true) | (CompareKind::Le, false) => vec![above(a, b)],
        (CompareKind::Ge, true) | (CompareKind::Lt, false) => vec![at_least(a, b)],
        (CompareKind::Eq, true) | (CompareKind::Ne, false) => vec![at_least(a, b), at_least(b, a)],
        (CompareKind::Eq, false) | (CompareKind::Ne, true) => vec![],
    }
}
