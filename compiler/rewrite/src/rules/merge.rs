//! Several contractions of one value become one: the weights stand side by side, and slices take the results apart.
//!
//! Only weights that are constants are merged, so no cycle can arise; and only stored ones, not what other rules would
//! make of them, so that each contraction takes part in one form. Where every member has a bias, the biases are joined too.

use super::{Action, Rule};
use crate::Exactness;
use crate::egraph::{ENode, Eg, Head, op_of, operands};
use crate::shapes::others;
use egg::Id;
use ops::{BinaryKind, Concat, Op, Slice};
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
                let weight_axis = others(2, &dot.rhs_contract)[0];
                let result_axis = eg.rank(x) - dot.lhs_contract.len();
                let join = Join { x, op: dot.into(), weight_axis, result_axis };
                pairs.extend(join.merged(eg, &members).unwrap_or_default());
            }
            pairs
        }),
        example: |s| {
            let (x, v, w) = (s.x(&[2, 3, 4]), s.weight(&[4, 5])?, s.weight(&[4, 2])?);
            let (y, z) = (s.matmul(x, v)?, s.matmul(x, w)?);
            let (a, b) = (s.spread(&[5], y)?, s.spread(&[2], z)?);
            let y = s.binary(BinaryKind::Add, y, a)?;
            s.output(y);
            s.output(z);
            s.binary(BinaryKind::Add, z, b)
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
                let join = Join { x, op: conv.into(), weight_axis: 0, result_axis: 1 };
                pairs.extend(join.merged(eg, &members).unwrap_or_default());
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
    let is_leaf = |node: &ENode| matches!(node.head, Head::Weight(_));
    eg.egraph[w].nodes.iter().any(is_leaf) && !eg.is_constant(x)
}

fn collect(eg: &Eg, name: &'static str, key: impl Fn(&Eg, &Op, &[Id]) -> Option<Key>) -> Vec<(Key, Members)> {
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
    groups.into_iter().filter(|(_, members)| (2..=MAX_MERGED).contains(&members.len())).collect()
}

/// One contraction in place of several: weights are joined along one axis, results taken apart along another.
struct Join {
    x: Id,
    op: Op,
    weight_axis: usize,
    result_axis: usize,
}

impl Join {
    fn merged(&self, eg: &mut Eg, members: &Members) -> Option<Vec<(Id, Id)>> {
        let weights: Vec<Id> = members.iter().map(|(_, w)| *w).collect();
        let size = |w: &Id| eg.shape(*w)[self.weight_axis].clone();
        let sizes: Vec<Dim> = weights.iter().map(size).collect();
        let axis = self.weight_axis;
        let joined = eg.emit(Concat { axis }, &weights)?;
        eg.is_weight(joined).then_some(())?;
        let all = eg.emit(self.op.clone(), &[self.x, joined])?;
        let results: Vec<Id> = members.iter().map(|(class, _)| *class).collect();
        let mut pairs = self.taken_apart(eg, all, &results, &sizes)?;
        if let Some((shifted, all)) = self.with_biases(eg, all, &results, &sizes) {
            pairs.extend(self.taken_apart(eg, all, &shifted, &sizes)?);
        }
        Some(pairs)
    }

    /// Each class with the slice of the whole that it is.
    fn taken_apart(&self, eg: &mut Eg, all: Id, results: &[Id], sizes: &[Dim]) -> Option<Vec<(Id, Id)>> {
        let shape = eg.shape(all).to_vec();
        let mut offset = Dim::from(0);
        let mut pairs = Vec::new();
        for (class, size) in results.iter().zip(sizes) {
            let mut slice =
                Slice { starts: vec![0.into(); shape.len()], sizes: shape.clone(), steps: vec![1; shape.len()] };
            slice.starts[self.result_axis] = offset.clone();
            slice.sizes[self.result_axis] = size.clone();
            offset = offset + size.clone();
            pairs.push((*class, eg.emit(slice, &[all])?));
        }
        Some(pairs)
    }

    /// Where every result has a constant added to it that lies along the joined axis: those sums, and the whole with
    /// all constants added at once.
    fn with_biases(&self, eg: &mut Eg, all: Id, results: &[Id], sizes: &[Dim]) -> Option<(Vec<Id>, Id)> {
        let sums = sums_with_constants(eg, results);
        let mut shifted = Vec::new();
        let mut biases = Vec::new();
        for (candidates, size) in sums.into_iter().zip(sizes) {
            let axes = [self.result_axis];
            let (sum, bias) =
                candidates.into_iter().find_map(|(sum, bias)| Some((sum, eg.core_along(bias, &axes)?)))?;
            let along = eg.shape(bias)[self.result_axis].clone();
            let bias = eg.reshape(bias, vec![along])?;
            shifted.push(sum);
            biases.push(eg.broadcast(bias, std::slice::from_ref(size))?);
        }
        let joined = eg.emit(Concat { axis: 0 }, &biases)?;
        eg.is_weight(joined).then_some(())?;
        let shape = eg.shape(all).to_vec();
        let mut along = vec![Dim::from(1); shape.len() - self.result_axis];
        along[0] = shape[self.result_axis].clone();
        let joined = eg.reshape(joined, along)?;
        let joined = eg.broadcast(joined, &shape)?;
        Some((shifted, eg.binary(BinaryKind::Add, all, joined)?))
    }
}

/// For each class, the sums of it and a constant: the sum's class and the constant.
fn sums_with_constants(eg: &Eg, results: &[Id]) -> Vec<Vec<(Id, Id)>> {
    let mut sums = vec![Vec::new(); results.len()];
    for class in eg.egraph.classes() {
        let named = |node: &&ENode| node.head == Head::Op("add");
        for node in class.nodes.iter().filter(named) {
            let [a, b] = node.children[..] else { continue };
            for (result, constant) in [(a, b), (b, a)] {
                if let Some(at) = results.iter().position(|id| *id == result)
                    && eg.is_constant(constant)
                {
                    sums[at].push((class.id, constant));
                }
            }
        }
    }
    sums
}
