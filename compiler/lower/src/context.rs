//! What the writing of one kernel needs to know.

use crate::LowerError;
use crate::index::Idx;
use graph::{Graph, Node, ValueId};
use kernels::text::{Val, Writer};
use schedule::{Groups, Region};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use tensor::{Dim, Tensor, TensorType};

/// The kernel being written. Symbolic dimensions become numbered parameters as they are met.
pub(crate) struct Cx<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) region: &'a Region,
    pub(crate) producers: &'a [Option<usize>],
    pub(crate) constants: &'a [Option<&'a Tensor>],
    /// Pointers of leaves and of the result.
    pub(crate) ptrs: BTreeMap<ValueId, Val>,
    /// Tensor maps of the kernel.
    pub(crate) maps: Vec<Val>,
    /// Merged axes, if all members address by the result's axes.
    pub(crate) groups: Option<Groups>,
    /// Values that are in registers already: an anchor that a template has computed.
    pub(crate) given: RefCell<BTreeMap<ValueId, Val>>,
    /// Values of a row that are kept in memory between passes over it.
    pub(crate) kept: RefCell<BTreeMap<ValueId, Kept>>,
    /// Lanes of the target's vectors, for loops along memory inside an expression.
    wide: u32,
    members: BTreeSet<usize>,
    dims: RefCell<Vec<Dim>>,
    dim_vals: Vec<Val>,
    failure: RefCell<Option<LowerError>>,
}

/// Where the elements of one row of a value are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    pub(crate) ptr: Val,
    /// Whether a pass before has written them; else computing one writes it.
    pub(crate) is_written: bool,
}

/// What holds in the block that is being written: the lanes, which of them count, and the values computed already.
#[derive(Clone)]
pub(crate) struct Scope {
    pub(crate) lanes: u32,
    /// An index of the first lane that is a multiple of the lanes, if the template knows one.
    pub(crate) aligned: Option<Val>,
    pub(crate) mask: Option<Val>,
    /// Whether indices are along the axes of what is computed, also where the result has its axes in groups.
    pub(crate) by_axes: bool,
    pub(crate) memo: BTreeMap<(ValueId, Vec<Idx>), Val>,
}

impl Scope {
    pub(crate) fn new(lanes: u32, mask: Option<Val>) -> Scope {
        Scope { lanes, aligned: None, mask, by_axes: false, memo: BTreeMap::new() }
    }

    /// For what is computed before an anchor, which has axes of its own.
    pub(crate) fn by_axes(lanes: u32) -> Scope {
        Scope { by_axes: true, ..Scope::new(lanes, None) }
    }
}

impl<'a> Cx<'a> {
    pub(crate) fn new(
        graph: &'a Graph,
        region: &'a Region,
        producers: &'a [Option<usize>],
        constants: &'a [Option<&'a Tensor>],
        wide: u32,
    ) -> Cx<'a> {
        Cx {
            graph,
            region,
            producers,
            constants,
            ptrs: BTreeMap::new(),
            maps: Vec::new(),
            groups: None,
            given: RefCell::default(),
            kept: RefCell::default(),
            wide,
            members: region.members.iter().copied().collect(),
            dims: RefCell::default(),
            dim_vals: Vec::new(),
            failure: RefCell::new(None),
        }
    }

    /// Sets the parameters of the function that is being written.
    pub(crate) fn bind(&mut self, ptrs: BTreeMap<ValueId, Val>, dim_vals: Vec<Val>) {
        (self.ptrs, self.dim_vals) = (ptrs, dim_vals);
        self.given.borrow_mut().clear();
        self.kept.borrow_mut().clear();
    }

    /// Lanes of the target's vectors; 1 where a thread computes one element.
    pub(crate) fn wide(&self) -> u32 {
        self.wide
    }

    /// The dimensions that are parameters, in order.
    pub(crate) fn dims(&self) -> Vec<Dim> {
        self.dims.borrow().clone()
    }

    /// A dimension as an `i64`.
    pub(crate) fn dim(&self, w: &mut Writer, dim: &Dim) -> Val {
        if let Some(value) = dim.as_const() {
            return w.i64(value);
        }
        let mut dims = self.dims.borrow_mut();
        let slot = dims.iter().position(|d| d == dim).unwrap_or_else(|| {
            dims.push(dim.clone());
            dims.len() - 1
        });
        // A dimension met for the first time has no parameter yet; the kernel is then written once more.
        self.dim_vals.get(slot).copied().unwrap_or_else(|| w.i64(0))
    }

    /// Where a value is: in memory, or in the kernel's own scratch memory.
    pub(crate) fn pointer(&self, value: ValueId) -> Val {
        let kept = self.kept.borrow().get(&value).map(|kept| kept.ptr);
        kept.unwrap_or_else(|| self.ptrs[&value])
    }

    pub(crate) fn ty(&self, value: ValueId) -> &'a TensorType {
        self.graph.ty(value)
    }

    /// The member that computes a value in this kernel.
    pub(crate) fn member(&self, value: ValueId) -> Option<&'a Node> {
        let idx = self.producers[value.index()].filter(|idx| self.members.contains(idx))?;
        Some(&self.graph.nodes[idx])
    }

    pub(crate) fn is_member(&self, idx: usize) -> bool {
        self.members.contains(&idx)
    }

    pub(crate) fn anchor(&self) -> Option<&'a Node> {
        self.region.anchor.map(|idx| &self.graph.nodes[idx])
    }

    /// The number, if the value is a constant with one element.
    pub(crate) fn literal(&self, value: ValueId) -> Option<&'a Tensor> {
        self.constants[value.index()].filter(|tensor| tensor.len() == 1)
    }

    /// Records that there is no kernel; the first reason counts.
    pub(crate) fn fail(&self, node: &Node, reason: impl Into<String>) {
        self.failure.borrow_mut().get_or_insert(self.refusal(node, reason));
    }

    /// That a node has no kernel.
    pub(crate) fn refusal(&self, node: &Node, reason: impl Into<String>) -> LowerError {
        let ty = node.outputs.first().map(|v| self.ty(*v).to_string()).unwrap_or_default();
        LowerError { op: node.op.name().into(), ty, reason: reason.into() }
    }

    pub(crate) fn failure(&self) -> Option<LowerError> {
        self.failure.borrow().clone()
    }
}
