//! `--from` and `--to`: where a compile starts and what it may be told there.

use crate::Failure;
use crate::args::{CompileArgs, distinct};
use driver::{Phase, Start, Target};
use std::path::Path;

/// A model, or the text that the phase takes. `--from import` is what happens anyway.
pub(crate) fn start(path: &Path, from: Option<Phase>) -> Start<'_> {
    match from {
        None | Some(Phase::Import) => Start::Model(path),
        Some(from) => Start::Text(path, from),
    }
}

/// The targets, each once; the host if none is named, except where the text names its own.
pub(crate) fn targets(named: &[Target], from: Option<Phase>) -> Vec<Target> {
    if named.is_empty() && from != Some(Phase::Emit) {
        return vec![Target::host()];
    }
    distinct(named)
}

/// Refuses what only the import of a model listens to, or what the text of kernels has no use for.
pub(crate) fn check_flags(from: Option<Phase>, compile: &CompileArgs, freezes: bool) -> Result<(), Failure> {
    let is_import = matches!(from, None | Some(Phase::Import));
    if freezes && !is_import {
        let why = "--freeze is for the import of a model; a text that --from reads has been imported";
        return Err(Failure::Usage(why.into()));
    }
    if from == Some(Phase::Emit) && !compile.dims.is_empty() {
        return Err(Failure::Usage("--dim is for graphs and plans; in kernels sizes are parameters".into()));
    }
    Ok(())
}
