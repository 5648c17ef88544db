//! Conversions of element types.

use super::{Action, Rule, sample};
use crate::Exactness;
use crate::scalars::widens;
use ops::{Cast, Dot};
use tensor::DType;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "cast-of-cast",
        exactness: Exactness::EXACT,
        algebra: "cast_T(cast_U x) = cast_T x, where U holds every value of x's type",
        action: Action::Compute("(cast ?b (cast ?a ?x))", |eg, m| {
            let (x, inner) = (m.id("?x"), eg.attr::<Cast>(m.id("?a"))?);
            widens(eg.dtype(x)?, inner.to).then_some(())?;
            let outer = eg.attr::<Cast>(m.id("?b"))?;
            eg.emit(outer, &[x])
        }),
        example: |s| {
            let x = s.typed(DType::F16, &[2, 3]);
            let y = s.builder.cast(x, DType::F32).ok()?;
            s.builder.cast(y, DType::I32).ok()
        },
    },
    Rule {
        name: "dot-of-widened",
        exactness: Exactness::KERNEL,
        algebra: "dot(cast32 x, cast32 y) = dot(x, y) with f32 sums, for 16-bit floats; likewise for narrow integers",
        action: Action::Compute("(dot ?d (cast ?a ?x) (cast ?b ?y))", |eg, m| {
            let (x, y) = (m.id("?x"), m.id("?y"));
            let (from, dot) = (eg.dtype(x)?, eg.attr::<Dot>(m.id("?d"))?);
            let wide = eg.attr::<Cast>(m.id("?a"))?.to;
            let is_half = matches!(from, DType::F16 | DType::BF16) && wide == DType::F32;
            let is_byte =
                matches!(from, DType::I8 | DType::U8 | DType::I16 | DType::U16) && wide.is_int() && wide == dot.out;
            let same = eg.dtype(y)? == from && eg.attr::<Cast>(m.id("?b"))?.to == wide;
            (same && (is_half || is_byte) && dot.out == wide && widens(from, wide)).then_some(())?;
            eg.emit(dot, &[x, y])
        }),
        example: |s| {
            let (x, y) = (s.typed(DType::F16, &[2, 3]), s.typed(DType::F16, &[3, 4]));
            let x = s.builder.cast(x, DType::F32).ok()?;
            let y = s.builder.cast(y, DType::F32).ok()?;
            s.matmul(x, y)
        },
    },
    Rule {
        name: "narrowed-dot",
        exactness: Exactness::FEWER_ROUNDINGS,
        algebra: "cast16(dot(x, y) with f32 result) = dot(x, y) with 16-bit result, for 16-bit floats",
        action: Action::Compute("(cast ?a (dot ?d ?x ?y))", |eg, m| {
            let (to, dot) = (eg.attr::<Cast>(m.id("?a"))?.to, eg.attr::<Dot>(m.id("?d"))?);
            let narrow = matches!(to, DType::F16 | DType::BF16) && dot.out == DType::F32;
            (narrow && eg.dtype(m.id("?x"))? == to && eg.dtype(m.id("?y"))? == to).then_some(())?;
            eg.emit(Dot { out: to, ..dot }, &[m.id("?x"), m.id("?y")])
        }),
        example: |s| {
            let (x, y) = (s.typed(DType::F16, &[2, 3]), s.typed(DType::F16, &[3, 4]));
            let y = s.emit(sample::dot(&[1], &[0], DType::F32), &[x, y])?;
            s.builder.cast(y, DType::F16).ok()
        },
    },
];
