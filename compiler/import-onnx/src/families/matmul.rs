//! Matrix products: `MatMul`, `Gemm`, their integer and quantized relatives, and `FusedMatMul`.

use super::kit::*;

pub(crate) const ROWS: &[Row] =
    &[Row::onnx("MatMul", 1, matmul), Row::onnx("Gemm", 1, gemm), Row::onnx("MatMulInteger", 10, matmul_integer)];

fn matmul(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, y) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let out = cx.b.dtype(x);
    Ok(vec![numpy_matmul(cx.b, x, y, out)?])
}

/// The product by NumPy's rules: vectors on either side, leading axes broadcast.
pub(super) fn numpy_matmul(b: &mut Builder, x: ValueId, y: ValueId, out: DType) -> One {
    let (x_rank, y_rank) = (b.rank(x), b.rank(y));
    if x_rank == 0 || y_rank == 0 {
        return bad("a matrix product of a scalar");
    }
    let contract_x = x_rank - 1;
    if y_rank <= 2 {
        // The other operand's leading axes are free: no repetition of a shared matrix.
        let contract_y = y_rank.saturating_sub(2);
        return dot(b, (x, &[], &[contract_x]), (y, &[], &[contract_y]), out);
    }
    if x_rank == 1 {
        // [k] x [b.., k, n]: free axes of the right operand only.
        return dot(b, (x, &[], &[0]), (y, &[], &[y_rank - 2]), out);
    }
    if x_rank == 2 {
        // [m, k] x [b.., k, n]: the product has m first; it moves behind the batch.
        let product = dot(b, (x, &[], &[1]), (y, &[], &[y_rank - 2]), out)?;
        let n_batch = y_rank - 2;
        let perm = (1..=n_batch).chain([0, n_batch + 1]).collect();
        return Ok(b.transpose(product, perm)?);
    }
    batched(b, x, y, out)
}

/// Both operands have batch axes: shared ones are batch axes of the contraction, those that only one has are free.
fn batched(b: &mut Builder, x: ValueId, y: ValueId, out: DType) -> One {
    let (xs, ys) = (b.shape(x).to_vec(), b.shape(y).to_vec());
    let n_batch = xs.len().max(ys.len()) - 2;
    let at = |shape: &[Dim], axis: usize| {
        (axis + shape.len() - 2).checked_sub(n_batch).map_or(Dim::from(1), |idx| shape[idx].clone())
    };
    let is_one = |dim: &Dim| dim.as_const() == Some(1);
    let mut batch = Vec::new();
    for axis in 0..n_batch {
        match tensor::broadcast_dims(&at(&xs, axis), &at(&ys, axis), b.bounds()) {
            Some(dim) => batch.push(dim),
            None => return bad("batch axes of a matrix product do not broadcast"),
        }
    }
    // Who has the axis: both, only x, only y. Axes of 1 on both sides count as shared.
    let only = |axis: usize| {
        let (a, c) = (at(&xs, axis), at(&ys, axis));
        (is_one(&c) && !is_one(&a), is_one(&a) && !is_one(&c))
    };
    let shared: Vec<usize> = (0..n_batch).filter(|axis| only(*axis) == (false, false)).collect();
    let only_x: Vec<usize> = (0..n_batch).filter(|axis| only(*axis).0).collect();
    let only_y: Vec<usize> = (0..n_batch).filter(|axis| only(*axis).1).collect();
    let arranged = |b: &mut Builder, v: ValueId, shape: &[Dim], own: &[usize]| -> One {
        let keep: Vec<usize> = (0..n_batch).filter(|axis| shared.contains(axis) || own.contains(axis)).collect();
        let matrix = &shape[shape.len() - 2..];
        let full: Vec<Dim> = keep
            .iter()
            .map(|axis| if shared.contains(axis) { batch[*axis].clone() } else { at(shape, *axis) })
            .chain(matrix.iter().cloned())
            .collect();
        let bare: Vec<Dim> = keep.iter().map(|axis| at(shape, *axis)).chain(matrix.iter().cloned()).collect();
        let v = b.reshape(v, bare)?;
        Ok(b.broadcast(v, full)?)
    };
    let x = arranged(b, x, &xs, &only_x)?;
    let y = arranged(b, y, &ys, &only_y)?;
    let positions = |own: &[usize]| -> Vec<usize> {
        let keep: Vec<usize> = (0..n_batch).filter(|axis| shared.contains(axis) || own.contains(axis)).collect();
        shared.iter().filter_map(|axis| keep.iter().position(|k| k == axis)).collect()
    };
    let (x_rank, y_rank) = (b.rank(x), b.rank(y));
    let product = dot(b, (x, &positions(&only_x), &[x_rank - 1]), (y, &positions(&only_y), &[y_rank - 2]), out)?;
    // The product's axes are: shared, only x, m, only y, n.
    let order: Vec<usize> = [&shared[..], &only_x, &[n_batch], &only_y, &[n_batch + 1]].concat();
    let perm = (0..n_batch + 2).filter_map(|axis| order.iter().position(|o| *o == axis)).collect();
    Ok(b.transpose(product, perm)?)
}

