//! Which indices from data have to be looked at before a node selects by them, and which are known to be in range.

use crate::bounds::{Bounds, Elements, Limit, keeps_values};
use graph::{Graph, Node, ValueId};
use ops::Op;
use std::collections::BTreeSet;
use tensor::{Dim, Tensor};

/// What must hold before a node selects by indices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexCheck {
    /// The node, as a position in the graph's node list.
    pub node: usize,
    /// The axis of its first operand that the first index of each tuple selects from.
    pub axis: usize,
    /// What is known of the indices.
    pub claim: IndexClaim,
}

/// What must hold of indices. An index `i` of an axis of size `n` has `-n <= i < n`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexClaim {
    /// Each element `i` is an index of the axis of size `sizes[i % sizes.len()]`. Only a run can tell.
    Elements {
        /// The value in memory that holds the elements: the node's own operand, or what has the same elements in the same order.
        indices: ValueId,
        /// Sizes of the axes.
        sizes: Vec<Dim>,
    },
    /// The smallest and the largest index are known; so this is about shapes only.
    Extremes {
        /// Position of the index in its tuple.
        column: usize,
        /// The smallest index.
        low: Dim,
        /// The largest index.
        high: Dim,
        /// Size of the axis.
        size: Dim,
    },
}

/// The indices of a node: the operand, the first axis that they select from, and the sizes of the axes.
pub fn selection<'g>(graph: &'g Graph, node: &Node) -> Option<(ValueId, usize, &'g [Dim])> {
    let shape = |k: usize| &graph.ty(node.inputs[k]).shape[..];
    let tuples = |first: usize| {
        let depth = shape(1).last().and_then(Dim::as_const).and_then(|d| usize::try_from(d).ok()).unwrap_or(0);
        (node.inputs[1], first, &shape(0)[first..first + depth])
    };
    match &node.op {
        Op::Gather(ops::Gather { axis })
        | Op::GatherElements(ops::GatherElements { axis })
        | Op::ScatterElements(ops::ScatterElements { axis, .. }) => {
            Some((node.inputs[1], *axis, &shape(0)[*axis..=*axis]))
        }
        Op::GatherNd(op) => Some(tuples(op.batch_dims)),
        Op::ScatterNd(_) => Some(tuples(0)),
        _ => None,
    }
}

/// The checks of a graph, in the order of its nodes; the same elements are looked at once for the same sizes.
pub(crate) fn checks(bounds: &Bounds) -> Vec<IndexCheck> {
    let mut known = BTreeSet::new();
    let mut all = vec![];
    for (node, found) in bounds.graph.nodes.iter().enumerate() {
        let Some((operand, axis, sizes)) = selection(bounds.graph, found) else { continue };
        let check = |claim| IndexCheck { node, axis, claim };
        match by_shapes(bounds, operand, sizes) {
            Some(claims) => all.extend(claims.into_iter().map(check)),
            None => {
                let (indices, sizes) = (source(bounds, operand), sizes.to_vec());
                if known.insert((indices, sizes.clone())) {
                    all.push(check(IndexClaim::Elements { indices, sizes }));
                }
            }
        }
    }
    all
}

/// Values whose elements are looked at, so that they must be in memory.
pub(crate) fn stored(checks: &[IndexCheck]) -> BTreeSet<ValueId> {
    let value = |check: &IndexCheck| match &check.claim {
        IndexClaim::Elements { indices, .. } => Some(*indices),
        IndexClaim::Extremes { .. } => None,
    };
    checks.iter().filter_map(value).collect()
}

/// What is left to check if shapes decide; `None` if elements have to be looked at.
fn by_shapes(bounds: &Bounds, indices: ValueId, sizes: &[Dim]) -> Option<Vec<IndexClaim>> {
    let mut claims = vec![];
    for (column, size) in sizes.iter().enumerate() {
        let of = Elements { value: indices, column: (sizes.len() > 1).then_some(column) };
        let claim = |low: Dim, high: Dim| IndexClaim::Extremes { column, low, high, size: size.clone() };
        if !bounds.keeps(of, &Limit::High(size.clone() - 1.into())) {
            let (low, high) = bounds.extremes(of)?;
            claims.push(claim(low, high));
        } else if bounds.keeps(of, &Limit::Low(-size.clone())) {
        } else if bounds.keeps(of, &Limit::Low((-1).into())) {
            // What is limited to `n - 1` is -1 where the axis is empty.
            claims.push(claim(0.into(), 0.into()));
        } else {
            let (low, high) = bounds.extremes(of)?;
            claims.push(claim(low, high));
        }
    }
    Some(claims)
}

/// The value that has the same elements in the same order, and is in memory anyway or computed from more.
fn source(bounds: &Bounds, mut value: ValueId) -> ValueId {
    while let Some(node) = bounds.producer(value) {
        let same = match &node.op {
            Op::Reshape(_) => true,
            Op::Cast(_) => keeps_values(bounds.graph.ty(node.inputs[0]).dtype, bounds.graph.ty(value).dtype),
            _ => false,
        };
        if !same {
            break;
        }
        value = node.inputs[0];
    }
    value
}

/// The first element of constant indices that is outside, if sizes are known too; for messages.
pub fn first_bad(graph: &Graph, check: &IndexCheck) -> Option<tensor::BadIndex> {
    let (operand, axis, sizes) = selection(graph, &graph.nodes[check.node])?;
    let sizes = sizes.iter().map(Dim::as_const).collect::<Option<Vec<i64>>>()?;
    let tensor: &Tensor = graph.constant(operand)?;
    tensor::check_indices(tensor, axis, &sizes).err()
}
