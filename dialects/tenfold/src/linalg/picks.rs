//! What reads elements by a computed index: gathers, mirrored padding, slices that walk backwards.

use super::form::{Form, Mapped, Result, Tens, element, identity, loops};
use graph::{Node, ValueId};
use kernels::text::{IntCmp, Val};
use ops::{Pad, PadMode, Slice};
use tensor::Dim;

impl Form<'_> {
    /// A tensor each of whose elements is one of `x`, at the indices that `place` computes in the body.
    fn picked(&mut self, x: &Tens, shape: &[Dim], place: impl FnOnce(&mut Self) -> Result<Vec<Val>>) -> Result<Tens> {
        self.pointwise(&[], x.elem, shape, |form, _| {
            let idx = place(form)?;
            Ok(form.extract(x, &idx))
        })
    }

    /// One element.
    fn extract(&mut self, x: &Tens, idx: &[Val]) -> Val {
        let idx: Vec<String> = idx.iter().map(ToString::to_string).collect();
        self.w.op(x.elem.into(), format_args!("tensor.extract {}[{}] : {}", x.name, idx.join(", "), x.ty()))
    }

    /// A broadcast of axes of which only the run knows whether they have one element.
    pub(super) fn repeated(&mut self, x: &Tens, shape: &[Dim]) -> Result<Tens> {
        let missing = shape.len() - x.rank();
        self.picked(x, shape, |form| {
            let (zero, one) = (form.index(0), form.index(1));
            let each = |axis: usize, form: &mut Self| {
                let at = form.loop_index(axis + missing);
                let size = form.size_of(x, axis);
                let repeats = form.w.cmpi(IntCmp::Eq, size, one);
                form.w.select(repeats, zero, at)
            };
            Ok((0..x.rank()).map(|axis| each(axis, form)).collect())
        })
    }

    /// A slice with steps below 0.
    pub(super) fn backwards(&mut self, x: &Tens, op: &Slice) -> Result<Tens> {
        self.picked(x, &op.sizes, |form| {
            (0..x.rank())
                .map(|axis| {
                    let (at, step) = (form.loop_index(axis), form.index(op.steps[axis]));
                    let start = form.dim(&op.starts[axis])?;
                    let moved = form.w.muli(at, step);
                    Ok(form.w.addi(moved, start))
                })
                .collect()
        })
    }

    pub(super) fn pad(&mut self, node: &Node, op: &Pad) -> Result<Tens> {
        let x = self.value(node.inputs[0]);
        if op.mode == PadMode::Constant {
            let number = self.value(node.inputs[1]);
            let number = self.scalar(&number);
            return self.padded(&x, &op.low, &op.high, number);
        }
        self.picked(&x, &self.ty(node.outputs[0]).shape.clone(), |form| {
            (0..x.rank())
                .map(|axis| {
                    let at = form.loop_index(axis);
                    let (low, size) = (form.dim(&op.low[axis])?, form.size_of(&x, axis));
                    let at = form.w.subi(at, low);
                    Ok(form.source(op.mode, at, size))
                })
                .collect()
        })
    }

    /// Where an index that may lie outside comes from.
    fn source(&mut self, mode: PadMode, at: Val, size: Val) -> Val {
        let (zero, one) = (self.index(0), self.index(1));
        let last = self.w.subi(size, one);
        match mode {
            PadMode::Reflect => {
                let up = self.absolute(at);
                let beyond = self.w.subi(last, up);
                let beyond = self.absolute(beyond);
                self.w.subi(last, beyond)
            }
            PadMode::Wrap => {
                let rest = self.w.remsi(at, size);
                let sum = self.w.addi(rest, size);
                self.w.remsi(sum, size)
            }
            PadMode::Edge | PadMode::Constant => {
                let limited = self.w.minsi(at, last);
                self.w.maxsi(limited, zero)
            }
        }
    }

    fn absolute(&mut self, at: Val) -> Val {
        let zero = self.index(0);
        let minus = self.w.subi(zero, at);
        self.w.maxsi(at, minus)
    }

    /// An index from data: from the end if negative, and limited to the axis.
    fn data_index(&mut self, val: Val, values: ValueId, size: Val) -> Val {
        let at = self.as_index(val, self.ty(values).dtype.is_unsigned_int());
        let zero = self.index(0);
        let below = self.w.cmpi(IntCmp::Slt, at, zero);
        let from_end = self.w.addi(at, size);
        let at = self.w.select(below, from_end, at);
        self.source(PadMode::Edge, at, size)
    }

    pub(super) fn gather(&mut self, node: &Node, axis: usize) -> Result<Tens> {
        let (x, indices) = (self.value(node.inputs[0]), self.value(node.inputs[1]));
        let shape = self.ty(node.outputs[0]).shape.clone();
        let size = self.size_of(&x, axis);
        let (rank, width) = (shape.len(), indices.rank());
        let ins = [(&indices, loops(rank, axis..axis + width))];
        self.selected(&x, &shape, &ins, |form, args| {
            let picked = form.data_index(args[0], node.inputs[1], size);
            let mut idx: Vec<Val> = (0..axis).map(|d| form.loop_index(d)).collect();
            idx.push(picked);
            idx.extend((axis + width..rank).map(|d| form.loop_index(d)));
            Ok(idx)
        })
    }

    pub(super) fn gather_elements(&mut self, node: &Node, axis: usize) -> Result<Tens> {
        let (x, indices) = (self.value(node.inputs[0]), self.value(node.inputs[1]));
        let shape = self.ty(node.outputs[0]).shape.clone();
        let size = self.size_of(&x, axis);
        let ins = [(&indices, identity(shape.len()))];
        self.selected(&x, &shape, &ins, |form, args| {
            let picked = form.data_index(args[0], node.inputs[1], size);
            Ok((0..x.rank()).map(|d| if d == axis { picked } else { form.loop_index(d) }).collect())
        })
    }

    pub(super) fn gather_nd(&mut self, node: &Node, batch: usize) -> Result<Tens> {
        let (x, indices) = (self.value(node.inputs[0]), self.value(node.inputs[1]));
        let shape = self.ty(node.outputs[0]).shape.clone();
        let outer = indices.rank() - 1;
        let depth = indices.shape[outer].as_const().ok_or("the length of its indices is not known")? as usize;
        let sizes: Vec<Val> = (0..depth).map(|k| self.size_of(&x, batch + k)).collect();
        self.selected(&x, &shape, &[], |form, _| {
            let mut idx: Vec<Val> = (0..batch).map(|d| form.loop_index(d)).collect();
            for (k, size) in sizes.iter().enumerate() {
                let mut at: Vec<Val> = (0..outer).map(|d| form.loop_index(d)).collect();
                at.push(form.index(k as i64));
                let element = form.extract(&indices, &at);
                let picked = form.data_index(element, node.inputs[1], *size);
                idx.push(picked);
            }
            idx.extend((outer..shape.len()).map(|d| form.loop_index(d)));
            Ok(idx)
        })
    }

    /// [`Form::picked`] with further tensors whose elements the body gets.
    fn selected(
        &mut self,
        x: &Tens,
        shape: &[Dim],
        ins: &[Mapped],
        place: impl FnOnce(&mut Self, &[Val]) -> Result<Vec<Val>>,
    ) -> Result<Tens> {
        let rank = shape.len();
        let empty = self.empty(x.elem, shape)?;
        let outs = [(&empty, identity(rank))];
        let n = ins.len();
        let results = self.generic(ins, &outs, &vec![false; rank], |form, args| {
            let idx = place(form, &args[..n])?;
            Ok(vec![form.extract(x, &idx)])
        })?;
        Ok(results[0].clone())
    }

    /// A tensor as another element type, element by element.
    pub(super) fn converted(&mut self, x: &Tens, to: tensor::DType) -> Result<Tens> {
        let elem = element(to)?;
        if x.elem == elem {
            return Ok(x.clone());
        }
        self.pointwise(std::slice::from_ref(x), elem, &x.shape, |form, args| {
            Ok(super::cast::float_to_float(&mut form.w, args[0], elem))
        })
    }
}
