//! Watching a compile: how far it is, and when it has to stop.

use crate::{Error, Phase};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The moment after which a compile gives up.
///
/// It is looked at between phases, between the kernels that are lowered, and between those that are emitted. What is under
/// way is not interrupted: the optimizer has its own budgets, and one kernel takes as long as it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    end: Option<Instant>,
    limit: Duration,
}

impl Deadline {
    /// So much time from now.
    pub fn after(limit: Duration) -> Self {
        // Beyond what a clock can count there is no end.
        Deadline { end: Instant::now().checked_add(limit), limit }
    }

    /// Whether it has passed.
    pub fn is_over(&self) -> bool {
        self.end.is_some_and(|end| Instant::now() >= end)
    }

    /// Time that is left; `None` if there is no end.
    pub fn left(&self) -> Option<Duration> {
        self.end.map(|end| end.saturating_duration_since(Instant::now()))
    }

    /// The time that was given.
    pub fn limit(&self) -> Duration {
        self.limit
    }
}

/// How far a compile is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The phase that is under way.
    pub phase: Phase,
    /// Kernels that the phase has done for the present target; 0 in phases that do not count.
    pub done: usize,
    /// Kernels in all; 0 where that is not known.
    pub of: usize,
}

/// Who is told of [`Progress`]; it may be called from several threads.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl Observer {
    /// Tells this function.
    pub fn new(tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Observer(Some(Arc::new(tell)))
    }

    pub(crate) fn tell(&self, phase: Phase, done: usize, of: usize) {
        if let Some(tell) = &self.0 {
            tell(Progress { phase, done, of });
        }
    }
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Observer" } else { "nobody" })
    }
}

impl crate::Options {
    /// Tells the observer that a phase is under way, and fails if there is no time for it.
    pub(crate) fn enter(&self, phase: Phase) -> Result<(), Error> {
        self.go_on(phase, 0, 0)
    }

    pub(crate) fn go_on(&self, phase: Phase, done: usize, of: usize) -> Result<(), Error> {
        self.observer.tell(phase, done, of);
        match self.deadline {
            Some(deadline) if deadline.is_over() => Err(self.late(phase, done, of)),
            _ => Ok(()),
        }
    }

    /// The error that says how far the compile came.
    pub(crate) fn late(&self, phase: Phase, done: usize, of: usize) -> Error {
        let limit = self.deadline.map_or(Duration::ZERO, |deadline| deadline.limit);
        let place = if of > 0 {
            format!("`{}`, {done} of {of} kernels done", phase.name())
        } else {
            format!("`{}`", phase.name())
        };
        Error::Limit(format!("the compile took longer than its limit of {} s (phase {place})", limit.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    #[test]
    fn deadlines_pass() {
        assert!(Deadline::after(Duration::ZERO).is_over());
        assert!(!Deadline::after(Duration::from_secs(3600)).is_over());
        assert_eq!(Deadline::after(Duration::MAX).left(), None);
        let options = Options { deadline: Some(Deadline::after(Duration::ZERO)), ..Options::default() };
        let error = options.go_on(Phase::Emit, 3, 7).unwrap_err().to_string();
        assert_eq!(error, "the compile took longer than its limit of 0 s (phase `emit`, 3 of 7 kernels done)");
        assert!(Options::default().enter(Phase::Emit).is_ok());
    }
}
