//! Why one node could not be imported.

use graph::BuildError;
use std::collections::BTreeSet;

/// Compile-time values that would make an import possible, as far as the user can give them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Graph inputs whose values must be frozen to constants ([`crate::Options::freeze`]).
    pub inputs: BTreeSet<String>,
    /// Symbols that must be numbers ([`crate::Options::dims`]).
    pub dims: BTreeSet<String>,
    /// Graph inputs whose rank must be told ([`crate::Options::shapes`]).
    pub shapes: BTreeSet<String>,
}

impl Needs {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.dims.is_empty() && self.shapes.is_empty()
    }

    pub(crate) fn extend(&mut self, other: &Needs) {
        self.inputs.extend(other.inputs.iter().cloned());
        self.dims.extend(other.dims.iter().cloned());
        self.shapes.extend(other.shapes.iter().cloned());
    }
}

/// Why one node could not be imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ImportError {
    /// Valid, but not something that this compiler does.
    Unsupported(String),
    /// Against the standard.
    Bad(String),
    /// A value is needed at compile time that the model computes at run time.
    NeedsConstant { what: String, needs: Needs },
    /// Operands of the wrong type or shape.
    Type(BuildError),
    /// A tensor attribute whose external data cannot be had.
    External(String),
    /// Larger than a limit of size.
    Limit(String),
    /// Diagnostics for it exist already, such as those of a subgraph's nodes.
    Reported,
}

impl From<BuildError> for ImportError {
    fn from(error: BuildError) -> Self {
        ImportError::Type(error)
    }
}

impl From<crate::tensors::TensorFault> for ImportError {
    fn from(fault: crate::tensors::TensorFault) -> Self {
        use crate::tensors::TensorFault;
        match &fault {
            TensorFault::Unsupported(_) => ImportError::Unsupported(fault.to_string()),
            TensorFault::Bad(_) => ImportError::Bad(fault.to_string()),
            TensorFault::External(_) => ImportError::External(fault.to_string()),
        }
    }
}

/// `Err(Unsupported)` with a formatted reason.
pub(crate) fn unsupported<T>(reason: impl Into<String>) -> Result<T, ImportError> {
    Err(ImportError::Unsupported(reason.into()))
}

/// `Err(Bad)` with a formatted reason.
pub(crate) fn bad<T>(reason: impl Into<String>) -> Result<T, ImportError> {
    Err(ImportError::Bad(reason.into()))
}
