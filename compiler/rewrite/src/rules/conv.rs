//! Convolutions: padding and arithmetic with constants vanish into attributes and weights.

use super::{Action, Rule, sample};
use crate::Exactness;
use crate::egraph::Eg;
use egg::Id;
use ops::{BinaryKind::*, Conv, Pad, PadMode};
use tensor::{DType, Dim};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "scale-of-conv",
        exactness: Exactness::REROUNDS,
        algebra: "conv(x, w) * g = conv(x, w * g), for constants w and g, g along the channels",
        action: Action::Compute("(mul (conv ?c ?x ?w) ?g)", |eg, m| {
            let (x, w) = (m.id("?x"), m.id("?w"));
            let conv = eg.attr::<Conv>(m.id("?c"))?;
            let known = eg.has_with_constant(m.root, &conv.clone().into(), x);
            (!known && foldable(eg, &conv, x, w)).then_some(())?;
            let factors = eg.core_along(m.id("?g"), &[1])?;
            let along = eg.shape(factors)[1].clone();
            let scaled = scaled_filters(eg, w, factors, along, 0)?;
            eg.emit(conv, &[x, scaled])
        }),
        example: |s| {
            let (x, w) = (s.x(&[1, 3, 5, 5]), s.weight(&[4, 3, 3, 3])?);
            let y = s.conv(x, w, 1)?;
            let g = s.spread(&[4, 1, 1], y)?;
            s.binary(Mul, y, g)
        },
    },
    Rule {
        name: "conv-of-scaled",
        exactness: Exactness::REROUNDS,
        algebra: "conv(x * g, w) = conv(x, g * w), for constants w and g, g along the channels",
        action: Action::Compute("(conv ?c (mul ?x ?g) ?w)", |eg, m| {
            let (x, w) = (m.id("?x"), m.id("?w"));
            let conv = eg.attr::<Conv>(m.id("?c"))?;
            let known = eg.has_with_constant(m.root, &conv.clone().into(), x);
            (!known && conv.groups == 1 && foldable(eg, &conv, x, w)).then_some(())?;
            let factors = eg.core_along(m.id("?g"), &[1])?;
            let along = eg.shape(factors)[1].clone();
            let scaled = scaled_filters(eg, w, factors, along, 1)?;
            eg.emit(conv, &[x, scaled])
        }),
        example: |s| {
            let (x, w) = (s.x(&[1, 3, 5, 5]), s.weight(&[4, 3, 3, 3])?);
            let g = s.spread(&[3, 1, 1], x)?;
            let x = s.binary(Mul, x, g)?;
            s.conv(x, w, 1)
        },
    },
    Rule {
        name: "sum-of-convs",
        exactness: Exactness::REROUNDS,
        algebra: "conv(x, v) + conv(x, w) = conv(x, v + w), for constants v and w",
        action: Action::Compute("(add (conv ?c ?x ?v) (conv ?c ?x ?w))", |eg, m| {
            let (x, v, w) = (m.id("?x"), m.id("?v"), m.id("?w"));
            let conv = eg.attr::<Conv>(m.id("?c"))?;
            let alike = eg.is_weight(w) && eg.shape(v) == eg.shape(w);
            (alike && foldable(eg, &conv, x, v)).then_some(())?;
            let sum = eg.binary(Add, v, w)?;
            eg.is_weight(sum).then_some(())?;
            eg.emit(conv, &[x, sum])
        }),
        example: |s| {
            let x = s.x(&[1, 2, 4, 4]);
            let (v, w) = (s.weight(&[3, 2, 3, 3])?, s.weight(&[3, 2, 3, 3])?);
            let (a, b) = (s.conv(x, v, 1)?, s.conv(x, w, 1)?);
            s.binary(Add, a, b)
        },
    },
    Rule {
        name: "conv-of-pad",
        exactness: Exactness::KERNEL,
        algebra: "conv(pad x, w) = conv x with more padding, for zeros along spatial axes",
        action: Action::Compute("(conv ?c (pad ?p ?x ?v) ?w)", |eg, m| {
            let (conv, pad) = (eg.attr::<Conv>(m.id("?c"))?, eg.attr::<Pad>(m.id("?p"))?);
            let zero = Dim::from(0);
            let spatial_only = pad.low[..2].iter().chain(&pad.high[..2]).all(|dim| *dim == zero);
            let plain = conv.base_dilations.iter().all(|d| *d == 1);
            // Cropping after padding is not the same as less padding.
            let grows = conv.pads_low.iter().chain(&conv.pads_high).all(graph::is_non_negative);
            let zeros = pad.mode == PadMode::Constant && eg.is_zero(m.id("?v"));
            (spatial_only && plain && grows && zeros).then_some(())?;
            let sum = |a: &[Dim], b: &[Dim]| a.iter().zip(b).map(|(a, b)| a.clone() + b.clone()).collect();
            let padded = Conv {
                pads_low: sum(&conv.pads_low, &pad.low[2..]),
                pads_high: sum(&conv.pads_high, &pad.high[2..]),
                ..conv
            };
            eg.emit(padded, &[m.id("?x"), m.id("?w")])
        }),
        example: |s| {
            let (x, w) = (s.x(&[1, 2, 4, 4]), s.weight(&[3, 2, 3, 3])?);
            let zero = s.builder.scalar(DType::F32, 0.0).ok()?;
            let dims = |v: [usize; 4]| v.into_iter().map(Dim::from).collect();
            let pad = Pad { low: dims([0, 0, 1, 0]), high: dims([0, 0, 1, 2]), mode: PadMode::Constant };
            let x = s.emit(pad, &[x, zero])?;
            s.emit(sample::conv(2, 1, 1), &[x, w])
        },
    },
];

/// Whether a convolution's filters can take up constants.
fn foldable(eg: &Eg, conv: &Conv, x: Id, w: Id) -> bool {
    let one_type = eg.dtype(x) == Some(conv.out) && eg.dtype(w) == Some(conv.out);
    one_type && conv.out.is_float() && eg.is_weight(w) && !eg.is_constant(x)
}

/// The filters times factors along one of their axes.
fn scaled_filters(eg: &mut Eg, w: Id, factors: Id, along: Dim, axis: usize) -> Option<Id> {
    let mut shape = vec![Dim::from(1); eg.rank(w)];
    shape[axis] = along;
    let factors = eg.reshape(factors, shape)?;
    let full = eg.shape(w).to_vec();
    let factors = eg.broadcast(factors, &full)?;
    let scaled = eg.binary(Mul, w, factors)?;
    eg.is_weight(scaled).then_some(scaled)
}
