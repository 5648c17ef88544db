//! Errors of nodes as diagnostics: the place, the reason, and the way out.

use crate::env::Env;
use crate::error::{ImportError, Needs};
use crate::proto::NodeProto;
use diag::{Code, Diagnostic, Loc};

/// How a node is called: by its name, or by its type and first result.
pub(crate) fn node_name(node: &NodeProto) -> String {
    if !node.name.is_empty() {
        return node.name.clone();
    }
    let output = node.output.iter().find(|name| !name.is_empty());
    format!("{} -> %{}", node.op_type, output.map_or("", String::as_str))
}

/// The place of a node; `path` leads to the function or subgraph that it is in.
pub(crate) fn node_loc(env: &Env, path: &str, idx: usize, node: &NodeProto) -> Loc {
    let name = format!("{path}{}", node_name(node));
    Loc::node(env.model.clone(), idx, name, node.op_type.clone())
}

fn list(names: &std::collections::BTreeSet<String>) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// What the user can give so that a value becomes constant, one sentence each.
pub(crate) fn ways_out(needs: &Needs) -> Vec<String> {
    let mut notes = Vec::new();
    if !needs.inputs.is_empty() {
        notes.push(format!("freeze these inputs to constants: {}", list(&needs.inputs)));
    }
    if !needs.dims.is_empty() {
        notes.push(format!("give these dimensions a number: {}", list(&needs.dims)));
    }
    if !needs.shapes.is_empty() {
        notes.push(format!("give the shapes of these inputs: {}", list(&needs.shapes)));
    }
    if notes.is_empty() {
        notes.push("the value depends on data that only a run can tell; export the model with a constant there".into());
    }
    notes
}

/// What helps against every operator and attribute that is not supported.
const WAY_OUT: &str =
    "replace it before the export, or let the exporter decompose it; `tenfold ops` lists what is supported";

/// Reports a node's error, with `facts` such as the types of its operands.
pub(crate) fn report(env: &mut Env, loc: Loc, error: ImportError, facts: &[String]) {
    let mut notes = facts.to_vec();
    let (code, message) = match error {
        ImportError::Reported => return,
        ImportError::Unsupported(reason) => {
            notes.push(WAY_OUT.into());
            (Code::Unsupported, reason)
        }
        ImportError::Limit(reason) => (Code::Limit, reason),
        ImportError::Bad(reason) => (Code::BadGraph, reason),
        ImportError::Type(error) => (Code::Type, error.to_string()),
        ImportError::External(reason) => (Code::ExternalData, reason),
        ImportError::NeedsConstant { what, needs } => {
            env.needs.extend(&needs);
            notes.extend(ways_out(&needs));
            (Code::NeedsConstant, format!("{what} must be known at compile time"))
        }
    };
    let mut diagnostic = Diagnostic::error(code, loc, message);
    diagnostic.notes = notes;
    env.sink.report(diagnostic);
}
