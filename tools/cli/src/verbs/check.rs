//! `tenfold check`: every part of a model that is not supported, before any compile.

use crate::args::CompileArgs;
use crate::{Failure, output};
use clap::Args;
use diag::{Diagnostic, Loc};
use driver::{Error, Options};
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(crate) struct Verb {
    /// An ONNX model
    model: PathBuf,
    /// Print for a machine
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compile: CompileArgs,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    let options = verb.compile.options();
    let diagnostics = match driver::check(&verb.model, &options) {
        Ok(diagnostics) => diagnostics,
        Err(Error::Model { diagnostics, .. }) => diagnostics,
        Err(other) => return Err(other.into()),
    };
    let place = if diagnostics.is_empty() { kernels(verb, &options)? } else { None };
    if verb.json {
        let all: Vec<Value> = diagnostics.iter().map(to_json).collect();
        let lowering: Vec<Value> = place.iter().map(|text| json!({"code": "E1003", "message": text})).collect();
        let problems = [all, lowering].concat();
        output::line(json!({"supported": problems.is_empty(), "problems": problems}));
    } else {
        diagnostics.iter().for_each(output::line);
        place.iter().for_each(output::line);
    }
    if diagnostics.is_empty() && place.is_none() {
        output::note("everything in this model is supported");
        return Ok(());
    }
    Err(failure(&diagnostics))
}

/// The kind of failure, in few words: the verb has printed all of them as its result.
fn failure(diagnostics: &[Diagnostic]) -> Failure {
    match Failure::of_diagnostics(diagnostics) {
        Failure::Input(_) => Failure::Input("the model is not valid".into()),
        Failure::Limit(_) => Failure::Limit("the model passes a limit".into()),
        _ => Failure::Unsupported(format!("{} problems", diagnostics.len().max(1))),
    }
}

/// Whether everything has kernels on the host; the first thing that has none.
fn kernels(verb: &Verb, options: &Options) -> Result<Option<String>, Failure> {
    let start = driver::Start::Model(&verb.model);
    match driver::phase_text(start, driver::Phase::Lower, graph::TextOptions::default(), options) {
        Ok(_) => Ok(None),
        Err(error @ Error::Lower { .. }) => Ok(Some(format!("error[E1003]: {error}"))),
        Err(other) => Err(other.into()),
    }
}

fn to_json(diagnostic: &Diagnostic) -> Value {
    let node = match &diagnostic.loc {
        Loc::Node(node) => json!({"index": node.index, "name": node.name, "op_type": node.op_type}),
        _ => Value::Null,
    };
    json!({
        "code": diagnostic.code.name(),
        "severity": if diagnostic.severity == diag::Severity::Error { "error" } else { "warning" },
        "message": diagnostic.message,
        "place": diagnostic.loc.to_string(),
        "node": node,
        "notes": diagnostic.notes,
    })
}
