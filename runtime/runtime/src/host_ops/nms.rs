//! Non-maximum suppression of boxes.

use super::Computed;
use tensor::{Scalar, Tensor};

/// A box by its corners.
#[derive(Clone, Copy)]
struct Corners {
    low: [f32; 2],
    high: [f32; 2],
}

impl Corners {
    fn new(at: [f32; 4], center_point_box: bool) -> Self {
        let [a, b, c, d] = at;
        if center_point_box {
            return Corners { low: [a - c / 2.0, b - d / 2.0], high: [a + c / 2.0, b + d / 2.0] };
        }
        // Any two opposite corners may be given.
        Corners { low: [a.min(c), b.min(d)], high: [a.max(c), b.max(d)] }
    }

    fn area(self) -> f32 {
        (self.high[0] - self.low[0]) * (self.high[1] - self.low[1])
    }

    /// Intersection over union; 0 where either box is empty.
    fn overlap(self, other: Corners) -> f32 {
        let side = |axis: usize| (self.high[axis].min(other.high[axis]) - self.low[axis].max(other.low[axis])).max(0.0);
        let common = side(0) * side(1);
        let union = self.area() + other.area() - common;
        if self.area() <= 0.0 || other.area() <= 0.0 || union <= 0.0 { 0.0 } else { common / union }
    }
}

pub(super) fn run(inputs: &[Tensor], center_point_box: bool) -> Result<Computed, String> {
    let (boxes, scores) = (&inputs[0], &inputs[1]);
    let ([batches, n_boxes, 4], [score_batches, classes, n_scores]) = (boxes.shape(), scores.shape()) else {
        return Err(format!("boxes {:?} and scores {:?} have the wrong shape", boxes.shape(), scores.shape()));
    };
    if batches != score_batches || n_boxes != n_scores {
        return Err(format!("boxes {:?} and scores {:?} do not belong together", boxes.shape(), scores.shape()));
    }
    let scalar = |at: usize| inputs.get(at).filter(|tensor| !tensor.is_empty()).map(|tensor| tensor.get(0));
    let limit = usize::try_from(scalar(2).map_or(0, Scalar::as_int)).unwrap_or(0);
    let iou_threshold = scalar(3).map_or(0.0, Scalar::as_f64) as f32;
    let score_threshold = scalar(4).map(|v| v.as_f64() as f32);
    let coordinates = boxes.values::<f32>();
    let scores = scores.values::<f32>();

    let mut selected: Vec<i64> = vec![];
    for batch in 0..*batches {
        let corners: Vec<Corners> = coordinates[batch * n_boxes * 4..(batch + 1) * n_boxes * 4]
            .chunks_exact(4)
            .map(|c| Corners::new([c[0], c[1], c[2], c[3]], center_point_box))
            .collect();
        for class in 0..*classes {
            let start = (batch * classes + class) * n_boxes;
            let kept = suppress(&corners, &scores[start..start + n_boxes], limit, iou_threshold, score_threshold);
            selected.extend(kept.into_iter().flat_map(|at| [batch as i64, class as i64, at as i64]));
        }
    }
    let n = selected.len() / 3;
    Ok(Computed { tensors: vec![Tensor::from_vec(vec![n, 3], selected)], sizes: vec![n as i64] })
}

/// Takes boxes by falling score and drops those that overlap too much with one that was taken.
fn suppress(
    boxes: &[Corners],
    scores: &[f32],
    limit: usize,
    iou_threshold: f32,
    score_threshold: Option<f32>,
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..boxes.len()).filter(|at| score_threshold.is_none_or(|t| scores[*at] > t)).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    let mut kept: Vec<usize> = vec![];
    for at in order {
        if kept.len() >= limit {
            break;
        }
        if kept.iter().all(|other| boxes[at].overlap(boxes[*other]) <= iou_threshold) {
            kept.push(at);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The boxes of ONNX's own examples.
    fn inputs(limit: i64, iou: f32, score: f32) -> Vec<Tensor> {
        let boxes = [
            [0.0f32, 0.0, 1.0, 1.0],
            [0.0, 0.1, 1.0, 1.1],
            [0.0, -0.1, 1.0, 0.9],
            [0.0, 10.0, 1.0, 11.0],
            [0.0, 10.1, 1.0, 11.1],
            [0.0, 100.0, 1.0, 101.0],
        ];
        vec![
            Tensor::from_vec(vec![1, 6, 4], boxes.concat()),
            Tensor::from_vec(vec![1, 1, 6], vec![0.9f32, 0.75, 0.6, 0.95, 0.5, 0.3]),
            Tensor::from_vec(vec![1], vec![limit]),
            Tensor::from_vec(vec![1], vec![iou]),
            Tensor::from_vec(vec![1], vec![score]),
        ]
    }

    #[test]
    fn the_standards_examples() {
        let picks = |limit, iou, score| run(&inputs(limit, iou, score), false).unwrap().tensors[0].to_ints();
        assert_eq!(picks(3, 0.5, 0.0), [0, 0, 3, 0, 0, 0, 0, 0, 5]);
        assert_eq!(picks(2, 0.5, 0.0), [0, 0, 3, 0, 0, 0]);
        assert_eq!(picks(3, 0.5, 0.4), [0, 0, 3, 0, 0, 0]);
        assert_eq!(picks(0, 0.5, 0.4), [0i64; 0]);
        let defaults = run(&inputs(3, 0.5, 0.0)[..2], false).unwrap();
        assert_eq!(defaults.sizes, [0], "by default no box is wanted");
    }

    #[test]
    fn flipped_corners_and_centers() {
        let flipped = Corners::new([1.0, 1.0, 0.0, 0.0], false);
        let centered = Corners::new([0.5, 0.5, 1.0, 1.0], true);
        assert_eq!(flipped.overlap(centered), 1.0);
        let mut bad = inputs(1, 0.5, 0.0);
        bad[0] = Tensor::from_vec(vec![1, 5, 4], vec![0.0f32; 20]);
        assert!(run(&bad, false).is_err());
    }
}
