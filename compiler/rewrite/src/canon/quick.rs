//! The reference evaluator, with short cuts for what large weights go through. Each gives the same bits.

use ops::{BinaryKind, Op};
use tensor::{DType, Tensor};

/// The single result of an operation on constants.
pub(crate) fn eval(op: &Op, inputs: &[Tensor]) -> Option<Tensor> {
    let short = match (op, inputs) {
        (Op::Binary(op), [a, b]) => binary(op.kind, a, b),
        (Op::Broadcast(op), [x]) => {
            let shape = op.shape.iter().map(|d| usize::try_from(d.as_const()?).ok());
            broadcast(x, &shape.collect::<Option<Vec<_>>>()?)
        }
        (Op::Transpose(op), [x]) => transpose(x, &op.perm),
        (Op::Concat(op), xs) => concat(xs, op.axis),
        _ => None,
    };
    short.or_else(|| op.eval(inputs).ok()?.pop())
}

/// `f32` sums, differences and products round once, as they do by way of `f64`, which has more than twice the bits.
fn binary(kind: BinaryKind, a: &Tensor, b: &Tensor) -> Option<Tensor> {
    if a.dtype() != DType::F32 || b.dtype() != DType::F32 || a.shape() != b.shape() {
        return None;
    }
    let f: fn(f32, f32) -> f32 = match kind {
        BinaryKind::Add => |x, y| x + y,
        BinaryKind::Sub => |x, y| x - y,
        BinaryKind::Mul => |x, y| x * y,
        _ => return None,
    };
    let (a_values, b_values) = (a.values::<f32>(), b.values::<f32>());
    let results = a_values.iter().zip(b_values.iter()).map(|(x, y)| f(*x, *y));
    Some(Tensor::from_vec(a.shape().to_vec(), results.collect()))
}

fn broadcast(x: &Tensor, shape: &[usize]) -> Option<Tensor> {
    let missing = shape.len().checked_sub(x.rank())?;
    let own = strides(x.shape());
    let strides: Vec<usize> = (0..shape.len())
        .map(|axis| match axis.checked_sub(missing) {
            Some(own_axis) if x.shape()[own_axis] == shape[axis] => own[own_axis],
            _ => 0,
        })
        .collect();
    gathered(x, shape, &strides)
}

fn transpose(x: &Tensor, perm: &[usize]) -> Option<Tensor> {
    let own = strides(x.shape());
    let shape: Vec<usize> = perm.iter().map(|axis| x.shape()[*axis]).collect();
    let strides: Vec<usize> = perm.iter().map(|axis| own[*axis]).collect();
    gathered(x, &shape, &strides)
}

/// Distances between neighbours along each axis, in elements.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut out = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        out[axis - 1] = out[axis] * shape[axis];
    }
    out
}

/// Copies elements by strides into a dense tensor.
fn gathered(x: &Tensor, shape: &[usize], strides: &[usize]) -> Option<Tensor> {
    let bytes = match x.dtype().size() {
        1 => copied::<1>(x.bytes(), shape, strides),
        2 => copied::<2>(x.bytes(), shape, strides),
        4 => copied::<4>(x.bytes(), shape, strides),
        8 => copied::<8>(x.bytes(), shape, strides),
        _ => return None,
    };
    Tensor::from_bytes(x.dtype(), shape.to_vec(), bytes?.into()).ok()
}

/// The same for elements of `N` bytes, line by line along the last axis.
fn copied<const N: usize>(bytes: &[u8], shape: &[usize], strides: &[usize]) -> Option<Vec<u8>> {
    let (elements, _) = bytes.as_chunks::<N>();
    let (line, stride) = match (shape.last(), strides.last()) {
        (Some(line), Some(stride)) => (*line, *stride),
        _ => return Some(bytes.to_vec()),
    };
    let n: usize = shape.iter().product();
    let outer = &shape[..shape.len() - 1];
    if stride > 1
        && let Some(axis) = (0..outer.len()).rev().find(|axis| strides[*axis] == 1 && shape[*axis] > 1)
    {
        return transposed(elements, shape, strides, axis);
    }
    let mut out: Vec<[u8; N]> = Vec::with_capacity(n);
    let mut index = vec![0; outer.len()];
    let mut at = 0;
    while out.len() < n {
        match stride {
            0 => out.extend(std::iter::repeat_n(elements.get(at)?, line)),
            1 => out.extend_from_slice(elements.get(at..at + line)?),
            _ => out.extend(elements.get(at..)?.iter().step_by(stride).take(line)),
        }
        for axis in (0..outer.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < outer[axis] {
                break;
            }
            at -= strides[axis] * outer[axis];
            index[axis] = 0;
        }
    }
    Some(out.into_flattened())
}

