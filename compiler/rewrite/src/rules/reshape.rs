//! Reshapes meet and move towards results.

use super::{Action, Rule, sample};
use crate::Exactness;
use crate::egraph::Eg;
use egg::Id;
use ops::{Dot, Op, Reshape, UnaryKind};
use tensor::{DType, Dim};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "reshape-of-reshape",
        exactness: Exactness::EXACT,
        algebra: "reshape_s(reshape x) = reshape_s x",
        action: Action::Pattern("(reshape ?b (reshape ?a ?x))", "(reshape ?b ?x)", super::always),
        example: |s| {
            let x = s.x(&[2, 3, 4]);
            let y = s.reshape(x, &[6, 4])?;
            s.reshape(y, &[3, 8])
        },
    },
    Rule {
        name: "elementwise-of-reshapes",
        exactness: Exactness::EXACT,
        algebra: "f(reshape x, reshape y, c) = reshape f(x, y, c), for c the same everywhere",
        action: Action::Nodes(&["unary", "binary", "compare", "select", "cast"], elementwise),
        example: |s| {
            let (x, y) = (s.x(&[2, 3, 4]), s.x(&[2, 3, 4]));
            let (x, y) = (s.reshape(x, &[6, 4])?, s.reshape(y, &[6, 4])?);
            let z = s.builder.add(x, y).ok()?;
            let z = s.with(ops::BinaryKind::Max, z, 0.0)?;
            s.unary(UnaryKind::Tanh, z)
        },
    },
    Rule {
        name: "dot-of-reshaped-rows",
        exactness: Exactness::EXACT,
        algebra: "reshape_[rows, k](x) . w = reshape(x . w), where only axes of rows are merged",
        action: Action::Compute("(dot ?d (reshape ?r ?x) ?w)", |eg, m| {
            let (x, w) = (m.id("?x"), m.id("?w"));
            let dot = eg.attr::<Dot>(m.id("?d"))?;
            let merged = eg.attr::<Reshape>(m.id("?r"))?.shape;
            let last = eg.rank(x).checked_sub(1)?;
            let fits = dot.lhs_batch.is_empty()
                && dot.lhs_contract == [merged.len().checked_sub(1)?]
                && eg.shape(x)[last] == merged[merged.len() - 1];
            fits.then_some(())?;
            let (rows, columns) = (merged.len() - 1, eg.rank(w) - dot.rhs_contract.len());
            let product = eg.emit(Dot { lhs_contract: vec![last], ..dot }, &[x, w])?;
            let shape = eg.shape(product);
            let shape = [&merged[..rows], &shape[shape.len() - columns..]].concat();
            eg.reshape(product, shape)
        }),
        example: |s| {
            let (x, w) = (s.x(&[2, 3, 4]), s.weight(&[4, 5])?);
            let x = s.reshape(x, &[6, 4])?;
            s.emit(sample::dot(&[1], &[0], DType::F32), &[x, w])
        },
    },
];

/// What the operands were before they were reshaped alike.
fn common_sources(eg: &Eg, variable: &[Id]) -> Option<Vec<Id>> {
    let sources_of = |id: &Id| -> Vec<Id> {
        let members = eg.members::<Reshape>(*id).into_iter();
        members.map(|(_, inputs)| inputs[0]).collect()
    };
    sources_of(variable.first()?).into_iter().find_map(|first| {
        let shape = eg.shape(first);
        variable.iter().map(|id| sources_of(id).into_iter().find(|x| eg.shape(*x) == shape)).collect()
    })
}

fn elementwise(eg: &mut Eg, op: &Op, inputs: &[Id]) -> Option<Id> {
    let is_number = |eg: &Eg, id: Id| eg.is_constant(id) && eg.core(id).is_some_and(|c| eg.rank(c) == 0);
    let variable: Vec<Id> = inputs.iter().copied().filter(|id| !is_number(eg, *id)).collect();
    let sources = common_sources(eg, &variable)?;
    let before: Vec<Dim> = eg.shape(sources[0]).to_vec();
    let after: Vec<Dim> = eg.shape(*inputs.first()?).to_vec();
    let mut sources = sources.into_iter();
    let mut operands = Vec::with_capacity(inputs.len());
    for id in inputs {
        operands.push(if is_number(eg, *id) {
            let core = eg.core(*id)?;
            eg.broadcast(core, &before)?
        } else {
            sources.next()?
        });
    }
    let result = eg.emit(op.clone(), &operands)?;
    eg.reshape(result, after)
}
