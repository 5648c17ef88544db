//! Numbers that a kernel computes from positions, as sums: `row`, `column`, indices of the batch, sizes, and what is read at an
//! index of the batch.
//!
//! Sums of positions and lengths are taken not to wrap: both are far below 2^63.

use crate::context::{Cx, Scope};
use crate::index::Idx;
use graph::{Node, ValueId};
use kernels::text::{Scalar, Val, Writer};
use ops::{BinaryKind, Op, UnaryKind};
use std::cell::Cell;
use tensor::Dim;

/// A look at expressions that ends: after so many members it sees leaves only. Values that are used often would otherwise be
/// looked at as often as there are ways to them.
pub(crate) struct Look<'c, 'a> {
    pub(crate) cx: &'c Cx<'a>,
    left: Cell<u32>,
}

impl<'c, 'a> Look<'c, 'a> {
    pub(crate) fn new(cx: &'c Cx<'a>) -> Look<'c, 'a> {
        Look { cx, left: Cell::new(2000) }
    }

    /// The member that computes a value.
    pub(crate) fn member(&self, value: ValueId) -> Option<&'a Node> {
        let left = self.left.get().checked_sub(1)?;
        self.left.set(left);
        self.cx.member(value)
    }
}

/// A sum, for each row and column of each matrix of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// How often the row counts.
    pub(crate) row: i64,
    /// How often the column counts.
    pub(crate) column: i64,
    /// How often each index of the batch counts.
    batch: Vec<i64>,
    /// What is the same everywhere.
    constant: Dim,
    /// Elements of integer tensors, and how often they count.
    read: Vec<(i64, Read)>,
}

/// The element of a value at an index that has neither row nor column in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Read {
    value: ValueId,
    idx: Vec<Form>,
}

impl Form {
    fn constant(rank: usize, constant: Dim) -> Form {
        Form { row: 0, column: 0, batch: vec![0; rank], constant, read: vec![] }
    }

    /// The indices of a value with the axes of the batch, rows and columns.
    pub(crate) fn indices(rank: usize) -> Vec<Form> {
        let zero = Form::constant(rank, 0.into());
        let mut all: Vec<Form> = (0..rank)
            .map(|axis| {
                let mut form = zero.clone();
                form.batch[axis] = 1;
                form
            })
            .collect();
        all.push(Form { row: 1, ..zero.clone() });
        all.push(Form { column: 1, ..zero });
        all
    }

    /// The sum of this and a number.
    pub(crate) fn plus(&self, number: i64) -> Form {
        Form { constant: self.constant.clone() + number.into(), ..self.clone() }
    }

    /// This and so many times another.
    pub(crate) fn and(&self, times: i64, other: &Form) -> Form {
        let mut sum = self.clone();
        sum.row += times * other.row;
        sum.column += times * other.column;
        sum.batch.iter_mut().zip(&other.batch).for_each(|(sum, more)| *sum += times * more);
        sum.constant = sum.constant + other.constant.clone() * times.into();
        sum.read.extend(other.read.iter().map(|(n, read)| (times * n, read.clone())));
        sum
    }

    /// So many times this.
    fn times(&self, times: i64) -> Form {
        Form::constant(self.batch.len(), 0.into()).and(times, self)
    }

    /// Whether it is the same for all rows and columns of a matrix.
    fn is_of_batch(&self) -> bool {
        self.row == 0 && self.column == 0
    }

    /// The number, if it is one.
    fn number(&self) -> Option<i64> {
        let alone = self.is_of_batch() && self.read.is_empty() && self.batch.iter().all(|n| *n == 0);
        self.constant.as_const().filter(|_| alone)
    }

