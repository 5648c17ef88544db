//! `tenfold test`: cases in ONNX's test layout.

use crate::suite::{self, Outcome, Pool, Runner, Settings, Status};
use crate::{Failure, output};
use clap::Args;
use runtime::Limits;
use serde_json::json;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;
use tenfold_run::limits::parse_size;

#[derive(Args, Debug)]
pub(crate) struct Verb {
    /// Folders of cases, or folders of such folders. A case has model.onnx and test_data_set_*/
    #[arg(required_unless_present = "worker")]
    folders: Vec<PathBuf>,
    /// Write what came of each case to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What runs the cases: evaluator, host, cuda, cuda:N, sim or sim:sm_NN
    #[arg(long, default_value = "host")]
    device: Runner,
    /// On sim: look for reads of what nobody wrote and for races
    #[arg(long)]
    sanitize: bool,
    /// Cases at a time; by default one for each core
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Threads of each compile and run
    #[arg(long, value_name = "N", default_value = "2")]
    threads: NonZeroUsize,
    /// A case may take so many seconds
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    limit: u64,
    /// Most memory of a run, such as 512MiB: weights, arena, outputs, scratch, and buffers that data sizes. A case that needs more
    /// fails
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    memory_limit: Option<usize>,
    /// Run the cases that standard input names (for the program itself)
    #[arg(long, hide = true)]
    pub(crate) worker: bool,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    let limits = Limits { memory: verb.memory_limit, time: None };
    if verb.device == Runner::Evaluator && verb.memory_limit.is_some() {
        return Err(Failure::Usage("the evaluator plans no memory, so --memory-limit needs another device".into()));
    }
    let runner = match (verb.device, verb.sanitize) {
        (Runner::Device(spec), true) => Runner::Device(spec.sanitized()?),
        (runner, _) => runner,
    };
    let settings = Settings { runner, threads: verb.threads, limits };
    if verb.worker {
        return suite::serve(&settings);
    }
    // A device that is missing is one error, not one for each case.
    if let Runner::Device(spec) = verb.device {
        spec.open(Some(verb.threads))?;
    }
    let tasks = suite::find(&verb.folders)?;
    let jobs = verb.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let pool =
        Pool { jobs: jobs.min(tasks.len()), limit: Duration::from_secs(verb.limit), arguments: child_arguments(verb) };
    let outcomes = suite::run_all(&pool, tasks)?;
    conclude(verb, &outcomes)
}

fn child_arguments(verb: &Verb) -> Vec<String> {
    let device = match verb.device {
        Runner::Evaluator => "evaluator".to_string(),
        Runner::Device(tenfold_run::DeviceSpec::Host) => "host".into(),
        Runner::Device(tenfold_run::DeviceSpec::Cuda(ordinal)) => format!("cuda:{ordinal}"),
        Runner::Device(tenfold_run::DeviceSpec::Sim { capability, .. }) => format!("sim:sm_{capability}"),
    };
    let threads = verb.threads.to_string();
    let mut arguments = ["test", "--worker", "--device", &device, "--threads", &threads].map(String::from).to_vec();
    if let Some(limit) = verb.memory_limit {
        arguments.extend(["--memory-limit".to_string(), limit.to_string()]);
    }
    arguments.extend(verb.sanitize.then(|| "--sanitize".into()));
    arguments
}

fn conclude(verb: &Verb, outcomes: &[Outcome]) -> Result<(), Failure> {
    let failed = outcomes.iter().filter(|outcome| outcome.status == Status::Failed).count();
    let passed = outcomes.len() - failed;
    if let Some(path) = &verb.json {
        let report = json!({"cases": outcomes, "passed": passed, "failed": failed});
        output::write_aside(path, format!("{report:#}\n").as_bytes())?;
    }
    for outcome in outcomes.iter().filter(|outcome| outcome.status == Status::Failed) {
        output::line(format!("FAILED {}: {}", outcome.name, outcome.reason.as_deref().unwrap_or_default()));
    }
    output::line(format!("{passed} passed, {failed} failed"));
    if failed == 0 { Ok(()) } else { Err(Failure::Difference(format!("{failed} of {} cases failed", outcomes.len()))) }
}
