//! What an artifact says about itself.

use serde::{Deserialize, Serialize};
use tensor::DType;

/// What an artifact says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the compiler that wrote it.
    pub producer: String,
    /// Name of the model.
    pub model: String,
    /// The numerics contract it was compiled under, for example `strict`.
    pub numerics: String,
    /// Inputs of every variant, in order.
    pub inputs: Vec<Signature>,
    /// Outputs of every variant, in order.
    pub outputs: Vec<Signature>,
}

/// The type of an input or output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Name in the source model.
    pub name: String,
    /// Element type.
    #[serde(with = "crate::dtype_text")]
    pub dtype: DType,
    /// Extents in [`tensor::Dim`]'s text form, for example `N` or `2*N+1`.
    pub shape: Vec<String>,
}

impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}[{}]", self.name, self.dtype, self.shape.join(","))
    }
}
