//! Locations of the graph as MLIR's.

use crate::attribute::quoted;
use diag::Loc;

/// ` loc(...)`, to stand after an operation.
pub(crate) fn location(loc: &Loc) -> String {
    format!(" loc({})", inner(loc))
}

fn inner(loc: &Loc) -> String {
    match loc {
        Loc::Unknown => "unknown".into(),
        Loc::File(file) => format!("{}:0:0", quoted(file)),
        // The line is the node's number: MLIR has no better word for it.
        Loc::Node(node) => format!("{}({}:{}:0)", quoted(&node.name), quoted(&node.model), node.index),
        Loc::Text { file, line, column } => format!("{}:{line}:{column}", quoted(file)),
        Loc::Fused(parts) => {
            let parts: Vec<String> = parts.iter().map(inner).collect();
            format!("fused[{}]", parts.join(", "))
        }
    }
}
