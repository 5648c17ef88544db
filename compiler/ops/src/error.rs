//! What can be wrong with an operator's use.

/// Operand types that break a constraint of an operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{op}: {message} ({op} {constraint}, docs/ops.md#{op})")]
pub struct TypeError {
    /// Operator name.
    pub op: &'static str,
    /// Label of the broken constraint, such as `C1`.
    pub constraint: &'static str,
    /// What is wrong, with the types that are.
    pub message: String,
}

impl TypeError {
    /// An error about one constraint.
    pub fn new(op: &'static str, constraint: &'static str, message: impl Into<String>) -> Self {
        TypeError { op, constraint, message: message.into() }
    }
}

/// Returns a [`TypeError`] unless a condition holds.
macro_rules! ensure {
    ($cond:expr, $op:expr, $label:literal, $($message:tt)+) => {
        if !$cond {
            return Err($crate::TypeError::new($op, $label, format!($($message)+)));
        }
    };
}
pub(crate) use ensure;

/// A value that an operator has no result for, met during reference evaluation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{op}: {message}")]
pub struct EvalError {
    /// Operator name.
    pub op: &'static str,
    /// What is wrong.
    pub message: String,
}

impl EvalError {
    /// An error about one value.
    pub fn new(op: &'static str, message: impl Into<String>) -> Self {
        EvalError { op, message: message.into() }
    }
}
