//! Which nodes share a kernel.
//!
//! Nodes are visited from the last to the first. A node joins the kernel of its readers if they all are in one kernel
//! and may compute it in place; a cheap node joins every kernel that reads it; any other is the root of a new kernel.
//!
//! A kernel has one anchor at most, but any number of reductions of its rows (see `rows`).

use crate::attention::Parts;
use crate::class::{Class, class, is_cheap, is_unit_reshape};
use crate::collapse::{Groups, broadcast_strides};
use crate::decode::Decode;
use crate::plan::{Region, Store, part_store};
use crate::rows;
use graph::{Graph, Node, ValueId};
use ops::{Op, UnaryKind};
use std::collections::{BTreeMap, BTreeSet};
use tensor::Dim;

/// Kernels with more nodes than this gain little and compile slowly.
const MAX_MEMBERS: usize = 48;
/// A cheap node with more readers than this is computed once and stored; what only repeats elements never is.
const MAX_COPIES: usize = 4;

struct Kernel {
    root: usize,
    members: Vec<usize>,
    anchor: Option<usize>,
    /// Members that are computed once for each result element, at its own index (but for axes of size 1).
    direct: Vec<usize>,
    /// Reductions of the rows of the result's shape.
    rows: Vec<usize>,
    /// The contraction before the rows, if the anchor is one after them.
    scores: Option<usize>,
    /// Members that are computed once for each row, at the row's own index.
    row_level: Vec<usize>,
    /// Members on the way to an anchor that reads its operands again and again; only views may be there, and what
    /// decodes an operand.
    reread: Vec<usize>,
    /// Nodes that decode the anchor's right operand, whether they are members yet or not.
    decoding: BTreeSet<usize>,
}

/// The nodes that may be computed with a kernel: what makes each value.
type Producer<'a> = &'a dyn Fn(ValueId) -> Option<usize>;

impl Kernel {
    /// A kernel of one node.
    fn of(graph: &Graph, producer: Producer, root: usize) -> Kernel {
        let anchor = (class(graph, &graph.nodes[root]) == Class::Anchor).then_some(root);
        let [rows, row_level, reread] = [vec![], vec![], vec![]];
        let decoding = decoding(graph, producer, root);
        let (members, direct) = (vec![root], vec![root]);
        Kernel { root, members, anchor, direct, rows, scores: None, row_level, reread, decoding }
    }

    /// Whether a member reads its operands at the result's own index.
    fn reads_directly(&self, graph: &Graph, reader: usize) -> bool {
        self.rows.contains(&reader) || self.direct.contains(&reader) && passes_index(graph, reader)
    }

    /// Whether a member reads its operands at the index of the result's row.
    fn reads_rows(&self, graph: &Graph, reader: usize) -> bool {
        self.row_level.contains(&reader) && passes_index(graph, reader)
            || self.direct.contains(&reader) && rows::repeats(graph, reader)
    }
}

/// The nodes that decode the right operand of a node.
fn decoding(graph: &Graph, producer: Producer, idx: usize) -> BTreeSet<usize> {
    Decode::of(graph, producer, &graph.nodes[idx])
        .map(|decode| decode.members.into_iter().collect())
        .unwrap_or_default()
}

/// The result of fusion.
pub(crate) struct Fusion {
    kernels: BTreeMap<usize, Kernel>,
    /// Concatenation parts that a kernel writes in place: root node to (concatenation, operand).
    parts: BTreeMap<usize, (usize, usize)>,
    producers: Vec<Option<usize>>,
}

impl Fusion {
    pub(crate) fn is_root(&self, idx: usize) -> bool {
        self.kernels.contains_key(&idx)
    }

    pub(crate) fn writes_part(&self, concat: usize, at: usize) -> bool {
        self.parts.values().any(|part| *part == (concat, at))
    }

