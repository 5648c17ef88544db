//! Integers of less than a byte that stay packed: their expression over the bytes in which a file holds them.
//!
//! A tensor of such integers holds one in each byte. Large weights would take two or four times the memory that way, so
//! they stay constants of bytes, and shifts take them apart where they are read.

use super::kit::*;

/// Lines that are packed side by side: what is read for all of them is whole lines of cache.
const LINES: usize = 64;

/// How many integers of these bits share a byte.
pub(super) fn per_byte(bits: u32) -> usize {
    match bits {
        2 => 4,
        4 => 2,
        _ => 1,
    }
}

/// The integers in bytes `[.., n]`, lowest bits first: `[.., n, per byte]` of an element type, or the bytes as they are
/// where that has eight bits.
pub(super) fn unpacked(b: &mut Builder, bytes: ValueId, dtype: DType) -> One {
    let per = per_byte(dtype.bits());
    if per == 1 {
        return Ok(bytes);
    }
    let mut shape = b.shape(bytes).to_vec();
    shape.push(1.into());
    let apart = b.reshape(bytes, shape.clone())?;
    if let Some(last) = shape.last_mut() {
        *last = per.into();
    }
    let apart = b.broadcast(apart, shape.clone())?;
    let distances = (0..per).map(|at| at as u8 * dtype.bits() as u8).collect();
    let distances = b.constant(Tensor::from_vec(vec![per], distances))?;
    let distances = b.broadcast(distances, shape)?;
    let shifted = b.binary(BinaryKind::Shr, apart, distances)?;
    Ok(b.cast(shifted, dtype)?)
}

/// The same for a constant, computed now: `[.., n * per byte]` with one integer in each byte.
pub(super) fn unpacked_now(bytes: &Tensor, dtype: DType) -> Result<Tensor, ImportError> {
    let (bits, per) = (dtype.bits(), per_byte(dtype.bits()));
    let mask = if bits == 8 { u8::MAX } else { (1 << bits) - 1 };
    let values: Vec<u8> =
        bytes.bytes().iter().flat_map(|byte| (0..per).map(move |at| (byte >> (at as u32 * bits)) & mask)).collect();
    let mut shape = bytes.shape().to_vec();
    if let Some(last) = shape.last_mut() {
        *last *= per;
    }
    Tensor::from_bytes(dtype, shape, values.into()).or_else(|e| bad(e.to_string()))
}

/// A constant of small integers with one axis brought to the end, as bytes that hold as many of its neighbors as fit.
/// The axis must be a multiple of that.
pub(super) fn packed(x: &Tensor, axis: usize) -> Result<Tensor, ImportError> {
    let bits = x.dtype().bits();
    let (per, mask) = (per_byte(bits), if bits >= 8 { u8::MAX } else { (1 << bits) - 1 });
    let (length, inner) = (x.shape()[axis], x.shape()[axis + 1..].iter().product::<usize>());
    let outer: usize = x.shape()[..axis].iter().product();
    let (bytes, line) = (x.bytes(), length / per);
    let mut out = vec![0u8; outer * inner * line];
    for number in 0..outer {
        for first in (0..inner).step_by(LINES) {
            let lines = LINES.min(inner - first);
            let to = &mut out[(number * inner + first) * line..][..lines * line];
            for k in 0..length {
                let from = &bytes[(number * length + k) * inner + first..][..lines];
                let distance = (k % per) as u32 * bits;
                let slots = to[k / per..].iter_mut().step_by(line.max(1));
                slots.zip(from).for_each(|(slot, code)| *slot |= (code & mask) << distance);
            }
        }
    }
    let mut shape = x.shape().to_vec();
    let length = shape.remove(axis);
    shape.push(length / per);
    let dtype = if per == 1 { x.dtype() } else { DType::U8 };
    Tensor::from_bytes(dtype, shape, out.into()).or_else(|e| bad(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_is_packed_and_taken_apart_again() {
        for (dtype, axis) in [(DType::U4, 0), (DType::I4, 1), (DType::U2, 0), (DType::I2, 1), (DType::I8, 1)] {
            let (low, high) = dtype.int_range().unwrap();
            let x = Tensor::build(dtype, vec![8, 4, 70], |at| Scalar::Int(low + at as i128 * 5 % (high - low + 1)));
            let packed = packed(&x, axis).unwrap();
            let mut b = Builder::new("g");
            let bytes = b.constant(packed).unwrap();
            let y = unpacked(&mut b, bytes, dtype).unwrap();
            let shape = match axis {
                0 => vec![4.into(), 70.into(), 8.into()],
                _ => vec![8.into(), 70.into(), 4.into()],
            };
            let y = b.reshape(y, shape).unwrap();
            let y = b.transpose(y, if axis == 0 { vec![2, 0, 1] } else { vec![0, 2, 1] }).unwrap();
            b.output("y", y);
            assert_eq!(graph::evaluate(&b.finish(), &[]).unwrap(), [x], "{dtype}");
        }
    }
}
