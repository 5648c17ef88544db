//! The remainder of C's `fmod`, exact, by repeated division.

use super::arith::{Arith, ArithExt};

/// `x - trunc(x / y) y` without rounding, with the sign of `x`. Exact.
///
/// One pass for quotients below 2^22 (2^51), one more for each further such factor.
pub fn fmod<A: Arith>(a: &A, x: A::F, y: A::F) -> A::F {
    let (size, zero) = (a.abs(x), a.f(0.0));
    let divisor = a.abs(y);
    // An infinite x, a zero y and NaNs have no remainder, and must not keep the loop going.
    let valid = a.and(a.lt(size, a.inf()), a.lt(zero, divisor));
    let start = a.select(valid, size, zero);
    let divisor = a.select(valid, divisor, a.f(1.0));
    let exponent = exponent(a, divisor);
    let digits = i64::from(a.format().fraction()) - 1;
    let rest = a.repeat(
        start,
        |r| a.le(divisor, r),
        |r| {
            // A multiple of the divisor by a power of two, so near that the quotient is exact or one too large.
            let gap = a.isub(self::exponent(a, r), a.iadd(exponent, a.i(digits)));
            let gap = a.iselect(a.ilt(gap, a.i(0)), a.i(0), gap);
            let near = a.scale(divisor, gap);
            let q = a.trunc(a.div(r, near));
            let rest = a.fma(a.neg(q), near, r);
            let rest = a.select(a.lt(rest, zero), a.add(rest, near), rest);
            // An infinite divisor would make NaN of a lane that is done.
            a.select(a.le(divisor, r), rest, r)
        },
    );
    a.select(valid, a.copysign(rest, x), a.nan())
}

/// The exponent of a positive number, biased; denormals are measured as if there were smaller exponents.
fn exponent<A: Arith>(a: &A, x: A::F) -> A::I {
    let fraction = a.format().fraction();
    let small = a.lt(x, a.pick(f32::MIN_POSITIVE.into(), f64::MIN_POSITIVE));
    let x = a.select(small, a.mul(x, a.f(2f64.powi(64))), x);
    let biased = a.lshr_by(a.bits(x), fraction);
    a.isub(biased, a.iselect(small, a.i(64), a.i(0)))
}
