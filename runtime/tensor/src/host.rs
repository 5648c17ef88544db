//! Dense tensors in host memory.

use crate::{DType, Dim, Scalar, TensorType};
use bytes::Bytes;
use half::{bf16, f16};
use std::borrow::Cow;

/// Why a tensor could not be made or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// The bytes do not match the shape.
    #[error("{actual} bytes do not fill a tensor of type {dtype} and shape {shape:?}, which takes {expected}")]
    Length {
        /// Element type.
        dtype: DType,
        /// Shape.
        shape: Vec<usize>,
        /// Bytes needed.
        expected: usize,
        /// Bytes given.
        actual: usize,
    },
    /// The number of elements overflows the address space.
    #[error("a tensor of shape {0:?} is too large")]
    TooLarge(Vec<usize>),
}

/// A Rust type that is stored like an element type.
pub trait Element: bytemuck::Pod {
    /// Its element type.
    const DTYPE: DType;
}

macro_rules! elements {
    ($($rust:ty => $dtype:ident),* $(,)?) => { $(impl Element for $rust { const DTYPE: DType = DType::$dtype; })* };
}
elements! { i8 => I8, i16 => I16, i32 => I32, i64 => I64, u8 => U8, u16 => U16, u32 => U32, u64 => U64,
f16 => F16, bf16 => BF16, f32 => F32, f64 => F64 }

/// A dense row-major tensor in host memory; cloning shares the bytes.
///
/// ```
/// # use tensor::Tensor;
/// let t = Tensor::from_vec(vec![2, 2], vec![1.0f32, 2.0, 3.0, 4.0]);
/// assert_eq!(t.values::<f32>()[3], 4.0);
/// ```
#[derive(Clone)]
pub struct Tensor {
    dtype: DType,
    shape: Vec<usize>,
    data: Bytes,
}

impl Tensor {
    /// A tensor over existing bytes (mapped or owned).
    pub fn from_bytes(dtype: DType, shape: Vec<usize>, data: Bytes) -> Result<Self, TensorError> {
        let expected = byte_len(dtype, &shape)?;
        if expected != data.len() {
            return Err(TensorError::Length { dtype, shape, expected, actual: data.len() });
        }
        Ok(Tensor { dtype, shape, data })
    }

    /// A tensor from Rust values.
    ///
    /// # Panics
    /// If the number of values is not the product of the shape.
    pub fn from_vec<T: Element>(shape: Vec<usize>, values: Vec<T>) -> Self {
        assert_eq!(values.len(), shape.iter().product::<usize>(), "values do not fill the shape {shape:?}");
        Tensor { dtype: T::DTYPE, shape, data: aligned(bytemuck::cast_slice(&values)) }
    }

    /// A boolean tensor.
    ///
    /// # Panics
    /// If the number of values is not the product of the shape.
    pub fn from_bools(shape: Vec<usize>, values: &[bool]) -> Self {
        assert_eq!(values.len(), shape.iter().product::<usize>(), "values do not fill the shape {shape:?}");
        Tensor { dtype: DType::Bool, shape, data: values.iter().map(|b| u8::from(*b)).collect() }
    }

    /// A tensor whose elements come from a function of the flat index.
    ///
    /// # Panics
    /// If the shape's byte size overflows.
    pub fn build(dtype: DType, shape: Vec<usize>, mut element: impl FnMut(usize) -> Scalar) -> Self {
        let n: usize = shape.iter().product();
        let size = dtype.size();
        let mut data = vec![0u64; (n * size).div_ceil(8)];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut data);
        for (idx, chunk) in bytes[..n * size].chunks_exact_mut(size).enumerate() {
            element(idx).store(dtype, chunk);
        }
        Tensor { dtype, shape, data: owned(data, n * size) }
    }

    /// A tensor of one repeated element.
    pub fn full(dtype: DType, shape: Vec<usize>, value: Scalar) -> Self {
        Tensor::build(dtype, shape, |_| value)
    }

    /// A rank-0 tensor.
    pub fn scalar(dtype: DType, value: Scalar) -> Self {
        Tensor::full(dtype, Vec::new(), value)
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The little-endian bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.data
    }

    /// The type, with constant dimensions.
    pub fn ty(&self) -> TensorType {
        TensorType { dtype: self.dtype, shape: self.shape.iter().map(|d| Dim::from(*d)).collect() }
    }

    /// The elements as Rust values; copied only where the bytes are misaligned.
    ///
    /// # Panics
    /// If `T` is not this tensor's element type (every one-byte type may be read as `u8` or `i8`).
    pub fn values<T: Element>(&self) -> Cow<'_, [T]> {
        assert!(
            T::DTYPE == self.dtype || (T::DTYPE.size() == 1 && self.dtype.size() == 1),
            "tensor of {} read as {}",
            self.dtype,
            T::DTYPE
        );
        match bytemuck::try_cast_slice(&self.data) {
            Ok(slice) => Cow::Borrowed(slice),
            Err(_) => {
                let size = size_of::<T>();
                Cow::Owned(self.data.chunks_exact(size).map(bytemuck::pod_read_unaligned).collect())
            }
        }
    }

    /// One element by flat index.
    ///
    /// # Panics
    /// If the index is out of range.
    pub fn get(&self, idx: usize) -> Scalar {
        let size = self.dtype.size();
        Scalar::load(self.dtype, &self.data[idx * size..(idx + 1) * size])
    }

    /// Every element, in order.
    pub fn iter(&self) -> impl Iterator<Item = Scalar> + '_ {
        self.data.chunks_exact(self.dtype.size()).map(|chunk| Scalar::load(self.dtype, chunk))
    }

    /// The elements as 64-bit integers, for shapes and axes.
    pub fn to_ints(&self) -> Vec<i64> {
        self.iter().map(|v| v.as_int() as i64).collect()
    }

    /// The same elements under another shape.
    pub fn reshaped(&self, shape: Vec<usize>) -> Result<Self, TensorError> {
        Tensor::from_bytes(self.dtype, shape, self.data.clone())
    }
}

impl PartialEq for Tensor {
    fn eq(&self, other: &Self) -> bool {
        self.dtype == other.dtype && self.shape == other.shape && self.data == other.data
    }
}

impl Eq for Tensor {}

impl std::fmt::Debug for Tensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ", self.ty())?;
        f.debug_list().entries(self.iter().take(16)).finish()?;
        f.write_str(if self.len() > 16 { " ..." } else { "" })
    }
}

fn byte_len(dtype: DType, shape: &[usize]) -> Result<usize, TensorError> {
    shape
        .iter()
        .try_fold(dtype.size(), |acc, d| acc.checked_mul(*d))
        .filter(|len| isize::try_from(*len).is_ok())
        .ok_or_else(|| TensorError::TooLarge(shape.to_vec()))
}

/// Copies into memory that is aligned for every element type.
fn aligned(bytes: &[u8]) -> Bytes {
    let mut words = vec![0u64; bytes.len().div_ceil(8)];
    bytemuck::cast_slice_mut::<u64, u8>(&mut words)[..bytes.len()].copy_from_slice(bytes);
    owned(words, bytes.len())
}

fn owned(words: Vec<u64>, len: usize) -> Bytes {
    struct Words(Vec<u64>);
    impl AsRef<[u8]> for Words {
        fn as_ref(&self) -> &[u8] {
            bytemuck::cast_slice(&self.0)
        }
    }
    Bytes::from_owner(Words(words)).slice(..len)
}
