//! Operands that a contraction decodes as it reads them: quantized weights.
//!
//! The right operand of a contraction is such an expression where it is computed from fewer bytes than it would take in
//! memory: codes of at most eight bits, and what is repeated along them, as scales and zero points are. Reading the codes
//! and computing the rest again for each use costs less than storing the result. Only the form of the expression decides.

use crate::class::{Class, class, is_cheap, is_unit_reshape};
use crate::plan::{Region, Store};
use crate::strided::row_major;
use graph::{Graph, Node, ValueId};
use ops::{BinaryKind, Op};
use std::collections::BTreeSet;
use tensor::{DType, Dim};

/// Codes in a run of bytes must come by so many, so that vectors and wide loads are whole.
const RUN: i64 = 4;
/// No larger expression is looked at.
const MAX_NODES: usize = 24;

/// How the right operand of a contraction is decoded. Axes are those of the operand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decode {
    /// The nodes that compute it, ascending.
    pub members: Vec<usize>,
    /// The bytes of the codes, in memory.
    pub codes: ValueId,
    /// Distances between codes' bytes along each axis.
    pub strides: Vec<Dim>,
    /// The axis along which bytes are neighbors.
    pub run: usize,
    /// The axis of the codes that share a byte.
    pub shared: Option<Shared>,
    /// Whether nothing but the codes changes along these two axes.
    pub by_blocks: bool,
    /// Where the codes become numbers, if they do so by conversions to `f32`.
    pub numbers: Option<Numbers>,
}

/// The codes as `f32`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// The codes' integer type.
    pub code: DType,
    /// Results of the conversions.
    pub values: Vec<ValueId>,
}

/// Codes that share a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Their axis, the last one that is contracted.
    pub axis: usize,
    /// Bits of a code; the first has the lowest.
    pub bits: u32,
    /// A byte shifted so that its lowest bits are the code. What follows looks at these bits only.
    pub shifted: ValueId,
}

/// A value that is read with its distances along the axes of the operand.
struct Leaf {
    value: ValueId,
    strides: Vec<Dim>,
}

/// What the walk over an expression finds.
struct Walk<'a> {
    graph: &'a Graph,
    producer: &'a dyn Fn(ValueId) -> Option<usize>,
    rank: usize,
    members: BTreeSet<usize>,
    leaves: Vec<Leaf>,
    shifts: Vec<usize>,
}

impl Decode {
    /// How a contraction decodes its right operand, if it does. `producer` tells the node of a value that may be computed
    /// with the contraction.
    pub fn of(graph: &Graph, producer: &dyn Fn(ValueId) -> Option<usize>, dot: &Node) -> Option<Decode> {
        let Op::Dot(op) = &dot.op else { return None };
        let operand = dot.inputs[1];
        let root = producer(operand)?;
        let is_plain = op.rhs_batch.is_empty() && op.out.is_float() && dot.inputs[0] != operand;
        if !is_plain || class(graph, &graph.nodes[root]) != Class::Elementwise {
            return None;
        }
        let rank = graph.ty(operand).rank();
        let (members, leaves, shifts) = (BTreeSet::new(), vec![], vec![]);
        let mut walk = Walk { graph, producer, rank, members, leaves, shifts };
        walk.value(operand, (0..rank).map(Some).collect())?;
        walk.saves_memory(operand)?;
        let codes = walk.codes()?;
        let (codes, strides) = (walk.leaves[codes].value, walk.leaves[codes].strides.clone());
        let one = Dim::from(1);
        let walked = op.rhs_contract.iter().filter(|axis| graph.ty(operand).shape[**axis] != one);
        let walked: Vec<usize> = walked.copied().collect();
        let last = *walked.last()?;
        let shared = walk.shared(last, codes);
        let run = match &shared {
            Some(_) => walked[walked.len().checked_sub(2)?],
            None => last,
        };
        let extent = graph.ty(operand).shape[run].as_const()?;
        let axes: Vec<usize> = [run].into_iter().chain(shared.map(|shared| shared.axis)).collect();
        let stays = |leaf: &Leaf| axes.iter().all(|axis| leaf.strides[*axis] == Dim::from(0));
        let by_blocks = walk.leaves.iter().all(|leaf| leaf.value == codes || stays(leaf) || walk.is_shift(leaf.value));
        let fits = strides[run] == Dim::from(1) && extent % RUN == 0;
        let numbers = walk.numbers(codes, shared);
        let members = walk.members.iter().copied().collect();
        fits.then_some(Decode { members, codes, strides, run, shared, by_blocks, numbers })
    }
}

