//! Graph to better graph: canonicalization, and equality saturation under a numerics contract.
//!
//! # Invariants
//! - Every function here is deterministic: the same graph gives the same graph, byte for byte.
//! - A rewrite whose exactness the [`Contract`] does not allow is never even looked for.
//! - Input and output names and order stay; every node keeps the locations of the nodes that it came from.
//! - What cannot be improved comes back as it was; nothing here fails on an odd graph.
//!
//! Start reading at [`canonicalize`].

mod canon;
mod contract;
mod scalars;
mod shapes;

pub use canon::{canonicalize, canonicalize_under};
pub use contract::{Contract, Exactness, UnknownContract};
