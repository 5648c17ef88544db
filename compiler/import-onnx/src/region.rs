//! Subgraphs into closed regions: what they see of the outside becomes operands, or is made again inside.

use crate::cx::Cx;
use crate::env::{Frame, MAX_DEPTH, Scope, Slot};
use crate::error::{ImportError, Needs, bad, unsupported};
use crate::import::define_initializers;
use crate::nodes::{import_nodes, slot_of};
use crate::order::free_names;
use crate::origins;
use crate::proto::GraphProto;
use crate::report::node_name;
use graph::{Builder, ValueId};
use std::collections::BTreeMap;
use tensor::{DType, Dim, Tensor, TensorType};

/// A value of the outside, as a region sees it.
enum Seen {
    /// Made again inside from its content.
    Constant(Tensor),
    /// Made again inside from expressions, with this element type and shape.
    Dims(Vec<Dim>, TensorType),
    /// A parameter: an operand of the control-flow operator.
    Operand(usize),
}

/// What subgraphs of a node see of the outside.
pub(crate) struct Captures {
    names: Vec<(String, Slot)>,
    seen: BTreeMap<ValueId, Seen>,
    /// The values that become operands, in order.
    pub(crate) operands: Vec<ValueId>,
    origins: Vec<Needs>,
    types: Vec<TensorType>,
}

/// Makes the values of a subgraph's inputs from a region's parameters.
pub(crate) type Bind<'f> = &'f dyn Fn(&mut Builder, &[ValueId]) -> Result<Vec<ValueId>, ImportError>;

/// A parameter of a region that is not a captured value.
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) ty: TensorType,
    /// What its value depends on; `None` if it changes while the region runs again and again.
    pub(crate) origin: Option<Needs>,
}

/// A region under construction, with all nodes imported.
pub(crate) struct Region {
    pub(crate) b: Builder,
    pub(crate) params: Vec<ValueId>,
    pub(crate) results: Vec<ValueId>,
}

impl Region {
    /// The types of the results.
    pub(crate) fn types(&self) -> Vec<TensorType> {
        self.results.iter().map(|v| self.b.ty(*v).clone()).collect()
    }

    /// The finished region with these results.
    pub(crate) fn finish(mut self) -> graph::Graph {
        for (idx, value) in self.results.iter().enumerate() {
            self.b.output(&format!("r{idx}"), *value);
        }
        self.b.finish()
    }
}

impl Cx<'_, '_> {
    /// What these subgraphs see of the outside.
    pub(crate) fn captures(&self, graphs: &[&GraphProto]) -> Result<Captures, ImportError> {
        let mut captures = Captures {
            names: Vec::new(),
            seen: BTreeMap::new(),
            operands: Vec::new(),
            origins: Vec::new(),
            types: Vec::new(),
        };
        let free: std::collections::BTreeSet<&str> = graphs.iter().flat_map(|g| free_names(g)).collect();
        for name in free {
            let slot = slot_of(self.scope, name)?;
            let values: &[ValueId] = match &slot {
                Slot::Value(value) => std::slice::from_ref(value),
                Slot::Sequence(values) => values,
                Slot::Nothing => &[],
                Slot::Poisoned => return Err(ImportError::Reported),
            };
            for value in values {
                self.see(&mut captures, *value);
            }
            captures.names.push((name.into(), slot));
        }
        Ok(captures)
    }

    fn see(&self, captures: &mut Captures, value: ValueId) {
        if captures.seen.contains_key(&value) {
            return;
        }
        let ty = self.b.ty(value).clone();
        let known = self.b.known(value).filter(|_| ty.dtype != DType::Bool);
        let seen = if let Some(tensor) = self.b.constant_of(value) {
            Seen::Constant(tensor.clone())
        } else if let Some(dims) = known {
            Seen::Dims(dims.to_vec(), ty)
        } else {
            captures.operands.push(value);
            captures.types.push(ty);
            let symbols = &self.env.symbols;
            let needs = origins::needs(self.b, self.origins, symbols, value);
            captures.origins.push(needs.unwrap_or_default());
            Seen::Operand(captures.operands.len() - 1)
        };
        captures.seen.insert(value, seen);
    }

