//! Slices written by index tuples.

use crate::attr::operator;
use crate::elementwise_eval::binary;
use crate::error::ensure;
use crate::eval_util::{from_bytes, result_types};
use crate::gather_nd::tuple_offsets;
use crate::{BinaryKind, EvalError, OpSpec, TypeError};
use tensor::{DType, Dim, Scalar, Tensor, TensorType};

crate::attr::words! {
    /// How an update is combined with the element that it meets.
    ScatterKind {
        /// The update replaces the element.
        Replace = "replace",
        /// Sum.
        Add = "add",
        /// Product.
        Mul = "mul",
        /// The larger, or NaN if either is.
        Max = "max",
        /// The smaller, or NaN if either is.
        Min = "min",
    }
}

operator! {
    /// A copy of `x` in which `result[indices[i.., 0], indices[i.., 1], .., s..]` is combined with `updates[i.., s..]`.
    /// Negative indices count from the end; updates are applied in row-major order.
    ///
    /// # Constraints
    /// - (C1) The last axis of the indices is a known number, at most the operand's rank; indices have an integer type; updates have the operand's element type and fitting rank.
    /// - (C2) The updates' shape is that of the indices without the last axis, then that of a slice; where symbols hide it, this is checked at run time.
    /// - (C3) Unless updates replace, the element type is one that [`Binary`](crate::Binary) is defined for with this kind.
    "scatter-nd" ScatterNd {
        /// How an update is combined with what is there.
        kind: ScatterKind,
    }
}

impl OpSpec for ScatterNd {
    fn infer(&self, inputs: &[TensorType]) -> Result<Vec<TensorType>, TypeError> {
        let [x, indices, updates] = inputs else {
            return Err(TypeError::new(Self::NAME, "C1", "takes three operands"));
        };
        let depth = indices.shape.last().and_then(|d| d.as_const()).and_then(|d| usize::try_from(d).ok());
        let rank = depth.filter(|d| *d <= x.rank()).map(|d| indices.rank() - 1 + x.rank() - d);
        let fits = rank == Some(updates.rank()) && indices.dtype.is_int() && updates.dtype == x.dtype;
        ensure!(fits, Self::NAME, "C1", "{x} by {indices} with {updates}");
        let slices = x.shape.iter().skip(depth.unwrap_or(0));
        let expected = indices.shape[..indices.rank() - 1].iter().chain(slices);
        let equal = |(a, b): (&Dim, &Dim)| (a.clone() - b.clone()).as_const();
        ensure!(
            updates.shape.iter().zip(expected).all(|pair| matches!(equal(pair), None | Some(0))),
            Self::NAME,
            "C2",
            "{updates} does not fit {x} by {indices}"
        );
        ensure!(combines(self.kind, x.dtype), Self::NAME, "C3", "`{}` is not defined on {x}", self.kind.word());
        Ok(vec![x.clone()])
    }

    fn eval(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>, EvalError> {
        result_types(self, inputs)?;
        let (x, indices, updates) = (&inputs[0], &inputs[1], &inputs[2]);
        let depth = indices.shape()[indices.rank() - 1];
        let inner: usize = x.shape()[depth..].iter().product();
        let targets: Vec<usize> = tuple_offsets(Self::NAME, 0, x.shape(), indices)?
            .into_iter()
            .flat_map(|start| start..start + inner)
            .collect();
        Ok(vec![combine(self.kind, x, updates, &targets)])
    }
}

impl ScatterKind {
    /// The elementwise function that combines; `None` for replacement.
    fn function(self) -> Option<BinaryKind> {
        Some(match self {
            ScatterKind::Replace => return None,
            ScatterKind::Add => BinaryKind::Add,
            ScatterKind::Mul => BinaryKind::Mul,
            ScatterKind::Max => BinaryKind::Max,
            ScatterKind::Min => BinaryKind::Min,
        })
    }
}

/// Whether updates of this type can be combined so.
pub(crate) fn combines(kind: ScatterKind, dtype: DType) -> bool {
    kind.function().is_none_or(|f| f.accepts(dtype))
}

/// `x` with `updates[i]` combined into element `targets[i]`, one after the other; rounded once at the end.
pub(crate) fn combine(kind: ScatterKind, x: &Tensor, updates: &Tensor, targets: &[usize]) -> Tensor {
    let (dtype, shape) = (x.dtype(), x.shape().to_vec());
    let Some(function) = kind.function() else {
        let (mut bytes, size) = (x.bytes().to_vec(), dtype.size());
        for (update, at) in updates.bytes().chunks_exact(size).zip(targets) {
            bytes[at * size..][..size].copy_from_slice(update);
        }
        return from_bytes(dtype, shape, bytes);
    };
    let mut elements: Vec<Scalar> = x.iter().collect();
    for (update, at) in updates.iter().zip(targets) {
        elements[*at] = binary(function, dtype, elements[*at], update);
    }
    Tensor::build(dtype, shape, |at| elements[at])
}