    /// The kernel whose root this node is.
    pub(crate) fn region(&self, graph: &Graph, root: usize) -> Option<Region> {
        let kernel = self.kernels.get(&root)?;
        let mut members = kernel.members.clone();
        members.sort_unstable();
        let result = graph.nodes[root].outputs[0];
        let leaves = leaves(graph, &self.producers, &members);
        let store = match self.parts.get(&root) {
            Some((concat, at)) => part_store(graph, *concat, *at),
            None => Store { value: result, part: None },
        };
        let mut rows = kernel.rows.clone();
        rows.sort_unstable();
        Some(Region { members, anchor: kernel.anchor, rows, scores: kernel.scores, result, store, leaves })
    }
}

/// What these nodes (ascending) read that none of them makes, in order of first use.
pub(crate) fn leaves(graph: &Graph, producers: &[Option<usize>], members: &[usize]) -> Vec<ValueId> {
    let mut leaves: Vec<ValueId> = Vec::new();
    for operand in members.iter().flat_map(|idx| &graph.nodes[*idx].inputs) {
        let inside = producers[operand.index()].is_some_and(|idx| members.binary_search(&idx).is_ok());
        if !inside && !leaves.contains(operand) {
            leaves.push(*operand);
        }
    }
    leaves
}

/// What follows for a kernel from its nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grouping {
    pub(crate) anchor: Option<usize>,
    pub(crate) rows: Vec<usize>,
    pub(crate) scores: Option<usize>,
}

/// How these nodes (ascending) are one kernel whose result is the last one's.
///
/// # Errors
/// A node that cannot be in it, and the rule that it breaks.
pub(crate) fn grouping(
    graph: &Graph,
    users: &[Vec<usize>],
    members: &[usize],
) -> Result<Grouping, (usize, &'static str)> {
    let n_dots = members.iter().filter(|idx| matches!(graph.nodes[**idx].op, Op::Dot(_))).count();
    let Some(parts) = (n_dots == 2).then(|| Parts::of(graph, &graph.producers(), members)).flatten() else {
        return grouping_of_one(graph, users, members);
    };
    grouping_of_one(graph, users, &parts.scores)?;
    let weights = grouping_of_one(graph, users, &parts.weights)?;
    let product = grouping_of_one(graph, users, &parts.product)?;
    let (first, rows) = (parts.first(), weights.rows);
    let inner = [&graph.nodes[first], &graph.nodes[parts.weights[parts.weights.len() - 1]]];
    if rows.is_empty() || inner.iter().any(|node| !is_only_inside(graph, users, node.outputs[0], members)) {
        return Err((first, "scores and weights of an attention are in no memory, and their rows are reduced"));
    }
    Ok(Grouping { anchor: product.anchor, rows, scores: Some(first) })
}

/// Whether a value is read by these nodes alone.
fn is_only_inside(graph: &Graph, users: &[Vec<usize>], value: ValueId, members: &[usize]) -> bool {
    !graph.is_output(value) && users[value.index()].iter().all(|reader| members.binary_search(reader).is_ok())
}

/// How these nodes are a kernel that is not an attention.
fn grouping_of_one(graph: &Graph, users: &[Vec<usize>], members: &[usize]) -> Result<Grouping, (usize, &'static str)> {
    let Some((root, others)) = members.split_last() else { return Ok(Grouping::default()) };
    let producer = |value: ValueId| members.iter().copied().find(|idx| graph.nodes[*idx].outputs.contains(&value));
    let mut kernel = Kernel::of(graph, &producer, *root);
    for idx in others.iter().rev() {
        let node = &graph.nodes[*idx];
        let readers = node.outputs.first().map_or(&[][..], |v| &users[v.index()]);
        if !readers.iter().any(|reader| kernel.members.contains(reader)) {
            return Err((*idx, "nothing in this kernel reads it"));
        }
        if let Some(rule) = refusal(graph, &kernel, *idx, readers) {
            return Err((*idx, rule));
        }
        join(graph, &producer, &mut kernel, *idx, readers);
    }
    let is_alone = class(graph, &graph.nodes[*root]) == Class::Alone;
    let mut rows = kernel.rows;
    rows.sort_unstable();
    Ok(Grouping { anchor: if is_alone { Some(*root) } else { kernel.anchor }, rows, scores: None })
}

