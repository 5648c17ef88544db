//! Building graphs: type inference, folding of small constants, and following of shapes as nodes are added.

use crate::contents;
use crate::{Graph, Node, Port, ValueId};
use diag::Loc;
use ops::{BinaryKind, CompareKind, Const, Op, ReduceKind, TypeError, UnaryKind};
use std::collections::HashMap;
use tensor::{Bounds, DType, Dim, Scalar, Tensor, TensorType, broadcast_dims};

/// Results with at most this many elements are computed while the graph is built, if all operands are constants.
const MAX_FOLDED_ELEMENTS: usize = 4096;

/// Why a node could not be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The operands break a constraint of the operator.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// Two shapes that do not broadcast.
    #[error("shapes of {0} and {1} do not broadcast")]
    Broadcast(TensorType, TensorType),
}

type Result<T> = std::result::Result<T, BuildError>;

/// Adds nodes to a graph, one by one, in order.
///
/// ```
/// # use graph::Builder;
/// # use tensor::{DType, TensorType};
/// let mut b = Builder::new("double");
/// let x = b.input("x", TensorType::new(DType::F32, [2, 3]));
/// let y = b.add(x, x)?;
/// b.output("y", y);
/// assert_eq!(b.finish().nodes.len(), 1);
/// # Ok::<(), graph::BuildError>(())
/// ```
#[derive(Debug)]
pub struct Builder {
    graph: Graph,
    loc: Loc,
    /// Elements of small integer values, as far as they are known.
    known: Vec<Option<Vec<Dim>>>,
    constants: Vec<Option<Tensor>>,
    /// Pure nodes that exist, so that equal ones are added once.
    existing: HashMap<(Op, Vec<ValueId>), Vec<ValueId>>,
    n_fresh: usize,
    bounds: Bounds,
}

impl Builder {
    /// A builder of an empty graph, of whose symbols nothing is known.
    pub fn new(name: &str) -> Self {
        Builder::with_bounds(name, Bounds::default())
    }

    /// A builder of an empty graph, with facts on its symbols.
    pub fn with_bounds(name: &str, bounds: Bounds) -> Self {
        Builder {
            graph: Graph::new(name),
            loc: Loc::Unknown,
            known: Vec::new(),
            constants: Vec::new(),
            existing: HashMap::new(),
            n_fresh: 0,
            bounds,
        }
    }

    /// Sets where the nodes that are added from now on come from.
    pub fn set_loc(&mut self, loc: Loc) {
        self.loc = loc;
    }

    /// What is known of symbols.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// Adds to what is known of symbols; nodes that were added before do not change.
    pub fn bounds_mut(&mut self) -> &mut Bounds {
        &mut self.bounds
    }

    /// The present location.
    pub fn loc(&self) -> &Loc {
        &self.loc
    }

    /// The graph so far.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The type of a value.
    pub fn ty(&self, value: ValueId) -> &TensorType {
        self.graph.ty(value)
    }

    /// The shape of a value.
    pub fn shape(&self, value: ValueId) -> &[Dim] {
        &self.graph.ty(value).shape
    }

    /// The element type of a value.
    pub fn dtype(&self, value: ValueId) -> DType {
        self.graph.ty(value).dtype
    }

    /// The number of axes of a value.
    pub fn rank(&self, value: ValueId) -> usize {
        self.graph.ty(value).rank()
    }

    /// The elements of a small integer value as expressions, if they are known.
    pub fn known(&self, value: ValueId) -> Option<&[Dim]> {
        self.known[value.index()].as_deref()
    }

    /// The content of a value, if it is known at compile time.
    pub fn constant_of(&self, value: ValueId) -> Option<&Tensor> {
        self.constants[value.index()].as_ref()
    }

    /// A symbol name that is not used yet in graphs that this builder makes.
    pub fn fresh_symbol(&mut self, hint: &str) -> String {
        self.n_fresh += 1;
        format!(
            "{hint}_{}{}",
            self.graph.n_values(),
            if self.n_fresh > 0 { format!("_{}", self.n_fresh) } else { String::new() }
        )
    }

    fn add_value(&mut self, ty: TensorType) -> ValueId {
        self.known.push(None);
        self.constants.push(None);
        self.graph.add_value(ty, None)
    }

    /// Adds an input.
    pub fn input(&mut self, name: &str, ty: TensorType) -> ValueId {
        let value = self.add_value(ty);
        self.graph.value_mut(value).name = Some(name.into());
        self.graph.inputs.push(Port { name: name.into(), value });
        value
    }

    /// Makes a value a result of the graph.
    pub fn output(&mut self, name: &str, value: ValueId) {
        self.graph.outputs.push(Port { name: name.into(), value });
    }

    /// Gives a value the name that it has in the model.
    pub fn name_value(&mut self, value: ValueId, name: &str) {
        self.graph.value_mut(value).name.get_or_insert_with(|| name.into());
    }

    /// The finished graph.
    pub fn finish(self) -> Graph {
        self.graph
    }

    /// Adds an operation with one result.
    pub fn emit(&mut self, op: impl Into<Op>, inputs: &[ValueId]) -> Result<ValueId> {
        Ok(self.emit_all(op, inputs)?[0])
    }

