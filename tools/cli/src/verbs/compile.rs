//! `tenfold compile`: a model to an artifact, or to the printed form of a phase.

use crate::args::{CompileArgs, parse_phase, parse_target};
use crate::cache::{self, CacheArgs};
use crate::data::{self, Tensors};
use crate::forms::{self, start};
use crate::{Failure, output, session};
use artifact::{Manifest, Signature, SymbolRange};
use clap::Args;
use driver::{Compiled, Deadline, Frontend, Options, Phase, Printed, Report, Target};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tenfold_run::inputs::InputSpec;
use tenfold_run::limits::parse_seconds;
use tensor::DType;

#[derive(Args, Debug)]
pub(crate) struct Verb {
    /// The model: an ONNX file, or with --from the printed form that this phase takes
    model: PathBuf,
    /// The artifact to write; with --to the text (and its large constants in the folder `constants` beside it), `-` for
    /// standard output
    #[arg(short, long = "output", value_name = "OUT.tenfold")]
    output: PathBuf,
    /// What to compile for: host (if nothing is said), host:x86-64-v3, nvptx:sm_75 ... Several make one artifact for all
    /// of them
    #[arg(long = "target", value_name = "TARGET", value_parser = parse_target)]
    targets: Vec<Target>,
    /// An input that is a constant with the value in this file
    #[arg(long = "freeze", value_name = "NAME=FILE")]
    freeze: Vec<InputSpec>,
    /// Start before this phase, from the text that the phase before it wrote
    #[arg(long, value_name = "PHASE", value_parser = parse_phase)]
    from: Option<Phase>,
    /// Stop after this phase, and write its printed form
    #[arg(long, value_name = "PHASE", value_parser = parse_phase)]
    to: Option<Phase>,
    /// Tell how long each phase took, and from which template each kernel was written
    #[arg(long)]
    time: bool,
    /// Most time of the compile. It is looked at between phases, between kernels that are lowered, and between those that
    /// are emitted; a step under way is not interrupted
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    timeout: Option<Duration>,
    /// Print the report for a machine
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compile: CompileArgs,
    #[command(flatten)]
    cache: CacheArgs,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    forms::check_flags(verb.from, &verb.compile, !verb.freeze.is_empty())?;
    let targets = forms::targets(&verb.targets, verb.from);
    let mut options = Options { targets, ..verb.compile.options() };
    options.deadline = verb.timeout.map(Deadline::after);
    options.observer = output::watch_compile();
    if let Some(to) = verb.to.filter(|to| *to != Phase::Pack) {
        options.freeze = frozen(verb, None)?;
        let text = graph::TextOptions { locs: true, ..Default::default() };
        let printed = driver::phase_text(start(&verb.model, verb.from), to, text, &options)?;
        return write_text(verb, &printed);
    }
    options.cache = verb.cache.open()?;
    let compiled = compile(verb, options)?;
    cache::warn(&compiled.report);
    let ranges = ranges_json(&compiled.artifact.manifest);
    let bytes = compiled.artifact.write(&verb.output).map_err(|e| Failure::Input(e.to_string()))?;
    let report = compiled.report;
    if verb.json {
        output::line(to_json(&report, ranges, bytes));
        return Ok(());
    }
    output::note(summary(&report, &verb.output, bytes));
    if verb.time {
        for timing in &report.timings {
            output::note(format!("{:>10.1} ms  {}", millis(timing.time), timing.phase.name()));
        }
        cache::summary(&report).into_iter().for_each(output::note);
        for (target, kernel, template) in &report.templates {
            output::note(format!("{target}: {kernel}: {template}"));
        }
    }
    Ok(())
}

fn compile(verb: &Verb, mut options: Options) -> Result<Compiled, Failure> {
    let compiled = match verb.from.filter(|from| *from != Phase::Import) {
        Some(from) => driver::compile_text(&verb.model, from, &options)?,
        None => {
            let frontend = driver::load_model(&verb.model)?;
            options.freeze = frozen(verb, Some(&frontend))?;
            session::compile_with(&frontend, options, &Tensors::new())?
        }
    };
    Ok(compiled)
}

fn frozen(verb: &Verb, frontend: Option<&Frontend>) -> Result<Tensors, Failure> {
    if verb.freeze.is_empty() {
        return Ok(Tensors::new());
    }
    let ports = match frontend {
        Some(frontend) => frontend.inputs(),
        None => driver::load_model(&verb.model)?.inputs(),
    };
    let signature = |port: driver::ModelInput| Signature {
        name: port.name,
        dtype: port.dtype.unwrap_or(DType::F32),
        shape: vec![],
    };
    let signatures: Vec<Signature> = ports.into_iter().map(signature).collect();
    data::from_files(&signatures, &verb.freeze)
}

fn write_text(verb: &Verb, printed: &Printed) -> Result<(), Failure> {
    if verb.output == Path::new("-") {
        output::line(printed.text.trim_end());
        return Ok(());
    }
    if !verb.compile.dump_elided {
        printed.write_constants(verb.output.parent().unwrap_or(Path::new("")))?;
    }
    output::write_aside(&verb.output, printed.text.as_bytes())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn summary(report: &Report, path: &Path, bytes: u64) -> String {
    let mut text = format!("wrote {} ({:.2} MB)", path.display(), bytes as f64 / 1e6);
    text += &format!(": {} nodes, {} after rewriting", report.nodes_imported, report.nodes_optimized);
    for (target, launches, kernels) in &report.kernels {
        let short = target.split('/').next().unwrap_or(target);
        text += &format!("; {short}: {launches} launches of {kernels} kernels");
    }
    text + &format!("; {:.2} s", report.total().as_secs_f64())
}

/// The report for a machine.
pub(crate) fn report_json(report: &Report) -> Value {
    let phases = report.timings.iter().map(|timing| json!({"phase": timing.phase.name(), "ms": millis(timing.time)}));
    let kernels = report.kernels.iter();
    let kernels =
        kernels.map(|(target, launches, kernels)| json!({"target": target, "launches": launches, "kernels": kernels}));
    let template = |(target, kernel, template): &(String, String, String)| json!({"target": target, "kernel": kernel, "template": template});
    let templates: Vec<Value> = report.templates.iter().map(template).collect();
    json!({
        "templates": templates,
        "nodes_imported": report.nodes_imported,
        "nodes_canonical": report.nodes_canonical,
        "nodes_optimized": report.nodes_optimized,
        "targets": kernels.collect::<Vec<_>>(),
        "compile_ms": millis(report.total()),
        "phases": phases.collect::<Vec<_>>(),
        "cache": {"hits": report.cache.hits, "misses": report.cache.misses},
        "e_nodes": report.e_nodes,
        "rules": report.rules,
    })
}

/// The ranges of symbols that runs of an artifact check.
pub(crate) fn ranges_json(manifest: &Manifest) -> Value {
    let range = |found: &SymbolRange| {
        json!({
            "dim": found.name, "symbol": found.symbol, "low": found.low, "high": found.high, "assumed": found.is_assumed,
        })
    };
    manifest.ranges.iter().map(range).collect()
}

fn to_json(report: &Report, ranges: Value, bytes: u64) -> Value {
    let mut value = report_json(report);
    value["ranges"] = ranges;
    value["artifact_bytes"] = bytes.into();
    value
}
