//! A PTX machine on the CPU: runs the very text that kernels are emitted as, and says what is wrong with them.
//!
//! # Invariants
//! - An instruction, modifier or type that is not known is an [`Error`] that names it and its line; nothing is skipped.
//! - Every access is checked for bounds and alignment. Whatever a kernel does ends in an [`Error`] with its thread and line,
//!   never in a crash; addresses are numbers and never followed.
//! - Deterministic: the same text, inputs and [`Options`] give the same results, in the same order of events.
//! - No `unsafe` but what the trait `Stream` of the runtime asks for.
//!
//! # How it works
//! `text` parses; `decode` makes operations of statements, most of them a function on rows: the registers of all 32 lanes of a
//! warp; `exec` runs warps. Threads of a warp that are at the same instruction run together (`exec::warp`); barriers are in
//! `exec::barrier`. Launches, blocks and clusters run one after the other, warps of a cluster in turns that the seed changes.
//! Results of approximate instructions (`ex2.approx` and so on) are better than those of GPUs: they are computed in `f64`.
//!
//! Start reading at [`Machine`], then `exec::run` and `exec::warp`. [`Sim`] is the device of the runtime.

mod code;
mod decode;
mod device;
mod error;
mod exec;
mod float;
mod machine;
mod memory;
mod row;
#[cfg(test)]
mod tests;
mod text;
mod ty;

pub use device::Sim;
pub use error::{Error, Fault, FaultKind};
pub use exec::{Counts, Options, Swizzle, TensorMap};
pub use machine::{Grid, Machine, ModuleId};
