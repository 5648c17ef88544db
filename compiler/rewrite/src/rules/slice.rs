//! Slices meet, and go before what computes more than they keep. Gathers at known places are slices.

use super::{Action, Rule};
use crate::Exactness;
use crate::egraph::Eg;
use crate::shapes::{composed_slices, others};
use egg::Id;
use ops::{BinaryKind, Concat, Dot, Gather, Op, Pad, PadMode, Reduce, Slice};
use tensor::{DType, Dim, Tensor};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "slice-of-slice",
        exactness: Exactness::EXACT,
        algebra: "slice_b(slice_a x) = slice_(a.b) x",
        action: Action::Compute("(slice ?b (slice ?a ?x))", |eg, m| {
            let (a, b) = (eg.attr::<Slice>(m.id("?a"))?, eg.attr::<Slice>(m.id("?b"))?);
            eg.emit(composed_slices(&a, &b)?, &[m.id("?x")])
        }),
        example: |s| {
            let x = s.x(&[6, 8]);
            let y = s.slice(x, &[1, 7], &[5, 4], &[1, -2])?;
            s.slice(y, &[0, 1], &[3, 3], &[2, 1])
        },
    },
    Rule {
        name: "slice-of-concat",
        exactness: Exactness::EXACT,
        algebra: "slice(concat xs) = slice' x_i, where it lies within x_i",
        action: Action::Nodes(&["slice"], of_concat),
        example: |s| {
            let (x, y) = (s.x(&[2, 3]), s.x(&[2, 4]));
            let z = s.emit(Concat { axis: 1 }, &[x, y])?;
            s.slice(z, &[0, 4], &[2, 2], &[1, 2])
        },
    },
    Rule {
        name: "slice-of-elementwise",
        exactness: Exactness::EXACT,
        algebra: "slice f(x, y) = f(slice x, slice y)",
        action: Action::Nodes(&["slice"], of_elementwise),
        example: |s| {
            let (x, y) = (s.x(&[4, 6]), s.x(&[4, 6]));
            let z = s.binary(BinaryKind::Add, x, y)?;
            s.slice(z, &[1, 0], &[2, 3], &[1, 2])
        },
    },
    Rule {
        name: "slice-of-dot",
        exactness: Exactness::KERNEL,
        algebra: "slice(x . y) = slice' x . slice' y",
        action: Action::Compute("(slice ?s (dot ?d ?x ?y))", |eg, m| {
            let (x, y) = (m.id("?x"), m.id("?y"));
            let (slice, dot) = (eg.attr::<Slice>(m.id("?s"))?, eg.attr::<Dot>(m.id("?d"))?);
            // Merged weights are not to be taken apart again.
            (!eg.is_constant(y) || takes_all(&slice, eg.shape(y), &dot)).then_some(())?;
            let n_batch = dot.lhs_batch.len();
            let left = others(eg.rank(x), &[&dot.lhs_batch[..], &dot.lhs_contract].concat());
            let right = others(eg.rank(y), &[&dot.rhs_batch[..], &dot.rhs_contract].concat());
            let batch = |axes: &[usize]| axes.iter().copied().zip(0..n_batch).collect::<Vec<_>>();
            let mut of_x = batch(&dot.lhs_batch);
            let mut of_y = batch(&dot.rhs_batch);
            of_x.extend(left.iter().copied().zip(n_batch..));
            of_y.extend(right.iter().copied().zip(n_batch + left.len()..));
            let x = part_along(eg, x, &slice, &of_x)?;
            let y = part_along(eg, y, &slice, &of_y)?;
            eg.emit(dot, &[x, y])
        }),
        example: |s| {
            let (x, y) = (s.x(&[4, 6, 3]), s.x(&[3, 5]));
            let z = s.matmul(x, y)?;
            s.slice(z, &[1, 0, 2], &[2, 3, 2], &[1, 2, 1])
        },
    },
    Rule {
        name: "slice-of-reduce",
        exactness: Exactness::EXACT,
        algebra: "slice(reduce x) = reduce(slice' x)",
        action: Action::Compute("(slice ?s (reduce ?r ?x))", |eg, m| {
            let x = m.id("?x");
            let (slice, reduce) = (eg.attr::<Slice>(m.id("?s"))?, eg.attr::<Reduce>(m.id("?r"))?);
            let kept = others(eg.rank(x), &reduce.axes);
            let axes: Vec<(usize, usize)> = kept.into_iter().zip(0..).collect();
            let part = part_along(eg, x, &slice, &axes)?;
            eg.emit(reduce, &[part])
        }),
        example: |s| {
            let x = s.x(&[4, 3, 6]);
            let y = s.builder.reduce(ops::ReduceKind::Sum, x, &[1], false).ok()?;
            s.slice(y, &[1, 0], &[2, 3], &[1, 2])
        },
    },
    Rule {
        name: "slice-of-pad",
        exactness: Exactness::EXACT,
        algebra: "slice(pad x) = x, where it takes off what was added",
        action: Action::Compute("(slice ?s (pad ?p ?x ?v))", |eg, m| {
            let (slice, pad) = (eg.attr::<Slice>(m.id("?s"))?, eg.attr::<Pad>(m.id("?p"))?);
            let x = m.id("?x");
            let undone =
                slice.starts == pad.low && slice.sizes == eg.shape(x) && slice.steps.iter().all(|step| *step == 1);
            undone.then_some(x)
        }),
        example: |s| {
            let x = s.x(&[2, 3]);
            let zero = s.builder.scalar(DType::F32, 0.0).ok()?;
            let pad = Pad { low: vec![1.into(), 0.into()], high: vec![0.into(), 2.into()], mode: PadMode::Constant };
            let y = s.emit(pad, &[x, zero])?;
            s.slice(y, &[1, 0], &[2, 3], &[1, 1])
        },
    },
    Rule {
        name: "gather-of-range",
        exactness: Exactness::EXACT,
        algebra: "gather(x, [i, i + s, i + 2 s, ..]) = slice x",
        action: Action::Compute("(gather ?g ?x ?i)", |eg, m| {
            let (x, axis) = (m.id("?x"), eg.attr::<Gather>(m.id("?g"))?.axis);
            let places = eg.data(m.id("?i")).value.as_ref()?;
            (places.rank() <= 1).then_some(())?;
            let (scalar, places) = (places.rank() == 0, places.to_ints());
            let step = places.get(1).map_or(1, |second| second - places[0]);
            let extent = eg.shape(x)[axis].as_const()?;
            let regular = step != 0
                && places.windows(2).all(|pair| pair[1] - pair[0] == step)
                && places.iter().all(|at| (0..extent).contains(at));
            regular.then_some(())?;
            let mut slice =
                Slice { starts: vec![0.into(); eg.rank(x)], sizes: eg.shape(x).to_vec(), steps: vec![1; eg.rank(x)] };
            slice.starts[axis] = (*places.first()?).into();
            slice.sizes[axis] = places.len().into();
            slice.steps[axis] = step;
            let mut shape = slice.sizes.clone();
            let part = eg.emit(slice, &[x])?;
            if scalar {
                shape.remove(axis);
            }
            eg.reshape(part, shape)
        }),
        example: |s| {
            let x = s.x(&[2, 6, 3]);
            let places = s.builder.constant(Tensor::from_vec(vec![3], vec![5i64, 3, 1])).ok()?;
            let y = s.emit(Gather { axis: 1 }, &[x, places])?;
            let place = s.builder.constant(Tensor::from_vec(vec![], vec![1i64])).ok()?;
            s.emit(Gather { axis: 1 }, &[y, place])
        },
    },
];

