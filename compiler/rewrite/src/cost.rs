//! What an operation costs: a roofline of memory and arithmetic, with the expectation that elementwise work is fused.

use graph::Graph;
use ops::{Op, UnaryKind};
use std::collections::BTreeMap;
use tensor::{DType, Dim, TensorType};

/// A machine as extraction sees it. All costs are seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// Bytes that can be read or written in a second.
    pub bytes_per_second: f64,
    /// 32-bit floating-point operations in a second; multiplication and addition count as two.
    pub flops_per_second: f64,
    /// How much faster 16-bit floats and narrow integers are in contractions.
    pub narrow_speedup: f64,
    /// The fixed price of a kernel of its own.
    pub launch: f64,
    /// The share of its memory traffic that elementwise work costs after fusion.
    pub fused_share: f64,
    /// The size that a symbolic dimension is taken to have.
    pub symbol_size: i64,
    /// Sizes of known symbols.
    pub symbol_sizes: BTreeMap<String, i64>,
}

/// The price of a node that costs nothing: less is still better.
const TRIFLE: f64 = 1e-9;

/// What part an operator plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing happens at run time.
    Free,
    /// Another way to look at the same elements.
    View,
    /// Elements are moved, hopefully by their consumers.
    Move,
    /// Elementwise work, hopefully fused.
    Fused,
    /// A kernel of its own.
    Anchor,
}

/// The part that an operator plays.
pub(crate) fn role(op: &Op) -> Role {
    match op {
        Op::Constant(_) | Op::Dims(_) | Op::Bind(_) => Role::Free,
        Op::Reshape(_) | Op::Broadcast(_) | Op::Slice(_) => Role::View,
        Op::Transpose(_) | Op::Pad(_) | Op::Concat(_) => Role::Move,
        Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::Cast(_) | Op::Bitcast(_) | Op::Iota(_) => {
            Role::Fused
        }
        _ => Role::Anchor,
    }
}

impl Cost {
    /// A host processor with some cores.
    pub fn host(n_cores: usize) -> Cost {
        let cores = n_cores.max(1) as f64;
        Cost {
            bytes_per_second: 1e10,
            flops_per_second: 5e10 * cores,
            narrow_speedup: 1.0,
            launch: 2e-6,
            fused_share: 0.15,
            symbol_size: 64,
            symbol_sizes: BTreeMap::new(),
        }
    }

    /// An accelerator with fast memory and matrix units.
    pub fn gpu() -> Cost {
        Cost { bytes_per_second: 2e12, flops_per_second: 4e13, narrow_speedup: 8.0, launch: 3e-6, ..Cost::host(1) }
    }

    fn size(&self, dim: &Dim) -> f64 {
        let lookup =
            |symbol: &tensor::Symbol| Some(self.symbol_sizes.get(symbol.name()).copied().unwrap_or(self.symbol_size));
        dim.eval(&lookup).unwrap_or(self.symbol_size).max(0) as f64
    }

    fn elements(&self, ty: &TensorType) -> f64 {
        ty.shape.iter().map(|dim| self.size(dim)).product()
    }

    fn bytes(&self, ty: &TensorType) -> f64 {
        self.elements(ty) * ty.dtype.size() as f64
    }

    /// The price of one operation.
    pub fn of(&self, op: &Op, inputs: &[&TensorType], outputs: &[&TensorType]) -> f64 {
        let made: f64 = outputs.iter().map(|ty| self.bytes(ty)).sum();
        match role(op) {
            Role::Free => 0.0,
            Role::View => TRIFLE,
            Role::Move => TRIFLE + 0.5 * made / self.bytes_per_second,
            Role::Fused => {
                let n: f64 = outputs.iter().map(|ty| self.elements(ty)).sum();
                let arithmetic = n * difficulty(op) / self.flops_per_second;
                2.0 * TRIFLE + self.fused_share * made / self.bytes_per_second + arithmetic
            }
            Role::Anchor => {
                let read: f64 = inputs.iter().map(|ty| self.bytes(ty)).sum();
                let memory = (read + made) / self.bytes_per_second;
                self.launch + memory.max(self.flops(op, inputs, outputs))
            }
        }
    }

    fn flops(&self, op: &Op, inputs: &[&TensorType], outputs: &[&TensorType]) -> f64 {
        let out: f64 = outputs.iter().map(|ty| self.elements(ty)).sum();
        let terms = match (op, inputs) {
            (Op::Dot(dot), [x, ..]) => {
                let axes = dot.lhs_contract.iter();
                2.0 * axes.map(|axis| self.size(&x.shape[*axis])).product::<f64>()
            }
            (Op::Conv(_), [_, w]) => 2.0 * w.shape[1..].iter().map(|dim| self.size(dim)).product::<f64>(),
            (Op::Pool(pool), _) => pool.window.iter().map(|w| *w as f64).product(),
            _ => 1.0,
        };
        let narrow = |ty: &&TensorType| ty.dtype.size() <= 2 && ty.dtype != DType::Bool;
        let speedup =
            if matches!(op, Op::Dot(_) | Op::Conv(_)) && inputs.iter().all(narrow) { self.narrow_speedup } else { 1.0 };
        out * terms / (self.flops_per_second * speedup)
    }

    /// The price of all of a graph's own nodes; regions count once.
    pub fn of_graph(&self, graph: &Graph) -> f64 {
        let of_node = |node: &graph::Node| {
            let inputs: Vec<&TensorType> = node.inputs.iter().map(|v| graph.ty(*v)).collect();
            let outputs: Vec<&TensorType> = node.outputs.iter().map(|v| graph.ty(*v)).collect();
            let regions: f64 = node.regions.iter().map(|region| self.of_graph(region)).sum();
            self.of(&node.op, &inputs, &outputs) + regions
        };
        graph.nodes.iter().map(of_node).sum()
    }
}

/// About how many operations a function takes for one element.
fn difficulty(op: &Op) -> f64 {
    match op {
        Op::Unary(op) => match op.kind {
            UnaryKind::Neg | UnaryKind::Abs | UnaryKind::Not | UnaryKind::Sign | UnaryKind::IsNan => 1.0,
            UnaryKind::Floor | UnaryKind::Ceil | UnaryKind::Round | UnaryKind::Trunc => 1.0,
            UnaryKind::Sqrt => 8.0,
            _ => 20.0,
        },
        Op::Binary(op) => match op.kind {
            ops::BinaryKind::Pow | ops::BinaryKind::Atan2 => 40.0,
            ops::BinaryKind::Div => 4.0,
            ops::BinaryKind::Mod | ops::BinaryKind::Rem => 8.0,
            _ => 1.0,
        },
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ops::{Binary, BinaryKind};

    #[test]
    fn work_costs_more_than_views() {
        let (small, large) = (TensorType::new(DType::F32, [4, 4]), TensorType::new(DType::F32, [400, 400]));
        let cost = Cost::host(2);
        let add: Op = Binary { kind: BinaryKind::Add }.into();
        let reshape: Op = ops::Reshape { shape: vec![16.into()] }.into();
        assert!(cost.of(&add, &[&large, &large], &[&large]) > cost.of(&add, &[&small, &small], &[&small]));
        assert!(cost.of(&add, &[&small, &small], &[&small]) > cost.of(&reshape, &[&small], &[&small]));
    }
}
