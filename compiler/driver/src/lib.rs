//! `compile()`: a model file in, an artifact out; the phases between, their dumps and their times.
//!
//! # Invariants
//! - The only crate that sees all of the compiler, and the only one of it that opens files.
//! - Same model, same options: same bytes, on any number of threads.
//! - Faults of the user's model come out as diagnostics, all of them; nothing falls back in silence.
//!
//! - An artifact is the same with and without a [`Cache`], which is used only where the options hold one.
//! - What a phase prints to a file, the next phase reads back: see [`Start`].
//!
//! Start reading at [`compile`], then `assemble`; `printed.rs` and `kernel_text.rs` describe the printed forms.

mod assemble;
mod cache;
mod check;
mod compile;
mod emit;
mod error;
mod files;
mod inspect;
mod kernel_text;
mod options;
mod phases;
mod printed;
mod ranges;
mod report;
mod targets;
mod watch;

pub use assemble::maps::tensor_maps;
pub use cache::{Cache, CacheInfo};
pub use check::check;
pub use compile::{Compiled, Frontend, compile, compile_imported, import_model, load_model, optimize_graph};
pub use error::Error;
pub use inspect::{ModelDim, ModelInput, llvm_version};
pub use options::{Options, Phase};
pub use phases::{Start, compile_text, phase_graph, phase_text};
pub use printed::Printed;
pub use report::{CacheUse, Report, Timing};
pub use targets::Target;
pub use watch::{Deadline, Observer, Progress};
