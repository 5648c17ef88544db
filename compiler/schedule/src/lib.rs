//! The plan: which nodes share a kernel, which values live in memory, and in which order things run.
//!
//! # Invariants
//! - Pure data in and out: no MLIR, no target details beyond [`class`](Class).
//! - Every node is computed by exactly one step, or (if cheap) inside every kernel that reads it; nothing is lost.
//! - A kernel has at most one anchor (reduction, contraction, window), and evaluates it once for each result element;
//!   or it has reductions of its rows, and evaluates each once for each row; or both, between two contractions: attention.
//! - Steps stand in an order in which they can run; they name nodes and values of the graph that the plan is for.
//! - Indices from data are in range by proof, or a step looks at them before they are used.
//! - A plan can be printed and read back; one that was read keeps the same rules, or is refused ([`verify`]).
//!
//! Start reading at [`plan`], then `fusion.rs`; the printed form is described in `text.rs`.

mod attention;
mod bounds;
mod class;
mod collapse;
mod decode;
mod fusion;
mod indices;
mod parse;
mod plan;
mod rows;
mod strided;
#[cfg(test)]
mod tests;
mod text;
mod verify;

pub use class::{Class, class, is_cheap, is_unit_reshape};
pub use collapse::{Groups, broadcast_strides, collapse};
pub use decode::{Decode, Numbers, Shared};
pub use indices::{IndexCheck, IndexClaim, first_bad, selection};
pub use parse::{parse, parse_plan};
pub use plan::{Plan, Region, Step, Store, plan};
pub use strided::{Strided, row_major, strided};
pub use text::{plan_text, to_text};
pub use verify::verify;