impl Walk<'_> {
    /// Follows a value whose axes are these of the operand; `None` for an axis along which nothing moves.
    fn value(&mut self, value: ValueId, axes: Vec<Option<usize>>) -> Option<()> {
        let Some(idx) = (self.producer)(value) else {
            self.leaf(value, &axes);
            return Some(());
        };
        let node = &self.graph.nodes[idx];
        if self.members.len() >= MAX_NODES || !is_cheap(&node.op) {
            return None;
        }
        let inner = self.inner(node, axes)?;
        self.members.insert(idx);
        if matches!(&node.op, Op::Binary(op) if op.kind == BinaryKind::Shr) {
            self.shifts.push(idx);
        }
        node.inputs.iter().try_for_each(|input| self.value(*input, inner.clone()))
    }

    /// The axes of a node's operands.
    fn inner(&self, node: &Node, axes: Vec<Option<usize>>) -> Option<Vec<Option<usize>>> {
        let one = Dim::from(1);
        match &node.op {
            Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::Cast(_) | Op::Bitcast(_) => Some(axes),
            Op::Transpose(op) => {
                let mut inner = axes.clone();
                op.perm.iter().zip(axes).for_each(|(axis, of)| inner[*axis] = of);
                Some(inner)
            }
            Op::Broadcast(op) => {
                let from = &self.graph.ty(node.inputs[0]).shape;
                let missing = axes.len() - from.len();
                let axis = |(at, dim): (usize, &Dim)| match (*dim == op.shape[at + missing], *dim == one) {
                    (true, _) => Some(axes[at + missing]),
                    (false, true) => Some(None),
                    (false, false) => None,
                };
                from.iter().enumerate().map(axis).collect()
            }
            Op::Reshape(_) if is_unit_reshape(self.graph, node) => {
                let to = &self.graph.ty(node.outputs[0]).shape;
                let mut walked = axes.into_iter().zip(to).filter(|(_, dim)| **dim != one).map(|(axis, _)| axis);
                let from = &self.graph.ty(node.inputs[0]).shape;
                Some(from.iter().map(|dim| if *dim == one { None } else { walked.next().flatten() }).collect())
            }
            _ => None,
        }
    }

    fn leaf(&mut self, value: ValueId, axes: &[Option<usize>]) {
        let mut strides = vec![Dim::from(0); self.rank];
        for (axis, stride) in axes.iter().zip(row_major(&self.graph.ty(value).shape)) {
            if let Some(axis) = axis {
                strides[*axis] = stride;
            }
        }
        self.leaves.push(Leaf { value, strides });
    }

    /// Whether what is read takes clearly less memory than the operand.
    fn saves_memory(&self, operand: ValueId) -> Option<()> {
        let bytes = |value: ValueId| {
            let ty = self.graph.ty(value);
            Some(ty.num_elements().as_const()? * ty.dtype.size() as i64)
        };
        let read = self.leaves.iter().map(|leaf| bytes(leaf.value)).sum::<Option<i64>>()?;
        (read.checked_mul(3)? <= bytes(operand)?.checked_mul(2)?).then_some(())
    }

    /// The one leaf with more bytes than all others.
    fn codes(&self) -> Option<usize> {
        let size = |leaf: &Leaf| self.graph.ty(leaf.value).num_elements().as_const().unwrap_or(0);
        let at = (0..self.leaves.len()).max_by_key(|at| size(&self.leaves[*at]))?;
        let ty = self.graph.ty(self.leaves[at].value);
        let alone = self.leaves.iter().enumerate().all(|(other, leaf)| {
            other == at || leaf.value != self.leaves[at].value && size(leaf) * 2 < size(&self.leaves[at])
        });
        (alone && ty.dtype.size() == 1 && ty.dtype.bits() > 1).then_some(at)
    }

    /// How codes share bytes along the last contracted axis: a shift by as many bits for each, and a cast that keeps them.
    fn shared(&self, last: usize, codes: ValueId) -> Option<Shared> {
        let [shift] = self.shifts[..] else { return None };
        let node = &self.graph.nodes[shift];
        let (shifted, distances) = (node.outputs[0], self.distances(node.inputs[1])?);
        let bits = 8 / u32::try_from(distances.len()).ok().filter(|n| matches!(n, 2 | 4))?;
        let even = (0..).zip(&distances).all(|(at, distance)| *distance == i64::from(at * bits));
        let mut readers =
            self.members.iter().map(|idx| &self.graph.nodes[*idx]).filter(|n| n.inputs.contains(&shifted));
        let cut = readers.all(|node| matches!(&node.op, Op::Cast(op) if op.to.is_int() && op.to.bits() == bits));
        let moves = |value: ValueId, along: usize| {
            let found = self.leaves.iter().find(|leaf| leaf.value == value);
            found.is_some_and(|leaf| leaf.strides[along] != Dim::from(0))
        };
        let (source, amounts) = (self.source(node.inputs[0])?, self.source(node.inputs[1])?);
        let fits =
            source == codes && !moves(codes, last) && moves(amounts, last) && self.graph.ty(codes).dtype.bits() == 8;
        (even && cut && fits).then_some(Shared { axis: last, bits, shifted })
    }

    /// The conversions of codes to `f32`, if nothing else is done with them.
    fn numbers(&self, codes: ValueId, shared: Option<Shared>) -> Option<Numbers> {
        let readers = |value: ValueId| {
            let nodes = self.members.iter().map(|idx| &self.graph.nodes[*idx]);
            nodes.filter(move |node| node.inputs.contains(&value))
        };
        let mut work = match shared {
            Some(shared) => readers(shared.shifted).map(|node| node.outputs[0]).collect(),
            None => vec![codes],
        };
        let code = self.graph.ty(*work.first()?).dtype;
        let mut values = vec![];
        while let Some(value) = work.pop() {
            (self.graph.ty(value).dtype == code && code.is_int()).then_some(())?;
            for node in readers(value) {
                match &node.op {
                    Op::Cast(op) if op.to == DType::F32 => values.push(node.outputs[0]),
                    Op::Broadcast(_) | Op::Transpose(_) | Op::Reshape(_) => work.push(node.outputs[0]),
                    _ => return None,
                }
            }
        }
        (!values.is_empty()).then_some(Numbers { code, values })
    }

    /// What a value repeats.
    fn source(&self, value: ValueId) -> Option<ValueId> {
        let Some(idx) = (self.producer)(value) else { return Some(value) };
        let node = &self.graph.nodes[idx];
        let is_view = matches!(node.op, Op::Broadcast(_) | Op::Transpose(_) | Op::Reshape(_));
        if is_view { self.source(node.inputs[0]) } else { None }
    }

    /// The constant that a value repeats.
    fn distances(&self, value: ValueId) -> Option<Vec<i64>> {
        let source = self.source(value)?;
        let node = self.graph.nodes.iter().find(|node| node.outputs.contains(&source))?;
        let Op::Constant(op) = &node.op else { return None };
        Some(op.value.0.to_ints())
    }

    /// Whether a leaf says nothing but by how much codes are shifted.
    fn is_shift(&self, value: ValueId) -> bool {
        self.shifts.iter().any(|idx| self.source(self.graph.nodes[*idx].inputs[1]) == Some(value))
    }
}

