//! Transposed operands on the host: squares of them are turned in registers.
//!
//! Neighbors of the result are far apart in such an operand, so a vector of it would be a gather: a load for each lane. But as
//! many results further along another axis have the elements beside these. So a square is loaded by rows as it lies in
//! memory, transposed by shuffles, and kept for the results that read its columns.

use crate::context::{Cx, Scope};
use crate::index::Idx;
use crate::map::{each_vector, elements};
use crate::types::{compute, lanes_of};
use graph::ValueId;
use kernels::text::{Access, Scalar, Ty, Val, Writer};
use ops::Op;
use tensor::Dim;

/// Places along the axis that one host task takes: as many floats as a line of cache holds.
pub(crate) const PLACES: i64 = 16;

/// Transposed members of a region, and the outer axis of the result along which they have their neighbors in memory.
pub(crate) struct Turned {
    pub(crate) axis: usize,
    members: Vec<Member>,
    lanes: u32,
}

#[derive(Clone, Copy)]
struct Member {
    value: ValueId,
    elem: Scalar,
}

/// The piece of a task: places `first..end` along the axis, for elements `lo..hi` of the innermost axis.
pub(crate) struct Piece<'a> {
    pub(crate) outer: &'a [Idx],
    pub(crate) places: [Val; 2],
    pub(crate) inner: &'a Dim,
    pub(crate) ends: [Val; 2],
    pub(crate) scratch: Option<Val>,
}

impl Turned {
    /// The members that all share the axis of the first, if there is one.
    pub(crate) fn of(cx: &Cx, lanes: u32) -> Option<Turned> {
        let found = cx.region.members.iter().filter_map(|idx| turned(cx, *idx));
        let found: Vec<(usize, Member)> = if cx.anchor().is_none() { found.collect() } else { vec![] };
        let axis = found.first()?.0;
        let members = found.iter().filter(|(other, _)| *other == axis).map(|(_, member)| *member).collect();
        Some(Turned { axis, members, lanes })
    }

    /// Bytes of scratch memory: a square for each member that is kept in whole bytes.
    pub(crate) fn scratch(&self) -> Dim {
        let squares = self.squares().map(|member| self.bytes(member));
        Dim::from(squares.sum::<i64>())
    }

    fn squares(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.elem != Scalar::I1)
    }

    fn bytes(&self, member: &Member) -> i64 {
        i64::from(self.lanes * self.lanes * member.elem.bytes())
    }

    /// Writes the results of a piece, a vector of the innermost axis at a time with all its places.
    pub(crate) fn task(&self, cx: &Cx, w: &mut Writer, piece: &Piece) {
        let [first, end] = piece.places;
        let one = w.i64(1);
        each_vector(w, [self.lanes; 2], piece.inner, piece.ends, &mut |w, s, at| {
            let (lanes, mask) = (s.lanes, s.mask);
            let rest = match (piece.scratch, at) {
                (Some(scratch), Idx::Linear(start, 1)) if mask.is_none() => {
                    self.whole_squares(cx, w, piece, start, scratch)
                }
                _ => first,
            };
            w.for_loop(rest, end, one, &[], |w, place, _| {
                let mut outer = piece.outer.to_vec();
                outer[self.axis] = Idx::Uniform(place);
                elements(cx, w, &mut Scope::new(lanes, mask), &outer, at);
                vec![]
            });
        });
    }

    /// Results by whole squares, at `start` of the innermost axis; gives the first place that is left.
    fn whole_squares(&self, cx: &Cx, w: &mut Writer, piece: &Piece, start: Val, scratch: Val) -> Val {
        let at = Idx::Linear(start, 1);
        let [first, end] = piece.places;
        let (zero, one, lanes) = (w.i64(0), w.i64(1), w.i64(self.lanes.into()));
        let count = w.subi(end, first);
        let count = w.divsi(count, lanes);
        let whole = w.muli(count, lanes);
        let rest = w.addi(first, whole);
        w.for_loop(first, rest, lanes, &[], |w, corner, _| {
            let squares = self.fill(cx, w, piece, [corner, start], scratch);
            w.for_loop(zero, lanes, one, &[], |w, row, _| {
                let mut outer = piece.outer.to_vec();
                let place = w.addi(corner, row);
                outer[self.axis] = Idx::Uniform(place);
                let idx = [&outer[..], &[at]].concat();
                let mut scope = Scope::new(self.lanes, None);
                let skip = w.muli(row, lanes);
                for (member, square) in &squares {
                    let from = w.gep(*square, skip, member.elem.into());
                    let value = w.load(from, self.vector(member), Access::aligned(member.elem.bytes()));
                    scope.memo.insert((member.value, idx.clone()), value);
                }
                elements(cx, w, &mut scope, &outer, at);
                vec![]
            });
            vec![]
        });
        rest
    }

    fn vector(&self, member: &Member) -> Ty {
        lanes_of(member.elem, self.lanes)
    }

    /// Computes the squares at a corner, given as place and innermost index. Row `r` holds place `corner + r`.
    fn fill(
        &self,
        cx: &Cx,
        w: &mut Writer,
        piece: &Piece,
        [corner, start]: [Val; 2],
        scratch: Val,
    ) -> Vec<(Member, Val)> {
        let mut scope = Scope::new(self.lanes, None);
        let mut square = scratch;
        let mut filled = Vec::new();
        for member in self.squares() {
            let columns = (0..self.lanes).map(|column| {
                let by = w.i64(column.into());
                let mut idx = piece.outer.to_vec();
                idx[self.axis] = Idx::Linear(corner, 1);
                idx.push(Idx::Uniform(w.addi(start, by)));
                let value = cx.value(w, &mut scope, member.value, &idx);
                w.broadcast(value, self.vector(member))
            });
            let columns = columns.collect();
            for (row, value) in (0..).zip(transposed(w, columns)) {
                let place = w.gep_const(square, row * i64::from(self.lanes), member.elem.into());
                w.store(value, place, member.elem.bytes());
            }
            filled.push((*member, square));
            square = w.gep_const(square, i64::from(self.lanes * self.lanes), member.elem.into());
        }
        filled
    }
}

/// A transposition of the result's own shape, with the outer axis of the result that is the innermost of its operand.
fn turned(cx: &Cx, idx: usize) -> Option<(usize, Member)> {
    let node = &cx.graph.nodes[idx];
    let Op::Transpose(op) = &node.op else { return None };
    let axis = op.perm.iter().position(|from| from + 1 == op.perm.len())?;
    let (ty, shape) = (cx.ty(node.outputs[0]), &cx.ty(cx.region.result).shape);
    let member = Member { value: node.outputs[0], elem: compute(ty.dtype) };
    (axis + 1 < shape.len() && ty.shape == *shape).then_some((axis, member))
}

/// The columns of a square of vectors. Each step exchanges one bit of the row's number with one of the lane's.
pub(crate) fn transposed(w: &mut Writer, mut rows: Vec<Val>) -> Vec<Val> {
    let lanes = rows.len();
    let mut bit = lanes / 2;
    while bit > 0 {
        for row in (0..lanes).filter(|row| row & bit == 0) {
            let (a, b) = (rows[row], rows[row + bit]);
            let low: Vec<u32> = (0..lanes).map(|j| (if j & bit == 0 { j } else { lanes + j - bit }) as u32).collect();
            let high: Vec<u32> = (0..lanes).map(|j| (if j & bit == 0 { j + bit } else { lanes + j }) as u32).collect();
            (rows[row], rows[row + bit]) = (w.shuffle(a, b, &low), w.shuffle(a, b, &high));
        }
        bit /= 2;
    }
    rows
}
