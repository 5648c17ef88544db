//! The child process: runs the cases that its standard input names, one outcome a line on its standard output.

use super::{Case, Outcome, Runner, Settings, Status, Task};
use crate::{Failure, output, reproducer, session};
use std::io::BufRead;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// Runs cases until standard input ends.
pub(crate) fn serve(settings: &Settings) -> Result<(), Failure> {
    let device = match settings.runner {
        Runner::Evaluator => None,
        Runner::Device(spec) => Some(session::open_device(spec, Some(settings.threads))?),
    };
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|e| Failure::Input(e.to_string()))?;
        let task: Task = serde_json::from_str(&line).map_err(|e| Failure::Usage(format!("not a task: {e}")))?;
        let start = Instant::now();
        let case = Case { folder: &task.folder, settings, device: device.as_ref() };
        let result = catch_unwind(AssertUnwindSafe(|| case.run()));
        let reason = match result {
            Ok(Ok(())) => None,
            Ok(Err(failure)) => Some(failure.to_string()),
            Err(payload) => {
                Some(format!("panic: {} ({})", reproducer::payload_text(&*payload), reproducer::take_place()))
            }
        };
        let status = if reason.is_none() { Status::Passed } else { Status::Failed };
        let outcome = Outcome { name: task.name, status, reason, ms: start.elapsed().as_millis() as u64 };
        output::line(serde_json::to_string(&outcome).map_err(|e| Failure::Bug(e.to_string()))?);
    }
    Ok(())
}
