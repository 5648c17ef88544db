//! Data as dimension symbols.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::result_types;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{Dim, Tensor, TensorType};

operator! {
    /// Binds the elements of an integer tensor to symbols, in row-major order: how data becomes shape. It has no result;
    /// whoever runs the graph reads the operand.
    ///
    /// # Constraints
    /// - (C1) The operand has an integer type and as many elements as there are symbols.
    "bind" Bind {
        /// The symbols that get the elements' values.
        symbols: Vec<String>,
    }
}

impl OpSpec for Bind {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes one operand"));
        };
        ensure!(x.dtype.is_int(), Self::NAME, "C1", "the operand is {x}, not of an integer type");
        ensure!(
            x.num_elements() == Dim::from(self.symbols.len()),
            Self::NAME,
            "C1",
            "{x} does not have {} elements",
            self.symbols.len()
        );
        Ok(vec![])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        result_types(self, inputs)?;
        Ok(vec![])
    }
}
