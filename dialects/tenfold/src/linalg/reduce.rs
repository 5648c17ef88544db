//! Reductions, and the places of extremes.

use super::form::{Form, Result, Tens, element, identity, loops};
use super::integers;
use graph::Node;
use kernels::text::{FloatCmp, IntCmp, Scalar, Val, Writer};
use ops::{ArgKind, ArgReduce, BinaryKind, Reduce, ReduceKind};
use tensor::{DType, Dim};

/// The type in which elements are combined: 16-bit floats in `f32`.
pub(super) fn accumulator(dtype: DType) -> Result<Scalar> {
    Ok(match element(dtype)? {
        Scalar::F16 | Scalar::BF16 => Scalar::F32,
        elem => elem,
    })
}

/// The result for no elements.
pub(super) fn neutral(w: &mut Writer, kind: ReduceKind, dtype: DType, elem: Scalar) -> Val {
    let extreme = |high: bool| match dtype.int_range() {
        Some((low, top)) => (if high { top } else { low }) as i64,
        None => i64::from(high),
    };
    match kind {
        ReduceKind::Sum => w.zero(elem.into()),
        ReduceKind::Prod if elem.is_float() => w.float(elem.into(), 1.0),
        ReduceKind::Prod => w.int(elem.into(), 1),
        ReduceKind::Max if elem.is_float() => w.float(elem.into(), f64::NEG_INFINITY),
        ReduceKind::Min if elem.is_float() => w.float(elem.into(), f64::INFINITY),
        ReduceKind::Max => w.int(elem.into(), extreme(false)),
        ReduceKind::Min => w.int(elem.into(), extreme(true)),
    }
}

/// One more element.
pub(super) fn combined(w: &mut Writer, kind: ReduceKind, dtype: DType, sum: Val, x: Val) -> Val {
    let function = match kind {
        ReduceKind::Sum => BinaryKind::Add,
        ReduceKind::Prod => BinaryKind::Mul,
        ReduceKind::Max => BinaryKind::Max,
        ReduceKind::Min => BinaryKind::Min,
    };
    if !dtype.is_float() {
        return integers::binary(w, function, dtype, sum, x);
    }
    let x = super::cast::float_to_float(w, x, sum.ty.elem());
    match kind {
        ReduceKind::Sum => w.addf(sum, x),
        ReduceKind::Prod => w.mulf(sum, x),
        ReduceKind::Max => w.maximumf(sum, x),
        ReduceKind::Min => w.minimumf(sum, x),
    }
}

impl Form<'_> {
    pub(super) fn reduce(&mut self, node: &Node, op: &Reduce) -> Result<Tens> {
        let (x, dtype) = (self.value(node.inputs[0]), self.ty(node.inputs[0]).dtype);
        let shape = self.ty(node.outputs[0]).shape.clone();
        let start = neutral(&mut self.w, op.kind, dtype, accumulator(dtype)?);
        let start = self.filled(&shape, start)?;
        let rank = x.rank();
        let reduced: Vec<bool> = (0..rank).map(|axis| op.axes.contains(&axis)).collect();
        let kept = (0..rank).filter(|axis| !reduced[*axis]);
        let (ins, outs) = ([(&x, identity(rank))], [(&start, loops(rank, kept))]);
        let sums = self.generic(&ins, &outs, &reduced, |form, args| {
            Ok(vec![combined(&mut form.w, op.kind, dtype, args[1], args[0])])
        })?;
        self.converted(&sums[0], dtype)
    }

    pub(super) fn arg_reduce(&mut self, node: &Node, op: &ArgReduce) -> Result<Tens> {
        let (x, dtype) = (self.value(node.inputs[0]), self.ty(node.inputs[0]).dtype);
        let shape = self.ty(node.outputs[0]).shape.clone();
        // The first element is the best so far; it never beats itself.
        let mut sizes: Vec<Dim> = x.shape.clone();
        sizes[op.axis] = Dim::from(1);
        let first = ops::Slice { starts: vec![0.into(); x.rank()], sizes, steps: vec![1; x.rank()] };
        let first = self.slice(&x, &first)?;
        let best = self.reshape(&first, &shape)?;
        let zero = self.w.int(Scalar::I64.into(), 0);
        let place = self.filled(&shape, zero)?;
        let rank = x.rank();
        let reduced: Vec<bool> = (0..rank).map(|axis| axis == op.axis).collect();
        let kept = loops(rank, (0..rank).filter(|axis| *axis != op.axis));
        let (ins, outs) = ([(&x, identity(rank))], [(&best, kept.clone()), (&place, kept)]);
        let results = self.generic(&ins, &outs, &reduced, |form, args| {
            let at = form.loop_index(op.axis);
            let at = form.index_as(at, Scalar::I64);
            let better = beats(&mut form.w, op, dtype, args[0], args[1]);
            let value = form.w.select(better, args[0], args[1]);
            Ok(vec![value, form.w.select(better, at, args[2])])
        })?;
        Ok(results[1].clone())
    }
}

/// Whether an element takes the place of the best so far, which came before it.
fn beats(w: &mut Writer, op: &ArgReduce, dtype: DType, x: Val, best: Val) -> Val {
    let largest = op.kind == ArgKind::Max;
    if !dtype.is_float() {
        let cmp = match (largest, op.last, dtype.is_signed_int()) {
            (true, false, true) => IntCmp::Sgt,
            (true, true, true) => IntCmp::Sge,
            (false, false, true) => IntCmp::Slt,
            (false, true, true) => IntCmp::Sle,
            (true, false, false) => IntCmp::Ugt,
            (true, true, false) => IntCmp::Uge,
            (false, false, false) => IntCmp::Ult,
            (false, true, false) => IntCmp::Ule,
        };
        return w.cmpi(cmp, x, best);
    }
    let cmp = match (largest, op.last) {
        (true, false) => FloatCmp::Ogt,
        (true, true) => FloatCmp::Oge,
        (false, false) => FloatCmp::Olt,
        (false, true) => FloatCmp::Ole,
    };
    let (wins, x_nan) = (w.cmpf(cmp, x, best), w.cmpf(FloatCmp::Uno, x, x));
    let nan = match op.last {
        true => x_nan,
        false => {
            let number = w.cmpf(FloatCmp::Ord, best, best);
            w.andi(x_nan, number)
        }
    };
    w.ori(wins, nan)
}
