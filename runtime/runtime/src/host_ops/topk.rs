//! The largest or smallest elements along an axis.

use super::{Wanted, order::compare};
use std::cmp::Ordering;
use tensor::{DType, Scalar, Tensor};

pub(super) fn run(
    data: &Tensor,
    axis: usize,
    largest: bool,
    sorted: bool,
    wanted: &Wanted,
) -> Result<Vec<Tensor>, String> {
    let [outer, extent, inner] = super::around(data.shape(), axis);
    let k = wanted.shape.get(axis).copied().unwrap_or(0);
    if k > extent {
        return Err(format!("{k} elements are asked for, axis {axis} has {extent}"));
    }
    let mut shape = data.shape().to_vec();
    shape[axis] = k;
    let mut values = vec![Scalar::Int(0); outer * k * inner];
    let mut positions = vec![0; values.len()];
    for row in 0..outer {
        for column in 0..inner {
            let lane: Vec<Scalar> = (0..extent).map(|at| data.get((row * extent + at) * inner + column)).collect();
            for (rank, at) in select(&lane, k, largest, sorted).into_iter().enumerate() {
                let to = (row * k + rank) * inner + column;
                values[to] = lane[at];
                positions[to] = at;
            }
        }
    }
    let values = Tensor::build(data.dtype(), shape.clone(), |at| values[at]);
    Ok(vec![values, Tensor::build(DType::I64, shape, |at| Scalar::Int(positions[at] as i128))])
}

/// The positions of the `k` first elements of a lane.
fn select(lane: &[Scalar], k: usize, largest: bool, sorted: bool) -> Vec<usize> {
    let before = |a: &usize, b: &usize| -> Ordering {
        let by_value = compare(lane[*a], lane[*b]);
        (if largest { by_value.reverse() } else { by_value }).then(a.cmp(b))
    };
    let mut order: Vec<usize> = (0..lane.len()).collect();
    if k < order.len() && k > 0 {
        order.select_nth_unstable_by(k - 1, before);
    }
    order.truncate(k);
    if sorted {
        order.sort_unstable_by(before)
    } else {
        order.sort_unstable()
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(data: &Tensor, axis: usize, k: usize, largest: bool, sorted: bool) -> (Tensor, Vec<i64>) {
        let mut shape = data.shape().to_vec();
        shape[axis] = k;
        let mut out = run(data, axis, largest, sorted, &Wanted { dtype: data.dtype(), shape }).unwrap();
        let indices = out.pop().unwrap().to_ints();
        (out.pop().unwrap(), indices)
    }

    #[test]
    fn order_ties_and_nan() {
        let data = Tensor::from_vec(vec![5], vec![1.0f32, 3.0, f32::NAN, 3.0, -1.0]);
        assert_eq!(top(&data, 0, 3, true, true).1, [2, 1, 3]);
        assert_eq!(top(&data, 0, 3, false, true).1, [4, 0, 1]);
        assert_eq!(top(&data, 0, 3, true, false).1, [1, 2, 3]);
        assert_eq!(top(&data, 0, 5, false, true).1, [4, 0, 1, 3, 2]);
        assert_eq!(top(&data, 0, 0, false, true).1, [0i64; 0]);
    }

    #[test]
    fn any_axis_and_too_many() {
        let data = Tensor::from_vec(vec![2, 2], vec![1i64, 4, 3, 2]);
        assert_eq!(top(&data, 0, 1, true, true), (Tensor::from_vec(vec![1, 2], vec![3i64, 4]), vec![1, 0]));
        let error = run(&data, 1, true, true, &Wanted { dtype: DType::I64, shape: vec![2, 3] }).unwrap_err();
        assert!(error.contains("3 elements"), "{error}");
    }
}
