//! Distinct elements or slices.

use super::{Computed, order::compare};
use std::cmp::Ordering;
use tensor::{Scalar, Tensor};

pub(super) fn run(data: &Tensor, axis: Option<u32>, sorted: bool) -> Computed {
    let flattened;
    let (data, axis) = match axis {
        Some(axis) => (data, axis as usize),
        None => {
            flattened = super::flat(data);
            (&flattened, 0)
        }
    };
    let n = data.shape()[axis];
    let keys = slices(data, axis);
    let by_value = |a: &usize, b: &usize| -> Ordering {
        let pairs = keys[*a].iter().zip(&keys[*b]);
        pairs.map(|(x, y)| compare(*x, *y)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    };
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(by_value);
    // Groups of equal slices in order of value; a stable sort leaves the first occurrence first.
    let mut groups: Vec<Vec<usize>> = order.chunk_by(|a, b| by_value(a, b).is_eq()).map(<[usize]>::to_vec).collect();
    if !sorted {
        groups.sort_by_key(|group| group[0]);
    }
    let mut inverse = vec![0; n];
    for (rank, group) in groups.iter().enumerate() {
        group.iter().for_each(|at| inverse[*at] = rank);
    }
    let firsts: Vec<usize> = groups.iter().map(|group| group[0]).collect();
    let counts = super::indices(groups.iter().map(Vec::len));
    let values = super::take(data, axis, &firsts);
    let size = firsts.len() as i64;
    Computed { tensors: vec![values, super::indices(firsts), super::indices(inverse), counts], sizes: vec![size] }
}

/// The elements of each slice along an axis.
fn slices(data: &Tensor, axis: usize) -> Vec<Vec<Scalar>> {
    let [outer, extent, inner] = super::around(data.shape(), axis);
    let element = |at: usize, row: usize, column: usize| data.get((row * extent + at) * inner + column);
    let slice = |at: usize| {
        (0..outer)
            .flat_map(|row| (0..inner).map(move |column| (row, column)))
            .map(|(row, column)| element(at, row, column))
            .collect()
    };
    (0..extent).map(slice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ints(computed: &Computed) -> Vec<Vec<i64>> {
        computed.tensors.iter().map(Tensor::to_ints).collect()
    }

    #[test]
    fn both_orders() {
        let data = Tensor::from_vec(vec![6], vec![2.0f32, 1.0, 1.0, 3.0, 4.0, 3.0]);
        let sorted = run(&data, None, true);
        assert_eq!(ints(&sorted), [vec![1, 2, 3, 4], vec![1, 0, 3, 4], vec![1, 0, 0, 2, 3, 2], vec![2, 1, 2, 1]]);
        let unsorted = run(&data, None, false);
        assert_eq!(ints(&unsorted), [vec![2, 1, 3, 4], vec![0, 1, 3, 4], vec![0, 1, 1, 2, 3, 2], vec![1, 2, 2, 1]]);
        assert_eq!(unsorted.sizes, [4]);
    }

    #[test]
    fn slices_along_an_axis() {
        let data = Tensor::from_vec(vec![3, 3], vec![1i64, 0, 0, 1, 0, 0, 2, 3, 4]);
        let rows = run(&data, Some(0), true);
        assert_eq!(rows.tensors[0], Tensor::from_vec(vec![2, 3], vec![1i64, 0, 0, 2, 3, 4]));
        let columns = run(&data, Some(1), true);
        assert_eq!(columns.tensors[0].shape(), [3, 3]);
        assert_eq!(columns.tensors[0].to_ints(), [0, 0, 1, 0, 0, 1, 3, 4, 2]);
        assert_eq!(run(&Tensor::from_vec(vec![0], Vec::<i64>::new()), None, true).sizes, [0]);
    }
}
