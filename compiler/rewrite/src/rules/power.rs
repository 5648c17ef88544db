//! Powers, roots and exponentials.

use super::{Action, Rule, always};
use crate::Exactness;
use ops::{BinaryKind::*, UnaryKind};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "pow-one",
        exactness: Exactness::EXACT,
        algebra: "x ^ 1 = x",
        action: Action::Pattern("(pow ?x ?c)", "?x", |eg, m| eg.is_number(m.id("?c"), 1.0)),
        example: |s| {
            let x = s.x(&[2, 3]);
            s.with(Pow, x, 1.0)
        },
    },
    Rule {
        name: "square",
        exactness: Exactness::FEWER_ROUNDINGS,
        algebra: "x ^ 2 = x * x",
        action: Action::Pattern("(pow ?x ?c)", "(mul ?x ?x)", |eg, m| eg.is_number(m.id("?c"), 2.0)),
        example: |s| {
            let x = s.x(&[2, 3]);
            s.with(Pow, x, 2.0)
        },
    },
    Rule {
        name: "cube",
        exactness: Exactness::REROUNDS,
        algebra: "x ^ 3 = (x * x) * x",
        action: Action::Pattern("(pow ?x ?c)", "(mul (mul ?x ?x) ?x)", |eg, m| eg.is_number(m.id("?c"), 3.0)),
        example: |s| {
            let x = s.x(&[2, 3]);
            s.with(Pow, x, 3.0)
        },
    },
    Rule {
        name: "inverse",
        exactness: Exactness::FEWER_ROUNDINGS,
        algebra: "x ^ -1 = 1 / x",
        action: Action::Compute("(pow ?x ?c)", |eg, m| {
            let (x, c) = (m.id("?x"), m.id("?c"));
            (eg.is_number(c, -1.0) && eg.is_float(x)).then_some(())?;
            let (dtype, shape) = (eg.dtype(x)?, eg.shape(x).to_vec());
            let one = eg.number(dtype, 1.0, &shape)?;
            eg.binary(Div, one, x)
        }),
        example: |s| {
            let x = s.x(&[2, 3]);
            s.with(Pow, x, -1.0)
        },
    },
    Rule {
        name: "root",
        exactness: Exactness::FINITE.and(Exactness::SIGNED_ZERO),
        algebra: "x ^ 0.5 = sqrt x",
        action: Action::Pattern("(pow ?x ?c)", "(sqrt ?x)", |eg, m| eg.is_number(m.id("?c"), 0.5)),
        example: |s| {
            let x = s.x(&[2, 3]);
            let x = s.unary(UnaryKind::Abs, x)?;
            s.with(Pow, x, 0.5)
        },
    },
    Rule {
        name: "root-squared",
        exactness: Exactness::REROUNDS.and(Exactness::FINITE),
        algebra: "sqrt x * sqrt x = x, for x that is not negative",
        action: Action::Pattern("(mul (sqrt ?x) (sqrt ?x))", "?x", always),
        example: |s| {
            let x = s.x(&[2, 3]);
            let x = s.unary(UnaryKind::Abs, x)?;
            let y = s.unary(UnaryKind::Sqrt, x)?;
            s.binary(Mul, y, y)
        },
    },
    Rule {
        name: "log-of-exp",
        exactness: Exactness::APPROXIMATE,
        algebra: "log(exp x) = x",
        action: Action::Pattern("(log (exp ?x))", "?x", always),
        example: |s| {
            let x = s.x(&[2, 3]);
            let y = s.unary(UnaryKind::Exp, x)?;
            s.unary(UnaryKind::Log, y)
        },
    },
    Rule {
        name: "quotient-of-exps",
        exactness: Exactness::REROUNDS.and(Exactness::FINITE),
        algebra: "exp x / exp y = exp(x - y)",
        action: Action::Pattern("(div (exp ?x) (exp ?y))", "(exp (sub ?x ?y))", always),
        example: |s| {
            let (x, y) = (s.x(&[2, 3]), s.x(&[2, 3]));
            let (x, y) = (s.unary(UnaryKind::Exp, x)?, s.unary(UnaryKind::Exp, y)?);
            s.binary(Div, x, y)
        },
    },
    Rule {
        name: "product-of-exps",
        exactness: Exactness::REROUNDS.and(Exactness::FINITE),
        algebra: "exp x * exp y = exp(x + y)",
        action: Action::Pattern("(mul (exp ?x) (exp ?y))", "(exp (add ?x ?y))", always),
        example: |s| {
            let (x, y) = (s.x(&[2, 3]), s.x(&[2, 3]));
            let (x, y) = (s.unary(UnaryKind::Exp, x)?, s.unary(UnaryKind::Exp, y)?);
            s.binary(Mul, x, y)
        },
    },
];
