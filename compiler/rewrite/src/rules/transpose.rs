//! Transposes meet, move towards results, and vanish into what consumes them.

use super::{Action, Rule};
use crate::Exactness;
use crate::egraph::Eg;
use crate::shapes::{composed, inverse, moves_only_units, others, permuted};
use egg::Id;
use ops::{Broadcast, Concat, Op, Pad, Reduce, Slice, Transpose, UnaryKind};
use tensor::Dim;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "transpose-of-transpose",
        exactness: Exactness::EXACT,
        algebra: "transpose_q(transpose_p x) = transpose_(p.q) x",
        action: Action::Compute("(transpose ?q (transpose ?p ?x))", |eg, m| {
            let p = eg.attr::<Transpose>(m.id("?p"))?.perm;
            let q = eg.attr::<Transpose>(m.id("?q"))?.perm;
            eg.transpose(m.id("?x"), composed(&p, &q))
        }),
        example: |s| {
            let x = s.x(&[2, 3, 4]);
            let y = s.transpose(x, &[1, 2, 0])?;
            s.transpose(y, &[1, 0, 2])
        },
    },
    Rule {
        name: "transpose-of-units",
        exactness: Exactness::EXACT,
        algebra: "transpose x = reshape x, where only axes of size 1 move",
        action: Action::Compute("(transpose ?p ?x)", |eg, m| {
            let (x, perm) = (m.id("?x"), eg.attr::<Transpose>(m.id("?p"))?.perm);
            moves_only_units(eg.shape(x), &perm).then_some(())?;
            let shape = permuted(eg.shape(x), &perm);
            eg.reshape(x, shape)
        }),
        example: |s| {
            let x = s.x(&[2, 1, 4]);
            s.transpose(x, &[1, 0, 2])
        },
    },
    Rule {
        name: "elementwise-of-transposes",
        exactness: Exactness::EXACT,
        algebra: "f(transpose_p x, transpose_p y, c) = transpose_p f(x, y, transpose_p^-1 c)",
        action: Action::Nodes(&["unary", "binary", "compare", "select", "cast"], elementwise),
        example: |s| {
            let (x, y) = (s.x(&[2, 3, 4]), s.x(&[2, 3, 4]));
            let x = s.transpose(x, &[2, 0, 1])?;
            let y = s.transpose(y, &[2, 0, 1])?;
            let z = s.builder.add(x, y).ok()?;
            let c = s.spread(&[2, 1], z)?;
            let z = s.builder.mul(z, c).ok()?;
            s.unary(UnaryKind::Neg, z)
        },
    },
    Rule {
        name: "reduce-of-transpose",
        exactness: Exactness::KERNEL,
        algebra: "reduce_a(transpose_p x) = transpose' reduce_(p a) x",
        action: Action::Compute("(reduce ?r (transpose ?p ?x))", |eg, m| {
            let reduce = eg.attr::<Reduce>(m.id("?r"))?;
            let perm = eg.attr::<Transpose>(m.id("?p"))?.perm;
            let mut axes: Vec<usize> = reduce.axes.iter().map(|axis| perm[*axis]).collect();
            axes.sort_unstable();
            let kept = others(perm.len(), &axes);
            let order: Vec<usize> = others(perm.len(), &reduce.axes)
                .into_iter()
                .map(|axis| kept.iter().position(|k| *k == perm[axis]))
                .collect::<Option<_>>()?;
            let reduced = eg.emit(Reduce { axes, ..reduce }, &[m.id("?x")])?;
            eg.transpose(reduced, order)
        }),
        example: |s| {
            let x = s.x(&[2, 3, 4]);
            let y = s.transpose(x, &[2, 0, 1])?;
            s.builder.reduce(ops::ReduceKind::Sum, y, &[1], false).ok()
        },
    },
    Rule {
        name: "concat-of-transposes",
        exactness: Exactness::EXACT,
        algebra: "concat_a(transpose_p xs) = transpose_p concat_(p a) xs",
        action: Action::Nodes(&["concat"], |eg, op, inputs| {
            let Op::Concat(concat) = op else { return None };
            let (perm, sources) = common_transpose(eg, inputs)?;
            let axis = perm[concat.axis];
            let joined = eg.emit(Concat { axis }, &sources)?;
            eg.transpose(joined, perm)
        }),
        example: |s| {
            let (x, y) = (s.x(&[2, 3]), s.x(&[2, 4]));
            let (x, y) = (s.transpose(x, &[1, 0])?, s.transpose(y, &[1, 0])?);
            s.emit(Concat { axis: 0 }, &[x, y])
        },
    },
    Rule {
        name: "slice-of-transpose",
        exactness: Exactness::EXACT,
        algebra: "slice(transpose_p x) = transpose_p slice' x",
        action: Action::Compute("(slice ?s (transpose ?p ?x))", |eg, m| {
            let slice = eg.attr::<Slice>(m.id("?s"))?;
            let perm = eg.attr::<Transpose>(m.id("?p"))?.perm;
            let back = inverse(&perm);
            let moved = Slice {
                starts: permuted(&slice.starts, &back),
                sizes: permuted(&slice.sizes, &back),
                steps: permuted(&slice.steps, &back),
            };
            let part = eg.emit(moved, &[m.id("?x")])?;
            eg.transpose(part, perm)
        }),
        example: |s| {
            let x = s.x(&[2, 3, 4]);
            let y = s.transpose(x, &[2, 0, 1])?;
            s.slice(y, &[1, 0, 2], &[2, 2, 2], &[1, 1, -1])
        },
    },
    Rule {
        name: "pad-of-transpose",
        exactness: Exactness::EXACT,
        algebra: "pad(transpose_p x) = transpose_p pad' x",
        action: Action::Compute("(pad ?a (transpose ?p ?x) ?v)", |eg, m| {
            let pad = eg.attr::<Pad>(m.id("?a"))?;
            let perm = eg.attr::<Transpose>(m.id("?p"))?.perm;
            let back = inverse(&perm);
            let moved = Pad { low: permuted(&pad.low, &back), high: permuted(&pad.high, &back), mode: pad.mode };
            let padded = eg.emit(moved, &[m.id("?x"), m.id("?v")])?;
            eg.transpose(padded, perm)
        }),
        example: |s| {
            let x = s.x(&[2, 3]);
            let y = s.transpose(x, &[1, 0])?;
            let zero = s.builder.scalar(tensor::DType::F32, 0.0).ok()?;
            let pad =
                Pad { low: vec![1.into(), 0.into()], high: vec![0.into(), 2.into()], mode: ops::PadMode::Constant };
            s.emit(pad, &[y, zero])
        },
    },
    Rule {
        name: "transpose-of-broadcast",
        exactness: Exactness::EXACT,
        algebra: "transpose_p(broadcast x) = broadcast(transpose_p x)",
        action: Action::Compute("(transpose ?p (broadcast ?b ?x))", |eg, m| {
            let perm = eg.attr::<Transpose>(m.id("?p"))?.perm;
            let shape = eg.attr::<Broadcast>(m.id("?b"))?.shape;
            let full = with_rank(eg, m.id("?x"), shape.len())?;
            let turned = eg.transpose(full, perm.clone())?;
            eg.broadcast(turned, &permuted(&shape, &perm))
        }),
        example: |s| {
            let x = s.x(&[3, 1]);
            let y = s.broadcast(x, &[2, 3, 4])?;
            s.transpose(y, &[2, 1, 0])
        },
    },
];

