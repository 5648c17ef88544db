//! What an import keeps and decides: names, places, frozen inputs, dimensions, functions, control flow.

mod common;

use common::*;
use diag::Code;
use import_onnx::proto::{FunctionProto, ModelProto, NodeProto, StringStringEntryProto};
use import_onnx::{Imported, Options};
use ops::Op;
use std::collections::BTreeMap;
use tensor::{DType, Dim, Range, Symbol, Tensor};

fn floats(values: &[f32]) -> Tensor {
    Tensor::from_vec(vec![values.len()], values.to_vec())
}

fn longs(values: &[i64]) -> Tensor {
    Tensor::from_vec(vec![values.len()], values.to_vec())
}

fn run(imported: &Imported, inputs: &[Tensor]) -> Vec<Tensor> {
    graph::evaluate(&imported.graph, inputs).expect("a result")
}

fn has(imported: &Imported, wanted: fn(&Op) -> bool) -> bool {
    imported.graph.nodes.iter().any(|node| wanted(&node.op))
}

fn output_shape(imported: &Imported) -> Vec<Dim> {
    let port = &imported.graph.outputs[0];
    imported.graph.ty(port.value).shape.clone()
}

#[test]
fn names_places_and_metadata_are_kept() {
    let named = NodeProto { name: "/layer/relu".into(), ..node("Relu", "x", "h") };
    let mut proto = model(graph(vec![value("x", DType::F32, "N")], vec![named, node("Neg", "h", "y")], "y"), 21);
    proto.metadata_props.push(StringStringEntryProto { key: "k".into(), value: "v".into() });
    let imported = imported(&proto);
    assert_eq!(imported.metadata["k"], "v");
    assert_eq!(imported.opsets[""], 21);
    let last = imported.graph.nodes.last().expect("a node");
    assert_eq!(last.loc.to_string(), "m.onnx: node #1 \"Neg -> %y\" (Neg)");
    assert_eq!(imported.graph.value(last.inputs[0]).name.as_deref(), Some("h"));
    assert_eq!(imported.graph.nodes[imported.graph.nodes.len() - 2].loc.node_names(), ["/layer/relu"]);
}

fn reshaping() -> ModelProto {
    let inputs = vec![value("x", DType::F32, "N 4"), value("axes", DType::I64, "1")];
    model(graph(inputs, vec![node("ReduceSum", "x axes", "y")], "y"), 21)
}

#[test]
fn inputs_that_must_be_constant_are_named_and_can_be_frozen() {
    let outcome = import(&reshaping());
    check_fault(&outcome, Code::NeedsConstant, &["`axes`", "freeze these inputs"]);
    let Err(failed) = outcome.result else { panic!() };
    assert_eq!(failed.needs.inputs.into_iter().collect::<Vec<_>>(), ["axes"]);
    let freeze = BTreeMap::from([("axes".to_string(), longs(&[1]))]);
    let outcome = import_with(&reshaping(), &Options { freeze, ..Options::default() }, None);
    let imported = outcome.result.expect("an import");
    assert_eq!(imported.graph.inputs.len(), 2, "the signature stays");
    assert_eq!(imported.frozen["axes"], longs(&[1]));
    let x = Tensor::from_vec(vec![1, 4], vec![1f32, 2.0, 3.0, 4.0]);
    assert_eq!(run(&imported, &[x, longs(&[1])])[0].get(0).as_f64(), 10.0);
}

#[test]
fn frozen_values_must_fit() {
    let freeze = BTreeMap::from([("axes".to_string(), floats(&[1.0]))]);
    let outcome = import_with(&reshaping(), &Options { freeze, ..Options::default() }, None);
    assert!(
        texts(&outcome.diagnostics).contains("input `axes` cannot be frozen: its type is i64[1], the value's f32[1]")
    );
}

