//! Concatenation and padding.

use super::{Action, Rule};
use crate::Exactness;
use crate::egraph::Eg;
use egg::Id;
use ops::{Concat, Op, Pad, PadMode, Slice, Unary, UnaryKind};
use tensor::{DType, Dim};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "concat-of-concat",
        exactness: Exactness::EXACT,
        algebra: "concat(concat(x, y), z) = concat(x, y, z)",
        action: Action::Nodes(&["concat"], |eg, op, inputs| {
            let Op::Concat(concat) = op else { return None };
            let mut flat = Vec::new();
            for id in inputs {
                let inner = eg.members::<Concat>(*id).into_iter().find(|(c, _)| c.axis == concat.axis);
                match inner {
                    Some((_, parts)) => flat.extend(parts),
                    None => flat.push(*id),
                }
            }
            (flat.len() > inputs.len()).then_some(())?;
            eg.emit(concat.clone(), &flat)
        }),
        example: |s| {
            let (x, y, z) = (s.x(&[2, 3]), s.x(&[2, 1]), s.x(&[2, 2]));
            let xy = s.emit(Concat { axis: 1 }, &[x, y])?;
            s.emit(Concat { axis: 1 }, &[xy, z])
        },
    },
    Rule {
        name: "concat-of-slices",
        exactness: Exactness::EXACT,
        algebra: "concat(slice_[a, b) x, slice_[b, c) x) = slice_[a, c) x",
        action: Action::Nodes(&["concat"], of_slices),
        example: |s| {
            let x = s.x(&[2, 6]);
            let a = s.slice(x, &[0, 0], &[2, 2], &[1, 1])?;
            let b = s.slice(x, &[0, 2], &[2, 3], &[1, 1])?;
            s.emit(Concat { axis: 1 }, &[a, b])
        },
    },
    Rule {
        name: "concat-of-unaries",
        exactness: Exactness::EXACT,
        algebra: "concat(f x, f y) = f(concat(x, y))",
        action: Action::Nodes(&["concat"], |eg, op, inputs| {
            let unaries: Vec<Vec<(Unary, Vec<Id>)>> = inputs.iter().map(|id| eg.members::<Unary>(*id)).collect();
            let (kind, _) = unaries.first()?.first()?.clone();
            let sources: Vec<Id> = unaries
                .iter()
                .map(|members| Some(members.iter().find(|(op, _)| *op == kind)?.1[0]))
                .collect::<Option<_>>()?;
            let joined = eg.emit(op.clone(), &sources)?;
            eg.emit(kind, &[joined])
        }),
        example: |s| {
            let (x, y) = (s.x(&[2, 3]), s.x(&[2, 1]));
            let (x, y) = (s.unary(UnaryKind::Exp, x)?, s.unary(UnaryKind::Exp, y)?);
            s.emit(Concat { axis: 1 }, &[x, y])
        },
    },
    Rule {
        name: "pad-of-pad",
        exactness: Exactness::EXACT,
        algebra: "pad_b(pad_a x) = pad_(a + b) x, with the same constant",
        action: Action::Compute("(pad ?b (pad ?a ?x ?v) ?v)", |eg, m| {
            let (a, b) = (eg.attr::<Pad>(m.id("?a"))?, eg.attr::<Pad>(m.id("?b"))?);
            (a.mode == PadMode::Constant && b.mode == PadMode::Constant).then_some(())?;
            let sum = |x: &[Dim], y: &[Dim]| x.iter().zip(y).map(|(x, y)| x.clone() + y.clone()).collect();
            let both = Pad { low: sum(&a.low, &b.low), high: sum(&a.high, &b.high), mode: PadMode::Constant };
            eg.emit(both, &[m.id("?x"), m.id("?v")])
        }),
        example: |s| {
            let x = s.x(&[2, 3]);
            let zero = s.builder.scalar(DType::F32, 0.0).ok()?;
            let pad = |low: usize, high: usize| Pad {
                low: vec![low.into(), 0.into()],
                high: vec![0.into(), high.into()],
                mode: PadMode::Constant,
            };
            let y = s.emit(pad(1, 2), &[x, zero])?;
            s.emit(pad(0, 1), &[y, zero])
        },
    },
];

/// Adjacent slices of one value, put together again.
fn of_slices(eg: &mut Eg, op: &Op, inputs: &[Id]) -> Option<Id> {
    let Op::Concat(concat) = op else { return None };
    let (first, source) = eg.members::<Slice>(*inputs.first()?).into_iter().next()?;
    let axis = concat.axis;
    let mut whole = first.clone();
    (first.steps[axis] == 1).then_some(())?;
    for id in &inputs[1..] {
        let end = whole.starts[axis].clone() + whole.sizes[axis].clone();
        let next = eg.members::<Slice>(*id).into_iter().find(|(slice, x)| {
            let aligned = |other: usize| {
                other == axis || slice.starts[other] == first.starts[other] && slice.sizes[other] == first.sizes[other]
            };
            *x == source
                && slice.steps == first.steps
                && slice.starts[axis] == end
                && (0..slice.starts.len()).all(aligned)
        });
        whole.sizes[axis] = whole.sizes[axis].clone() + next?.0.sizes[axis].clone();
    }
    eg.emit(whole, &source)
}
