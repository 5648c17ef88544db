//! Canonicalization: one linear, deterministic walk that rebuilds the graph and simplifies each node as it is added.
//!
//! Because operands are canonical before their users are looked at, one walk reaches nearly everything; every step
//! either removes a node or makes it smaller, so the walk always ends.

mod algebra;
mod control;
mod dot;
pub(crate) mod fold;
mod quick;
mod spread;
mod views;

#[cfg(test)]
pub(crate) use quick::eval as quick_eval;
pub(crate) use spread::joint_shape;

use crate::scalars;
use crate::{Contract, Exactness};
use diag::Loc;
use graph::{Graph, Node, ValueId};
use ops::{BinaryKind, CompareKind, Const, Op};
use std::collections::{BTreeMap, HashMap};
use tensor::{Dim, Scalar, Symbol, Tensor, TensorType};

/// The canonical form of a graph, bit-exact.
///
/// Dead code and repeated code are gone, constants are folded, and views (reshape, transpose, broadcast, slice)
/// stand in their shortest form.
pub fn canonicalize(graph: Graph) -> Graph {
    canonicalize_under(graph, Contract::Bitwise)
}

/// The same with the freedoms of a contract: under [`Contract::Relaxed`] also `x + 0` is `x`.
pub fn canonicalize_under(graph: Graph, contract: Contract) -> Graph {
    canonicalize_within(graph, contract, fold::MAX_BYTES)
}

/// The same, with another bound on the size of constants that are made.
pub(crate) fn canonicalize_within(graph: Graph, contract: Contract, max_weight_bytes: usize) -> Graph {
    let mut canon = Canon::new(&graph, contract, max_weight_bytes);
    let mut map: Vec<Option<ValueId>> = vec![None; graph.n_values()];
    for port in &graph.inputs {
        let info = graph.value(port.value);
        let value = canon.add_value(info.ty.clone());
        canon.out.value_mut(value).name.clone_from(&info.name);
        canon.out.inputs.push(graph::Port { name: port.name.clone(), value });
        map[port.value.index()] = Some(value);
    }
    let names: Vec<Option<String>> =
        (0..graph.n_values()).map(|idx| graph.value(ValueId(idx as u32)).name.clone()).collect();
    let (outputs, types) = (graph.outputs.clone(), value_types(&graph));
    for node in graph.nodes {
        canon.node(node, &types, &names, &mut map);
    }
    for mut port in outputs {
        if let Some(value) = map[port.value.index()] {
            port.value = value;
            canon.out.outputs.push(port);
        }
    }
    let mut out = canon.out;
    graph::sort(&mut out);
    graph::eliminate_dead(&mut out);
    out
}

fn value_types(graph: &Graph) -> Vec<TensorType> {
    (0..graph.n_values()).map(|idx| graph.ty(ValueId(idx as u32)).clone()).collect()
}

/// The graph that is being built, with tables about its values.
pub(crate) struct Canon {
    pub(crate) out: Graph,
    contract: Contract,
    max_weight_bytes: usize,
    /// For each value, the position of its node in `out`.
    producers: Vec<Option<usize>>,
    /// For each value, the element that all of its elements are equal to.
    splats: Vec<Option<Scalar>>,
    /// For each value, whether it depends on constants only.
    constant_like: Vec<bool>,
    existing: HashMap<(Op, Vec<ValueId>), ValueId>,
    /// Symbols that inlined control flow defined, and what they stand for now.
    symbols: BTreeMap<Symbol, Dim>,
    /// Where nodes that are added now come from.
    loc: Loc,
}

impl Canon {
    fn new(graph: &Graph, contract: Contract, max_weight_bytes: usize) -> Self {
        Canon {
            out: Graph::new(graph.name.clone()),
            contract,
            max_weight_bytes,
            producers: Vec::new(),
            splats: Vec::new(),
            constant_like: Vec::new(),
            existing: HashMap::new(),
            symbols: BTreeMap::new(),
            loc: Loc::Unknown,
        }
    }

