//! Random graphs of convolutions, pooling and padding, and of batched products: what guards of rules are for.

use super::assert_same_meaning;
use super::random::assert_classes_agree;
use crate::report::Budget;
use crate::rules::Sample;
use crate::{Contract, Cost, Exactness, canonicalize, optimize};
use graph::{Graph, ValueId, evaluate};
use ops::{
    ArgKind, ArgReduce, BinaryKind, Concat, Conv, Dot, Gather, Pad, PadMode, Pool, PoolKind, ReduceKind, UnaryKind,
};
use tensor::{DType, Dim, Tensor};

type MakeNode = fn(&mut Sample, &[ValueId]) -> Option<ValueId>;

/// A graph of random nodes on top of inputs of one shape.
fn random_graph(seed: u64, n_nodes: usize, shapes: &[&[usize]], make: MakeNode) -> Graph {
    let mut s = Sample::new(seed);
    let mut values: Vec<ValueId> = shapes.iter().map(|shape| s.x(shape)).collect();
    let mut tries = 0;
    while values.len() < n_nodes + shapes.len() && tries < 20 * n_nodes {
        tries += 1;
        if let Some(value) = make(&mut s, &values) {
            values.push(value);
        }
    }
    let [.., before, last] = values[..] else { unreachable!("there are several values") };
    s.output(before);
    s.finish(last)
}

fn recent(s: &mut Sample, values: &[ValueId]) -> ValueId {
    values[values.len() - 1 - s.below(values.len().min(4))]
}

fn sizes(s: &Sample, x: ValueId) -> Vec<usize> {
    let shape = s.builder.shape(x).iter();
    shape.map(|d| d.as_const().map_or(1, |d| d as usize)).collect()
}

fn dims(v: &[usize]) -> Vec<Dim> {
    v.iter().map(|d| Dim::from(*d)).collect()
}

fn arithmetic(s: &mut Sample, x: ValueId) -> Option<ValueId> {
    use BinaryKind::{Add, Div, Max, Mul, Sub};
    let kinds = [Add, Sub, Mul, Max, Div];
    let kind = kinds[s.below(kinds.len())];
    let shape = sizes(s, x);
    let mut small = vec![1; shape.len()];
    if s.below(4) > 0 {
        let axis = s.below(shape.len());
        small[axis] = shape[axis];
    }
    let mut c = s.spread(&small, x)?;
    if kind == Div {
        let three = s.number(3.0, x)?;
        c = s.binary(Add, c, three)?;
    }
    s.binary(kind, x, c)
}

fn vision_node(s: &mut Sample, values: &[ValueId]) -> Option<ValueId> {
    let x = recent(s, values);
    let shape = sizes(s, x);
    let (two, three) = ([1 + s.below(2), 1 + s.below(2)], s.below(3));
    (shape.len() == 4 && shape[2..].iter().all(|d| *d > 0 && *d < 9)).then_some(())?;
    match s.below(10) {
        0..3 => {
            let groups = if s.below(3) == 0 { shape[1] } else { 1 };
            let kernel = [1 + s.below(3), 1 + s.below(3)];
            let n_filters = if groups == 1 { 1 + s.below(4) } else { groups };
            let w = s.weight(&[n_filters, shape[1] / groups, kernel[0], kernel[1]])?;
            let conv = Conv {
                strides: two.to_vec(),
                pads_low: dims(&[s.below(2), s.below(2)]),
                pads_high: dims(&[s.below(2), s.below(2)]),
                dilations: vec![1, 1 + s.below(2)],
                base_dilations: vec![1, 1 + s.below(4) / 3],
                groups,
                out: DType::F32,
            };
            s.emit(conv, &[x, w])
        }
        3..6 => arithmetic(s, x),
        6 => {
            let pool = Pool {
                kind: [PoolKind::Sum, PoolKind::Max][s.below(2)],
                window: shape[2..].iter().map(|d| 1 + s.below(*d)).collect(),
                strides: two.to_vec(),
                pads_low: dims(&[three, 0]),
                pads_high: dims(&[0, three]),
                dilations: vec![1, 1],
            };
            s.emit(pool, &[x])
        }
        7 => {
            let value = [0.0, 0.0, 1.0][three];
            let value = s.builder.scalar(DType::F32, value).ok()?;
            let modes = [PadMode::Constant, PadMode::Constant, PadMode::Edge];
            let pad = Pad {
                low: dims(&[0, s.below(4) / 3, s.below(2), s.below(2)]),
                high: dims(&[0, 0, s.below(2), s.below(3)]),
                mode: modes[s.below(3)],
            };
            s.emit(pad, &[x, value])
        }
        8 => {
            let y = recent(s, values);
            s.emit(Concat { axis: 1 }, &[x, y])
        }
        _ => {
            let perm = [[0, 1, 3, 2], [0, 2, 3, 1], [0, 3, 1, 2]][three];
            s.transpose(x, &perm)
        }
    }
}

