//! The printed form: what it looks like, that it reads back, and what hostile texts end in.

use graph::{Graph, TextOptions, parse, parse_with, to_text};
use tensor::{DType, Tensor};

fn read(text: &str) -> Graph {
    parse(text, "t.graph").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[track_caller]
fn refused(text: &str, place: &str, message: &str) {
    let error = parse(text, "t.graph").unwrap_err();
    assert_eq!(error.loc.to_string(), format!("t.graph:{place}"), "{error}");
    assert!(error.message.contains(message), "{error}");
}

const WHOLE: &str = r#"graph @"all kinds"(%x: f32[N,3], %"odd name": bool[] as "flag") {
  %a = transpose %x {perm = [1, 0]} : f32[3,N]
  %0, %1 = topk %a {axis = 0, k = 2, largest = true} : f32[2,N], i64[2,N]
  %a#2 = constant {value = f32[5] [1.0, -0.0, nan, inf, 0xffc00001]} : f32[5]
  %2 = constant {value = f8e5m2[2] [0.5, 0x7c]} : f8e5m2[2]
  %3 = constant {value = i64[0] []} : i64[0]
  %4 = dims {values = [N, 2*N+1, min(3,N)]} : i64[3]
  bind %4 {symbols = [A, B, C]}
  %5 = random {kind = normal, dtype = f16, shape = [A, 4], a = 0.0, b = 1.5, seed = -1} : f16[A,4]
  %y = if %"odd name", %x {symbols = [M]} : f32[M,3] {
    graph @then(%p: f32[N,3]) {
      return %p as "r"
    }
    graph @else(%p: f32[N,3]) {
      %0 = nonzero %p {count = Q} : i64[2,Q]
      %q = neg %p : f32[N,3]
      return %q as "r"
    }
  }
  return %0 as "top", %y, %5
}
"#;

#[test]
fn a_graph_of_all_kinds_reads_back() {
    let graph = read(WHOLE);
    assert_eq!(graph.to_string(), WHOLE);
    assert_eq!((graph.n_nodes(), graph.inputs[1].name.as_str()), (11, "flag"));
}

#[test]
fn locations_read_back() {
    let text = r#"graph @g(%x: f32[2]) {
  %a = neg %x : f32[2] loc(node "m \"q\".onnx" 4 "/a" "Neg")
  %b = neg %a : f32[2] loc(fused [file "f", text "t" 3 4])
  %c = neg %b : f32[2] loc(unknown)
  return %c
}
"#;
    let with_locs = TextOptions { locs: true, ..TextOptions::default() };
    let graph = read(text);
    assert_eq!(to_text(&graph, with_locs), text);
    assert_eq!(read(&to_text(&graph, with_locs)), graph);
    let here = read("graph @g(%x: f32[2]) {\n  %a = neg %x\n return %a }");
    assert_eq!(here.nodes[0].loc.to_string(), "t.graph:2:3");
}

#[test]
fn types_may_be_left_out() {
    let text = "graph @compose(%x: f32[2,3,4]) { // a comment\n %a = transpose %x {perm = [1, 0, 2]}  %b = transpose %a {perm = [2, 1, 0]}  return %b }";
    let graph = read(text);
    assert_eq!(graph.ty(graph.outputs[0].value).to_string(), "f32[4,2,3]");
}

#[test]
fn large_constants_are_elided_and_given_back() {
    let big = Tensor::build(DType::F32, vec![100], |at| tensor::Scalar::Float(at as f64));
    let mut b = graph::Builder::new("g");
    let value = b.constant(big.clone()).unwrap();
    b.output("y", value);
    let graph = b.finish();
    let text = graph.to_string();
    let error = parse(&text, "t.graph").unwrap_err();
    assert!(error.message.contains("is not in the text"), "{error}");
    let again = parse_with(&text, "t.graph", &|elided| (elided.shape == [100]).then(|| big.clone()));
    assert_eq!(again.unwrap().to_string(), text);
    let whole = to_text(&graph, TextOptions { max_elements: 1000, ..TextOptions::default() });
    let with_unknown = whole.replace(" : f32[100]\n", " : f32[100] loc(unknown)\n");
    assert_eq!(read(&with_unknown), graph);
}

#[test]
fn faults_have_places() {
    refused("", "1:1", "expected `graph`");
    refused("graph @g(", "1:10", "expected `)`");
    refused("graph @g(%x: q32[2]) { return }", "1:14", "unknown element type");
    refused("graph @g(%x: f32[N+]) { return }", "1:18", "bad dimension");
    refused("graph @g(%x: f32[], %x: f32[]) { return }", "1:21", "defined already");
    refused("graph @g() {\n  %a = neg %b\n return }", "2:12", "not defined before");
    refused("graph @g() {\n  %a = sing %b\n return }", "2:13", "not defined before");
    refused("graph @g(%x: f32[]) { %a = sing %x return }", "1:28", "unknown operator");
    refused("graph @g(%x: f32[]) { %a = neg return }", "1:28", "takes one operand");
    refused("graph @g(%x: f32[2]) { %a = transpose %x return }", "1:29", "missing");
    refused("graph @g(%x: f32[2]) { %a = transpose %x {perm = N} return }", "1:43", "bad value");
    refused("graph @g(%x: f32[2]) { %a = neg %x {perm = 1} return }", "1:37", "no attribute");
    refused("graph @g(%x: f32[2]) { %a, %b = neg %x return }", "1:33", "2 results of 1 types");
    refused("graph @g(%x: bool[]) { %a = if %x {symbols = []} return }", "1:29", "need types");
    refused("graph @g() { %a = constant {value = f32[2] [1.0]} return %a }", "1:37", "bytes");
    refused("graph @g() { %a = constant {value = u8[1] [256]} return %a }", "1:44", "not of type");
    refused("graph @g() { %a = constant {value = f32[N] [1.0]} return %a }", "1:37", "has symbols");
    refused("graph @\"g", "1:8", "does not end");
    refused("graph @g() { return } x", "1:23", "end of the text");
}

#[test]
fn hostile_texts_end_in_diagnostics() {
    let deep = "graph @g(%c: bool[]) { if %c {symbols = []} {".repeat(50_000);
    assert!(parse(&deep, "t").unwrap_err().message.contains("nested"));
    let product = format!("graph @g(%x: f32[{}]) {{ return }}", vec!["(a+b)"; 60].join("*"));
    assert!(parse(&product, "t").is_err());
    let dims: Vec<String> = (0..60).map(|i| format!("a{i}+b{i}")).collect();
    let wide = format!("graph @g(%x: f32[{}]) {{ return }}", dims.join(","));
    assert!(parse(&wide, "t").unwrap_err().message.contains("too complex"));
    let parens = format!("graph @g(%x: f32[{}]) {{ return }}", "(".repeat(100_000));
    assert!(parse(&parens, "t").is_err());
    let huge = "graph @g() { %a = constant {value = f32[99999999999,99999999999] [1.0]} return %a }";
    assert!(parse(huge, "t").is_err());
}

#[test]
fn damaged_texts_never_panic() {
    let chars: Vec<char> = WHOLE.chars().collect();
    for at in 0..chars.len() - 1 {
        let cut: String = chars[..at].iter().collect();
        assert!(parse(&cut, "t").is_err());
        for c in ['%', '{', ']', '"', '9', '-', '(', 'é'] {
            let mut damaged = chars.clone();
            damaged[at] = c;
            let _ = parse(&damaged.iter().collect::<String>(), "t");
        }
    }
}
