//! Operators that run as plain Rust on host tensors: see [`artifact::HostOp`] for what each means.

mod compress;
mod nms;
mod nonzero;
mod order;
mod random;
mod topk;
mod unique;

use artifact::HostOp;
use tensor::{DType, Tensor};

/// What the program expects of an output.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Element type.
    pub(crate) dtype: DType,
    /// Shape, for operators whose results do not depend on data in size.
    pub(crate) shape: Vec<usize>,
}

/// What an operator computed.
#[derive(Debug)]
pub(crate) struct Computed {
    /// Outputs, in order.
    pub(crate) tensors: Vec<Tensor>,
    /// Data-dependent sizes.
    pub(crate) sizes: Vec<i64>,
}

/// Runs an operator; the error says what is wrong with its inputs.
pub(crate) fn run(op: &HostOp, inputs: &[Tensor], wanted: &[Wanted]) -> Result<Computed, String> {
    let sized = |tensors| Ok(Computed { tensors, sizes: vec![] });
    match op {
        HostOp::NonZero => Ok(nonzero::run(&inputs[0])),
        HostOp::Compress { axis } => compress::run(&inputs[0], &inputs[1], *axis),
        HostOp::TopK { axis, largest, sorted } => {
            sized(topk::run(&inputs[0], *axis as usize, *largest, *sorted, &wanted[0])?)
        }
        HostOp::Unique { axis, sorted } => Ok(unique::run(&inputs[0], *axis, *sorted)),
        HostOp::NonMaxSuppression { center_point_box } => nms::run(inputs, *center_point_box),
        HostOp::RandomNormal { mean, scale, seed } => {
            sized(vec![random::normal(*seed, mean.get(), scale.get(), &wanted[0])])
        }
        HostOp::RandomUniform { low, high, seed } => {
            sized(vec![random::uniform(*seed, low.get(), high.get(), &wanted[0])])
        }
        HostOp::Bernoulli { seed } => sized(vec![random::bernoulli(*seed, &inputs[0], &wanted[0])?]),
        HostOp::Multinomial { seed } => sized(vec![random::multinomial(*seed, &inputs[0], &wanted[0])?]),
    }
}

/// A tensor as `[outer, extent, inner]` around an axis.
fn around(shape: &[usize], axis: usize) -> [usize; 3] {
    [shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()]
}

/// The slices at some positions along an axis, stacked in that order.
fn take(data: &Tensor, axis: usize, positions: &[usize]) -> Tensor {
    let [outer, extent, inner] = around(data.shape(), axis);
    let size = inner * data.dtype().size();
    let mut shape = data.shape().to_vec();
    shape[axis] = positions.len();
    let mut bytes = Vec::with_capacity(outer * positions.len() * size);
    for row in 0..outer {
        for at in positions {
            let start = (row * extent + at) * size;
            bytes.extend_from_slice(&data.bytes()[start..start + size]);
        }
    }
    Tensor::from_bytes(data.dtype(), shape, bytes.into()).unwrap_or_else(|_| unreachable!("the bytes fill the shape"))
}

/// The same elements along one axis.
fn flat(data: &Tensor) -> Tensor {
    data.reshaped(vec![data.len()]).unwrap_or_else(|_| unreachable!("the number of elements is the same"))
}

/// A vector of positions.
fn indices(values: impl IntoIterator<Item = usize>) -> Tensor {
    let values: Vec<i64> = values.into_iter().map(|value| value as i64).collect();
    Tensor::from_vec(vec![values.len()], values)
}
