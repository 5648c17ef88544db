//! Random graphs: rewriting keeps what they mean.

use super::assert_same_meaning;
use super::audit::{audit, whole};
use crate::report::Budget;
use crate::rules::{Sample, allowed};
use crate::saturate::{load, saturate};
use crate::{Contract, Cost, Exactness, canonicalize, optimize};
use graph::{Graph, ValueId, evaluate, evaluate_with};
use ops::{BinaryKind, Concat, ReduceKind, UnaryKind};
use tensor::{DType, Dim};

/// A random graph that has results: one whose symbolic sizes fit.
pub(super) fn random_graph(seed: u64, n_nodes: usize) -> Graph {
    let has_results = |graph: &Graph| evaluate(graph, &Sample::new(seed).inputs(graph)).is_ok();
    (0..).map(|attempt| attempted_graph(seed, attempt, n_nodes)).find(has_results).expect("some graph has results")
}

/// A random graph over `f32` values, with symbols, scalars and empty tensors among them.
fn attempted_graph(seed: u64, attempt: u64, n_nodes: usize) -> Graph {
    let mut s = Sample::new(seed + 10_000 * attempt);
    let mut values = vec![s.x(&[2, 3]), s.x(&[3, 2]), s.x(&[1, 3]), s.x(&[])];
    if seed.is_multiple_of(3) {
        values.push(s.input(DType::F32, vec![Dim::symbol("N"), 3.into()]));
    }
    if seed.is_multiple_of(5) {
        values.push(s.x(&[0, 3]));
    }
    for _ in 0..n_nodes {
        if let Some(value) = random_node(&mut s, &values) {
            values.push(value);
        }
    }
    let picked = values.len().saturating_sub(3);
    let outputs: Vec<ValueId> = values.split_off(picked);
    let (last, others) = outputs.split_last().expect("there are values");
    others.iter().for_each(|value| s.output(*value));
    s.finish(*last)
}

fn random_node(s: &mut Sample, values: &[ValueId]) -> Option<ValueId> {
    let x = values[values.len() - 1 - s.below(values.len().min(6))];
    let shape = s.builder.shape(x).to_vec();
    let rank = shape.len();
    match s.below(12) {
        0 => {
            use UnaryKind::*;
            let kinds = [Neg, Abs, Tanh, Sigmoid, Floor];
            let kind = kinds[s.below(kinds.len())];
            s.unary(kind, x)
        }
        1 | 2 => {
            use BinaryKind::*;
            let kinds = [Add, Sub, Mul, Max, Min];
            let kind = kinds[s.below(kinds.len())];
            let y = values[s.below(values.len())];
            s.builder.binary(kind, x, y).ok()
        }
        3 => {
            use BinaryKind::*;
            let kinds = [Add, Sub, Mul, Div, Max, Min];
            let numbers = [0.0, 1.0, -1.0, 2.0, 0.5, 3.0, -0.0];
            let number = numbers[s.below(numbers.len())];
            let kind = kinds[s.below(kinds.len())];
            // Division by zero makes infinities, which no contract but the exact ones promises to keep.
            s.with(kind, x, if kind == Div && number == 0.0 { 2.0 } else { number })
        }
        4 => {
            let mut perm: Vec<usize> = (0..rank).collect();
            perm.rotate_left(s.below(rank));
            s.transpose(x, &perm)
        }
        5 => {
            let n = shape.iter().map(|d| d.as_const()).try_fold(1, |n, d| Some(n * d?))?;
            let shapes = [vec![n], vec![1, n], vec![n, 1]];
            let shape = shapes[s.below(3)].iter().map(|d| Dim::from(*d)).collect();
            s.builder.reshape(x, shape).ok()
        }
        6 => {
            let mut larger = vec![Dim::from(2)];
            larger.extend(shape);
            (rank < 3).then_some(())?;
            s.builder.broadcast(x, larger).ok()
        }
        7 => {
            (rank > 0).then_some(())?;
            let axis = s.below(rank);
            let size = usize::try_from(shape[axis].as_const()?).ok()?;
            let at = s.below(size);
            let mut slice = ops::Slice { starts: vec![0.into(); rank], sizes: shape, steps: vec![1; rank] };
            slice.starts[axis] = at.into();
            slice.sizes[axis] = (size - at).into();
            s.emit(slice, &[x])
        }
        8 => {
            (rank > 0).then_some(())?;
            let y = values[s.below(values.len())];
            let axis = s.below(rank);
            s.emit(Concat { axis }, &[x, y])
        }
        9 => {
            (rank > 0).then_some(())?;
            let kinds = [ReduceKind::Sum, ReduceKind::Max];
            let (kind, axis) = (kinds[s.below(2)], s.below(rank));
            let keep = s.below(2) == 0;
            s.builder.reduce(kind, x, &[axis], keep).ok()
        }
        _ => {
            (rank > 0).then_some(())?;
            let k = usize::try_from(shape[rank - 1].as_const()?).ok()?;
            let n = 1 + s.below(4);
            let w = s.weight(&[k, n])?;
            let y = s.matmul(x, w)?;
            let b = s.weight(&[n])?;
            s.builder.add(y, b).ok()
        }
    }
}

