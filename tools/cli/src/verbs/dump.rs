//! `tenfold dump`: the printed form of what a phase makes.

use crate::args::{CompileArgs, parse_phase, parse_target};
use crate::forms::{self, start};
use crate::verbs::inspect;
use crate::{Failure, output, session};
use clap::Args;
use driver::{Options, Phase, Start, Target};
use graph::TextOptions;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(crate) struct Verb {
    /// An ONNX model, with --from the printed form that this phase takes, or with --to pack an artifact
    model: PathBuf,
    /// Print what this phase makes: import, canonicalize, optimize, schedule, lower, emit or pack
    #[arg(long, value_name = "PHASE", value_parser = parse_phase)]
    to: Phase,
    /// Start before this phase, from the text that the phase before it printed
    #[arg(long, value_name = "PHASE", value_parser = parse_phase)]
    from: Option<Phase>,
    /// What to compile for, where that matters: host if nothing is said
    #[arg(long = "target", value_name = "TARGET", value_parser = parse_target)]
    targets: Vec<Target>,
    /// Print where each node of a graph comes from
    #[arg(long)]
    locs: bool,
    /// Print constants whole, so that --from can read the text without files beside it
    #[arg(long)]
    constants: bool,
    /// Print for a machine: with --to pack
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compile: CompileArgs,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    if verb.from.is_none() && session::is_artifact(&verb.model) {
        return artifact(verb);
    }
    forms::check_flags(verb.from, &verb.compile, false)?;
    let observer = output::watch_compile();
    let targets = forms::targets(&verb.targets, verb.from);
    let options = Options { targets, observer, ..verb.compile.options() };
    let start = start(&verb.model, verb.from);
    if verb.json {
        return json(verb.to, start, &options);
    }
    let mut text = TextOptions { locs: verb.locs, ..TextOptions::default() };
    if verb.constants {
        text.max_elements = usize::MAX;
    }
    let printed = driver::phase_text(start, verb.to, text, &options)?;
    output::line(printed.text.trim_end());
    Ok(())
}

fn json(to: Phase, start: Start<'_>, options: &Options) -> Result<(), Failure> {
    if to != Phase::Pack {
        let message = format!("--json is for `--to pack`: what {} makes is text", to.name());
        return Err(Failure::Usage(message));
    }
    let compiled = match start {
        Start::Model(path) => driver::compile(path, options)?,
        Start::Text(path, from) => driver::compile_text(path, from, options)?,
    };
    inspect::print(&compiled.artifact, true);
    Ok(())
}

fn artifact(verb: &Verb) -> Result<(), Failure> {
    if verb.to != Phase::Pack {
        return Err(Failure::Usage("of an artifact only `--to pack` can be printed".into()));
    }
    inspect::print(&inspect::open(&verb.model)?, verb.json);
    Ok(())
}