fn attention_node(s: &mut Sample, values: &[ValueId]) -> Option<ValueId> {
    let x = recent(s, values);
    let shape = sizes(s, x);
    (shape.len() == 3 && shape.iter().all(|d| (1..9).contains(d))).then_some(())?;
    match s.below(12) {
        0 | 1 => arithmetic(s, x),
        2 | 3 => {
            let width = 1 + s.below(4);
            let w = s.weight(&[shape[2], width])?;
            s.matmul(x, w)
        }
        4 | 5 => {
            let y = values[s.below(values.len())];
            let (a, b) = (1 + s.below(2), 1 + s.below(2));
            let dot = Dot {
                lhs_batch: vec![0],
                rhs_batch: vec![0],
                lhs_contract: vec![a],
                rhs_contract: vec![b],
                out: DType::F32,
            };
            s.emit(dot, &[x, y])
        }
        6 => {
            let w = s.weight(&[shape[2], 3])?;
            let w = s.broadcast(w, &[shape[0], shape[2], 3])?;
            let dot = Dot {
                lhs_batch: vec![0],
                rhs_batch: vec![0],
                lhs_contract: vec![2],
                rhs_contract: vec![1],
                out: DType::F32,
            };
            s.emit(dot, &[x, w])
        }
        7 => {
            let perm = [[0, 2, 1], [1, 2, 0], [2, 0, 1], [1, 0, 2]][s.below(4)];
            s.transpose(x, &perm)
        }
        8 => {
            let axis = s.below(3);
            let n = 1 + s.below(3);
            let places: Vec<i64> = (0..n).map(|_| s.below(shape[axis]) as i64).collect();
            let places = Tensor::from_vec(vec![places.len()], places);
            let places = s.builder.constant(places).ok()?;
            s.emit(Gather { axis }, &[x, places])
        }
        9 => {
            let kinds = [ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min];
            let (kind, axis) = (kinds[s.below(3)], s.below(3));
            s.builder.reduce(kind, x, &[axis], true).ok()
        }
        10 => {
            let y = values[s.below(values.len())];
            s.builder.add(x, y).ok()
        }
        _ => {
            let kinds = [UnaryKind::Tanh, UnaryKind::Neg, UnaryKind::Sigmoid];
            let kind = kinds[s.below(3)];
            s.unary(kind, x)
        }
    }
}

fn check(seed: u64, graph: &Graph) {
    let inputs = Sample::new(seed).inputs(graph);
    if evaluate(graph, &inputs).is_err() {
        return;
    }
    assert_same_meaning(graph, &canonicalize(graph.clone()), seed, Exactness::EXACT);
    assert_classes_agree(graph, seed, Contract::Strict);
    assert_classes_agree(graph, seed, Contract::Fast);
    let (after, _) = optimize(graph.clone(), Contract::Fast, &Cost::gpu(), &Budget::default())
        .unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    assert_same_meaning(graph, &after, seed, Exactness::REROUNDS);
}

#[test]
fn convolutional_graphs_keep_their_meaning() {
    for seed in 0..150 {
        let graph = random_graph(seed, 8, &[&[1, 2, 5, 4], &[1, 3, 4, 4]], vision_node);
        check(seed, &graph);
    }
}

#[test]
fn graphs_of_products_keep_their_meaning() {
    for seed in 0..150 {
        let graph = random_graph(seed, 9, &[&[2, 3, 4], &[2, 4, 3]], attention_node);
        check(seed, &graph);
    }
}

#[test]
fn places_of_extremes_keep_their_meaning() {
    for seed in 0..10 {
        let mut s = Sample::new(seed);
        let x = s.x(&[3, 7]);
        let y = s.unary(UnaryKind::Neg, x).expect("typed");
        let kind = [ArgKind::Max, ArgKind::Min][s.below(2)];
        let op = ArgReduce { kind, axis: s.below(2), last: s.below(2) == 0 };
        let y = s.emit(op, &[y]).expect("typed");
        let graph = s.finish(y);
        let (after, _) =
            optimize(graph.clone(), Contract::Relaxed, &Cost::gpu(), &Budget::default()).expect("rules are sound");
        assert_same_meaning(&graph, &after, seed, Exactness::EXACT);
    }
}
