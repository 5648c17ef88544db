//! Sums, products and extremes.

use super::{Action, Match, Rule, always};
use crate::Exactness;
use crate::egraph::Eg;
use crate::scalars;
use egg::Id;
use ops::{Binary, BinaryKind::*, UnaryKind};
use tensor::{DType, Scalar};

const FINITE_UNSIGNED: Exactness = Exactness::FINITE.and(Exactness::SIGNED_ZERO);

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "neg-of-neg",
        exactness: Exactness::EXACT,
        algebra: "-(-x) = x",
        action: Action::Pattern("(neg (neg ?x))", "?x", always),
        example: |s| {
            let x = s.x(&[2, 3]);
            let y = s.unary(UnaryKind::Neg, x)?;
            s.unary(UnaryKind::Neg, y)
        },
    },
    Rule {
        name: "abs-of-abs",
        exactness: Exactness::EXACT,
        algebra: "||x|| = |x|",
        action: Action::Pattern("(abs (abs ?x))", "(abs ?x)", always),
        example: |s| {
            let x = s.x(&[2, 3]);
            let y = s.unary(UnaryKind::Abs, x)?;
            s.unary(UnaryKind::Abs, y)
        },
    },
    Rule {
        name: "abs-of-neg",
        exactness: Exactness::EXACT,
        algebra: "|-x| = |x|",
        action: Action::Pattern("(abs (neg ?x))", "(abs ?x)", always),
        example: |s| {
            let x = s.x(&[2, 3]);
            let y = s.unary(UnaryKind::Neg, x)?;
            s.unary(UnaryKind::Abs, y)
        },
    },
    Rule {
        name: "product-of-negatives",
        exactness: Exactness::EXACT,
        algebra: "(-x) * (-y) = x * y",
        action: Action::Pattern("(mul (neg ?x) (neg ?y))", "(mul ?x ?y)", always),
        example: |s| {
            let (x, y) = (s.x(&[2, 3]), s.x(&[2, 3]));
            let (x, y) = (s.unary(UnaryKind::Neg, x)?, s.unary(UnaryKind::Neg, y)?);
            s.binary(Mul, x, y)
        },
    },
    Rule {
        name: "add-of-neg",
        exactness: Exactness::EXACT,
        algebra: "x + (-y) = x - y",
        action: Action::Pattern("(add ?x (neg ?y))", "(sub ?x ?y)", not_constant_y),
        example: |s| {
            let (x, y) = (s.x(&[2, 3]), s.x(&[2, 3]));
            let y = s.unary(UnaryKind::Neg, y)?;
            s.binary(Add, x, y)
        },
    },
    Rule {
        name: "neg-add",
        exactness: Exactness::EXACT,
        algebra: "(-y) + x = x - y",
        action: Action::Pattern("(add (neg ?y) ?x)", "(sub ?x ?y)", not_constant_y),
        example: |s| {
            let (x, y) = (s.x(&[2, 3]), s.x(&[2, 3]));
            let y = s.unary(UnaryKind::Neg, y)?;
            s.binary(Add, y, x)
        },
    },
    Rule {
        name: "sub-of-neg",
        exactness: Exactness::EXACT,
        algebra: "x - (-y) = x + y",
        action: Action::Pattern("(sub ?x (neg ?y))", "(add ?x ?y)", always),
        example: |s| {
            let (x, y) = (s.x(&[2, 3]), s.x(&[2, 3]));
            let y = s.unary(UnaryKind::Neg, y)?;
            s.binary(Sub, x, y)
        },
    },
    Rule {
        name: "sub-constant",
        exactness: Exactness::EXACT,
        algebra: "x - c = x + (-c)",
        action: Action::Compute("(sub ?x ?c)", |eg, m| {
            let (x, c) = (m.id("?x"), m.id("?c"));
            (!eg.is_constant(x)).then_some(())?;
            let negated = eg.on_constants(ops::Unary { kind: UnaryKind::Neg }, &[c])?;
            eg.binary(Add, x, negated)
        }),
        example: |s| {
            let x = s.x(&[2, 3]);
            let c = s.spread(&[3], x)?;
            s.binary(Sub, x, c)
        },
    },
    Rule {
        name: "add-zero",
        exactness: Exactness::EXACT,
        algebra: "x + (-0) = x, and x + 0 = x for integers",
        action: Action::Pattern("(add ?x ?c)", "?x", |eg, m| {
            eg.is_number(m.id("?c"), -0.0) || eg.is_int(m.id("?c")) && eg.is_zero(m.id("?c"))
        }),
        example: |s| {
            let x = s.x(&[2, 3]);
            s.with(Add, x, -0.0)
        },
    },
    Rule {
        name: "add-positive-zero",
        exactness: Exactness::SIGNED_ZERO,
        algebra: "x + 0 = x",
        action: Action::Pattern("(add ?x ?c)", "?x", |eg, m| eg.is_zero(m.id("?c"))),
        example: |s| {
            let x = s.x(&[2, 3]);
            s.with(Add, x, 0.0)
        },
    },
    Rule {
        name: "sub-zero",
        exactness: Exactness::EXACT,
        algebra: "x - 0 = x",
        action: Action::Pattern("(sub ?x ?c)", "?x", |eg, m| eg.is_number(m.id("?c"), 0.0)),
        example: |s| {
            let x = s.x(&[2, 3]);
            s.with(Sub, x, 0.0)
        },
    },
    Rule {
        name: "mul-one",
        exactness: Exactness::EXACT,
        algebra: "x * 1 = x",
        action: Action::Pattern("(mul ?x ?c)", "?x", |eg, m| eg.is_number(m.id("?c"), 1.0)),
        example: |s| {
            let x = s.x(&[2, 3]);
            s.with(Mul, x, 1.0)
        },
    },
    Rule {
        name: "div-one",
        exactness: Exactness::EXACT,
        algebra: "x / 1 = x",
        action: Action::Pattern("(div ?x ?c)", "?x", |eg, m| eg.is_number(m.id("?c"), 1.0)),
        example: |s| {
            let x = s.x(&[2, 3]);
            s.with(Div, x, 1.0)
        },
    },
    Rule {
        name: "mul-zero-integer",
        exactness: Exactness::EXACT,
        algebra: "x * 0 = 0 for integers",
        action: Action::Pattern("(mul ?x ?c)", "?c", |eg, m| eg.is_int(m.id("?c")) && eg.is_zero(m.id("?c"))),
        example: |s| {
            let x = s.typed(DType::I32, &[2, 3]);
            s.with(Mul, x, 0.0)
        },
    },
    Rule {
        name: "mul-zero",
        exactness: FINITE_UNSIGNED,
        algebra: "x * 0 = 0",
        action: Action::Pattern("(mul ?x ?c)", "?c", |eg, m| eg.is_zero(m.id("?c"))),
        example: |s| {
            let x = s.x(&[2, 3]);
            s.with(Mul, x, 0.0)
        },
    },
    Rule {
        name: "sub-itself-integer",
        exactness: Exactness::EXACT,
        algebra: "x - x = 0 for integers",
        action: Action::Compute("(sub ?x ?x)", |eg, m| {
            eg.is_int(m.id("?x")).then_some(())?;
            zeros_like(eg, m.id("?x"))
        }),
        example: |s| {
            let x = s.typed(DType::I32, &[2, 3]);
            s.binary(Sub, x, x)
        },
    },
    Rule {
        name: "sub-itself",
        exactness: Exactness::FINITE,
        algebra: "x - x = 0",
        action: Action::Compute("(sub ?x ?x)", |eg, m| zeros_like(eg, m.id("?x"))),
        example: |s| {
            let x = s.x(&[2, 3]);
            s.binary(Sub, x, x)
        },
    },
    Rule {
        name: "div-by-power-of-two",
        exactness: Exactness::EXACT,
        algebra: "x / c = x * (1/c) where c is a power of two",
        action: Action::Compute("(div ?x ?c)", |eg, m| {
            let (x, c) = (m.id("?x"), m.id("?c"));
            let (number, dtype) = (eg.splat(c)?, eg.dtype(c)?);
            scalars::has_exact_inverse(number, dtype).then_some(())?;
            let shape = eg.shape(c).to_vec();
            let inverse = eg.number(dtype, 1.0 / number.as_f64(), &shape)?;
            eg.binary(Mul, x, inverse)
        }),
        example: |s| {
            let x = s.x(&[2, 3]);
            s.with(Div, x, 8.0)
        },
    },
    Rule {
        name: "div-by-constant",
        exactness: Exactness::REROUNDS,
        algebra: "x / c = x * (1/c)",
        action: Action::Compute("(div ?x ?c)", |eg, m| {
            let (x, c) = (m.id("?x"), m.id("?c"));
            (eg.is_float(c) && !eg.is_constant(x) && !eg.is_zero(c)).then_some(())?;
            let core = eg.core(c)?;
            let (dtype, shape) = (eg.dtype(core)?, eg.shape(core).to_vec());
            let one = eg.number(dtype, 1.0, &shape)?;
            let inverse = eg.binary(Div, one, core)?;
            let shape = eg.shape(c).to_vec();
            let inverse = eg.broadcast(inverse, &shape)?;
            eg.binary(Mul, x, inverse)
        }),
        example: |s| {
            let x = s.x(&[2, 3]);
            let c = s.spread(&[3], x)?;
            s.binary(Div, x, c)
        },
    },
    Rule {
        name: "add-of-constants-integer",
        exactness: Exactness::EXACT,
        algebra: "(x + a) + b = x + (a + b) for integers",
        action: Action::Compute("(add (add ?x ?a) ?b)", |eg, m| {
            eg.is_int(m.id("?b")).then_some(())?;
            reassociated(eg, m, Binary { kind: Add })
        }),
        example: |s| {
            let x = s.typed(DType::I32, &[2, 3]);
            let y = s.with(Add, x, 5.0)?;
            s.with(Add, y, -7.0)
        },
    },
    Rule {
        name: "add-of-constants",
        exactness: Exactness::REROUNDS,
        algebra: "(x + a) + b = x + (a + b)",
        action: Action::Compute("(add (add ?x ?a) ?b)", |eg, m| reassociated(eg, m, Binary { kind: Add })),
        example: |s| {
            let x = s.x(&[2, 3]);
            let a = s.spread(&[3], x)?;
            let y = s.binary(Add, x, a)?;
            let b = s.spread(&[2, 1], x)?;
            s.binary(Add, y, b)
        },
    },
    Rule {
        name: "mul-of-constants",
        exactness: Exactness::REROUNDS,
        algebra: "(x * a) * b = x * (a * b)",
        action: Action::Compute("(mul (mul ?x ?a) ?b)", |eg, m| reassociated(eg, m, Binary { kind: Mul })),
        example: |s| {
            let x = s.x(&[2, 3]);
            let a = s.spread(&[3], x)?;
            let y = s.binary(Mul, x, a)?;
            s.with(Mul, y, 3.0)
        },
    },
    Rule {
        name: "mul-over-add",
        exactness: Exactness::REROUNDS,
        algebra: "(x + a) * b = x * b + a * b",
        action: Action::Compute("(mul (add ?x ?a) ?b)", |eg, m| {
            let (x, a, b) = (m.id("?x"), m.id("?a"), m.id("?b"));
            (!eg.is_constant(x) && !is_neutral(eg, a) && !is_neutral(eg, b)).then_some(())?;
            let shift = eg.on_constants(Binary { kind: Mul }, &[a, b])?;
            let scaled = eg.binary(Mul, x, b)?;
            eg.binary(Add, scaled, shift)
        }),
        example: |s| {
            let x = s.x(&[2, 3]);
            let a = s.spread(&[3], x)?;
            let y = s.binary(Add, x, a)?;
            let b = s.spread(&[3], x)?;
            s.binary(Mul, y, b)
        },
    },
    Rule {
        name: "common-factor",
        exactness: Exactness::REROUNDS,
        algebra: "x * c + y * c = (x + y) * c",
        action: Action::Pattern("(add (mul ?x ?c) (mul ?y ?c))", "(mul (add ?x ?y) ?c)", |eg, m| {
            eg.is_constant(m.id("?c")) && !eg.is_constant(m.id("?x")) && !eg.is_constant(m.id("?y"))
        }),
        example: |s| {
            let (x, y) = (s.x(&[2, 3]), s.x(&[2, 3]));
            let (x, y) = (s.with(Mul, x, 3.0)?, s.with(Mul, y, 3.0)?);
            s.binary(Add, x, y)
        },
    },
    Rule {
        name: "max-of-constants",
        exactness: Exactness::EXACT,
        algebra: "max(max(x, a), b) = max(x, max(a, b))",
        action: Action::Compute("(max (max ?x ?a) ?b)", |eg, m| reassociated(eg, m, Binary { kind: Max })),
        example: |s| {
            let x = s.x(&[2, 3]);
            let y = s.with(Max, x, 0.0)?;
            s.with(Max, y, -1.0)
        },
    },
    Rule {
        name: "min-of-constants",
        exactness: Exactness::EXACT,
        algebra: "min(min(x, a), b) = min(x, min(a, b))",
        action: Action::Compute("(min (min ?x ?a) ?b)", |eg, m| reassociated(eg, m, Binary { kind: Min })),
        example: |s| {
            let x = s.x(&[2, 3]);
            let y = s.with(Min, x, 0.0)?;
            s.with(Min, y, 1.0)
        },
    },
    Rule {
        name: "max-repeated",
        exactness: Exactness::EXACT,
        algebra: "max(max(x, y), y) = max(x, y)",
        action: Action::Pattern("(max (max ?x ?y) ?y)", "(max ?x ?y)", always),
        example: |s| {
            let (x, y) = (s.x(&[2, 3]), s.x(&[2, 3]));
            let z = s.binary(Max, x, y)?;
            s.binary(Max, z, y)
        },
    },
    Rule {
        name: "min-repeated",
        exactness: Exactness::EXACT,
        algebra: "min(min(x, y), y) = min(x, y)",
        action: Action::Pattern("(min (min ?x ?y) ?y)", "(min ?x ?y)", always),
        example: |s| {
            let (x, y) = (s.x(&[2, 3]), s.x(&[2, 3]));
            let z = s.binary(Min, x, y)?;
            s.binary(Min, z, y)
        },
    },
    Rule {
        name: "max-itself",
        exactness: Exactness::EXACT,
        algebra: "max(x, x) = x",
        action: Action::Pattern("(max ?x ?x)", "?x", always),
        example: |s| {
            let x = s.x(&[2, 3]);
            s.binary(Max, x, x)
        },
    },
    Rule {
        name: "min-itself",
        exactness: Exactness::EXACT,
        algebra: "min(x, x) = x",
        action: Action::Pattern("(min ?x ?x)", "?x", always),
        example: |s| {
            let x = s.x(&[2, 3]);
            s.binary(Min, x, x)
        },
    },
    Rule {
        name: "mod-power-of-two",
        exactness: Exactness::EXACT,
        algebra: "x mod 2^k = x and (2^k - 1) for unsigned x",
        action: Action::Compute("(mod ?x ?c)", |eg, m| {
            let (x, c) = (m.id("?x"), m.id("?c"));
            let dtype = eg.dtype(c)?;
            let Some(Scalar::Int(number)) = eg.splat(c) else {
                return None;
            };
            let is_power = number > 0 && number & (number - 1) == 0;
            (dtype.is_unsigned_int() && is_power && number < 1 << 53).then_some(())?;
            let shape = eg.shape(c).to_vec();
            let mask = eg.number(dtype, (number - 1) as f64, &shape)?;
            eg.binary(And, x, mask)
        }),
        example: |s| {
            let x = s.typed(DType::U8, &[2, 3]);
            s.with(Mod, x, 4.0)
        },
    },
];

fn not_constant_y(eg: &Eg, m: &Match) -> bool {
    !eg.is_constant(m.id("?y"))
}

fn zeros_like(eg: &mut Eg, x: Id) -> Option<Id> {
    let (dtype, shape) = (eg.dtype(x)?, eg.shape(x).to_vec());
    eg.number(dtype, 0.0, &shape)
}

/// Whether a constant is 0 or 1 everywhere: moving those about makes ever new forms of the same.
fn is_neutral(eg: &Eg, id: Id) -> bool {
    eg.is_zero(id) || eg.is_number(id, 1.0)
}

/// `f(f(x, a), b)` as `f(x, f(a, b))`, for constants `a` and `b`.
fn reassociated(eg: &mut Eg, m: &Match, op: Binary) -> Option<Id> {
    let (x, a, b) = (m.id("?x"), m.id("?a"), m.id("?b"));
    let moves = matches!(op.kind, Max | Min) || !is_neutral(eg, a) && !is_neutral(eg, b);
    let known = eg.has_with_constant(m.root, &op.clone().into(), x);
    (moves && !known && !eg.is_constant(x)).then_some(())?;
    let constant = eg.on_constants(op.clone(), &[a, b])?;
    eg.emit(op, &[x, constant])
}
