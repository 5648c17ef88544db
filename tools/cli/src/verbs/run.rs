//! `tenfold run`: a model or an artifact on given or made-up inputs.

use crate::args::RunArgs;
use crate::verbs::compile::{ranges_json, report_json};
use crate::{Failure, output, session};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;
use tenfold_run::outputs;
use tensor::Tensor;

#[derive(Args, Debug)]
pub(crate) struct Verb {
    #[command(flatten)]
    run: RunArgs,
    /// Write the outputs to this file
    #[arg(long, value_name = "FILE.npz")]
    outputs: Option<PathBuf>,
    /// Print for a machine
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    let session = session::prepare(&verb.run)?;
    let start = Instant::now();
    let results = session.run()?;
    let time = start.elapsed();
    let names = session.engine.outputs().iter().map(|port| port.name.as_str());
    let named: Vec<(&str, &Tensor)> = names.zip(&results).collect();
    if let Some(path) = &verb.outputs {
        let saved = npy::save_npz(path, named.iter().copied());
        saved.map_err(|e| Failure::Input(format!("cannot write `{}`: {e}", path.display())))?;
    }
    let millis = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    if verb.json {
        output::line(json!({
            "model": session.engine.artifact().manifest.model,
            "target": session.engine.target(),
            "device": session.engine.device(),
            "compile": session.report.as_ref().map(report_json),
            "ranges": ranges_json(&session.engine.artifact().manifest),
            "load_ms": millis(session.load),
            "run_ms": millis(time),
            "outputs": named.iter().map(|(name, tensor)| outputs::to_json(name, tensor)).collect::<Vec<_>>(),
        }));
        return Ok(());
    }
    for (name, tensor) in &named {
        output::line(outputs::summary(name, tensor));
    }
    session.engine.device_report().into_iter().for_each(output::note);
    let compiled =
        session.report.map_or(String::new(), |_| format!("compiled in {:.2} s, ", session.compile.as_secs_f64()));
    let device = session.engine.device();
    output::note(format!("{compiled}ran on {device} in {:.3} ms (first run)", millis(time)));
    Ok(())
}
