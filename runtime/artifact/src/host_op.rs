//! Operators that run as plain Rust in the runtime, on host tensors.

use serde::{Deserialize, Serialize};

/// An operator without a kernel: the size of its result, or its control flow, depends on the data.
///
/// Axes are counted from 0. Floats are held as bits, so that the program has a total equality: see [`F32`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostOp {
    /// Input: any type, any rank. Output: i64 `[rank, n]`, the coordinates of nonzero elements in row-major order.
    /// Size: `n`.
    NonZero,
    /// Inputs: data, and a boolean vector. Output: the elements (`axis` none: of the flattened data) or the slices
    /// along `axis` where the vector is true. Size: how many there are.
    Compress {
        /// The axis, or none to flatten.
        axis: Option<u32>,
    },
    /// Input: data. Outputs: values and i64 indices; their extent along `axis` says how many. Equal elements keep
    /// the order of their indices. NaN counts as the largest value.
    TopK {
        /// The axis.
        axis: u32,
        /// The largest rather than the smallest.
        largest: bool,
        /// Whether the result is in order of value; otherwise in order of index.
        sorted: bool,
    },
    /// Input: data. Outputs: the distinct elements (`axis` none) or slices; i64 vectors of first positions, of the
    /// inverse, and of counts. Size: how many distinct ones there are.
    Unique {
        /// The axis, or none to flatten.
        axis: Option<u32>,
        /// Ascending order rather than order of first occurrence.
        sorted: bool,
    },
    /// Inputs: boxes f32 `[batches, boxes, 4]`, scores f32 `[batches, classes, boxes]`; and optionally scalars, in this
    /// order and all or a prefix of them: i64 largest number of boxes for each class, f32 IoU threshold, f32 score threshold.
    /// Output: i64 `[n, 3]`: batch, class, box. Size: `n`.
    NonMaxSuppression {
        /// Boxes are `[x_center, y_center, width, height]` rather than two opposite corners `[y1, x1, y2, x2]`.
        center_point_box: bool,
    },
    /// Output: a float tensor of independent normal variates.
    RandomNormal {
        /// Mean.
        mean: F32,
        /// Standard deviation.
        scale: F32,
        /// The same seed gives the same numbers in every run.
        seed: u64,
    },
    /// Output: a float tensor of independent uniform variates.
    RandomUniform {
        /// Lower bound, included.
        low: F32,
        /// Upper bound, excluded.
        high: F32,
        /// The same seed gives the same numbers in every run.
        seed: u64,
    },
    /// Input: a float tensor of probabilities. Output of the same shape, any type: 1 with that probability, else 0.
    Bernoulli {
        /// The same seed gives the same numbers in every run.
        seed: u64,
    },
    /// Input: unnormalised log-probabilities `[batch, classes]`. Output: i32 or i64 `[batch, samples]`, drawn classes.
    Multinomial {
        /// The same seed gives the same numbers in every run.
        seed: u64,
    },
}

impl HostOp {
    /// How many data-dependent sizes the operator reports, to be bound to the step's symbols.
    pub fn sizes(&self) -> usize {
        match self {
            HostOp::NonZero | HostOp::Compress { .. } | HostOp::Unique { .. } | HostOp::NonMaxSuppression { .. } => 1,
            HostOp::TopK { .. }
            | HostOp::RandomNormal { .. }
            | HostOp::RandomUniform { .. }
            | HostOp::Bernoulli { .. }
            | HostOp::Multinomial { .. } => 0,
        }
    }

    /// The name, for profiles and errors.
    pub fn name(&self) -> &'static str {
        match self {
            HostOp::NonZero => "nonzero",
            HostOp::Compress { .. } => "compress",
            HostOp::TopK { .. } => "topk",
            HostOp::Unique { .. } => "unique",
            HostOp::NonMaxSuppression { .. } => "non-max-suppression",
            HostOp::RandomNormal { .. } => "random-normal",
            HostOp::RandomUniform { .. } => "random-uniform",
            HostOp::Bernoulli { .. } => "bernoulli",
            HostOp::Multinomial { .. } => "multinomial",
        }
    }
}

/// A float by its bits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct F32(u32);

impl From<f32> for F32 {
    fn from(value: f32) -> Self {
        F32(value.to_bits())
    }
}

impl F32 {
    /// The value.
    pub fn get(self) -> f32 {
        f32::from_bits(self.0)
    }
}

impl std::fmt::Debug for F32 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.get(), f)
    }
}
