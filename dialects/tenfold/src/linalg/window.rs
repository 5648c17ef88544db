//! Convolutions and pooling: windows that walk over a padded operand.

use super::form::{Form, Result, Tens, element, map};
use super::reduce::{accumulator, combined, neutral};
use graph::Node;
use ops::{Conv, Pool, PoolKind, ReduceKind};
use std::ops::Range;
use tensor::Dim;

impl Form<'_> {
    pub(super) fn conv(&mut self, node: &Node, op: &Conv) -> Result<Tens> {
        let types = [self.ty(node.inputs[1]).dtype, self.ty(node.inputs[0]).dtype];
        let shape = self.ty(node.outputs[0]).shape.clone();
        let x = self.value(node.inputs[0]);
        let x = self.spread(&x, &op.base_dilations)?;
        let with_outer = |pads: &[Dim]| [&[0.into(), 0.into()], pads].concat();
        let zero = self.w.zero(x.elem.into());
        let x = self.bordered(&x, &with_outer(&op.pads_low), &with_outer(&op.pads_high), zero)?;
        let w = self.value(node.inputs[1]);
        let n = op.strides.len();
        // Loops: batch, group if there are several, filter, places of the result, channel, places of the window.
        let g = usize::from(op.groups > 1);
        let (places, channel) = (2 + g, 2 + g + n);
        let rank = channel + 1 + n;
        let d = |at: usize| format!("d{at}");
        let group = (op.groups > 1).then(|| d(1));
        let walked = |axis: usize| {
            let (place, tap) = (d(places + axis), d(channel + 1 + axis));
            format!("{place} * {} + {tap} * {}", op.strides[axis], op.dilations[axis])
        };
        let (x, w) = (self.grouped(&x, 1, op.groups)?, self.grouped(&w, 0, op.groups)?);
        let taps = (0..n).map(|axis| d(channel + 1 + axis));
        let x_map: Vec<String> =
            [d(0)].into_iter().chain(group.clone()).chain([d(channel)]).chain((0..n).map(walked)).collect();
        let w_map: Vec<String> = group.into_iter().chain([d(1 + g), d(channel)]).chain(taps).collect();
        let out_map: Vec<String> = (0..channel).map(d).collect();
        let reduced: Vec<bool> = (0..rank).map(|at| at >= channel).collect();
        let groups = (op.groups > 1).then(|| [Dim::from(op.groups), w.shape[1].clone()]);
        let open = match groups {
            None => shape.clone(),
            Some(groups) => [&shape[..1], &groups, &shape[2..]].concat(),
        };
        // Filters times windows, as a product of matrices is written.
        let ins = [(&w, map(rank, &w_map)), (&x, map(rank, &x_map))];
        let sums = self.sum_of_products(&ins, types, op.out, &open, map(rank, &out_map), &reduced)?;
        self.reshape(&sums, &shape)
    }

    /// An axis split into groups, if there are several.
    fn grouped(&mut self, x: &Tens, axis: usize, groups: usize) -> Result<Tens> {
        if groups == 1 {
            return Ok(x.clone());
        }
        let each =
            x.shape[axis].exact_div(&Dim::from(groups)).ok_or("nothing says that its groups divide its channels")?;
        let shape = [&x.shape[..axis], &[Dim::from(groups), each], &x.shape[axis + 1..]].concat();
        let split = |at: usize| -> Range<usize> {
            match at {
                at if at < axis => at..at + 1,
                at if at == axis => at..at + 2,
                at => at + 1..at + 2,
            }
        };
        let splits: Vec<Range<usize>> = (0..x.rank()).map(split).collect();
        self.expand(x, &splits, &shape)
    }

    /// Zeros between the elements along the spatial axes.
    fn spread(&mut self, x: &Tens, distances: &[usize]) -> Result<Tens> {
        if distances.iter().all(|d| *d == 1) {
            return Ok(x.clone());
        }
        let mut shape = x.shape.clone();
        for (dim, distance) in shape[2..].iter_mut().zip(distances) {
            *dim = (dim.clone() - 1.into()) * (*distance).into() + 1.into();
        }
        let zero = self.w.zero(x.elem.into());
        let zeros = self.filled(&shape, zero)?;
        let steps = [&[1, 1], distances].concat();
        self.inserted(x, &zeros, &vec![0.into(); x.rank()], &steps)
    }

    pub(super) fn pool(&mut self, node: &Node, op: &Pool) -> Result<Tens> {
        let (x, dtype) = (self.value(node.inputs[0]), self.ty(node.inputs[0]).dtype);
        let shape = self.ty(node.outputs[0]).shape.clone();
        let kind = match op.kind {
            PoolKind::Sum => ReduceKind::Sum,
            PoolKind::Max => ReduceKind::Max,
        };
        let outer = x.rank() - op.window.len();
        let with_outer = |pads: &[Dim]| [&vec![Dim::from(0); outer][..], pads].concat();
        let around = neutral(&mut self.w, kind, dtype, element(dtype)?);
        let x = self.bordered(&x, &with_outer(&op.pads_low), &with_outer(&op.pads_high), around)?;
        let start = neutral(&mut self.w, kind, dtype, accumulator(dtype)?);
        let start = self.filled(&shape, start)?;
        // The window's places are loops of their own; a tensor without contents says how many there are.
        let places: Vec<Dim> = op.window.iter().map(|n| Dim::from(*n)).collect();
        let window = self.empty(element(dtype)?, &places)?;
        let rank = x.rank() + places.len();
        let walked = |axis: usize| match axis.checked_sub(outer) {
            None => format!("d{axis}"),
            Some(k) => format!("d{axis} * {} + d{} * {}", op.strides[k], x.rank() + k, op.dilations[k]),
        };
        let x_map = map(rank, &(0..x.rank()).map(walked).collect::<Vec<_>>());
        let window_map = super::form::loops(rank, x.rank()..rank);
        let out_map = super::form::loops(rank, 0..x.rank());
        let reduced: Vec<bool> = (0..rank).map(|d| d >= x.rank()).collect();
        let sums =
            self.generic(&[(&x, x_map), (&window, window_map)], &[(&start, out_map)], &reduced, |form, args| {
                Ok(vec![combined(&mut form.w, kind, dtype, args[2], args[0])])
            })?;
        self.converted(&sums[0], dtype)
    }
}
