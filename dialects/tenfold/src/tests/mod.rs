//! The definition is that of `ops`; MLIR accepts what is printed.

use crate::operands::{regions, signature};
use crate::schema::fields;
use crate::{IRDL, definition, load, to_mlir};
use graph::{Builder, Graph, parse};
use mlir::Session;
use ops::{Attr, Const, Constant, Op};
use std::collections::BTreeSet;
use tensor::{DType, Scalar, Tensor};

/// A graph with a node of every family of operators.
const EVERY_OPERATOR: &str = include_str!("every_operator.graph");

fn read(text: &str) -> Graph {
    parse(text, "test.graph").unwrap_or_else(|e| panic!("{e}"))
}

/// What MLIR prints after it accepted the text.
fn verified(text: &str) -> String {
    let session = Session::new();
    load(&session).unwrap_or_else(|e| panic!("{e}"));
    session.parse("graph", text).unwrap_or_else(|e| panic!("{e}\n{text}")).print()
}

fn families(graph: &Graph) -> BTreeSet<&'static str> {
    let inner = graph.nodes.iter().flat_map(|node| node.regions.iter().flat_map(families));
    graph.nodes.iter().map(|node| node.op.family()).chain(inner).collect()
}

#[test]
fn the_committed_definition_is_that_of_ops() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tenfold.irdl.mlir");
    if std::env::var_os("TENFOLD_BLESS").is_some() {
        std::fs::write(path, definition()).unwrap();
        return;
    }
    assert!(IRDL == definition(), "{path} is out of date: TENFOLD_BLESS=1 cargo test -p tenfold-dialect");
}

#[test]
fn every_family_is_known() {
    for family in Op::FAMILIES {
        assert!(signature(family).is_some(), "operands.rs does not know `{family}`");
        assert!(fields(family).is_some(), "schema.rs has no example for an attribute of `{family}`");
    }
    assert_eq!(regions("loop"), ["body"]);
}

#[test]
fn every_operator_verifies() {
    let graph = read(EVERY_OPERATOR);
    assert_eq!(families(&graph), Op::FAMILIES.iter().copied().collect());
    let printed = verified(&to_mlir(&graph));
    for name in ["\"tenfold.non_max_suppression\"", "\"tenfold.tanh\"", "gpu.yield", "tuple<tensor<"] {
        assert!(printed.contains(name), "{name} is missing in\n{printed}");
    }
}

#[test]
fn every_element_type_verifies() {
    let mut builder = Builder::new("types");
    for dtype in DType::ALL {
        for shape in [vec![], vec![0], vec![2, 1], vec![100]] {
            let value = |at: usize| match dtype {
                DType::Bool => Scalar::Bool(at == 0),
                _ if dtype.is_float() => Scalar::Float(if at == 0 { 1.0 } else { f64::NAN }),
                _ => Scalar::Int(at as i128),
            };
            builder.constant(Tensor::build(dtype, shape, value)).unwrap();
        }
    }
    verified(&to_mlir(&builder.finish()));
}

/// MLIR's decimals are rounded once more than ours; every float must survive.
#[test]
fn floats_keep_their_bits() {
    for bits in (0..=u32::MAX).step_by(9_999_991) {
        let v = f32::from_bits(bits);
        let text = crate::literal::float(v.into(), DType::F32);
        if v.is_finite() {
            assert_eq!(text.parse::<f64>().unwrap() as f32, v, "{text}");
            assert!(text.contains('.'), "{text}");
        }
    }
}

#[test]
fn names_and_places_with_odd_characters() {
    let mut builder = Builder::new("a \"b\"\n\u{e9}");
    builder.set_loc(diag::Loc::fuse(&[
        diag::Loc::node("m \"1\".onnx".into(), 3, "/layer \\ 0/Conv", "Conv"),
        diag::Loc::node("m.onnx".into(), 4, "", "Relu"),
    ]));
    let value = Op::from(Constant { value: Const(Tensor::from_vec(vec![1], vec![1.0f32])) });
    assert!(matches!(value.attrs()[0].1, Attr::Tensor(_)));
    let value = builder.emit(value, &[]).unwrap();
    builder.output("\u{e9}\t\"", value);
    let text = to_mlir(&builder.finish());
    assert!(text.contains("loc(fused[\"/layer \\\\ 0/Conv\"(\"m \\\"1\\\".onnx\":3:0)"), "{text}");
    verified(&text);
}

#[test]
fn wrong_modules_are_refused() {
    let session = Session::new();
    load(&session).unwrap();
    let module = |ops: &str| format!("func.func @f(%x: tensor<2xf32>) {{\n {ops}\n return }}");
    let unknown = "\"tenfold.frobnicate\"() : () -> ()";
    let missing = "%0 = \"tenfold.transpose\"(%x) : (tensor<2xf32>) -> tensor<2xf32>";
    let attrs = "axis = 0, exclusive = false, reverse = false";
    let word =
        &format!("%0 = \"tenfold.cumulative\"(%x) {{kind = \"max\", {attrs}}} : (tensor<2xf32>) -> tensor<2xf32>");
    assert!(session.parse("right", &module(&word.replace("max", "sum"))).is_ok());
    for ops in [unknown, missing, word] {
        assert!(session.parse("wrong", &module(ops)).is_err(), "{ops}");
    }
}
