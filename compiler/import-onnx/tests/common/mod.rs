//! Small models, built field by field.

#![allow(dead_code, reason = "each test file uses its own part")]

use bytes::Bytes;
use diag::{Code, Diagnostic, Sink};
use import_onnx::proto::{
    AttributeProto, DimensionProto, DimensionValue, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, TypeValue, ValueInfoProto,
};
use import_onnx::{ExternalData, Failed, Imported, Options};
use prost::Message;
use tensor::{DType, Tensor};

/// A node without attributes; names are separated by blanks, and `_` leaves an operand out.
pub(crate) fn node(op: &str, inputs: &str, outputs: &str) -> NodeProto {
    let names = |text: &str| {
        let name = |word: &str| {
            if word == "_" { String::new() } else { word.to_string() }
        };
        text.split_whitespace().map(name).collect()
    };
    NodeProto { op_type: op.into(), input: names(inputs), output: names(outputs), ..NodeProto::default() }
}

/// The node with one more attribute.
pub(crate) fn with(mut node: NodeProto, attr: AttributeProto) -> NodeProto {
    node.attribute.push(attr);
    node
}

pub(crate) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i: Some(value), r#type: 2, ..Default::default() }
}

pub(crate) fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { name: name.into(), ints: values.to_vec(), r#type: 7, ..Default::default() }
}

pub(crate) fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { name: name.into(), f: Some(value), r#type: 1, ..Default::default() }
}

pub(crate) fn word(name: &str, value: &str) -> AttributeProto {
    let s = Some(Bytes::copy_from_slice(value.as_bytes()));
    AttributeProto { name: name.into(), s, r#type: 3, ..Default::default() }
}

pub(crate) fn body(name: &str, graph: GraphProto) -> AttributeProto {
    AttributeProto { name: name.into(), g: Some(graph), r#type: 5, ..Default::default() }
}

/// A value's name and type; dimensions are numbers or names, separated by blanks.
pub(crate) fn value(name: &str, dtype: DType, dims: &str) -> ValueInfoProto {
    let dim = |word: &str| DimensionProto {
        value: Some(match word.parse() {
            Ok(size) => DimensionValue::Value(size),
            Err(_) => DimensionValue::Param(word.into()),
        }),
    };
    let shape = TensorShapeProto { dim: dims.split_whitespace().map(dim).collect() };
    let ty = TensorTypeProto { elem_type: import_onnx::code_of(dtype), shape: Some(shape) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { value: Some(TypeValue::Tensor(ty)) }) }
}

/// A value of which only the name is said.
pub(crate) fn untyped(name: &str) -> ValueInfoProto {
    ValueInfoProto { name: name.into(), r#type: None }
}

pub(crate) fn graph(inputs: Vec<ValueInfoProto>, nodes: Vec<NodeProto>, outputs: &str) -> GraphProto {
    GraphProto {
        name: "g".into(),
        input: inputs,
        node: nodes,
        output: outputs.split_whitespace().map(untyped).collect(),
        ..GraphProto::default()
    }
}

pub(crate) fn weight(name: &str, tensor: &Tensor) -> TensorProto {
    import_onnx::to_proto(name, tensor)
}

pub(crate) fn opset(version: i64) -> OperatorSetIdProto {
    OperatorSetIdProto { domain: String::new(), version }
}

pub(crate) fn model(graph: GraphProto, version: i64) -> ModelProto {
    ModelProto { ir_version: 10, opset_import: vec![opset(version)], graph: Some(graph), ..ModelProto::default() }
}

/// What an import gives, with everything that was said on the way.
pub(crate) struct Outcome {
    pub(crate) result: Result<Imported, Failed>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

pub(crate) fn import_with(proto: &ModelProto, options: &Options, external: Option<&dyn ExternalData>) -> Outcome {
    let mut sink = Sink::new();
    let bytes = Bytes::from(proto.encode_to_vec());
    let model = import_onnx::parse(bytes, "m.onnx", &mut sink).expect("a readable model");
    let result = import_onnx::import(&model, options, external, &mut sink);
    Outcome { result, diagnostics: sink.diagnostics().to_vec() }
}

pub(crate) fn import(proto: &ModelProto) -> Outcome {
    import_with(proto, &Options::default(), None)
}

/// The imported model, which must be without a fault.
pub(crate) fn imported(proto: &ModelProto) -> Imported {
    let outcome = import(proto);
    match outcome.result {
        Ok(imported) => imported,
        Err(_) => panic!("{}", texts(&outcome.diagnostics)),
    }
}

pub(crate) fn texts(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|d| d.to_string()).collect::<Vec<_>>().join("\n")
}

/// The only diagnostic must have this code and contain these words.
pub(crate) fn check_fault(outcome: &Outcome, code: Code, words: &[&str]) {
    assert!(outcome.result.is_err(), "imported, though it should not be");
    let [only] = &outcome.diagnostics[..] else {
        panic!("{} diagnostics:\n{}", outcome.diagnostics.len(), texts(&outcome.diagnostics));
    };
    let text = only.to_string();
    assert_eq!(only.code, code, "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in:\n{text}");
    }
}
