//! Random numbers.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, F64, OpSpec, TypeError};
use tensor::{DType, Dim, Tensor, TensorType};

crate::attr::words! {
    /// A distribution of random numbers.
    RandomKind {
        /// Uniform.
        Uniform = "uniform",
        /// Normal.
        Normal = "normal",
    }
}

operator! {
    /// Random numbers from a seed: uniform in `[a, b)`, or normal with mean `a` and deviation `b`.
    ///
    /// Two of these never merge. The generator is part of the meaning: counter-based, one 64-bit SplitMix of `seed + index` per element (Steele, Lea and Flood 2014), the upper 53 bits as the uniform number, Box-Muller for the normal.
    ///
    /// # Constraints
    /// - (C1) The element type is a float of at least 16 bits.
    "random" Random {
        /// The distribution.
        kind: RandomKind,
        /// Element type of the result.
        dtype: DType,
        /// Shape of the result.
        shape: Vec<Dim>,
        /// Lower bound or mean.
        a: F64,
        /// Upper bound or standard deviation.
        b: F64,
        /// Seed.
        seed: u64,
    }
}

impl OpSpec for Random {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        ensure!(
            inputs.is_empty() && self.dtype.is_float() && !self.dtype.is_tiny_float(),
            Self::NAME,
            "C1",
            "{}",
            self.dtype
        );
        Ok(vec![TensorType {
            dtype: self.dtype,
            shape: self.shape.clone(),
        }])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
