//! Padding, and blocks of space against channels.

use super::kit::*;
use ops::PadMode;

/// The family's table.
pub(crate) const ROWS: &[Row] = &[
    Row::onnx("Pad", 1, pad),
    Row::onnx("SpaceToDepth", 1, space_to_depth),
    Row::onnx("DepthToSpace", 1, depth_to_space),
];

fn mode(cx: &Cx) -> Result<PadMode, ImportError> {
    Ok(match cx.attr_s("mode", "constant")?.as_str() {
        "constant" => PadMode::Constant,
        "reflect" => PadMode::Reflect,
        "edge" => PadMode::Edge,
        "wrap" => PadMode::Wrap,
        other => {
            return bad(format!("mode `{other}` is none of constant, reflect, edge, wrap"));
        }
    })
}

/// Places before and after each axis; negative ones crop.
fn amounts(cx: &mut Cx, inputs: Inputs, rank: usize) -> Result<(Vec<Dim>, Vec<Dim>), ImportError> {
    let pads = match cx.opt(inputs, 1) {
        Some(pads) => cx.runtime_dims(pads)?,
        None => {
            let name = if cx.opset < 2 { "paddings" } else { "pads" };
            match cx.attr_ints(name)? {
                Some(pads) => pads.into_iter().map(Dim::from).collect(),
                None => return bad("there are no pads, neither as input nor as attribute"),
            }
        }
    };
    let axes = match cx.opt(inputs, 3) {
        Some(axes) => {
            let axes = cx.const_ints(axes)?;
            cx.axes(&axes, rank)?
        }
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return bad(format!("{} pads for {} axes", pads.len(), axes.len()));
    }
    let (mut low, mut high) = (vec![Dim::from(0); rank], vec![Dim::from(0); rank]);
    for (idx, axis) in axes.iter().enumerate() {
        low[*axis] = pads[idx].clone();
        high[*axis] = pads[idx + axes.len()].clone();
    }
    Ok((low, high))
}

fn positive_part(dims: &[Dim]) -> Vec<Dim> {
    dims.iter().map(|d| d.clone().max(0.into())).collect()
}

fn pad(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let (low, high) = amounts(cx, inputs, cx.b.rank(x))?;
    let mode = mode(cx)?;
    let value = match cx.opt(inputs, 2) {
        Some(value) => as_scalar(cx.b, value)?,
        None => {
            let value = cx.attr_f("value", 0.0)?;
            num(cx.b, x, value)?
        }
    };
    let negated = |dims: &[Dim]| dims.iter().map(|d| -d.clone()).collect::<Vec<Dim>>();
    let (cut_low, cut_high) = (positive_part(&negated(&low)), positive_part(&negated(&high)));
    let mut x = x;
    for (axis, (before, behind)) in cut_low.iter().zip(&cut_high).enumerate() {
        let size = cx.b.shape(x)[axis].clone() - before.clone() - behind.clone();
        x = slice_axis(cx.b, x, axis, before.clone(), size)?;
    }
    let (low, high) = (positive_part(&low), positive_part(&high));
    if low.iter().chain(&high).all(|d| d.as_const() == Some(0)) {
        return Ok(vec![x]);
    }
    Ok(vec![cx.b.emit(ops::Pad { low, high, mode }, &[x, value])?])
}

/// Batch, channels and the two spatial axes of an image, with the block size.
fn image(cx: &Cx, x: ValueId) -> Result<([Dim; 4], Dim), ImportError> {
    let block = cx.attr_i("blocksize", 0)?;
    let Ok([n, c, h, w]) = <[Dim; 4]>::try_from(cx.b.shape(x).to_vec()) else {
        return bad(format!("{} is not a batch of images", cx.b.ty(x)));
    };
    if block < 1 {
        return bad(format!("a block size of {block}"));
    }
    Ok(([n, c, h, w], block.into()))
}

fn space_to_depth(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let ([n, c, h, w], block) = image(cx, x)?;
    let (rows, columns) = (h.floor_div(block.clone()), w.floor_div(block.clone()));
    let apart = vec![n.clone(), c.clone(), rows.clone(), block.clone(), columns.clone(), block.clone()];
    let x = cx.b.reshape(x, apart)?;
    let perm = match cx.attr_s("mode", "DCR")?.as_str() {
        "DCR" => vec![0, 3, 5, 1, 2, 4],
        "CRD" => vec![0, 1, 3, 5, 2, 4],
        other => return bad(format!("mode `{other}` is neither DCR nor CRD")),
    };
    let x = cx.b.transpose(x, perm)?;
    let shape = vec![n, c * block.clone() * block, rows, columns];
    Ok(vec![cx.b.reshape(x, shape)?])
}

fn depth_to_space(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let ([n, c, h, w], block) = image(cx, x)?;
    let depth = c.floor_div(block.clone() * block.clone());
    let (b, d) = (block.clone(), depth.clone());
    let (apart, perm) = match cx.attr_s("mode", "DCR")?.as_str() {
        "DCR" => (vec![n.clone(), b.clone(), b, d, h.clone(), w.clone()], vec![0, 3, 4, 1, 5, 2]),
        "CRD" => (vec![n.clone(), d, b.clone(), b, h.clone(), w.clone()], vec![0, 1, 4, 2, 5, 3]),
        other => return bad(format!("mode `{other}` is neither DCR nor CRD")),
    };
    let x = cx.b.reshape(x, apart)?;
    let x = cx.b.transpose(x, perm)?;
    let shape = vec![n, depth, h * block.clone(), w * block];
    Ok(vec![cx.b.reshape(x, shape)?])
}
