//! The e-graph with the questions that rules ask, and typed construction of new nodes.

mod facts;
mod lang;

pub(crate) use facts::{Conflict, Data, Facts, infer, op_of, operands};
pub(crate) use lang::{ENode, Head, elementwise, is_elementwise};

use crate::{scalars, shapes};
use egg::{EGraph, Id};
use ops::{Broadcast, Op, Reshape};
use tensor::{DType, Dim, Scalar, Tensor, TensorType};

/// An e-graph over tensor programs.
pub(crate) struct Eg {
    pub(crate) egraph: EGraph<ENode, Facts>,
}

/// The struct of an operator inside [`Op`].
pub(crate) trait Spec: Clone {
    /// The operator as this struct, if it is one.
    fn of(op: &Op) -> Option<&Self>;
}

macro_rules! specs {
    ($($ty:ident),*) => { $(impl Spec for ops::$ty {
        fn of(op: &Op) -> Option<&Self> { match op { Op::$ty(op) => Some(op), _ => None } }
    })* };
}
specs!(
    Unary, Binary, Cast, Reshape, Transpose, Broadcast, Slice, Pad, Concat, Gather, Reduce, ArgReduce, Dot, Conv, Pool
);

impl Eg {
    pub(crate) fn new(max_weight_bytes: usize) -> Self {
        let mut facts = Facts::default();
        facts.max_weight_bytes = max_weight_bytes;
        Eg { egraph: EGraph::new(facts) }
    }

    pub(crate) fn data(&self, id: Id) -> &Data {
        &self.egraph[id].data
    }

    /// The type of a tensor.
    pub(crate) fn ty(&self, id: Id) -> Option<&TensorType> {
        self.data(id).types.first()
    }

    pub(crate) fn shape(&self, id: Id) -> &[Dim] {
        self.ty(id).map_or(&[], |ty| &ty.shape)
    }

    pub(crate) fn rank(&self, id: Id) -> usize {
        self.shape(id).len()
    }

    pub(crate) fn dtype(&self, id: Id) -> Option<DType> {
        Some(self.ty(id)?.dtype)
    }

    pub(crate) fn is_float(&self, id: Id) -> bool {
        self.dtype(id).is_some_and(DType::is_float)
    }

    pub(crate) fn is_int(&self, id: Id) -> bool {
        self.dtype(id).is_some_and(DType::is_int)
    }

    pub(crate) fn splat(&self, id: Id) -> Option<Scalar> {
        self.data(id).splat
    }

    /// Whether a value depends on constants only.
    pub(crate) fn is_constant(&self, id: Id) -> bool {
        self.data(id).constant
    }

    /// Whether a value is computed at compile time, and not a repetition that only run time makes.
    pub(crate) fn is_weight(&self, id: Id) -> bool {
        self.data(id).stored.is_some()
    }

    /// The attributes that a pattern variable is bound to, or that a node has.
    pub(crate) fn attr<T: Spec>(&self, leaf: Id) -> Option<T> {
        self.egraph[leaf].nodes.iter().find_map(|node| match node.head {
            Head::Attr(id) => T::of(self.egraph.analysis.attrs.get(id as usize)?).cloned(),
            _ => None,
        })
    }

    /// The attributes that a leaf holds, whatever the operator.
    pub(crate) fn any_attr(&self, leaf: Id) -> Option<Op> {
        self.egraph[leaf].nodes.iter().find_map(|node| match node.head {
            Head::Attr(id) => self.egraph.analysis.attrs.get(id as usize).cloned(),
            _ => None,
        })
    }

    /// Every member of a class that is an elementwise operator, with its operands.
    pub(crate) fn elementwise_members(&self, id: Id) -> Vec<(Op, Vec<Id>)> {
        let nodes = self.egraph[id].nodes.iter();
        nodes
            .filter_map(|node| {
                let op = op_of(&self.egraph, node)?;
                (is_elementwise(op) || matches!(op, Op::Cast(_))).then(|| (op.clone(), operands(node).to_vec()))
            })
            .collect()
    }

    /// Every member of a class that is this operator, with its operands.
    pub(crate) fn members<T: Spec>(&self, id: Id) -> Vec<(T, Vec<Id>)> {
        self.egraph[id]
            .nodes
            .iter()
            .filter_map(|node| {
                let op = T::of(op_of(&self.egraph, node)?)?;
                Some((op.clone(), operands(node).to_vec()))
            })
            .collect()
    }

    /// Whether two values are known to be equal.
    pub(crate) fn same(&self, a: Id, b: Id) -> bool {
        self.egraph.find(a) == self.egraph.find(b)
    }

    /// Adds an operation with one result; `None` if its operands do not fit it.
    /// What would only wrap its operand gives the operand.
    pub(crate) fn emit(&mut self, op: impl Into<Op>, inputs: &[Id]) -> Option<Id> {
        let op = op.into();
        if self.is_wrapper(&op, inputs) {
            return Some(inputs[0]);
        }
        let node = self.node(&op, inputs);
        if let Some(id) = self.egraph.lookup(node.clone()) {
            return Some(id);
        }
        let types = infer(&op, &facts::types_of(&self.egraph, inputs)?)?;
        if types.len() != 1 || !crate::canon::fold::is_plain(&op) {
            return None;
        }
        self.egraph.analysis.pending = Some(types);
        Some(self.egraph.add(node))
    }

