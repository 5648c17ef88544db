//! Hyperbolic functions and their inverses, by way of `expm1` and `log1p`.

use super::arith::{Arith, ArithExt};
use super::exp::exp_parts;

/// `e^y - 1` for `-80 < y <= 0`, where the power of two is a normal number below 2.
pub(super) fn expm1_negative<A: Arith>(a: &A, y: A::F) -> A::F {
    let (p, n) = exp_parts(a, y);
    let power = a.pow2(n);
    a.fma(power, p, a.sub(power, a.f(1.0)))
}

/// Hyperbolic tangent. Error: 2.0 / 2.0 ULP.
pub fn tanh<A: Arith>(a: &A, x: A::F) -> A::F {
    // With t = e^(-2|x|) - 1, tanh |x| = -t / (2 + t): no cancellation anywhere, 1 as soon as t is -1.
    let y = a.at_least(a.mul(a.abs(x), a.f(-2.0)), a.f(-60.0));
    let t = expm1_negative(a, y);
    a.copysign(a.div(t, a.add(t, a.f(2.0))), x)
}
