//! Choice by element.

use super::{Action, Rule, always};
use crate::Exactness;
use ops::{BinaryKind, Select, UnaryKind};
use tensor::DType;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "not-of-not",
        exactness: Exactness::EXACT,
        algebra: "not not x = x",
        action: Action::Pattern("(not (not ?x))", "?x", always),
        example: |s| {
            let x = s.typed(DType::Bool, &[2, 3]);
            let y = s.unary(UnaryKind::Not, x)?;
            s.unary(UnaryKind::Not, y)
        },
    },
    Rule {
        name: "select-same",
        exactness: Exactness::EXACT,
        algebra: "c ? x : x = x",
        action: Action::Pattern("(select ?c ?x ?x)", "?x", always),
        example: |s| {
            let (c, x) = (s.typed(DType::Bool, &[2, 3]), s.x(&[2, 3]));
            s.emit(Select {}, &[c, x, x])
        },
    },
    Rule {
        name: "select-not",
        exactness: Exactness::EXACT,
        algebra: "not c ? x : y = c ? y : x",
        action: Action::Pattern("(select (not ?c) ?x ?y)", "(select ?c ?y ?x)", always),
        example: |s| {
            let (c, x, y) = (s.typed(DType::Bool, &[2, 3]), s.x(&[2, 3]), s.x(&[2, 3]));
            let c = s.unary(UnaryKind::Not, c)?;
            s.emit(Select {}, &[c, x, y])
        },
    },
    Rule {
        name: "select-known",
        exactness: Exactness::EXACT,
        algebra: "true ? x : y = x",
        action: Action::Compute("(select ?c ?x ?y)", |eg, m| {
            let condition = eg.splat(m.id("?c"))?;
            Some(m.id(if condition.as_bool() { "?x" } else { "?y" }))
        }),
        example: |s| {
            let (x, y) = (s.x(&[2, 3]), s.x(&[2, 3]));
            let c = s.tensor(DType::Bool, &[]);
            let c = s.builder.constant(c).ok()?;
            let c = s.broadcast(c, &[2, 3])?;
            s.emit(Select {}, &[c, x, y])
        },
    },
    Rule {
        name: "mask",
        exactness: Exactness::FINITE.and(Exactness::SIGNED_ZERO),
        algebra: "cast(c) * x = c ? x : 0",
        action: Action::Compute("(mul (cast ?a ?c) ?x)", |eg, m| {
            let (c, x) = (m.id("?c"), m.id("?x"));
            (eg.dtype(c)? == DType::Bool && !eg.is_constant(x)).then_some(())?;
            let (dtype, shape) = (eg.dtype(x)?, eg.shape(x).to_vec());
            let zero = eg.number(dtype, 0.0, &shape)?;
            eg.emit(Select {}, &[c, x, zero])
        }),
        example: |s| {
            let (c, x) = (s.typed(DType::Bool, &[2, 3]), s.x(&[2, 3]));
            let c = s.builder.cast(c, DType::F32).ok()?;
            s.binary(BinaryKind::Mul, c, x)
        },
    },
];
