//! A thin, safe layer over melior: sessions, parsing, pass pipelines and translation to LLVM IR.
//!
//! The rest of the compiler writes MLIR as text; this crate turns such text into verified IR, runs
//! named pass pipelines over it and hands the result to `codegen` as an LLVM module.
//!
//! Invariants:
//! - Nothing here prints. Every diagnostic of MLIR ends up in an [`MlirError`] or is dropped when the
//!   step succeeded; MLIR's own handler, which writes to stderr, is never reached.
//! - A [`Session`] belongs to one thread. MLIR's own threading is off, so a compile with many threads
//!   makes one session per thread, and the same text always gives the same bytes.
//! - This crate knows nothing about targets, machine code or kernels; it does not see inkwell. The LLVM
//!   context and module cross its border as untyped pointers ([`Module::translate`]).
//!
//! Start reading at [`Session`], then [`Module::lower`], then the pipelines: [`HOST_PIPELINE`],
//! [`GPU_PREPARE_PIPELINE`] and [`GPU_PIPELINE`].

mod error;
mod intrinsics;
mod module;
mod pipeline;
mod session;

pub use error::{Diagnostic, MlirError, Severity};
pub use module::{Module, Part};
pub use pipeline::{GPU_PIPELINE, GPU_PREPARE_PIPELINE, HOST_PIPELINE};
pub use session::Session;

#[cfg(test)]
mod tests;
