//! The graph: SSA values and nodes over the closed operator set, with a builder, verifier, text form and reference evaluator.
//!
//! # Invariants
//! - A [`Graph`] is plain data: no interior mutability, no MLIR, no file access.
//! - Nodes stand in an order in which every value and every symbol is defined before it is used.
//! - Regions of control flow are closed: they see only their own parameters.
//! - Every node knows where in the user's model it comes from.
//!
//! Start reading at [`Graph`], then [`Builder`].

mod builder;
mod contents;
mod evaluator;
mod graph;
mod order;
mod parse;
mod parse_attr;
mod symbols;
mod text;
mod tokens;
mod verify;

pub use builder::{BuildError, Builder};
pub use evaluator::{EvalFailure, Observer, evaluate, evaluate_with};
pub use graph::{Graph, Node, Port, ValueId, ValueInfo};
pub use order::{eliminate_dead, sort};
pub use parse::{Elided, Names, Parser, Resolver, parse, parse_with};
pub use tensor::is_non_negative;
pub use text::{TextOptions, content_hash, elided, quoted, tensor_text, to_text, value_names, word};
pub use tokens::Scanner;
pub use verify::{Form, Violation, verify};
