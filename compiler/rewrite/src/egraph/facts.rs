//! E-class analysis: what holds of every member of a class. Contradictions are recorded, and end the saturation.

use super::lang::{ENode, Head, elementwise};
use crate::canon::fold;
use crate::{Exactness, scalars};
use diag::Loc;
use egg::{Analysis, DidMerge, EGraph, Id};
use ops::{Const, Op};
use std::collections::HashMap;
use std::sync::Arc;
use tensor::{Dim, Scalar, Tensor, TensorType};

/// Constants of at most this many elements are computed inside the e-graph, for rules to look at.
const MAX_KNOWN_ELEMENTS: usize = 64;

/// What is known of a class.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    /// The types of its results: one for a tensor, several for an opaque node, none for attributes.
    pub(crate) types: Arc<[TensorType]>,
    /// Whether it depends on constants only.
    pub(crate) constant: bool,
    /// For values that are computed at compile time: how many bytes are stored for it. A repetition stores what it repeats.
    pub(crate) stored: Option<usize>,
    /// The content, for stored constants and small results of them.
    pub(crate) value: Option<Tensor>,
    /// The number that all elements are equal to.
    pub(crate) splat: Option<Scalar>,
    /// Where its members come from.
    pub(crate) loc: Loc,
    /// Whether it must keep its arithmetic, because a step is taken from it.
    pub(crate) before_step: bool,
}

/// Two members of one class contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) rule: &'static str,
    pub(crate) what: String,
}

/// The analysis, with the tables that e-nodes refer to.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) attrs: Vec<Op>,
    attr_ids: HashMap<Op, u32>,
    pub(crate) weights: Vec<Tensor>,
    weight_ids: HashMap<Const, u32>,
    pub(crate) inputs: Vec<TensorType>,
    /// Result types of opaque nodes.
    pub(crate) opaques: Vec<Vec<TensorType>>,
    /// Result types of the node that is being added, if they are known already.
    pub(super) pending: Option<Vec<TensorType>>,
    /// No larger constant is made.
    pub(crate) max_weight_bytes: usize,
    /// The rule that is being applied, and what it may change.
    pub(crate) rule: (&'static str, Exactness),
    /// Where new nodes come from.
    pub(crate) loc: Loc,
    /// Whether a step is taken from what is being added.
    pub(crate) before_step: bool,
    pub(crate) conflict: Option<Conflict>,
}

impl Facts {
    pub(super) fn intern(&mut self, op: &Op) -> u32 {
        if let Some(id) = self.attr_ids.get(op) {
            return *id;
        }
        let id = self.attrs.len() as u32;
        self.attrs.push(op.clone());
        self.attr_ids.insert(op.clone(), id);
        id
    }

    pub(super) fn weight(&mut self, tensor: &Tensor) -> u32 {
        let key = Const(tensor.clone());
        if let Some(id) = self.weight_ids.get(&key) {
            return *id;
        }
        let id = self.weights.len() as u32;
        self.weights.push(tensor.clone());
        self.weight_ids.insert(key, id);
        id
    }

    fn conflict(&mut self, what: String) {
        let rule = self.rule.0;
        self.conflict.get_or_insert(Conflict { rule, what });
    }

    /// The type that says most; a contradiction is recorded.
    fn joined(&mut self, a: &TensorType, b: &TensorType) -> TensorType {
        let differ = |(x, y): (&Dim, &Dim)| (x.clone() - y.clone()).as_const().is_some_and(|d| d != 0);
        if a.dtype != b.dtype || a.rank() != b.rank() || a.shape.iter().zip(&b.shape).any(differ) {
            self.conflict(format!("types {a} and {b} are not equal"));
            return a.clone();
        }
        let better = |(x, y): (&Dim, &Dim)| match (x.as_const(), y.as_const()) {
            (Some(_), _) => x.clone(),
            (_, Some(_)) => y.clone(),
            _ => x.min(y).clone(),
        };
        TensorType { dtype: a.dtype, shape: a.shape.iter().zip(&b.shape).map(better).collect() }
    }

    fn check_values(&mut self, a: &Tensor, b: &Tensor) {
        let exact = self.rule.1.is_exact();
        let agree = a.len() == b.len() && a.iter().zip(b.iter()).all(|(x, y)| agree(x, y, exact));
        if !agree {
            self.conflict(format!("constants {a:?} and {b:?} are not equal"));
        }
    }
}

