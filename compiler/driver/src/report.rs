//! What happened in a compile.

use crate::Phase;
use std::time::Duration;

/// How long a phase took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The phase.
    pub phase: Phase,
    /// Wall time.
    pub time: Duration,
}

/// What a cache was good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheUse {
    /// Kernels whose code was there.
    pub hits: usize,
    /// Kernels that were compiled; 0 without a cache.
    pub misses: usize,
    /// Why nothing could be kept, if something should have been.
    pub problem: Option<String>,
}

/// What happened in a compile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Nodes of the imported graph.
    pub nodes_imported: usize,
    /// Nodes after canonicalization.
    pub nodes_canonical: usize,
    /// Nodes after equality saturation.
    pub nodes_optimized: usize,
    /// Launches in the program, and different kernels among them, for each target.
    pub kernels: Vec<(String, usize, usize)>,
    /// The template that each kernel was written from: target, kernel, template with its schedule.
    pub templates: Vec<(String, String, String)>,
    /// What the cache was good for.
    pub cache: CacheUse,
    /// Time of each phase, in order.
    pub timings: Vec<Timing>,
    /// Nodes of the e-graphs, all parts together.
    pub e_nodes: usize,
    /// How often each rule changed something, by name.
    pub rules: Vec<(String, usize)>,
}

impl Report {
    /// Wall time of all phases.
    pub fn total(&self) -> Duration {
        self.timings.iter().map(|timing| timing.time).sum()
    }
}
