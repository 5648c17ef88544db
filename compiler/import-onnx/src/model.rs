//! Bytes into a decoded model.

use crate::proto::ModelProto;
use bytes::Bytes;
use diag::{Code, Diagnostic, Loc, Reported, Sink};
use prost::Message;
use std::sync::Arc;

/// A decoded model file.
#[derive(Clone, Debug)]
pub struct Model {
    /// The name in diagnostics.
    pub name: Arc<str>,
    /// The content.
    pub proto: ModelProto,
}

/// Decodes a model file; weights share the bytes.
pub fn parse(bytes: Bytes, name: &str, sink: &mut Sink) -> Result<Model, Reported> {
    let name: Arc<str> = name.into();
    let mut fail = |message: String| {
        let place = Loc::File(name.clone());
        let way_out = "an ONNX model is a protobuf message; check that the file is complete and not a Git LFS pointer";
        sink.report(Diagnostic::error(Code::BadFile, place, message).note(way_out))
    };
    if bytes.is_empty() {
        return Err(fail("the file is empty".into()));
    }
    let size = bytes.len();
    let proto =
        ModelProto::decode(bytes).map_err(|e| fail(format!("{size} bytes are not a readable ONNX model: {e}")))?;
    if proto.graph.is_none() {
        return Err(fail("the file holds no graph".into()));
    }
    Ok(Model { name, proto })
}
