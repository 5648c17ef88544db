//! Why an artifact could not be read or written.

use std::path::{Path, PathBuf};

/// Why an artifact could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("cannot {verb} `{path}`: {source}")]
    Io {
        /// `read` or `write`.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The first bytes are not those of an artifact.
    #[error("not a tenfold artifact (it does not begin with the magic bytes)")]
    NotAnArtifact,
    /// The file was written by another version of the format.
    #[error(
        "the artifact has format version {found}, this runtime reads version {supported}; compile the model again with a matching compiler"
    )]
    Version {
        /// Version of the file.
        found: u32,
        /// Version of this crate.
        supported: u32,
    },
    /// The file is shorter than it says, or than a header.
    #[error("the artifact is cut short: {actual} bytes of {expected}")]
    Truncated {
        /// Bytes needed.
        expected: u64,
        /// Bytes present.
        actual: u64,
    },
    /// The bytes are not those that were written.
    #[error("the artifact is damaged: its {0} does not match its checksum")]
    Damaged(String),
    /// The contents make no sense. Either a damaged file with a matching checksum, or a bug of the compiler.
    #[error("the artifact is not valid: {0}")]
    Invalid(String),
}

impl Error {
    pub(crate) fn io(verb: &'static str, path: &Path, source: std::io::Error) -> Self {
        Error::Io { verb, path: path.into(), source }
    }
}
