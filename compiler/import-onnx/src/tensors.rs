//! Tensors of the file into tensors in memory: every element type, every way to store it, hostile sizes refused.

use crate::external::{ExternalData, read_external};
use crate::proto::TensorProto;
use bytes::Bytes;
use tensor::{DType, Scalar, Tensor};

/// Tensors of at most this many bytes are copied where they lie misaligned; larger ones stay in the file's memory,
/// and readers copy what they look at.
const MAX_COPIED: usize = 1 << 16;

/// Why a stored tensor cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TensorFault {
    /// An element type that has no counterpart here.
    #[error("element type {0} is not supported")]
    Unsupported(&'static str),
    /// The message contradicts itself.
    #[error("{0}")]
    Bad(String),
    /// The content lies in another file, and cannot be had.
    #[error("{0}")]
    External(String),
}

type Result<T> = std::result::Result<T, TensorFault>;

/// The element type of an ONNX code.
pub fn dtype_of(code: i32) -> Result<DType> {
    Ok(match code {
        1 => DType::F32,
        2 => DType::U8,
        3 => DType::I8,
        4 => DType::U16,
        5 => DType::I16,
        6 => DType::I32,
        7 => DType::I64,
        9 => DType::Bool,
        10 => DType::F16,
        11 => DType::F64,
        12 => DType::U32,
        13 => DType::U64,
        16 => DType::BF16,
        17 => DType::F8E4M3FN,
        18 => DType::F8E4M3FNUZ,
        19 => DType::F8E5M2,
        20 => DType::F8E5M2FNUZ,
        21 => DType::U4,
        22 => DType::I4,
        23 => DType::F4E2M1,
        24 => DType::F8E8M0,
        25 => DType::U2,
        26 => DType::I2,
        8 => return Err(TensorFault::Unsupported("string")),
        14 => return Err(TensorFault::Unsupported("complex64")),
        15 => return Err(TensorFault::Unsupported("complex128")),
        other => {
            return Err(TensorFault::Bad(format!("there is no element type of number {other}")));
        }
    })
}

/// The ONNX code of an element type.
pub fn code_of(dtype: DType) -> i32 {
    (1..=26).find(|code| dtype_of(*code) == Ok(dtype)).unwrap_or(0)
}

/// How many elements of this type share one byte of a file.
fn per_byte(dtype: DType) -> usize {
    match dtype.bits() {
        4 => 2,
        2 => 4,
        _ => 1,
    }
}

/// The shape and the number of elements; refused where the bytes would not fit any memory.
fn checked_shape(dims: &[i64], dtype: DType) -> Result<(Vec<usize>, usize)> {
    let too_large = || TensorFault::Bad(format!("a tensor of shape {dims:?} is too large"));
    let shape: Vec<usize> = dims
        .iter()
        .map(|d| usize::try_from(*d))
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| TensorFault::Bad(format!("the shape {dims:?} has a negative dimension")))?;
    let n = shape.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).ok_or_else(too_large)?;
    n.checked_mul(dtype.size()).filter(|bytes| isize::try_from(*bytes).is_ok()).ok_or_else(too_large)?;
    Ok((shape, n))
}

/// The tensor that a message holds or points to.
pub fn decode(proto: &TensorProto, external: Option<&dyn ExternalData>) -> Result<Tensor> {
    let dtype = dtype_of(proto.data_type)?;
    let (shape, n) = checked_shape(&proto.dims, dtype)?;
    if proto.segment.is_some() {
        return Err(TensorFault::Bad("tensors in segments are not part of the standard any more".into()));
    }
    if proto.data_location == 1 {
        let needed = n.div_ceil(per_byte(dtype)) * dtype.size();
        let bytes = read_external(&proto.external_data, needed, external).map_err(TensorFault::External)?;
        return from_raw(dtype, shape, n, bytes);
    }
    match &proto.raw_data {
        Some(raw) if !(raw.is_empty() && has_typed_data(proto)) => from_raw(dtype, shape, n, raw.clone()),
        _ => from_fields(proto, dtype, shape, n),
    }
}

fn has_typed_data(proto: &TensorProto) -> bool {
    !(proto.float_data.is_empty()
        && proto.int32_data.is_empty()
        && proto.int64_data.is_empty()
        && proto.double_data.is_empty()
        && proto.uint64_data.is_empty())
}

fn length_error(dtype: DType, shape: &[usize], needed: usize, actual: usize) -> TensorFault {
    TensorFault::Bad(format!(
        "a tensor of type {dtype} and shape {shape:?} takes {needed} bytes, but {actual} are stored"
    ))
}

