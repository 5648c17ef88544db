//! Questions about numbers in constants.

use tensor::{DType, Scalar, Tensor};

/// The element that all elements of a tensor are equal to, bit for bit.
pub(crate) fn splat(tensor: &Tensor) -> Option<Scalar> {
    let size = tensor.dtype().size();
    let bytes: &[u8] = tensor.bytes();
    let first = bytes.get(..size)?;
    bytes.chunks_exact(size).all(|element| element == first).then(|| Scalar::load(tensor.dtype(), first))
}

/// The tensor with size 1 along every axis along which it only repeats itself, if there is one.
pub(crate) fn core(tensor: &Tensor) -> Option<Tensor> {
    let (size, shape) = (tensor.dtype().size(), tensor.shape().to_vec());
    if tensor.len() <= 1 {
        return None;
    }
    let mut small = shape.clone();
    let mut bytes: Vec<u8> = Vec::new();
    for axis in 0..shape.len() {
        let source: &[u8] = if bytes.is_empty() { tensor.bytes() } else { &bytes };
        let inner = small[axis + 1..].iter().product::<usize>() * size;
        let blocks = source.chunks_exact(inner * small[axis]);
        let repeats = |block: &[u8]| block.chunks_exact(inner).all(|part| part == &block[..inner]);
        if small[axis] > 1 && blocks.clone().all(repeats) {
            bytes = blocks.flat_map(|block| &block[..inner]).copied().collect();
            small[axis] = 1;
        }
    }
    if small == shape {
        return None;
    }
    // Axes in front need not be written: broadcasting adds them.
    let leading = small.iter().take_while(|dim| **dim == 1).count();
    Tensor::from_bytes(tensor.dtype(), small.split_off(leading), bytes.into()).ok()
}

/// Whether a number is exactly this one; zeros of unlike sign differ.
pub(crate) fn is(scalar: Scalar, number: f64) -> bool {
    match scalar {
        Scalar::Int(v) => v as f64 == number && !(number == 0.0 && number.is_sign_negative()),
        Scalar::Float(v) => v.to_bits() == number.to_bits(),
        Scalar::Bool(_) => false,
    }
}

/// Whether a number is zero of any sign.
pub(crate) fn is_zero(scalar: Scalar) -> bool {
    !matches!(scalar, Scalar::Bool(_)) && scalar.as_f64() == 0.0
}

/// Whether a number is plus or minus a power of two whose inverse is a normal number of the type.
pub(crate) fn has_exact_inverse(scalar: Scalar, dtype: DType) -> bool {
    let Scalar::Float(v) = scalar else {
        return false;
    };
    let smallest_exponent = match dtype {
        DType::F64 => -1022,
        DType::F32 | DType::BF16 => -126,
        DType::F16 => -14,
        _ => return false,
    };
    let mantissa_bits = v.to_bits() & ((1 << 52) - 1);
    let exponent = (v.to_bits() >> 52 & 0x7ff) as i32 - 1023;
    // The inverse of 2^e is 2^-e: both must be normal.
    mantissa_bits == 0 && exponent >= smallest_exponent && -exponent >= smallest_exponent
}

/// Whether every value of one float or integer type is a value of another, and arithmetic on it keeps its meaning.
pub(crate) fn widens(from: DType, to: DType) -> bool {
    if from == to {
        return true;
    }
    if let (Some((low, high)), Some((to_low, to_high))) = (from.int_range(), to.int_range()) {
        return to_low <= low && high <= to_high;
    }
    match (from, to) {
        (DType::F16 | DType::BF16, DType::F32 | DType::F64) | (DType::F32, DType::F64) => true,
        (DType::Bool, to) => {
            to.is_int() && to.bits() > 2 || matches!(to, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
        }
        (from, DType::F64) if from.is_int() => from.bits() <= 32,
        (from, DType::F32) if from.is_int() => from.bits() <= 16,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_have_exact_inverses() {
        for (v, expected) in
            [(2.0, true), (0.25, true), (-8.0, true), (3.0, false), (0.0, false), (f64::INFINITY, false)]
        {
            assert_eq!(has_exact_inverse(Scalar::Float(v), DType::F32), expected, "{v}");
        }
        assert!(!has_exact_inverse(Scalar::Float((2.0f64).powi(127)), DType::F32));
        assert!(!has_exact_inverse(Scalar::Int(2), DType::I32));
    }

    #[test]
    fn repetition_is_found() {
        let rows = Tensor::from_vec(vec![2, 3], vec![1i32, 2, 3, 1, 2, 3]);
        assert_eq!(core(&rows), Some(Tensor::from_vec(vec![3], vec![1i32, 2, 3])));
        let columns = Tensor::from_vec(vec![2, 2], vec![1i32, 1, 2, 2]);
        assert_eq!(core(&columns), Some(Tensor::from_vec(vec![2, 1], vec![1i32, 2])));
        let all = Tensor::from_vec(vec![2, 2], vec![5i32; 4]);
        assert_eq!(core(&all), Some(Tensor::from_vec(vec![], vec![5i32])));
        assert_eq!(core(&Tensor::from_vec(vec![2, 2], vec![1i32, 2, 3, 4])), None);
        assert_eq!(core(&Tensor::from_vec(vec![0, 2], Vec::<i32>::new())), None);
    }

    #[test]
    fn zeros_have_signs() {
        assert!(is(Scalar::Float(-0.0), -0.0) && !is(Scalar::Float(-0.0), 0.0));
        assert!(is(Scalar::Int(0), 0.0) && !is(Scalar::Int(0), -0.0));
        assert!(is_zero(Scalar::Float(-0.0)) && !is_zero(Scalar::Bool(false)));
    }

    #[test]
    fn widening_is_one_way() {
        assert!(widens(DType::F16, DType::F32) && !widens(DType::F32, DType::F16));
        assert!(widens(DType::U8, DType::I16) && !widens(DType::U8, DType::I8));
        assert!(!widens(DType::F16, DType::BF16) && !widens(DType::I32, DType::F32));
    }
}
