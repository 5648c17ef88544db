//! Limits of a run: memory and time.

use crate::Error;
use std::time::{Duration, Instant};

/// What a run may use. The default is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of the weights, and of the arena, outputs, buffers and the host threads' scratch memory that a run holds
    /// at once. What is planned is refused before anything is allocated, what depends on data when it is needed. Inputs
    /// do not count (but for their copies in the arena of a device with memory of its own), nor do code and temporaries
    /// of host operators. Runs at the same time each have this limit.
    pub memory: Option<usize>,
    /// Most time of one run. It is looked at before each step of the program: a kernel is not interrupted, and a device
    /// that works on its own may still have kernels to finish.
    pub time: Option<Duration>,
}

impl Limits {
    /// Fails if so many bytes are too many; `what` they are for.
    pub(crate) fn check_memory(&self, bytes: usize, what: impl FnOnce() -> String) -> Result<(), Error> {
        match self.memory {
            Some(limit) if bytes > limit => Err(Error::Limit(format!(
                "the run needs {} of memory ({}), {} more than the limit of {}",
                mebibytes(bytes),
                what(),
                mebibytes(bytes - limit),
                mebibytes(limit)
            ))),
            _ => Ok(()),
        }
    }

    /// The clock of a run that starts now.
    pub(crate) fn clock(&self) -> Clock {
        // A limit that no clock can count up to is none.
        Clock(self.time.and_then(|limit| Some((Instant::now().checked_add(limit)?, limit))))
    }
}

/// When a run must have ended.
#[derive(Clone, Copy)]
pub(crate) struct Clock(Option<(Instant, Duration)>);

impl Clock {
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.0 {
            Some((end, limit)) if Instant::now() >= end => {
                Err(Error::Limit(format!("the run took longer than its limit of {:.3} s", limit.as_secs_f64())))
            }
            _ => Ok(()),
        }
    }
}

/// A size for people.
pub(crate) fn mebibytes(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..0x10_0000 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    }
}