/// Assigns every node that can be in a kernel to one or more. Those whose results must be `stored` are the roots of theirs.
pub(crate) fn fuse(graph: &Graph, stored: &BTreeSet<ValueId>) -> Fusion {
    let users = graph.users();
    let mut fusion = Fusion { kernels: BTreeMap::new(), parts: BTreeMap::new(), producers: graph.producers() };
    let producers = graph.producers();
    let producer = |value: ValueId| producers[value.index()].filter(|idx| is_computed(graph, &graph.nodes[*idx]));
    let all: BTreeSet<usize> = (0..graph.nodes.len()).flat_map(|idx| decoding(graph, &producer, idx)).collect();
    // For each node, the kernels that compute it.
    let mut homes: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
    for (idx, node) in graph.nodes.iter().enumerate().rev() {
        if !is_computed(graph, node) {
            continue;
        }
        let readers = &users[node.outputs[0].index()];
        let is_stored = stored.contains(&node.outputs[0]);
        let kernels = if is_stored { None } else { reader_kernels(graph, node, readers, &homes) };
        let joins = match &kernels {
            Some(kernels) if kernels.len() == 1 => may_join(graph, &fusion.kernels[&kernels[0]], idx, readers),
            Some(kernels)
                if (all.contains(&idx) || is_copied(graph, node))
                    && (kernels.len() <= MAX_COPIES || repeats(graph, node)) =>
            {
                kernels.iter().all(|root| may_join(graph, &fusion.kernels[root], idx, readers))
            }
            _ => false,
        };
        let (true, Some(kernels)) = (joins, kernels) else {
            start_kernel(graph, &producer, &mut fusion, idx, readers);
            homes[idx] = vec![idx];
            continue;
        };
        for root in &kernels {
            if let Some(kernel) = fusion.kernels.get_mut(root) {
                join(graph, &producer, kernel, idx, readers);
            }
        }
        homes[idx] = kernels;
    }
    join_attentions(graph, &users, &mut fusion);
    fusion
}

/// Makes one kernel of the three of an attention.
fn join_attentions(graph: &Graph, users: &[Vec<usize>], fusion: &mut Fusion) {
    let roots: Vec<usize> = fusion.kernels.keys().copied().collect();
    for root in roots {
        let Some((rows, scores, parts)) = attention(graph, fusion, root) else { continue };
        let members = parts.members();
        if grouping(graph, users, &members).ok().and_then(|found| found.scores).is_none() {
            continue;
        }
        let weights = fusion.kernels.remove(&rows);
        fusion.kernels.remove(&scores);
        if let (Some(kernel), Some(weights)) = (fusion.kernels.get_mut(&root), weights) {
            (kernel.members, kernel.rows, kernel.scores) = (members, weights.rows, Some(scores));
        }
    }
}

/// The roots of the kernels of weights and scores that a kernel's contraction is an attention with.
fn attention(graph: &Graph, fusion: &Fusion, root: usize) -> Option<(usize, usize, Parts)> {
    let product = &fusion.kernels[&root];
    let second = product.anchor.filter(|anchor| matches!(graph.nodes[*anchor].op, Op::Dot(_)))?;
    let rows = fusion.producers[graph.nodes[second].inputs[0].index()]?;
    let weights = fusion.kernels.get(&rows).filter(|kernel| !kernel.rows.is_empty())?;
    let sorted = |kernel: &Kernel| kernel.members.iter().copied().collect::<BTreeSet<usize>>().into_iter().collect();
    let is_whole = |root: usize| !fusion.parts.contains_key(&root);
    weights.members.iter().flat_map(|idx| &graph.nodes[*idx].inputs).find_map(|value| {
        let idx = fusion.producers[value.index()].filter(|idx| is_whole(*idx) && is_whole(rows))?;
        let is_dot = matches!(graph.nodes[idx].op, Op::Dot(_));
        let scores = fusion.kernels.get(&idx).filter(|kernel| is_dot && kernel.anchor == Some(idx))?;
        let parts = Parts { scores: sorted(scores), weights: sorted(weights), product: sorted(product) };
        parts.fits(graph, second).then_some((rows, idx, parts))
    })
}

