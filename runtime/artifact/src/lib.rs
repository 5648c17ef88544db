//! The artifact: everything a runtime needs to run a compiled model, and the file that holds it.
//!
//! # Invariants
//! - An [`Artifact`] that was decoded is valid: every index is in range, every expression parses, blocks form a tree.
//! - The same artifact encodes to the same bytes.
//! - Weights are stored at multiples of 64 and are mapped, not copied.
//! - These are the only types of the workspace that are serialized.
//!
//! # Trust
//! An artifact is code. Decoding never runs it, and refuses damaged files; but whoever runs an artifact runs its machine
//! code with the rights of the process. Run only what you trust.
//!
//! Start reading at [`Artifact`], then [`Program`] and [`Step`].

mod builder;
mod dtype_text;
mod error;
mod file;
mod host_op;
mod ids;
mod io;
mod kernels;
mod manifest;
mod program;
mod refs;
mod step;
mod tensor_map;
#[cfg(test)]
mod tests;
mod text;
mod validate;

pub use builder::ProgramBuilder;
pub use error::Error;
pub use file::{FORMAT_VERSION, MAGIC};
pub use host_op::{F32, HostOp};
pub use ids::{BlockId, BufferId, CodeId, DimId, KernelId, NodeId, SymbolId, ViewId, WeightId};
pub use kernels::{HostKernel, HostUnit, Import, Kernels, PtxKernel};
pub use manifest::{Manifest, Signature, SymbolRange};
pub use program::{Buffer, Place, Port, Program, View};
pub use step::{Condition, Launch, Loop, Scan, Step};
pub use tensor_map::{MapElement, Swizzle, TensorMap};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A compiled model for one or more targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// What it is.
    pub manifest: Manifest,
    /// One program for each target.
    pub variants: Vec<Variant>,
    /// Machine code and PTX, shared by the variants.
    pub code: Vec<Bytes>,
    /// Constants, shared by the variants.
    pub weights: Vec<Weight>,
}

/// The model, compiled for one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// `host:` and the text of a host target, or `nvptx:` and an architecture such as `sm_90a`.
    pub target: String,
    /// Its kernels.
    pub kernels: Kernels,
    /// What to do.
    pub program: Program,
}

/// A constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Name in the source model, for inspection; not unique.
    pub name: String,
    /// Element type, for inspection: the layout is known only to the kernels that read it.
    pub dtype: tensor::DType,
    /// The bytes.
    pub data: Bytes,
}
