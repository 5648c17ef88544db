//! `docs/errors.md`, from the doc comments of `diag::Code`.

use super::cell;
use crate::files::read;
use diag::Code;
use std::fmt::Write;

const HEAD: &str = "\
# Error codes

A diagnostic is about the user's input: `error[E1003]: ...`, the node or place that it is about, and facts below it.
Operator constraints that a model breaks (`E2001`) are named, such as `transpose C1`; they stand in [ops.md](ops.md).

| code | meaning |
|---|---|
";

pub(super) fn page() -> Result<String, String> {
    let source = read("compiler/diag/src/lib.rs")?;
    let body = source.split_once("pub enum Code {").and_then(|(_, rest)| rest.split_once("\n}")).map(|(body, _)| body);
    let docs: Vec<&str> =
        body.unwrap_or_default().lines().filter_map(|line| line.trim().strip_prefix("/// ")).collect();
    let mut out = String::from(HEAD);
    for code in Code::ALL {
        let mark = format!("`{}`", code.name());
        let doc =
            docs.iter().find_map(|doc| doc.strip_suffix(&mark)).ok_or_else(|| format!("no doc line ends in {mark}"))?;
        let _ = writeln!(out, "| {mark} | {} |", cell(doc.trim()));
    }
    Ok(out)
}