    fn node(&mut self, op: &Op, inputs: &[Id]) -> ENode {
        let mut children = Vec::with_capacity(inputs.len() + 1);
        if !is_elementwise(op) {
            let attr = self.egraph.analysis.intern(op);
            children.push(self.egraph.add(ENode::leaf(Head::Attr(attr))));
        }
        children.extend(inputs);
        ENode { head: Head::Op(op.name()), children }
    }

    /// Whether an operation gives its operand as it is.
    fn is_wrapper(&self, op: &Op, inputs: &[Id]) -> bool {
        let [x] = inputs else {
            return matches!((op, inputs), (Op::Pad(pad), [_, _]) if is_zero_pad(pad));
        };
        match op {
            Op::Reshape(op) => self.shape(*x) == op.shape,
            Op::Broadcast(op) => self.shape(*x) == op.shape,
            Op::Transpose(op) => shapes::is_identity(&op.perm),
            Op::Slice(op) => shapes::is_whole(op, self.shape(*x)),
            Op::Cast(op) => self.dtype(*x) == Some(op.to),
            Op::Concat(_) => true,
            _ => false,
        }
    }

    pub(crate) fn input(&mut self, ty: TensorType) -> Id {
        let inputs = &mut self.egraph.analysis.inputs;
        inputs.push(ty);
        let head = Head::Input(inputs.len() as u32 - 1);
        self.egraph.add(ENode::leaf(head))
    }

    pub(crate) fn weight(&mut self, tensor: &Tensor) -> Id {
        let head = Head::Weight(self.egraph.analysis.weight(tensor));
        self.egraph.add(ENode::leaf(head))
    }

    /// A constant, also as a repetition if it is one, so that rules see its core.
    pub(crate) fn constant(&mut self, tensor: &Tensor) -> Id {
        let id = self.weight(tensor);
        if let Some(core) = scalars::core(tensor) {
            let core = self.weight(&core);
            let shape = self.shape(id).to_vec();
            if let Some(repeated) = self.broadcast(core, &shape) {
                self.egraph.union_trusted(id, repeated, "repetition");
            }
        }
        id
    }

    /// Adds a node that rules do not look into, and gives its results.
    pub(crate) fn opaque(&mut self, inputs: Vec<Id>, types: Vec<TensorType>) -> (Id, Vec<Id>) {
        let n_results = types.len() as u32;
        self.egraph.analysis.opaques.push(types);
        let uid = self.egraph.analysis.opaques.len() as u32 - 1;
        let node = self.egraph.add(ENode { head: Head::Opaque(uid), children: inputs });
        let result = |idx| ENode { head: Head::Result(idx), children: vec![node] };
        let results = (0..n_results).map(|idx| self.egraph.add(result(idx)));
        (node, results.collect())
    }

    /// A number repeated to a shape.
    pub(crate) fn number(&mut self, dtype: DType, value: f64, shape: &[Dim]) -> Option<Id> {
        let scalar = if dtype.is_float() { Scalar::Float(value) } else { Scalar::Int(value as i128) };
        let id = self.weight(&Tensor::scalar(dtype, scalar));
        self.broadcast(id, shape)
    }

    pub(crate) fn broadcast(&mut self, x: Id, shape: &[Dim]) -> Option<Id> {
        let shape = shape.to_vec();
        self.emit(Broadcast { shape }, &[x])
    }

    pub(crate) fn reshape(&mut self, x: Id, shape: Vec<Dim>) -> Option<Id> {
        self.emit(Reshape { shape }, &[x])
    }

    /// A compile-time value that, repeated by NumPy's rule to the shape of `id`, is `id`:
    /// what a repetition repeats, or else the value itself.
    pub(crate) fn core(&self, id: Id) -> Option<Id> {
        if !self.is_constant(id) {
            return None;
        }
        self.members::<Broadcast>(id)
            .into_iter()
            .map(|(_, inputs)| inputs[0])
            .find(|x| self.is_weight(*x))
            .or_else(|| self.is_weight(id).then_some(id))
    }

    /// The core as a tensor of the full rank, with size 1 along repeated axes; `None` if it varies along other
    /// axes than those allowed.
    pub(crate) fn core_along(&mut self, id: Id, allowed: &[usize]) -> Option<Id> {
        let (core, rank) = (self.core(id)?, self.rank(id));
        let missing = rank.checked_sub(self.rank(core))?;
        let mut shape = vec![Dim::from(1); missing];
        shape.extend_from_slice(self.shape(core));
        let varies = |axis: &usize| shape[*axis] != Dim::from(1);
        if (0..rank).filter(varies).any(|axis| !allowed.contains(&axis)) {
            return None;
        }
        self.reshape(core, shape)
    }
}

fn is_zero_pad(pad: &ops::Pad) -> bool {
    let zero = Dim::from(0);
    pad.low.iter().chain(&pad.high).all(|dim| *dim == zero)
}