fn agree(x: Scalar, y: Scalar, exact: bool) -> bool {
    let (Scalar::Float(x), Scalar::Float(y)) = (x, y) else {
        return x == y;
    };
    let close = (x - y).abs() <= 1e-3 * x.abs().max(y.abs()).max(1.0);
    x == y || x.is_nan() && y.is_nan() || !exact && (close || !x.is_finite() || !y.is_finite())
}

/// The operator of a node, for those that are one.
pub(crate) fn op_of<'a>(egraph: &'a EGraph<ENode, Facts>, node: &ENode) -> Option<&'a Op> {
    let Head::Op(name) = node.head else {
        return None;
    };
    elementwise(name).or_else(|| {
        let attr = egraph[*node.children.first()?].nodes.iter().find_map(|n| match n.head {
            Head::Attr(id) => Some(id),
            _ => None,
        })?;
        egraph.analysis.attrs.get(attr as usize)
    })
}

/// The operands of a node, without the leaf of its attributes.
pub(crate) fn operands(node: &ENode) -> &[Id] {
    match node.head {
        Head::Op(name) if elementwise(name).is_none() => node.children.get(1..).unwrap_or(&[]),
        _ => &node.children,
    }
}

/// [`Op::infer`], taking shapes as equal that only run time can tell apart.
pub(crate) fn infer(op: &Op, types: &[TensorType]) -> Option<Vec<TensorType>> {
    let (Op::Select(_), [c, a, b]) = (op, types) else {
        return op.infer(types).ok();
    };
    let equal = Op::from(ops::Compare { kind: ops::CompareKind::Eq });
    let common = |x: &TensorType, shape: &[Dim]| {
        let y = TensorType { dtype: x.dtype, shape: shape.to_vec() };
        Some(equal.infer(&[x.clone(), y]).ok()?.pop()?.shape)
    };
    let same_shape = a.shape == b.shape && a.shape == c.shape;
    if same_shape || a.dtype.is_tiny_float() {
        return op.infer(types).ok();
    }
    let shape = common(a, &common(a, &b.shape).and_then(|_| common(a, &c.shape))?)?;
    let with = |ty: &TensorType| TensorType { dtype: ty.dtype, shape: shape.clone() };
    op.infer(&[with(c), with(a), with(b)]).ok()
}

impl Data {
    fn bare(types: Vec<TensorType>, loc: Loc) -> Data {
        Data { types: types.into(), constant: false, stored: None, value: None, splat: None, loc, before_step: false }
    }

    fn of_weight(tensor: &Tensor) -> Data {
        Data {
            types: [tensor.ty()].into(),
            constant: true,
            stored: Some(tensor.bytes().len()),
            splat: scalars::splat(tensor),
            value: Some(tensor.clone()),
            loc: Loc::Unknown,
            before_step: false,
        }
    }

    fn of_op(egraph: &EGraph<ENode, Facts>, op: &Op, inputs: &[Id], types: Vec<TensorType>) -> Data {
        let mut data = Data::bare(types, Loc::Unknown);
        let children: Vec<&Data> = inputs.iter().map(|id| &egraph[*id].data).collect();
        data.constant = !children.is_empty() && children.iter().all(|c| c.constant);
        data.splat = splat_of(op, &children);
        if data.constant {
            data.stored = stored_by(op, &children, egraph.analysis.max_weight_bytes);
            data.value = data.stored.and_then(|_| value_of(op, &children, &data.types));
        }
        data
    }
}

fn splat_of(op: &Op, children: &[&Data]) -> Option<Scalar> {
    match op {
        Op::Broadcast(_) | Op::Reshape(_) | Op::Transpose(_) | Op::Slice(_) => children[0].splat,
        Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::Cast(_) => {
            let numbers: Vec<_> =
                children.iter().map(|c| Some((c.types.first()?.dtype, c.splat?))).collect::<Option<_>>()?;
            scalars::splat(&fold::splat_result(op, &numbers)?)
        }
        _ => None,
    }
}

/// The bytes stored for an operation on constants, if it is to be computed at compile time.
fn stored_by(op: &Op, children: &[&Data], max_bytes: usize) -> Option<usize> {
    let given = children.iter().map(|c| c.stored).sum::<Option<usize>>()?;
    if matches!(op, Op::Broadcast(_)) {
        return Some(given);
    }
    let types: Vec<TensorType> = children.iter().map(|c| c.types.first().cloned()).collect::<Option<_>>()?;
    fold::result_bytes(op, &types, given, max_bytes)
}

