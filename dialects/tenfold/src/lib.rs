//! Graphs as MLIR: as modules of the `tenfold` dialect, whose definition is printed from `ops`, and as linalg on tensors.
//!
//! The dialect exists for reading and checking: MLIR's own tools can parse, verify, compare and reduce what a graph says.
//! Kernels do not pass through it; see `docs/ARCHITECTURE.md`.
//!
//! # Invariants
//! - Nothing about an operator is written down here but the names of its operands: [`definition`] asks `ops` for the rest, and
//!   the committed [`IRDL`] equals it (tested).
//! - What [`to_mlir`] prints is accepted by MLIR's verifier once [`load`] was called on the session.
//! - A list of operands or results whose length is free is one `tuple`, because IRDL gives all values of a list the same type.
//!
//! Start reading at [`to_mlir`], then `schema.rs`; [`linalg`] is a form of its own.

mod attribute;
mod definition;
pub mod linalg;
mod literal;
mod location;
mod operands;
mod print;
mod schema;
#[cfg(test)]
mod tests;

pub use definition::definition;
pub use linalg::to_linalg;
pub use print::to_mlir;

use mlir::{MlirError, Session};

/// The committed definition of the dialect, `tenfold.irdl.mlir`.
pub const IRDL: &str = include_str!("../tenfold.irdl.mlir");

/// Adds the dialect to a session.
///
/// # Errors
/// [`MlirError::Irdl`] when MLIR refuses the definition.
pub fn load(session: &Session) -> Result<(), MlirError> {
    session.load_irdl(IRDL)
}
