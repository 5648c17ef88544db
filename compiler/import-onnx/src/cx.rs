//! What an operator's import function sees: its node, the graph under construction, and access to compile-time values.

use crate::env::{Env, Frame, Scope, Slot};
use crate::error::{ImportError, bad, unsupported};
use crate::origins;
use crate::proto::NodeProto;
use graph::{Builder, ValueId};
use tensor::{Dim, Tensor};

type Result<T> = std::result::Result<T, ImportError>;

/// Operands of a node, with `None` where an optional one is left out; trailing ones may be missing altogether.
pub(crate) type Inputs<'i> = &'i [Option<ValueId>];

/// Results of a node in the order of the standard; optional ones at the end may be left out if nobody asks for them.
pub(crate) type OpResult = Result<Vec<ValueId>>;

/// Adds the nodes that mean what one ONNX node means.
pub(crate) type OpFn = fn(&mut Cx, Inputs) -> OpResult;

/// The same for operators over sequences and optionals.
pub(crate) type SlotFn = fn(&mut Cx, &[Option<Slot>]) -> Result<Vec<Slot>>;

/// The context of one node's import.
pub(crate) struct Cx<'a, 'm> {
    /// The graph under construction.
    pub(crate) b: &'a mut Builder,
    /// The node.
    pub(crate) node: &'a NodeProto,
    /// The version of the node's operator domain.
    pub(crate) opset: i64,
    /// What all nodes share.
    pub(crate) env: &'a mut Env<'m>,
    /// Names that subgraphs of this node can see.
    pub(crate) scope: &'a Scope,
    /// What region parameters depend on.
    pub(crate) origins: &'a origins::Origins,
}

impl<'a, 'm> Cx<'a, 'm> {
    pub(crate) fn new(
        env: &'a mut Env<'m>,
        frame: &'a mut Frame,
        scope: &'a Scope,
        node: &'a NodeProto,
        opset: i64,
    ) -> Self {
        Cx { b: &mut frame.b, node, opset, env, scope, origins: &frame.origins }
    }

    /// An operand that must be there.
    pub(crate) fn input(&self, inputs: Inputs, idx: usize) -> Result<ValueId> {
        match self.opt(inputs, idx) {
            Some(value) => Ok(value),
            None => bad(format!("input #{idx} is missing")),
        }
    }

    /// An operand that may be missing.
    pub(crate) fn opt(&self, inputs: Inputs, idx: usize) -> Option<ValueId> {
        inputs.get(idx).copied().flatten()
    }

    /// Whether the node names its result `idx`.
    pub(crate) fn wants(&self, idx: usize) -> bool {
        self.node.output.get(idx).is_some_and(|name| !name.is_empty())
    }

    /// The content of a value that must be known at compile time.
    pub(crate) fn const_tensor(&self, value: ValueId) -> Result<Tensor> {
        if let Some(tensor) = self.b.constant_of(value) {
            return Ok(tensor.clone());
        }
        if let (Some(ints), Some(shape)) = (self.const_known(value), self.b.ty(value).static_shape()) {
            let at = |idx: usize| tensor::Scalar::Int(ints[idx].into());
            return Ok(Tensor::build(self.b.dtype(value), shape, at));
        }
        Err(self.needs_constant(value))
    }

    /// The integers in a value that must be known at compile time.
    pub(crate) fn const_ints(&self, value: ValueId) -> Result<Vec<i64>> {
        let dtype = self.b.dtype(value);
        if !dtype.is_int() && dtype != tensor::DType::Bool {
            return bad(format!("{} where integers belong", self.b.ty(value)));
        }
        match self.const_known(value) {
            Some(ints) => Ok(ints),
            None => Ok(self.const_tensor(value)?.to_ints()),
        }
    }

    /// One integer that must be known at compile time.
    pub(crate) fn const_int(&self, value: ValueId) -> Result<i64> {
        match self.const_ints(value)?.as_slice() {
            [one] => Ok(*one),
            other => bad(format!("{} elements where one belongs", other.len())),
        }
    }

    /// One number that must be known at compile time.
    pub(crate) fn const_f64(&self, value: ValueId) -> Result<f64> {
        let tensor = self.const_tensor(value)?;
        match tensor.len() {
            1 => Ok(tensor.get(0).as_f64()),
            n => bad(format!("{n} elements where one belongs")),
        }
    }