#[test]
fn shapes_are_followed_through_arithmetic() {
    let nodes = vec![
        node("Shape", "x", "s"),
        with(node("Gather", "s zero", "n"), int("axis", 0)),
        node("Mul", "n two", "m"),
        node("Unsqueeze", "m zero1", "m1"),
        with(node("Concat", "m1 minus", "t"), int("axis", 0)),
        node("Reshape", "x t", "y"),
    ];
    let mut proto = model(graph(vec![value("x", DType::F32, "batch 6")], nodes, "y"), 21);
    let scalar = |v: i64| Tensor::from_vec(vec![], vec![v]);
    for (name, tensor) in [("zero", scalar(0)), ("two", scalar(2)), ("zero1", longs(&[0])), ("minus", longs(&[-1]))] {
        proto.graph.as_mut().unwrap().initializer.push(weight(name, &tensor));
    }
    assert_eq!(output_shape(&imported(&proto)), [Dim::symbol("batch") * 2.into(), 3.into()]);
    let dims = BTreeMap::from([("batch".to_string(), Dim::from(5))]);
    let fixed = import_with(&proto, &Options { dims, ..Options::default() }, None).result.expect("an import");
    assert_eq!(output_shape(&fixed), [10.into(), 3.into()]);
}

#[test]
fn a_target_shape_that_only_a_run_tells_may_hold_zero_and_minus_one() {
    let inputs = vec![value("x", DType::F32, "2 6"), value("s", DType::I64, "3")];
    let imported = imported(&model(graph(inputs, vec![node("Reshape", "x s", "y")], "y"), 21));
    let x = Tensor::from_vec(vec![2, 6], (0..12).map(|v| v as f32).collect());
    for (target, expected) in [([0i64, -1, 2], [2, 3, 2]), ([-1, 1, 3], [4, 1, 3]), ([3, 2, 2], [3, 2, 2])] {
        assert_eq!(run(&imported, &[x.clone(), longs(&target)])[0].shape(), expected);
    }
}

#[test]
fn functions_are_inlined_with_their_attributes() {
    let mut slope = float("alpha", 0.0);
    slope.f = None;
    slope.ref_attr_name = "slope".into();
    let function = FunctionProto {
        name: "Twice".into(),
        domain: "my".into(),
        input: vec!["a".into()],
        output: vec!["c".into()],
        attribute_proto: vec![float("slope", 0.5)],
        node: vec![with(node("LeakyRelu", "a", "b"), slope), node("Add", "b b", "c")],
        opset_import: vec![opset(21)],
        ..FunctionProto::default()
    };
    let call = |inputs: &str, outputs: &str| NodeProto { domain: "my".into(), ..node("Twice", inputs, outputs) };
    let nodes = vec![with(call("x", "h"), float("slope", 0.25)), call("h", "y")];
    let mut proto = model(graph(vec![value("x", DType::F32, "2")], nodes, "y"), 21);
    proto.functions.push(function);
    let imported = imported(&proto);
    assert_eq!(*run(&imported, &[floats(&[-4.0, 1.0])])[0].values::<f32>(), [-2.0, 4.0]);
    let names: Vec<&str> = imported.graph.nodes.iter().flat_map(|n| n.loc.node_names()).collect();
    assert!(names.contains(&"Twice -> %h/LeakyRelu -> %b"), "{names:?}");
}

fn choice(condition: &str) -> NodeProto {
    let then = graph(vec![], vec![node("Concat", "x x", "t")], "t");
    let mut then = then;
    then.node[0].attribute.push(int("axis", 0));
    let other = graph(vec![], vec![node("Neg", "x", "e")], "e");
    with(with(node("If", condition, "y"), body("then_branch", then)), body("else_branch", other))
}

#[test]
fn both_branches_of_an_open_choice_are_kept() {
    let inputs = vec![value("x", DType::F32, "N"), value("c", DType::Bool, "")];
    let imported = imported(&model(graph(inputs, vec![choice("c")], "y"), 21));
    let truth = |v: bool| Tensor::from_bools(vec![], &[v]);
    let x = floats(&[1.0, 2.0]);
    assert_eq!(run(&imported, &[x.clone(), truth(true)])[0], floats(&[1.0, 2.0, 1.0, 2.0]));
    assert_eq!(run(&imported, &[x, truth(false)])[0], floats(&[-1.0, -2.0]));
}

