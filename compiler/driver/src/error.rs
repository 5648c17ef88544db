//! Why a compile failed.

use diag::Diagnostic;
use import_onnx::Needs;
use std::path::PathBuf;

/// Why a compile failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The model has faults, or parts that are not supported.
    #[error("{}", render(.diagnostics))]
    Model {
        /// All of them.
        diagnostics: Vec<Diagnostic>,
        /// What could be given for a second try, where compile-time values are missing.
        needs: Needs,
    },
    /// A file could not be read or written.
    #[error("cannot {verb} {}: {reason}", .path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Others could put code into the folder of a cache.
    #[error("the cache folder {} is not trusted: {reason}; it holds code that will run", .path.display())]
    Untrusted {
        /// The folder, or the one above it that is at fault.
        path: PathBuf,
        /// Who could.
        reason: String,
    },
    /// A target's name is not known.
    #[error("unknown target `{0}`: a target is `host`, `host:x86-64-v3` or `nvptx:sm_90a`")]
    Target(String),
    /// A dimension that the model does not have, or that cannot be as asked for.
    #[error("{0}")]
    Dimension(String),
    /// The time was not enough; see [`Deadline`](crate::Deadline).
    #[error("{0}")]
    Limit(String),
    /// Phases that cannot be asked for in this order, or a form that cannot be read back.
    #[error("cannot go from `{from}` to `{to}`: {reason}")]
    Order {
        /// The first phase.
        from: &'static str,
        /// The last phase.
        to: &'static str,
        /// Why, and what can be done instead.
        reason: &'static str,
    },
    /// A text of kernels has a fault.
    #[error("{file}: {message}")]
    Kernels {
        /// The text.
        file: String,
        /// What is wrong.
        message: String,
    },
    /// A fault in the compiler.
    #[error("compiler bug in {phase}: {message}")]
    Bug {
        /// Where it showed.
        phase: &'static str,
        /// What happened.
        message: String,
    },
}

impl Error {
    pub(crate) fn bug(phase: &'static str, message: impl ToString) -> Error {
        Error::Bug { phase, message: message.to_string() }
    }
}

fn render(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
