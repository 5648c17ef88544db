//! What canonicalization does, one idea for each test.

use super::assert_same_meaning;
use crate::rules::Sample;
use crate::{Contract, Exactness, canonicalize, canonicalize_under};
use graph::{Builder, Graph};
use ops::{BinaryKind, If, Op, UnaryKind};
use tensor::{DType, Tensor, TensorType};

fn names(graph: &Graph) -> Vec<&'static str> {
    graph.nodes.iter().map(|node| node.op.name()).collect()
}

fn check(build: impl Fn(&mut Sample) -> Option<graph::ValueId>, expected: &[&str]) {
    let mut sample = Sample::new(1);
    let value = build(&mut sample).expect("the graph can be built");
    let graph = sample.finish(value);
    let canonical = canonicalize(graph.clone());
    assert_eq!(names(&canonical), expected);
    assert_same_meaning(&graph, &canonical, 2, Exactness::EXACT);
}

#[test]
fn dead_and_repeated_code_goes() {
    check(
        |s| {
            let (x, y) = (s.x(&[2, 3]), s.x(&[2, 3]));
            s.unary(UnaryKind::Exp, x)?;
            let (a, b) = (s.binary(BinaryKind::Add, x, y)?, s.binary(BinaryKind::Add, y, x)?);
            s.binary(BinaryKind::Mul, a, b)
        },
        &["add", "mul"],
    );
}

#[test]
fn views_meet() {
    check(
        |s| {
            let x = s.x(&[2, 3, 4]);
            let x = s.transpose(x, &[1, 2, 0])?;
            let x = s.transpose(x, &[2, 0, 1])?;
            let x = s.reshape(x, &[6, 4])?;
            let x = s.reshape(x, &[24])?;
            let x = s.slice(x, &[2], &[20], &[1])?;
            s.slice(x, &[1], &[5], &[2])
        },
        &["reshape", "slice"],
    );
}

#[test]
fn constants_are_computed_but_not_blown_up() {
    check(
        |s| {
            let x = s.x(&[64, 64, 64]);
            let (a, b) = (s.spread(&[64, 1, 1], x)?, s.spread(&[64, 1, 1], x)?);
            let c = s.binary(BinaryKind::Mul, a, b)?;
            s.binary(BinaryKind::Add, x, c)
        },
        &["constant", "broadcast", "add"],
    );
}

#[test]
fn neutral_numbers_go_where_the_contract_allows() {
    let mut sample = Sample::new(1);
    let x = sample.x(&[2, 3]);
    let y = sample.with(BinaryKind::Mul, x, 1.0).expect("typed");
    let y = sample.with(BinaryKind::Add, y, 0.0).expect("typed");
    let graph = sample.finish(y);
    assert_eq!(names(&canonicalize(graph.clone())), ["constant", "broadcast", "add"]);
    assert!(canonicalize_under(graph, Contract::Relaxed).nodes.is_empty());
}

fn region(name: &str, ty: &TensorType, kind: UnaryKind) -> Graph {
    let mut b = Builder::new(name);
    let x = b.input("x", ty.clone());
    let y = b.unary(kind, x).expect("typed");
    let y = b.unary(kind, y).expect("typed");
    b.output("y", y);
    b.finish()
}

fn branch(condition: Option<bool>) -> Graph {
    let mut b = Builder::new("branch");
    let ty = TensorType::new(DType::F32, [2, 3]);
    let x = b.input("x", ty.clone());
    let condition = match condition {
        Some(value) => b.constant(Tensor::from_bools(vec![], &[value])).expect("typed"),
        None => b.input("c", TensorType::scalar(DType::Bool)),
    };
    let regions = vec![region("then", &ty, UnaryKind::Neg), region("else", &ty, UnaryKind::Abs)];
    let y = b.emit_regions(If { symbols: vec![] }, &[condition, x], regions, vec![ty]);
    b.output("y", y[0]);
    b.finish()
}

