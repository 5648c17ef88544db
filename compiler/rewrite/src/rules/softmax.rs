//! Softmax, as models are made of it: exponentials over their sum.

use super::{Action, Rule};
use crate::Exactness;
use crate::egraph::Eg;
use egg::Id;
use ops::{BinaryKind::*, Reduce, ReduceKind, Reshape, Unary, UnaryKind};

pub(super) const RULES: &[Rule] = &[Rule {
    name: "exp-over-its-sum",
    exactness: Exactness::REROUNDS,
    algebra: "e / sum e = e * (1 / sum e), for e = exp x",
    // A sum is at least each of its terms, so that its inverse loses what the quotient has only where the exponentials
    // themselves are subnormal numbers.
    action: Action::Compute("(div (exp ?x) (broadcast ?b ?s))", |eg, m| {
        let (x, sum) = (m.id("?x"), m.id("?s"));
        let exp = eg.emit(Unary { kind: UnaryKind::Exp }, &[x])?;
        is_sum_of(eg, sum, exp).then_some(())?;
        let (dtype, shape) = (eg.dtype(sum)?, eg.shape(sum).to_vec());
        let one = eg.number(dtype, 1.0, &shape)?;
        let inverse = eg.binary(Div, one, sum)?;
        let shape = eg.shape(exp).to_vec();
        let inverse = eg.broadcast(inverse, &shape)?;
        eg.binary(Mul, exp, inverse)
    }),
    example: |s| {
        let x = s.x(&[3, 5]);
        let e = s.unary(UnaryKind::Exp, x)?;
        let sum = s.builder.reduce(ReduceKind::Sum, e, &[1], true).ok()?;
        let sum = s.broadcast(sum, &[3, 5])?;
        s.binary(Div, e, sum)
    },
}];

/// Whether a value is the sum of another over some axes, with or without axes of size 1 in their place.
fn is_sum_of(eg: &Eg, sum: Id, of: Id) -> bool {
    let views = eg.members::<Reshape>(sum).into_iter().map(|(_, inputs)| inputs[0]);
    views.chain([sum]).any(|view| {
        let reductions = eg.members::<Reduce>(view);
        reductions.iter().any(|(op, inputs)| op.kind == ReduceKind::Sum && eg.same(inputs[0], of))
    })
}
