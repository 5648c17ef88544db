//! What happened before what: vector clocks of streams.

use crate::driver::Handle;
use std::collections::BTreeMap;

/// So much of each stream's work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock(BTreeMap<Handle, u64>);

/// A piece of work: which of its stream's it is, and what happened before it, itself included.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) stream: Handle,
    pub(crate) number: u64,
    pub(crate) clock: Clock,
}

impl Clock {
    pub(crate) fn join(&mut self, other: &Clock) {
        for (stream, number) in &other.0 {
            let known = self.0.entry(*stream).or_default();
            *known = (*known).max(*number);
        }
    }

    pub(crate) fn covers(&self, other: &Clock) -> bool {
        other.0.iter().all(|(stream, number)| self.knows(*stream, *number))
    }

    pub(crate) fn knows(&self, stream: Handle, number: u64) -> bool {
        self.0.get(&stream).copied().unwrap_or(0) >= number
    }

    /// The next piece of a stream's work.
    pub(crate) fn step(&mut self, stream: Handle) -> Moment {
        let number = self.0.entry(stream).or_default();
        *number += 1;
        let number = *number;
        Moment { stream, number, clock: self.clone() }
    }
}
