//! Why a model could not be loaded or run.

/// Why a model could not be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The artifact cannot be read.
    #[error(transparent)]
    Artifact(#[from] artifact::Error),
    /// The device cannot load or run it.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The given tensors are not what the model takes.
    #[error("{0}")]
    Input(String),
    /// A fact about shapes, which could only be checked while running, does not hold; or an operator got bad values.
    #[error("{0}")]
    Check(String),
    /// A limit of memory or time is passed; see [`Limits`](crate::Limits).
    #[error("{0}")]
    Limit(String),
    /// The program contradicts itself: a bug of the compiler that wrote the artifact.
    #[error("compiler bug: the artifact's program is wrong: {0}")]
    Program(String),
}

/// Why a device cannot do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The device, its driver or its library is not there.
    #[error("{device} is not available: {why}")]
    Missing {
        /// Which device.
        device: String,
        /// What is missing.
        why: String,
    },
    /// The artifact holds nothing that the device can run.
    #[error("{device} cannot run this artifact: it was compiled for {}; the device needs {needs}", list(has))]
    NoVariant {
        /// Which device.
        device: String,
        /// What it could run.
        needs: String,
        /// What the artifact has.
        has: Vec<String>,
    },
    /// Not enough memory.
    #[error("{device} has no {bytes} bytes of memory left for {purpose}{}", room(*free))]
    OutOfMemory {
        /// Which device.
        device: String,
        /// Bytes asked for.
        bytes: usize,
        /// What they would have been for.
        purpose: String,
        /// Bytes that are free, and all that the device has, if it says so.
        free: Option<(usize, usize)>,
    },
    /// The device is lost: something went wrong after which it does no more work for this process. Whatever was in its memory is
    /// gone.
    #[error("{device} is lost: {why}")]
    Lost {
        /// Which device.
        device: String,
        /// What happened.
        why: String,
    },
    /// Anything else.
    #[error("{device}: {why}")]
    Failed {
        /// Which device.
        device: String,
        /// What happened.
        why: String,
    },
}

fn room(free: Option<(usize, usize)>) -> String {
    free.map_or(String::new(), |(free, all)| format!(": {free} of its {all} bytes are free"))
}

fn list(targets: &[String]) -> String {
    if targets.is_empty() { "no target at all".into() } else { targets.join(", ") }
}