/// The value with axes of size 1 in front, up to a rank.
fn with_rank(eg: &mut Eg, x: Id, rank: usize) -> Option<Id> {
    let mut shape = vec![Dim::from(1); rank.checked_sub(eg.rank(x))?];
    shape.extend_from_slice(eg.shape(x));
    eg.reshape(x, shape)
}

/// The permutation that all operands went through, and what they were before.
fn common_transpose(eg: &Eg, inputs: &[Id]) -> Option<(Vec<usize>, Vec<Id>)> {
    let candidates = eg.members::<Transpose>(*inputs.first()?);
    candidates.into_iter().find_map(|(first, _)| {
        let source = |id: &Id| {
            let members = eg.members::<Transpose>(*id).into_iter();
            members.filter(|(op, _)| op.perm == first.perm).map(|(_, x)| x[0]).next()
        };
        let sources = inputs.iter().map(source).collect::<Option<_>>()?;
        Some((first.perm, sources))
    })
}

fn elementwise(eg: &mut Eg, op: &Op, inputs: &[Id]) -> Option<Id> {
    let variable: Vec<Id> = inputs.iter().copied().filter(|id| !eg.is_constant(*id)).collect();
    let (perm, sources) = common_transpose(eg, &variable)?;
    let target = eg.shape(*sources.first()?).to_vec();
    let mut sources = sources.into_iter();
    let mut operands = Vec::with_capacity(inputs.len());
    for id in inputs {
        operands.push(if eg.is_constant(*id) { turned_constant(eg, *id, &perm, &target)? } else { sources.next()? });
    }
    let result = eg.emit(op.clone(), &operands)?;
    eg.transpose(result, perm)
}

/// A constant as it must be before a transpose.
fn turned_constant(eg: &mut Eg, id: Id, perm: &[usize], target: &[Dim]) -> Option<Id> {
    let core = eg.core(id)?;
    if eg.rank(core) == 0 {
        return eg.broadcast(core, target);
    }
    let full = with_rank(eg, core, perm.len())?;
    let turned = eg.transpose(full, inverse(perm))?;
    eg.broadcast(turned, target)
}
