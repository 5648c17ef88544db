//! The error function.
//!
//! `erf |x| = 1 - e^-y` with `y = -ln(erfc |x|) = |x| Q(|x|)` for a smooth Q, so that one polynomial and one
//! exponential serve all arguments and the result is accurate relative to itself near 0.

use super::arith::{Arith, ArithExt, Format};
use super::hyperbolic::expm1_negative;

/// (-ln(erfc(x)) / x - 2/sqrt(pi)) / x on [0, 4], minimax for the error relative to erf(x): 2^-27.8.
const R32: [f64; 8] =
    [-9.341065e-06, 0.00011842871, -0.00063576736, 0.001672651, -0.0001663571, -0.019149596, 0.1027768, 0.6366195];
/// The same on [0, 6] in u = x/3 - 1: 2^-56.2.
const R64: [f64; 24] = [
    3.66287439168965e-05,
    0.00018237013900136432,
    0.00023533073104419592,
    -0.0003441279678466659,
    -0.0014521575105815115,
    -0.0018475555840255628,
    -0.0007636940884575768,
    0.0006471062738158364,
    0.0010177588881836231,
    0.000428235472902286,
    -0.00011436233943261187,
    -0.00010443878037021592,
    -0.000198402878349145,
    0.0002612871461971721,
    -0.0003717054158505092,
    0.0004341608983365632,
    -0.00018516014010540153,
    -0.0008417684179772989,
    0.003597249228686285,
    -0.009842549110010285,
    0.022721519865417455,
    -0.04778028221451269,
    0.09507472048056592,
    0.8150250600771142,
];

/// `-ln(erfc(x))` for `x >= 0`; beyond 4 (6), where `erf` is 1, the value there.
fn minus_ln_erfc<A: Arith>(a: &A, x: A::F) -> A::F {
    let x = a.at_most(x, a.pick(4.0, 6.0));
    // 2/sqrt(pi) in two parts: for small x its rounding would be most of the error.
    let (c, c_rest) = (a.f(std::f64::consts::FRAC_2_SQRT_PI), a.pick(-5.863538342219759e-08, 1.533545961316588e-17));
    let rest = match a.format() {
        Format::F32 => a.poly(x, &R32),
        Format::F64 => a.poly(a.fma(x, a.f(1.0 / 3.0), a.f(-1.0)), &R64),
    };
    a.fma(x, c, a.mul(x, a.fma(x, rest, c_rest)))
}

/// Error function. Error: 1.8 / 1.6 ULP.
pub fn erf<A: Arith>(a: &A, x: A::F) -> A::F {
    let y = minus_ln_erfc(a, a.abs(x));
    a.copysign(expm1_negative(a, a.neg(y)), x)
}
