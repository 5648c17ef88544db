//! Logarithms: `log`, `log2`, `log10`, `log1p`.
//!
//! `x = 2^k m` with `sqrt(1/2) <= m < sqrt(2)`, `f = m - 1`, and `ln(1 + f) = f - f^2/2 + t(f)`.

use super::arith::{Arith, ArithExt, Format};
use super::exp::ln2;

/// (ln(1+f) - f + f^2/2) / f^3, minimax for the error relative to ln(1+f): 2^-27.4.
const P32: [f64; 8] = [-0.07634126, 0.127613, -0.13160205, 0.14201805, -0.1662336, 0.20001225, -0.2500082, 0.3333333];
/// (ln((1+s)/(1-s)) - 2s) / s^3 in s^2, minimax for the error relative to 2s: 2^-59.5.
const P64: [f64; 7] = [
    0.14797505572439332,
    0.15313903252569314,
    0.1818356974780855,
    0.2222219847568238,
    0.28571428743266897,
    0.3999999999941107,
    0.6666666666666735,
];

/// `x = 2^k (1 + f)`.
pub(super) struct Split<A: Arith> {
    pub(super) k: A::I,
    pub(super) f: A::F,
}

/// Splits a positive normal number.
fn split<A: Arith>(a: &A, x: A::F) -> Split<A> {
    // Bits of sqrt(1/2): the numbers from there to its double have k = 0.
    let root = match a.format() {
        Format::F32 => 0x3f35_04f3,
        Format::F64 => 0x3fe6_a09e_667f_3bcd,
    };
    let bits = a.bits(x);
    let fraction = a.format().fraction();
    let k = a.ashr_by(a.isub(bits, a.i(root)), fraction);
    let m = a.float_of(a.isub(bits, a.shl_by(k, fraction)));
    Split { k, f: a.sub(m, a.f(1.0)) }
}

/// [`split`] of any positive number.
pub(super) fn split_any<A: Arith>(a: &A, x: A::F) -> Split<A> {
    let small = a.lt(x, a.pick(f32::MIN_POSITIVE.into(), f64::MIN_POSITIVE));
    let up = 64;
    let s = split(a, a.select(small, a.mul(x, a.f(2f64.powi(up))), x));
    let k = a.isub(s.k, a.iselect(small, a.i(up.into()), a.i(0)));
    Split { k, ..s }
}

/// `ln(1 + f) - f + f^2/2`.
fn tail<A: Arith>(a: &A, f: A::F) -> A::F {
    match a.format() {
        Format::F32 => a.mul(a.mul(f, f), a.mul(f, a.poly(f, &P32))),
        Format::F64 => {
            let s = a.div(f, a.add(f, a.f(2.0)));
            let z = a.mul(s, s);
            let half_square = a.mul(a.mul(f, a.f(0.5)), f);
            a.mul(s, a.fma(z, a.poly(z, &P64), half_square))
        }
    }
}

/// `k ln 2 + ln(1 + f)`.
fn assemble<A: Arith>(a: &A, s: Split<A>) -> A::F {
    let k = a.to_float(s.k);
    let (hi, lo) = ln2(a);
    let half = a.mul(s.f, a.f(-0.5));
    let small = match a.format() {
        // The whole rest as one polynomial: no division, and the square is shared.
        Format::F32 => a.mul(a.mul(s.f, s.f), a.fma(a.poly(s.f, &P32), s.f, a.f(-0.5))),
        Format::F64 => a.fma(half, s.f, tail(a, s.f)),
    };
    a.fma(k, hi, a.add(s.f, a.fma(k, lo, small)))
}

/// The logarithm's values outside the positive finite numbers.
fn special<A: Arith>(a: &A, x: A::F, y: A::F) -> A::F {
    let zero = a.f(0.0);
    // Infinity and NaN are their own logarithms.
    let y = a.select(a.lt(x, a.inf()), y, x);
    let y = a.select(a.eq(x, zero), a.f(f64::NEG_INFINITY), y);
    a.select(a.lt(x, zero), a.nan(), y)
}

/// Natural logarithm. Error: 0.9 / 0.8 ULP.
pub fn log<A: Arith>(a: &A, x: A::F) -> A::F {
    let s = split_any(a, x);
    special(a, x, assemble(a, s))
}

