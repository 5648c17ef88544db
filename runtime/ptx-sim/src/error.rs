//! What can go wrong: text that is not understood, launches that cannot be, and faults of kernels.

use std::fmt;

/// Why a text could not be loaded or a kernel could not be run to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not PTX, or uses a directive that is not known.
    #[error("PTX line {line}: {why}")]
    Parse {
        /// Line of the text, from 1.
        line: u32,
        /// What is wrong.
        why: String,
    },
    /// An instruction, or a modifier of one, that the simulator does not know.
    #[error("PTX line {line}: the simulator does not know `{instruction}`: {why}")]
    Unknown {
        /// Line of the text, from 1.
        line: u32,
        /// The mnemonic with its modifiers.
        instruction: String,
        /// What about it.
        why: String,
    },
    /// The launch cannot be: no such kernel, too many threads, too much memory.
    #[error("{0}")]
    Launch(String),
    /// No memory left.
    #[error("no {0} bytes of simulated memory are left")]
    OutOfMemory(u64),
    /// A kernel did something that it must not.
    #[error("{0}")]
    Fault(Box<Fault>),
}

/// The classes of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// An access outside of every allocation.
    OutOfBounds,
    /// An address that is no multiple of the access's size.
    Misaligned,
    /// A read of memory that nobody wrote.
    Uninitialized,
    /// Two threads access the same memory without order, and one of them writes.
    Race,
    /// Memory or registers that an asynchronous operation still owns are used before the wait.
    NotWaitedFor,
    /// A barrier that not all threads reach together.
    DivergentBarrier,
    /// All threads wait.
    Deadlock,
    /// The kernel runs far longer than it can need.
    Hang,
    /// An operand with a value that the instruction does not allow.
    BadOperand,
    /// `trap`.
    Trap,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FaultKind::OutOfBounds => "out of bounds",
            FaultKind::Misaligned => "misaligned access",
            FaultKind::Uninitialized => "read of memory that nobody wrote",
            FaultKind::Race => "race",
            FaultKind::NotWaitedFor => "use before the wait",
            FaultKind::DivergentBarrier => "divergent barrier",
            FaultKind::Deadlock => "deadlock",
            FaultKind::Hang => "hang",
            FaultKind::BadOperand => "bad operand",
            FaultKind::Trap => "trap",
        })
    }
}

/// A fault of a kernel, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The class.
    pub kind: FaultKind,
    /// What happened.
    pub what: String,
    /// The `.entry`.
    pub kernel: String,
    /// `%ctaid` of the thread.
    pub ctaid: [u32; 3],
    /// `%tid` of the thread.
    pub tid: [u32; 3],
    /// Line of the PTX text, from 1.
    pub line: u32,
    /// That line.
    pub text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { kind, what, kernel, ctaid: c, tid: t, line, text } = self;
        write!(
            f,
            "kernel `{kernel}`: {kind}: {what}; thread ({}, {}, {}) of block ({}, {}, {})",
            t[0], t[1], t[2], c[0], c[1], c[2]
        )?;
        write!(f, ", PTX line {line}: {}", text.trim())
    }
}

/// A fault whose place is not known yet: what happened, and to which lane of a warp.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) kind: FaultKind,
    pub(crate) lane: usize,
    pub(crate) what: String,
}

impl Trouble {
    pub(crate) fn new(kind: FaultKind, lane: usize, what: impl Into<String>) -> Self {
        Trouble { kind, lane, what: what.into() }
    }
}
