//! Coordinates of nonzero elements.

use super::Computed;
use tensor::Tensor;

pub(super) fn run(data: &Tensor) -> Computed {
    let found: Vec<usize> = data.iter().enumerate().filter(|(_, v)| v.as_bool()).map(|(at, _)| at).collect();
    let mut coordinates = Vec::with_capacity(found.len() * data.rank());
    for axis in 0..data.rank() {
        let [_, extent, inner] = super::around(data.shape(), axis);
        coordinates.extend(found.iter().map(|at| (at / inner % extent) as i64));
    }
    let n = found.len();
    Computed { tensors: vec![Tensor::from_vec(vec![data.rank(), n], coordinates)], sizes: vec![n as i64] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_in_row_major_order() {
        let data = Tensor::from_vec(vec![2, 3], vec![0.0f32, 1.0, f32::NAN, -0.0, 0.0, 2.0]);
        let found = run(&data);
        assert_eq!(found.sizes, [3]);
        assert_eq!(found.tensors[0], Tensor::from_vec(vec![2, 3], vec![0i64, 0, 1, 1, 2, 2]));
        let scalar = run(&Tensor::from_bools(vec![], &[true]));
        assert_eq!((scalar.tensors[0].shape(), &scalar.sizes[..]), (&[0, 1][..], &[1][..]));
    }
}