    /// Takes over one node of the source graph.
    fn node(&mut self, node: Node, types: &[TensorType], names: &[Option<String>], map: &mut [Option<ValueId>]) {
        // A value that nothing defines means an ill-formed graph; its users are dropped rather than guessed at.
        let Some(inputs) = node.inputs.iter().map(|v| map[v.index()]).collect::<Option<Vec<ValueId>>>() else {
            return;
        };
        self.loc = node.loc.clone();
        let types: Vec<TensorType> = node.outputs.iter().map(|v| self.renamed_type(&types[v.index()])).collect();
        let outputs = self.outputs_of(&node, inputs, types);
        for (old, new) in node.outputs.iter().zip(outputs) {
            map[old.index()] = Some(new);
            if let Some(name) = &names[old.index()] {
                let slot = &mut self.out.value_mut(new).name;
                slot.get_or_insert_with(|| name.clone());
            }
        }
    }

    fn outputs_of(&mut self, node: &Node, inputs: Vec<ValueId>, types: Vec<TensorType>) -> Vec<ValueId> {
        if matches!(node.op, Op::If(_) | Op::Loop(_)) {
            return self.control(node, inputs, types);
        }
        let op = self.renamed_op(&node.op);
        let plain = !op.is_impure() && op.defined_symbols().is_empty();
        if let (true, [ty]) = (plain, &types[..]) {
            return vec![self.simplified(op, inputs, ty)];
        }
        self.push(op, inputs, types, Vec::new())
    }

    /// The operator with symbols of inlined control flow replaced.
    fn renamed_op(&self, op: &Op) -> Op {
        if self.symbols.is_empty() { op.clone() } else { op.substitute(&|symbol| self.symbols.get(symbol).cloned()) }
    }

    fn renamed_type(&self, ty: &TensorType) -> TensorType {
        if self.symbols.is_empty() {
            return ty.clone();
        }
        let lookup = |symbol: &Symbol| self.symbols.get(symbol).cloned();
        TensorType { dtype: ty.dtype, shape: ty.shape.iter().map(|dim| dim.substitute(&lookup)).collect() }
    }

    /// Adds an operation of a known result type, in its shortest form.
    fn simplified(&mut self, op: Op, mut inputs: Vec<ValueId>, ty: &TensorType) -> ValueId {
        self.order_operands(&op, &mut inputs);
        spread::compressed(self, &op, &mut inputs);
        let loc = self.loc.clone();
        if let Some(value) = self.simplify(&op, &inputs)
            && self.out.ty(value) == ty
        {
            self.loc = loc;
            return value;
        }
        self.loc = loc;
        let key = (op, inputs);
        if let Some(value) = self.existing.get(&key).copied() {
            self.join_loc(value);
            return value;
        }
        let outputs = self.push(key.0.clone(), key.1.clone(), vec![ty.clone()], Vec::new());
        self.existing.insert(key, outputs[0]);
        outputs[0]
    }

    /// Adds an operation with one result, in its shortest form; `None` if its operands do not fit it.
    pub(crate) fn emit(&mut self, op: impl Into<Op>, inputs: &[ValueId]) -> Option<ValueId> {
        let op = op.into();
        let types: Vec<TensorType> = inputs.iter().map(|v| self.ty(*v).clone()).collect();
        let results = op.infer(&types).ok()?;
        let [ty] = &results[..] else { return None };
        Some(self.simplified(op, inputs.to_vec(), ty))
    }

    pub(crate) fn constant(&mut self, tensor: Tensor) -> Option<ValueId> {
        self.emit(ops::Constant { value: Const(tensor) }, &[])
    }

    fn simplify(&mut self, op: &Op, inputs: &[ValueId]) -> Option<ValueId> {
        let short = match op {
            Op::Reshape(op) => views::reshape(self, op, inputs[0]),
            Op::Transpose(op) => views::transpose(self, op, inputs[0]),
            Op::Broadcast(op) => views::broadcast(self, op, inputs[0]),
            Op::Slice(op) => views::slice(self, op, inputs[0]),
            Op::Pad(op) => views::pad(self, op, inputs[0]),
            Op::Concat(op) => views::concat(self, op, inputs),
            Op::Reduce(op) => views::reduce(self, op, inputs[0]),
            Op::Dot(op) => dot::dot(self, op, inputs),
            Op::Cast(op) => algebra::cast(self, op, inputs[0]),
            Op::Unary(op) => algebra::unary(self, op, inputs[0]),
            Op::Binary(op) => algebra::binary(self, op, inputs[0], inputs[1]),
            Op::Select(_) => algebra::select(self, inputs),
            _ => None,
        };
        short.or_else(|| spread::spread(self, op, inputs)).or_else(|| fold::fold(self, op, inputs))
    }

