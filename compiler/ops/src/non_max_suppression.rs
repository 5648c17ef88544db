//! Suppression of overlapping boxes.

use crate::attr::operator;
use crate::error::ensure;
use crate::eval_util::result_types;
use crate::{EvalError, OpSpec, TypeError};
use tensor::{DType, Dim, Tensor, TensorType};

operator! {
    /// As ONNX's `NonMaxSuppression`: `boxes f32[batch, n, 4]`, `scores f32[batch, classes, n]`, and scalars: the most boxes of a class (`i64`), the overlap (`f32`) and the score (`f32`) thresholds.
    ///
    /// In each class, boxes are taken by falling score, equal ones by rising index, as long as there are fewer than the most;
    /// a box counts whose score is above its threshold and whose intersection over union with every box taken before is at most the overlap threshold.
    /// Two corners are any opposite ones.
    /// The result is `i64[count, 3]`: batch, class and box index, by batch, then class, then falling score. `count` is a symbol that this operator defines.
    ///
    /// # Constraints
    /// - (C1) Element types and ranks are as above.
    /// - (C2) So are sizes; where symbols hide it, this is checked at run time.
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
        let floats = [boxes, scores, overlap, score].iter().all(|x| x.dtype == DType::F32);
        let ranks = boxes.rank() == 3 && scores.rank() == 3 && [most, overlap, score].iter().all(|x| x.rank() == 0);
        ensure!(
            floats && ranks && most.dtype == DType::I64,
            Self::NAME,
            "C1",
            "{boxes}, {scores}, {most}, {overlap}, {score}"
        );
        let same = |a: &Dim, b: &Dim| (a.clone() - b.clone()).as_const().is_none_or(|d| d == 0);
        ensure!(
            same(&boxes.shape[0], &scores.shape[0])
                && same(&boxes.shape[1], &scores.shape[2])
                && same(&boxes.shape[2], &4.into()),
            Self::NAME,
            "C2",
            "{boxes} and {scores}"
        );
        Ok(vec![TensorType { dtype: DType::I64, shape: vec![Dim::symbol(&self.count), 3.into()] }])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        result_types(self, inputs)?;
        let (boxes, scores) = (&inputs[0], &inputs[1]);
        let most = usize::try_from(inputs[2].get(0).as_int()).unwrap_or(0);
        let [overlap, threshold] = [&inputs[3], &inputs[4]].map(|x| x.get(0).as_f64());
        let (n_classes, n_boxes) = (scores.shape()[1], scores.shape()[2]);
        let mut kept: Vec<i64> = Vec::new();
        for line in 0..scores.shape()[0] * n_classes {
            let (batch, class) = (line / n_classes, line % n_classes);
            let score = |i: usize| scores.get(line * n_boxes + i).as_f64();
            let corners = |i: usize| {
                let value = |at: usize| boxes.get((batch * n_boxes + i) * 4 + at).as_f64();
                corners([value(0), value(1), value(2), value(3)], self.center_point)
            };
            let mut candidates: Vec<usize> = (0..n_boxes).filter(|i| score(*i) > threshold).collect();
            candidates.sort_by(|a, b| score(*b).total_cmp(&score(*a)));
            let mut selected: Vec<usize> = Vec::new();
            for i in candidates {
                let free = |j: &usize| intersection_over_union(corners(i), corners(*j)) <= overlap;
                if selected.len() < most && selected.iter().all(free) {
                    selected.push(i);
                }
            }
            kept.extend(selected.iter().flat_map(|i| [batch as i64, class as i64, *i as i64]));
        }
        Ok(vec![Tensor::from_vec(vec![kept.len() / 3, 3], kept)])
    }
}

/// A box as `[low_0, low_1, high_0, high_1]`.
fn corners([a, b, c, d]: [f64; 4], center_point: bool) -> [f64; 4] {
    if center_point {
        return [a - c / 2.0, b - d / 2.0, a + c / 2.0, b + d / 2.0];
    }
    [a.min(c), b.min(d), a.max(c), b.max(d)]
}

/// The common area as a part of the joint area; 0 if either box is empty.
fn intersection_over_union(p: [f64; 4], q: [f64; 4]) -> f64 {
    let area = |r: [f64; 4]| (r[2] - r[0]) * (r[3] - r[1]);
    let height = p[2].min(q[2]) - p[0].max(q[0]);
    let width = p[3].min(q[3]) - p[1].max(q[1]);
    if !(area(p) > 0.0 && area(q) > 0.0 && height > 0.0 && width > 0.0) {
        return 0.0;
    }
    let common = height * width;
    common / (area(p) + area(q) - common)
}