    /// Adds an operation. Equal pure operations are added once; small constant results are computed at once.
    pub fn emit_all(&mut self, op: impl Into<Op>, inputs: &[ValueId]) -> Result<Vec<ValueId>> {
        let op = op.into();
        let types: Vec<TensorType> = inputs.iter().map(|v| self.ty(*v).clone()).collect();
        let results = op.infer(&types)?;
        let key = (op, inputs.to_vec());
        if let Some(outputs) = self.existing.get(&key) {
            return Ok(outputs.clone());
        }
        let (op, _) = &key;
        if let Some(value) = self.folded(op, inputs, &types, &results) {
            return Ok(vec![value]);
        }
        let outputs = self.push_node(op.clone(), inputs, results, Vec::new());
        self.learn(&key.0, inputs, &types, &outputs);
        if !key.0.is_impure() && key.0.defined_symbols().is_empty() {
            self.existing.insert(key, outputs.clone());
        }
        Ok(outputs)
    }

    /// Adds a control-flow operation, whose result types come from its regions.
    pub fn emit_regions(
        &mut self,
        op: impl Into<Op>,
        inputs: &[ValueId],
        regions: Vec<Graph>,
        results: Vec<TensorType>,
    ) -> Vec<ValueId> {
        self.push_node(op.into(), inputs, results, regions)
    }

    fn push_node(&mut self, op: Op, inputs: &[ValueId], results: Vec<TensorType>, regions: Vec<Graph>) -> Vec<ValueId> {
        let outputs: Vec<ValueId> = results.into_iter().map(|ty| self.add_value(ty)).collect();
        let (inputs, loc) = (inputs.to_vec(), self.loc.clone());
        self.graph.nodes.push(Node { op, inputs, outputs: outputs.clone(), regions, loc });
        outputs
    }

    /// Records what is known of a new node's results.
    fn learn(&mut self, op: &Op, inputs: &[ValueId], types: &[TensorType], outputs: &[ValueId]) {
        if let (Op::Constant(constant), [out]) = (op, outputs) {
            self.constants[out.index()] = Some(constant.value.0.clone());
        }
        if let [out] = outputs {
            let known: Vec<Option<&[Dim]>> = inputs.iter().map(|v| self.known(*v)).collect();
            self.known[out.index()] = contents::follow(op, types, &known, self.ty(*out), &self.bounds);
        }
    }

    /// A constant instead of an operation, where the result can be told now.
    fn folded(&mut self, op: &Op, inputs: &[ValueId], types: &[TensorType], results: &[TensorType]) -> Option<ValueId> {
        let [result] = results else { return None };
        let shape = result.static_shape().filter(|_| result.static_len().is_some_and(|n| n <= MAX_FOLDED_ELEMENTS))?;
        if matches!(op, Op::Constant(_))
            || op.is_impure()
            || inputs.iter().any(|v| self.ty(*v).num_elements().as_const().is_none_or(|n| n > 1 << 16))
        {
            return None;
        }
        let constants: Option<Vec<Tensor>> = inputs.iter().map(|v| self.constant_of(*v).cloned()).collect();
        if let Some(constants) = constants.filter(|_| op.used_symbols().is_empty()) {
            let tensor = op.eval(&constants).ok()?.pop()?;
            return self.constant(tensor).ok();
        }
        let known: Vec<Option<&[Dim]>> = inputs.iter().map(|v| self.known(*v)).collect();
        let elements = contents::follow(op, types, &known, result, &self.bounds)?;
        let values: Vec<i64> = elements.iter().map(Dim::as_const).collect::<Option<_>>()?;
        self.constant(Tensor::build(result.dtype, shape, |idx| Scalar::Int(values[idx].into()))).ok()
    }

    /// A constant.
    pub fn constant(&mut self, tensor: Tensor) -> Result<ValueId> {
        self.emit(ops::Constant { value: Const(tensor) }, &[])
    }

    /// A rank-0 constant.
    pub fn scalar(&mut self, dtype: DType, value: f64) -> Result<ValueId> {
        let scalar = if dtype.is_float() { Scalar::Float(value) } else { Scalar::Int(value as i128) };
        self.constant(Tensor::scalar(dtype, scalar))
    }

    /// A number repeated to the shape and element type of a value.
    pub fn splat_like(&mut self, value: f64, like: ValueId) -> Result<ValueId> {
        let ty = self.ty(like).clone();
        let scalar = self.scalar(ty.dtype, value)?;
        self.broadcast(scalar, ty.shape)
    }

    /// Integers as an `i64[n]` constant.
    pub fn ints(&mut self, values: &[i64]) -> Result<ValueId> {
        self.constant(Tensor::from_vec(vec![values.len()], values.to_vec()))
    }

    /// Dimension expressions as an `i64[n]` value.
    pub fn dims(&mut self, values: Vec<Dim>) -> Result<ValueId> {
        self.emit(ops::Dims { values }, &[])
    }