/// A constant as a sum of two of the format's numbers: c rounded to single, its rest; c in double, its rest.
struct Parts([f64; 4]);

impl Parts {
    fn get<A: Arith>(&self, a: &A) -> (A::F, A::F) {
        (a.pick(self.0[0], self.0[2]), a.pick(self.0[1], self.0[3]))
    }
}

/// `k u + c ln(1 + f)` with the leading terms in two parts, so that the multiplication costs no accuracy.
/// The first part of `u` has few enough bits that its product with `k` is exact.
fn assemble_scaled<A: Arith>(a: &A, s: Split<A>, u: &Parts, c: &Parts) -> A::F {
    let k = a.to_float(s.k);
    let half = a.mul(s.f, a.f(-0.5));
    let hi = a.fma(half, s.f, s.f);
    let lo = a.add(a.fma(half, s.f, a.sub(s.f, hi)), tail(a, s.f));
    let (u_hi, u_lo) = u.get(a);
    let (c_hi, c_lo) = c.get(a);
    let product = a.mul(hi, c_hi);
    let error = a.fma(hi, c_hi, a.neg(product));
    let rest = a.fma(lo, c_hi, a.fma(hi, c_lo, a.fma(k, u_lo, error)));
    // k u is 0 or the larger term, so the sum's error is exact.
    let big = a.mul(k, u_hi);
    let sum = a.add(big, product);
    let error = a.add(a.sub(big, sum), product);
    a.add(sum, a.add(error, rest))
}

/// Logarithm to base 2, exact at powers of two. Error: 0.8 / 0.6 ULP.
pub fn log2<A: Arith>(a: &A, x: A::F) -> A::F {
    const ONE: Parts = Parts([1.0, 0.0, 1.0, 0.0]);
    const C: Parts =
        Parts([1.4426950216293335, 1.925963033500011e-08, std::f64::consts::LOG2_E, 2.0355273740931033e-17]);
    let s = split_any(a, x);
    special(a, x, assemble_scaled(a, s, &ONE, &C))
}

/// Logarithm to base 10. Error: 0.7 / 0.6 ULP.
pub fn log10<A: Arith>(a: &A, x: A::F) -> A::F {
    const U: Parts = Parts(LOG10_2);
    const C: Parts = Parts(LOG10_E);
    let s = split_any(a, x);
    special(a, x, assemble_scaled(a, s, &U, &C))
}

/// log10(2): 15 bits and the rest; 40 bits and the rest.
const LOG10_2: [f64; 4] = [0.301025390625, 4.605038981195214e-06, 0.30102999566361177, 3.694239077158931e-13];
/// log10(e): rounded and the rest.
const LOG10_E: [f64; 4] =
    [0.4342944920063019, -1.0103049952192578e-08, std::f64::consts::LOG10_E, 1.098319650216765e-17];

/// `ln(1 + x)`. Error: 1.5 / 1.0 ULP.
pub fn log1p<A: Arith>(a: &A, x: A::F) -> A::F {
    log1p_plus(a, x, a.i(0))
}

/// `ln(1 + x) + n ln 2`.
pub(super) fn log1p_plus<A: Arith>(a: &A, x: A::F, n: A::I) -> A::F {
    let s = split(a, a.add(a.f(1.0), x));
    // f = (1 + x) 2^-k - 1 with one rounding. For large k, 1 + x is x.
    let power = a.pow2(a.isub(a.i(0), s.k));
    let exact = a.fma(x, power, a.sub(power, a.f(1.0)));
    let large = a.ilt(a.i(i64::from(a.format().fraction()) + 1), s.k);
    let f = a.select(large, s.f, exact);
    let y = assemble(a, Split { k: a.iadd(s.k, n), f });
    let y = a.select(a.lt(x, a.inf()), y, x);
    let y = a.select(a.eq(x, a.f(-1.0)), a.f(f64::NEG_INFINITY), y);
    let y = a.select(a.lt(x, a.f(-1.0)), a.nan(), y);
    // Only zero's sign is at stake.
    a.copysign(y, x)
}
