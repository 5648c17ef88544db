//! What is certain of integers: limits of a value's elements, proven by a walk to where they come from.
//!
//! A proof goes from a claim ("every element is at most `N - 1`") to claims about operands, and ends at constants, counts,
//! positions of extremes, and the ranges of narrow types. It may fail where the claim is true, never the other way round.

use graph::{Graph, Node, ValueId, is_non_negative};
use ops::{BinaryKind, CompareKind, Op, ReduceKind};
use std::collections::BTreeSet;
use tensor::{DType, Dim, Symbol, Tensor};

/// Proofs longer than this are given up.
const MAX_DEPTH: usize = 10;

/// All elements of a value, or those with this index along the last axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elements {
    pub(crate) value: ValueId,
    pub(crate) column: Option<usize>,
}

/// A claim about elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// None is smaller.
    Low(Dim),
    /// None is larger.
    High(Dim),
}

impl Limit {
    fn dim(&self) -> &Dim {
        match self {
            Limit::Low(dim) | Limit::High(dim) => dim,
        }
    }

    fn shifted(&self, by: Dim) -> Limit {
        match self {
            Limit::Low(dim) => Limit::Low(dim.clone() + by),
            Limit::High(dim) => Limit::High(dim.clone() + by),
        }
    }

    /// What `x` must fulfil so that `total - x` fulfils this.
    fn mirrored(&self, total: Dim) -> Limit {
        match self {
            Limit::Low(dim) => Limit::High(total - dim.clone()),
            Limit::High(dim) => Limit::Low(total - dim.clone()),
        }
    }
}

/// A graph with what proofs need of it.
pub(crate) struct Bounds<'a> {
    pub(crate) graph: &'a Graph,
    producers: Vec<Option<usize>>,
    constants: Vec<Option<&'a Tensor>>,
    /// For a region: what is around it, and the node that it belongs to.
    outer: Option<(&'a Bounds<'a>, &'a Node)>,
    /// Symbols that are no sizes, but come from data and may be negative.
    unsure: BTreeSet<Symbol>,
}