    /// The index of a node's operand where the result is read at this one, if the node is a view.
    pub(crate) fn through(cx: &Cx, node: &Node, idx: &[Form]) -> Option<Vec<Form>> {
        let rank = idx.first().map_or(0, |form| form.batch.len());
        let zero = Form::constant(rank, 0.into());
        let (from, to) = (&cx.ty(*node.inputs.first()?).shape, &cx.ty(node.outputs[0]).shape);
        let one = Dim::from(1);
        match &node.op {
            Op::Transpose(op) => {
                let mut inner = idx.to_vec();
                op.perm.iter().zip(idx).for_each(|(axis, form)| inner[*axis] = form.clone());
                Some(inner)
            }
            Op::Broadcast(_) => {
                let missing = to.len() - from.len();
                let axis = |(axis, dim): (usize, &Dim)| match (*dim == to[axis + missing], *dim == one) {
                    (true, _) => Some(idx[axis + missing].clone()),
                    (false, true) => Some(zero.clone()),
                    // Repeated, or not: only a run knows.
                    (false, false) => None,
                };
                from.iter().enumerate().map(axis).collect()
            }
            // Inside of a kernel only axes of one element come and go.
            Op::Reshape(_) => {
                let mut walked = idx.iter().zip(to).filter(|(_, dim)| **dim != one).map(|(form, _)| form.clone());
                let axis = |dim: &Dim| if *dim == one { Some(zero.clone()) } else { walked.next() };
                from.iter().map(axis).collect()
            }
            Op::Slice(op) => {
                let axis = |(axis, form): (usize, &Form)| {
                    let start = Form::constant(rank, op.starts[axis].clone());
                    start.and(op.steps[axis], form)
                };
                Some(idx.iter().enumerate().map(axis).collect())
            }
            _ => None,
        }
    }

    /// A signed integer at an index.
    pub(crate) fn of(look: &Look, value: ValueId, idx: &[Form]) -> Option<Form> {
        let cx = look.cx;
        if !cx.ty(value).dtype.is_signed_int() {
            return None;
        }
        let rank = idx.first().map_or(0, |form| form.batch.len());
        if let Some(tensor) = cx.literal(value) {
            return Some(Form::constant(rank, i64::try_from(tensor.get(0).as_int()).ok()?.into()));
        }
        // What a matrix has one of is read, however it is computed.
        let read = || {
            let read = Read { value, idx: idx.to_vec() };
            let form = Form { read: vec![(1, read)], ..Form::constant(rank, 0.into()) };
            idx.iter().all(Form::is_of_batch).then_some(form)
        };
        Form::of_node(look, value, idx).or_else(read)
    }

    fn of_node(look: &Look, value: ValueId, idx: &[Form]) -> Option<Form> {
        let node = look.member(value)?;
        let operand = |at: usize| Form::of(look, node.inputs[at], idx);
        match &node.op {
            Op::Iota(op) => Some(idx[op.axis].clone()),
            Op::Unary(op) if op.kind == UnaryKind::Neg => Some(operand(0)?.times(-1)),
            Op::Binary(op) => match op.kind {
                BinaryKind::Add => Some(operand(0)?.and(1, &operand(1)?)),
                BinaryKind::Sub => Some(operand(0)?.and(-1, &operand(1)?)),
                BinaryKind::Mul => {
                    let (a, b) = (operand(0)?, operand(1)?);
                    match (a.number(), b.number()) {
                        (Some(times), _) => Some(b.times(times)),
                        (_, Some(times)) => Some(a.times(times)),
                        _ => None,
                    }
                }
                _ => None,
            },
            Op::Cast(_) => {
                let form = operand(0)?;
                let [from, to] = [node.inputs[0], value].map(|value| look.cx.ty(value).dtype.size());
                // Positions and sizes fit into 32 bits; what is read need not.
                (to >= from || to >= 4 && form.read.is_empty()).then_some(form)
            }
            _ => {
                let inner = Form::through(look.cx, node, idx)?;
                Form::of(look, node.inputs[0], &inner)
            }
        }
    }

    /// The sum at a row, but for its column, as an `i64`.
    pub(crate) fn at_row(&self, cx: &Cx, w: &mut Writer, batch: &[Val], row: Val) -> Val {
        let mut sum = cx.dim(w, &self.constant);
        let own = [(self.row, row)].into_iter().chain(self.batch.iter().copied().zip(batch.iter().copied()));
        for (times, index) in own.filter(|(times, _)| *times != 0) {
            let times = w.i64(times);
            let more = w.muli(index, times);
            sum = w.addi(sum, more);
        }
        for (times, read) in &self.read {
            let idx: Vec<Idx> = read.idx.iter().map(|form| Idx::Uniform(form.at_row(cx, w, batch, row))).collect();
            let found = cx.value(w, &mut Scope::new(1, None), read.value, &idx);
            let (found, times) = (w.int_to_int(found, Scalar::I64, true), w.i64(*times));
            let more = w.muli(found, times);
            sum = w.addi(sum, more);
        }
        sum
    }
}
