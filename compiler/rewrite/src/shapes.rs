//! Arithmetic of permutations, shapes and slices.

use ops::Slice;
use tensor::Dim;

/// Whether a permutation changes nothing.
pub(crate) fn is_identity(perm: &[usize]) -> bool {
    perm.iter().copied().eq(0..perm.len())
}

/// The permutation that undoes another.
pub(crate) fn inverse(perm: &[usize]) -> Vec<usize> {
    let mut out = vec![0; perm.len()];
    for (to, from) in perm.iter().enumerate() {
        out[*from] = to;
    }
    out
}

/// The permutation that does `first`, then `second`.
pub(crate) fn composed(first: &[usize], second: &[usize]) -> Vec<usize> {
    second.iter().map(|axis| first[*axis]).collect()
}

/// Entries in a permutation's order.
pub(crate) fn permuted<T: Clone>(entries: &[T], perm: &[usize]) -> Vec<T> {
    perm.iter().map(|axis| entries[*axis].clone()).collect()
}

/// Whether the axes that are not of size 1 keep their order.
pub(crate) fn moves_only_units(shape: &[Dim], perm: &[usize]) -> bool {
    perm.iter().filter(|axis| shape[**axis] != Dim::from(1)).is_sorted()
}

/// Whether a slice is the whole operand.
pub(crate) fn is_whole(op: &Slice, shape: &[Dim]) -> bool {
    op.sizes == shape && op.starts.iter().all(|start| *start == Dim::from(0)) && op.steps.iter().all(|step| *step == 1)
}

/// One slice that does the work of two.
pub(crate) fn composed_slices(first: &Slice, second: &Slice) -> Option<Slice> {
    let steps = first.steps.iter().zip(&second.steps);
    let starts = first
        .starts
        .iter()
        .zip(&second.starts)
        .zip(&first.steps)
        .map(|((a, b), step)| a.clone() + b.clone() * Dim::from(*step));
    Some(Slice {
        starts: starts.collect(),
        sizes: second.sizes.clone(),
        steps: steps.map(|(a, b)| a.checked_mul(*b)).collect::<Option<_>>()?,
    })
}

/// The axes that are not in a list, ascending.
pub(crate) fn others(rank: usize, axes: &[usize]) -> Vec<usize> {
    (0..rank).filter(|axis| !axes.contains(axis)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutations_compose_and_invert() {
        let (p, q) = (vec![1, 2, 0], vec![2, 1, 0]);
        let x = ["a", "b", "c"];
        assert_eq!(permuted(&permuted(&x, &p), &q), permuted(&x, &composed(&p, &q)));
        assert!(is_identity(&composed(&p, &inverse(&p))));
    }

    #[test]
    fn unit_axes_move_freely() {
        let shape = [Dim::from(1), Dim::symbol("N"), Dim::from(4)];
        assert!(moves_only_units(&shape, &[1, 0, 2]));
        assert!(!moves_only_units(&shape, &[0, 2, 1]));
    }
}
