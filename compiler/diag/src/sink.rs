//! Where diagnostics are collected.

use crate::{Diagnostic, Severity};

/// Proof that at least one error has been reported into a [`Sink`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported(());

/// Collects diagnostics, so that all faults are told and not the first only.
#[derive(Clone, Debug, Default)]
pub struct Sink {
    diagnostics: Vec<Diagnostic>,
}

impl Sink {
    /// An empty sink.
    pub fn new() -> Self {
        Sink::default()
    }

    /// Adds an error and returns the proof.
    pub fn report(&mut self, diagnostic: Diagnostic) -> Reported {
        self.diagnostics.push(diagnostic);
        Reported(())
    }

    /// Adds a warning.
    pub fn warn(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Everything collected so far, in order.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// The proof, if any error has been reported.
    pub fn check(&self) -> Result<(), Reported> {
        match self.diagnostics.iter().any(|d| d.severity == Severity::Error) {
            true => Err(Reported(())),
            false => Ok(()),
        }
    }
}
