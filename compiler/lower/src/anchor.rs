//! Loops inside an expression: what reductions, contractions and windows have in common.

use crate::context::{Cx, Scope};
use crate::index::Idx;
use crate::types::{compute, lanes_of};
use graph::Node;
use kernels::text::{FastMath, Reduce, Scalar, Val, Writer};
use ops::Op;
use tensor::DType;

/// How many vectors are accumulated side by side, to hide the latency of an addition.
const SIDE_BY_SIDE: u32 = 4;
/// How many vectors a function of elements is computed for at a time. One polynomial is a chain of operations each of which
/// waits for the one before; two fill the waits. A wider vector of the text is two of the machine, operation by operation.
pub(crate) const AT_A_TIME: u32 = 2;

impl Cx<'_> {
    /// The elements of an anchor at an index.
    pub(crate) fn anchor_value(&self, w: &mut Writer, s: &mut Scope, node: &Node, idx: &[Idx]) -> Val {
        match &node.op {
            Op::Reduce(op) => self.reduce(w, s, node, op, idx),
            Op::ArgReduce(op) => self.arg_reduce(w, s, node, op, idx),
            Op::Dot(op) => self.dot(w, s, node, op, idx),
            Op::Conv(op) => self.conv(w, s, node, op, idx),
            Op::Pool(op) => self.pool(w, s, node, op, idx),
            Op::PoolArgMax(op) => self.pool_arg_max(w, s, node, op, idx),
            _ => unreachable!("{} is not an anchor", node.op.name()),
        }
    }

    /// The type in which elements are summed: 16-bit floats in `f32`.
    pub(crate) fn accumulator(dtype: DType) -> Scalar {
        match dtype {
            DType::F16 | DType::BF16 => Scalar::F32,
            other => compute(other),
        }
    }

    /// The number of lanes of a result at this index.
    pub(crate) fn result_lanes(s: &Scope, idx: &[Idx]) -> u32 {
        if idx.iter().all(|i| i.is_uniform()) { 1 } else { s.lanes }
    }
}

/// A loop's body: the indices of all loops and the carried values to the next carried values.
type Body<'a> = dyn FnMut(&mut Writer, &[Val], &[Val]) -> Vec<Val> + 'a;
/// One step of a reduction: the indices of the loops around, the innermost one, and the accumulator to the next accumulator.
type Step<'a> = dyn FnMut(&mut Writer, &mut Scope, &[Val], Idx, Val) -> Val + 'a;

/// Nested loops from 0 to each extent, carrying values through.
pub(crate) fn nest(w: &mut Writer, extents: &[Val], carried: &[Val], body: &mut Body) -> Vec<Val> {
    fn level(w: &mut Writer, extents: &[Val], ivs: &mut Vec<Val>, carried: &[Val], body: &mut Body) -> Vec<Val> {
        let Some((extent, rest)) = extents.split_first() else { return body(w, ivs, carried) };
        if w.known_int(*extent) == Some(1) {
            let zero = w.i64(0);
            ivs.push(zero);
            let results = level(w, rest, ivs, carried, body);
            ivs.pop();
            return results;
        }
        let (zero, one) = (w.i64(0), w.i64(1));
        w.for_loop(zero, *extent, one, carried, |w, iv, carried| {
            ivs.push(iv);
            let results = level(w, rest, ivs, carried, body);
            ivs.pop();
            results
        })
    }
    level(w, extents, &mut Vec::new(), carried, body)
}

/// A reduction whose innermost loop takes several elements at a time.
pub(crate) struct RowReduction<'a> {
    /// Lanes of the target's vectors.
    pub(crate) wide: u32,
    /// Lanes of the innermost loop: those of one or several vectors.
    pub(crate) lanes: u32,
    /// Extents of the loops around it.
    pub(crate) outer: &'a [Val],
    /// Extent of the innermost loop.
    pub(crate) inner: Val,
    /// The neutral element.
    pub(crate) identity: Val,
    /// How lanes are combined at the end.
    pub(crate) kind: Reduce,
}