/// Little-endian bytes as they lie in the file: shared where their layout is ours.
fn from_raw(dtype: DType, shape: Vec<usize>, n: usize, raw: Bytes) -> Result<Tensor> {
    let needed = n.div_ceil(per_byte(dtype)) * dtype.size();
    if raw.len() != needed {
        return Err(length_error(dtype, &shape, needed, raw.len()));
    }
    let bytes = if per_byte(dtype) > 1 {
        unpack(dtype, n, raw.iter().copied())
    } else if dtype == DType::Bool && raw.iter().any(|b| *b > 1) {
        raw.iter().map(|b| u8::from(*b != 0)).collect()
    } else if raw.len() <= MAX_COPIED && !(raw.as_ptr() as usize).is_multiple_of(dtype.size()) {
        Tensor::from_vec(vec![raw.len()], raw.to_vec()).bytes().clone()
    } else {
        raw
    };
    Tensor::from_bytes(dtype, shape, bytes).map_err(|e| TensorFault::Bad(e.to_string()))
}

/// Values of less than a byte, lowest bits first, each into a byte of its own; signed ones are extended.
fn unpack(dtype: DType, n: usize, packed: impl Iterator<Item = u8>) -> Bytes {
    let bits = dtype.bits();
    let mask = (1u8 << bits) - 1;
    let value = |byte: u8, at: usize| {
        let code = byte >> (at as u32 * bits) & mask;
        if dtype.is_signed_int() && code >> (bits - 1) == 1 { code | !mask } else { code }
    };
    let mut values = Vec::with_capacity(n.next_multiple_of(per_byte(dtype)));
    for byte in packed {
        values.extend((0..per_byte(dtype)).map(|at| value(byte, at)));
    }
    values.truncate(n);
    values.into()
}

/// Elements from the typed fields.
fn from_fields(proto: &TensorProto, dtype: DType, shape: Vec<usize>, n: usize) -> Result<Tensor> {
    fn exact<T: Copy>(values: &[T], needed: usize, shape: &[usize]) -> Result<()> {
        if values.len() == needed {
            return Ok(());
        }
        Err(TensorFault::Bad(format!(
            "a tensor of shape {shape:?} needs {needed} stored elements, but there are {}",
            values.len()
        )))
    }
    fn owned<T: tensor::Element>(values: &[T], shape: Vec<usize>) -> Result<Tensor> {
        exact(values, shape.iter().product(), &shape)?;
        Ok(Tensor::from_vec(shape, values.to_vec()))
    }
    match dtype {
        DType::F32 => owned(&proto.float_data, shape),
        DType::F64 => owned(&proto.double_data, shape),
        DType::I64 => owned(&proto.int64_data, shape),
        DType::I32 => owned(&proto.int32_data, shape),
        DType::U64 => owned(&proto.uint64_data, shape),
        DType::U32 => {
            exact(&proto.uint64_data, n, &shape)?;
            Ok(Tensor::from_vec(shape, proto.uint64_data.iter().map(|v| *v as u32).collect()))
        }
        _ if per_byte(dtype) > 1 => {
            exact(&proto.int32_data, n.div_ceil(per_byte(dtype)), &shape)?;
            let bytes = unpack(dtype, n, proto.int32_data.iter().map(|v| *v as u8));
            Tensor::from_bytes(dtype, shape, bytes).map_err(|e| TensorFault::Bad(e.to_string()))
        }
        DType::F16 | DType::BF16 => {
            exact(&proto.int32_data, n, &shape)?;
            let words: Vec<u16> = proto.int32_data.iter().map(|v| *v as u16).collect();
            let bytes = Tensor::from_vec(vec![n], words).bytes().clone();
            Tensor::from_bytes(dtype, shape, bytes).map_err(|e| TensorFault::Bad(e.to_string()))
        }
        _ if dtype.is_tiny_float() => {
            exact(&proto.int32_data, n, &shape)?;
            let bytes = proto.int32_data.iter().map(|v| *v as u8).collect();
            Tensor::from_bytes(dtype, shape, bytes).map_err(|e| TensorFault::Bad(e.to_string()))
        }
        _ => {
            exact(&proto.int32_data, n, &shape)?;
            let at = |idx: usize| Scalar::Int(proto.int32_data[idx].into());
            Ok(Tensor::build(dtype, shape, at))
        }
    }
}

