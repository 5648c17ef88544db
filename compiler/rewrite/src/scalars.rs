//! Questions about numbers in constants.

use tensor::{DType, Scalar, Tensor};

/// The element that all elements of a tensor are equal to, bit for bit.
pub(crate) fn splat(tensor: &Tensor) -> Option<Scalar> {
    let size = tensor.dtype().size();
    let bytes: &[u8] = tensor.bytes();
    let first = bytes.get(..size)?;
    bytes
        .chunks_exact(size)
        .all(|element| element == first)
        .then(|| Scalar::load(tensor.dtype(), first))
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
            to.is_int() && to.bits() > 2
                || matches!(to, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
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
        for (v, expected) in [
            (2.0, true),
            (0.25, true),
            (-8.0, true),
            (3.0, false),
            (0.0, false),
            (f64::INFINITY, false),
        ] {
            assert_eq!(
                has_exact_inverse(Scalar::Float(v), DType::F32),
                expected,
                "{v}"
            );
        }
        assert!(!has_exact_inverse(
            Scalar::Float((2.0f64).powi(127)),
            DType::F32
        ));
        assert!(!has_exact_inverse(Scalar::Int(2), DType::I32));
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
