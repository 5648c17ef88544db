//! Formats with sign, exponent and fraction.

use super::FloatFormat;
use crate::math::{Arith, ArithExt};

/// Which codes are no finite numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    /// None: everything is finite, and NaN becomes negative zero. The standard leaves that open; its cases have it so.
    Finite,
    /// The largest exponent: infinity and NaNs.
    Ieee,
    /// The code of all ones, with either sign: NaN.
    OneNan,
    /// The code of negative zero: NaN. There is one zero.
    Unsigned,
}

/// How a code is laid out.
pub(super) struct Layout {
    exponent: u32,
    fraction: u32,
    bias: i32,
    special: Special,
    /// Code of the largest finite number.
    max: i64,
}

impl Layout {
    /// Where the sign bit is.
    fn sign(&self) -> u32 {
        self.exponent + self.fraction
    }

    /// Bits of a fraction of `f32` that the format lacks.
    fn lacking(&self) -> u32 {
        23 - self.fraction
    }

    /// What the exponent fields of `f32` and of the format differ by, in place.
    fn rebias(&self) -> i64 {
        i64::from(127 - self.bias) << 23
    }

    /// Value of the unit of denormals.
    fn unit(&self) -> f64 {
        2f64.powi(1 - self.bias - self.fraction as i32)
    }

    /// Code of NaN, and of overflow that does not saturate; without sign unless that is part of it.
    fn nan_and_overflow(&self) -> (i64, i64) {
        let ones = (1 << self.sign()) - 1;
        let infinity = ones << self.fraction & ones;
        match self.special {
            Special::Finite => (1 << self.sign(), self.max),
            Special::Ieee => (infinity | 1 << (self.fraction - 1), infinity),
            Special::OneNan => (ones, ones),
            Special::Unsigned => (1 << self.sign(), 1 << self.sign()),
        }
    }
}

pub(super) fn layout(format: FloatFormat) -> Layout {
    let (exponent, fraction, bias, special, max) = match format {
        FloatFormat::F16 => (5, 10, 15, Special::Ieee, 0x7bff),
        FloatFormat::BF16 => (8, 7, 127, Special::Ieee, 0x7f7f),
        FloatFormat::F8E4M3FN => (4, 3, 7, Special::OneNan, 0x7e),
        FloatFormat::F8E4M3FNUZ => (4, 3, 8, Special::Unsigned, 0x7f),
        FloatFormat::F8E5M2 => (5, 2, 15, Special::Ieee, 0x7b),
        FloatFormat::F8E5M2FNUZ => (5, 2, 16, Special::Unsigned, 0x7f),
        FloatFormat::F4E2M1 => (2, 1, 1, Special::Finite, 0x7),
        FloatFormat::F8E8M0 => unreachable!("powers of two have no fraction"),
    };
    Layout { exponent, fraction, bias, special, max }
}

pub(super) fn decode<A: Arith>(a: &A, l: &Layout, code: A::I) -> A::F {
    let size = a.iand(code, a.i((1 << l.sign()) - 1));
    let shifted = a.shl_by(size, l.lacking());
    let x = match l.bias {
        // The exponents are the same, denormals included.
        127 => a.float_of(shifted),
        _ => {
            let normal = a.float_of(a.iadd(shifted, a.i(l.rebias())));
            let denormal = a.mul(a.to_float(size), a.f(l.unit()));
            a.select(a.ilt(size, a.i(1 << l.fraction)), denormal, normal)
        }
    };
    let (nan, infinity) = l.nan_and_overflow();
    let x = match l.special {
        Special::Finite => x,
        Special::Ieee if l.bias == 127 => x,
        Special::Ieee => {
            let special = a.float_of(a.ior(shifted, a.i(0x7f80_0000)));
            a.select(a.ilt(size, a.i(infinity)), x, special)
        }
        Special::OneNan => a.select(a.ieq(size, a.i(nan)), a.nan(), x),
        Special::Unsigned => {
            let all = a.iand(code, a.i((2 << l.sign()) - 1));
            a.select(a.ieq(all, a.i(nan)), a.nan(), x)
        }
    };
    let sign = a.shl_by(a.lshr_by(code, l.sign()), 31);
    a.float_of(a.ixor(a.bits(x), sign))
}

pub(super) fn encode<A: Arith>(a: &A, l: &Layout, x: A::F, saturate: bool) -> A::I {
    let bits = a.bits(x);
    let size = a.iand(bits, a.i(0x7fff_ffff));
    let code = round(a, l, x, size);
    let (nan, overflow) = l.nan_and_overflow();
    let overflow = if saturate { l.max } else { overflow };
    let over = a.ilt(a.i(l.max), code);
    let code = a.iselect(over, a.i(overflow), code);
    let code = a.iselect(a.is_nan(x), a.i(nan), code);
    let sign = a.shl_by(a.lshr_by(bits, 31), l.sign());
    match l.special {
        // No sign for zero, and NaN has it already.
        Special::Unsigned => a.iselect(a.ieq(code, a.i(0)), code, a.ior(code, sign)),
        Special::Finite => a.iselect(a.is_nan(x), code, a.ior(code, sign)),
        _ => a.ior(code, sign),
    }
}

/// The code of the magnitude, rounded to nearest even; anything above `max` for what is too large.
fn round<A: Arith>(a: &A, l: &Layout, x: A::F, size: A::I) -> A::I {
    let lacking = l.lacking();
    // Half a unit less one, and one more if the last bit that stays is odd. Carries run into the exponent, as they
    // should.
    let odd = a.iand(a.lshr_by(size, lacking), a.i(1));
    let half = a.i((1 << (lacking - 1)) - 1 - l.rebias());
    let normal = a.lshr_by(a.iadd(a.iadd(size, half), odd), lacking);
    if l.bias == 127 {
        return normal;
    }
    // Adding a number whose last bit is the unit of denormals rounds to it and leaves the code in the low bits.
    let big = a.f(l.unit() * 2f64.powi(23));
    let denormal = a.isub(a.bits(a.add(a.abs(x), big)), a.bits(big));
    let least_normal = a.i(l.rebias() + (1 << 23));
    a.iselect(a.ilt(size, least_normal), denormal, normal)
}
