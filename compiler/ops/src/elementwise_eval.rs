//! The meaning of elementwise operators on single elements: one table for each kind of number.

use crate::{BinaryKind, CompareKind, UnaryKind};
use tensor::{DType, Scalar, Tensor};

/// The function on floats.
pub(crate) fn unary_float(kind: UnaryKind) -> fn(f64) -> f64 {
    use UnaryKind::*;
    match kind {
        Neg => |v| -v,
        Abs => f64::abs,
        Sign => |v| match v {
            _ if v.is_nan() => v,
            _ if v == 0.0 => 0.0,
            _ => v.signum(),
        },
        Exp => f64::exp,
        Log => f64::ln,
        Log1p => f64::ln_1p,
        Expm1 => f64::exp_m1,
        Sqrt => f64::sqrt,
        Sin => f64::sin,
        Cos => f64::cos,
        Tan => f64::tan,
        Asin => f64::asin,
        Acos => f64::acos,
        Atan => f64::atan,
        Sinh => f64::sinh,
        Cosh => f64::cosh,
        Tanh => f64::tanh,
        // The C library's versions of these keep their digits near zero, unlike Rust's.
        Asinh => libm::asinh,
        Acosh => libm::acosh,
        Atanh => libm::atanh,
        Erf => libm::erf,
        Sigmoid => |v| 1.0 / (1.0 + (-v).exp()),
        Floor => f64::floor,
        Ceil => f64::ceil,
        Round => f64::round_ties_even,
        Trunc => f64::trunc,
        IsNan => |v| f64::from(v.is_nan()),
        Not => |v| v,
    }
}

/// The function on integers and booleans that accept it.
pub(crate) fn unary_other(kind: UnaryKind, v: Scalar) -> Scalar {
    match (kind, v) {
        (UnaryKind::Not, Scalar::Bool(v)) => Scalar::Bool(!v),
        (UnaryKind::Not, v) => Scalar::Int(!v.as_int()),
        (UnaryKind::Neg, v) => Scalar::Int(-v.as_int()),
        (UnaryKind::Abs, v) => Scalar::Int(v.as_int().abs()),
        (_, v) => Scalar::Int(v.as_int().signum()),
    }
}

/// The function on floats.
pub(crate) fn binary_float(kind: BinaryKind) -> fn(f64, f64) -> f64 {
    use BinaryKind::*;
    match kind {
        Add => |a, b| a + b,
        Sub => |a, b| a - b,
        Mul => |a, b| a * b,
        Div => |a, b| a / b,
        Pow => f64::powf,
        Max => |a, b| if a.is_nan() || a >= b { a } else { b },
        Min => |a, b| if a.is_nan() || a <= b { a } else { b },
        Mod => |a, b| match a % b {
            r if r == 0.0 => r.copysign(b),
            r if (r < 0.0) != (b < 0.0) => r + b,
            r => r,
        },
        Rem => |a, b| a % b,
        Atan2 => f64::atan2,
        And | Or | Xor | Shl | Shr => |_, _| f64::NAN,
    }
}

/// The function on integers of a width in bits; the caller wraps the result into the type.
fn binary_int(kind: BinaryKind, bits: u32, a: i128, b: i128) -> i128 {
    use BinaryKind::*;
    let too_far = b < 0 || b >= i128::from(bits);
    match kind {
        Add => a + b,
        Sub => a - b,
        Mul => a.wrapping_mul(b),
        Div if b == 0 => 0,
        Div => a / b,
        Pow => int_power(a, b),
        Max => a.max(b),
        Min => a.min(b),
        Mod | Rem if b == 0 => 0,
        Mod => (a % b + b) % b,
        Rem => a % b,
        And => a & b,
        Or => a | b,
        Xor => a ^ b,
        Shl if too_far => 0,
        Shl => a << b,
        Shr if too_far => -i128::from(a < 0),
        Shr => a >> b,
        Atan2 => 0,
    }
}

/// Only the low 64 bits matter, so the product may wrap.
fn int_power(base: i128, exponent: i128) -> i128 {
    match (base, exponent) {
        (1, _) => 1,
        (-1, e) => 1 - 2 * (e & 1),
        (_, e) if e < 0 => 0,
        _ => {
            let (mut result, mut square, mut left) = (1i128, base, exponent);
            while left > 0 {
                if left & 1 == 1 {
                    result = result.wrapping_mul(square);
                }
                square = square.wrapping_mul(square);
                left >>= 1;
            }
            result
        }
    }
}

/// The function on two elements of a type; the result is not yet rounded or wrapped into it.
pub(crate) fn binary(kind: BinaryKind, dtype: DType, a: Scalar, b: Scalar) -> Scalar {
    use BinaryKind::*;
    match (a, b) {
        (Scalar::Float(a), Scalar::Float(b)) => Scalar::Float(binary_float(kind)(a, b)),
        (Scalar::Bool(a), Scalar::Bool(b)) => Scalar::Bool(match kind {
            And | Min | Mul => a & b,
            Xor => a ^ b,
            _ => a | b,
        }),
        _ => Scalar::Int(binary_int(kind, dtype.bits(), a.as_int(), b.as_int())),
    }
}

/// Whether the comparison holds.
pub(crate) fn compare(kind: CompareKind, a: Scalar, b: Scalar) -> bool {
    let ordering = match (a, b) {
        (Scalar::Float(a), Scalar::Float(b)) => a.partial_cmp(&b),
        _ => Some(a.as_int().cmp(&b.as_int())),
    };
    match kind {
        CompareKind::Eq => ordering.is_some_and(|o| o.is_eq()),
        CompareKind::Ne => ordering.is_none_or(|o| o.is_ne()),
        CompareKind::Lt => ordering.is_some_and(|o| o.is_lt()),
        CompareKind::Le => ordering.is_some_and(|o| o.is_le()),
        CompareKind::Gt => ordering.is_some_and(|o| o.is_gt()),
        CompareKind::Ge => ordering.is_some_and(|o| o.is_ge()),
    }
}

/// A function of every element, with a path of its own for `f32`.
pub(crate) fn map_unary(kind: UnaryKind, x: &Tensor) -> Tensor {
    let (dtype, shape, f) = (x.dtype(), x.shape().to_vec(), unary_float(kind));
    if kind == UnaryKind::IsNan {
        let is_nan: Vec<bool> = x.iter().map(|v| v.as_f64().is_nan()).collect();
        return Tensor::from_bools(shape, &is_nan);
    }
    if dtype == DType::F32 {
        let values = x.values::<f32>();
        return Tensor::from_vec(shape, values.iter().map(|v| f(f64::from(*v)) as f32).collect());
    }
    Tensor::build(dtype, shape, |at| match x.get(at) {
        Scalar::Float(v) => Scalar::Float(f(v)),
        other => unary_other(kind, other),
    })
}

/// A function of every pair of elements, with a path of its own for `f32`.
pub(crate) fn map_binary(kind: BinaryKind, a: &Tensor, b: &Tensor) -> Tensor {
    let (dtype, shape) = (a.dtype(), a.shape().to_vec());
    if dtype == DType::F32 {
        let (f, a, b) = (binary_float(kind), a.values::<f32>(), b.values::<f32>());
        let pairs = a.iter().zip(b.iter());
        return Tensor::from_vec(shape, pairs.map(|(a, b)| f(f64::from(*a), f64::from(*b)) as f32).collect());
    }
    Tensor::build(dtype, shape, |at| binary(kind, dtype, a.get(at), b.get(at)))
}
