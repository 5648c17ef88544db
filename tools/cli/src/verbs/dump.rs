//! `tenfold dump`: the printed form of what a phase makes.

use crate::args::{CompileArgs, parse_phase, parse_target};
use crate::forms::{self, start};
use crate::verbs::inspect;
use crate::{Failure, output, session};
use clap::{Args, ValueEnum};
use driver::{Options, Phase, Start, Target};
use graph::{Graph, TextOptions};
use std::path::PathBuf;
use tenfold_dialect::linalg::Linalg;

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
    /// Print a graph in this form: text, which --from reads, or for MLIR's tools the tenfold dialect, or linalg on tensors
    #[arg(long = "as", value_name = "FORM", value_enum, default_value_t = Form::Text)]
    form: Form,
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

/// How a graph is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    Text,
    Dialect,
    Linalg,
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
    if verb.form != Form::Text {
        let graph = driver::phase_graph(start, verb.to, &options)?;
        output::line(in_mlir(&graph, verb)?.trim_end());
        return Ok(());
    }
    let mut text = TextOptions { locs: verb.locs, ..TextOptions::default() };
    if verb.constants {
        text.max_elements = usize::MAX;
    }
    let printed = driver::phase_text(start, verb.to, text, &options)?;
    output::line(printed.text.trim_end());
    Ok(())
}

/// A graph in a dialect.
fn in_mlir(graph: &Graph, verb: &Verb) -> Result<String, Failure> {
    if verb.form == Form::Dialect {
        return Ok(tenfold_dialect::to_mlir(graph));
    }
    let max_elements = if verb.constants { usize::MAX } else { TextOptions::default().max_elements };
    let options = Linalg { max_elements, ..Linalg::default() };
    tenfold_dialect::to_linalg(graph, &options).map_err(|e| Failure::Unsupported(e.to_string()))
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