/// The part of an operand that a slice of the result needs: for pairs of an operand's axis and a result's.
fn part_along(eg: &mut Eg, x: Id, slice: &Slice, axes: &[(usize, usize)]) -> Option<Id> {
    let mut part =
        Slice { starts: vec![0.into(); eg.rank(x)], sizes: eg.shape(x).to_vec(), steps: vec![1; eg.rank(x)] };
    for (own, of_result) in axes {
        part.starts[*own] = slice.starts[*of_result].clone();
        part.sizes[*own] = slice.sizes[*of_result].clone();
        part.steps[*own] = slice.steps[*of_result];
    }
    eg.emit(part, &[x])
}

/// Whether a slice of a product without batch axes keeps all columns, those of `y`.
fn takes_all(slice: &Slice, y: &[Dim], dot: &Dot) -> bool {
    let columns = others(y.len(), &dot.rhs_contract);
    let first = slice.sizes.len().saturating_sub(columns.len());
    dot.rhs_batch.is_empty()
        && slice.steps[first..].iter().all(|step| *step == 1)
        && slice.sizes[first..].iter().eq(columns.iter().map(|axis| &y[*axis]))
}

/// A slice of a concatenation, where it reads one operand only.
fn of_concat(eg: &mut Eg, op: &Op, inputs: &[Id]) -> Option<Id> {
    let Op::Slice(slice) = op else { return None };
    for (concat, parts) in eg.members::<Concat>(inputs[0]) {
        let axis = concat.axis;
        let Some((first, last)) = bounds(slice, axis) else {
            continue;
        };
        let mut offset = 0;
        for part in parts {
            let Some(extent) = eg.shape(part)[axis].as_const() else {
                break;
            };
            if first >= offset && last < offset + extent {
                let mut inner = slice.clone();
                inner.starts[axis] = slice.starts[axis].clone() - Dim::from(offset);
                return eg.emit(inner, &[part]);
            }
            offset += extent;
        }
    }
    None
}

/// The lowest and the highest index that a slice reads along an axis.
fn bounds(slice: &Slice, axis: usize) -> Option<(i64, i64)> {
    let (start, size) = (slice.starts[axis].as_const()?, slice.sizes[axis].as_const()?);
    let end = start.checked_add((size - 1).checked_mul(slice.steps[axis])?)?;
    (size > 0).then_some((start.min(end), start.max(end)))
}

fn of_elementwise(eg: &mut Eg, op: &Op, inputs: &[Id]) -> Option<Id> {
    let Op::Slice(slice) = op else { return None };
    // Slices of unlike symbolic shapes could read outside an operand that only looks as large.
    let (inner, operands) = eg
        .elementwise_members(inputs[0])
        .into_iter()
        .find(|(_, operands)| operands.iter().all(|id| eg.shape(*id) == eg.shape(inputs[0])))?;
    let operands: Vec<Id> = operands
        .into_iter()
        .map(|id| match eg.core(id).filter(|core| eg.rank(*core) == 0) {
            Some(core) => eg.broadcast(core, &slice.sizes),
            None => eg.emit(slice.clone(), &[id]),
        })
        .collect::<Option<_>>()?;
    eg.emit(inner, &operands)
}
