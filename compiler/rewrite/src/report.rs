//! What optimisation was allowed to spend, and what it did.

use std::collections::BTreeMap;
use std::time::Duration;

/// Bounds on the work of optimisation. All but the deadline are counted in steps, so that results do not depend on
/// the machine's speed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Larger graphs are cut into parts of at most this many nodes.
    pub max_part: usize,
    /// Saturation of a part stops at this many e-nodes for each node that it began with, and a few more.
    pub growth: usize,
    /// Rounds of saturation.
    pub max_rounds: usize,
    /// Matches of one rule in one round.
    pub max_matches: usize,
    /// Members of one class, above which rules add no more.
    pub max_members: usize,
    /// Nodes that extraction may visit, for each part.
    pub extraction_steps: usize,
    /// No constant of more bytes is made.
    pub max_weight_bytes: usize,
    /// Saturation and extraction also stop after this time; results then depend on the machine. None by default.
    pub deadline: Option<Duration>,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            max_part: 400,
            growth: 8,
            max_rounds: 12,
            max_matches: 4000,
            max_members: 16,
            extraction_steps: 4_000_000,
            max_weight_bytes: 256 << 20,
            deadline: None,
        }
    }
}

/// Why saturation of a part ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Every rule has done what it can.
    Saturated,
    /// The rounds are used up.
    Rounds,
    /// The e-graph is as large as it may be.
    Nodes,
    /// The time is over.
    Deadline,
}

/// What optimisation did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Nodes of the graph that was given, regions included.
    pub nodes_before: usize,
    /// Nodes after canonicalization.
    pub nodes_canonical: usize,
    /// Nodes of the result.
    pub nodes_after: usize,
    /// The estimated cost of the canonical graph, in seconds.
    pub cost_before: f64,
    /// The estimated cost of the result, in seconds.
    pub cost_after: f64,
    /// E-nodes of all parts together.
    pub e_nodes: usize,
    /// E-classes of all parts together.
    pub e_classes: usize,
    /// How often each rule made two classes one.
    pub fired: BTreeMap<&'static str, usize>,
    /// How many parts ended for which reason.
    pub stops: BTreeMap<Stop, usize>,
    /// Parts whose best form could not be used, so that they stayed as they were.
    pub kept: usize,
    /// Time by stage, in order.
    pub times: Vec<(&'static str, Duration)>,
}

impl Report {
    /// Adds time to a stage.
    pub(crate) fn spend(&mut self, stage: &'static str, time: Duration) {
        match self.times.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, total)) => *total += time,
            None => self.times.push((stage, time)),
        }
    }

    /// Takes over what happened inside a region.
    pub(crate) fn absorb(&mut self, inner: Report) {
        self.e_nodes += inner.e_nodes;
        self.e_classes += inner.e_classes;
        self.kept += inner.kept;
        for (name, count) in inner.fired {
            *self.fired.entry(name).or_default() += count;
        }
        for (stop, count) in inner.stops {
            *self.stops.entry(stop).or_default() += count;
        }
        for (stage, time) in inner.times {
            self.spend(stage, time);
        }
    }
}

/// Optimisation found a contradiction: a rule is wrong. This is our bug, never the model's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule `{rule}` is unsound here: {what}")]
pub struct Error {
    /// The rule that was applied when the contradiction came up.
    pub rule: &'static str,
    /// The contradiction.
    pub what: String,
}