    /// Puts the operands of commutative operators into one order: constants last, older values first.
    fn order_operands(&self, op: &Op, inputs: &mut [ValueId]) {
        let commutes = match op {
            Op::Binary(op) => matches!(
                op.kind,
                BinaryKind::Add | BinaryKind::Mul | BinaryKind::And | BinaryKind::Or | BinaryKind::Xor
            ),
            Op::Compare(op) => matches!(op.kind, CompareKind::Eq | CompareKind::Ne),
            _ => false,
        };
        // Operands of unlike symbolic shape stay: the result's shape follows the first one.
        if commutes && self.ty(inputs[0]) == self.ty(inputs[1]) {
            inputs.sort_by_key(|v| (self.constant_like[v.index()], *v));
        }
    }

    fn push(&mut self, op: Op, inputs: Vec<ValueId>, types: Vec<TensorType>, regions: Vec<Graph>) -> Vec<ValueId> {
        let outputs: Vec<ValueId> = types.into_iter().map(|ty| self.add_value(ty)).collect();
        for value in &outputs {
            self.producers[value.index()] = Some(self.out.nodes.len());
        }
        if let [out] = outputs[..] {
            self.splats[out.index()] = self.splat_of_node(&op, &inputs);
            self.constant_like[out.index()] = matches!(op, Op::Constant(_))
                || !inputs.is_empty()
                    && regions.is_empty()
                    && !op.is_impure()
                    && op.defined_symbols().is_empty()
                    && inputs.iter().all(|v| self.constant_like[v.index()]);
        }
        self.out.nodes.push(Node { op, inputs, outputs: outputs.clone(), regions, loc: self.loc.clone() });
        outputs
    }

    fn add_value(&mut self, ty: TensorType) -> ValueId {
        self.producers.push(None);
        self.splats.push(None);
        self.constant_like.push(false);
        self.out.add_value(ty, None)
    }

    fn splat_of_node(&self, op: &Op, inputs: &[ValueId]) -> Option<Scalar> {
        match op {
            Op::Constant(op) => scalars::splat(&op.value.0),
            Op::Broadcast(_) | Op::Reshape(_) | Op::Transpose(_) | Op::Slice(_) => self.splats[inputs[0].index()],
            _ => None,
        }
    }

    /// Marks nodes that are added from now on as coming also from where a value comes from.
    pub(crate) fn absorb(&mut self, value: ValueId) {
        if let Some(node) = self.producer(value)
            && !matches!(node.op, Op::Constant(_))
        {
            self.loc = Loc::fuse([&self.loc, &node.loc]);
        }
    }

    /// Adds the present location to the node that makes a value.
    fn join_loc(&mut self, value: ValueId) {
        if let Some(idx) = self.producers[value.index()] {
            let node = &mut self.out.nodes[idx];
            if !matches!(node.op, Op::Constant(_) | Op::Dims(_)) {
                node.loc = Loc::fuse([&node.loc, &self.loc]);
            }
        }
    }

    pub(crate) fn ty(&self, value: ValueId) -> &TensorType {
        self.out.ty(value)
    }

    pub(crate) fn producer(&self, value: ValueId) -> Option<&Node> {
        self.producers[value.index()].map(|idx| &self.out.nodes[idx])
    }

    /// The operator that makes a value, and its operands.
    pub(crate) fn made_by(&self, value: ValueId) -> Option<(Op, Vec<ValueId>)> {
        let node = self.producer(value)?;
        (!matches!(node.op, Op::Constant(_))).then(|| (node.op.clone(), node.inputs.clone()))
    }

    pub(crate) fn splat(&self, value: ValueId) -> Option<Scalar> {
        self.splats[value.index()]
    }

    /// The content of a value, if a constant node defines it.
    pub(crate) fn constant_of(&self, value: ValueId) -> Option<&Tensor> {
        match &self.producer(value)?.op {
            Op::Constant(op) => Some(&op.value.0),
            _ => None,
        }
    }

    pub(crate) fn allows(&self, exactness: Exactness) -> bool {
        self.contract.allows(exactness)
    }
}
