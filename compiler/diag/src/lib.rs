//! Where things come from and what is wrong with them: locations, diagnostics, error codes, plain-text rendering.
//!
//! # Invariants
//! - A [`Diagnostic`] is about the user's input; the world's failures and our bugs have other types.
//! - Functions that find several faults report them all into a [`Sink`] and return [`Reported`], the proof that they did.
//! - Nothing here prints; the command line decides where text goes.
//!
//! Start reading at [`Diagnostic`].

mod loc;
mod render;
mod sink;

pub use loc::Loc;
pub use sink::{Reported, Sink};

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The input cannot be used.
    Error,
    /// The input can be used, but something deserves a look.
    Warning,
}

/// The kind of fault, which decides the exit code and the page of documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// The file is not a readable model: truncated, not protobuf, missing parts. `E1001`
    BadFile,
    /// The graph contradicts itself: cycles, undefined or doubly defined values. `E1002`
    BadGraph,
    /// An operator, attribute value or element type that is not supported. `E1003`
    Unsupported,
    /// External weights are missing, too short, or point outside the model's folder. `E1004`
    ExternalData,
    /// A compile-time value is needed where the model computes it at run time. `E1005`
    NeedsConstant,
    /// Types or shapes do not fit an operator. `E2001`
    Type,
    /// Text of a graph that cannot be parsed. `E2002`
    Syntax,
    /// A constant index lies outside of the axis that it selects from. `E2003`
    Index,
    /// A limit of size, time or depth is passed. `E3001`
    Limit,
}

impl Code {
    /// Every code, for the documentation and `explain`.
    pub const ALL: [Code; 9] = [
        Code::BadFile,
        Code::BadGraph,
        Code::Unsupported,
        Code::ExternalData,
        Code::NeedsConstant,
        Code::Type,
        Code::Syntax,
        Code::Index,
        Code::Limit,
    ];

    /// The stable name, such as `E1003`.
    pub fn name(self) -> &'static str {
        match self {
            Code::BadFile => "E1001",
            Code::BadGraph => "E1002",
            Code::Unsupported => "E1003",
            Code::ExternalData => "E1004",
            Code::NeedsConstant => "E1005",
            Code::Type => "E2001",
            Code::Syntax => "E2002",
            Code::Index => "E2003",
            Code::Limit => "E3001",
        }
    }
}

/// One fault in the user's input, where it is, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of fault it is.
    pub code: Code,
    /// What is wrong, in one sentence without a final period.
    pub message: String,
    /// Where it is.
    pub loc: Loc,
    /// Further facts, one line each: types of operands, the broken rule, the way out.
    pub notes: Vec<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: Code, loc: Loc, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Error, code, message: message.into(), loc, notes: Vec::new() }
    }

    /// A warning at a place.
    pub fn warning(code: Code, loc: Loc, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, loc, message) }
    }

    /// The same with one more fact.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}
