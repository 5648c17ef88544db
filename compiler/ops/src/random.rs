//! Random numbers.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::result_shape;
use crate::{EvalError, F64, OpSpec, TypeError};
use tensor::{DType, Dim, Scalar, Tensor, TensorType};

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
    /// Two of these never merge. The generator is part of the meaning: counter-based, one 64-bit SplitMix of `seed + index` per element (Steele, Lea and Flood 2014), the upper 53 bits as the uniform number `u`.
    /// Normal numbers come in pairs by Box and Muller: elements `2i` and `2i + 1` are the cosine and the sine of `2 pi u(2i + 1)`, times `sqrt(-2 ln(1 - u(2i)))`.
    /// All is computed in `f64` and rounded once; the rounding of narrow types may reach `b`.
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
        Ok(vec![TensorType { dtype: self.dtype, shape: self.shape.clone() }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let (a, b) = (self.a.get(), self.b.get());
        let number = |index: usize| match self.kind {
            RandomKind::Uniform => a + unit(self.seed, index) * (b - a),
            RandomKind::Normal => a + b * standard_normal(self.seed, index),
        };
        Ok(vec![Tensor::build(self.dtype, shape, |index| Scalar::Float(number(index)))])
    }
}

/// A uniform number in `[0, 1)` from a counter: SplitMix64 with the state `seed + index`.
fn unit(seed: u64, index: usize) -> f64 {
    let mut z = seed.wrapping_add(index as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (z >> 11) as f64 * (-53f64).exp2()
}

/// Box-Muller on pairs: elements `2i` and `2i + 1` share a radius and an angle.
fn standard_normal(seed: u64, index: usize) -> f64 {
    let first = index & !1;
    let radius = (-2.0 * (1.0 - unit(seed, first)).ln()).sqrt();
    let angle = std::f64::consts::TAU * unit(seed, first + 1);
    match index & 1 {
        0 => radius * angle.cos(),
        _ => radius * angle.sin(),
    }
}