#[test]
fn regions_are_canonical_inside() {
    let graph = branch(None);
    let canonical = canonicalize(graph.clone());
    let [node] = &canonical.nodes[..] else { panic!("one node: {:?}", names(&canonical)) };
    assert!(matches!(node.op, Op::If(_)));
    assert_eq!(names(&node.regions[0]), [] as [&str; 0]);
    assert_eq!(names(&node.regions[1]), ["abs"]);
    assert_same_meaning(&graph, &canonical, 3, Exactness::EXACT);
}

#[test]
fn known_choices_are_made() {
    for (condition, expected) in [(true, vec![]), (false, vec!["abs"])] {
        let graph = branch(Some(condition));
        let canonical = canonicalize(graph.clone());
        assert_eq!(names(&canonical), expected);
        assert_same_meaning(&graph, &canonical, 3, Exactness::EXACT);
    }
}

#[test]
fn quick_evaluation_gives_the_reference_bits() {
    use crate::canon::fold::result_bytes;
    let mut s = Sample::new(5);
    let x = s.tensor(DType::F32, &[3, 4, 5]);
    let y = s.tensor(DType::F32, &[3, 4, 5]);
    let half = s.tensor(DType::F16, &[3, 4, 5]);
    let binary = |kind| Op::from(ops::Binary { kind });
    let perm: Op = ops::Transpose { perm: vec![2, 0, 1] }.into();
    let concat: Op = ops::Concat { axis: 1 }.into();
    let broadcast: Op = ops::Broadcast { shape: [2, 3, 4, 5].map(Into::into).to_vec() }.into();
    for (op, inputs) in [
        (binary(BinaryKind::Add), vec![x.clone(), y.clone()]),
        (binary(BinaryKind::Sub), vec![x.clone(), y.clone()]),
        (binary(BinaryKind::Mul), vec![x.clone(), y.clone()]),
        (perm.clone(), vec![x.clone()]),
        (perm, vec![half]),
        (concat, vec![x.clone(), y]),
        (broadcast, vec![x]),
    ] {
        let types: Vec<TensorType> = inputs.iter().map(Tensor::ty).collect();
        let expected = op.eval(&inputs).expect("the reference gives a result");
        assert_eq!(crate::canon::quick_eval(&op, &inputs).as_ref(), expected.first(), "{op:?}");
        assert!(result_bytes(&op, &types, 1 << 20, 1 << 20).is_some());
    }
}

/// Stored weights are multiplied as they are; what is computed from constants keeps the axes in which that is.
#[test]
fn products_sum_over_the_axes_of_computed_weights() {
    let mut b = Builder::new("g");
    let x = b.input("x", TensorType::new(DType::F32, [3, 1024]));
    let codes = Tensor::from_vec(vec![40, 32, 32], (0..40 * 1024).map(|at| (at % 251) as u8).collect());
    let codes = b.constant(codes).unwrap();
    let numbers = b.cast(codes, DType::F32).unwrap();
    let weights = b.reshape(numbers, vec![40.into(), 1024.into()]).unwrap();
    let weights = b.transpose(weights, vec![1, 0]).unwrap();
    let dot = |lhs: usize, rhs: usize| ops::Dot {
        lhs_batch: vec![],
        rhs_batch: vec![],
        lhs_contract: vec![lhs],
        rhs_contract: vec![rhs],
        out: DType::F32,
    };
    let y = b.emit(dot(1, 0), &[x, weights]).unwrap();
    b.output("y", y);
    let graph = b.finish();
    let canonical = canonicalize(graph.clone());
    assert_eq!(names(&canonical), ["constant", "cast", "reshape", "dot"]);
    let product = canonical.nodes.iter().find_map(|node| if let Op::Dot(op) = &node.op { Some(op) } else { None });
    assert_eq!(product.map(|op| (op.lhs_contract.clone(), op.rhs_contract.clone())), Some((vec![1, 2], vec![1, 2])));
    assert_same_meaning(&graph, &canonical, 1, Exactness::EXACT);
}
