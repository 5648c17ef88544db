//! Elements picked and written by index.

use super::kit::*;
use ops::ScatterKind;

/// The family's table.
pub(crate) const ROWS: &[Row] = &[
    Row::onnx("Gather", 1, gather),
    Row::onnx("GatherElements", 11, gather_elements),
    Row::onnx("GatherND", 11, gather_nd),
    Row::onnx("Scatter", 9, scatter_elements),
    Row::onnx("ScatterElements", 11, scatter_elements),
    Row::onnx("ScatterND", 11, scatter_nd),
    Row::onnx("TensorScatter", 24, tensor_scatter),
    Row::onnx("ReverseSequence", 10, reverse_sequence),
    Row::onnx("Compress", 9, compress),
];

fn gather(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, indices) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let axis = cx.axis(cx.attr_i("axis", 0)?, cx.b.rank(x))?;
    Ok(vec![cx.b.emit(ops::Gather { axis }, &[x, indices])?])
}

fn gather_elements(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, indices) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let axis = cx.axis(cx.attr_i("axis", 0)?, cx.b.rank(x))?;
    Ok(vec![cx.b.emit(ops::GatherElements { axis }, &[x, indices])?])
}

fn gather_nd(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, indices) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let Ok(batch_dims) = usize::try_from(cx.attr_i("batch_dims", 0)?) else {
        return bad("attribute `batch_dims` is negative");
    };
    Ok(vec![cx.b.emit(ops::GatherNd { batch_dims }, &[x, indices])?])
}

fn reduction(cx: &Cx) -> Result<ScatterKind, ImportError> {
    Ok(match cx.attr_s("reduction", "none")?.as_str() {
        "none" => ScatterKind::Replace,
        "add" => ScatterKind::Add,
        "mul" => ScatterKind::Mul,
        "max" => ScatterKind::Max,
        "min" => ScatterKind::Min,
        other => {
            return bad(format!("reduction `{other}` is none of none, add, mul, max, min"));
        }
    })
}

fn scatter_elements(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let (indices, updates) = (cx.input(inputs, 1)?, cx.input(inputs, 2)?);
    let axis = cx.axis(cx.attr_i("axis", 0)?, cx.b.rank(x))?;
    let kind = reduction(cx)?;
    Ok(vec![cx.b.emit(ops::ScatterElements { axis, kind }, &[x, indices, updates])?])
}

fn scatter_nd(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let (indices, updates) = (cx.input(inputs, 1)?, cx.input(inputs, 2)?);
    let kind = reduction(cx)?;
    Ok(vec![cx.b.emit(ops::ScatterNd { kind }, &[x, indices, updates])?])
}

/// A cache with an update written at an index of each sample.
fn tensor_scatter(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (cache, update) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let rank = cx.b.rank(cache);
    let axis = cx.axis(cx.attr_i("axis", -2)?, rank)?;
    let shape = cx.b.shape(update).to_vec();
    let mut at = cx.b.emit(ops::Iota { dtype: DType::I64, shape: shape.clone(), axis }, &[])?;
    if let Some(first) = cx.opt(inputs, 2) {
        let first = cx.b.cast(first, DType::I64)?;
        let first = along(cx.b, first, rank, 0)?;
        at = cx.b.add(at, first)?;
    }
    match cx.attr_s("mode", "linear")?.as_str() {
        "linear" => {}
        "circular" => {
            let extent = cx.b.shape(cache)[axis].clone();
            let extent = dim_value(cx.b, &extent, DType::I64)?;
            at = cx.b.binary(BinaryKind::Mod, at, extent)?;
        }
        other => return bad(format!("mode `{other}` is neither linear nor circular")),
    }
    let op = ops::ScatterElements { axis, kind: ScatterKind::Replace };
    Ok(vec![cx.b.emit(op, &[cache, at, update])?])
}

/// The first `sequence_lens[b]` elements of each sample backwards, the others as they are.
fn reverse_sequence(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, lengths) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let rank = cx.b.rank(x);
    let time = cx.axis(cx.attr_i("time_axis", 0)?, rank)?;
    let batch = cx.axis(cx.attr_i("batch_axis", 1)?, rank)?;
    if time == batch {
        return bad("time_axis and batch_axis are the same");
    }
    let shape = cx.b.shape(x).to_vec();
    let at = cx.b.emit(ops::Iota { dtype: DType::I64, shape, axis: time }, &[])?;
    let lengths = cx.b.cast(lengths, DType::I64)?;
    let lengths = along(cx.b, lengths, rank, batch)?;
    let inside = cx.b.compare(CompareKind::Lt, at, lengths)?;
    let last = add_num(cx.b, lengths, -1.0)?;
    let mirrored = cx.b.sub(last, at)?;
    let from = cx.b.select(inside, mirrored, at)?;
    Ok(vec![cx.b.emit(ops::GatherElements { axis: time }, &[x, from])?])
}

/// The slices (or elements of the flattened operand) where a condition holds.
fn compress(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (mut x, condition) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let axis = match cx.attr_i_opt("axis")? {
        Some(axis) => cx.axis(axis, cx.b.rank(x))?,
        None => {
            let count = cx.b.ty(x).num_elements();
            x = cx.b.reshape(x, vec![count])?;
            0
        }
    };
    let count = cx.fresh("kept");
    let op = ops::NonZero { count: count.clone() };
    let at = cx.b.emit(op, &[condition])?;
    let at = cx.b.reshape(at, vec![Dim::symbol(&count)])?;
    Ok(vec![cx.b.emit(ops::Gather { axis }, &[x, at])?])
}
