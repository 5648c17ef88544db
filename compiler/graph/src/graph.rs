//! The graph's data.

use diag::Loc;
use ops::{Const, Op};
use tensor::{Tensor, TensorType};

/// A value of one graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub u32);

impl ValueId {
    /// As a position in tables that have one entry for each value.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is known of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueInfo {
    /// Its type.
    pub ty: TensorType,
    /// Its name in the model, if it has one.
    pub name: Option<String>,
}

/// A named input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The name that users know.
    pub name: String,
    /// The value.
    pub value: ValueId,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The operator with its attributes.
    pub op: Op,
    /// Operands.
    pub inputs: Vec<ValueId>,
    /// Results.
    pub outputs: Vec<ValueId>,
    /// Regions of control flow; empty for all other operators.
    pub regions: Vec<Graph>,
    /// Where it comes from.
    pub loc: Loc,
}

/// A tensor program in static single assignment form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// The graph's name.
    pub name: String,
    /// Parameters.
    pub inputs: Vec<Port>,
    /// Results.
    pub outputs: Vec<Port>,
    /// Operations, in an order in which they can run.
    pub nodes: Vec<Node>,
    values: Vec<ValueInfo>,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Self {
        Graph { name: name.into(), ..Graph::default() }
    }

    /// Makes a value of this type.
    pub fn add_value(&mut self, ty: TensorType, name: Option<String>) -> ValueId {
        let id = ValueId(u32::try_from(self.values.len()).unwrap_or(u32::MAX));
        self.values.push(ValueInfo { ty, name });
        id
    }

    /// The type of a value.
    ///
    /// # Panics
    /// If the value is not of this graph.
    pub fn ty(&self, value: ValueId) -> &TensorType {
        &self.values[value.index()].ty
    }

    /// What is known of a value.
    ///
    /// # Panics
    /// If the value is not of this graph.
    pub fn value(&self, value: ValueId) -> &ValueInfo {
        &self.values[value.index()]
    }

    /// The same, to change it.
    ///
    /// # Panics
    /// If the value is not of this graph.
    pub fn value_mut(&mut self, value: ValueId) -> &mut ValueInfo {
        &mut self.values[value.index()]
    }

    /// The number of values, dead ones included.
    pub fn n_values(&self) -> usize {
        self.values.len()
    }

    /// For each value, the node that defines it; `None` for inputs.
    pub fn producers(&self) -> Vec<Option<usize>> {
        let mut producers = vec![None; self.values.len()];
        for (idx, node) in self.nodes.iter().enumerate() {
            node.outputs.iter().for_each(|v| producers[v.index()] = Some(idx));
        }
        producers
    }

    /// For each value, the nodes that use it, in order and once for each use; graph outputs do not count.
    pub fn users(&self) -> Vec<Vec<usize>> {
        let mut users = vec![Vec::new(); self.values.len()];
        for (idx, node) in self.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|v| users[v.index()].push(idx));
        }
        users
    }

    /// Whether the value is a result of the graph.
    pub fn is_output(&self, value: ValueId) -> bool {
        self.outputs.iter().any(|port| port.value == value)
    }

    /// The content of a value that a constant defines. Linear in the graph: for many questions make a table by [`Graph::constants`].
    pub fn constant(&self, value: ValueId) -> Option<&Tensor> {
        self.nodes.iter().find_map(|node| match &node.op {
            Op::Constant(ops::Constant { value: Const(tensor) }) if node.outputs[0] == value => Some(tensor),
            _ => None,
        })
    }

    /// For each value, its content if a constant defines it.
    pub fn constants(&self) -> Vec<Option<&Tensor>> {
        let mut constants = vec![None; self.values.len()];
        for node in &self.nodes {
            if let Op::Constant(ops::Constant { value: Const(tensor) }) = &node.op {
                constants[node.outputs[0].index()] = Some(tensor);
            }
        }
        constants
    }

    /// The number of nodes, those in regions included.
    pub fn n_nodes(&self) -> usize {
        self.nodes.iter().map(|node| 1 + node.regions.iter().map(Graph::n_nodes).sum::<usize>()).sum()
    }
}
