//! What can go wrong in MLIR, with the diagnostics that say why.

use std::fmt;

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The step failed because of this.
    Error,
    /// Worth knowing, but the step went on.
    Warning,
    /// A statement of a pass about what it did.
    Remark,
    /// An addition to the diagnostic before it.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Remark => "remark",
            Self::Note => "note",
        })
    }
}

/// One message of MLIR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Where: `name:line:column` for parsed text, else MLIR's own spelling of the location.
    pub location: String,
    /// What MLIR said.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.location, self.severity, self.message)
    }
}

/// A failed step of a [`Session`](crate::Session) or [`Module`](crate::Module).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MlirError {
    /// The text is not MLIR, or MLIR that does not verify.
    #[error("cannot parse MLIR `{name}`{}", list(diagnostics))]
    Parse {
        /// The name given to the text.
        name: String,
        /// What MLIR said.
        diagnostics: Vec<Diagnostic>,
    },
    /// The text holds a NUL byte, which MLIR's parser takes for its end.
    #[error("MLIR `{name}` contains a NUL byte")]
    NulByte {
        /// The name given to the text.
        name: String,
    },
    /// The module broke a rule of one of its operations.
    #[error("MLIR `{name}` does not verify{}", list(diagnostics))]
    Verify {
        /// The name given to the text.
        name: String,
        /// What MLIR said.
        diagnostics: Vec<Diagnostic>,
    },
    /// The text of a pipeline is wrong, or names an unknown pass.
    #[error("bad pass pipeline `{pipeline}`: {message}")]
    Pipeline {
        /// The pipeline as given.
        pipeline: String,
        /// What MLIR said.
        message: String,
    },
    /// A pass failed.
    #[error("a pass failed on MLIR `{name}`{}", list(diagnostics))]
    Pass {
        /// The name given to the text.
        name: String,
        /// What MLIR said.
        diagnostics: Vec<Diagnostic>,
    },
    /// A dialect definition in IRDL could not be loaded.
    #[error("cannot load IRDL dialects{}", list(diagnostics))]
    Irdl {
        /// What MLIR said.
        diagnostics: Vec<Diagnostic>,
    },
    /// The module has something left that has no LLVM form.
    #[error("cannot translate MLIR `{name}` to LLVM IR{}", list(diagnostics))]
    Translate {
        /// The name given to the text.
        name: String,
        /// What MLIR said.
        diagnostics: Vec<Diagnostic>,
    },
    /// The module does not hold exactly one `gpu.module`.
    #[error("MLIR `{name}` has {count} gpu.module operations, not one")]
    GpuModules {
        /// The name given to the text.
        name: String,
        /// How many there are.
        count: usize,
    },
}

impl MlirError {
    /// The messages of MLIR behind this error; empty when MLIR gave none.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            Self::Parse { diagnostics, .. }
            | Self::Verify { diagnostics, .. }
            | Self::Pass { diagnostics, .. }
            | Self::Irdl { diagnostics }
            | Self::Translate { diagnostics, .. } => diagnostics,
            Self::NulByte { .. } | Self::Pipeline { .. } | Self::GpuModules { .. } => &[],
        }
    }
}

fn list(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|d| format!("\n  {d}")).collect()
}
