//! The command line `tenfold`: one file for each verb, over `driver` and `runtime`.
//!
//! # Invariants
//! - Results go to standard output, all else to standard error; what a machine may read has `--json`.
//! - Exit codes are those of [`Failure::exit_code`], and of nothing else.
//! - Whatever a user gives ends in an answer or one clear error; our own bugs end in exit code 5 and a reproducer.
//! - A device that was asked for and is missing is an error, never a fallback.
//!
//! Start reading at `args.rs` (what can be asked for), then any file in `verbs/`; `session.rs` is what several verbs share.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool prints")]

mod args;
mod cache;
mod compare;
mod crash;
mod data;
mod failure;
mod forms;
mod output;
mod reproducer;
mod session;
mod suite;
mod verbs;

pub use failure::Failure;

use args::{Arguments, Verb};
use clap::Parser;
use std::process::ExitCode;

/// Verbs run on a thread with this much stack: deeply nested models are walked by recursion.
const STACK: usize = 512 << 20;

/// Parses the arguments of this process and does what they ask for.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    output::set_up(&arguments);
    if !arguments.is_test_worker() {
        crash::install(&reproducer::circumstances());
    }
    let verb = std::thread::Builder::new().stack_size(STACK).spawn(move || guarded(arguments));
    let result = match verb.map(std::thread::JoinHandle::join) {
        Ok(Ok(result)) => result,
        // `guarded` catches panics; what is left is a panic while reporting one.
        Ok(Err(_)) => Err(Failure::Bug("the command ended without a result".into())),
        Err(e) => Err(Failure::Limit(format!("no thread for the command: {e}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::report(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Runs a verb; a panic, or a bug that was found otherwise, leaves a reproducer.
fn guarded(arguments: Arguments) -> Result<(), Failure> {
    let result = reproducer::catch(|| run(arguments));
    match result {
        Err(Failure::Bug(message)) => Err(Failure::Bug(reproducer::write(&message))),
        other => other,
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::Compile(verb) => verbs::compile::run(&verb),
        Verb::Run(verb) => verbs::run::run(&verb),
        Verb::Check(verb) => verbs::check::run(&verb),
        Verb::Compare(verb) => verbs::compare::run(&verb),
        Verb::Bench(verb) => verbs::bench::run(&verb),
        Verb::Dump(verb) => verbs::dump::run(&verb),
        Verb::Inspect(verb) => verbs::inspect::run(&verb),
        Verb::Ops(verb) => verbs::ops::run(&verb),
        Verb::Test(verb) => verbs::test::run(&verb),
        Verb::Cache(verb) => verbs::cache::run(&verb),
        Verb::Doctor(verb) => verbs::doctor::run(&verb),
        Verb::Explain(verb) => verbs::explain::run(&verb),
        Verb::Completions(verb) => verbs::completions::run(&verb),
    }
}
