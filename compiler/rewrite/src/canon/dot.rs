//! Contractions with weights that are computed from constants.

use super::Canon;
use crate::shapes::{composed, others};
use graph::ValueId;
use ops::{Dot, Op, Reshape};
use tensor::Dim;

/// `dot(x, transpose(reshape w)) = dot(reshape x, w)`, where the reshape merges axes that are summed over and `w` is an
/// expression of constants. So quantized weights keep the axis of their blocks, and are decoded where they are read.
pub(super) fn dot(c: &mut Canon, op: &Dot, inputs: &[ValueId]) -> Option<ValueId> {
    let [x, w] = *inputs else { return None };
    let (perm, merged) = without_transposes(c, w);
    let (Op::Reshape(_), source) = c.made_by(merged)? else { return None };
    let source = source[0];
    if !c.constant_like[source.index()] || c.constant_of(source).is_some() || !op.rhs_batch.is_empty() {
        return None;
    }
    let parts = parts(&c.ty(merged).shape, &c.ty(source).shape)?;
    let of = |axis: &usize| parts[perm[*axis]].clone();
    let free: Vec<Vec<usize>> = others(perm.len(), &op.rhs_contract).iter().map(of).collect();
    // Free axes stay as they are, and in their order.
    let stays = free.iter().all(|part| part.len() == 1) && free.is_sorted_by(|a, b| a[0] < b[0]);
    let contracted: Vec<Vec<usize>> = op.rhs_contract.iter().map(of).collect();
    if !stays || contracted.iter().all(|part| part.len() == 1) {
        return None;
    }
    let size = |axis: &usize| c.ty(source).shape[*axis].clone();
    let sizes: Vec<Vec<Dim>> = contracted.iter().map(|part| part.iter().map(size).collect()).collect();
    let (shape, places) = split(&c.ty(x).shape, &op.lhs_contract, &sizes);
    let lhs_contract =
        op.lhs_contract.iter().zip(&sizes).flat_map(|(axis, part)| places[*axis]..places[*axis] + part.len());
    let op = Dot {
        lhs_contract: lhs_contract.collect(),
        rhs_contract: contracted.concat(),
        lhs_batch: op.lhs_batch.iter().map(|axis| places[*axis]).collect(),
        ..op.clone()
    };
    c.absorb(merged);
    let x = c.emit(Reshape { shape }, &[x])?;
    c.emit(op, &[x, source])
}

/// What a value is a transpose of, and which of its axes each axis is.
fn without_transposes(c: &Canon, mut value: ValueId) -> (Vec<usize>, ValueId) {
    let mut perm: Vec<usize> = (0..c.ty(value).rank()).collect();
    while let Some((Op::Transpose(op), source)) = c.made_by(value) {
        perm = composed(&op.perm, &perm);
        value = source[0];
    }
    (perm, value)
}

/// For each axis of a merged shape, the neighboring axes that it consists of; `None` where a reshape does more than merge.
fn parts(merged: &[Dim], source: &[Dim]) -> Option<Vec<Vec<usize>>> {
    let sizes: Vec<i64> = source.iter().map(Dim::as_const).collect::<Option<_>>()?;
    let mut at = 0;
    let mut parts = Vec::with_capacity(merged.len());
    for dim in merged {
        let whole = dim.as_const()?;
        let (first, mut product) = (at, *sizes.get(at)?);
        at += 1;
        while product < whole {
            product = product.checked_mul(*sizes.get(at)?)?;
            at += 1;
        }
        (product == whole).then_some(())?;
        parts.push((first..at).collect());
    }
    (at == sizes.len()).then_some(parts)
}

/// A shape with some of its axes split, and where each axis is then.
fn split(shape: &[Dim], axes: &[usize], sizes: &[Vec<Dim>]) -> (Vec<Dim>, Vec<usize>) {
    let (mut out, mut places) = (vec![], vec![]);
    for (axis, dim) in shape.iter().enumerate() {
        places.push(out.len());
        match axes.iter().position(|of| *of == axis) {
            Some(at) => out.extend(sizes[at].iter().cloned()),
            None => out.push(dim.clone()),
        }
    }
    (out, places)
}
