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
    let mut out: Vec<[u8; N]> = Vec::with_capacity(n);
    let outer = &shape[..shape.len() - 1];
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
