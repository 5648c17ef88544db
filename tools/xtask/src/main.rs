//! `cargo run -p xtask -- docs [--check] | size`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool prints")]

use std::process::ExitCode;
use xtask::{docs, size};

const USAGE: &str = "usage: xtask docs [--check] | size";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["docs"] => docs::write(),
        ["docs", "--check"] => docs::check(),
        ["size"] => size::report(),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(report) => {
            print!("{report}");
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}
