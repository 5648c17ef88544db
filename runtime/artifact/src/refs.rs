//! What a step refers to, for walks that do not care which step it is.

use crate::{BlockId, Condition, DimId, Step, SymbolId, TensorMap, ViewId};

impl Step {
    /// The views that the step itself mentions; not those of nested blocks.
    pub fn views(&self) -> Vec<ViewId> {
        match self {
            Step::Launch(launch) => launch.args.clone(),
            Step::Dims { out, .. } => vec![*out],
            Step::Bind { input, .. } | Step::Indices { input, .. } => vec![*input],
            Step::Let { .. } | Step::Check { .. } => vec![],
            Step::Expect { given, expected, .. } => vec![*given, *expected],
            Step::Copy { from, to } => vec![*from, *to],
            Step::Host { inputs, outputs, .. } => [&inputs[..], outputs].concat(),
            Step::If { cond, .. } => vec![*cond],
            Step::Loop(l) => {
                let single = [l.max_trips, l.cond, l.iteration, l.cond_out].into_iter().flatten();
                let carried = l.carried.iter().flat_map(|(from, to)| [*from, *to]);
                single.chain(carried).chain(l.scans.iter().flat_map(|s| [s.slice, s.out])).collect()
            }
        }
    }

    /// The views that the step certainly writes. A launch writes some of its arguments; which is not recorded.
    pub fn writes(&self) -> Vec<ViewId> {
        match self {
            Step::Dims { out, .. } => vec![*out],
            Step::Copy { to, .. } => vec![*to],
            Step::Host { outputs, .. } => outputs.clone(),
            Step::Loop(l) => {
                let carried = l.carried.iter().map(|(_, to)| *to);
                l.iteration.into_iter().chain(carried).chain(l.scans.iter().map(|s| s.out)).collect()
            }
            Step::Launch(_) | Step::Bind { .. } | Step::Let { .. } => vec![],
            Step::Check { .. } | Step::Indices { .. } | Step::Expect { .. } | Step::If { .. } => vec![],
        }
    }

    /// The blocks that the step runs.
    pub fn blocks(&self) -> Vec<BlockId> {
        match self {
            Step::If { then, otherwise, .. } => vec![*then, *otherwise],
            Step::Loop(l) => vec![l.body],
            _ => vec![],
        }
    }

    /// The symbols that the step gives a value; not those of nested blocks.
    pub fn defines(&self) -> Vec<SymbolId> {
        match self {
            Step::Bind { symbols, .. } | Step::Host { symbols, .. } => symbols.clone(),
            Step::Let { symbol, .. } => vec![*symbol],
            Step::Loop(l) => l.rebind.iter().map(|(symbol, _)| *symbol).chain(l.index).chain(l.trips).collect(),
            Step::Launch(_) | Step::Dims { .. } | Step::Check { .. } | Step::Indices { .. } => vec![],
            Step::Expect { .. } | Step::Copy { .. } | Step::If { .. } => vec![],
        }
    }

    /// The expressions that the step mentions directly, not through a view.
    pub fn dims(&self) -> Vec<DimId> {
        match self {
            Step::Launch(l) => {
                let own = [l.tasks, l.scratch, l.cost, l.flops, l.bytes];
                l.dims.iter().copied().chain(own).chain(l.maps.iter().flat_map(TensorMap::dims)).collect()
            }
            Step::Dims { values, .. } | Step::Indices { sizes: values, .. } => values.clone(),
            Step::Let { value, .. } => vec![*value],
            Step::Check { condition, .. } => condition.operands().into(),
            Step::Loop(l) => l.rebind.iter().map(|(_, value)| *value).collect(),
            Step::Bind { .. } | Step::Expect { .. } | Step::Copy { .. } | Step::Host { .. } | Step::If { .. } => vec![],
        }
    }
}

impl Condition {
    /// Both operands.
    pub fn operands(self) -> [DimId; 2] {
        let (Condition::Equal(a, b)
        | Condition::AtMost(a, b)
        | Condition::MultipleOf(a, b)
        | Condition::Broadcasts(a, b)) = self;
        [a, b]
    }
}
