//! What is known at compile time of the elements of small integer tensors: how shape arithmetic becomes dimensions.
//!
//! Each element is a [`Dim`]. Constants, dimensions of other tensors, and arithmetic on them are followed;
//! so a `Reshape` whose target is computed from `Shape` nodes gets a symbolic shape instead of a run-time one.

use ops::{BinaryKind, CompareKind, Op, ReduceKind};
use tensor::{Bounds, DType, Dim, Scalar, Tensor, TensorType};

/// Tensors with more elements than this are data, not shapes.
const MAX_ELEMENTS: usize = 256;

fn small_static(ty: &TensorType) -> Option<Vec<usize>> {
    ty.static_shape().filter(|_| ty.static_len().is_some_and(|n| n <= MAX_ELEMENTS))
}

/// The elements of a node's single result, if they can be followed.
pub(crate) fn follow(
    op: &Op,
    types: &[TensorType],
    known: &[Option<&[Dim]>],
    out: &TensorType,
    bounds: &Bounds,
) -> Option<Vec<Dim>> {
    if !(out.dtype.is_int() || out.dtype == DType::Bool) {
        return None;
    }
    let shape = small_static(out)?;
    match op {
        Op::Constant(constant) => Some(constant.value.0.to_ints().into_iter().map(Dim::from).collect()),
        Op::Dims(dims) => Some(dims.values.clone()),
        Op::Reshape(_) => Some(known[0]?.to_vec()),
        Op::Cast(cast) if types[0].dtype.is_int() && matches!(cast.to, DType::I64 | DType::I32) => {
            Some(known[0]?.to_vec())
        }
        Op::Broadcast(_) | Op::Slice(_) | Op::Transpose(_) => moved(op, &types[0], known[0]?),
        Op::Gather(_) | Op::GatherElements(_) if known[1]?.iter().all(|d| d.as_const().is_some()) => {
            gathered(op, types, known[0]?, known[1]?)
        }
        Op::Concat(_) => concatenated(op, types, known),
        Op::Binary(binary) => pairwise(known[0]?, known[1]?, |a, b| arithmetic(binary.kind, out.dtype, a, b, bounds)),
        Op::Compare(compare) => pairwise(known[0]?, known[1]?, |a, b| comparison(compare.kind, a, b, bounds)),
        Op::Select(_) => {
            let sides = pairwise(known[1]?, known[2]?, |a, b| Some(vec![a, b]))?;
            known[0]?.iter().zip(sides).map(|(c, ab)| Some(ab[usize::from(c.as_const()? == 0)].clone())).collect()
        }
        Op::Reduce(reduce) if reduce.axes.len() == types[0].rank() => {
            let elements = known[0]?.iter().cloned();
            match reduce.kind {
                ReduceKind::Sum => Some(elements.fold(Dim::from(0), |a, b| a + b)),
                ReduceKind::Prod => Some(elements.fold(Dim::from(1), |a, b| a * b)),
                ReduceKind::Max => elements.reduce(Dim::max),
                ReduceKind::Min => elements.reduce(Dim::min),
            }
            .map(|dim| vec![dim])
        }
        Op::Iota(_) => evaluated(op, &[]),
        _ => None,
    }
    .filter(|elements| elements.len() == shape.iter().product::<usize>())
}

/// Runs a data movement on positions, and picks the elements by them.
fn moved(op: &Op, ty: &TensorType, elements: &[Dim]) -> Option<Vec<Dim>> {
    let positions = Tensor::build(DType::I64, small_static(ty)?, |idx| Scalar::Int(idx as i128));
    let picked = evaluated(op, &[positions])?;
    picked.into_iter().map(|p| elements.get(usize::try_from(p.as_const()?).ok()?).cloned()).collect()
}

fn gathered(op: &Op, types: &[TensorType], elements: &[Dim], indices: &[Dim]) -> Option<Vec<Dim>> {
    let positions = Tensor::build(DType::I64, small_static(&types[0])?, |idx| Scalar::Int(idx as i128));
    let at = |idx: usize| indices[idx].as_const().unwrap_or(0).into();
    let indices = Tensor::build(DType::I64, small_static(&types[1])?, |idx| Scalar::Int(at(idx)));
    let picked = evaluated(op, &[positions, indices])?;
    picked.into_iter().map(|p| elements.get(usize::try_from(p.as_const()?).ok()?).cloned()).collect()
}

fn concatenated(op: &Op, types: &[TensorType], known: &[Option<&[Dim]>]) -> Option<Vec<Dim>> {
    let mut all: Vec<Dim> = Vec::new();
    let mut positions = Vec::new();
    for (ty, elements) in types.iter().zip(known) {
        let base = all.len();
        positions.push(Tensor::build(DType::I64, small_static(ty)?, |idx| Scalar::Int((base + idx) as i128)));
        all.extend((*elements)?.iter().cloned());
    }
    let picked = evaluated(op, &positions)?;
    picked.into_iter().map(|p| all.get(usize::try_from(p.as_const()?).ok()?).cloned()).collect()
}

fn evaluated(op: &Op, inputs: &[Tensor]) -> Option<Vec<Dim>> {
    let results = op.eval(inputs).ok()?;
    Some(results.first()?.to_ints().into_iter().map(Dim::from).collect())
}

fn pairwise<T>(a: &[Dim], b: &[Dim], f: impl Fn(Dim, Dim) -> Option<T>) -> Option<Vec<T>> {
    (a.len() == b.len()).then(|| a.iter().zip(b).map(|(a, b)| f(a.clone(), b.clone())).collect())?
}

fn arithmetic(kind: BinaryKind, dtype: DType, a: Dim, b: Dim, bounds: &Bounds) -> Option<Dim> {
    if let (Some(x), Some(y)) = (a.as_const(), b.as_const()) {
        let operand = |v: i64| Tensor::scalar(dtype, Scalar::Int(v.into()));
        return evaluated(&ops::Binary { kind }.into(), &[operand(x), operand(y)])?.pop();
    }
    match kind {
        BinaryKind::Add => Some(a + b),
        BinaryKind::Sub => Some(a - b),
        BinaryKind::Mul => Some(a * b),
        BinaryKind::Div if bounds.is_non_negative(&a) && bounds.is_non_negative(&b) => Some(a.floor_div(b)),
        BinaryKind::Mod if bounds.is_non_negative(&b) => Some(a.modulo(b)),
        BinaryKind::Max => Some(bounds.max(a, b)),
        BinaryKind::Min => Some(bounds.min(a, b)),
        _ => None,
    }
}

fn comparison(kind: CompareKind, a: Dim, b: Dim, bounds: &Bounds) -> Option<Dim> {
    let difference = a - b;
    let order = match difference.as_const() {
        Some(d) => d.signum(),
        // A sum of sizes and at least 1 is positive; so is the opposite for negative ones.
        None if bounds.is_non_negative(&(difference.clone() - 1.into())) => 1,
        None if bounds.is_non_negative(&(-difference - 1.into())) => -1,
        None => return None,
    };
    let truth = match kind {
        CompareKind::Eq => order == 0,
        CompareKind::Ne => order != 0,
        CompareKind::Lt => order < 0,
        CompareKind::Le => order <= 0,
        CompareKind::Gt => order > 0,
        CompareKind::Ge => order >= 0,
    };
    Some(Dim::from(i64::from(truth)))
}