impl RowReduction<'_> {
    /// Runs `step` (scope, indices of the outer loops and of the inner one, accumulator) over all elements.
    /// Where the scope has a mask, lanes outside it must leave the accumulator as it is.
    pub(crate) fn run(&self, w: &mut Writer, scope: &Scope, step: &mut Step) -> Val {
        let ty = lanes_of(self.identity.ty.elem(), self.lanes);
        let known = w.known_int(self.inner);
        let side_by_side = self.vectors(w);
        let start = w.broadcast(self.identity, ty);
        let sums = nest(w, self.outer, &vec![start; side_by_side as usize], &mut |w, ivs, sums| {
            self.row(w, scope, ivs, sums, known, step)
        });
        let total = sums[1..].iter().fold(sums[0], |a, b| combine(w, self.kind, a, *b));
        let sums = matches!(self.kind, Reduce::Add | Reduce::Mul);
        w.with_fastmath(FastMath { any_zero: !sums, ..FastMath::REASSOC }, |w| w.reduce(self.kind, total))
    }

    /// How many accumulators there are: element `i` is combined into lane `i` modulo all of their lanes, then these in a fixed
    /// order. Where the row is too short for several there is one.
    fn vectors(&self, w: &Writer) -> u32 {
        let several = (SIDE_BY_SIDE * self.wide / self.lanes).max(1);
        let fits = w.known_int(self.inner).is_none_or(|n| n >= i64::from(self.lanes * several));
        if fits { several } else { 1 }
    }

    fn row(
        &self,
        w: &mut Writer,
        scope: &Scope,
        ivs: &[Val],
        sums: &[Val],
        known: Option<i64>,
        step: &mut Step,
    ) -> Vec<Val> {
        let lanes = i64::from(self.lanes);
        let width = w.i64(lanes * sums.len() as i64);
        let n_full = w.divsi(self.inner, width);
        let full = w.muli(n_full, width);
        let zero = w.i64(0);
        let sums = w.for_loop(zero, full, width, sums, |w, iv, sums| {
            let at = |w: &mut Writer, u: usize| {
                let by = w.i64(u as i64 * lanes);
                Idx::Linear(w.addi(iv, by), 1)
            };
            (0..sums.len())
                .map(|u| {
                    let idx = at(w, u);
                    step(w, &mut Scope { lanes: self.lanes, mask: None, ..scope.clone() }, ivs, idx, sums[u])
                })
                .collect()
        });
        if known.is_some_and(|n| n % (lanes * sums.len() as i64) == 0) {
            return sums;
        }
        let one_vector = w.i64(lanes);
        let first = w.for_loop(full, self.inner, one_vector, &sums[..1], |w, iv, sums| {
            let left = w.subi(self.inner, iv);
            let mask = w.tail_mask(left, self.lanes);
            let mut scope = Scope { lanes: self.lanes, mask: Some(mask), ..scope.clone() };
            vec![step(w, &mut scope, ivs, Idx::Linear(iv, 1), sums[0])]
        });
        [&first, &sums[1..]].concat()
    }
}

/// Two accumulators in one.
pub(crate) fn combine(w: &mut Writer, kind: Reduce, a: Val, b: Val) -> Val {
    match kind {
        Reduce::Add if a.ty.elem().is_float() => w.addf(a, b),
        Reduce::Add => w.addi(a, b),
        Reduce::Mul if a.ty.elem().is_float() => w.mulf(a, b),
        Reduce::Mul => w.muli(a, b),
        Reduce::And => w.andi(a, b),
        Reduce::Or => w.ori(a, b),
        Reduce::Xor => w.xori(a, b),
        Reduce::Minsi => w.minsi(a, b),
        Reduce::Maxsi => w.maxsi(a, b),
        Reduce::Minui => w.minui(a, b),
        Reduce::Maxui => w.maxui(a, b),
        // An operator does not say which of two zeros is larger.
        Reduce::Minnumf | Reduce::Minimumf => w.with_fastmath(FastMath::ANY_ZERO, |w| w.minimumf(a, b)),
        Reduce::Maxnumf | Reduce::Maximumf => w.with_fastmath(FastMath::ANY_ZERO, |w| w.maximumf(a, b)),
    }
}
