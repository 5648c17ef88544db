//! Sparse tensors of the file into dense ones.

use crate::external::ExternalData;
use crate::proto::SparseTensorProto;
use crate::tensors::{TensorFault, decode};
use tensor::{Scalar, Tensor};

/// The most elements that a sparse tensor may unfold to.
const MAX_ELEMENTS: usize = 1 << 28;

/// The dense tensor that a sparse one stands for.
pub(crate) fn dense(proto: &SparseTensorProto, external: Option<&dyn ExternalData>) -> Result<Tensor, TensorFault> {
    let bad = |what: &str| TensorFault::Bad(format!("sparse tensor: {what}"));
    let (Some(values), Some(indices)) = (&proto.values, &proto.indices) else {
        return Err(bad("values or indices are missing"));
    };
    let (values, indices) = (decode(values, external)?, decode(indices, external)?);
    let shape: Vec<usize> = proto
        .dims
        .iter()
        .map(|d| usize::try_from(*d))
        .collect::<Result<_, _>>()
        .map_err(|_| bad("a dimension is negative"))?;
    let n = shape
        .iter()
        .try_fold(1usize, |n, d| n.checked_mul(*d))
        .filter(|n| *n <= MAX_ELEMENTS)
        .ok_or_else(|| bad("it is too large"))?;
    let positions =
        flat_positions(&indices, &shape, values.len()).ok_or_else(|| bad("indices do not fit values and shape"))?;
    let size = values.dtype().size();
    let mut bytes = Tensor::full(values.dtype(), vec![n], Scalar::Int(0)).bytes().to_vec();
    for (idx, at) in positions.into_iter().enumerate() {
        bytes[at * size..(at + 1) * size].copy_from_slice(&values.bytes()[idx * size..(idx + 1) * size]);
    }
    let bytes = Tensor::from_vec(vec![bytes.len()], bytes).bytes().clone();
    Tensor::from_bytes(values.dtype(), shape, bytes).map_err(|e| TensorFault::Bad(e.to_string()))
}

/// Row-major positions from indices `[n]` (flat) or `[n, rank]` (one for each axis).
fn flat_positions(indices: &Tensor, shape: &[usize], n_values: usize) -> Option<Vec<usize>> {
    let n: usize = shape.iter().product();
    if indices.dtype() != tensor::DType::I64 {
        return None;
    }
    let ints = indices.to_ints();
    let positions: Vec<usize> = match *indices.shape() {
        [count] if count == n_values => ints.into_iter().map(|i| usize::try_from(i).ok()).collect::<Option<_>>()?,
        [count, rank] if count == n_values && rank == shape.len() && rank > 0 => ints
            .chunks(rank)
            .map(|tuple| {
                tuple.iter().zip(shape).try_fold(0usize, |flat, (i, d)| {
                    let i = usize::try_from(*i).ok().filter(|i| i < d)?;
                    Some(flat * d + i)
                })
            })
            .collect::<Option<_>>()?,
        _ => return None,
    };
    positions.iter().all(|p| *p < n).then_some(positions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensors::to_proto;

    #[test]
    fn both_forms_of_indices_are_read_and_bad_ones_refused() {
        let values = to_proto("v", &Tensor::from_vec(vec![2], vec![5.0f32, 7.0]));
        let sparse = |indices: Tensor| SparseTensorProto {
            values: Some(values.clone()),
            indices: Some(to_proto("", &indices)),
            dims: vec![2, 2],
        };
        let expected = Tensor::from_vec(vec![2, 2], vec![0f32, 5.0, 7.0, 0.0]);
        let flat = Tensor::from_vec(vec![2], vec![1i64, 2]);
        assert_eq!(dense(&sparse(flat), None).unwrap(), expected);
        let pairs = Tensor::from_vec(vec![2, 2], vec![0i64, 1, 1, 0]);
        assert_eq!(dense(&sparse(pairs), None).unwrap(), expected);
        for outside in [vec![1i64, 4], vec![-1, 0]] {
            assert!(dense(&sparse(Tensor::from_vec(vec![2], outside)), None).is_err());
        }
    }
}