#[test]
fn canonical_graphs_mean_the_same_to_the_last_bit() {
    for seed in 0..150 {
        let graph = random_graph(seed, 14);
        let canonical = canonicalize(graph.clone());
        assert_same_meaning(&graph, &canonical, seed, Exactness::EXACT);
        assert_eq!(canonicalize(canonical.clone()).n_nodes(), canonical.n_nodes(), "seed {seed}");
    }
}

fn all_finite(graph: &Graph, seed: u64) -> bool {
    let mut finite = true;
    let mut look = |_: &Graph, _: ValueId, value: &tensor::Tensor| {
        finite &= value.iter().all(|v| v.as_f64().is_finite());
    };
    let inputs = Sample::new(seed).inputs(graph);
    evaluate_with(graph, &inputs, &mut look).is_ok() && finite
}

#[test]
fn optimized_graphs_mean_the_same() {
    for seed in 0..120 {
        let graph = random_graph(seed, 14);
        let finite = all_finite(&graph, seed);
        for (contract, exactness) in [
            (Contract::Bitwise, Exactness::EXACT),
            (Contract::Fast, Exactness::REROUNDS),
            (Contract::Relaxed, Exactness::REROUNDS),
        ] {
            let (after, report) = optimize(graph.clone(), contract, &Cost::host(2), &Budget::default())
                .unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            assert!(report.cost_after <= report.cost_before);
            // Only exact rules promise to keep infinities.
            if !finite && !exactness.is_exact() {
                continue;
            }
            assert_same_meaning(&graph, &after, seed, exactness);
        }
    }
}

/// The audit of one graph under one contract.
pub(super) fn assert_classes_agree(graph: &Graph, seed: u64, contract: Contract) {
    let exactness = match contract {
        Contract::Bitwise => Exactness::EXACT,
        _ => Exactness::REROUNDS,
    };
    let mut built = whole(graph);
    let rules = load(&allowed(contract));
    if let Err(conflict) = saturate(&mut built.eg, &rules, &Budget::default(), true) {
        panic!("seed {seed}, {}: {}", conflict.rule, conflict.what);
    }
    let inputs = Sample::new(seed).inputs(graph);
    if let Err(what) = audit(&built, graph, &inputs, exactness) {
        let text = graph::to_text(graph, graph::TextOptions::default());
        panic!("seed {seed}, {contract}: {what}\n{text}");
    }
}

#[test]
fn all_members_of_all_classes_agree() {
    for seed in 0..60 {
        let graph = random_graph(seed, 10);
        assert_classes_agree(&graph, seed, Contract::Bitwise);
        assert_classes_agree(&graph, seed, Contract::Fast);
    }
}

#[test]
fn small_parts_fit_together() {
    let budget = Budget { max_part: 4, ..Budget::default() };
    for seed in 200..240 {
        let graph = random_graph(seed, 20);
        let (after, _) = optimize(graph.clone(), Contract::Fast, &Cost::gpu(), &budget)
            .unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert_same_meaning(&graph, &after, seed, Exactness::REROUNDS);
    }
}

#[test]
fn the_same_graph_gives_the_same_text() {
    for seed in 300..320 {
        let text = || {
            let (after, _) = optimize(random_graph(seed, 20), Contract::Fast, &Cost::host(2), &Budget::default())
                .unwrap_or_else(|e| panic!("seed {seed}: {e}"));
            graph::to_text(&after, graph::TextOptions::default())
        };
        assert_eq!(text(), text(), "seed {seed}");
    }
}
