//! Attention as one host kernel gives to the last bit what its three parts give, and what the evaluator gives but for the
//! order of sums.

use driver::Options;
use graph::Graph;
use import_onnx::Imported;
use std::time::Duration;
use tensor::{Scalar, Tensor};

/// An attention with `q` in the order of a projection, masks of two kinds, and rows without a weight.
/// `outputs` are what it returns.
fn attention([b, h, m, n, d, e]: [&str; 6], outputs: &str) -> Graph {
    let (full, rows) = (format!("[{b}, {h}, {m}, {n}]"), format!("[{b}, {h}, {m}, 1]"));
    let text = format!(
        "graph @g(%q: f32[{b},{m},{h},{d}], %k: f32[{b},{n},{h},{d}], %v: f32[{b},{h},{n},{e}], %mask: f32[{b},1,1,{n}],
  %slope: f32[{h},1,1], %low: f32[], %zero: f32[]) {{
  %kt = transpose %k {{perm = [0, 2, 3, 1]}}
  %s = dot %q, %kt {{lhs_batch = [0, 2], rhs_batch = [0, 1], lhs_contract = [3], rhs_contract = [2], out = f32}}
  %i = iota {{dtype = i64, shape = [{m}, {n}], axis = 0}}
  %j = iota {{dtype = i64, shape = [{m}, {n}], axis = 1}}
  %past = le %j, %i
  %pb = broadcast %past {{shape = {full}}}
  %lb = broadcast %low {{shape = {full}}}
  %sb = broadcast %slope {{shape = {full}}}
  %t = mul %s, %sb
  %c = select %pb, %t, %lb
  %mb = broadcast %mask {{shape = {full}}}
  %x = add %c, %mb
  %max = reduce %x {{kind = max, axes = [3]}}
  %maxr = reshape %max {{shape = {rows}}}
  %maxb = broadcast %maxr {{shape = {full}}}
  %u = sub %x, %maxb
  %exp = exp %u
  %sum = reduce %exp {{kind = sum, axes = [3]}}
  %sumr = reshape %sum {{shape = {rows}}}
  %sumb = broadcast %sumr {{shape = {full}}}
  %r = div %exp, %sumb
  %nan = isnan %r
  %zb = broadcast %zero {{shape = {full}}}
  %p = select %nan, %zb, %r
  %o = dot %p, %v {{lhs_batch = [0, 1], rhs_batch = [0, 1], lhs_contract = [3], rhs_contract = [2], out = f32}}
  %y = neg %o
  return {outputs}
}}"
    );
    graph::parse(&text, "t.graph").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Numbers without a pattern. The first row of the mask lets nothing through.
fn inputs([b, h, m, n, d, e]: [usize; 6]) -> Vec<Tensor> {
    let mut state = 1u64;
    let mut noise = |shape: &[usize]| {
        Tensor::build(tensor::DType::F32, shape.to_vec(), |_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            Scalar::Float((state >> 40) as f64 / f64::from(1 << 23) - 1.0)
        })
    };
    let scalar = |value: f32| Tensor::from_vec(vec![], vec![value]);
    let mask = (0..b * n).map(|at| if at % n == n / 2 || at < n && n > 3 { f32::NEG_INFINITY } else { 0.5 });
    vec![
        noise(&[b, m, h, d]),
        noise(&[b, n, h, d]),
        noise(&[b, h, n, e]),
        Tensor::from_vec(vec![b, 1, 1, n], mask.collect()),
        noise(&[h, 1, 1]),
        scalar(f32::NEG_INFINITY),
        scalar(0.0),
    ]
}

/// The first output, and how many kernels were launched.
fn run(graph: &Graph, inputs: &[Tensor]) -> (Tensor, usize) {
    let imported = Imported { graph: graph.clone(), ..Imported::default() };
    let options = Options { optimize: false, ..Options::default() };
    let compiled = driver::compile_imported(imported, Duration::ZERO, &options).unwrap();
    let launches = compiled.report.kernels[0].1;
    let engine = runtime::Engine::from_artifact(compiled.artifact.into(), &runtime::Host::new(None)).unwrap();
    (engine.run(inputs).unwrap().remove(0), launches)
}

#[track_caller]
fn check(names: [&str; 6], sizes: [usize; 6]) {
    let values = inputs(sizes);
    let (whole, launches) = run(&attention(names, "%y"), &values);
    assert_eq!(launches, 1);
    // Weights that are asked for keep the parts apart.
    let (parts, launches) = run(&attention(names, "%y, %p"), &values);
    assert!(launches > 2);
    assert!(whole == parts, "{sizes:?}: the parts give another result");
    let expected = graph::evaluate(&attention(names, "%y"), &values).unwrap().remove(0);
    for (at, (a, b)) in whole.iter().zip(expected.iter()).enumerate() {
        let (a, b) = (a.as_f64(), b.as_f64());
        assert!((a - b).abs() <= 1e-5 + 1e-5 * b.abs(), "{sizes:?}, element {at}: {a}, not {b}");
    }
}

#[test]
fn sizes_that_are_known() {
    for sizes in [[2, 3, 17, 19, 8, 5], [1, 2, 1, 33, 32, 16], [1, 2, 70, 70, 16, 40], [2, 1, 13, 2, 3, 1]] {
        let names = sizes.map(|size| size.to_string());
        check([0, 1, 2, 3, 4, 5].map(|at| names[at].as_str()), sizes);
    }
}

#[test]
fn sizes_that_a_run_brings() {
    for sizes in [[2, 2, 29, 31, 20, 24], [1, 2, 1, 16, 20, 24], [1, 2, 150, 3, 20, 24]] {
        check(["B", "2", "M", "N", "20", "24"], sizes);
    }
}

#[test]
fn many_columns_are_walked_once_for_several_row_tiles() {
    check(["1", "2", "61", "300", "80", "8"], [1, 2, 61, 300, 80, 8]);
}