/// The kernels of all readers, or `None` if the value must be in memory.
fn reader_kernels(graph: &Graph, node: &Node, readers: &[usize], homes: &[Vec<usize>]) -> Option<Vec<usize>> {
    let value = node.outputs[0];
    if graph.is_output(value) || readers.is_empty() {
        return None;
    }
    let mut kernels = Vec::new();
    for reader in readers {
        if homes[*reader].is_empty() {
            return None;
        }
        kernels.extend(homes[*reader].iter().copied());
    }
    kernels.sort_unstable();
    kernels.dedup();
    Some(kernels)
}

/// Whether a kernel may compute the node; constants are in memory.
fn is_computed(graph: &Graph, node: &Node) -> bool {
    matches!(class(graph, node), Class::Elementwise | Class::Movement | Class::Anchor)
}

fn start_kernel(graph: &Graph, producer: Producer, fusion: &mut Fusion, idx: usize, readers: &[usize]) {
    fusion.kernels.insert(idx, Kernel::of(graph, producer, idx));
    let value = graph.nodes[idx].outputs[0];
    let [reader] = readers else { return };
    let concat = &graph.nodes[*reader];
    let is_alias = matches!(graph.nodes[idx].op, Op::Reshape(_));
    if matches!(concat.op, Op::Concat(_))
        && !graph.is_output(value)
        && !is_alias
        && let Some(at) = concat.inputs.iter().position(|v| *v == value)
    {
        fusion.parts.insert(idx, (*reader, at));
    }
}

/// Whether a node is computed again in each of several kernels rather than stored.
fn is_copied(graph: &Graph, node: &Node) -> bool {
    let big = node.inputs.iter().filter(|v| graph.ty(**v).num_elements() == graph.ty(node.outputs[0]).num_elements());
    is_cheap(&node.op) && (matches!(node.op, Op::Broadcast(_) | Op::Iota(_) | Op::Reshape(_)) || big.count() <= 1)
}

/// Whether a node only repeats elements of something smaller.
fn repeats(graph: &Graph, node: &Node) -> bool {
    matches!(node.op, Op::Broadcast(_)) && is_view(graph, node)
}

fn may_join(graph: &Graph, kernel: &Kernel, idx: usize, readers: &[usize]) -> bool {
    refusal(graph, kernel, idx, readers).is_none()
}

/// The rule that keeps a node out of a kernel.
fn refusal(graph: &Graph, kernel: &Kernel, idx: usize, readers: &[usize]) -> Option<&'static str> {
    let node = &graph.nodes[idx];
    let inside: Vec<usize> = readers.iter().copied().filter(|r| kernel.members.contains(r)).collect();
    if kernel.members.len() >= MAX_MEMBERS {
        return Some("the kernel is full");
    }
    // A reshape as root is an alias of memory, so its operand has to be there.
    if matches!(graph.nodes[kernel.root].op, Op::Reshape(_)) {
        return Some("a reshape of it is an alias, which needs it in memory");
    }
    // What follows a contraction is computed at the result's own index, which only a broadcast of memory leaves as it is.
    if class(graph, node) == Class::Movement
        && !matches!(node.op, Op::Broadcast(_))
        && follows_tiles(graph, kernel, &inside)
    {
        return Some(
            "what follows a contraction is computed at the index of its result, so a view has to be in memory",
        );
    }
    match class(graph, node) {
        Class::Anchor => anchor_refusal(graph, kernel, idx, &inside),
        Class::Elementwise | Class::Movement if kernel.decoding.contains(&idx) => None,
        Class::Elementwise | Class::Movement if !inside.iter().all(|reader| may_feed(graph, node, *reader)) => {
            Some("what reads it there would compute it again and again, so it has to be in memory")
        }
        Class::Elementwise | Class::Movement
            if !is_view(graph, node) && inside.iter().any(|reader| kernel.reread.contains(reader)) =>
        {
            Some("a contraction reads it again and again, so it has to be in memory")
        }
        Class::Elementwise | Class::Movement => None,
        _ => Some("operators of its kind are never in a kernel with others"),
    }
}

