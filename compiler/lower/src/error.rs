//! What cannot be lowered.

/// A region that has no kernel on a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{op} of {ty} has no kernel: {reason}")]
pub struct LowerError {
    /// Operator name.
    pub op: String,
    /// Result type.
    pub ty: String,
    /// Why.
    pub reason: String,
}
