//! Cases in ONNX's test layout: finding them, running one, and running many in child processes.
//!
//! A case is a folder with `model.onnx` and `test_data_set_*/input_*.pb`, `output_*.pb`; `case.json` may hold `rtol` and `atol`.

mod case;
mod pool;
mod worker;

pub(crate) use case::{Case, find};
pub(crate) use pool::{Pool, run_all};
pub(crate) use worker::serve;

use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// What runs the cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    /// The reference evaluator.
    Evaluator,
    /// Compiled code on a device.
    Device(tenfold_run::DeviceSpec),
}

impl std::str::FromStr for Runner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "evaluator" => Ok(Runner::Evaluator),
            _ => text
                .parse()
                .map(Runner::Device)
                .map_err(|_| format!("`{text}` is not evaluator, host, cuda, cuda:N, sim or sim:sm_NN")),
        }
    }
}

/// How cases are run.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) runner: Runner,
    /// Threads of a compile and of the host device.
    pub(crate) threads: NonZeroUsize,
    /// Limits of each run.
    pub(crate) limits: runtime::Limits,
}

/// What came of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) status: Status,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) reason: Option<String>,
    pub(crate) ms: u64,
}

/// Passed or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Passed,
    Failed,
}

/// Where a case lies, as a worker is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
}
