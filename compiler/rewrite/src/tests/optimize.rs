//! What optimisation does to typical pieces of models.

use super::assert_same_meaning;
use crate::report::Budget;
use crate::rules::Sample;
use crate::{Contract, Cost, Exactness, Report, Stop, optimize};
use graph::{Graph, ValueId};
use ops::{BinaryKind, Op, ReduceKind, UnaryKind};
use tensor::{DType, Dim};

fn best(graph: &Graph, contract: Contract) -> (Graph, Report) {
    let (after, report) = optimize(graph.clone(), contract, &Cost::gpu(), &Budget::default()).expect("rules are sound");
    assert_same_meaning(graph, &after, 11, Exactness::REROUNDS);
    (after, report)
}

fn count(graph: &Graph, name: &str) -> usize {
    graph.nodes.iter().filter(|node| node.op.name() == name).count()
}

/// Convolution, inference batch norm, ReLU: what every convolutional network is made of.
#[test]
fn batch_norm_vanishes_into_the_filters() {
    let mut s = Sample::new(1);
    let (x, w) = (s.x(&[1, 3, 8, 8]), s.weight(&[4, 3, 3, 3]).expect("typed"));
    let y = s.conv(x, w, 1).expect("typed");
    let mean = s.spread(&[4, 1, 1], y).expect("typed");
    let y = s.binary(BinaryKind::Sub, y, mean).expect("typed");
    let scale = s.spread(&[4, 1, 1], y).expect("typed");
    let y = s.binary(BinaryKind::Mul, y, scale).expect("typed");
    let shift = s.spread(&[4, 1, 1], y).expect("typed");
    let y = s.binary(BinaryKind::Add, y, shift).expect("typed");
    let y = s.with(BinaryKind::Max, y, 0.0).expect("typed");
    let graph = s.finish(y);
    let (after, report) = best(&graph, Contract::Fast);
    assert_eq!((count(&after, "mul"), count(&after, "sub"), count(&after, "add")), (0, 0, 1));
    assert!(report.fired.contains_key("scale-of-conv"), "{:?}", report.fired);
    // Re-rounding weights is not what the strict contract allows.
    assert_eq!(count(&best(&graph, Contract::Strict).0, "mul"), 1);
}

#[test]
fn projections_of_one_value_are_merged() {
    let mut s = Sample::new(2);
    let x = s.x(&[4, 16]);
    for width in [16, 8, 8] {
        let w = s.weight(&[16, width]).expect("typed");
        let y = s.matmul(x, w).expect("typed");
        let b = s.spread(&[width], y).expect("typed");
        let y = s.binary(BinaryKind::Add, y, b).expect("typed");
        s.output(y);
    }
    let graph = s.finish(x);
    let (after, _) = best(&graph, Contract::Strict);
    assert_eq!((count(&after, "dot"), count(&after, "slice")), (1, 3));
    assert_eq!(count(&best(&graph, Contract::Bitwise).0, "dot"), 3);
}

/// Layer normalisation whose scale and shift go into the product behind it.
#[test]
fn norms_vanish_into_what_follows() {
    let mut s = Sample::new(3);
    let x = s.input(DType::F32, vec![Dim::symbol("N"), 8.into()]);
    let sum = s.builder.reduce(ReduceKind::Sum, x, &[1], true).expect("typed");
    let eighth = s.with(BinaryKind::Mul, sum, 0.125).expect("typed");
    let centred = s.builder.sub(x, eighth).expect("typed");
    let gamma = s.spread(&[8], centred).expect("typed");
    let y = s.binary(BinaryKind::Mul, centred, gamma).expect("typed");
    let beta = s.spread(&[8], y).expect("typed");
    let y = s.binary(BinaryKind::Add, y, beta).expect("typed");
    let w = s.weight(&[8, 4]).expect("typed");
    let y = s.matmul(y, w).expect("typed");
    let b = s.spread(&[4], y).expect("typed");
    let y = s.binary(BinaryKind::Add, y, b).expect("typed");
    let graph = s.finish(y);
    let (after, _) = best(&graph, Contract::Fast);
    assert_eq!((count(&after, "mul"), count(&after, "add")), (1, 1), "{}", graph::to_text(&after, Default::default()));
}

