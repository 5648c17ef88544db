//! `tenfold bench`: latency, throughput, compile time, memory and the kernels of a model or an artifact.

use crate::args::RunArgs;
use crate::session::{self, Session};
use crate::verbs::compile::{ranges_json, report_json};
use crate::{Failure, cache, output};
use clap::Args;
use runtime::{Profile, StepProfile};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};
use tenfold_run::limits::parse_size;

/// The fewest runs that a median is taken of.
const FEWEST: usize = 3;

/// The most runs that are timed on the device alone, if nobody asks for more.
const MOST: usize = 50;

/// Rows of the table for people.
const ROWS: usize = 20;

#[derive(Args, Debug)]
pub(crate) struct Verb {
    #[command(flatten)]
    run: RunArgs,
    /// Measure so many runs
    #[arg(long, value_name = "N")]
    runs: Option<NonZeroUsize>,
    /// Measure for so many seconds, if --runs is not given
    #[arg(long, value_name = "SECONDS", default_value = "1")]
    duration: f64,
    /// Copy so much on the device before each run of the device time, such as 256MiB: twice its caches or more makes them cold
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    cold: Option<usize>,
    /// Print for a machine
    #[arg(long)]
    json: bool,
}

/// What was measured.
struct Measured {
    /// From tensors on the host to tensors on the host, milliseconds, sorted.
    latency: Vec<f64>,
    /// On the device alone, milliseconds, sorted.
    device: Vec<f64>,
    /// Of this process, megabytes.
    peak: Option<f64>,
    profile: Profile,
    /// The profile's steps by kernel, the slowest first.
    kernels: Vec<StepProfile>,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    let duration = Duration::try_from_secs_f64(verb.duration);
    let duration = duration.map_err(|_| Failure::Usage(format!("--duration {} is no time", verb.duration)))?;
    // What is not given is made up: the time of most models does not depend on values.
    let mut args = verb.run.clone();
    args.inputs.random_inputs.get_or_insert(0);
    let session = session::prepare(&args)?;
    let spinner = output::spinner("measuring");
    let latency = measure(&session, verb.runs.map(NonZeroUsize::get), duration)?;
    let runs = verb.runs.map_or(latency.len().min(MOST), NonZeroUsize::get);
    let times = session.engine.measure(&session.inputs, runs, verb.cold.unwrap_or(0))?;
    let mut device: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    device.sort_by(f64::total_cmp);
    let peak = peak_memory_mb();
    let (_, profile) = session.engine.profile(&session.inputs)?;
    spinner.finish_and_clear();
    let kernels = kernels(&profile);
    let measured = Measured { latency, device, peak, profile, kernels };
    if verb.json {
        output::line(to_json(&session, &measured));
    } else {
        print(&session, &measured);
    }
    Ok(())
}