impl Region {
    /// For a kernel whose contraction reads a right operand that the kernel computes: the kernel that would store it, and
    /// what is left. `None` for other regions.
    pub fn without_decoding(&self, graph: &Graph) -> Option<[Region; 2]> {
        let producers = graph.producers();
        let dot = &graph.nodes[self.anchor?];
        let operand = *dot.inputs.get(1)?;
        let is_member = |idx: &usize| self.members.binary_search(idx).is_ok();
        let root = producers[operand.index()].filter(is_member)?;
        if !matches!(dot.op, Op::Dot(_))
            || class(graph, &graph.nodes[root]) != Class::Elementwise
            || self.scores.is_some()
        {
            return None;
        }
        let reach = |from: usize, until: Option<usize>| -> Vec<usize> {
            let (mut seen, mut work) = (BTreeSet::from([from]), vec![from]);
            while let Some(idx) = work.pop() {
                let operands = graph.nodes[idx].inputs.iter().filter_map(|v| producers[v.index()]);
                work.extend(operands.filter(|idx| is_member(idx) && Some(*idx) != until && seen.insert(*idx)));
            }
            seen.into_iter().collect()
        };
        let (first, rest) = (reach(root, None), reach(*self.members.last()?, Some(root)));
        let leaves = |members: &[usize]| crate::fusion::leaves(graph, &producers, members);
        let decoding = Region {
            leaves: leaves(&first),
            members: first,
            anchor: None,
            rows: vec![],
            scores: None,
            result: operand,
            store: Store { value: operand, part: None },
        };
        Some([decoding, Region { leaves: leaves(&rest), members: rest, ..self.clone() }])
    }
}