#[test]
fn transposes_cancel_through_elementwise_work() {
    let mut s = Sample::new(4);
    let x = s.x(&[4, 5, 6]);
    let y = s.transpose(x, &[0, 2, 1]).expect("typed");
    let y = s.unary(UnaryKind::Tanh, y).expect("typed");
    let c = s.spread(&[6, 1], y).expect("typed");
    let y = s.binary(BinaryKind::Mul, y, c).expect("typed");
    let y = s.transpose(y, &[0, 2, 1]).expect("typed");
    let (after, _) = best(&s.finish(y), Contract::Bitwise);
    assert_eq!(count(&after, "transpose"), 0);
}

#[test]
fn locations_of_what_vanished_stay() {
    let mut s = Sample::new(5);
    let model: std::sync::Arc<str> = "m.onnx".into();
    s.builder.set_loc(diag::Loc::node(model.clone(), 0, "product", "MatMul"));
    let (x, w) = (s.x(&[4, 16]), s.weight(&[16, 8]).expect("typed"));
    let y = s.matmul(x, w).expect("typed");
    s.builder.set_loc(diag::Loc::node(model, 1, "scale", "Mul"));
    let y = s.with(BinaryKind::Mul, y, 3.0).expect("typed");
    let (after, _) = best(&s.finish(y), Contract::Fast);
    let dot = after.nodes.iter().find(|node| matches!(node.op, Op::Dot(_))).expect("a product");
    assert_eq!(count(&after, "mul"), 0);
    assert!(dot.loc.node_names().contains(&"scale"), "{}", dot.loc);
}

/// A deep residual network: costs must be of the graph, not of the tree, whose size is exponential.
#[test]
fn deep_sharing_is_no_problem() {
    let mut s = Sample::new(6);
    let mut x = s.x(&[2, 8]);
    for _ in 0..150 {
        let w = s.weight(&[8, 8]).expect("typed");
        let y = s.matmul(x, w).expect("typed");
        let y = s.unary(UnaryKind::Tanh, y).expect("typed");
        x = s.builder.add(x, y).expect("typed");
    }
    let graph = s.finish(x);
    let (after, report) = optimize(graph, Contract::Fast, &Cost::host(2), &Budget::default()).expect("rules are sound");
    assert_eq!(count(&after, "dot"), 150);
    assert!(report.stops.values().sum::<usize>() > 1, "it was cut into parts");
    assert!(!report.stops.contains_key(&Stop::Deadline));
}

/// Dynamic quantisation: a scale that is one bit off flips whole quanta.
#[test]
fn what_is_rounded_keeps_its_arithmetic() {
    let mut s = Sample::new(8);
    let x = s.x(&[4, 16]);
    let highest = s.builder.reduce(ReduceKind::Max, x, &[0, 1], true).expect("typed");
    let scale = s.with(BinaryKind::Div, highest, 255.0).expect("typed");
    let scale = s.broadcast(scale, &[4, 16]).expect("typed");
    let y = s.builder.div(x, scale).expect("typed");
    let y = s.unary(UnaryKind::Round, y).expect("typed");
    let free = s.with(BinaryKind::Div, x, 255.0).expect("typed");
    s.output(free);
    let graph = s.finish(y);
    let (after, _) = best(&graph, Contract::Fast);
    assert_eq!((count(&after, "div"), count(&after, "mul")), (2, 1));
}

#[test]
fn odd_graphs_come_back() {
    let none: fn(&mut Sample) -> ValueId = |s| s.x(&[2]);
    let scalar: fn(&mut Sample) -> ValueId = |s| {
        let x = s.x(&[]);
        s.unary(UnaryKind::Neg, x).expect("typed")
    };
    let empty: fn(&mut Sample) -> ValueId = |s| {
        let (x, w) = (s.x(&[0, 4]), s.weight(&[4, 0]).expect("typed"));
        s.matmul(x, w).expect("typed")
    };
    let constant: fn(&mut Sample) -> ValueId = |s| s.weight(&[3]).expect("typed");
    for build in [none, scalar, empty, constant] {
        let mut s = Sample::new(7);
        let value = build(&mut s);
        best(&s.finish(value), Contract::Relaxed);
    }
}
