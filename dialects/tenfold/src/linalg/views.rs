//! What moves elements by affine maps: transpose, broadcast, slice, concatenation; and counting.

use super::form::{Form, Result, Tens, element, size};
use graph::Node;
use kernels::text::{Scalar, Val};
use ops::{Iota, Slice};
use tensor::{DType, Dim};

impl Form<'_> {
    pub(super) fn transpose(&mut self, x: &Tens, perm: &[usize]) -> Result<Tens> {
        let shape: Vec<Dim> = perm.iter().map(|axis| x.shape[*axis].clone()).collect();
        let into = self.empty(x.elem, &shape)?;
        let axes: Vec<String> = perm.iter().map(ToString::to_string).collect();
        Ok(self.define(x.elem, &shape, |ty| {
            let (x, from, into, axes) = (&x.name, x.ty(), &into.name, axes.join(", "));
            format!("linalg.transpose ins({x} : {from}) outs({into} : {ty}) permutation = [{axes}]")
        }))
    }

    pub(super) fn broadcast(&mut self, x: &Tens, shape: &[Dim]) -> Result<Tens> {
        let missing = shape.len() - x.rank();
        let aligned = &shape[missing..];
        let is_one = |axis: usize| x.shape[axis] == Dim::from(1) && aligned[axis] != Dim::from(1);
        // Where symbols hide whether an axis repeats, which element it is is found for each one.
        let hidden = (0..x.rank()).any(|axis| !is_one(axis) && x.shape[axis] != aligned[axis]);
        if hidden {
            return self.repeated(x, shape);
        }
        let kept: Vec<usize> = (0..x.rank()).filter(|axis| !is_one(*axis)).collect();
        let small = self.reshape(x, &kept.iter().map(|axis| x.shape[*axis].clone()).collect::<Vec<_>>())?;
        let added: Vec<String> = (0..shape.len())
            .filter(|d| *d < missing || !kept.contains(&(d - missing)))
            .map(|d| d.to_string())
            .collect();
        if added.is_empty() {
            return Ok(self.cast_shape(small, shape));
        }
        let into = self.empty(x.elem, shape)?;
        Ok(self.define(x.elem, shape, |ty| {
            let (x, from, into, added) = (&small.name, small.ty(), &into.name, added.join(", "));
            format!("linalg.broadcast ins({x} : {from}) outs({into} : {ty}) dimensions = [{added}]")
        }))
    }

    pub(super) fn slice(&mut self, x: &Tens, op: &Slice) -> Result<Tens> {
        if op.steps.iter().any(|step| *step < 0) {
            return self.backwards(x, op);
        }
        let (starts, sizes) = (self.mixed(&op.starts)?, self.mixed(&op.sizes)?);
        let steps: Vec<String> = op.steps.iter().map(ToString::to_string).collect();
        Ok(self.define(x.elem, &op.sizes, |to| {
            format!("tensor.extract_slice {}[{starts}] [{sizes}] [{}] : {} to {to}", x.name, steps.join(", "), x.ty())
        }))
    }

    pub(super) fn concat(&mut self, node: &Node, axis: usize) -> Result<Tens> {
        let ty = self.ty(node.outputs[0]);
        let mut whole = self.empty(element(ty.dtype)?, &ty.shape)?;
        let mut at = Dim::from(0);
        for input in &node.inputs {
            let part = self.value(*input);
            let mut starts = vec![Dim::from(0); ty.shape.len()];
            starts[axis] = at.clone();
            whole = self.inserted(&part, &whole, &starts, &vec![1; ty.shape.len()])?;
            at = at + part.shape[axis].clone();
        }
        Ok(whole)
    }

    /// A tensor with a part of it replaced.
    pub(super) fn inserted(&mut self, part: &Tens, whole: &Tens, starts: &[Dim], steps: &[usize]) -> Result<Tens> {
        let (starts, sizes) = (self.mixed(starts)?, self.mixed(&part.shape)?);
        let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
        Ok(self.define(whole.elem, &whole.shape, |ty| {
            let (name, from, into, steps) = (&part.name, part.ty(), &whole.name, steps.join(", "));
            format!("tensor.insert_slice {name} into {into}[{starts}] [{sizes}] [{steps}] : {from} into {ty}")
        }))
    }

    pub(super) fn iota(&mut self, op: &Iota) -> Result<Tens> {
        let elem = element(op.dtype)?;
        self.pointwise(&[], elem, &op.shape, |form, _| {
            let count = form.loop_index(op.axis);
            let wide = form.index_as(count, Scalar::I64);
            Ok(super::cast::cast(&mut form.w, wide, DType::I64, op.dtype, elem))
        })
    }

    /// Dimensions as data.
    pub(super) fn dims_tensor(&mut self, values: &[Dim]) -> Result<Tens> {
        let vals = values
            .iter()
            .map(|dim| {
                let val = self.dim(dim)?;
                Ok(self.index_as(val, Scalar::I64).to_string())
            })
            .collect::<Result<Vec<String>>>()?;
        let shape = [Dim::from(values.len())];
        if vals.is_empty() {
            return self.empty(Scalar::I64, &shape);
        }
        Ok(self.define(Scalar::I64, &shape, |ty| format!("tensor.from_elements {} : {ty}", vals.join(", "))))
    }

    /// An `index` as an integer.
    pub(super) fn index_as(&mut self, val: Val, to: Scalar) -> Val {
        self.w.op(to.into(), format_args!("arith.index_cast {val} : index to {to}"))
    }

    /// The tensor with `low` and `high` further places along each axis that hold a number; negative ones are cut off.
    pub(super) fn bordered(&mut self, x: &Tens, low: &[Dim], high: &[Dim], number: Val) -> Result<Tens> {
        let below = |dim: &Dim| dim.as_const().is_some_and(|n| n < 0);
        let unclear = |dim: &Dim| dim.as_const().is_none() && !tensor::is_non_negative(dim);
        if low.iter().chain(high).any(unclear) {
            return Err("nothing says whether its padding adds or cuts".into());
        }
        let cut = |dim: &Dim| if below(dim) { -dim.clone() } else { Dim::from(0) };
        let add = |dim: &Dim| if below(dim) { Dim::from(0) } else { dim.clone() };
        let mut inner = x.clone();
        if low.iter().chain(high).any(below) {
            let sizes: Vec<Dim> = (0..x.rank()).map(|d| x.shape[d].clone() - cut(&low[d]) - cut(&high[d])).collect();
            let op = Slice { starts: low.iter().map(cut).collect(), sizes, steps: vec![1; x.rank()] };
            inner = self.slice(x, &op)?;
        }
        let (low, high): (Vec<Dim>, Vec<Dim>) = (low.iter().map(add).collect(), high.iter().map(add).collect());
        if low.iter().chain(&high).all(|dim| *dim == Dim::from(0)) {
            return Ok(inner);
        }
        self.padded(&inner, &low, &high, number)
    }

    /// `tensor.pad` with a number.
    pub(super) fn padded(&mut self, x: &Tens, low: &[Dim], high: &[Dim], number: Val) -> Result<Tens> {
        let grown = |d: usize| x.shape[d].clone() + low[d].clone() + high[d].clone();
        let shape: Vec<Dim> = (0..x.rank()).map(grown).collect();
        // Where a symbol cancels out MLIR does not see it, so the type is made open and closed again.
        let open: Vec<Dim> = (0..x.rank())
            .map(|d| {
                let known = [&x.shape[d], &low[d], &high[d]].into_iter().all(|dim| size(dim).is_some());
                if known { shape[d].clone() } else { Dim::symbol("open") }
            })
            .collect();
        let (low, high) = (self.mixed(low)?, self.mixed(high)?);
        let indices: Vec<String> = (0..x.rank()).map(|d| format!("%p{d}: index")).collect();
        let tens = self.fresh(x.elem, &open);
        self.w.open(format_args!("{} = tensor.pad {} low[{low}] high[{high}]", tens.name, x.name));
        self.w.middle(format_args!("^bb0({}):", indices.join(", ")));
        self.w.line(format_args!("tensor.yield {number} : {}", x.elem));
        self.w.close(format_args!("}} : {} to {}", x.ty(), tens.ty()));
        Ok(self.cast_shape(tens, &shape))
    }
}