/// Times of runs in milliseconds, sorted, after one run and a tenth of the time to warm up.
fn measure(session: &Session, runs: Option<usize>, duration: Duration) -> Result<Vec<f64>, Failure> {
    let warm_up = Instant::now();
    session.run()?;
    while warm_up.elapsed() < duration / 10 {
        session.run()?;
    }
    let mut times = vec![];
    let start = Instant::now();
    let is_enough = |n: usize| runs.map_or(n >= FEWEST && start.elapsed() >= duration, |runs| n >= runs);
    while !is_enough(times.len()) {
        let start = Instant::now();
        session.run()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// The value below which this part of the sorted values lies.
fn percentile(sorted: &[f64], part: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((part * last as f64).round() as usize).copied().unwrap_or(f64::NAN)
}

/// The largest memory of this process so far, compile included; `None` where the system does not say.
fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// The steps that launch the same kernel, together; the slowest first.
fn kernels(profile: &Profile) -> Vec<StepProfile> {
    let mut by_name: BTreeMap<&str, StepProfile> = BTreeMap::new();
    for step in &profile.steps {
        let Some(sum) = by_name.get_mut(step.name.as_str()) else {
            by_name.insert(&step.name, step.clone());
            continue;
        };
        sum.calls += step.calls;
        sum.time += step.time;
        sum.flops = sum.flops.saturating_add(step.flops);
        sum.bytes = sum.bytes.saturating_add(step.bytes);
        for node in &step.nodes {
            if !sum.nodes.contains(node) {
                sum.nodes.push(node.clone());
            }
        }
    }
    let mut kernels: Vec<StepProfile> = by_name.into_values().collect();
    kernels.sort_by_key(|kernel| std::cmp::Reverse(kernel.time));
    kernels
}

/// Median and spread of sorted times.
fn spread(times: &[f64]) -> Value {
    json!({
        "median": percentile(times, 0.5), "p10": percentile(times, 0.1), "p90": percentile(times, 0.9), "runs": times.len()
    })
}

fn to_json(session: &Session, measured: &Measured) -> Value {
    let Measured { latency, device, peak, profile, kernels } = measured;
    let median = percentile(latency, 0.5);
    let total: f64 = kernels.iter().map(|kernel| kernel.time.as_secs_f64()).sum();
    let kernel = |kernel: &StepProfile| {
        let seconds = kernel.time.as_secs_f64();
        let rate = |amount: i64| {
            if seconds > 0.0 { amount as f64 / seconds / 1e9 } else { 0.0 }
        };
        json!({
            "name": kernel.name, "calls": kernel.calls, "us": seconds * 1e6, "share": seconds / total.max(f64::MIN_POSITIVE),
            "gflops": rate(kernel.flops), "gbs": rate(kernel.bytes), "nodes": kernel.nodes,
        })
    };
    json!({
        "model": session.engine.artifact().manifest.model,
        "device": session.engine.device(),
        "target": session.engine.target(),
        "latency_ms": spread(latency),
        "device_ms": spread(device),
        "throughput_per_s": 1e3 / median,
        "compile_ms": session.report.as_ref().map(|_| session.compile.as_secs_f64() * 1e3),
        "compile": session.report.as_ref().map(report_json),
        "ranges": ranges_json(&session.engine.artifact().manifest),
        "load_ms": session.load.as_secs_f64() * 1e3,
        "peak_memory_mb": peak,
        "arena_bytes": profile.arena_bytes,
        "weight_bytes": profile.weight_bytes,
        "kernels": kernels.iter().map(kernel).collect::<Vec<_>>(),
    })
}

fn print(session: &Session, measured: &Measured) {
    let Measured { latency, device, peak, profile, kernels } = measured;
    let median = percentile(latency, 0.5);
    output::line(format!("device       {}", session.engine.device()));
    for (what, times) in [("latency    ", latency), ("device time", device)] {
        let [median, p10, p90] = [0.5, 0.1, 0.9].map(|part| percentile(times, part));
        output::line(format!("{what}  median {median:.4} ms, p10 {p10:.4}, p90 {p90:.4} ({} runs)", times.len()));
    }
    output::line(format!("throughput   {:.1} runs/s", 1e3 / median));
    if let Some(report) = &session.report {
        let phases = report
            .timings
            .iter()
            .map(|timing| format!("{} {:.1}", timing.phase.name(), timing.time.as_secs_f64() * 1e3));
        let phases = phases.chain(cache::summary(report)).collect::<Vec<_>>().join(", ");
        output::line(format!("compile      {:.1} ms ({phases})", session.compile.as_secs_f64() * 1e3));
    }
    output::line(format!("load         {:.2} ms", session.load.as_secs_f64() * 1e3));
    let mb = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    let peak = peak.map_or("unknown".into(), |peak| format!("{peak:.1} MB"));
    output::line(format!(
        "peak memory  {peak}; arena {:.2} MB, weights {:.2} MB",
        mb(profile.arena_bytes),
        mb(profile.weight_bytes)
    ));
    let table = Profile { steps: kernels.clone(), ..profile.clone() };
    output::line(tenfold_run::outputs::profile_table(&table, ROWS).trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_few_values() {
        assert_eq!(percentile(&[1.0, 2.0, 9.0], 0.5), 2.0);
        assert_eq!((percentile(&[1.0, 2.0, 9.0], 0.1), percentile(&[1.0, 2.0, 9.0], 0.9)), (1.0, 9.0));
        assert!(percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn one_row_for_each_kernel() {
        let step = |name: &str, node: &str, us| StepProfile {
            name: name.into(),
            nodes: vec![node.into()],
            calls: 1,
            time: Duration::from_micros(us),
            flops: 10,
            bytes: 1,
        };
        let profile =
            Profile { steps: vec![step("a", "n1", 1), step("b", "n2", 5), step("a", "n3", 2)], ..Profile::default() };
        let rows = kernels(&profile);
        assert_eq!(
            rows.iter().map(|row| (row.name.as_str(), row.calls, row.flops)).collect::<Vec<_>>(),
            [("b", 1, 10), ("a", 2, 20)]
        );
        assert_eq!(rows[1].nodes, ["n1", "n3"]);
    }
}