    fn const_known(&self, value: ValueId) -> Option<Vec<i64>> {
        self.b.known(value)?.iter().map(Dim::as_const).collect()
    }

    /// The error for a value that is not known at compile time, with what the user can do about it.
    pub(crate) fn needs_constant(&self, value: ValueId) -> ImportError {
        ImportError::NeedsConstant {
            what: self.describe(value),
            needs: origins::needs(self.b, self.origins, &self.env.symbols, value).unwrap_or_default(),
        }
    }

    /// The error for a dimension that must be a number.
    pub(crate) fn needs_dim(&self, dim: &Dim) -> ImportError {
        let needs = origins::dim_needs(self.b, self.origins, &self.env.symbols, dim);
        ImportError::NeedsConstant { what: format!("dimension {dim}"), needs: needs.unwrap_or_default() }
    }

    /// A dimension that must be a number.
    pub(crate) fn const_dim(&self, dim: &Dim) -> Result<usize> {
        match dim.as_const() {
            Some(size) => usize::try_from(size).or_else(|_| bad(format!("the dimension {size} is negative"))),
            None => Err(self.needs_dim(dim)),
        }
    }

    fn describe(&self, value: ValueId) -> String {
        match &self.b.graph().value(value).name {
            Some(name) => format!("`{name}` ({})", self.b.ty(value)),
            None => format!("an operand ({})", self.b.ty(value)),
        }
    }

    /// The elements of an integer value as expressions, as far as they are known without running anything.
    pub(crate) fn known_dims(&self, value: ValueId) -> Option<Vec<Dim>> {
        self.b.known(value).map(<[Dim]>::to_vec)
    }

    /// The elements of an integer value as expressions: those that are known, or new symbols that are bound at run time.
    pub(crate) fn runtime_dims(&mut self, value: ValueId) -> Result<Vec<Dim>> {
        if let Some(known) = self.known_dims(value) {
            return Ok(known);
        }
        if !self.b.dtype(value).is_int() {
            return bad(format!("{} where integers belong", self.b.ty(value)));
        }
        if let Some(tensor) = self.b.constant_of(value) {
            return Ok(tensor.to_ints().into_iter().map(Dim::from).collect());
        }
        let Some(n) = self.b.ty(value).num_elements().as_const() else {
            return unsupported(format!(
                "{} holds sizes, but how many is not known at compile time",
                self.describe(value)
            ));
        };
        let symbols: Vec<String> = (0..n).map(|_| self.fresh("d")).collect();
        let dims = symbols.iter().map(|s| Dim::symbol(s)).collect();
        self.b.emit_all(ops::Bind { symbols }, &[value])?;
        Ok(dims)
    }

    /// One integer as an expression, as [`Cx::runtime_dims`].
    pub(crate) fn runtime_dim(&mut self, value: ValueId) -> Result<Dim> {
        let dims = self.runtime_dims(value)?;
        match <[Dim; 1]>::try_from(dims) {
            Ok([dim]) => Ok(dim),
            Err(dims) => bad(format!("{} elements where one belongs", dims.len())),
        }
    }

    /// A name for a new symbol, which nothing in this model has.
    pub(crate) fn fresh(&mut self, hint: &str) -> String {
        self.env.symbols.fresh(hint)
    }

    /// An axis, counted from the end where it is negative.
    pub(crate) fn axis(&self, axis: i64, rank: usize) -> Result<usize> {
        let n = rank as i64;
        if !(-n..n).contains(&axis) {
            return bad(format!("axis {axis} of a tensor with {rank} axes"));
        }
        Ok(axis.rem_euclid(n) as usize)
    }

    /// Axes, counted from the end where they are negative; none may come twice.
    pub(crate) fn axes(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>> {
        let all: Vec<usize> = axes.iter().map(|axis| self.axis(*axis, rank)).collect::<Result<_>>()?;
        let mut sorted = all.clone();
        sorted.sort_unstable();
        if !sorted.is_sorted_by(|a, b| a < b) {
            return bad(format!("axes {axes:?} name an axis twice"));
        }
        Ok(all)
    }
}