/// Whether one of these members is behind a contraction or convolution, which are computed tile by tile.
fn follows_tiles(graph: &Graph, kernel: &Kernel, members: &[usize]) -> bool {
    let is_tiled = |anchor: usize| matches!(graph.nodes[anchor].op, Op::Dot(_) | Op::Conv(_));
    kernel
        .anchor
        .is_some_and(|anchor| is_tiled(anchor) && members.iter().any(|m| *m != anchor && !kernel.reread.contains(m)))
}

/// The rule that keeps a node from being the anchor of a kernel, which needs it once for each result element.
fn anchor_refusal(graph: &Graph, kernel: &Kernel, idx: usize, readers: &[usize]) -> Option<&'static str> {
    let node = &graph.nodes[idx];
    if kernel.anchor.is_some() {
        return Some("a kernel has at most one anchor");
    }
    if reduces_rows(graph, kernel, idx, readers) {
        return None;
    }
    if !kernel.rows.is_empty() {
        return Some("a kernel that reduces rows has no anchor beside them");
    }
    if !readers.iter().all(|r| kernel.direct.contains(r) && passes_index(graph, *r)) {
        return Some("an anchor is computed once for each result element, at its own index");
    }
    let root = graph.nodes[kernel.root].outputs[0];
    let (shape, root_shape) = (&graph.ty(node.outputs[0]).shape, &graph.ty(root).shape);
    let fits = match &node.op {
        Op::Conv(_) => shape == root_shape && spatial_axes_are_even(graph, kernel, shape),
        Op::Dot(_) => shape == root_shape && no_movement(graph, kernel),
        _ => true,
    };
    (!fits).then_some("what follows it must address each operand by the result's own axes")
}

/// Whether a node reduces the rows of the kernel's result for what is computed with them.
fn reduces_rows(graph: &Graph, kernel: &Kernel, idx: usize, readers: &[usize]) -> bool {
    let full = &graph.ty(graph.nodes[kernel.root].outputs[0]).shape;
    rows::reduces(graph, idx, full) && readers.iter().all(|r| kernel.reads_rows(graph, *r))
}

/// Contractions are computed tile by tile, so what follows must address each operand by the result's own axes.
fn no_movement(graph: &Graph, kernel: &Kernel) -> bool {
    kernel.members.iter().all(|m| match graph.nodes[*m].op {
        Op::Broadcast(_) => !kernel_contains_producer(graph, kernel, graph.nodes[*m].inputs[0]),
        _ => class(graph, &graph.nodes[*m]) == Class::Elementwise,
    })
}

fn kernel_contains_producer(graph: &Graph, kernel: &Kernel, value: ValueId) -> bool {
    kernel.members.iter().any(|m| graph.nodes[*m].outputs.contains(&value))
}

