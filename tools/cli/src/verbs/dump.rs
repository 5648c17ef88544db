//! `tenfold dump`: the printed form of what a phase makes.

use crate::args::{CompileArgs, parse_phase, parse_target};
use crate::{Failure, output, session};
use clap::Args;
use driver::{Options, Phase, Start, Target};
use graph::TextOptions;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(crate) struct Verb {
    /// An ONNX model, with --from the printed graph that this phase takes, or with --to pack an artifact
    model: PathBuf,
    /// Print what this phase makes: import, canonicalize, optimize, schedule, lower, emit or pack
    #[arg(long, value_name = "PHASE", value_parser = parse_phase)]
    to: Phase,
    /// Start before this phase, from a printed graph
    #[arg(long, value_name = "PHASE", value_parser = parse_phase)]
    from: Option<Phase>,
    /// What to compile for, where that matters
    #[arg(long = "target", value_name = "TARGET", default_value = "host", value_parser = parse_target)]
    targets: Vec<Target>,
    /// Print where each node of a graph comes from
    #[arg(long)]
    locs: bool,
    /// Print constants whole, so that a graph can be read back by --from
    #[arg(long)]
    constants: bool,
    #[command(flatten)]
    compile: CompileArgs,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    if verb.from.is_none() && session::is_artifact(&verb.model) {
        return artifact(verb);
    }
    let observer = output::watch_compile();
    let options = Options { targets: verb.targets.clone(), observer, ..verb.compile.options() };
    let mut text = TextOptions { locs: verb.locs, ..TextOptions::default() };
    if verb.constants {
        text.max_elements = usize::MAX;
    }
    let start = match verb.from.filter(|from| *from != Phase::Import) {
        Some(from) => Start::Graph(&verb.model, from),
        None => Start::Model(&verb.model),
    };
    let printed = driver::phase_text(start, verb.to, text, &options)?;
    output::line(printed.trim_end());
    Ok(())
}

fn artifact(verb: &Verb) -> Result<(), Failure> {
    if verb.to != Phase::Pack {
        return Err(Failure::Usage("of an artifact only `--to pack` can be printed".into()));
    }
    let artifact = artifact::Artifact::open(&verb.model);
    let artifact = artifact.map_err(|e| Failure::Input(format!("`{}`: {e}", verb.model.display())))?;
    output::line(driver::artifact_text(&artifact).trim_end());
    Ok(())
}