    /// Repeats a value to a shape; nothing is added where it has that shape already.
    pub fn broadcast(&mut self, x: ValueId, shape: Vec<Dim>) -> Result<ValueId> {
        if self.shape(x) == shape { Ok(x) } else { self.emit(ops::Broadcast { shape }, &[x]) }
    }

    /// Another shape for the same elements; nothing is added where it has that shape already.
    pub fn reshape(&mut self, x: ValueId, shape: Vec<Dim>) -> Result<ValueId> {
        if self.shape(x) == shape { Ok(x) } else { self.emit(ops::Reshape { shape }, &[x]) }
    }

    /// A permutation of axes; nothing is added for the identity.
    pub fn transpose(&mut self, x: ValueId, perm: Vec<usize>) -> Result<ValueId> {
        if perm.iter().copied().eq(0..self.rank(x)) { Ok(x) } else { self.emit(ops::Transpose { perm }, &[x]) }
    }

    /// Another element type; nothing is added where it has that type already.
    pub fn cast(&mut self, x: ValueId, to: DType) -> Result<ValueId> {
        if self.dtype(x) == to { Ok(x) } else { self.emit(ops::Cast { to, saturate: true }, &[x]) }
    }

    /// The operands repeated to their common shape.
    pub fn broadcast_all(&mut self, values: &[ValueId]) -> Result<Vec<ValueId>> {
        let Some((first, rest)) = values.split_first() else {
            return Ok(Vec::new());
        };
        let mut shape = self.shape(*first).to_vec();
        for value in rest {
            let other = self.shape(*value).to_vec();
            shape = broadcast_shapes(&shape, &other, &self.bounds)
                .ok_or_else(|| BuildError::Broadcast(self.ty(*first).clone(), self.ty(*value).clone()))?;
        }
        values.iter().map(|v| self.broadcast(*v, shape.clone())).collect()
    }

    /// A function of each element.
    pub fn unary(&mut self, kind: UnaryKind, x: ValueId) -> Result<ValueId> {
        self.emit(ops::Unary { kind }, &[x])
    }

    /// A function of each pair of elements, after broadcasting.
    pub fn binary(&mut self, kind: BinaryKind, a: ValueId, b: ValueId) -> Result<ValueId> {
        let both = self.broadcast_all(&[a, b])?;
        self.emit(ops::Binary { kind }, &both)
    }

    /// A comparison of each pair of elements, after broadcasting.
    pub fn compare(&mut self, kind: CompareKind, a: ValueId, b: ValueId) -> Result<ValueId> {
        let both = self.broadcast_all(&[a, b])?;
        self.emit(ops::Compare { kind }, &both)
    }

    /// `condition ? a : b` for every element, after broadcasting.
    pub fn select(&mut self, condition: ValueId, a: ValueId, b: ValueId) -> Result<ValueId> {
        let all = self.broadcast_all(&[condition, a, b])?;
        self.emit(ops::Select {}, &all)
    }

    /// The elements along some axes combined into one; the axes stay with size 1 if `keep`.
    pub fn reduce(&mut self, kind: ReduceKind, x: ValueId, axes: &[usize], keep: bool) -> Result<ValueId> {
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        axes.dedup();
        let kept = |(axis, dim): (usize, &Dim)| {
            if axes.contains(&axis) { Dim::from(1) } else { dim.clone() }
        };
        let shape: Vec<Dim> = self.shape(x).iter().enumerate().map(kept).collect();
        let reduced = if axes.is_empty() { x } else { self.emit(ops::Reduce { kind, axes }, &[x])? };
        if keep { self.reshape(reduced, shape) } else { Ok(reduced) }
    }

    /// `a + b` with broadcasting.
    #[allow(clippy::should_implement_trait, reason = "the builder is not a number")]
    pub fn add(&mut self, a: ValueId, b: ValueId) -> Result<ValueId> {
        self.binary(BinaryKind::Add, a, b)
    }

    /// `a - b` with broadcasting.
    #[allow(clippy::should_implement_trait, reason = "the builder is not a number")]
    pub fn sub(&mut self, a: ValueId, b: ValueId) -> Result<ValueId> {
        self.binary(BinaryKind::Sub, a, b)
    }

    /// `a * b` with broadcasting.
    #[allow(clippy::should_implement_trait, reason = "the builder is not a number")]
    pub fn mul(&mut self, a: ValueId, b: ValueId) -> Result<ValueId> {
        self.binary(BinaryKind::Mul, a, b)
    }

    /// `a / b` with broadcasting.
    #[allow(clippy::should_implement_trait, reason = "the builder is not a number")]
    pub fn div(&mut self, a: ValueId, b: ValueId) -> Result<ValueId> {
        self.binary(BinaryKind::Div, a, b)
    }
}

/// The common shape by NumPy's rule, or `None`.
fn broadcast_shapes(a: &[Dim], b: &[Dim], bounds: &Bounds) -> Option<Vec<Dim>> {
    let rank = a.len().max(b.len());
    let at = |shape: &[Dim], axis: usize| {
        (axis + shape.len()).checked_sub(rank).map_or(Dim::from(1), |idx| shape[idx].clone())
    };
    (0..rank).map(|axis| broadcast_dims(&at(a, axis), &at(b, axis), bounds)).collect()
}
