//! Several contractions of one value become one: the weights stand side by side, and slices take the results apart.
//!
//! Only weights that are constants are merged, so no cycle can arise.

use super::{Action, Rule};
use crate::Exactness;
use crate::egraph::{ENode, Eg, Head, op_of, operands};
use crate::shapes::others;
use egg::Id;
use ops::{Concat, Conv, Dot, Op, Slice};
use std::collections::BTreeMap;
use tensor::{DType, Dim};

/// More than this many are not merged.
const MAX_MERGED: usize = 32;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "merge-dots",
        exactness: Exactness::KERNEL,
        algebra: "x . v, x . w = slices of x . [v | w], for constants v and w",
        action: Action::Group(|eg| {
            let groups = collect(eg, "dot", |eg, op, inputs| {
                let Op::Dot(dot) = op else { return None };
                let [x, w] = *inputs else { return None };
                let plain = dot.lhs_batch.is_empty() && dot.rhs_contract.len() == 1;
                (plain && mergeable(eg, x, w) && eg.rank(w) == 2).then_some(())?;
                Some((x, op.clone(), eg.dtype(w)?, vec![]))
            });
            let mut pairs = Vec::new();
            for ((x, op, ..), members) in groups {
                let Op::Dot(dot) = op else { continue };
                let axis = others(2, &dot.rhs_contract)[0];
                let rank = eg.rank(x) - dot.lhs_contract.len();
                pairs.extend(merged::<Dot>(eg, x, &dot, axis, rank, &members).unwrap_or_default());
            }
            pairs
        }),
        example: |s| {
            let (x, v, w) = (s.x(&[2, 3, 4]), s.weight(&[4, 5])?, s.weight(&[4, 2])?);
            let y = s.matmul(x, v)?;
            s.output(y);
            s.matmul(x, w)
        },
    },
    Rule {
        name: "merge-convs",
        exactness: Exactness::KERNEL,
        algebra: "conv(x, v), conv(x, w) = slices of conv(x, [v | w]), for constants v and w",
        action: Action::Group(|eg| {
            let groups = collect(eg, "conv", |eg, op, inputs| {
                let Op::Conv(conv) = op else { return None };
                let [x, w] = *inputs else { return None };
                (conv.groups == 1 && mergeable(eg, x, w)).then_some(())?;
                Some((x, op.clone(), eg.dtype(w)?, eg.shape(w)[1..].to_vec()))
            });
            let mut pairs = Vec::new();
            for ((x, op, ..), members) in groups {
                let Op::Conv(conv) = op else { continue };
                pairs.extend(merged::<Conv>(eg, x, &conv, 0, 1, &members).unwrap_or_default());
            }
            pairs
        }),
        example: |s| {
            let x = s.x(&[1, 3, 4, 4]);
            let (v, w) = (s.weight(&[2, 3, 3, 3])?, s.weight(&[4, 3, 3, 3])?);
            let y = s.conv(x, v, 1)?;
            s.output(y);
            s.conv(x, w, 1)
        },
    },
];

/// What members of a group have in common: the value, the operator, the weights' type and part of their shape.
type Key = (Id, Op, DType, Vec<Dim>);

/// The classes of contractions and their weights.
type Members = Vec<(Id, Id)>;

fn mergeable(eg: &Eg, x: Id, w: Id) -> bool {
    eg.is_weight(w) && !eg.is_constant(x)
}

fn collect(
    eg: &Eg,
    name: &'static str,
    key: impl Fn(&Eg, &Op, &[Id]) -> Option<Key>,
) -> Vec<(Key, Members)> {
    let mut groups: BTreeMap<Key, Members> = BTreeMap::new();
    for class in eg.egraph.classes() {
        let named = |node: &&ENode| node.head == Head::Op(name);
        for node in class.nodes.iter().filter(named) {
            let Some(op) = op_of(&eg.egraph, node) else {
                continue;
            };
            let inputs = operands(node);
            if let Some(key) = key(eg, op, inputs) {
                let members = groups.entry(key).or_default();
                if members.iter().all(|(id, _)| *id != class.id) {
                    members.push((class.id, inputs[1]));
                }
            }
        }
    }
    groups
        .into_iter()
        .filter(|(_, members)| (2..=MAX_MERGED).contains(&members.len()))
        .collect()
}

/// One contraction for all members: weights are joined along `weight_axis`, results taken apart along `result_axis`.
fn merged<T: Clone + Into<Op>>(
    eg: &mut Eg,
    x: Id,
    op: &T,
    weight_axis: usize,
    result_axis: usize,
    members: &Members,
) -> Option<Vec<(Id, Id)>> {
    let weights: Vec<Id> = members.iter().map(|(_, w)| *w).collect();
    // A weight that is joined already would be joined again and again.
    let is_joined = |w: &Id| !eg.members::<Concat>(*w).is_empty();
    (!weights.iter().any(is_joined)).then_some(())?;
    let sizes: Vec<Dim> = weights
        .iter()
        .map(|w| eg.shape(*w)[weight_axis].clone())
        .collect();
    let joined = eg.emit(Concat { axis: weight_axis }, &weights)?;
    eg.is_weight(joined).then_some(())?;
    let all = eg.emit(op.clone(), &[x, joined])?;
    let shape = eg.shape(all).to_vec();
    let mut offset = Dim::from(0);
    let mut pairs = Vec::new();
    for ((class, _), size) in members.iter().zip(sizes) {
        let mut slice = Slice {
            starts: vec![0.into(); shape.len()],
            sizes: shape.clone(),
            steps: vec![1; shape.len()],
        };
        slice.starts[result_axis] = offset.clone();
        slice.sizes[result_axis] = size.clone();
        offset = offset + size;
        pairs.push((*class, eg.emit(slice, &[all])?));
    }
    Some(pairs)
}
