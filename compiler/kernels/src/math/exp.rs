//! Exponentials: `exp`, `exp2`, `expm1`, `sigmoid`.
//!
//! `x = n ln 2 + r` with `|r| <= ln 2 / 2`, and `e^x = 2^n (1 + r + r^2 P(r))`.

use super::arith::{Arith, ArithExt, Format};

/// (e^r - 1 - r) / r^2 on +-ln(2)/2, minimax for the error relative to e^r - 1: 2^-26.2.
const P32: [f64; 5] = [0.0013883197, 0.008366539, 0.041667193, 0.16666543, 0.49999997];
/// The same, 2^-61.7.
const P64: [f64; 11] = [
    2.087659893492002e-09,
    2.5109013405804834e-08,
    2.7557399007632306e-07,
    2.7557244284147715e-06,
    2.4801587176213933e-05,
    0.0001984126988604536,
    0.001388888888896082,
    0.008333333333321665,
    0.04166666666666651,
    0.16666666666666677,
    0.5,
];
/// (2^r - 1) / r on +-1/2, minimax for the error relative to 2^r: 2^-29.0.
#[expect(clippy::approx_constant, reason = "a fitted coefficient, near ln 2 by nature")]
const Q32: [f64; 6] = [0.00015476123, 0.0013400299, 0.009618005, 0.05550328, 0.2402265, 0.6931472];
/// The same, 2^-58.0.
#[expect(clippy::approx_constant, reason = "a fitted coefficient, near ln 2 by nature")]
const Q64: [f64; 11] = [
    4.457351465040606e-10,
    7.073868685861139e-09,
    1.0178046660057623e-07,
    1.3215434770342625e-06,
    1.5252733867175078e-05,
    0.00015403530458166134,
    0.0013333558146379275,
    0.00961812910759327,
    0.05550410866482174,
    0.24022650695910133,
    0.6931471805599453,
];

/// ln 2 in two parts, the first rounded to the format.
pub(super) fn ln2<A: Arith>(a: &A) -> (A::F, A::F) {
    let hi = a.f(std::f64::consts::LN_2);
    (hi, a.pick(-1.9046542121259336e-09, 2.3190468138462996e-17))
}

/// `e^x - 1` of the remainder, and the power of two it is to be multiplied with: `e^x = 2^n (1 + p)`.
/// `x` must be so small that `2^n` is about in range.
pub(super) fn exp_parts<A: Arith>(a: &A, x: A::F) -> (A::F, A::I) {
    let (n, int) = a.nearest_product(x, a.f(std::f64::consts::LOG2_E));
    let (hi, lo) = ln2(a);
    let minus_n = a.neg(n);
    let r = a.fma(minus_n, lo, a.fma(minus_n, hi, x));
    let p = a.poly_of(r, &P32, &P64);
    (a.fma(a.mul(r, r), p, r), int)
}

/// `e^x`. Error: 1.1 / 1.0 ULP.
pub fn exp<A: Arith>(a: &A, x: A::F) -> A::F {
    // Beyond these the result is 0 or infinity either way, and the scale stays in its range.
    let x = a.at_most(a.at_least(x, a.pick(-105.0, -746.0)), a.pick(90.0, 711.0));
    let (p, n) = exp_parts(a, x);
    a.scale(a.add(p, a.f(1.0)), n)
}

/// `e^x` for `x <= 0`, a little cheaper: results below about 1e-38 (1e-308) are 0. Error: 1.1 / 1.0 ULP.
pub fn exp_nonpositive<A: Arith>(a: &A, x: A::F) -> A::F {
    // At the bound the exponent of the power is the least, and the power reads as 0.
    let x = a.at_least(x, a.pick(-88.0, -709.0));
    let (p, n) = exp_parts(a, x);
    let power = a.pow2(n);
    a.fma(power, p, power)
}

/// `2^x`. Error: 1.0 / 1.0 ULP.
pub fn exp2<A: Arith>(a: &A, x: A::F) -> A::F {
    let x = a.at_most(a.at_least(x, a.pick(-151.0, -1076.0)), a.pick(129.0, 1025.0));
    exp2_parts(a, x, a.f(0.0))
}

/// `2^(x + rest)` for `x` not far outside the range of results, and a rest of about its last bit.
pub(super) fn exp2_parts<A: Arith>(a: &A, x: A::F, rest: A::F) -> A::F {
    let (n, int) = a.nearest(x);
    let r = a.add(a.sub(x, n), rest);
    let q = a.poly_of(r, &Q32, &Q64);
    a.scale(a.fma(r, q, a.f(1.0)), int)
}

/// `e^x - 1`. Error: 1.6 / 1.7 ULP.
pub fn expm1<A: Arith>(a: &A, x: A::F) -> A::F {
    // The upper bound is beyond overflow and its n is still 128 (1024).
    let bounded = a.at_most(a.at_least(x, a.f(-60.0)), a.pick(89.0, 710.0));
    let (p, n) = exp_parts(a, bounded);
    // Half the result, then twice that: the power 2^128 (2^1024) itself does not exist.
    let power = a.pow2(a.isub(n, a.i(1)));
    let half = a.fma(power, p, a.sub(power, a.f(0.5)));
    // Halving would lose the last bit of a denormal; tiny values, with the sign of zero, are their own result.
    a.select(a.lt(a.abs(x), a.pick(1e-10, 1e-20)), x, a.add(half, half))
}

/// `1 / (1 + e^-x)`, saturating to exactly 0 and 1. Error: 2.4 / 2.0 ULP.
pub fn sigmoid<A: Arith>(a: &A, x: A::F) -> A::F {
    let e = exp_of_minus_magnitude(a, x);
    let one = a.f(1.0);
    let top = a.select(a.lt(x, a.f(0.0)), e, one);
    a.div(top, a.add(one, e))
}

/// `e^-|x|`, which cannot overflow.
fn exp_of_minus_magnitude<A: Arith>(a: &A, x: A::F) -> A::F {
    let low = match a.format() {
        Format::F32 => -105.0,
        Format::F64 => -746.0,
    };
    let x = a.at_least(a.neg(a.abs(x)), a.f(low));
    let (p, n) = exp_parts(a, x);
    a.scale(a.add(p, a.f(1.0)), n)
}

/// `1 / sqrt(x)`. Error: 1.5 / 1.5 ULP.
pub fn rsqrt<A: Arith>(a: &A, x: A::F) -> A::F {
    a.div(a.f(1.0), a.sqrt(x))
}
