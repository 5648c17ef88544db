//! The general power, by logarithm and exponential with twice the format's precision in between.

use super::arith::{Arith, ArithExt};
use super::exp::exp2_parts;
use super::log::split_any;

/// (ln((1+s)/(1-s)) - 2s - 2s^3/3) / s^5 in s^2, minimax for the error relative to 2s: 2^-36.8.
const TAIL32: [f64; 3] = [0.2341973, 0.28547087, 0.40000153];
/// The same, 2^-73.5.
const TAIL64: [f64; 8] = [
    0.11990411486410063,
    0.11674651180958227,
    0.1333632563010424,
    0.15384556658517431,
    0.1818181887341314,
    0.22222222217511364,
    0.2857142857144521,
    0.3999999999999998,
];

/// A number as an unevaluated sum; the second part is at most about a unit in the last place of the first.
struct Pair<A: Arith> {
    hi: A::F,
    lo: A::F,
}

impl<A: Arith> Pair<A> {
    /// The sum of two numbers, the first being the larger or 0.
    fn sum(a: &A, x: A::F, y: A::F) -> Pair<A> {
        let hi = a.add(x, y);
        Pair { hi, lo: a.add(a.sub(x, hi), y) }
    }

    /// A constant with its rest.
    fn constant(a: &A, value: f64, rest: (f64, f64)) -> Pair<A> {
        Pair { hi: a.f(value), lo: a.pick(rest.0, rest.1) }
    }

    fn mul(&self, a: &A, y: &Pair<A>) -> Pair<A> {
        let hi = a.mul(self.hi, y.hi);
        let error = a.fma(self.hi, y.hi, a.neg(hi));
        Pair { hi, lo: a.fma(self.hi, y.lo, a.fma(self.lo, y.hi, error)) }
    }

    /// The sum with a smaller (or to 0 with any) pair.
    fn add(&self, a: &A, y: &Pair<A>) -> Pair<A> {
        let sum = Pair::sum(a, self.hi, y.hi);
        Pair { hi: sum.hi, lo: a.add(sum.lo, a.add(self.lo, y.lo)) }
    }
}

/// log2 of a positive number.
fn log2_pair<A: Arith>(a: &A, x: A::F) -> Pair<A> {
    let split = split_any(a, x);
    // s = f / (2 + f) with its rest.
    let den = Pair::sum(a, a.f(2.0), split.f);
    let inverse = a.div(a.f(1.0), den.hi);
    let hi = a.mul(split.f, inverse);
    let minus = a.neg(hi);
    let lo = a.mul(a.fma(minus, den.lo, a.fma(minus, den.hi, split.f)), inverse);
    let s = Pair { hi, lo };
    // ln(1 + f) = 2 s + s^3 (2/3 + s^2 tail).
    let square = s.mul(a, &s);
    let thirds = Pair::constant(a, 2.0 / 3.0, (-1.9868215517249155e-08, 3.700743415417188e-17));
    let tail = a.mul(square.hi, a.poly_of(square.hi, &TAIL32, &TAIL64));
    let factor = Pair::sum(a, thirds.hi, a.add(tail, thirds.lo));
    let cubic = s.mul(a, &square).mul(a, &factor);
    let twice = Pair { hi: a.add(s.hi, s.hi), lo: a.add(s.lo, s.lo) };
    let ln = twice.add(a, &cubic);
    let log2_e = Pair::constant(a, std::f64::consts::LOG2_E, (1.925963033500011e-08, 2.0355273740931033e-17));
    let k = Pair { hi: a.to_float(split.k), lo: a.f(0.0) };
    let sum = k.add(a, &ln.mul(a, &log2_e));
    Pair::sum(a, sum.hi, sum.lo)
}

/// `|x|^y` for a finite non-zero `x`, and what the multiplication makes of the rest.
fn magnitude<A: Arith>(a: &A, size: A::F, y: A::F) -> A::F {
    let log = log2_pair(a, size);
    // Zero and infinity have no significand to take a logarithm of.
    let hi = a.select(a.eq(size, a.f(0.0)), a.f(f64::NEG_INFINITY), log.hi);
    let hi = a.select(a.eq(size, a.inf()), size, hi);
    let product = a.mul(hi, y);
    let bound = a.pick(200.0, 2000.0);
    let rest = a.fma(y, log.lo, a.fma(hi, y, a.neg(product)));
    // Far out the result is 0 or infinity, and the rest may be infinity less infinity.
    let rest = a.select(a.lt(a.abs(product), bound), rest, a.f(0.0));
    let product = a.at_most(a.at_least(product, a.pick(-151.0, -1076.0)), a.pick(129.0, 1025.0));
    exp2_parts(a, product, rest)
}

/// `x^y` with all of C's special cases. Error: 1.1 / 1.0 ULP.
pub fn pow<A: Arith>(a: &A, x: A::F, y: A::F) -> A::F {
    let (size, zero, one) = (a.abs(x), a.f(0.0), a.f(1.0));
    let power = a.select(a.eq(size, one), one, magnitude(a, size, y));
    // Odd powers have the sign of x; other integers none; the rest of a negative number is NaN.
    let half = a.mul(y, a.f(0.5));
    let integer = a.eq(a.trunc(y), y);
    let odd = a.and(integer, a.not(a.eq(a.trunc(half), half)));
    let power = a.select(odd, a.copysign(power, x), power);
    let negative = a.and(a.lt(x, zero), a.lt(size, a.inf()));
    let no_value = a.and(negative, a.not(integer));
    let no_value = a.or(no_value, a.or(a.is_nan(x), a.is_nan(y)));
    let power = a.select(no_value, a.nan(), power);
    a.select(a.or(a.eq(y, zero), a.eq(x, one)), one, power)
}
