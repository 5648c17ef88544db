//! Files that are broken, hostile, or beyond what is supported: each ends in a diagnostic that names the place, never in a panic.

mod common;

use bytes::Bytes;
use common::*;
use diag::{Code, Sink};
use import_onnx::proto::{FunctionProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto};
use import_onnx::{ExternalData, Options};
use prost::Message;
use tensor::{DType, Tensor};

fn x() -> Vec<import_onnx::proto::ValueInfoProto> {
    vec![value("x", DType::F32, "2 3")]
}

fn one_node(node: NodeProto) -> ModelProto {
    model(graph(x(), vec![node], "y"), 21)
}

fn parse_fault(bytes: &[u8]) -> String {
    let mut sink = Sink::new();
    let result = import_onnx::parse(Bytes::copy_from_slice(bytes), "m.onnx", &mut sink);
    assert!(result.is_err());
    assert_eq!(sink.diagnostics()[0].code, Code::BadFile);
    sink.diagnostics()[0].to_string()
}

#[test]
fn files_that_are_no_models() {
    assert!(parse_fault(b"").contains("the file is empty"));
    assert!(parse_fault(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").contains("not a readable ONNX model"));
    assert!(parse_fault(b"version https://git-lfs.github.com/spec/v1").contains("Git LFS"));
    let without_graph = ModelProto { ir_version: 10, ..ModelProto::default() };
    assert!(parse_fault(&without_graph.encode_to_vec()).contains("no graph"));
}

#[test]
fn a_file_cut_short_anywhere_is_refused_or_imported_but_never_panics() {
    let mut proto = one_node(with(node("Softmax", "x", "y"), int("axis", -1)));
    let weights = Tensor::from_vec(vec![4], vec![1.0f32; 4]);
    proto.graph.as_mut().unwrap().initializer.push(weight("w", &weights));
    let bytes = proto.encode_to_vec();
    let mut refused = 0;
    for end in 0..bytes.len() {
        let mut sink = Sink::new();
        let part = Bytes::copy_from_slice(&bytes[..end]);
        let imported = import_onnx::parse(part, "m.onnx", &mut sink)
            .and_then(|m| Ok(import_onnx::import(&m, &Options::default(), None, &mut sink)?));
        refused += usize::from(imported.is_err());
        assert_eq!(imported.is_err(), sink.check().is_err());
    }
    assert!(refused * 10 > bytes.len() * 9, "{refused} of {}", bytes.len());
}

#[test]
fn damaged_bytes_never_panic() {
    let then = graph(vec![], vec![node("Relu", "x", "t")], "t");
    let other = graph(vec![], vec![node("Neg", "x", "e")], "e");
    let shape = Tensor::from_vec(vec![2], vec![3i64, -1]);
    let choice = with(with(node("If", "c", "y"), body("then_branch", then)), body("else_branch", other));
    let nodes = vec![
        node("Reshape", "x s", "r"),
        with(node("Gather", "r i", "g"), int("axis", 1)),
        with(node("Split", "g", "a b"), int("num_outputs", 2)),
        choice,
    ];
    let mut inputs = x();
    inputs.extend([value("c", DType::Bool, ""), value("i", DType::I64, "4")]);
    let mut proto = model(graph(inputs, nodes, "y a b"), 21);
    proto.graph.as_mut().unwrap().initializer.push(weight("s", &shape));
    let bytes = proto.encode_to_vec();
    let mut state = 1u64;
    for _ in 0..6000 {
        let mut damaged = bytes.clone();
        for _ in 0..1 + state % 3 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let at = (state >> 33) as usize % damaged.len();
            damaged[at] = (state >> 20) as u8;
        }
        let mut sink = Sink::new();
        if let Ok(model) = import_onnx::parse(damaged.into(), "m.onnx", &mut sink) {
            let _ = import_onnx::import(&model, &Options::default(), None, &mut sink);
        }
    }
}

#[test]
fn versions() {
    let future = model(graph(x(), vec![node("Relu", "x", "y")], "y"), 99);
    check_fault(&import(&future), Code::Unsupported, &["opset 99", "28"]);
    let mut silent = model(graph(x(), vec![node("Relu", "x", "y")], "y"), 21);
    silent.opset_import.clear();
    check_fault(&import(&silent), Code::BadFile, &["operator versions"]);
    let early = model(graph(x(), vec![node("Gelu", "x", "y")], "y"), 13);
    check_fault(&import(&early), Code::BadGraph, &["Gelu", "since version 20", "13"]);
}

#[test]
fn every_unsupported_node_is_reported_at_once() {
    let nodes = vec![
        node("StringSplit", "x", "a b"),
        node("Relu", "a", "c"),
        NodeProto { domain: "my.domain".into(), ..node("Magic", "c", "d") },
        node("Conv3000", "x", "y"),
    ];
    let outcome = import(&model(graph(x(), nodes, "y d"), 21));
    assert!(outcome.result.is_err());
    let text = texts(&outcome.diagnostics);
    assert_eq!(outcome.diagnostics.len(), 3, "{text}");
    assert!(outcome.diagnostics.iter().all(|d| d.code == Code::Unsupported));
    for words in [
        "StringSplit is not supported: it works on strings",
        "no operator `Magic` in domain `my.domain`",
        "no operator `Conv3000`",
        "node #3 \"Conv3000 -> %y\"",
    ] {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
}

#[test]
fn unsupported_nodes_in_subgraphs_of_lost_nodes_are_reported_as_well() {
    let branch = |out: &str| graph(vec![], vec![node("StringConcat", "x x", out)], out);
    let choice =
        with(with(node("If", "lost", "y"), body("then_branch", branch("t"))), body("else_branch", branch("e")));
    let outcome = import(&model(graph(x(), vec![node("Nothing", "x", "lost"), choice], "y"), 21));
    assert_eq!(outcome.diagnostics.len(), 3, "{}", texts(&outcome.diagnostics));
}

#[test]
fn graphs_that_contradict_themselves() {
    let cyclic = vec![node("Add", "x b", "a"), node("Relu", "a", "b"), node("Neg", "b", "y")];
    check_fault(&import(&model(graph(x(), cyclic, "y"), 21)), Code::BadGraph, &["cycle", "Add -> %a", "Relu -> %b"]);
    check_fault(
        &import(&one_node(node("Relu", "nowhere", "y"))),
        Code::BadGraph,
        &["`nowhere`", "nothing defines it", "node #0"],
    );
    let twice = vec![node("Relu", "x", "y"), node("Neg", "x", "y")];
    check_fault(&import(&model(graph(x(), twice, "y"), 21)), Code::BadGraph, &["`y` is defined twice"]);
    check_fault(&import(&model(graph(x(), vec![], "y"), 21)), Code::BadGraph, &["output `y` is not defined"]);
    check_fault(&import(&model(graph(x(), vec![], ""), 21)), Code::BadGraph, &["no outputs"]);
    let doubled = [x(), x()].concat();
    check_fault(
        &import(&model(graph(doubled, vec![node("Relu", "x", "y")], "y"), 21)),
        Code::BadGraph,
        &["`x` is defined twice"],
    );
}

#[test]
fn nodes_out_of_order_are_sorted() {
    let nodes = vec![node("Neg", "a", "y"), node("Relu", "x", "a")];
    assert_eq!(imported(&model(graph(x(), nodes, "y"), 21)).graph.outputs.len(), 1);
}

#[test]
fn operands_and_attributes() {
    let fault = |node: NodeProto, code: Code, words: &[&str]| check_fault(&import(&one_node(node)), code, words);
    fault(node("Relu", "x x", "y"), Code::BadGraph, &["Relu takes 1 inputs, but the node has 2"]);
    fault(node("Add", "x", "y"), Code::BadGraph, &["Add takes 2 inputs"]);
    fault(node("Add", "x _", "y"), Code::BadGraph, &["input #1 is missing"]);
    fault(node("Relu", "x", "y z"), Code::BadGraph, &["at most 1 outputs"]);
    fault(with(node("Softmax", "x", "y"), int("axis", 2)), Code::BadGraph, &["axis 2", "2 axes", "`x`: f32[2,3]"]);
    fault(
        with(node("Concat", "x x", "y"), word("axis", "one")),
        Code::BadGraph,
        &["attribute `axis` holds String where Int belongs"],
    );
    fault(with(node("Cast", "x", "y"), int("to", 99)), Code::BadGraph, &["element type of number 99"]);
    fault(with(node("Cast", "x", "y"), int("to", 8)), Code::Unsupported, &["string"]);
    fault(with(node("Transpose", "x", "y"), ints("perm", &[0, 0])), Code::BadGraph, &["twice"]);
}

#[test]
fn types_and_shapes_that_do_not_fit() {
    let inputs = vec![value("x", DType::F32, "2 3"), value("n", DType::I64, "2 3"), value("w", DType::F32, "4 5")];
    let outcome = import(&model(graph(inputs.clone(), vec![node("Add", "x n", "y")], "y"), 21));
    check_fault(&outcome, Code::Type, &["node #0 \"Add -> %y\"", "`x`: f32[2,3]", "`n`: i64[2,3]"]);
    let outcome = import(&model(graph(inputs, vec![node("MatMul", "x w", "y")], "y"), 21));
    assert!(outcome.result.is_err());
    let mut proto = one_node(node("Relu", "x", "y"));
    proto.graph.as_mut().unwrap().output = vec![value("y", DType::I64, "2 3")];
    check_fault(&import(&proto), Code::Type, &["output `y` is declared as i64", "f32[2,3]"]);
}

#[test]
fn inputs_that_are_not_tensors_or_impossible() {
    let with_input = |input| import(&model(graph(vec![input], vec![node("Relu", "x", "y")], "y"), 21));
    check_fault(&with_input(untyped("x")), Code::BadGraph, &["input `x` has no type"]);
    check_fault(
        &with_input(value("x", DType::F32, "1099511627776 1099511627776")),
        Code::BadGraph,
        &["impossible shape"],
    );
    let mut rankless = value("x", DType::F32, "");
    if let Some(import_onnx::proto::TypeValue::Tensor(ty)) = rankless.r#type.as_mut().and_then(|t| t.value.as_mut()) {
        ty.shape = None;
    }
    let outcome = with_input(rankless);
    check_fault(&outcome, Code::NeedsConstant, &["how many axes input `x` has"]);
    let Err(failed) = outcome.result else { panic!() };
    assert_eq!(failed.needs.shapes.into_iter().collect::<Vec<_>>(), ["x"]);
}

fn with_weight(weight: TensorProto) -> ModelProto {
    let mut proto = model(graph(x(), vec![node("Add", "x w", "y")], "y"), 21);
    proto.graph.as_mut().unwrap().initializer.push(weight);
    proto
}

#[test]
fn weights_that_lie_about_their_size() {
    let lying = |dims: &[i64]| TensorProto {
        name: "w".into(),
        dims: dims.to_vec(),
        data_type: 1,
        raw_data: Some(Bytes::from_static(&[0; 12])),
        ..TensorProto::default()
    };
    check_fault(&import(&with_weight(lying(&[1 << 40, 1 << 40]))), Code::BadFile, &["initializer `w`", "too large"]);
    check_fault(&import(&with_weight(lying(&[1000]))), Code::BadFile, &["4000 bytes", "12 are stored"]);
    check_fault(&import(&with_weight(lying(&[-3]))), Code::BadFile, &["negative"]);
    let shared = Tensor::from_vec(vec![3], vec![0f32; 3]);
    let mut twice = with_weight(weight("w", &shared));
    twice.graph.as_mut().unwrap().initializer.push(weight("w", &shared));
    check_fault(&import(&twice), Code::BadGraph, &["`w` is defined twice"]);
}

/// One file of 12 bytes.
struct Folder;

impl ExternalData for Folder {
    fn read(&self, location: &str, offset: u64, length: Option<u64>) -> Result<Bytes, String> {
        assert!(import_onnx::is_inside(location), "asked for {location}");
        let data = Bytes::from_static(&[0; 12]);
        let start = usize::try_from(offset).map_err(|e| e.to_string())?.min(12);
        let end = length.map_or(12, |n| 12.min(start + n as usize));
        match location {
            "w.bin" => Ok(data.slice(start..end)),
            _ => Err("there is no such file".into()),
        }
    }
}

fn external(pairs: &[(&str, &str)]) -> ModelProto {
    let entry = |(key, value): &(&str, &str)| StringStringEntryProto { key: (*key).into(), value: (*value).into() };
    with_weight(TensorProto {
        name: "w".into(),
        dims: vec![3],
        data_type: 1,
        data_location: 1,
        external_data: pairs.iter().map(entry).collect(),
        ..TensorProto::default()
    })
}

#[test]
fn external_data() {
    let read = |pairs: &[(&str, &str)]| import_with(&external(pairs), &Options::default(), Some(&Folder));
    assert!(read(&[("location", "w.bin")]).result.is_ok());
    for outside in ["../w.bin", "/w.bin", "a/../../w.bin", "C:\\w.bin"] {
        check_fault(
            &read(&[("location", outside)]),
            Code::ExternalData,
            &["initializer `w`", "inside the model's folder"],
        );
    }
    check_fault(&read(&[("location", "v.bin")]), Code::ExternalData, &["v.bin", "no such file"]);
    check_fault(&read(&[("location", "w.bin"), ("offset", "8")]), Code::ExternalData, &["ends after 4 of 12 bytes"]);
    check_fault(
        &read(&[("location", "w.bin"), ("offset", "99999999999999999999")]),
        Code::ExternalData,
        &["not a number"],
    );
    check_fault(&import(&external(&[("location", "w.bin")])), Code::ExternalData, &["not at hand"]);
}

fn function(name: &str, nodes: Vec<NodeProto>) -> FunctionProto {
    FunctionProto {
        name: name.into(),
        domain: "f".into(),
        input: vec!["x".into()],
        output: vec!["y".into()],
        node: nodes,
        opset_import: vec![opset(21)],
        ..FunctionProto::default()
    }
}

fn call(name: &str, inputs: &str, outputs: &str) -> NodeProto {
    NodeProto { domain: "f".into(), ..node(name, inputs, outputs) }
}

#[test]
fn functions_that_never_end() {
    let mut proto = one_node(call("F", "x", "y"));
    proto.functions.push(function("F", vec![call("F", "x", "y")]));
    check_fault(&import(&proto), Code::BadGraph, &["calls itself"]);
    // Each function calls the one before it 16 times: 16^12 nodes.
    let mut bomb = one_node(call("F12", "x", "y"));
    bomb.functions.push(function("F0", vec![node("Relu", "x", "y")]));
    for level in 1..=12 {
        let inner = format!("F{}", level - 1);
        let mut nodes: Vec<NodeProto> = (0..16)
            .map(|at| call(&inner, &if at == 0 { "x".into() } else { format!("v{}", at - 1) }, &format!("v{at}")))
            .collect();
        nodes.push(node("Identity", "v15", "y"));
        bomb.functions.push(function(&format!("F{level}"), nodes));
    }
    let outcome = import(&bomb);
    assert!(texts(&outcome.diagnostics).contains("too many nodes"), "{}", texts(&outcome.diagnostics));
}

#[test]
fn subgraphs_nested_too_deeply() {
    let mut inner = graph(vec![], vec![node("Relu", "x", "y0")], "y0");
    for level in 1..30 {
        let choice = with(
            with(node("If", "c", &format!("y{level}")), body("then_branch", inner)),
            body("else_branch", graph(vec![], vec![node("Relu", "x", "z")], "z")),
        );
        inner = GraphProto { node: vec![choice], ..graph(vec![], vec![], &format!("y{level}")) };
    }
    inner.input = vec![value("x", DType::F32, "2"), value("c", DType::Bool, "")];
    let mut sink = Sink::new();
    // The decoder has a limit of its own; either answer is a diagnostic.
    let bytes = Bytes::from(model(inner, 21).encode_to_vec());
    if let Ok(model) = import_onnx::parse(bytes, "m.onnx", &mut sink) {
        let _ = import_onnx::import(&model, &Options::default(), None, &mut sink);
    }
}

#[test]
fn results_too_large_for_any_memory() {
    let huge = Tensor::from_vec(vec![2], vec![1i64 << 40, 1 << 40]);
    for nodes in [
        vec![node("ConstantOfShape", "w", "y")],
        vec![node("ConstantOfShape", "w", "a"), node("Relu", "a", "y")],
        vec![node("Expand", "x w", "y")],
        vec![node("Tile", "x w", "y")],
    ] {
        let mut proto = model(graph(vec![value("x", DType::F32, "1 1")], nodes, "y"), 21);
        proto.graph.as_mut().unwrap().initializer.push(weight("w", &huge));
        check_fault(&import(&proto), Code::Limit, &["too large"]);
    }
}
