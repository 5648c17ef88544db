//! ONNX models into graphs: the only crate that knows protobuf.
//!
//! [`parse`] decodes a file, [`import`] turns the model into a [`graph::Graph`]. One function per operator, in
//! `families/`, says what the operator means in terms of the closed operator set; all differences between opset
//! versions are inside these functions.
//!
//! # Invariants
//! - No file access: external weights come through [`ExternalData`], after their path was checked.
//! - Weights are shared with the bytes given to [`parse`], not copied, where they are aligned.
//! - Whatever the bytes are, the result is a graph or diagnostics, never a panic.
//! - All unsupported nodes are reported, not only the first.
//! - Types and shapes are inferred by the builder; the file's own annotations are only hints.
//!
//! Start reading at `import.rs`, then `cx.rs`, then any file in `families/`.

mod attrs;
mod cx;
mod env;
mod error;
mod external;
mod families;
mod import;
mod inline;
mod model;
mod nodes;
mod order;
mod origins;
pub mod proto;
mod region;
mod registry;
mod report;
mod sparse;
mod tensors;

pub use error::Needs;
pub use external::{ExternalData, is_inside};
pub use import::{Failed, Imported, NEWEST_OPSET, Options, import, is_dim_name};
pub use model::{Model, parse};
pub use registry::{Supported, Unsupported, standard, supported, unsupported};
pub use tensors::{TensorFault, code_of, decode, dtype_of, tensor_from_pb, tensor_to_pb, to_proto};
