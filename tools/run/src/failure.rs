//! Errors with the exit codes that scripts rely on.

use runtime::Error;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A file or a value that the user gave is wrong.
    #[error("{0}")]
    Input(String),
    /// The runtime refused.
    #[error(transparent)]
    Run(#[from] Error),
}

impl From<runtime::DeviceError> for Failure {
    fn from(error: runtime::DeviceError) -> Self {
        Failure::Run(error.into())
    }
}

impl Failure {
    /// The exit code: 2 usage, 3 bad input, 5 our bug, 6 device, 7 limit.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage(_) => 2,
            Failure::Input(_) | Failure::Run(Error::Artifact(_) | Error::Input(_) | Error::Check(_)) => 3,
            Failure::Run(Error::Program(_)) => 5,
            Failure::Run(Error::Device(_)) => 6,
            Failure::Run(Error::Limit(_)) => 7,
        }
    }
}
