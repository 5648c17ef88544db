//! Reductions.

use super::{Action, Match, Rule};
use crate::Exactness;
use crate::egraph::Eg;
use crate::shapes::others;
use egg::Id;
use ops::{ArgKind, ArgReduce, BinaryKind, Broadcast, Op, Reduce, ReduceKind, Unary, UnaryKind};
use tensor::Dim;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "extreme-of-extreme",
        exactness: Exactness::EXACT,
        algebra: "max_b(max_a x) = max_(a, b) x",
        action: Action::Compute("(reduce ?b (reduce ?a ?x))", |eg, m| {
            nested(eg, m, |kind| matches!(kind, ReduceKind::Max | ReduceKind::Min))
        }),
        example: |s| {
            let x = s.x(&[2, 3, 4]);
            let y = s.builder.reduce(ReduceKind::Max, x, &[1], false).ok()?;
            s.builder.reduce(ReduceKind::Max, y, &[1], false).ok()
        },
    },
    Rule {
        name: "sum-of-sum",
        exactness: Exactness::REROUNDS,
        algebra: "sum_b(sum_a x) = sum_(a, b) x",
        action: Action::Compute("(reduce ?b (reduce ?a ?x))", |eg, m| {
            nested(eg, m, |kind| matches!(kind, ReduceKind::Sum | ReduceKind::Prod))
        }),
        example: |s| {
            let x = s.x(&[2, 3, 4]);
            let y = s.builder.reduce(ReduceKind::Sum, x, &[0], false).ok()?;
            s.builder.reduce(ReduceKind::Sum, y, &[1], false).ok()
        },
    },
    Rule {
        name: "sum-of-scaled",
        exactness: Exactness::REROUNDS,
        algebra: "sum(x * c) = (sum x) * c, for c the same everywhere",
        action: Action::Compute("(reduce ?r (mul ?x ?c))", |eg, m| {
            let (x, reduce) = (m.id("?x"), eg.attr::<Reduce>(m.id("?r"))?);
            let core = eg.core(m.id("?c")).filter(|core| eg.rank(*core) == 0)?;
            (reduce.kind == ReduceKind::Sum && eg.is_float(x)).then_some(())?;
            let sum = eg.emit(reduce, &[x])?;
            let shape = eg.shape(sum).to_vec();
            let factor = eg.broadcast(core, &shape)?;
            eg.binary(BinaryKind::Mul, sum, factor)
        }),
        example: |s| {
            let x = s.x(&[2, 3]);
            let y = s.with(BinaryKind::Mul, x, 3.0)?;
            s.builder.reduce(ReduceKind::Sum, y, &[1], false).ok()
        },
    },
    Rule {
        name: "extreme-of-broadcast",
        exactness: Exactness::EXACT,
        algebra: "max(broadcast x) = x, over repeated axes",
        action: Action::Compute("(reduce ?r (broadcast ?b ?x))", |eg, m| {
            let (x, reduce) = (m.id("?x"), eg.attr::<Reduce>(m.id("?r"))?);
            let repeated = eg.attr::<Broadcast>(m.id("?b"))?.shape;
            matches!(reduce.kind, ReduceKind::Max | ReduceKind::Min).then_some(())?;
            let missing = repeated.len().checked_sub(eg.rank(x))?;
            // Of no elements the extreme is infinite, so an axis must be known to have some.
            let is_repeated = |axis: &usize| {
                let single = *axis < missing || eg.shape(x)[axis - missing] == Dim::from(1);
                single && repeated[*axis].as_const().is_some_and(|n| n > 0)
            };
            reduce.axes.iter().all(is_repeated).then_some(())?;
            let kept = others(repeated.len(), &reduce.axes);
            let small = kept.iter().filter_map(|axis| axis.checked_sub(missing));
            let small: Vec<Dim> = small.map(|axis| eg.shape(x)[axis].clone()).collect();
            let target: Vec<Dim> = kept.iter().map(|axis| repeated[*axis].clone()).collect();
            let squeezed = eg.reshape(x, small)?;
            eg.broadcast(squeezed, &target)
        }),
        example: |s| {
            let x = s.x(&[3, 1]);
            let y = s.broadcast(x, &[2, 3, 4])?;
            s.builder.reduce(ReduceKind::Max, y, &[0, 2], false).ok()
        },
    },
    Rule {
        name: "reduce-of-units",
        exactness: Exactness::SIGNED_ZERO,
        algebra: "reduce x = reshape x, over axes of size 1",
        action: Action::Compute("(reduce ?r ?x)", |eg, m| {
            let (x, reduce) = (m.id("?x"), eg.attr::<Reduce>(m.id("?r"))?);
            let is_unit = |axis: &usize| eg.shape(x)[*axis] == Dim::from(1);
            reduce.axes.iter().all(is_unit).then_some(())?;
            let kept = others(eg.rank(x), &reduce.axes).into_iter();
            let shape = kept.map(|axis| eg.shape(x)[axis].clone()).collect();
            eg.reshape(x, shape)
        }),
        example: |s| {
            let x = s.x(&[2, 1, 3]);
            s.builder.reduce(ReduceKind::Sum, x, &[1], false).ok()
        },
    },
    Rule {
        name: "place-of-monotone",
        exactness: Exactness::APPROXIMATE,
        algebra: "argmax(f x) = argmax x, for rising f",
        action: Action::Nodes(&["arg-reduce"], |eg, op, inputs| {
            use UnaryKind::*;
            let rises = |kind| matches!(kind, Exp | Expm1 | Sigmoid | Tanh | Atan | Sinh | Erf);
            let members = eg.members::<Unary>(inputs[0]).into_iter();
            let (_, source) = members.into_iter().find(|(unary, _)| rises(unary.kind))?;
            let Op::ArgReduce(op) = op else { return None };
            eg.emit(op.clone(), &source)
        }),
        example: |s| {
            let x = s.x(&[2, 5]);
            let y = s.unary(UnaryKind::Sigmoid, x)?;
            let op = ArgReduce { kind: ArgKind::Max, axis: 1, last: false };
            s.emit(op, &[y])
        },
    },
];

/// Two reductions of one kind as one.
fn nested(eg: &mut Eg, m: &Match, accepts: fn(ReduceKind) -> bool) -> Option<Id> {
    let (inner, outer) = (eg.attr::<Reduce>(m.id("?a"))?, eg.attr::<Reduce>(m.id("?b"))?);
    (inner.kind == outer.kind && accepts(inner.kind)).then_some(())?;
    let x = m.id("?x");
    let kept = others(eg.rank(x), &inner.axes);
    let mut axes = inner.axes;
    axes.extend(outer.axes.iter().map(|axis| kept[*axis]));
    axes.sort_unstable();
    eg.emit(Reduce { kind: inner.kind, axes }, &[x])
}
