//! Attention: a contraction, something with the rows of its result, and a contraction of these rows.
//!
//! The three would be kernels of their own. As one kernel, the *scores* that the first makes and the *weights* that the rows
//! become are never in memory as a whole. Only how the three hang together decides, so any mask, scale, bias or function of a
//! score is part of it, as long as each weight is computed from scores of its own row.

use crate::class::{Class, class};
use crate::plan::Region;
use graph::{Graph, ValueId};
use ops::{Dot, Op};
use std::collections::BTreeSet;

/// The nodes of an attention, each list ascending. What is cheap may be in several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    /// The first contraction and the views that it reads through.
    pub(crate) scores: Vec<usize>,
    /// What makes weights of scores.
    pub(crate) weights: Vec<usize>,
    /// The second contraction, the views that it reads through, and what follows.
    pub(crate) product: Vec<usize>,
}

impl Parts {
    /// The contraction that makes the scores.
    pub(crate) fn first(&self) -> usize {
        self.scores.last().copied().unwrap_or_default()
    }

    /// All nodes, ascending.
    pub(crate) fn members(&self) -> Vec<usize> {
        let all: BTreeSet<usize> =
            [&self.scores, &self.weights, &self.product].into_iter().flatten().copied().collect();
        all.into_iter().collect()
    }

    /// The nodes of a kernel as those of an attention, if they hang together like one.
    pub(crate) fn of(graph: &Graph, producers: &[Option<usize>], members: &[usize]) -> Option<Parts> {
        let dots: Vec<usize> =
            members.iter().copied().filter(|idx| matches!(graph.nodes[*idx].op, Op::Dot(_))).collect();
        let (&[first, second], root) = (&dots[..], *members.last()?) else { return None };
        let weights = producers[graph.nodes[second].inputs[0].index()].filter(|idx| members.contains(idx))?;
        let reach = |from: usize, until: Option<usize>| -> Vec<usize> {
            let mut seen = BTreeSet::from([from]);
            let mut work = vec![from];
            while let Some(idx) = work.pop() {
                let operands = graph.nodes[idx].inputs.iter().filter_map(|v| producers[v.index()]);
                let inside = operands.filter(|idx| members.binary_search(idx).is_ok() && Some(*idx) != until);
                work.extend(inside.filter(|idx| seen.insert(*idx)));
            }
            seen.into_iter().collect()
        };
        let parts = Parts {
            scores: reach(first, None),
            weights: reach(weights, Some(first)),
            product: reach(root, Some(weights)),
        };
        (parts.fits(graph, second) && parts.members() == members).then_some(parts)
    }

    /// Whether a row of weights comes from a row of scores and nothing else does, and both contractions agree on axes.
    pub(crate) fn fits(&self, graph: &Graph, second: usize) -> bool {
        let first = &graph.nodes[self.first()];
        let (scores, weights) = (first.outputs[0], graph.nodes[second].inputs[0]);
        let Op::Dot(of_values) = &graph.nodes[second].op else { return false };
        let Op::Dot(of_scores) = &first.op else { return false };
        let rank = graph.ty(weights).rank();
        graph.ty(scores).shape == graph.ty(weights).shape
            && graph.nodes[second].inputs[1] != weights
            && makes_rows(graph, of_scores, first.inputs[0], first.inputs[1], rank)
            && takes_rows(of_values, graph.ty(graph.nodes[second].inputs[1]).rank(), rank)
            && self.stays_in_row(graph, scores, weights)
    }

    /// Whether weights are computed from scores at their own index, or from what is the same for a row.
    fn stays_in_row(&self, graph: &Graph, scores: ValueId, weights: ValueId) -> bool {
        let mut own = BTreeSet::from([scores]);
        for idx in &self.weights {
            let node = &graph.nodes[*idx];
            if !node.inputs.iter().any(|v| own.contains(v)) {
                continue;
            }
            match class(graph, node) {
                Class::Elementwise => own.extend(node.outputs.iter().copied()),
                // Reductions of rows; that they are such is a rule of every kernel.
                Class::Anchor => {}
                _ => return false,
            }
        }
        own.contains(&weights) && scores != weights
    }
}

/// Whether a contraction makes batches of matrices, the batch axes before one of rows and one of columns.
fn makes_rows(graph: &Graph, op: &Dot, left: ValueId, right: ValueId, rank: usize) -> bool {
    let free = |value: ValueId| graph.ty(value).rank() - op.lhs_batch.len() - op.lhs_contract.len();
    op.lhs_batch.len() + 2 == rank && free(left) == 1 && free(right) == 1
}

/// Whether a contraction takes such matrices as they are, and sums along their rows.
fn takes_rows(op: &Dot, right: usize, rank: usize) -> bool {
    right == rank && rank >= 2 && op.lhs_contract == [rank - 1] && op.lhs_batch.iter().copied().eq(0..rank - 2)
}

impl Region {
    /// The kernels that an attention would otherwise be, in order; `None` for other regions.
    pub fn parts(&self, graph: &Graph) -> Option<[Region; 3]> {
        self.scores?;
        let producers = graph.producers();
        let parts = Parts::of(graph, &producers, &self.members)?;
        let part = |members: &[usize]| {
            let result = graph.nodes[*members.last()?].outputs[0];
            Some(Region {
                members: members.to_vec(),
                anchor: None,
                rows: vec![],
                scores: None,
                result,
                store: crate::Store { value: result, part: None },
                leaves: crate::fusion::leaves(graph, &producers, members),
            })
        };
        let scores = Region { anchor: self.scores, ..part(&parts.scores)? };
        let weights = Region { rows: self.rows.clone(), ..part(&parts.weights)? };
        let product = Region { anchor: self.anchor, store: self.store.clone(), ..part(&parts.product)? };
        Some([scores, weights, product])
    }
}