/// For a convolution: what follows must walk all spatial axes in one stride or repeat along all of them.
fn spatial_axes_are_even(graph: &Graph, kernel: &Kernel, shape: &[Dim]) -> bool {
    let groups = Groups::of(shape, &[0, 1, 2]);
    no_movement(graph, kernel)
        && kernel.members.iter().all(|m| {
            let node = &graph.nodes[*m];
            let operands: Vec<ValueId> = match node.op {
                Op::Broadcast(_) => vec![node.inputs[0]],
                _ => vec![],
            };
            operands.iter().all(|v| broadcast_strides(&graph.ty(*v).shape, shape, &groups).is_some())
        })
}

/// Whether a reader's index is its operand's own (but for axes of size 1).
fn passes_index(graph: &Graph, reader: usize) -> bool {
    let node = &graph.nodes[reader];
    class(graph, node) == Class::Elementwise || is_unit_reshape(graph, node)
}

/// Whether a node may be computed where `reader` needs its elements.
fn may_feed(graph: &Graph, node: &Node, reader: usize) -> bool {
    let target = &graph.nodes[reader];
    match &target.op {
        Op::Dot(_) => is_view(graph, node),
        Op::Conv(_) => false,
        Op::Pool(_) | Op::PoolArgMax(_) => false,
        Op::Broadcast(_) => is_cheap(&node.op) || is_uniform_per_row(graph, target),
        Op::Gather(_) | Op::GatherElements(_) | Op::GatherNd(_) => is_cheap(&node.op),
        _ => !is_wasted(graph, node, target),
    }
}

/// Whether a node only changes how its operand is addressed.
fn is_view(graph: &Graph, node: &Node) -> bool {
    let moves = matches!(node.op, Op::Transpose(_) | Op::Slice(_) | Op::Broadcast(_)) || is_unit_reshape(graph, node);
    moves && !is_dynamic_broadcast(graph, node)
}

/// A broadcast that repeats along the last axis: what it reads is computed once for each row.
fn is_uniform_per_row(graph: &Graph, broadcast: &Node) -> bool {
    let from = &graph.ty(broadcast.inputs[0]).shape;
    from.last().is_none_or(|last| *last == Dim::from(1))
}

fn is_dynamic_broadcast(graph: &Graph, node: &Node) -> bool {
    let (Op::Broadcast(_), [x]) = (&node.op, &node.inputs[..]) else { return false };
    let (from, to) = (&graph.ty(*x).shape, &graph.ty(node.outputs[0]).shape);
    broadcast_strides(from, to, &Groups::separate(to)).is_none()
}

/// Expensive functions are not computed for elements that padding would throw away or that gather nothing.
fn is_wasted(graph: &Graph, node: &Node, reader: &Node) -> bool {
    let grows = graph.ty(reader.outputs[0]).num_elements() != graph.ty(node.outputs[0]).num_elements();
    let costly = matches!(&node.op, Op::Unary(op) if op.kind != UnaryKind::Neg);
    matches!(reader.op, Op::Pad(_)) && grows && costly
}

fn join(graph: &Graph, producer: Producer, kernel: &mut Kernel, idx: usize, readers: &[usize]) {
    let node = &graph.nodes[idx];
    let inside: Vec<usize> = readers.iter().copied().filter(|r| kernel.members.contains(r)).collect();
    let before_anchor = kernel.anchor.is_some_and(|a| inside.iter().any(|r| *r == a || !kernel.direct.contains(r)));
    if class(graph, node) == Class::Anchor {
        match reduces_rows(graph, kernel, idx, &inside) {
            true => kernel.rows.push(idx),
            false => (kernel.anchor, kernel.decoding) = (Some(idx), decoding(graph, producer, idx)),
        }
    }
    if inside.iter().any(|r| matches!(graph.nodes[*r].op, Op::Dot(_)) || kernel.reread.contains(r)) {
        kernel.reread.push(idx);
    }
    if !before_anchor && inside.iter().all(|r| kernel.reads_directly(graph, *r)) {
        kernel.direct.push(idx);
    } else if inside.iter().all(|r| kernel.reads_rows(graph, *r)) {
        kernel.row_level.push(idx);
    }
    kernel.members.push(idx);
}