#[test]
fn a_decided_choice_leaves_one_branch() {
    let nodes = vec![node("Shape", "x", "s"), node("Size", "s", "rank"), node("Equal", "rank one", "c"), choice("c")];
    let mut proto = model(graph(vec![value("x", DType::F32, "N")], nodes, "y"), 21);
    proto.graph.as_mut().unwrap().initializer.push(weight("one", &Tensor::from_vec(vec![], vec![1i64])));
    let imported = imported(&proto);
    assert!(!has(&imported, |op| matches!(op, Op::If(_))));
    assert_eq!(output_shape(&imported), [Dim::symbol("N") * 2.into()]);
}

#[test]
fn a_choice_between_ranks_asks_for_what_decides_it() {
    let then = graph(vec![], vec![node("Squeeze", "x axis", "t")], "t");
    let other = graph(vec![], vec![node("Identity", "x", "e")], "e");
    let nodes = vec![
        with(node("Shape", "x", "s"), int("start", 1)),
        node("Equal", "s axis", "c"),
        with(with(node("If", "c", "y"), body("then_branch", then)), body("else_branch", other)),
    ];
    let mut proto = model(graph(vec![value("x", DType::F32, "N M")], nodes, "y"), 21);
    proto.graph.as_mut().unwrap().initializer.push(weight("axis", &longs(&[1])));
    let Err(failed) = import(&proto).result else { panic!("imported") };
    assert_eq!(failed.needs.dims.into_iter().collect::<Vec<_>>(), ["M"]);
    let dims = BTreeMap::from([("M".to_string(), Dim::from(1))]);
    let fixed = import_with(&proto, &Options { dims, ..Options::default() }, None).result.expect("an import");
    assert_eq!(output_shape(&fixed), [Dim::symbol("N")]);
}

#[test]
fn a_loop_may_grow_what_it_carries() {
    let step = graph(
        vec![untyped("i"), untyped("go"), untyped("seen")],
        vec![
            node("Identity", "go", "on"),
            with(node("Concat", "seen x", "more"), int("axis", 0)),
            node("Cast", "i", "number"),
        ],
        "on more number",
    );
    let mut step = step;
    step.node[2].attribute.push(int("to", 1));
    let looped = with(node("Loop", "n _ x", "all numbers"), body("body", step));
    let inputs = vec![value("x", DType::F32, "2"), value("n", DType::I64, "")];
    let imported = imported(&model(graph(inputs, vec![looped], "all numbers"), 21));
    let results = run(&imported, &[floats(&[1.0, 2.0]), Tensor::from_vec(vec![], vec![2i64])]);
    assert_eq!(results[0], floats(&[1.0, 2.0, 1.0, 2.0, 1.0, 2.0]));
    assert_eq!(results[1], floats(&[0.0, 1.0]));
    let none = run(&imported, &[floats(&[1.0, 2.0]), Tensor::from_vec(vec![], vec![0i64])]);
    assert_eq!((none[0].shape(), none[1].shape()), (&[2][..], &[0][..]));
}

#[test]
fn a_scan_knows_how_many_slices_it_stacks() {
    let step = graph(
        vec![untyped("sum"), untyped("item")],
        vec![node("Add", "sum item", "next"), node("Identity", "next", "kept")],
        "next kept",
    );
    let scan = with(with(node("Scan", "init x", "last sums"), body("body", step)), int("num_scan_inputs", 1));
    let scan = with(scan, ints("scan_input_directions", &[1]));
    let inputs = vec![value("init", DType::F32, "1"), value("x", DType::F32, "T 1")];
    let imported = imported(&model(graph(inputs, vec![scan], "sums last"), 21));
    assert_eq!(output_shape(&imported), [Dim::symbol("T"), 1.into()]);
    let x = Tensor::from_vec(vec![3, 1], vec![1f32, 2.0, 4.0]);
    let results = run(&imported, &[floats(&[0.5]), x]);
    assert_eq!(*results[0].values::<f32>(), [4.5, 6.5, 7.5]);
    assert_eq!(results[1], floats(&[7.5]));
}

