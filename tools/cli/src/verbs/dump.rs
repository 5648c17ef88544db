//! `tenfold dump`: the printed form of what a phase makes.

use crate::args::{CompileArgs, parse_phase, parse_target};
use crate::{Failure, output};
use clap::Args;
use driver::{Options, Phase, Start, Target};
use graph::TextOptions;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(crate) struct Verb {
    /// An ONNX model, or with --from the printed graph that this phase takes
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
    let options = Options { targets: verb.targets.clone(), ..verb.compile.options() };
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
