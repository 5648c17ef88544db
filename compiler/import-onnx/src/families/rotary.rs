//! Rotary position embeddings.

use super::kit::*;

pub(crate) const ROWS: &[Row] = &[Row::onnx("RotaryEmbedding", 23, rotary)];

fn rotary(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let x = cx.input(inputs, 0)?;
    let (cos, sin) = (cx.input(inputs, 1)?, cx.input(inputs, 2)?);
    let positions = cx.opt(inputs, 3);
    let interleaved = cx.attr_bool("interleaved", false)?;
    let rotated = cx.attr_i("rotary_embedding_dim", 0)?;
    let heads = cx.attr_i("num_heads", 0)?;
    let b = &mut *cx.b;
    let shape = b.shape(x).to_vec();
    // The axis of the heads: angles are the same along it.
    let (split, heads_axis) = match &shape[..] {
        [_, _, _, _] => (x, 1),
        [batch, length, hidden] if heads > 0 => {
            let size = hidden.clone().floor_div(heads.into());
            let shape = vec![batch.clone(), length.clone(), heads.into(), size];
            (b.reshape(x, shape)?, 2)
        }
        _ => return bad(format!("heads of {} with num_heads {heads}", b.ty(x))),
    };
    let size = b.shape(split)[3].clone();
    let rotated = if rotated == 0 { size.clone() } else { Dim::from(rotated) };
    let mut angle = |table: ValueId| -> One {
        let at = match positions {
            Some(positions) => b.emit(ops::Gather { axis: 0 }, &[table, positions])?,
            None => table,
        };
        unsqueeze(b, at, heads_axis)
    };
    let (cos, sin) = (angle(cos)?, angle(sin)?);
    let turned = slice_axis(b, split, 3, 0, rotated.clone())?;
    let half = rotated.clone().floor_div(2.into());
    let shape_of_turned = b.shape(turned).to_vec();
    let (first, second) = if interleaved {
        let mut pairs = shape_of_turned.clone();
        pairs[3] = half.clone();
        pairs.push(2.into());
        let pairs = b.reshape(turned, pairs)?;
        (pick(b, pairs, 4, 0)?, pick(b, pairs, 4, 1)?)
    } else {
        (slice_axis(b, turned, 3, 0, half.clone())?, slice_axis(b, turned, 3, half.clone(), half)?)
    };
    let (a, c) = (b.mul(cos, first)?, b.mul(sin, second)?);
    let real = b.sub(a, c)?;
    let (a, c) = (b.mul(sin, first)?, b.mul(cos, second)?);
    let imaginary = b.add(a, c)?;
    let mut y = if interleaved {
        let pairs = stack(b, &[real, imaginary], 4)?;
        b.reshape(pairs, shape_of_turned)?
    } else {
        concat(b, &[real, imaginary], 3)?
    };
    if rotated != size {
        let rest = slice_axis(b, split, 3, rotated.clone(), size - rotated)?;
        y = concat(b, &[y, rest], 3)?;
    }
    Ok(vec![b.reshape(y, shape)?])
}
