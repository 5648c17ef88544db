//! Small steps that many decompositions share: numbers like an operand, parts of an axis, means, dimensions as data.

pub(super) use crate::cx::{Cx, Inputs, OpFn, OpResult};
pub(super) use crate::error::{ImportError, bad, unsupported};
pub(super) use crate::registry::Row;
pub(super) use graph::{Builder, ValueId};
pub(super) use ops::{BinaryKind, CompareKind, ReduceKind, UnaryKind};
pub(super) use tensor::{DType, Dim, Scalar, Tensor};

/// One value, or why there is none.
pub(super) type One = Result<ValueId, ImportError>;

/// A number as a scalar of the operand's element type.
pub(super) fn num(b: &mut Builder, like: ValueId, value: f64) -> One {
    let dtype = b.dtype(like);
    Ok(b.scalar(dtype, value)?)
}

/// `x op number`.
pub(super) fn with_num(b: &mut Builder, kind: BinaryKind, x: ValueId, value: f64) -> One {
    let number = num(b, x, value)?;
    Ok(b.binary(kind, x, number)?)
}

/// `x + number`; nothing is added for 0.
pub(super) fn add_num(b: &mut Builder, x: ValueId, value: f64) -> One {
    if value == 0.0 {
        return Ok(x);
    }
    with_num(b, BinaryKind::Add, x, value)
}

/// `x * number`; nothing is added for 1.
pub(super) fn mul_num(b: &mut Builder, x: ValueId, value: f64) -> One {
    if value == 1.0 {
        return Ok(x);
    }
    with_num(b, BinaryKind::Mul, x, value)
}

/// `number - x`.
pub(super) fn num_sub(b: &mut Builder, value: f64, x: ValueId) -> One {
    let number = num(b, x, value)?;
    Ok(b.sub(number, x)?)
}

/// `x compared with number`.
pub(super) fn compare_num(b: &mut Builder, kind: CompareKind, x: ValueId, value: f64) -> One {
    let number = num(b, x, value)?;
    Ok(b.compare(kind, x, number)?)
}

/// `x` limited to `low ..= high`.
pub(super) fn clamp(b: &mut Builder, x: ValueId, low: f64, high: f64) -> One {
    let x = with_num(b, BinaryKind::Max, x, low)?;
    with_num(b, BinaryKind::Min, x, high)
}

/// `1 / sqrt(x)`.
pub(super) fn rsqrt(b: &mut Builder, x: ValueId) -> One {
    let root = b.unary(UnaryKind::Sqrt, x)?;
    let one = num(b, x, 1.0)?;
    Ok(b.div(one, root)?)
}

/// The element type that sums over values of this type are computed in.
pub(super) fn wide(dtype: DType) -> DType {
    match dtype {
        DType::F16 | DType::BF16 => DType::F32,
        other => other,
    }
}

/// A dimension as a rank-0 value of an element type.
pub(super) fn dim_value(b: &mut Builder, dim: &Dim, dtype: DType) -> One {
    let vector = b.dims(vec![dim.clone()])?;
    let scalar = b.reshape(vector, vec![])?;
    Ok(b.cast(scalar, dtype)?)
}

/// `start .. start + size` of an axis.
pub(super) fn slice_axis(b: &mut Builder, x: ValueId, axis: usize, start: impl Into<Dim>, size: impl Into<Dim>) -> One {
    let mut sizes = b.shape(x).to_vec();
    let mut starts = vec![Dim::from(0); sizes.len()];
    starts[axis] = start.into();
    sizes[axis] = size.into();
    if sizes == b.shape(x) && starts[axis] == Dim::from(0) {
        return Ok(x);
    }
    let steps = vec![1; sizes.len()];
    Ok(b.emit(ops::Slice { starts, sizes, steps }, &[x])?)
}

/// An axis split into equal parts.
pub(super) fn split_axis(b: &mut Builder, x: ValueId, axis: usize, parts: usize) -> Result<Vec<ValueId>, ImportError> {
    let size = b.shape(x)[axis].clone().floor_div(parts.into());
    (0..parts).map(|idx| slice_axis(b, x, axis, size.clone() * idx.into(), size.clone())).collect()
}

/// The index `idx` of an axis, which vanishes.
pub(super) fn pick(b: &mut Builder, x: ValueId, axis: usize, idx: impl Into<Dim>) -> One {
    let part = slice_axis(b, x, axis, idx, 1)?;
    let mut shape = b.shape(part).to_vec();
    shape.remove(axis);
    Ok(b.reshape(part, shape)?)
}

