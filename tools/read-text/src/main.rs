//! `read-text MODEL PICTURE`: reads a line of text, and tells what happened on the way.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool prints")]

use anyhow::{Context, Result, bail};
use driver::Target;
use read_text::kept::{self, Kept};
use read_text::picture;
use read_text::reader::{self, Answer};
use runtime::{Device, Engine, Host};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The GPU that PTX is written for where none is found.
const SHOWN_GPU: &str = "nvptx:sm_90a";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [model, path] = &arguments[..] else {
        bail!("usage: read-text MODEL.onnx PICTURE");
    };
    let picture = image::ImageReader::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let picture = picture.with_guessed_format()?.decode();
    let picture = picture.with_context(|| format!("{} is not a PNG or JPEG picture", path.display()))?;
    let line = picture::prepare(&picture)?;
    let (device, why, targets) = choose()?;
    let kept = kept::obtain(model, targets, &store()?)?;
    let engine = Engine::from_artifact(Arc::new(kept.artifact.clone()), &*device)?;
    let answer = reader::read(&engine, &kept.facts.characters, &line)?;
    print(model, &kept, &engine, &why, &answer)
}

/// The GPU if there is one, else the host; why; and what to compile for.
fn choose() -> Result<(Box<dyn Device>, String, Vec<Target>)> {
    let shown = || SHOWN_GPU.parse::<Target>().map(|shown| vec![Target::host(), shown]);
    match cuda::Cuda::new(0) {
        Ok(gpu) => match Target::for_gpu(gpu.info().capability) {
            Some(target) => Ok((Box::new(gpu), "the first GPU".into(), vec![Target::host(), target])),
            None => Ok((Box::new(Host::new(None)), "nothing can be compiled for the GPU".into(), shown()?)),
        },
        Err(error) => Ok((Box::new(Host::new(None)), error.to_string(), shown()?)),
    }
}

/// Where compiled models are kept: in the build folder, beside this program's own.
fn store() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let build = program.parent().and_then(Path::parent).context("this program lies in no build folder")?;
    Ok(build.join("read-text"))
}

fn print(model: &Path, kept: &Kept, engine: &Engine, why: &str, answer: &Answer) -> Result<()> {
    let facts = &kept.facts;
    println!("\n    {}\n", answer.reading.text);
    println!("confidence   {:.1} %", 100.0 * answer.reading.confidence);
    println!("model        {}: {} nodes", model.display(), facts.nodes);
    println!("e-graph      {} nodes after rewriting", facts.rewritten);
    for (target, launches, kernels) in &facts.kernels {
        let short = target.split('/').next().unwrap_or(target);
        println!("kernels      {launches} launches of {kernels} kernels for {short}");
    }
    let phases: Vec<String> = facts.phases.iter().map(|(phase, seconds)| format!("{phase} {seconds:.2}")).collect();
    let total: f64 = facts.phases.iter().map(|(_, seconds)| seconds).sum();
    let when = if kept.is_old { ", by an earlier run" } else { "" };
    println!("compile      {total:.2} s{when} ({})", phases.join(", "));
    println!("device       {} ({why})", engine.device());
    println!("latency      {:.2} ms (median)", answer.latency.as_secs_f64() * 1e3);
    let mb = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    let process =
        peak_of_process().map_or(String::new(), |kib| format!("; whole process {:.1} MB", kib as f64 / 1024.0));
    let (peak, weights) = (mb(answer.profile.peak_bytes), mb(answer.profile.weight_bytes));
    println!("memory       peak {peak:.1} MB, weights {weights:.1} MB{process}");
    let here = std::env::current_dir().unwrap_or_default();
    let folder = kept.dumps.strip_prefix(&here).unwrap_or(&kept.dumps);
    println!("PTX          {} files: {}/*.ptx", count_ptx(&kept.dumps)?, folder.display());
    Ok(())
}

/// The largest memory of this process so far in KiB, where the system tells.
fn peak_of_process() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn count_ptx(folder: &Path) -> Result<usize> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    Ok(entries.filter_map(Result::ok).filter(|entry| entry.path().extension().is_some_and(|e| e == "ptx")).count())
}
