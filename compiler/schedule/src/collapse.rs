//! Merging of neighboring axes that every access of a kernel walks in one stride.

use crate::strided::row_major;
use tensor::Dim;

/// Neighboring axes that are iterated as one: for each group the extent and the axes in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// The product of the axes' sizes, for each group.
    pub extents: Vec<Dim>,
    /// First axis of each group, ascending, and the rank at the end.
    pub starts: Vec<usize>,
}

impl Groups {
    /// Each axis on its own. A scalar gets one group of extent 1.
    pub fn separate(shape: &[Dim]) -> Groups {
        Groups { extents: shape.to_vec(), starts: (0..=shape.len()).collect() }
    }

    /// Groups that begin at the given axes.
    pub fn of(shape: &[Dim], starts: &[usize]) -> Groups {
        let starts: Vec<usize> = starts.iter().copied().chain([shape.len()]).collect();
        let product = |range: &[usize]| shape[range[0]..range[1]].iter().fold(Dim::from(1), |a, b| a * b.clone());
        Groups { extents: starts.windows(2).map(product).collect(), starts }
    }

    /// The number of groups.
    pub fn len(&self) -> usize {
        self.extents.len()
    }

    /// Whether there is no group: the shape of a scalar.
    pub fn is_empty(&self) -> bool {
        self.extents.is_empty()
    }
}

/// For each group, the stride in elements at which a dense value of shape `from` is walked when it is broadcast to `to`.
/// `None` if a group mixes repeated and walked axes, or if symbols hide whether an axis repeats.
pub fn broadcast_strides(from: &[Dim], to: &[Dim], groups: &Groups) -> Option<Vec<Dim>> {
    let missing = to.len().checked_sub(from.len())?;
    let strides = row_major(from);
    let one = Dim::from(1);
    groups
        .starts
        .windows(2)
        .map(|range| {
            let (mut walked, mut repeated, mut stride) = (false, false, Dim::from(0));
            for axis in (range[0]..range[1]).filter(|axis| to[*axis] != one) {
                match axis.checked_sub(missing) {
                    Some(at) if from[at] == to[axis] => {
                        walked = true;
                        stride = strides[at].clone();
                    }
                    Some(at) if from[at] != one => return None,
                    _ => repeated = true,
                }
            }
            (!(walked && repeated)).then_some(stride)
        })
        .collect()
}

/// The fewest groups of neighboring axes of `to` that all of these shapes can be broadcast over.
/// `None` if symbols hide whether an axis of one of them repeats.
pub fn collapse(to: &[Dim], leaves: &[Vec<Dim>]) -> Option<Groups> {
    let separate = Groups::separate(to);
    for leaf in leaves {
        broadcast_strides(leaf, to, &separate)?;
    }
    let mut starts: Vec<usize> = Vec::new();
    for axis in 0..to.len() {
        let start = starts.last().copied();
        let merges = start.is_some_and(|start| {
            let merged = Groups { extents: vec![], starts: vec![start, axis + 1] };
            leaves.iter().all(|leaf| broadcast_strides(leaf, to, &merged).is_some())
        });
        if !merges {
            starts.push(axis);
        }
    }
    Some(Groups::of(to, &starts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dims(shape: &[i64]) -> Vec<Dim> {
        shape.iter().map(|d| Dim::from(*d)).collect()
    }

    #[test]
    fn equal_shapes_collapse_to_one_group() {
        let to = dims(&[2, 3, 4]);
        assert_eq!(collapse(&to, std::slice::from_ref(&to)).unwrap().extents, dims(&[24]));
    }

    #[test]
    fn a_bias_per_channel_keeps_the_channel_apart() {
        let to = dims(&[1, 8, 5, 5]);
        let groups = collapse(&to, &[to.clone(), dims(&[8, 1, 1])]).unwrap();
        assert_eq!(groups.extents, dims(&[8, 25]));
        assert_eq!(broadcast_strides(&dims(&[8, 1, 1]), &to, &groups).unwrap(), dims(&[1, 0]));
        assert_eq!(broadcast_strides(&to, &to, &groups).unwrap(), dims(&[25, 1]));
    }

    #[test]
    fn an_axis_that_may_or_may_not_repeat_does_not_collapse() {
        let to = vec![Dim::symbol("N"), Dim::from(4)];
        assert_eq!(collapse(&to, &[vec![Dim::symbol("M"), Dim::from(4)]]), None);
    }
}