    /// Imports a subgraph as a region whose parameters are `params`, then the captured operands.
    /// `bind` makes the values of the subgraph's inputs from the parameters.
    pub(crate) fn region(
        &mut self,
        graph: &GraphProto,
        params: &[Param],
        captures: &Captures,
        bind: Bind,
    ) -> Result<Region, ImportError> {
        if self.env.depth >= MAX_DEPTH {
            return unsupported("subgraphs and functions are nested too deeply");
        }
        let b = Builder::with_bounds(&graph.name, self.b.bounds().clone());
        let mut frame = Frame { b, origins: BTreeMap::new() };
        frame.b.set_loc(self.b.loc().clone());
        let mut scope = Scope {
            opsets: self.scope.opsets.clone(),
            path: format!("{}{}/", self.scope.path, node_name(self.node)),
            ..Scope::default()
        };
        let mut values = Vec::new();
        for param in params {
            let value = frame.b.input(&param.name, param.ty.clone());
            if let Some(origin) = &param.origin {
                frame.origins.insert(value, origin.clone());
            }
            values.push(value);
        }
        let bound = bind(&mut frame.b, &values)?;
        if graph.input.len() != bound.len() {
            return bad(format!("a subgraph has {} inputs where {} values are given", graph.input.len(), bound.len()));
        }
        for (input, value) in graph.input.iter().zip(bound) {
            scope.names.insert(input.name.clone(), Slot::Value(value));
        }
        captures.enter(&mut frame, &mut scope)?;
        let before = self.env.sink.diagnostics().len();
        let place = self.b.loc().clone();
        define_initializers(self.env, &mut frame, &mut scope, graph, &place);
        self.env.depth += 1;
        import_nodes(self.env, &mut frame, &mut scope, &graph.node);
        self.env.depth -= 1;
        let mut results = Vec::new();
        for output in &graph.output {
            match slot_of(&scope, &output.name)? {
                Slot::Value(value) => results.push(value),
                Slot::Poisoned => return Err(ImportError::Reported),
                Slot::Sequence(_) | Slot::Nothing => {
                    return unsupported(format!("result `{}` of a subgraph is not a tensor", output.name));
                }
            }
        }
        let new = &self.env.sink.diagnostics()[before..];
        if new.iter().any(|d| d.severity == diag::Severity::Error) {
            return Err(ImportError::Reported);
        }
        Ok(Region { b: frame.b, params: values, results })
    }

    /// Imports a subgraph without a region, as if its nodes stood here, with these values of its inputs:
    /// for the taken branch of an `If` that is decided already, and for loops that are unrolled.
    pub(crate) fn splice(&mut self, graph: &GraphProto, inputs: Vec<Slot>) -> Result<Vec<Slot>, ImportError> {
        if self.env.depth >= MAX_DEPTH {
            return unsupported("subgraphs and functions are nested too deeply");
        }
        if graph.input.len() != inputs.len() {
            return bad(format!("a subgraph has {} inputs where {} values are given", graph.input.len(), inputs.len()));
        }
        let mut scope = Scope {
            opsets: self.scope.opsets.clone(),
            path: format!("{}{}/", self.scope.path, node_name(self.node)),
            ..Scope::default()
        };
        for name in free_names(graph) {
            scope.names.insert(name.into(), slot_of(self.scope, name)?);
        }
        for (input, slot) in graph.input.iter().zip(inputs) {
            scope.names.insert(input.name.clone(), slot);
        }
        let mut frame = Frame { b: std::mem::replace(self.b, Builder::new("")), origins: self.origins.clone() };
        let place = frame.b.loc().clone();
        define_initializers(self.env, &mut frame, &mut scope, graph, &place);
        self.env.depth += 1;
        import_nodes(self.env, &mut frame, &mut scope, &graph.node);
        self.env.depth -= 1;
        *self.b = frame.b;
        graph.output.iter().map(|output| slot_of(&scope, &output.name)).collect()
    }
}

impl Captures {
    /// Adds parameters and repeated constants to a region, under the names that they have outside.
    fn enter(&self, frame: &mut Frame, scope: &mut Scope) -> Result<(), ImportError> {
        let mut operands = Vec::new();
        for (idx, ty) in self.types.iter().enumerate() {
            let value = frame.b.input(&format!("c{idx}"), ty.clone());
            frame.origins.insert(value, self.origins[idx].clone());
            operands.push(value);
        }
        let mut inner = BTreeMap::new();
        for (outer, seen) in &self.seen {
            let value = match seen {
                Seen::Constant(tensor) => frame.b.constant(tensor.clone())?,
                Seen::Dims(dims, ty) => {
                    let flat = frame.b.dims(dims.clone())?;
                    let shaped = frame.b.reshape(flat, ty.shape.clone())?;
                    frame.b.cast(shaped, ty.dtype)?
                }
                Seen::Operand(at) => operands[*at],
            };
            inner.insert(*outer, value);
        }
        for (name, slot) in &self.names {
            let slot = match slot {
                Slot::Value(value) => Slot::Value(inner[value]),
                Slot::Sequence(values) => Slot::Sequence(values.iter().map(|v| inner[v]).collect()),
                other => other.clone(),
            };
            // A subgraph's own input of the same name was found not to be free, so nothing is hidden here.
            scope.names.entry(name.clone()).or_insert(slot);
        }
        Ok(())
    }
}
