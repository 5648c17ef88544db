//! `tenfold inspect`: what an artifact holds.

use crate::{Failure, output};
use artifact::Artifact;
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Args, Debug)]
pub(crate) struct Verb {
    /// An artifact
    artifact: PathBuf,
    /// Print it for a machine
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    print(&open(&verb.artifact)?, verb.json);
    Ok(())
}

/// Reads an artifact.
pub(crate) fn open(path: &Path) -> Result<Artifact, Failure> {
    Artifact::open(path).map_err(|e| match e {
        artifact::Error::Io { .. } => Failure::Input(e.to_string()),
        other => Failure::Input(format!("`{}`: {other}", path.display())),
    })
}

/// Prints an artifact, for people or for a machine.
pub(crate) fn print(artifact: &Artifact, json: bool) {
    if json {
        output::line(to_json(artifact));
    } else {
        output::line(artifact.to_string().trim_end());
    }
}

/// The tables as they are in the file; of weights and code the sizes.
fn to_json(artifact: &Artifact) -> Value {
    let weights = artifact.weights.iter();
    let weights = weights.map(|w| json!({"name": w.name, "dtype": w.dtype.to_string(), "bytes": w.data.len()}));
    json!({
        "manifest": artifact.manifest,
        "variants": artifact.variants,
        "weights": weights.collect::<Vec<_>>(),
        "code": artifact.code.iter().map(|code| json!({"bytes": code.len()})).collect::<Vec<_>>(),
    })
}