#[test]
fn sequences_live_at_compile_time() {
    let step = graph(
        vec![untyped("i"), untyped("go"), untyped("list")],
        vec![node("Identity", "go", "on"), node("SequenceInsert", "list x", "longer")],
        "on longer",
    );
    let nodes = vec![
        node("SequenceEmpty", "", "none"),
        with(node("Loop", "three _ none", "list"), body("body", step)),
        with(with(node("ConcatFromSequence", "list", "y"), int("axis", 0)), int("new_axis", 1)),
    ];
    let mut proto = model(graph(vec![value("x", DType::F32, "2")], nodes, "y"), 21);
    proto.graph.as_mut().unwrap().initializer.push(weight("three", &Tensor::from_vec(vec![], vec![3i64])));
    let imported = imported(&proto);
    assert_eq!(output_shape(&imported), [3.into(), 2.into()]);
    assert!(!has(&imported, |op| matches!(op, Op::Loop(_))));
}

#[test]
fn an_insertion_before_the_last_item_counts_the_items_before_it() {
    let nodes = vec![
        node("SequenceConstruct", "a b", "ab"),
        node("SequenceInsert", "ab c last", "acb"),
        with(node("ConcatFromSequence", "acb", "y"), int("axis", 0)),
    ];
    let inputs = ["a", "b", "c"].map(|name| value(name, DType::F32, "1")).to_vec();
    let mut proto = model(graph(inputs, nodes, "y"), 21);
    proto.graph.as_mut().unwrap().initializer.push(weight("last", &Tensor::from_vec(vec![], vec![-1i64])));
    let imported = imported(&proto);
    let results = run(&imported, &[floats(&[1.0]), floats(&[2.0]), floats(&[3.0])]);
    assert_eq!(results[0], floats(&[1.0, 3.0, 2.0]));
}

#[test]
fn old_broadcasting_aligns_at_an_axis() {
    let nodes = vec![with(with(node("Add", "x b", "y"), int("broadcast", 1)), int("axis", 0))];
    let inputs = vec![value("x", DType::F32, "2 2"), value("b", DType::F32, "2")];
    let outcome = import(&model(graph(inputs, nodes, "y"), 6));
    assert!(texts(&outcome.diagnostics).contains("opset 6 is older than 7"));
    let imported = outcome.result.expect("an import");
    let x = Tensor::from_vec(vec![2, 2], vec![0f32; 4]);
    assert_eq!(*run(&imported, &[x, floats(&[1.0, 2.0])])[0].values::<f32>(), [1.0, 1.0, 2.0, 2.0]);
}

