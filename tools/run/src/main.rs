//! `tenfold-run`: runs an artifact on a machine without a compiler.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool prints")]

use clap::Parser;
use runtime::Engine;
use serde_json::json;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tenfold_run::inputs::{self, InputSpec};
use tenfold_run::{DeviceSpec, Failure, LimitArgs, outputs};
use tensor::Tensor;

/// Runs a compiled model. An artifact is code: run only what you trust.
#[derive(Parser)]
#[command(name = "tenfold-run", version)]
struct Arguments {
    /// The artifact.
    artifact: PathBuf,
    /// An input from a file: NAME=FILE.npy, NAME=FILE.npz, or FILE.npz for all inputs.
    #[arg(long = "input", value_name = "NAME=FILE")]
    inputs: Vec<InputSpec>,
    /// Make up the inputs that are not given, from this seed.
    #[arg(long, value_name = "SEED")]
    random_inputs: Option<u64>,
    /// The value of a symbolic dimension, for made-up inputs.
    #[arg(long = "dim", value_name = "NAME=NUMBER", value_parser = inputs::parse_dim)]
    dims: Vec<(String, i64)>,
    /// Write the outputs to this file.
    #[arg(long, value_name = "FILE.npz")]
    outputs: Option<PathBuf>,
    /// Where to run: host, cuda, cuda:N, sim or sim:sm_NN.
    #[arg(long, default_value = "host")]
    device: DeviceSpec,
    /// On sim: look for reads of what nobody wrote and for races.
    #[arg(long)]
    sanitize: bool,
    /// Threads of the host; by default one for each core.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Run so often and report the median time.
    #[arg(long, default_value = "1")]
    repeat: NonZeroUsize,
    /// Report the time of each kernel.
    #[arg(long)]
    profile: bool,
    /// Compare the weights with their checksums first; reads the whole file.
    #[arg(long)]
    verify: bool,
    /// Print for a machine.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: LimitArgs,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let begin = Instant::now();
    let device = if arguments.sanitize { arguments.device.sanitized()? } else { arguments.device };
    let device = device.open(arguments.threads)?;
    if arguments.verify {
        artifact::Artifact::verify_weights(&arguments.artifact).map_err(runtime::Error::from)?;
    }
    let start = Instant::now();
    let limits = arguments.limits.of_run(arguments.limits.timeout);
    let engine = Engine::load_with(&arguments.artifact, &*device, limits)?;
    let load = start.elapsed();
    let tensors = gather(arguments, &engine)?;
    let mut times = vec![];
    let mut results = vec![];
    for _ in 0..arguments.repeat.get() {
        arguments.limits.check_time(begin.elapsed())?;
        let start = Instant::now();
        results = engine.run(&tensors)?;
        times.push(start.elapsed());
    }
    times.sort();
    let median = times[times.len() / 2];
    let named: Vec<(&str, &Tensor)> = engine.outputs().iter().map(|port| port.name.as_str()).zip(&results).collect();
    if let Some(path) = &arguments.outputs {
        let saved = npy::save_npz(path, named.iter().copied());
        saved.map_err(|e| Failure::Input(format!("cannot write `{}`: {e}", path.display())))?;
    }
    report(arguments, &engine, &tensors, &named, load, median)
}

fn gather(arguments: &Arguments, engine: &Engine) -> Result<Vec<Tensor>, Failure> {
    let mut tensors = inputs::from_files(engine.inputs(), &arguments.inputs)?;
    if let Some(seed) = arguments.random_inputs {
        let dims: BTreeMap<String, i64> = arguments.dims.iter().cloned().collect();
        let ranges = &engine.artifact().manifest.ranges;
        inputs::fill_randomly(engine.inputs(), &mut tensors, seed, &dims, ranges)?;
    }
    let named: Vec<(&str, Tensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.clone())).collect();
    Ok(engine.order_inputs(&named)?)
}

fn report(
    arguments: &Arguments,
    engine: &Engine,
    tensors: &[Tensor],
    named: &[(&str, &Tensor)],
    load: Duration,
    median: Duration,
) -> Result<(), Failure> {
    let profile = arguments.profile.then(|| engine.profile(tensors)).transpose()?.map(|(_, profile)| profile);
    let arena = engine.arena_bytes(tensors)?;
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    if arguments.json {
        let steps = profile.iter().flat_map(|profile| &profile.steps).map(|step| {
            json!({
                "kernel": step.name, "nodes": step.nodes, "calls": step.calls,
                "us": step.time.as_secs_f64() * 1e6, "flops": step.flops, "bytes": step.bytes,
            })
        });
        let value = json!({
            "model": engine.artifact().manifest.model,
            "target": engine.target(),
            "device": engine.device(),
            "load_ms": millis(load),
            "run_ms": millis(median),
            "arena_bytes": arena,
            "outputs": named.iter().map(|(name, tensor)| outputs::to_json(name, tensor)).collect::<Vec<_>>(),
            "steps": steps.collect::<Vec<_>>(),
        });
        println!("{value}");
        return Ok(());
    }
    for (name, tensor) in named {
        println!("{}", outputs::summary(name, tensor));
    }
    eprintln!(
        "{} on {}: loaded in {:.2} ms, ran in {:.3} ms, arena {:.2} MiB",
        engine.artifact().manifest.model,
        engine.device(),
        millis(load),
        millis(median),
        arena as f64 / (1 << 20) as f64
    );
    if let Some(profile) = &profile {
        eprint!("{}", outputs::profile_table(profile, 40));
    }
    Ok(())
}