/// The elements of some axes in reverse order.
pub(super) fn flip(b: &mut Builder, x: ValueId, axes: &[usize]) -> One {
    let sizes = b.shape(x).to_vec();
    let mut starts = vec![Dim::from(0); sizes.len()];
    let mut steps = vec![1; sizes.len()];
    for axis in axes {
        starts[*axis] = sizes[*axis].clone() - 1.into();
        steps[*axis] = -1;
    }
    Ok(b.emit(ops::Slice { starts, sizes, steps }, &[x])?)
}

/// A new axis of size 1.
pub(super) fn unsqueeze(b: &mut Builder, x: ValueId, axis: usize) -> One {
    let mut shape = b.shape(x).to_vec();
    shape.insert(axis, 1.into());
    Ok(b.reshape(x, shape)?)
}

/// Values one after the other along an axis.
pub(super) fn concat(b: &mut Builder, values: &[ValueId], axis: usize) -> One {
    match values {
        [only] => Ok(*only),
        _ => Ok(b.emit(ops::Concat { axis }, values)?),
    }
}

/// Values stacked along a new axis.
pub(super) fn stack(b: &mut Builder, values: &[ValueId], axis: usize) -> One {
    let slices: Vec<ValueId> = values.iter().map(|v| unsqueeze(b, *v, axis)).collect::<Result<_, _>>()?;
    concat(b, &slices, axis)
}

/// A vector placed along one axis of a tensor of this rank.
pub(super) fn along(b: &mut Builder, vector: ValueId, rank: usize, axis: usize) -> One {
    if b.rank(vector) == 0 {
        return Ok(vector);
    }
    let mut shape = vec![Dim::from(1); rank];
    shape[axis] = b.ty(vector).num_elements();
    Ok(b.reshape(vector, shape)?)
}

/// The mean over some axes, which stay with size 1.
pub(super) fn mean(b: &mut Builder, x: ValueId, axes: &[usize]) -> One {
    let count = axes.iter().fold(Dim::from(1), |n, axis| n * b.shape(x)[*axis].clone());
    let sum = b.reduce(ReduceKind::Sum, x, axes, true)?;
    let count = count_value(b, &count, x)?;
    Ok(b.div(sum, count)?)
}

/// A dimension as a scalar of the operand's element type: a constant if it is known.
pub(super) fn count_value(b: &mut Builder, count: &Dim, like: ValueId) -> One {
    match count.as_const() {
        Some(n) => num(b, like, n as f64),
        None => {
            let dtype = b.dtype(like);
            dim_value(b, count, dtype)
        }
    }
}

/// `0, 1, 2, ..` as a vector.
pub(super) fn iota(b: &mut Builder, dtype: DType, size: impl Into<Dim>) -> One {
    let shape = vec![size.into()];
    Ok(b.emit(ops::Iota { dtype, shape, axis: 0 }, &[])?)
}

/// The product of dimensions.
pub(super) fn product(dims: &[Dim]) -> Dim {
    dims.iter().fold(Dim::from(1), |n, d| n * d.clone())
}

/// Contraction of two operands.
pub(super) fn dot(
    b: &mut Builder,
    (lhs, lhs_batch, lhs_contract): (ValueId, &[usize], &[usize]),
    (rhs, rhs_batch, rhs_contract): (ValueId, &[usize], &[usize]),
    out: DType,
) -> One {
    let op = ops::Dot {
        lhs_batch: lhs_batch.to_vec(),
        rhs_batch: rhs_batch.to_vec(),
        lhs_contract: lhs_contract.to_vec(),
        rhs_contract: rhs_contract.to_vec(),
        out,
    };
    Ok(b.emit(op, &[lhs, rhs])?)
}

/// Padding with a number.
pub(super) fn pad_num(b: &mut Builder, x: ValueId, low: Vec<Dim>, high: Vec<Dim>, value: f64) -> One {
    if low.iter().chain(&high).all(|d| d.as_const() == Some(0)) {
        return Ok(x);
    }
    let value = num(b, x, value)?;
    Ok(b.emit(ops::Pad { low, high, mode: ops::PadMode::Constant }, &[x, value])?)
}

/// A scalar operand: any tensor of one element as rank 0.
pub(super) fn as_scalar(b: &mut Builder, x: ValueId) -> One {
    Ok(b.reshape(x, vec![])?)
}