/// A named tensor from the bytes of a `TensorProto`, as ONNX's test data files hold it.
pub fn tensor_from_pb(bytes: Bytes) -> std::result::Result<(String, Tensor), TensorFault> {
    use prost::Message;
    let proto = TensorProto::decode(bytes).map_err(|e| TensorFault::Bad(e.to_string()))?;
    let tensor = decode(&proto, None)?;
    Ok((proto.name, tensor))
}

/// The bytes of a `TensorProto` with this name and content.
pub fn tensor_to_pb(name: &str, tensor: &Tensor) -> Vec<u8> {
    use prost::Message;
    to_proto(name, tensor).encode_to_vec()
}

/// The message of a tensor.
pub fn to_proto(name: &str, tensor: &Tensor) -> TensorProto {
    let dtype = tensor.dtype();
    let bits = dtype.bits();
    let raw = if per_byte(dtype) > 1 {
        let pack = |chunk: &[u8]| {
            let shifted = chunk.iter().enumerate().map(|(at, v)| (v & ((1 << bits) - 1)) << (at as u32 * bits));
            shifted.fold(0, |byte, v| byte | v)
        };
        tensor.bytes().chunks(per_byte(dtype)).map(pack).collect()
    } else {
        tensor.bytes().clone()
    };
    TensorProto {
        name: name.into(),
        dims: tensor.shape().iter().map(|d| *d as i64).collect(),
        data_type: code_of(dtype),
        raw_data: Some(raw),
        ..TensorProto::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_type_survives_a_round_trip() {
        for dtype in DType::ALL {
            let tensor = Tensor::build(dtype, vec![5], |idx| Scalar::Int(idx as i128 % 2));
            let (name, back) = tensor_from_pb(tensor_to_pb("t", &tensor).into()).unwrap();
            assert_eq!((name.as_str(), back), ("t", tensor));
        }
    }

    #[test]
    fn small_integers_are_unpacked_from_the_low_bits() {
        let proto = |code: i32, n: i64, raw: &'static [u8]| TensorProto {
            dims: vec![n],
            data_type: code,
            raw_data: Some(raw.into()),
            ..TensorProto::default()
        };
        let i4 = decode(&proto(22, 3, &[0xf1, 0x07]), None).unwrap();
        assert_eq!(i4.to_ints(), [1, -1, 7]);
        let u2 = decode(&proto(25, 5, &[0b11_10_01_00, 0b10]), None).unwrap();
        assert_eq!(u2.to_ints(), [0, 1, 2, 3, 2]);
        let typed = TensorProto { dims: vec![3], data_type: 21, int32_data: vec![0xf1, 2], ..TensorProto::default() };
        assert_eq!(decode(&typed, None).unwrap().to_ints(), [1, 15, 2]);
    }

    #[test]
    fn hostile_sizes_are_refused() {
        let proto = |dims: &[i64]| TensorProto {
            dims: dims.to_vec(),
            data_type: 1,
            raw_data: Some(Bytes::from_static(&[0; 8])),
            ..TensorProto::default()
        };
        for dims in [&[i64::MAX, 4][..], &[1 << 40, 1 << 40], &[-1], &[3], &[1 << 62]] {
            assert!(matches!(decode(&proto(dims), None), Err(TensorFault::Bad(_))));
        }
        assert_eq!(decode(&proto(&[2]), None).unwrap().len(), 2);
    }

    #[test]
    fn aligned_bytes_are_shared_and_small_others_copied() {
        let words: Bytes = Tensor::from_vec(vec![4], vec![0f32; 4]).bytes().clone();
        let of = |raw: Bytes| {
            decode(&TensorProto { dims: vec![2], data_type: 1, raw_data: Some(raw), ..TensorProto::default() }, None)
                .unwrap()
        };
        assert_eq!(of(words.slice(4..12)).bytes().as_ptr(), words[4..].as_ptr());
        let copy = of(words.slice(1..9));
        assert!((copy.bytes().as_ptr() as usize).is_multiple_of(4));
        let n = MAX_COPIED;
        let large = Tensor::from_vec(vec![4 * n + 1], vec![1u8; 4 * n + 1]);
        let proto = TensorProto {
            dims: vec![n as i64],
            data_type: 1,
            raw_data: Some(large.bytes().slice(1..)),
            ..TensorProto::default()
        };
        let shared = decode(&proto, None).unwrap();
        assert_eq!(shared.bytes().as_ptr(), large.bytes()[1..].as_ptr());
    }
}
