//! `tenfold ops`: the operators of models that are supported, and those of the graph.

use crate::{Failure, output};
use clap::Args;
use serde_json::json;

#[derive(Args, Debug)]
pub(crate) struct Verb {
    /// Print for a machine
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    let (supported, unsupported) = (import_onnx::supported(), import_onnx::unsupported());
    if verb.json {
        let onnx = supported
            .iter()
            .map(|op| json!({"domain": op.domain, "name": op.name, "since": op.since, "versions": op.versions}));
        let missing = unsupported.iter().map(|op| json!({"domain": op.domain, "name": op.name, "reason": op.reason}));
        output::line(json!({
            "supported": onnx.collect::<Vec<_>>(),
            "unsupported": missing.collect::<Vec<_>>(),
            "standard": import_onnx::standard().len(),
            "newest_opset": import_onnx::NEWEST_OPSET,
            "graph": ops::Op::FAMILIES,
        }));
        return Ok(());
    }
    for op in &supported {
        output::line(format!("{:<14} {:<28} {}", op.domain, op.name, op.versions));
    }
    for op in &unsupported {
        output::line(format!("{:<14} {:<28} not supported: {}", op.domain, op.name, op.reason));
    }
    output::line(format!("operators of the graph: {}", ops::Op::FAMILIES.join(" ")));
    let known = import_onnx::standard();
    let of_standard = supported.iter().filter(|op| known.contains(&(op.domain, op.name))).count();
    output::note(format!(
        "{of_standard} of the standard's {} operators, {} others",
        known.len(),
        supported.len() - of_standard
    ));
    Ok(())
}
