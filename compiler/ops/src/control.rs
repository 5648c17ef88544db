//! Control flow: operators whose meaning is in the regions of their node.

use crate::attr::operator;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Tensor, TensorType};

operator! {
    /// One of two regions, by a boolean scalar.
    ///
    /// Operands: the condition, then the values that the regions use; both regions take all of these as parameters.
    /// Regions: then, else. They see nothing from outside but their parameters.
    /// Where the regions' result shapes differ, the node's result types hold symbols that it defines, listed here
    /// in order of first occurrence in the result types.
    "if" If {
        /// Symbols that get their values from the shapes of the results.
        symbols: Vec<String>,
    }
}

operator! {
    /// A region run again and again, as ONNX's `Loop`.
    ///
    /// Operands: the most trips (`i64` scalar), the first condition (`bool` scalar), `n_carried` carried values, then captured ones.
    /// The region's parameters: trip number (`i64` scalar), condition, carried, captured. Its results: the next
    /// condition, the carried values, and slices that are stacked along a new first axis, one for each trip.
    /// The node's results: the last carried values, then the stacked slices.
    "loop" Loop {
        /// How many values are carried from trip to trip.
        n_carried: usize,
        /// Symbols that get their values from the shapes of the results; the number of trips is one of them where slices are stacked.
        symbols: Vec<String>,
    }
}

/// The types of control flow's results depend on regions, which this crate does not know.
fn from_regions(op: &'static str) -> TypeError {
    TypeError::new(op, "C1", "the result types come from the regions")
}

impl OpSpec for If {
    fn infer(&self, _inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        Err(from_regions(Self::NAME))
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(Self::NAME, "the graph's evaluator runs regions"))
    }
}

impl OpSpec for Loop {
    fn infer(&self, _inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        Err(from_regions(Self::NAME))
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(Self::NAME, "the graph's evaluator runs regions"))
    }
}
