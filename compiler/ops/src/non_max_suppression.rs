//! Suppression of overlapping boxes.

use crate::attr::operator;
use crate::error::ensure;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Dim, Tensor, TensorType};

operator! {
    /// As ONNX's `NonMaxSuppression`: `boxes f32[batch, n, 4]`, `scores f32[batch, classes, n]`, and scalars: the most boxes of a class (`i64`), the overlap (`f32`) and the score (`f32`) thresholds.
    ///
    /// The result is `i64[count, 3]`: batch, class and box index, by batch, then class, then falling score. `count` is a symbol that this operator defines.
    ///
    /// # Constraints
    /// - (C1) Operand types are as above.
    "non-max-suppression" NonMaxSuppression {
        /// Boxes are centre, width and height, not two corners.
        center_point: bool,
        /// The symbol that gets the number of boxes kept.
        count: String,
    }
}

impl OpSpec for NonMaxSuppression {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [boxes, scores, most, overlap, score] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes five operands"));
        };
        let floats = [boxes, scores, overlap, score]
            .iter()
            .all(|x| x.dtype == DType::F32);
        let ranks = boxes.rank() == 3
            && scores.rank() == 3
            && [most, overlap, score].iter().all(|x| x.rank() == 0);
        ensure!(
            floats && ranks && most.dtype == DType::I64,
            Self::NAME,
            "C1",
            "{boxes}, {scores}, {most}, {overlap}, {score}"
        );
        Ok(vec![TensorType {
            dtype: DType::I64,
            shape: vec![Dim::symbol(&self.count), 3.into()],
        }])
    }

    fn eval(&self, _inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        Err(EvalError::new(
            Self::NAME,
            "the reference meaning is not written yet",
        ))
    }
}
