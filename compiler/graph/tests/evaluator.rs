//! The evaluator: symbols, control flow, faults.

use graph::{Graph, evaluate, evaluate_with, parse};
use tensor::{Scalar, Tensor};

fn read(text: &str) -> Graph {
    parse(text, "t.graph").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn f(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_vec(shape.to_vec(), values.to_vec())
}

fn i(shape: &[usize], values: &[i64]) -> Tensor {
    Tensor::from_vec(shape.to_vec(), values.to_vec())
}

fn truth(value: bool) -> Tensor {
    Tensor::from_bools(vec![], &[value])
}

#[test]
fn symbols_get_their_values_from_inputs() {
    let graph = read(
        "graph @g(%x: f32[N], %y: f32[N+1]) {
          %n = dims {values = [2*N]}
          %z = slice %y {starts = [1], sizes = [N], steps = [1]}
          %s = add %x, %z
          return %n, %s }",
    );
    let results = evaluate(&graph, &[f(&[2], &[1.0, 2.0]), f(&[3], &[0.0, 10.0, 20.0])]).unwrap();
    assert_eq!(results, [i(&[1], &[4]), f(&[2], &[11.0, 22.0])]);
    let bad = evaluate(&graph, &[f(&[2], &[1.0, 2.0]), f(&[2], &[0.0, 1.0])]).unwrap_err();
    assert_eq!(bad.message, "input `y` is f32[2] and not f32[N+1] (N = 2)");
    let bad = evaluate(&graph, &[]).unwrap_err();
    assert_eq!(bad.message, "graph `g` takes 2 inputs and not 0");
}

#[test]
fn data_becomes_shape() {
    let graph = read(
        "graph @g(%x: f32[N], %k: i64[1]) {
          bind %k {symbols = [K]}
          %wide = broadcast %x {shape = [K, N]}
          %at = nonzero %x {count = C}
          %n = dims {values = [C]}
          return %wide, %at, %n }",
    );
    let results = evaluate(&graph, &[f(&[2], &[0.0, 5.0]), i(&[1], &[2])]).unwrap();
    assert_eq!(results, [f(&[2, 2], &[0.0, 5.0, 0.0, 5.0]), i(&[1, 1], &[1]), i(&[1], &[1])]);
}

#[test]
fn branches() {
    let graph = read(
        "graph @g(%c: bool[], %x: f32[N]) {
          %y = if %c, %x {symbols = [M]} : f32[M] {
            graph @then(%p: f32[N]) { %q = concat %p, %p {axis = 0} return %q }
            graph @else(%p: f32[N]) { %q = neg %p return %q }
          }
          %m = dims {values = [M]}
          return %y, %m }",
    );
    let x = f(&[1], &[3.0]);
    let run = |c| evaluate(&graph, &[truth(c), x.clone()]).unwrap();
    assert_eq!(run(true), [f(&[2], &[3.0, 3.0]), i(&[1], &[2])]);
    assert_eq!(run(false), [f(&[1], &[-3.0]), i(&[1], &[1])]);
}

/// Doubles a value until it is at least `limit`, and stacks what it was; one carried value grows with every trip.
const LOOP: &str = "graph @g(%most: i64[], %go: bool[], %x: f32[], %list: f32[L], %limit: f32[]) {
  %last, %all, %trips = loop %most, %go, %x, %list, %limit {n_carried = 2, symbols = [A, T]} : f32[], f32[A], f32[T] {
    graph @body(%i: i64[], %c: bool[], %v: f32[], %l: f32[K], %limit: f32[]) {
      %twice = add %v, %v
      %one = reshape %twice {shape = [1]}
      %longer = concat %l, %one {axis = 0}
      %more = lt %twice, %limit
      return %more, %twice, %longer, %v
    }
  }
  return %last, %all, %trips }";

#[test]
fn loops() {
    let graph = read(LOOP);
    let run = |most: i64, go: bool| {
        let inputs = [i(&[], &[most]), truth(go), f(&[], &[1.0]), f(&[1], &[9.0]), f(&[], &[5.0])];
        evaluate(&graph, &inputs).unwrap()
    };
    let three = [f(&[], &[8.0]), f(&[4], &[9.0, 2.0, 4.0, 8.0]), f(&[3], &[1.0, 2.0, 4.0])];
    assert_eq!(run(100, true), three);
    assert_eq!(run(1, true), [f(&[], &[2.0]), f(&[2], &[9.0, 2.0]), f(&[1], &[1.0])]);
    for (most, go) in [(0, true), (5, false)] {
        assert_eq!(run(most, go), [f(&[], &[1.0]), f(&[1], &[9.0]), f(&[0], &[])]);
    }
}

#[test]
fn faults_name_the_node() {
    let graph = read("graph @g(%x: f32[N], %i: i64[]) {\n %y = gather %x, %i {axis = 0}\n return %y }");
    let error = evaluate(&graph, &[f(&[1], &[1.0]), i(&[], &[4])]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "t.graph:2:2: gather: index 4 (element [] of the indices) lies outside of axis 0, which has size 1"
    );
}

#[test]
fn an_observer_sees_every_value() {
    let graph = read("graph @g(%x: f32[]) { %a = neg %x  %b = exp %a  %c = neg %a return %b }");
    let mut seen = Vec::new();
    let x = Tensor::scalar(tensor::DType::F32, Scalar::Float(0.0));
    evaluate_with(&graph, &[x], &mut |graph, value, tensor| {
        seen.push((graph.value(value).name.clone().unwrap(), tensor.get(0).as_f64()));
    })
    .unwrap();
    let names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names, seen[2].1), (vec!["x", "a", "b", "c"], 1.0));
}
