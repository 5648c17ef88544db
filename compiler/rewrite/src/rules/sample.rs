//! Small graphs in which rules apply: what the rules' examples are made with.

use graph::{Builder, Graph, ValueId};
use ops::{Binary, BinaryKind, Dot, Op, Unary, UnaryKind};
use tensor::{DType, Dim, Scalar, Tensor, TensorType};

/// A graph builder with random numbers.
pub(crate) struct Sample {
    pub(crate) builder: Builder,
    seed: u64,
    n_inputs: usize,
}

#[cfg_attr(not(test), allow(dead_code, reason = "tests run the examples"))]
impl Sample {
    pub(crate) fn new(seed: u64) -> Self {
        Sample { builder: Builder::new("sample"), seed: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, n_inputs: 0 }
    }

    /// The next random number (SplitMix64).
    pub(crate) fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A random number below a bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.random() % bound.max(1) as u64) as usize
    }

    /// A tensor of random content: floats around 0, small integers.
    pub(crate) fn tensor(&mut self, dtype: DType, shape: &[usize]) -> Tensor {
        Tensor::build(dtype, shape.to_vec(), |_| {
            let bits = self.random();
            if dtype == DType::Bool {
                Scalar::Bool(bits & 1 == 1)
            } else if dtype.is_float() {
                Scalar::Float((bits >> 40) as f64 / f64::from(1 << 22) - 2.0)
            } else if dtype.is_signed_int() {
                Scalar::Int(i128::from(bits % 9) - 4)
            } else {
                Scalar::Int(i128::from(bits % 9))
            }
        })
    }

    /// Random content for every input of a graph, with 3 for each symbol.
    pub(crate) fn inputs(&mut self, graph: &Graph) -> Vec<Tensor> {
        let types: Vec<TensorType> = graph.inputs.iter().map(|p| graph.ty(p.value).clone()).collect();
        let size = |dim: &Dim| dim.eval(&|_| Some(3)).map_or(1, |d| d.max(0) as usize);
        types.iter().map(|ty| self.tensor(ty.dtype, &ty.shape.iter().map(size).collect::<Vec<_>>())).collect()
    }

    pub(crate) fn input(&mut self, dtype: DType, shape: Vec<Dim>) -> ValueId {
        self.n_inputs += 1;
        let name = format!("x{}", self.n_inputs);
        self.builder.input(&name, TensorType { dtype, shape })
    }

    /// An `f32` input.
    pub(crate) fn x(&mut self, shape: &[usize]) -> ValueId {
        self.typed(DType::F32, shape)
    }

    pub(crate) fn typed(&mut self, dtype: DType, shape: &[usize]) -> ValueId {
        let shape = shape.iter().map(|d| Dim::from(*d)).collect();
        self.input(dtype, shape)
    }

    /// A random `f32` constant.
    pub(crate) fn weight(&mut self, shape: &[usize]) -> Option<ValueId> {
        let tensor = self.tensor(DType::F32, shape);
        self.builder.constant(tensor).ok()
    }

    /// A random constant repeated to the shape of a value.
    pub(crate) fn spread(&mut self, shape: &[usize], like: ValueId) -> Option<ValueId> {
        let weight = self.weight(shape)?;
        let shape = self.builder.shape(like).to_vec();
        self.builder.broadcast(weight, shape).ok()
    }

    /// A number repeated to the type of a value.
    pub(crate) fn number(&mut self, value: f64, like: ValueId) -> Option<ValueId> {
        self.builder.splat_like(value, like).ok()
    }

    pub(crate) fn emit(&mut self, op: impl Into<Op>, inputs: &[ValueId]) -> Option<ValueId> {
        self.builder.emit(op, inputs).ok()
    }

    pub(crate) fn unary(&mut self, kind: UnaryKind, x: ValueId) -> Option<ValueId> {
        self.emit(Unary { kind }, &[x])
    }

    pub(crate) fn binary(&mut self, kind: BinaryKind, a: ValueId, b: ValueId) -> Option<ValueId> {
        self.emit(Binary { kind }, &[a, b])
    }

    /// The operation with a number on the right.
    pub(crate) fn with(&mut self, kind: BinaryKind, x: ValueId, number: f64) -> Option<ValueId> {
        let number = self.number(number, x)?;
        self.binary(kind, x, number)
    }

    pub(crate) fn transpose(&mut self, x: ValueId, perm: &[usize]) -> Option<ValueId> {
        self.builder.transpose(x, perm.to_vec()).ok()
    }

    pub(crate) fn reshape(&mut self, x: ValueId, shape: &[usize]) -> Option<ValueId> {
        let shape = shape.iter().map(|d| Dim::from(*d)).collect();
        self.builder.reshape(x, shape).ok()
    }

    pub(crate) fn broadcast(&mut self, x: ValueId, shape: &[usize]) -> Option<ValueId> {
        let shape = shape.iter().map(|d| Dim::from(*d)).collect();
        self.builder.broadcast(x, shape).ok()
    }

    /// The product over the last axis of `x` and the first of `w`.
    pub(crate) fn matmul(&mut self, x: ValueId, w: ValueId) -> Option<ValueId> {
        let last = self.builder.rank(x).checked_sub(1)?;
        let out = self.builder.dtype(x);
        self.emit(dot(&[last], &[0], out), &[x, w])
    }

    pub(crate) fn slice(&mut self, x: ValueId, starts: &[usize], sizes: &[usize], steps: &[i64]) -> Option<ValueId> {
        let dims = |v: &[usize]| v.iter().map(|d| Dim::from(*d)).collect();
        let op = ops::Slice { starts: dims(starts), sizes: dims(sizes), steps: steps.to_vec() };
        self.emit(op, &[x])
    }

    /// A product as matrix, with `x`'s contracted axes and `y`'s.
    pub(crate) fn conv(&mut self, x: ValueId, w: ValueId, pad: usize) -> Option<ValueId> {
        self.emit(conv(self.builder.rank(x) - 2, pad, 1), &[x, w])
    }

    /// Makes a value an output besides the one that the example returns.
    pub(crate) fn output(&mut self, value: ValueId) {
        let name = format!("y{}", self.builder.graph().outputs.len());
        self.builder.output(&name, value);
    }

    /// The finished graph.
    pub(crate) fn finish(mut self, value: ValueId) -> Graph {
        self.output(value);
        self.builder.finish()
    }
}

/// A contraction without batch axes.
pub(crate) fn dot(lhs_contract: &[usize], rhs_contract: &[usize], out: DType) -> Dot {
    Dot {
        lhs_batch: vec![],
        rhs_batch: vec![],
        lhs_contract: lhs_contract.to_vec(),
        rhs_contract: rhs_contract.to_vec(),
        out,
    }
}

/// A plain `f32` convolution.
pub(crate) fn conv(n_spatial: usize, pad: usize, groups: usize) -> ops::Conv {
    ops::Conv {
        strides: vec![1; n_spatial],
        pads_low: vec![pad.into(); n_spatial],
        pads_high: vec![pad.into(); n_spatial],
        dilations: vec![1; n_spatial],
        base_dilations: vec![1; n_spatial],
        groups,
        out: DType::F32,
    }
}
