//! Conversions between storage formats of floats and `f32`, by integer arithmetic.
//!
//! [`FloatFormat::decode`] and [`FloatFormat::encode`] are expressions of [`Arith`] in single precision; a code is an
//! integer in the low bits of a lane. [`load_code`] and [`store_code`] write them for values as they lie in memory.
//!
//! Encoding rounds to nearest even. The special cases are those of ONNX's `Cast`: with `saturate` too large values
//! become the largest finite one, without it infinity or NaN, whichever the format has. `F8E8M0` follows the table
//! of the operator's text where that and its reference program differ: saturating, infinity is the largest value;
//! otherwise all that is out of range, zero included, is NaN. Of negative numbers it takes the magnitude.

mod power;
mod small;

#[cfg(test)]
mod tests;

use crate::math::{Arith, Format, Lanes};
use crate::text::{Scalar, Val, Writer};

/// How an encoding rounds to a power of two; other formats always round to nearest even.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum RoundMode {
    /// To the next larger power.
    #[default]
    Up,
    /// To the next smaller power.
    Down,
    /// To the nearer power by value; halfway goes up.
    Nearest,
}

/// A storage format that arithmetic is not done in. Codes of at most eight bits take one byte each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FloatFormat {
    /// IEEE half precision.
    F16,
    /// The upper half of a single.
    BF16,
    /// 4 exponent, 3 fraction bits, no infinity.
    F8E4M3FN,
    /// The same, biased by 8, with one zero and one NaN.
    F8E4M3FNUZ,
    /// 5 exponent, 2 fraction bits, as IEEE would have it.
    F8E5M2,
    /// The same, biased by 16, no infinity, one zero and one NaN.
    F8E5M2FNUZ,
    /// Powers of two from -127 to 127, and NaN.
    F8E8M0,
    /// 2 exponent, 1 fraction bit, finite numbers only.
    F4E2M1,
}

impl FloatFormat {
    /// All of them.
    pub const ALL: [FloatFormat; 8] = [
        FloatFormat::F16,
        FloatFormat::BF16,
        FloatFormat::F8E4M3FN,
        FloatFormat::F8E4M3FNUZ,
        FloatFormat::F8E5M2,
        FloatFormat::F8E5M2FNUZ,
        FloatFormat::F8E8M0,
        FloatFormat::F4E2M1,
    ];

    /// The integer a code is stored as.
    pub fn storage(self) -> Scalar {
        match self {
            FloatFormat::F16 | FloatFormat::BF16 => Scalar::I16,
            _ => Scalar::I8,
        }
    }

    /// The value of a code, exactly. Bits above the code's are ignored.
    pub fn decode<A: Arith>(self, a: &A, code: A::I) -> A::F {
        debug_assert_eq!(a.format(), Format::F32, "storage formats convert from and to f32");
        match self {
            FloatFormat::F8E8M0 => power::decode(a, code),
            _ => small::decode(a, &small::layout(self), code),
        }
    }

    /// The code nearest to a value; `round` is for `F8E8M0` alone. All higher bits are 0.
    pub fn encode<A: Arith>(self, a: &A, x: A::F, saturate: bool, round: RoundMode) -> A::I {
        debug_assert_eq!(a.format(), Format::F32, "storage formats convert from and to f32");
        match self {
            FloatFormat::F8E8M0 => power::encode(a, x, saturate, round),
            _ => small::encode(a, &small::layout(self), x, saturate),
        }
    }
}

/// Writes the conversion of codes as they lie in memory (`i8` or `i16`, scalar or vector) to `f32`.
pub fn load_code(w: &mut Writer, format: FloatFormat, code: Val) -> Val {
    let code = w.extui(code, Scalar::I32);
    let ty = code.ty.with_elem(Scalar::F32);
    format.decode(&Lanes::new(w, ty), code)
}

/// Writes the conversion of `f32` values to codes as they lie in memory.
pub fn store_code(w: &mut Writer, format: FloatFormat, x: Val, saturate: bool, round: RoundMode) -> Val {
    let code = format.encode(&Lanes::new(w, x.ty), x, saturate, round);
    w.trunci(code, format.storage())
}
