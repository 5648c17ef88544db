//! Errors with the exit codes that scripts rely on.

use diag::{Code, Diagnostic, Severity};

/// Why a command failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// A difference was found or a test failed; the verb has told everything.
    #[error("{0}")]
    Difference(String),
    /// The command cannot be meant like this.
    #[error("{0}")]
    Usage(String),
    /// A file or a value that the user gave is wrong.
    #[error("{0}")]
    Input(String),
    /// Valid, but not something that Tenfold does.
    #[error("{0}")]
    Unsupported(String),
    /// A fault of ours.
    #[error("{0}")]
    Bug(String),
    /// The device, its driver or its memory.
    #[error("{0}")]
    Device(String),
    /// A limit of size, time or depth.
    #[error("{0}")]
    Limit(String),
}

impl Failure {
    /// 1 difference or failed test, 2 usage, 3 bad input, 4 unsupported, 5 our bug, 6 device, 7 limit.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Difference(_) => 1,
            Failure::Usage(_) => 2,
            Failure::Input(_) => 3,
            Failure::Unsupported(_) => 4,
            Failure::Bug(_) => 5,
            Failure::Device(_) => 6,
            Failure::Limit(_) => 7,
        }
    }

    /// The failure that a model's diagnostics amount to: a bad file before a limit before what is not supported.
    pub(crate) fn of_diagnostics(diagnostics: &[Diagnostic]) -> Failure {
        let text = diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let errors = || diagnostics.iter().filter(|d| d.severity == Severity::Error).map(|d| d.code);
        let is_lacking = |code| matches!(code, Code::Unsupported | Code::NeedsConstant);
        if errors().any(|code| !is_lacking(code) && code != Code::Limit) {
            Failure::Input(text)
        } else if errors().any(|code| code == Code::Limit) {
            Failure::Limit(text)
        } else {
            Failure::Unsupported(text)
        }
    }
}

impl From<driver::Error> for Failure {
    fn from(error: driver::Error) -> Self {
        use driver::Error;
        match &error {
            Error::Model { diagnostics, .. } => Failure::of_diagnostics(diagnostics),
            Error::File { .. } | Error::Kernels { .. } | Error::Untrusted { .. } => Failure::Input(error.to_string()),
            Error::Target(_) | Error::Order { .. } => Failure::Usage(error.to_string()),
            Error::Dimension(_) => Failure::Input(error.to_string()),
            Error::Limit(_) => Failure::Limit(error.to_string()),
            Error::Bug { .. } => Failure::Bug(error.to_string()),
        }
    }
}

impl From<runtime::Error> for Failure {
    fn from(error: runtime::Error) -> Self {
        use runtime::Error;
        match &error {
            Error::Artifact(_) | Error::Input(_) | Error::Check(_) => Failure::Input(error.to_string()),
            Error::Device(_) => Failure::Device(error.to_string()),
            Error::Limit(_) => Failure::Limit(error.to_string()),
            Error::Program(_) => Failure::Bug(error.to_string()),
        }
    }
}

impl From<runtime::DeviceError> for Failure {
    fn from(error: runtime::DeviceError) -> Self {
        Failure::Device(error.to_string())
    }
}

impl From<tenfold_run::Failure> for Failure {
    fn from(failure: tenfold_run::Failure) -> Self {
        match failure {
            tenfold_run::Failure::Usage(text) => Failure::Usage(text),
            tenfold_run::Failure::Input(text) => Failure::Input(text),
            tenfold_run::Failure::Run(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use diag::Loc;

    #[test]
    fn the_gravest_kind_of_diagnostic_decides() {
        let of = |codes: &[Code]| {
            let all: Vec<_> = codes.iter().map(|code| Diagnostic::error(*code, Loc::Unknown, "x")).collect();
            Failure::of_diagnostics(&all).exit_code()
        };
        assert_eq!(of(&[Code::Unsupported, Code::NeedsConstant]), 4);
        assert_eq!(of(&[Code::Unsupported, Code::Limit]), 7);
        assert_eq!(of(&[Code::Unsupported, Code::Limit, Code::Type]), 3);
        let warned = [
            Diagnostic::warning(Code::BadFile, Loc::Unknown, "old"),
            Diagnostic::error(Code::Unsupported, Loc::Unknown, "x"),
        ];
        assert_eq!(Failure::of_diagnostics(&warned).exit_code(), 4);
    }
}
