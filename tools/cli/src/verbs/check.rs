//! `tenfold check`: every part of a model that is not supported on the asked targets, before any compile.

use crate::args::{CompileArgs, distinct, parse_target};
use crate::{Failure, output};
use clap::Args;
use diag::{Diagnostic, Loc};
use driver::{Deadline, Error, Options, Target};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tenfold_run::limits::parse_seconds;

#[derive(Args, Debug)]
pub(crate) struct Verb {
    /// An ONNX model
    model: PathBuf,
    /// What to check the kernels for: host, nvptx:sm_75 ... Several are checked together
    #[arg(long = "target", value_name = "TARGET", default_value = "host", value_parser = parse_target)]
    targets: Vec<Target>,
    /// Most time of the check, looked at between phases and kernels
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    timeout: Option<Duration>,
    /// Print for a machine
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compile: CompileArgs,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    let mut options = Options { targets: distinct(&verb.targets), ..verb.compile.options() };
    options.deadline = verb.timeout.map(Deadline::after);
    options.observer = output::watch_compile();
    let diagnostics = match driver::check(&verb.model, &options) {
        Ok(diagnostics) => diagnostics,
        Err(Error::Model { diagnostics, .. }) => diagnostics,
        Err(other) => return Err(other.into()),
    };
    if verb.json {
        let problems: Vec<Value> = diagnostics.iter().map(to_json).collect();
        let targets: Vec<String> = options.targets.iter().map(Target::name).collect();
        output::line(json!({"supported": problems.is_empty(), "targets": targets, "problems": problems}));
    } else {
        diagnostics.iter().for_each(output::line);
    }
    if diagnostics.is_empty() {
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

fn to_json(diagnostic: &Diagnostic) -> Value {
    let nodes = nodes(&diagnostic.loc);
    json!({
        "code": diagnostic.code.name(),
        "severity": if diagnostic.severity == diag::Severity::Error { "error" } else { "warning" },
        "message": diagnostic.message,
        "place": diagnostic.loc.to_string(),
        "node": nodes.first(),
        "nodes": nodes,
        "notes": diagnostic.notes,
    })
}

/// The nodes of the model that a place names; a kernel comes from several.
fn nodes(loc: &Loc) -> Vec<Value> {
    match loc {
        Loc::Node(node) => vec![json!({"index": node.index, "name": node.name, "op_type": node.op_type})],
        Loc::Fused(parts) => parts.iter().flat_map(nodes).collect(),
        Loc::Unknown | Loc::File(_) | Loc::Text { .. } => vec![],
    }
}
