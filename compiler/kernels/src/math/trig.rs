//! Circular functions: `sin`, `cos`, `tan`.

use super::arith::{Arith, ArithExt};
use super::reduce::quarter_turns;

/// (sin(r) - r) / r^3 in r^2, on +-pi/4, minimax for the error relative to sin(r): 2^-28.0.
const SIN32: [f64; 3] = [-0.0001951698, 0.008332176, -0.16666655];
/// The same, 2^-58.0.
const SIN64: [f64; 6] = [
    1.5896664771758004e-10,
    -2.505075592553704e-08,
    2.7557313678394847e-06,
    -0.0001984126982977025,
    0.008333333333322368,
    -0.16666666666666632,
];
/// (cos(r) - 1 + r^2/2) / r^4 in r^2, on +-pi/4, minimax: 2^-33.3.
const COS32: [f64; 3] = [2.4438119e-05, -0.0013887364, 0.041666646];
/// The same, 2^-64.2.
const COS64: [f64; 6] = [
    -1.1359564509936106e-11,
    2.087572172607002e-09,
    -2.75573143414322e-07,
    2.4801587289446243e-05,
    -0.001388888888887407,
    0.0416666666666666,
];

/// Sine and cosine of the remainder.
fn sin_cos<A: Arith>(a: &A, r: A::F) -> (A::F, A::F) {
    let z = a.mul(r, r);
    let sin = a.fma(a.mul(r, z), a.poly_of(z, &SIN32, &SIN64), r);
    let cos = a.fma(z, a.fma(z, a.poly_of(z, &COS32, &COS64), a.f(-0.5)), a.f(1.0));
    (sin, cos)
}

/// True where `q` is odd.
fn odd<A: Arith>(a: &A, q: A::I) -> A::B {
    a.ieq(a.iand(q, a.i(1)), a.i(1))
}

/// `x` with the sign changed where bit 1 of `q` is set.
fn flip<A: Arith>(a: &A, x: A::F, q: A::I) -> A::F {
    let width = a.format().width();
    let sign = a.shl_by(a.lshr_by(q, 1), width - 1);
    a.float_of(a.ixor(a.bits(x), sign))
}

/// The sign bit of `x` on top of `y`'s.
fn times_sign<A: Arith>(a: &A, y: A::F, x: A::F) -> A::F {
    let sign = a.iand(a.bits(x), a.i(!a.format().magnitude()));
    a.float_of(a.ixor(a.bits(y), sign))
}

/// Sine, of arguments of any size. Error: 1.6 / 1.2 ULP.
pub fn sin<A: Arith>(a: &A, x: A::F) -> A::F {
    let (r, q) = quarter_turns(a, a.abs(x));
    let (sin, cos) = sin_cos(a, r);
    let y = flip(a, a.select(odd(a, q), cos, sin), q);
    times_sign(a, y, x)
}

/// Cosine, of arguments of any size. Error: 1.6 / 1.2 ULP.
pub fn cos<A: Arith>(a: &A, x: A::F) -> A::F {
    let (r, q) = quarter_turns(a, a.abs(x));
    let (sin, cos) = sin_cos(a, r);
    let y = a.select(odd(a, q), sin, cos);
    // The cosine is the sine a quarter turn further.
    flip(a, y, a.iadd(q, a.i(1)))
}

/// Tangent, of arguments of any size. Error: 3.2 / 2.5 ULP.
pub fn tan<A: Arith>(a: &A, x: A::F) -> A::F {
    let (r, q) = quarter_turns(a, a.abs(x));
    let (sin, cos) = sin_cos(a, r);
    let odd = odd(a, q);
    let y = a.div(a.select(odd, a.neg(cos), sin), a.select(odd, sin, cos));
    times_sign(a, y, x)
}
