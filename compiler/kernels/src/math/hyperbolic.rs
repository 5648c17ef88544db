//! Hyperbolic functions and their inverses, by way of the exponential and `log1p`.

use super::arith::{Arith, ArithExt};
use super::exp::exp_parts;
use super::log::{log1p, log1p_plus};

/// `e^y - 1` for `-80 < y <= 0`, where the power of two is a normal number below 2.
pub(super) fn expm1_negative<A: Arith>(a: &A, y: A::F) -> A::F {
    let (p, n) = exp_parts(a, y);
    let power = a.pow2(n);
    a.fma(power, p, a.sub(power, a.f(1.0)))
}

/// Hyperbolic tangent. Error: 2.6 / 2.5 ULP.
pub fn tanh<A: Arith>(a: &A, x: A::F) -> A::F {
    // With t = e^(-2|x|) - 1, tanh |x| = -t / (2 + t): no cancellation anywhere, 1 as soon as t is -1.
    let y = a.at_least(a.mul(a.abs(x), a.f(-2.0)), a.f(-60.0));
    let t = expm1_negative(a, y);
    a.copysign(a.div(t, a.add(t, a.f(2.0))), x)
}

/// A quarter of `e^|x|` as `quarter (1 + p)`: the quarter, `p`. Finite wherever `sinh` is.
fn quarter_exp<A: Arith>(a: &A, x: A::F) -> (A::F, A::F) {
    let (p, n) = exp_parts(a, a.at_most(a.abs(x), a.pick(89.5, 710.6)));
    (a.pow2(a.isub(n, a.i(2))), p)
}

/// Hyperbolic sine. Error: 2.2 / 2.1 ULP.
pub fn sinh<A: Arith>(a: &A, x: A::F) -> A::F {
    let (power, p) = quarter_exp(a, x);
    // t = e^|x| - 1 in quarters; sinh |x| = (t + t / (t + 1)) / 2.
    let t = a.fma(power, p, a.sub(power, a.f(0.25)));
    let half = a.add(t, a.div(t, a.fma(t, a.f(4.0), a.f(1.0))));
    let y = a.copysign(a.add(half, half), x);
    // Quarters of denormals lose bits; tiny values are their own result.
    a.select(a.lt(a.abs(x), a.pick(1e-10, 1e-20)), x, y)
}

/// Hyperbolic cosine. Error: 1.5 / 1.3 ULP.
pub fn cosh<A: Arith>(a: &A, x: A::F) -> A::F {
    let (power, p) = quarter_exp(a, x);
    let quarter = a.fma(power, p, power);
    let half = a.add(quarter, a.div(a.f(0.0625), quarter));
    a.add(half, half)
}

/// Beyond this, `x + sqrt(x^2 +- 1)` is `2x`.
fn far<A: Arith>(a: &A, x: A::F) -> A::B {
    a.lt(a.pick(2f64.powi(30), 2f64.powi(60)), x)
}

/// Inverse hyperbolic sine. Error: 1.9 / 1.8 ULP.
pub fn asinh<A: Arith>(a: &A, x: A::F) -> A::F {
    let (size, one) = (a.abs(x), a.f(1.0));
    let far = far(a, size);
    let square = a.mul(size, size);
    let root = a.sqrt(a.add(square, one));
    let near = a.add(size, a.div(square, a.add(root, one)));
    a.copysign(log_or_double(a, far, size, near), x)
}

/// Inverse hyperbolic cosine. Error: 2.0 / 1.9 ULP.
pub fn acosh<A: Arith>(a: &A, x: A::F) -> A::F {
    let t = a.sub(x, a.f(1.0));
    let root = a.sqrt(a.fma(t, t, a.add(t, t)));
    let y = log_or_double(a, far(a, x), x, a.add(t, root));
    a.select(a.lt(x, a.f(1.0)), a.nan(), y)
}

/// `ln(2 x)` where `far`, else `ln(1 + near)`.
fn log_or_double<A: Arith>(a: &A, far: A::B, x: A::F, near: A::F) -> A::F {
    let k = a.iselect(far, a.i(1), a.i(0));
    log1p_plus(a, a.select(far, x, near), k)
}

/// Inverse hyperbolic tangent. Error: 2.2 / 1.5 ULP.
pub fn atanh<A: Arith>(a: &A, x: A::F) -> A::F {
    let size = a.abs(x);
    let t = a.div(a.add(size, size), a.sub(a.f(1.0), size));
    a.copysign(a.mul(log1p(a, t), a.f(0.5)), x)
}