/// `alpha * a' * b' + beta * c`, rounded once.
fn gemm(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, y) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let contract_x = usize::from(!cx.attr_bool("transA", false)?);
    let contract_y = usize::from(cx.attr_bool("transB", false)?);
    let (alpha, beta) = (cx.attr_f("alpha", 1.0)?, cx.attr_f("beta", 1.0)?);
    let bias = cx.opt(inputs, 2);
    let b = &mut *cx.b;
    if b.rank(x) != 2 || b.rank(y) != 2 {
        return bad("Gemm takes matrices");
    }
    let dtype = b.dtype(x);
    let product = dot(b, (x, &[], &[contract_x]), (y, &[], &[contract_y]), wide(dtype))?;
    let mut result = mul_num(b, product, alpha)?;
    if let Some(c) = bias.filter(|_| beta != 0.0) {
        let c = b.cast(c, wide(dtype))?;
        let c = mul_num(b, c, beta)?;
        result = b.add(result, c)?;
    }
    Ok(vec![b.cast(result, dtype)?])
}

/// An integer operand as `i32` less its zero point; unchanged if there is none.
pub(super) fn less_zero_point(b: &mut Builder, x: ValueId, zero: Option<ValueId>) -> One {
    let Some(zero) = zero.filter(|zero| !is_zero(b, *zero)) else {
        return Ok(x);
    };
    let wide = b.cast(x, DType::I32)?;
    let zero = b.cast(zero, DType::I32)?;
    Ok(b.sub(wide, zero)?)
}

/// Whether a value is known to be all zeros.
pub(super) fn is_zero(b: &Builder, x: ValueId) -> bool {
    b.constant_of(x).is_some_and(|t| t.iter().all(|v| !v.as_bool()))
}

/// A zero point of rows: `[m]` beside a matrix `[.., m, k]` gets an axis behind.
pub(super) fn per_row(b: &mut Builder, zero: ValueId) -> One {
    if b.rank(zero) == 1 && b.shape(zero)[0].as_const() != Some(1) { unsqueeze(b, zero, 1) } else { Ok(zero) }
}

fn matmul_integer(cx: &mut Cx, inputs: Inputs) -> OpResult {
    let (x, y) = (cx.input(inputs, 0)?, cx.input(inputs, 1)?);
    let (x_zero, y_zero) = (cx.opt(inputs, 2), cx.opt(inputs, 3));
    let b = &mut *cx.b;
    let x_zero = x_zero.map(|z| per_row(b, z)).transpose()?;
    let x = less_zero_point(b, x, x_zero)?;
    let y = less_zero_point(b, y, y_zero)?;
    Ok(vec![numpy_matmul(b, x, y, DType::I32)?])
}
