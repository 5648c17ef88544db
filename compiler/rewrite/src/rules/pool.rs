//! Pooling.

use super::{Action, Rule};
use crate::Exactness;
use crate::egraph::Eg;
use egg::Id;
use ops::{BinaryKind, Op, Pool, PoolKind, Reduce, ReduceKind};
use tensor::Dim;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "max-pool-of-max",
        exactness: Exactness::SIGNED_ZERO,
        algebra: "max-pool(max(x, c)) = max(max-pool x, c), for c the same everywhere",
        action: Action::Compute("(pool ?p (max ?x ?c))", |eg, m| {
            let (x, pool) = (m.id("?x"), eg.attr::<Pool>(m.id("?p"))?);
            let core = eg.core(m.id("?c")).filter(|core| eg.rank(*core) == 0)?;
            (pool.kind == PoolKind::Max && meets_elements(&pool)).then_some(())?;
            let pooled = eg.emit(pool, &[x])?;
            let shape = eg.shape(pooled).to_vec();
            let bound = eg.broadcast(core, &shape)?;
            eg.binary(BinaryKind::Max, pooled, bound)
        }),
        example: |s| {
            let x = s.x(&[1, 2, 6, 6]);
            let y = s.with(BinaryKind::Max, x, 0.0)?;
            let pool = Pool {
                kind: PoolKind::Max,
                window: vec![3, 3],
                strides: vec![2, 2],
                pads_low: vec![1.into(); 2],
                pads_high: vec![1.into(); 2],
                dilations: vec![1, 1],
            };
            s.emit(pool, &[y])
        },
    },
    Rule {
        name: "global-pool",
        exactness: Exactness::KERNEL,
        algebra: "pool over everything = reduce",
        action: Action::Nodes(&["pool"], global),
        example: |s| {
            let x = s.x(&[1, 2, 4, 3]);
            let pool = Pool {
                kind: PoolKind::Sum,
                window: vec![4, 3],
                strides: vec![1, 1],
                pads_low: vec![0.into(); 2],
                pads_high: vec![0.into(); 2],
                dilations: vec![1, 1],
            };
            s.emit(pool, &[x])
        },
    },
];

/// Whether every window holds at least one element.
fn meets_elements(pool: &Pool) -> bool {
    let pads = pool.pads_low.iter().zip(&pool.pads_high);
    let smaller = |pad: &Dim, window: usize| pad.as_const().is_some_and(|pad| (0..window as i64).contains(&pad));
    pool.dilations.iter().all(|d| *d == 1)
        && pads.zip(&pool.window).all(|((low, high), window)| smaller(low, *window) && smaller(high, *window))
}

fn global(eg: &mut Eg, op: &Op, inputs: &[Id]) -> Option<Id> {
    let Op::Pool(pool) = op else { return None };
    let (x, zero) = (inputs[0], Dim::from(0));
    let first = eg.rank(x).checked_sub(pool.window.len())?;
    let covers = |(idx, window): (usize, &usize)| eg.shape(x)[first + idx] == Dim::from(*window);
    let whole = pool.window.iter().enumerate().all(covers)
        && pool.pads_low.iter().chain(&pool.pads_high).all(|pad| *pad == zero)
        && pool.dilations.iter().all(|d| *d == 1);
    whole.then_some(())?;
    let kind = match pool.kind {
        PoolKind::Sum => ReduceKind::Sum,
        PoolKind::Max => ReduceKind::Max,
    };
    let axes = (first..eg.rank(x)).collect();
    let mut shape = eg.shape(x)[..first].to_vec();
    shape.extend(vec![Dim::from(1); pool.window.len()]);
    let reduced = eg.emit(Reduce { kind, axes }, &[x])?;
    eg.reshape(reduced, shape)
}