fn value_of(op: &Op, children: &[&Data], types: &[TensorType]) -> Option<Tensor> {
    let is_small = |ty: &TensorType| ty.num_elements().as_const().is_some_and(|n| n <= MAX_KNOWN_ELEMENTS as i64);
    if !fold::is_closed(op) || !types.iter().all(is_small) {
        return None;
    }
    let tensors: Vec<Tensor> =
        children.iter().map(|c| c.value.clone().filter(|t| t.len() <= MAX_KNOWN_ELEMENTS)).collect::<Option<_>>()?;
    op.eval(&tensors).ok()?.pop()
}

fn data_of(egraph: &EGraph<ENode, Facts>, node: &ENode, pending: Option<Vec<TensorType>>) -> Option<Data> {
    let facts = &egraph.analysis;
    Some(match node.head {
        Head::Attr(_) => Data::bare(Vec::new(), Loc::Unknown),
        Head::Input(idx) => Data::bare(vec![facts.inputs.get(idx as usize)?.clone()], Loc::Unknown),
        Head::Weight(idx) => Data::of_weight(facts.weights.get(idx as usize)?),
        Head::Opaque(idx) => Data::bare(facts.opaques.get(idx as usize)?.clone(), Loc::Unknown),
        Head::Result(idx) => {
            let types = &egraph[*node.children.first()?].data.types;
            Data::bare(vec![types.get(idx as usize)?.clone()], Loc::Unknown)
        }
        Head::Op(_) => {
            let (op, inputs) = (op_of(egraph, node)?, operands(node));
            let types = match pending {
                Some(types) => types,
                None => infer(op, &types_of(egraph, inputs)?)?,
            };
            Data::of_op(egraph, op, inputs, types)
        }
    })
}

/// The types of some tensors.
pub(super) fn types_of(egraph: &EGraph<ENode, Facts>, inputs: &[Id]) -> Option<Vec<TensorType>> {
    inputs.iter().map(|id| egraph[*id].data.types.first().cloned()).collect()
}

impl Analysis<ENode> for Facts {
    type Data = Data;

    fn make(egraph: &mut EGraph<ENode, Self>, node: &ENode, _id: Id) -> Data {
        let pending = egraph.analysis.pending.take();
        let loc = egraph.analysis.loc.clone();
        let Some(data) = data_of(egraph, node, pending) else {
            egraph.analysis.conflict(format!("a node {node} has no type"));
            return Data::bare(Vec::new(), loc);
        };
        match node.head {
            Head::Attr(_) | Head::Weight(_) | Head::Input(_) => data,
            _ => Data { loc, before_step: egraph.analysis.before_step, ..data },
        }
    }

    fn remake(egraph: &mut EGraph<ENode, Self>, node: &ENode, id: Id) -> Data {
        // A node that was well typed stays so, even where better known operands now hide it.
        data_of(egraph, node, None).unwrap_or_else(|| egraph[id].data.clone())
    }

    fn merge(&mut self, a: &mut Data, b: Data) -> DidMerge {
        if a.types.len() != b.types.len() {
            self.conflict(format!("{} results and {}", a.types.len(), b.types.len()));
            return DidMerge(false, false);
        }
        let types: Vec<TensorType> = a.types.iter().zip(b.types.iter()).map(|(x, y)| self.joined(x, y)).collect();
        if let (Some(x), Some(y)) = (&a.value, &b.value) {
            self.check_values(x, y);
        }
        let stored = match (a.stored, b.stored) {
            (Some(x), Some(y)) => Some(x.min(y)),
            (x, y) => x.or(y),
        };
        let merged = Data {
            types: types.into(),
            constant: a.constant || b.constant,
            stored,
            value: a.value.clone().or_else(|| b.value.clone()),
            splat: a.splat.or(b.splat),
            loc: Loc::fuse([&a.loc, &b.loc]),
            before_step: a.before_step || b.before_step,
        };
        let did = DidMerge(differs(&merged, a), differs(&merged, &b));
        *a = merged;
        did
    }
}

/// Whether facts differ that facts of other classes are made from.
fn differs(a: &Data, b: &Data) -> bool {
    a.types != b.types
        || a.constant != b.constant
        || a.stored != b.stored
        || a.value.is_some() != b.value.is_some()
        || a.splat.is_some() != b.splat.is_some()
}
