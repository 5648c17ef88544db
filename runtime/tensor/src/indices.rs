//! Indices that come from data: whether each is one of its axis, and what to say of the first that is not.

use crate::{DType, Tensor};

/// An element of a tensor of indices that is no index of its axis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("index {value}{} lies outside of axis {axis}, which has size {size}", place(at))]
pub struct BadIndex {
    /// The element.
    pub value: i128,
    /// Where it stands in the tensor of indices, if that is known.
    pub at: Option<Vec<usize>>,
    /// The axis that it should be an index of.
    pub axis: usize,
    /// The size of that axis.
    pub size: i64,
}

fn place(at: &Option<Vec<usize>>) -> String {
    at.as_ref().map(|at| format!(" (element {at:?} of the indices)")).unwrap_or_default()
}

/// Checks a tensor of indices, in which element `i` selects from axis `first_axis + i % sizes.len()`.
/// An index `i` of an axis of size `n` has `-n <= i < n`; negative ones count from the end.
///
/// ```
/// # use tensor::{Tensor, check_indices};
/// let indices = Tensor::from_vec(vec![2, 2], vec![0i64, -4, 3, 4]);
/// let bad = check_indices(&indices, 1, &[4]).unwrap_err();
/// assert_eq!((bad.value, bad.at), (4, Some(vec![1, 1])));
/// assert!(check_indices(&indices, 0, &[4, 5]).is_ok());
/// ```
///
/// # Errors
/// The first element that is outside.
pub fn check_indices(indices: &Tensor, first_axis: usize, sizes: &[i64]) -> Result<(), BadIndex> {
    let bad = match (indices.dtype(), sizes) {
        (_, []) => None,
        (DType::I64, [size]) => position(&indices.values::<i64>(), |i| (-size..*size).contains(&i)),
        (DType::I32, [size]) => position(&indices.values::<i32>(), |i| (-size..*size).contains(&i64::from(i))),
        _ => {
            let is_inside = |(at, i): (usize, i128)| {
                let size = i128::from(sizes[at % sizes.len()]);
                (-size..size).contains(&i)
            };
            indices.iter().map(|i| i.as_int()).enumerate().position(|pair| !is_inside(pair))
        }
    };
    let Some(flat) = bad else { return Ok(()) };
    let column = flat % sizes.len();
    Err(BadIndex {
        value: indices.get(flat).as_int(),
        at: Some(unflattened(flat, indices.shape())),
        axis: first_axis + column,
        size: sizes[column],
    })
}

/// The first that is not inside. Most tensors have none, so blocks are looked at without a way out, which vectorizes.
fn position<T: Copy>(values: &[T], is_inside: impl Fn(T) -> bool) -> Option<usize> {
    const BLOCK: usize = 256;
    let block = values.chunks(BLOCK).position(|block| !block.iter().fold(true, |all, i| all & is_inside(*i)))?;
    let rest = values[block * BLOCK..].iter().position(|i| !is_inside(*i))?;
    Some(block * BLOCK + rest)
}

fn unflattened(flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = flat;
    let mut at: Vec<usize> = shape
        .iter()
        .rev()
        .map(|size| {
            let idx = rest % size;
            rest /= size;
            idx
        })
        .collect();
    at.reverse();
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_many_is_found_whatever_its_type() {
        for bad in [0usize, 255, 256, 999] {
            let ints: Vec<i32> = (0..1000).map(|i| if i >= bad as i32 { -8 } else { i % 7 }).collect();
            let wide = Tensor::from_vec(vec![10, 100], ints.iter().map(|i| i64::from(*i)).collect());
            let narrow = Tensor::from_vec(vec![10, 100], ints.iter().map(|i| *i as i8).collect());
            for indices in [wide, Tensor::from_vec(vec![10, 100], ints), narrow] {
                let found = check_indices(&indices, 0, &[7]).unwrap_err();
                assert_eq!((found.value, found.at), (-8, Some(vec![bad / 100, bad % 100])));
                assert!(check_indices(&indices, 0, &[8]).is_ok());
            }
        }
    }

    #[test]
    fn an_axis_without_elements_has_no_index() {
        let none = Tensor::from_vec::<i64>(vec![0], vec![]);
        assert!(check_indices(&none, 0, &[0]).is_ok());
        let zero = Tensor::from_vec(vec![], vec![0i64]);
        let text = check_indices(&zero, 2, &[0]).unwrap_err().to_string();
        assert_eq!(text, "index 0 (element [] of the indices) lies outside of axis 2, which has size 0");
    }
}