impl<'a> Bounds<'a> {
    pub(crate) fn new(graph: &'a Graph, outer: Option<(&'a Bounds<'a>, &'a Node)>) -> Self {
        let mut unsure = outer.map(|(bounds, _)| bounds.unsure.clone()).unwrap_or_default();
        for node in &graph.nodes {
            if let Op::Bind(op) = &node.op {
                unsure.extend(op.symbols.iter().map(|name| Symbol::new(name)));
            }
        }
        Bounds { graph, producers: graph.producers(), constants: graph.constants(), outer, unsure }
    }

    /// Whether an expression is certainly not negative.
    pub(crate) fn is_sure(&self, dim: &Dim) -> bool {
        let mut symbols = vec![];
        dim.symbols(&mut symbols);
        is_non_negative(dim) && symbols.iter().all(|symbol| !self.unsure.contains(symbol))
    }

    /// Whether elements certainly keep a limit.
    pub(crate) fn keeps(&self, of: Elements, limit: &Limit) -> bool {
        self.proves(of, limit, &[], MAX_DEPTH)
    }

    /// The smallest and the largest of these elements, if there are any and they are known.
    pub(crate) fn extremes(&self, of: Elements) -> Option<(Dim, Dim)> {
        self.exact(of, MAX_DEPTH)
    }

    /// The node that computes a value.
    pub(crate) fn producer(&self, value: ValueId) -> Option<&'a Node> {
        self.producers[value.index()].map(|idx| &self.graph.nodes[idx])
    }

    /// Whether a value with these bounds, both included, keeps the limit.
    fn within(&self, limit: &Limit, low: Dim, high: Dim) -> bool {
        match limit {
            Limit::Low(dim) => self.is_sure(&(low - dim.clone())),
            Limit::High(dim) => self.is_sure(&(dim.clone() - high)),
        }
    }

    fn proves(&self, of: Elements, limit: &Limit, assumed: &[(ValueId, Limit)], depth: usize) -> bool {
        let implied = |(value, known): &(ValueId, Limit)| {
            *value == of.value
                && match (known, limit) {
                    (Limit::Low(_), Limit::Low(_)) | (Limit::High(_), Limit::High(_)) => {
                        self.within(limit, known.dim().clone(), known.dim().clone())
                    }
                    _ => false,
                }
        };
        if assumed.iter().any(implied) || self.by_type(of.value, limit) {
            return true;
        }
        if let Some((low, high)) = self.exact(of, depth) {
            return self.within(limit, low, high);
        }
        if depth == 0 {
            return false;
        }
        match self.producers[of.value.index()] {
            None => self.parameter(of.value, limit, depth - 1),
            Some(idx) => self.result(&self.graph.nodes[idx], of, limit, assumed, depth - 1),
        }
    }

    fn by_type(&self, value: ValueId, limit: &Limit) -> bool {
        let range = range_of(self.graph.ty(value).dtype);
        range.is_some_and(|(low, high)| self.within(limit, low.into(), high.into()))
    }

    fn parameter(&self, value: ValueId, limit: &Limit, depth: usize) -> bool {
        let Some((outer, node)) = self.outer else { return false };
        let Some(at) = self.graph.inputs.iter().position(|port| port.value == value) else { return false };
        let all = |value: ValueId| Elements { value, column: None };
        match &node.op {
            Op::If(_) => outer.proves(all(node.inputs[1 + at]), limit, &[], depth),
            Op::Loop(_) if at == 0 => {
                let trips = outer.single(all(node.inputs[0]), depth);
                trips.is_some_and(|trips| self.within(limit, 0.into(), trips - 1.into()))
            }
            Op::Loop(op) if at >= 2 + op.n_carried => outer.proves(all(node.inputs[at]), limit, &[], depth),
            _ => false,
        }
    }

    /// `assumed` holds at each element's own place, so only operands at the same place inherit it.
    fn result(&self, node: &Node, of: Elements, limit: &Limit, assumed: &[(ValueId, Limit)], depth: usize) -> bool {
        let shape = |value: ValueId| &self.graph.ty(value).shape;
        let below = |size: &Dim| self.within(limit, 0.into(), size.clone() - 1.into());
        let elsewhere = |of: Elements| self.proves(of, limit, &[], depth);
        match &node.op {
            Op::Reshape(_)
            | Op::Broadcast(_)
            | Op::Transpose(_)
            | Op::Slice(_)
            | Op::Gather(_)
            | Op::GatherElements(_) => match self.nonzero_row(node, of) {
                Some(size) => below(&size),
                None => elsewhere(self.moved(node, of)),
            },
            Op::Concat(op) => match (of.column, op.axis + 1 == shape(of.value).len()) {
                (Some(column), true) => self.part(node, op.axis, column).is_some_and(elsewhere),
                (column, _) => node.inputs.iter().all(|value| elsewhere(Elements { value: *value, column })),
            },
            Op::Cast(_) => self.cast(Elements { value: node.inputs[0], ..of }, of.value, limit, assumed, depth),
            Op::Select(_) => self.select(node, of, limit, assumed, depth),
            Op::Binary(op) => self.binary(op.kind, node, of, limit, assumed, depth),
            Op::Reduce(op) if matches!(op.kind, ReduceKind::Max | ReduceKind::Min) => {
                // Of nothing, the result is the type's own extreme.
                let some = op.axes.iter().all(|axis| shape(node.inputs[0])[*axis].as_const().is_some_and(|d| d > 0));
                some && elsewhere(Elements { value: node.inputs[0], column: None })
            }
            Op::ArgReduce(op) => below(&shape(node.inputs[0])[op.axis]),
            Op::TopK(op) => of.value == node.outputs[1] && below(&shape(node.inputs[0])[op.axis]),
            Op::NonZero(_) => matches!(&shape(node.inputs[0])[..], [size] if below(size)),
            Op::NonMaxSuppression(_) => of.column.is_some_and(|column| below(&shape(node.inputs[1])[column])),
            Op::Unique(op) => {
                let x = self.graph.ty(node.inputs[0]);
                let n_inputs = usize::try_from(op.axis).map_or_else(|_| x.num_elements(), |axis| x.shape[axis].clone());
                (of.value == node.outputs[1] && below(&n_inputs))
                    || (of.value == node.outputs[2] && below(&Dim::symbol(&op.count)))
            }
            _ => false,
        }
    }

    fn cast(&self, from: Elements, to: ValueId, limit: &Limit, assumed: &[(ValueId, Limit)], depth: usize) -> bool {
        let [inner, outer] = [from.value, to].map(|value| self.graph.ty(value).dtype);
        if inner == DType::Bool && outer.is_int() {
            return self.within(limit, 0.into(), 1.into());
        }
        let fits = |(low, high): (i64, i64)| {
            [Limit::Low(low.into()), Limit::High(high.into())]
                .iter()
                .all(|limit| self.proves(from, limit, assumed, depth))
        };
        inner.is_int()
            && outer.is_int()
            && (keeps_values(inner, outer) || range_of(outer).is_some_and(fits))
            && self.proves(from, limit, assumed, depth)
    }

    fn select(&self, node: &Node, of: Elements, limit: &Limit, assumed: &[(ValueId, Limit)], depth: usize) -> bool {
        let learned = self.condition(node.inputs[0], depth);
        [(1, 0), (2, 1)].into_iter().all(|(operand, side)| {
            let mut assumed = assumed.to_vec();
            assumed.extend(learned.iter().map(|(value, limits)| (*value, limits[side].clone())));
            self.proves(Elements { value: node.inputs[operand], ..of }, limit, &assumed, depth)
        })
    }

    /// What a condition says of a value where it is true, and where it is false.
    fn condition(&self, condition: ValueId, depth: usize) -> Option<(ValueId, [Limit; 2])> {
        let node = &self.graph.nodes[self.producers[condition.index()]?];
        let Op::Compare(op) = &node.op else { return None };
        let value = node.inputs[0];
        self.graph.ty(value).dtype.is_int().then_some(())?;
        let bound = self.single(Elements { value: node.inputs[1], column: None }, depth)?;
        let less = |by: i64| Limit::High(bound.clone() - by.into());
        let more = |by: i64| Limit::Low(bound.clone() + by.into());
        let limits = match op.kind {
            CompareKind::Lt => [less(1), more(0)],
            CompareKind::Le => [less(0), more(1)],
            CompareKind::Gt => [more(1), less(0)],
            CompareKind::Ge => [more(0), less(1)],
            CompareKind::Eq | CompareKind::Ne => return None,
        };
        Some((value, limits))
    }

    fn binary(
        &self,
        kind: BinaryKind,
        node: &Node,
        of: Elements,
        limit: &Limit,
        assumed: &[(ValueId, Limit)],
        depth: usize,
    ) -> bool {
        let [a, b] = [0, 1].map(|k| Elements { value: node.inputs[k], ..of });
        let dtype = self.graph.ty(of.value).dtype;
        let keeps = |of: Elements, limit: &Limit| self.proves(of, limit, assumed, depth);
        match (kind, limit) {
            (BinaryKind::Min, Limit::High(_)) | (BinaryKind::Max, Limit::Low(_)) if dtype.is_int() => {
                keeps(a, limit) || keeps(b, limit)
            }
            (BinaryKind::Min | BinaryKind::Max, _) if dtype.is_int() => keeps(a, limit) && keeps(b, limit),
            // Narrower sums may wrap.
            (BinaryKind::Add, _) if dtype == DType::I64 => {
                let shifts = |one: Elements, other: Elements| {
                    self.single(one, depth).is_some_and(|by| keeps(other, &limit.shifted(-by)))
                };
                shifts(b, a) || shifts(a, b)
            }
            (BinaryKind::Sub, _) if dtype == DType::I64 => {
                self.single(b, depth).is_some_and(|by| keeps(a, &limit.shifted(by)))
                    || self.single(a, depth).is_some_and(|total| keeps(b, &limit.mirrored(total)))
            }
            // By 0 the remainder is 0. Where the divisor may be, `-1` as the lower bound asks for an axis that is not empty.
            (BinaryKind::Mod, _) if dtype.is_int() => {
                let divisor = self.single(b, depth).filter(|d| self.is_sure(d));
                divisor.is_some_and(|d| {
                    let low = if self.is_sure(&(d.clone() - 1.into())) { 0 } else { -1 };
                    self.within(limit, low.into(), d - 1.into())
                })
            }
            (BinaryKind::Rem, _) if dtype.is_int() => {
                let divisor = self.single(b, depth).filter(|d| self.is_sure(&(d.clone() - 1.into())));
                divisor.is_some_and(|d| self.within(limit, Dim::from(1) - d.clone(), d - 1.into()))
            }
            _ => false,
        }
    }

    /// The elements of a view's operand among which the view's are.
    fn moved(&self, node: &Node, of: Elements) -> Elements {
        let from = node.inputs[0];
        let (inner, outer) = (&self.graph.ty(from).shape, &self.graph.ty(of.value).shape);
        let same_last = inner.last().is_some() && inner.last() == outer.last();
        let column = of.column.and_then(|column| match &node.op {
            Op::Reshape(_) | Op::Broadcast(_) => same_last.then_some(column),
            Op::Transpose(op) => (op.perm.last() == Some(&(inner.len() - 1))).then_some(column),
            Op::Slice(op) => {
                let last = op.starts.len().checked_sub(1)?;
                let at = op.starts[last].as_const()? + op.steps[last] * column as i64;
                usize::try_from(at).ok()
            }
            Op::Gather(op) => (op.axis + 1 < inner.len()).then_some(column),
            _ => None,
        });
        Elements { value: from, column }
    }

    /// The operand of a concatenation along the last axis that holds a column.
    fn part(&self, node: &Node, axis: usize, column: usize) -> Option<Elements> {
        let mut rest = column as i64;
        for value in &node.inputs {
            let extent = self.graph.ty(*value).shape[axis].as_const()?;
            if rest < extent {
                return Some(Elements { value: *value, column: Some(rest as usize) });
            }
            rest -= extent;
        }
        None
    }

    /// The size of the axis whose indices these are, if they are one row of what `nonzero` gives.
    fn nonzero_row(&self, node: &Node, of: Elements) -> Option<Dim> {
        let source = &self.graph.nodes[self.producers[node.inputs[0].index()]?];
        let Op::NonZero(_) = &source.op else { return None };
        let row = match (&node.op, of.column) {
            (Op::Transpose(op), Some(column)) if op.perm == [1, 0] => column,
            (Op::Slice(op), _) if op.sizes[0] == Dim::from(1) => usize::try_from(op.starts[0].as_const()?).ok()?,
            _ => return None,
        };
        self.graph.ty(source.inputs[0]).shape.get(row).cloned()
    }

    /// The value that all these elements have.
    fn single(&self, of: Elements, depth: usize) -> Option<Dim> {
        let (low, high) = self.exact(of, depth)?;
        (low == high).then_some(low)
    }

    /// The smallest and the largest of these elements, if there are any.
    fn exact(&self, of: Elements, depth: usize) -> Option<(Dim, Dim)> {
        let depth = depth.checked_sub(1)?;
        if let Some(tensor) = self.constants[of.value.index()] {
            return extremes(tensor, of.column);
        }
        let node = &self.graph.nodes[self.producers[of.value.index()]?];
        match &node.op {
            Op::Dims(op) => match (of.column, &op.values[..]) {
                (Some(column), values) => values.get(column).map(|dim| (dim.clone(), dim.clone())),
                (None, [dim]) => Some((dim.clone(), dim.clone())),
                _ => None,
            },
            Op::Iota(op) if op.dtype.is_int() => match of.column {
                Some(column) if op.axis + 1 == op.shape.len() => Some((column.into(), column.into())),
                _ => Some((0.into(), op.shape[op.axis].clone() - 1.into())),
            },
            Op::Reshape(_) | Op::Broadcast(_) | Op::Transpose(_) => {
                let inner = self.moved(node, of);
                // Of all columns together, one may have neither extreme.
                (inner.column == of.column).then(|| self.exact(inner, depth))?
            }
            Op::Cast(_) => {
                let (from, to) = (self.graph.ty(node.inputs[0]).dtype, self.graph.ty(of.value).dtype);
                keeps_values(from, to).then(|| self.exact(Elements { value: node.inputs[0], ..of }, depth))?
            }
            Op::Binary(op) if self.graph.ty(of.value).dtype == DType::I64 => {
                let side = |k: usize| self.exact(Elements { value: node.inputs[k], ..of }, depth);
                let ((a, b), (c, d)) = (side(0)?, side(1)?);
                (a == b || c == d).then_some(())?;
                match op.kind {
                    BinaryKind::Add => Some((a + c, b + d)),
                    BinaryKind::Sub => Some((a - d, b - c)),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

/// The smallest and the largest element of a constant or of one of its columns.
fn extremes(tensor: &Tensor, column: Option<usize>) -> Option<(Dim, Dim)> {
    if !tensor.dtype().is_int() {
        return None;
    }
    let width = column.and(tensor.shape().last().copied()).unwrap_or(1);
    let chosen = tensor.iter().skip(column.unwrap_or(0)).step_by(width.max(1)).map(|v| v.as_int());
    let (low, high) = chosen.fold((i128::MAX, i128::MIN), |(low, high), v| (low.min(v), high.max(v)));
    Some((Dim::from(i64::try_from(low).ok()?), Dim::from(i64::try_from(high).ok()?)))
}

/// The values of a type, if they are few.
fn range_of(dtype: DType) -> Option<(i64, i64)> {
    let bits = dtype.bits();
    match dtype {
        DType::Bool => Some((0, 1)),
        _ if !dtype.is_int() || bits > 32 => None,
        _ if dtype.is_signed_int() => Some((-(1 << (bits - 1)), (1 << (bits - 1)) - 1)),
        _ => Some((0, (1 << bits) - 1)),
    }
}

/// Whether a conversion between integers changes no value.
pub(crate) fn keeps_values(from: DType, to: DType) -> bool {
    let signs = match (from.is_signed_int(), to.is_signed_int()) {
        (true, true) | (false, false) => to.bits() >= from.bits(),
        (false, true) => to.bits() > from.bits(),
        (true, false) => false,
    };
    from.is_int() && to.is_int() && signs
}
