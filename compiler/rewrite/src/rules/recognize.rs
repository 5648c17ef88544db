//! Functions that models spell out.

use super::{Action, Match, Rule};
use crate::Exactness;
use crate::egraph::Eg;
use ops::{BinaryKind::*, UnaryKind};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "sigmoid",
        exactness: Exactness::REROUNDS,
        algebra: "1 / (exp(-x) + 1) = sigmoid x",
        action: Action::Pattern("(div ?a (add (exp (neg ?x)) ?b))", "(sigmoid ?x)", both_one),
        example: |s| {
            let x = s.x(&[2, 3]);
            let y = s.unary(UnaryKind::Neg, x)?;
            let y = s.unary(UnaryKind::Exp, y)?;
            let y = s.with(Add, y, 1.0)?;
            let one = s.number(1.0, x)?;
            s.binary(Div, one, y)
        },
    },
    Rule {
        name: "sigmoid-flipped",
        exactness: Exactness::REROUNDS,
        algebra: "1 / (1 + exp(-x)) = sigmoid x",
        action: Action::Pattern("(div ?a (add ?b (exp (neg ?x))))", "(sigmoid ?x)", both_one),
        example: |s| {
            let x = s.x(&[2, 3]);
            let y = s.unary(UnaryKind::Neg, x)?;
            let y = s.unary(UnaryKind::Exp, y)?;
            let one = s.number(1.0, x)?;
            let y = s.binary(Add, one, y)?;
            s.binary(Div, one, y)
        },
    },
    Rule {
        name: "log1p",
        exactness: Exactness::FEWER_ROUNDINGS,
        algebra: "log(x + 1) = log1p x",
        action: Action::Pattern("(log (add ?x ?a))", "(log1p ?x)", |eg, m| eg.is_number(m.id("?a"), 1.0)),
        example: |s| {
            let x = s.x(&[2, 3]);
            let x = s.unary(UnaryKind::Abs, x)?;
            let y = s.with(Add, x, 1.0)?;
            s.unary(UnaryKind::Log, y)
        },
    },
    Rule {
        name: "expm1",
        exactness: Exactness::FEWER_ROUNDINGS,
        algebra: "exp x - 1 = expm1 x",
        action: Action::Pattern("(sub (exp ?x) ?a)", "(expm1 ?x)", |eg, m| eg.is_number(m.id("?a"), 1.0)),
        example: |s| {
            let x = s.x(&[2, 3]);
            let y = s.unary(UnaryKind::Exp, x)?;
            s.with(Sub, y, 1.0)
        },
    },
];

fn both_one(eg: &Eg, m: &Match) -> bool {
    eg.is_number(m.id("?a"), 1.0) && eg.is_number(m.id("?b"), 1.0)
}
