//! `tenfold-opt`: reads a printed graph or an ONNX model, runs named passes over it, and prints what comes out.
//!
//! A tool for developers and for `tests/lit`; its flags may change. Every graph is verified against its form after
//! every pass. Start reading at [`passes::Pass`].
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool prints")]

mod kernels;
mod passes;
mod read;

use clap::Parser;
use codegen::{HostTarget, Stage};
use graph::{Form, Graph, TextOptions};
use passes::Pass;
use rewrite::Contract;
use std::path::PathBuf;
use std::process::ExitCode;
use tensor::Dim;

/// Runs passes over a graph and prints the result.
#[derive(Parser)]
#[command(name = "tenfold-opt", version)]
pub(crate) struct Arguments {
    /// A printed graph, `-` for one on standard input, or a model (*.onnx).
    file: PathBuf,
    /// Passes, in order: canonicalize, optimize, verify=FORM, and as the last one schedule, lower-host, lower-gpu,
    /// codegen-host, ptx=sm_90a, dialect or linalg.
    #[arg(long = "pass", value_name = "PASS")]
    passes: Vec<Pass>,
    /// A dimension of a model.
    #[arg(long = "dim", value_name = "NAME=DIM", value_parser = parse_dim)]
    dims: Vec<(String, Dim)>,
    /// The numerics contract of canonicalize and optimize.
    #[arg(long, default_value = "strict")]
    numerics: Contract,
    /// The host that kernels are made for: x86-64, x86-64-v2, x86-64-v3 or x86-64-v4.
    #[arg(long, default_value = "x86-64-v3", value_parser = parse_host)]
    host: HostTarget,
    /// What codegen prints: llvm-dialect, llvm-ir, optimized-llvm-ir or assembly.
    #[arg(long, default_value = "assembly", value_parser = parse_stage)]
    stage: Stage,
    /// Print where nodes come from.
    #[arg(long)]
    locs: bool,
    /// Constants of more elements are elided.
    #[arg(long, default_value = "64")]
    max_elements: usize,
}

/// Why nothing was printed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The input has a fault; the text is that of its diagnostics.
    #[error("{0}")]
    Input(String),
    /// A graph breaks the rules of its form.
    #[error("{}", .0.join("\n"))]
    Form(Vec<String>),
    /// A pass failed.
    #[error("{pass}: {message}")]
    Pass {
        /// Its name.
        pass: String,
        /// What it said.
        message: String,
    },
    /// Passes in an order that makes no sense.
    #[error("nothing can follow the pass `{0}`, which prints")]
    Order(Pass),
}

fn parse_dim(text: &str) -> Result<(String, Dim), String> {
    let (name, dim) = text.split_once('=').ok_or("expected NAME=DIM")?;
    Ok((name.into(), dim.parse().map_err(|e: tensor::DimSyntaxError| e.to_string())?))
}

fn parse_host(text: &str) -> Result<HostTarget, String> {
    HostTarget::level(text).map_err(|e| e.to_string())
}

fn parse_stage(text: &str) -> Result<Stage, String> {
    match text {
        "llvm-dialect" => Ok(Stage::LlvmDialect),
        "llvm-ir" => Ok(Stage::LlvmIr),
        "optimized-llvm-ir" => Ok(Stage::OptimizedLlvmIr),
        "assembly" => Ok(Stage::Assembly),
        _ => Err("expected llvm-dialect, llvm-ir, optimized-llvm-ir or assembly".into()),
    }
}

impl Arguments {
    pub(crate) fn text(&self) -> TextOptions {
        TextOptions { locs: self.locs, max_elements: self.max_elements }
    }
}

/// Refuses a graph that breaks the rules of a form.
pub(crate) fn verify(graph: &Graph, form: Form) -> Result<(), Failure> {
    let violations = graph::verify(graph, form);
    if violations.is_empty() {
        return Ok(());
    }
    Err(Failure::Form(violations.iter().map(|v| format!("error: {v}")).collect()))
}

fn run(arguments: &Arguments) -> Result<String, Failure> {
    let mut graph = read::graph(arguments)?;
    verify(&graph, Form::Imported)?;
    let mut passes = arguments.passes.iter();
    for pass in passes.by_ref() {
        match passes::run(pass, graph, arguments)? {
            passes::Done::Graph(next) => graph = next,
            passes::Done::Text(text) => {
                return if passes.len() == 0 { Ok(text) } else { Err(Failure::Order(pass.clone())) };
            }
        }
    }
    Ok(graph::to_text(&graph, arguments.text()))
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
