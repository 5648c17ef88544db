//! Reductions.

use crate::attr::operator;
use crate::elementwise_eval::{binary, binary_float};
use crate::error::ensure;
use crate::eval_util::{offsets, result_shape, steps, strides};
use crate::{BinaryKind, EvalError, OpSpec, TypeError};
use tensor::{DType, Scalar, Tensor, TensorType};

crate::attr::words! {
    /// How a reduction combines elements.
    ReduceKind {
        /// Sum.
        Sum = "sum",
        /// Product.
        Prod = "prod",
        /// Maximum.
        Max = "max",
        /// Minimum.
        Min = "min",
    }
}

operator! {
    /// All elements along some axes combined into one; those axes vanish.
    ///
    /// Of no elements, a sum is 0, a product 1, a maximum the lowest value of the type (negative infinity), a minimum the highest.
    /// A maximum or minimum is NaN if an element is. Floats of 16 bits accumulate in `f32`.
    ///
    /// # Constraints
    /// - (C1) `axes` are distinct axes of the operand, in ascending order.
    /// - (C2) Sums and products are of numbers, maxima and minima also of booleans; floats have at least 16 bits.
    "reduce" Reduce {
        /// How elements are combined.
        kind: ReduceKind,
        /// The axes that vanish, ascending.
        axes: Vec<usize>,
    }
}

impl OpSpec for Reduce {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes one operand"));
        };
        let ascending = self.axes.is_sorted_by(|a, b| a < b) && self.axes.last().is_none_or(|axis| *axis < x.rank());
        ensure!(ascending, Self::NAME, "C1", "axes {:?} of {x}", self.axes);
        ensure!(
            self.kind.function().accepts(x.dtype),
            Self::NAME,
            "C2",
            "`{}` is not defined on {x}",
            self.kind.word()
        );
        let kept = x.shape.iter().enumerate().filter(|(axis, _)| !self.axes.contains(axis));
        Ok(vec![TensorType { dtype: x.dtype, shape: kept.map(|(_, dim)| dim.clone()).collect() }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        let shape = result_shape(self, Self::NAME, inputs)?;
        let x = &inputs[0];
        let mut kept = strides(&shape).into_iter();
        let tables: Vec<_> = (0..x.rank())
            .map(|axis| match self.axes.contains(&axis) {
                true => steps(x.shape()[axis], 0),
                false => steps(x.shape()[axis], kept.next().unwrap_or(0)),
            })
            .collect();
        let targets = offsets(&tables);
        let (function, neutral) = (self.kind.function(), self.kind.neutral(x.dtype()));
        let n_results = shape.iter().product();
        if x.dtype().is_float() {
            let (f, mut sums) = (binary_float(function), vec![neutral.as_f64(); n_results]);
            for (target, element) in targets.into_iter().zip(x.iter()) {
                sums[target] = f(sums[target], element.as_f64());
            }
            let sum = |at: usize| Scalar::Float(sums[at]);
            return Ok(vec![Tensor::build(x.dtype(), shape, sum)]);
        }
        let mut sums = vec![neutral; n_results];
        for (target, element) in targets.into_iter().zip(x.iter()) {
            sums[target] = binary(function, x.dtype(), sums[target], element);
        }
        Ok(vec![Tensor::build(x.dtype(), shape, |at| sums[at])])
    }
}

impl ReduceKind {
    /// The function of two elements that is repeated.
    fn function(self) -> BinaryKind {
        match self {
            ReduceKind::Sum => BinaryKind::Add,
            ReduceKind::Prod => BinaryKind::Mul,
            ReduceKind::Max => BinaryKind::Max,
            ReduceKind::Min => BinaryKind::Min,
        }
    }

    /// The result for no elements.
    pub(crate) fn neutral(self, dtype: DType) -> Scalar {
        let (lowest, highest) = match dtype.int_range() {
            Some((low, high)) => (Scalar::Int(low), Scalar::Int(high)),
            None if dtype == DType::Bool => (Scalar::Bool(false), Scalar::Bool(true)),
            None => (Scalar::Float(f64::NEG_INFINITY), Scalar::Float(f64::INFINITY)),
        };
        match self {
            ReduceKind::Sum | ReduceKind::Prod if dtype.is_int() => Scalar::Int(i128::from(self == ReduceKind::Prod)),
            ReduceKind::Sum => Scalar::Float(0.0),
            ReduceKind::Prod => Scalar::Float(1.0),
            ReduceKind::Max => lowest,
            ReduceKind::Min => highest,
        }
    }
}
