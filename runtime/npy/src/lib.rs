//! NumPy's files: `.npy` holds one tensor, `.npz` is a zip of them.
//!
//! # Invariants
//! - Nothing that a file says makes this crate panic, or allocate more than the file is long (times the compression of a zip).
//! - A tensor in C order and little-endian form shares the file's bytes.
//! - Types that NumPy lacks are written as `float32`, or as a whole byte for integers; both hold every value.
//!
//! ```
//! use tensor::Tensor;
//! let t = Tensor::from_vec(vec![2], vec![1.5f32, -2.0]);
//! let mut file = Vec::new();
//! npy::write(&t, &mut file)?;
//! assert_eq!(npy::read(&file.into(), None)?, t);
//! # Ok::<(), npy::Error>(())
//! ```
//!
//! Start reading at [`read()`] and [`write()`].

mod archive;
mod header;

pub use archive::{read_npz, save_npz, write_npz};

use bytes::Bytes;
use header::{Header, Layout};
use std::io::Write;
use tensor::{DType, Tensor};

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The contents are not those of such a file.
    #[error("not a valid {kind} file: {why}")]
    Invalid {
        /// `npy` or `npz`.
        kind: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

fn invalid(why: impl Into<String>) -> Error {
    Error::Invalid { kind: "npy", why: why.into() }
}

/// Reads an `.npy` file.
///
/// NumPy lacks some element types. If one of those is `wanted`, the file may hold raw elements of its size (as the package
/// `ml_dtypes` saves them), or numbers, which are then rounded to the type.
pub fn read(file: &Bytes, wanted: Option<DType>) -> Result<Tensor, Error> {
    let (header, start) = header::read(file)?;
    let data = file.slice(start..);
    let Header { shape, fortran, layout, big_endian } = header;
    let lacking = wanted.filter(|dtype| header::descr(*dtype).is_none());
    let dtype = match (layout, lacking) {
        (Layout::Typed(dtype), _) => dtype,
        (Layout::Raw(size), Some(dtype)) if size == dtype.size() => dtype,
        (Layout::Raw(size), _) => {
            return Err(invalid(format!("raw elements of {size} bytes, which could mean anything")));
        }
    };
    let mut tensor = typed(dtype, &shape, data, fortran, big_endian)?;
    if let Some(dtype) = lacking
        && dtype != tensor.dtype()
    {
        tensor = Tensor::build(dtype, shape, |at| tensor.get(at));
    }
    Ok(tensor)
}

fn typed(dtype: DType, shape: &[usize], data: Bytes, fortran: bool, big_endian: bool) -> Result<Tensor, Error> {
    let wrong = |e: tensor::TensorError| invalid(e.to_string());
    let (size, rank) = (dtype.size(), shape.len());
    let swapped = big_endian && size > 1;
    let transposed = fortran && rank > 1;
    if !swapped && !transposed {
        return Tensor::from_bytes(dtype, shape.to_vec(), data).map_err(wrong);
    }
    // Checks the length before anything is allocated.
    let stored = Tensor::from_bytes(dtype, shape.to_vec(), data).map_err(wrong)?;
    let mut out = Vec::with_capacity(stored.bytes().len());
    for at in 0..stored.len() {
        let from = if transposed { fortran_index(at, shape) } else { at } * size;
        let element = &stored.bytes()[from..from + size];
        if swapped { out.extend(element.iter().rev()) } else { out.extend(element) }
    }
    Tensor::from_bytes(dtype, shape.to_vec(), out.into()).map_err(wrong)
}

/// Where the element of a flat index in C order lies in Fortran order.
fn fortran_index(mut at: usize, shape: &[usize]) -> usize {
    let mut stride = shape.iter().product::<usize>();
    let mut index = 0;
    for extent in shape.iter().rev() {
        stride /= extent;
        index += at % extent * stride;
        at /= extent;
    }
    index
}

/// Writes an `.npy` file.
pub fn write(tensor: &Tensor, out: &mut dyn Write) -> Result<(), Error> {
    let (dtype, descr) = header::stored_as(tensor.dtype());
    out.write_all(&header::write(descr, tensor.shape()))?;
    if dtype.size() == tensor.dtype().size() {
        // Sub-byte integers lie in whole bytes already.
        out.write_all(tensor.bytes())?;
    } else {
        out.write_all(Tensor::build(dtype, tensor.shape().to_vec(), |at| tensor.get(at)).bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::Scalar;

    fn file(text: &str, data: &[u8]) -> Bytes {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes.extend(data);
        bytes.into()
    }

    fn dict(descr: &str, fortran: &str, shape: &str) -> String {
        format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}          \n")
    }

    #[test]
    fn every_type_round_trips() {
        for dtype in DType::ALL {
            let t = Tensor::build(dtype, vec![2, 3], |at| Scalar::Int((at as i128) % 2));
            let mut bytes = Vec::new();
            write(&t, &mut bytes).unwrap();
            assert_eq!(bytes.len() % 16, t.len() * header::stored_as(dtype).0.size() % 16, "the header is padded");
            let read = read(&bytes.into(), Some(dtype)).unwrap();
            assert_eq!(read, t, "{dtype}");
        }
    }

    #[test]
    fn orders_of_bytes_and_axes() {
        let big = read(&file(&dict(">i2", "False", "(2,)"), &[1, 2, 0xff, 0xfe]), None).unwrap();
        assert_eq!(big.to_ints(), [0x102, -2]);
        let columns = read(&file(&dict("|u1", "True", "(2, 3)"), &[1, 4, 2, 5, 3, 6]), None).unwrap();
        assert_eq!(columns, Tensor::from_vec(vec![2, 3], vec![1u8, 2, 3, 4, 5, 6]));
        let scalar = read(&file(&dict("<f8", "True", "()"), &2.5f64.to_le_bytes()), None).unwrap();
        assert_eq!((scalar.rank(), scalar.get(0)), (0, Scalar::Float(2.5)));
        let empty = read(&file(&dict("<f4", "True", "(0, 3)"), &[]), None).unwrap();
        assert_eq!(empty.shape(), [0, 3]);
    }

    #[test]
    fn types_that_numpy_lacks() {
        let raw = file(&dict("|V2", "False", "(1,)"), &[0x80, 0x3f]);
        assert_eq!(read(&raw, Some(DType::BF16)).unwrap().get(0), Scalar::Float(1.0));
        assert!(read(&raw, None).unwrap_err().to_string().contains("could mean anything"));
        assert!(read(&raw, Some(DType::F32)).is_err());
        let f32s = file(&dict("<f4", "False", "(1,)"), &1.5f32.to_le_bytes());
        assert_eq!(read(&f32s, Some(DType::BF16)).unwrap().dtype(), DType::BF16);
        assert_eq!(read(&f32s, Some(DType::I64)).unwrap().dtype(), DType::F32, "other types are left to whoever asked");
    }

    #[test]
    fn bad_files_are_errors() {
        let good = file(&dict("<f4", "False", "(2,)"), &[0; 8]);
        for len in 0..good.len() {
            assert!(read(&good.slice(..len), None).is_err(), "{len}");
        }
        for (descr, fortran, shape) in [
            ("<f3", "False", "(2,)"),
            ("O", "False", "(2,)"),
            ("<f4", "Maybe", "(2,)"),
            ("<f4", "False", "(-2,)"),
            ("<f4", "False", "(99999999999, 99999999999, 0)"),
            ("<f4", "True", "(99999999999, 99999999999)"),
            ("<f4", "False", "2"),
        ] {
            assert!(read(&file(&dict(descr, fortran, shape), &[0; 8]), None).is_err(), "{descr} {fortran} {shape}");
        }
        for at in 0..good.len() - 8 {
            for value in [0, b'(', b'\'', 0xff] {
                let mut damaged = good.to_vec();
                damaged[at] = value;
                let _ = read(&damaged.into(), None);
            }
        }
    }
}
