//! The elements or slices where a condition is true.

use super::Computed;
use tensor::Tensor;

pub(super) fn run(data: &Tensor, condition: &Tensor, axis: Option<u32>) -> Result<Computed, String> {
    let flattened;
    let (data, axis) = match axis {
        Some(axis) => (data, axis as usize),
        None => {
            flattened = super::flat(data);
            (&flattened, 0)
        }
    };
    let positions: Vec<usize> = condition.iter().enumerate().filter(|(_, v)| v.as_bool()).map(|(at, _)| at).collect();
    if let Some(at) = positions.iter().find(|at| **at >= data.shape()[axis]) {
        return Err(format!("the condition is true at {at}, but the data has {} slices", data.shape()[axis]));
    }
    Ok(Computed { tensors: vec![super::take(data, axis, &positions)], sizes: vec![positions.len() as i64] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_condition_drops_the_rest() {
        let data = Tensor::from_vec(vec![3, 2], vec![1i32, 2, 3, 4, 5, 6]);
        let rows = run(&data, &Tensor::from_bools(vec![3], &[false, true, true]), Some(0)).unwrap();
        assert_eq!(rows.tensors[0], Tensor::from_vec(vec![2, 2], vec![3i32, 4, 5, 6]));
        let columns = run(&data, &Tensor::from_bools(vec![1], &[true]), Some(1)).unwrap();
        assert_eq!(columns.tensors[0], Tensor::from_vec(vec![3, 1], vec![1i32, 3, 5]));
        let elements = run(&data, &Tensor::from_bools(vec![5], &[false, true, false, false, true]), None).unwrap();
        assert_eq!(elements.tensors[0], Tensor::from_vec(vec![2], vec![2i32, 5]));
        assert_eq!(elements.sizes, [2]);
        assert!(run(&data, &Tensor::from_bools(vec![3], &[true; 3]), Some(1)).is_err());
    }
}
