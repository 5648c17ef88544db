//! `docs/onnx-support.md`, from the importer's registry.

use super::cell;
use import_onnx::{NEWEST_OPSET, standard, supported, unsupported};
use std::collections::BTreeSet;
use std::fmt::Write;

pub(super) fn page() -> String {
    let (supported, unsupported, standard) = (supported(), unsupported(), standard());
    let names: BTreeSet<(&str, &str)> = supported.iter().map(|op| (op.domain, op.name)).collect();
    let covered = standard.iter().filter(|op| names.contains(*op)).count();
    let mut out = format!(
        "# ONNX operators\n\n{covered} of the {} operators of the standard (opset {NEWEST_OPSET} of `ai.onnx`) are imported, \
         and {} of other vendors. Models of opset 7 and newer are read; \"changed in\" lists the versions with a meaning of their own.\n\
         `tenfold check MODEL` names every node of a model that is not supported.\n",
        standard.len(),
        supported.len() - covered,
    );
    out.push_str("\n## Imported\n\n| domain | operator | changed in |\n|---|---|---|\n");
    for op in &supported {
        let versions = if op.versions.is_empty() { "-" } else { op.versions };
        let _ = writeln!(out, "| {} | {} | {} |", op.domain, op.name, versions.replace(',', ", "));
    }
    out.push_str("\n## Not imported\n\n| domain | operator | reason |\n|---|---|---|\n");
    let reason = |op: &(&str, &str)| {
        let on_record = unsupported.iter().find(|entry| (entry.domain, entry.name) == *op);
        on_record.map_or("not yet", |entry| entry.reason)
    };
    for op in standard.iter().filter(|op| !names.contains(*op)) {
        let _ = writeln!(out, "| {} | {} | {} |", op.0, op.1, cell(reason(op)));
    }
    out
}
