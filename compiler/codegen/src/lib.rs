//! MLIR text to machine code: flat host code blobs and PTX.
//!
//! The one crate that sees inkwell (LLVM). Text goes in, bytes come out; what the kernels compute is not
//! known here.
//!
//! Invariants:
//! - The same text and target give the same bytes, on any machine and with any number of threads.
//! - Strict numerics: a multiplication and an addition are never fused unless the text says so (`math.fma`,
//!   `vector.fma`, or `contract` flags on the ops). Divisions and roots round correctly on the GPU too.
//! - Features come from an explicit list in the target, never from a CPU's name, which steers
//!   scheduling only.
//! - A host blob holds no address: mapped anywhere (at its alignment) and with its import slots filled, it runs.
//! - No error of LLVM ends the process as long as LLVM reports it; see [`fatal`] for how, and what
//!   is left.
//!
//! Start reading at [`host_code`] and [`ptx`]; `flatten` makes the blob, `llvm` holds the LLVM module.

mod error;
pub mod fatal;
mod flatten;
mod host;
mod host_target;
mod llvm;
mod parallel;
mod ptx;
mod ptx_target;
mod source;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use flatten::HostCode;
pub use host::{host_code, host_code_timed, host_text};
pub use host_target::HostTarget;
pub use llvm::llvm_version;
pub use parallel::{GoOn, assembly, compile_host, compile_ptx};
pub use ptx::{ptx, ptx_text};
pub use ptx_target::PtxTarget;
pub use source::{Phases, Source, Stage};
