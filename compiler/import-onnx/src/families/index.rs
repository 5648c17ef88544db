//! Tensors made from indices: one-hot vectors, triangles, unit matrices, ranges.

use super::kit::*;

/// The family's table.
pub(crate) const ROWS: &[Row] = &[
    Row::onnx("OneHot", 9, one_hot),
    Row::onnx("EyeLike", 9, eye_like),
    Row::onnx("Trilu", 14, trilu),
    Row::onnx("Range", 11, range),
    Row::onnx("NonZero", 9, non_zero),
];

/// Indices may count from the end; those outside give no hot element.
fn one_hot(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (indices, depth) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let values = cx.input(inputs, 2)?;
    let rank = cx.b.rank(indices) + 1;
    let axis = cx.axis(cx.attr_i("axis", -1)?, rank)?;
    let depth = cx.b.cast(depth, DType::I64)?;
    let depth = cx.runtime_dim(depth)?;
    let indices = cx.b.cast(indices, DType::I64)?;
    let extent = dim_value(cx.b, &depth, DType::I64)?;
    let negative = compare_num(cx.b, CompareKind::Lt, indices, 0.0)?;
    let wrapped = cx.b.add(indices, extent)?;
    let indices = cx.b.select(negative, wrapped, indices)?;
    let indices = unsqueeze(cx.b, indices, axis)?;
    let mut shape = cx.b.shape(indices).to_vec();
    shape[axis] = depth;
    let at = cx.b.emit(ops::Iota { dtype: DType::I64, shape, axis }, &[])?;
    let hot = cx.b.compare(CompareKind::Eq, at, indices)?;
    let (off, on) = (pick(cx.b, values, 0, 0)?, pick(cx.b, values, 0, 1)?);
    Ok(vec![cx.b.select(hot, on, off)?])
}

/// Column index less row index of the last two axes.
fn diagonal_number(b: &mut Builder, shape: &[Dim]) -> One {
    let iota = |b: &mut Builder, axis: usize| {
        let matrix = shape[shape.len() - 2..].to_vec();
        b.emit(ops::Iota { dtype: DType::I64, shape: matrix, axis }, &[])
    };
    let (rows, columns) = (iota(b, 0)?, iota(b, 1)?);
    Ok(b.sub(columns, rows)?)
}

fn eye_like(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let like = cx.input(inputs, 0)?;
    let shape = cx.b.shape(like).to_vec();
    if shape.len() != 2 {
        return bad(format!("{} is not a matrix", cx.b.ty(like)));
    }
    let to = cx.attr_dtype("dtype")?.unwrap_or(cx.b.dtype(like));
    let diagonal = diagonal_number(cx.b, &shape)?;
    let k = cx.attr_i("k", 0)?;
    let k = cx.b.constant(Tensor::scalar(DType::I64, Scalar::Int(k.into())))?;
    let on = cx.b.compare(CompareKind::Eq, diagonal, k)?;
    Ok(vec![cx.b.cast(on, to)?])
}

fn trilu(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let shape = cx.b.shape(x).to_vec();
    if shape.len() < 2 {
        return bad(format!("{} is not a matrix", cx.b.ty(x)));
    }
    let k = match cx.opt(inputs, 1) {
        Some(k) => as_scalar(cx.b, k)?,
        None => cx.b.scalar(DType::I64, 0.0)?,
    };
    let kept = if cx.attr_bool("upper", true)? { CompareKind::Ge } else { CompareKind::Le };
    let diagonal = diagonal_number(cx.b, &shape)?;
    let kept = cx.b.compare(kept, diagonal, k)?;
    let zero = num(cx.b, x, 0.0)?;
    Ok(vec![cx.b.select(kept, x, zero)?])
}

/// `start + i * delta`, in `f32` for floats of 16 bits.
fn range(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let scalar = |cx: &mut Cx, idx: usize| -> One {
        let value = cx.input(inputs, idx)?;
        as_scalar(cx.b, value)
    };
    let (start, limit, delta) = (scalar(cx, 0)?, scalar(cx, 1)?, scalar(cx, 2)?);
    let dtype = cx.b.dtype(start);
    if dtype.is_int() {
        let count = int_count(cx, start, limit, delta)?;
        return Ok(vec![ramp(cx.b, start, delta, count)?]);
    }
    let work = wide(dtype);
    let (start, limit) = (cx.b.cast(start, work)?, cx.b.cast(limit, work)?);
    let delta = cx.b.cast(delta, work)?;
    let count = float_count(cx, start, limit, delta)?;
    let values = ramp(cx.b, start, delta, count)?;
    Ok(vec![cx.b.cast(values, dtype)?])
}

fn ramp(b: &mut Builder, start: ValueId, delta: ValueId, count: Dim) -> One {
    let dtype = b.dtype(start);
    let steps = iota(b, dtype, count)?;
    let scaled = b.mul(steps, delta)?;
    Ok(b.add(scaled, start)?)
}

fn int_count(cx: &mut Cx, start: ValueId, limit: ValueId, delta: ValueId) -> Result<Dim, ImportError> {
    let (start, limit) = (cx.runtime_dim(start)?, cx.runtime_dim(limit)?);
    let delta = cx.runtime_dim(delta)?;
    counted(start, limit, delta)
}

fn counted(start: Dim, limit: Dim, delta: Dim) -> Result<Dim, ImportError> {
    if delta.as_const() == Some(0) {
        return bad("the step is 0");
    }
    let count = (limit - start).ceil_div(delta);
    Ok(if graph::is_non_negative(&count) { count } else { count.max(0.into()) })
}

/// The integer that a float is known to be: a whole constant, or an integer that was converted.
fn integral(b: &Builder, value: ValueId) -> Option<Dim> {
    if let Some(tensor) = b.constant_of(value) {
        let number = tensor.get(0).as_f64();
        let is_whole = number.fract() == 0.0 && number.abs() < 9e15;
        return is_whole.then(|| Dim::from(number as i64));
    }
    let producer = b.graph().nodes.iter().rfind(|node| node.outputs.contains(&value))?;
    let from = *producer.inputs.first()?;
    match &producer.op {
        ops::Op::Cast(_) if b.dtype(from).is_int() => match b.known(from)? {
            [dim] => Some(dim.clone()),
            _ => None,
        },
        ops::Op::Cast(_) | ops::Op::Reshape(_) if b.dtype(from).is_float() => integral(b, from),
        _ => None,
    }
}

fn float_count(cx: &mut Cx, start: ValueId, limit: ValueId, delta: ValueId) -> Result<Dim, ImportError> {
    let whole = (integral(cx.b, start), integral(cx.b, limit), integral(cx.b, delta));
    if let (Some(start), Some(limit), Some(delta)) = whole {
        return counted(start, limit, delta);
    }
    // The count is told by `f64`, as in the standard's reference.
    let wide = |cx: &mut Cx, v: ValueId| cx.b.cast(v, DType::F64);
    let (start, limit, delta) = (wide(cx, start)?, wide(cx, limit)?, wide(cx, delta)?);
    let span = cx.b.sub(limit, start)?;
    let steps = cx.b.div(span, delta)?;
    let steps = cx.b.unary(UnaryKind::Ceil, steps)?;
    let steps = with_num(cx.b, BinaryKind::Max, steps, 0.0)?;
    let count = cx.b.cast(steps, DType::I64)?;
    cx.runtime_dim(count)
}

fn non_zero(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let count = cx.fresh("nonzero");
    Ok(vec![cx.b.emit(ops::NonZero { count }, &[x])?])
}