#[test]
fn negative_pads_crop_and_tell_at_run_time() {
    let inputs = vec![value("x", DType::F32, "4"), value("p", DType::I64, "2")];
    let imported = imported(&model(graph(inputs, vec![node("Pad", "x p", "y")], "y"), 21));
    let x = floats(&[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(run(&imported, &[x.clone(), longs(&[-1, 1])])[0], floats(&[2.0, 3.0, 4.0, 0.0]));
    assert_eq!(run(&imported, &[x, longs(&[1, -3])])[0], floats(&[0.0, 1.0]));
}

#[test]
fn einstein_sums_with_repeated_and_dropped_axes() {
    let sum = |equation: &str, inputs: &str| with(node("Einsum", inputs, "y"), word("equation", equation));
    let a = Tensor::from_vec(vec![2, 2], vec![1f32, 2.0, 3.0, 4.0]);
    let result = |equation: &str, inputs: &str| {
        let ports = vec![value("a", DType::F32, "2 2")];
        let imported = imported(&model(graph(ports, vec![sum(equation, inputs)], "y"), 21));
        run(&imported, std::slice::from_ref(&a))[0].values::<f32>().to_vec()
    };
    assert_eq!(result("ii->i", "a"), [1.0, 4.0]);
    assert_eq!(result("ii", "a"), [5.0]);
    assert_eq!(result("ij->j", "a"), [4.0, 6.0]);
    assert_eq!(result("ij,jk,kl->il", "a a a"), [37.0, 54.0, 81.0, 118.0]);
    assert_eq!(result("...j,...j->...", "a a"), [5.0, 25.0]);
    assert_eq!(result("ba", "a"), [1.0, 3.0, 2.0, 4.0]);
}

/// `y = x[:-1]`, which makes sense only where `x` is not empty.
fn all_but_the_last() -> ModelProto {
    let nodes = vec![node("Slice", "x zero minus", "y")];
    let mut proto = model(graph(vec![value("x", DType::F32, "batch")], nodes, "y"), 21);
    for (name, value) in [("zero", 0), ("minus", -1)] {
        proto.graph.as_mut().unwrap().initializer.push(weight(name, &longs(&[value])));
    }
    proto
}

#[test]
fn what_an_import_assumes_of_symbols_is_told() {
    let imported = imported(&all_but_the_last());
    assert_eq!(output_shape(&imported), [Dim::symbol("batch") - 1.into()]);
    assert_eq!(imported.bounds.assumed(), [Symbol::new("batch")].into());
}

#[test]
fn a_dimension_that_may_be_0_is_taken_seriously() {
    let ranges = BTreeMap::from([("batch".to_string(), Range { low: 0, high: Some(64) })]);
    let options = Options { ranges, ..Options::default() };
    let imported = import_with(&all_but_the_last(), &options, None).result.expect("an import");
    assert!(imported.bounds.assumed().is_empty());
    for n in [0, 1, 3] {
        let y = run(&imported, &[floats(&vec![2.0; n])]);
        assert_eq!(y[0].shape(), [n.saturating_sub(1)]);
    }
}

#[test]
fn a_promised_range_decides_what_is_smaller() {
    let nodes = vec![node("Shape", "x", "n"), node("Min", "n limit", "m"), node("ConstantOfShape", "m", "y")];
    let mut proto = model(graph(vec![value("x", DType::F32, "batch")], nodes, "y"), 21);
    proto.graph.as_mut().unwrap().initializer.push(weight("limit", &longs(&[64])));
    let shape = |low: i64, high: i64| {
        let ranges = BTreeMap::from([("batch".to_string(), Range { low, high: Some(high) })]);
        let options = Options { ranges, ..Options::default() };
        output_shape(&import_with(&proto, &options, None).result.expect("an import"))
    };
    let batch = Dim::symbol("batch");
    assert_eq!(shape(0, 64), std::slice::from_ref(&batch));
    assert_eq!(shape(0, 65), [batch.min(64.into())]);
    assert_eq!(shape(64, 70), [64.into()]);
}

#[test]
fn a_failed_import_keeps_the_parts_that_it_could_read() {
    let nodes =
        vec![node("Exp", "x", "a"), node("NoSuchOperator", "a", "b"), node("Neg", "b", "c"), node("Abs", "x", "y")];
    let outcome = import(&model(graph(vec![value("x", DType::F32, "N")], nodes, "y"), 21));
    let Err(failed) = outcome.result else { panic!() };
    let partial = failed.partial.expect("a graph");
    let names: Vec<&str> = partial.nodes.iter().map(|node| node.op.name()).collect();
    assert_eq!(names, ["exp", "abs"]);
    assert_eq!(partial.outputs.len(), 2, "what leads to the missing node is not dead");
    assert!(graph::verify(&partial, graph::Form::Imported).is_empty());
}
