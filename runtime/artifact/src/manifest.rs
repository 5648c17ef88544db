//! What an artifact says about itself.

use serde::{Deserialize, Serialize};
use tensor::{DType, Range};

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
    /// Ranges of symbols that the programs rely on; a runtime checks them before it runs anything.
    pub ranges: Vec<SymbolRange>,
}

/// The values of a symbol that an artifact was compiled for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SymbolRange {
    /// The symbol: an extent of an input is nothing but it.
    pub symbol: String,
    /// The name of the dimension in the source model.
    pub name: String,
    /// The smallest value.
    pub low: i64,
    /// The largest value, if there is one.
    pub high: Option<i64>,
    /// Whether the compiler assumed it because nothing was said, rather than being told.
    pub is_assumed: bool,
}

impl SymbolRange {
    /// The range.
    pub fn range(&self) -> Range {
        Range { low: self.low, high: self.high }
    }
}

impl std::fmt::Display for SymbolRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let why = if self.is_assumed { " (assumed)" } else { "" };
        write!(f, "{} in {}{why}", self.name, self.range())
    }
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
