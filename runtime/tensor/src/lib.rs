//! Element types, symbolic dimensions and host tensors: the vocabulary that compiler and runtime share.
//!
//! # Invariants
//! - Plain data: nothing here knows operators, files, devices or LLVM.
//! - A [`Dim`] is always in canonical form, so equality of values is structural equality.
//! - A [`Tensor`] is dense and row-major; its byte length always equals elements times element size.
//! - Every element occupies whole bytes: sub-byte types (int4, float4 ...) are stored one value per byte.
//!
//! Start reading at [`Tensor`], then [`Dim`].

mod bounds;
mod dim;
mod dim_order;
mod dim_text;
mod dtype;
mod host;
mod indices;
mod scalar;

pub use bounds::{Bounds, Range, is_non_negative};
pub use dim::{Atom, Dim, Symbol};
pub use dim_order::broadcast_dims;
pub use dim_text::DimSyntaxError;
pub use dtype::DType;
pub use host::{Element, Tensor, TensorError};
pub use indices::{BadIndex, check_indices};
pub use scalar::Scalar;

/// The type of a value in a graph: element type and (possibly symbolic) shape.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TensorType {
    /// Element type.
    pub dtype: DType,
    /// One dimension per axis; empty for a scalar.
    pub shape: Vec<Dim>,
}

impl TensorType {
    /// A type from its parts.
    pub fn new(dtype: DType, shape: impl IntoIterator<Item = impl Into<Dim>>) -> Self {
        TensorType { dtype, shape: shape.into_iter().map(Into::into).collect() }
    }

    /// A rank-0 type.
    pub fn scalar(dtype: DType) -> Self {
        TensorType { dtype, shape: Vec::new() }
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements as an expression.
    pub fn num_elements(&self) -> Dim {
        self.shape.iter().fold(Dim::from(1), |acc, dim| acc * dim.clone())
    }

    /// The number of elements, if no dimension is symbolic and memory could hold that many bytes of them.
    pub fn static_len(&self) -> Option<usize> {
        let shape = self.static_shape()?;
        let n = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d))?;
        let bytes = n.checked_mul(self.dtype.size())?;
        isize::try_from(bytes).is_ok().then_some(n)
    }

    /// The shape as numbers, if no dimension is symbolic.
    pub fn static_shape(&self) -> Option<Vec<usize>> {
        self.shape.iter().map(|dim| dim.as_const().and_then(|d| usize::try_from(d).ok())).collect()
    }
}

impl std::fmt::Display for TensorType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[", self.dtype)?;
        for (idx, dim) in self.shape.iter().enumerate() {
            write!(f, "{}{dim}", if idx > 0 { "," } else { "" })?;
        }
        f.write_str("]")
    }
}
