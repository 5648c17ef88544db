//! What goes into a compile, and the views on its way.

use std::fmt;
use std::time::Duration;

/// One module of MLIR text with a name for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// Stands for the text in error messages; no part of the output.
    pub name: &'a str,
    /// The text.
    pub text: &'a str,
}

impl<'a> From<&'a str> for Source<'a> {
    fn from(text: &'a str) -> Self {
        Self { name: "kernel", text }
    }
}

impl<'a> From<&'a String> for Source<'a> {
    fn from(text: &'a String) -> Self {
        Self::from(text.as_str())
    }
}

/// A point of the compile at which the code can be looked at as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// MLIR after the pass pipeline: the `llvm` (and `nvvm`) dialect.
    LlvmDialect,
    /// LLVM IR as translated, with the target's attributes.
    LlvmIr,
    /// LLVM IR after optimisation.
    OptimizedLlvmIr,
    /// Assembly text (PTX for a GPU).
    Assembly,
}

/// Where the time of one compile went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Parsing and verifying the text.
    pub parse: Duration,
    /// The MLIR pipeline.
    pub passes: Duration,
    /// MLIR to LLVM IR.
    pub translate: Duration,
    /// Making the target machine.
    pub target: Duration,
    /// The optimiser.
    pub optimize: Duration,
    /// Instruction selection to object file or assembly.
    pub emit: Duration,
    /// Object file to blob.
    pub flatten: Duration,
}

impl Phases {
    /// The sum of all phases.
    pub fn total(&self) -> Duration {
        self.parse + self.passes + self.translate + self.target + self.optimize + self.emit + self.flatten
    }
}

impl fmt::Display for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "parse {:?}, passes {:?}, translate {:?}, target {:?}, optimize {:?}, emit {:?}, flatten {:?}",
            self.parse, self.passes, self.translate, self.target, self.optimize, self.emit, self.flatten
        )
    }
}

/// Runs `step` and writes how long it took to `slot`.
pub(crate) fn timed<T>(slot: &mut Duration, step: impl FnOnce() -> T) -> T {
    let start = std::time::Instant::now();
    let result = step();
    *slot = start.elapsed();
    result
}