/// Where the elements of one result line lie apart and those of `axis` side by side: whole lines of cache are read, and
/// as many result lines written at a time as one of them feeds.
fn transposed<const N: usize>(
    elements: &[[u8; N]],
    shape: &[usize],
    strides: &[usize],
    axis: usize,
) -> Option<Vec<u8>> {
    let lines_at_a_time = 64 / N;
    let out_strides = self::strides(shape);
    let (last, stride) = (shape.len() - 1, strides[shape.len() - 1]);
    let others: Vec<usize> = (0..last).filter(|other| *other != axis).collect();
    let mut out = vec![[0; N]; shape.iter().product()];
    for number in 0..others.iter().map(|other| shape[*other]).product() {
        let (mut rest, mut from, mut to): (usize, usize, usize) = (number, 0, 0);
        for other in others.iter().rev() {
            let idx = rest % shape[*other];
            (rest, from, to) = (rest / shape[*other], from + idx * strides[*other], to + idx * out_strides[*other]);
        }
        for first in (0..shape[axis]).step_by(lines_at_a_time) {
            let lines = lines_at_a_time.min(shape[axis] - first);
            for column in 0..shape[last] {
                let read = elements.get(from + first + column * stride..)?.get(..lines)?;
                let slots =
                    out.get_mut(to + first * out_strides[axis] + column..)?.iter_mut().step_by(out_strides[axis]);
                slots.zip(read).for_each(|(slot, element)| *slot = *element);
            }
        }
    }
    Some(out.into_flattened())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ops::Transpose;

    #[test]
    fn short_cuts_give_what_the_evaluator_gives() {
        for (shape, perm) in [
            (vec![3, 5], vec![1, 0]),
            (vec![70, 33], vec![1, 0]),
            (vec![2, 17, 40], vec![0, 2, 1]),
            (vec![18, 3, 20], vec![2, 0, 1]),
            (vec![4, 19, 2, 5], vec![0, 2, 3, 1]),
            (vec![2, 3, 1, 37], vec![3, 1, 2, 0]),
            (vec![0, 3], vec![1, 0]),
        ] {
            let n: usize = shape.iter().product();
            let floats = Tensor::from_vec(shape.clone(), (0..n).map(|i| i as f32).collect());
            let bytes = Tensor::from_vec(shape.clone(), (0..n).map(|i| i as u8).collect());
            for x in [floats, bytes] {
                let op = Op::from(Transpose { perm: perm.clone() });
                let expected = op.eval(std::slice::from_ref(&x)).unwrap().pop().unwrap();
                assert_eq!(transpose(&x, &perm).unwrap(), expected, "{shape:?} by {perm:?}");
            }
        }
    }
}

fn concat(xs: &[Tensor], axis: usize) -> Option<Tensor> {
    let first = xs.first()?;
    let mut shape = first.shape().to_vec();
    shape[axis] = xs.iter().map(|x| x.shape()[axis]).sum();
    let n_outer: usize = shape[..axis].iter().product();
    let mut out = Vec::with_capacity(xs.iter().map(|x| x.bytes().len()).sum());
    for outer in 0..n_outer {
        for x in xs {
            let block = x.bytes().len() / n_outer;
            out.extend_from_slice(x.bytes().get(outer * block..(outer + 1) * block)?);
        }
    }
    Tensor::from_bytes(first.dtype(), shape, out.into()).ok()
}
