//! The other road: a graph as linalg, through passes of MLIR that we did not write, to an artifact that the runtime runs.
//!
//! It is an oracle (`tests/oracle.rs` compares it with the reference evaluator, operator by operator) and a peer (the
//! program `linalg-bench` compares its code with ours). No model is compiled this way.
//!
//! # Invariants
//! - Between [`tenfold_dialect::to_linalg`] and LLVM nothing but stock passes decides how a graph is computed. What this crate
//!   writes itself is around the code: an entry of the runtime's signature, and where intermediate results lie.
//! - LLVM and its options are those of our own kernels (`codegen::host_code`).
//!
//! Start reading at [`compile`], then `pipeline.rs`.

mod artifact;
mod entry;
mod pipeline;
pub mod scripts;

pub use pipeline::{Recipe, Script};

use codegen::{HostTarget, Source};
use graph::Graph;
use mlir::Session;
use tenfold_dialect::linalg::{Functions, Linalg, NoLinalg, Results};

/// Why a graph could not go this road.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nodes without a linalg form.
    #[error(transparent)]
    NoLinalg(#[from] NoLinalg),
    /// A pass failed.
    #[error(transparent)]
    Mlir(#[from] mlir::MlirError),
    /// LLVM failed.
    #[error(transparent)]
    Codegen(#[from] codegen::Error),
}

/// A compiled graph, and the text from which LLVM made it.
pub struct Compiled {
    /// What the runtime loads: one launch of one task.
    pub artifact: ::artifact::Artifact,
    /// The `llvm` dialect.
    pub text: String,
}

/// Compiles a graph for a host. Its intermediate results must fit into `scratch` bytes.
///
/// # Errors
/// [`Error`].
pub fn compile(
    graph: &Graph,
    functions: Functions,
    recipe: Recipe,
    host: &HostTarget,
    scratch: usize,
) -> Result<Compiled, Error> {
    let mut graph = graph.clone();
    graph.name = entry::INNER.into();
    let options = Linalg { functions, results: Results::Destinations, ..Linalg::default() };
    let text = tenfold_dialect::to_linalg(&graph, &options)?;
    let session = Session::new();
    let lowered = pipeline::lower(&session, &text, recipe)?;
    let text = entry::around(&graph, &lowered, scratch);
    let code = codegen::host_code(&session, Source { name: "linalg", text: &text }, host)?;
    Ok(Compiled { artifact: artifact::of(&graph, &code, host, scratch), text })
}
