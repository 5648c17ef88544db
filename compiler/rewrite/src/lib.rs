//! Graph to better graph: canonicalization, and equality saturation under a numerics contract.
//!
//! # Invariants
//! - Every function here is deterministic: the same graph gives the same graph, byte for byte.
//! - A rewrite whose exactness the [`Contract`] does not allow is never even looked for.
//! - Input and output names and order stay; every node keeps the locations of the nodes that it came from.
//! - What cannot be improved comes back as it was; nothing here fails on an odd graph.
//!
//! Start reading at [`canonicalize`], then [`optimize`].

mod canon;
mod contract;
mod cost;
mod egraph;
mod emit;
mod extract;
mod optimize;
mod part;
mod report;
mod rules;
mod saturate;
mod scalars;
mod shapes;
mod steps;

pub use canon::{canonicalize, canonicalize_under};
pub use contract::{Contract, Exactness, UnknownContract};
pub use cost::Cost;
pub use optimize::optimize;
pub use report::{Budget, Error, Report, Stop};
pub use rules::{RuleInfo, rules};

#[cfg(test)]
mod tests;
