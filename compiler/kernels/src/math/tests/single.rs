//! Single precision against double precision, over all exponents.

use super::super::{Interp32, Unary};
use super::reference::erf_erfc;
use super::ulp32;

type Row = (Unary, fn(f64) -> f64, f64);

/// Function, the same in double precision, bound in ULP (as the function's documentation states it).
const ROWS: &[Row] = &[
    (Unary::Exp, f64::exp, 1.1),
    (Unary::Exp2, f64::exp2, 1.0),
    (Unary::Expm1, f64::exp_m1, 1.6),
    (Unary::Sigmoid, |x| 1.0 / (1.0 + (-x).exp()), 2.4),
    (Unary::Log, f64::ln, 0.9),
    (Unary::Log2, f64::log2, 0.8),
    (Unary::Log10, f64::log10, 0.7),
    (Unary::Log1p, f64::ln_1p, 1.5),
    (Unary::Sin, f64::sin, 1.6),
    (Unary::Cos, f64::cos, 1.6),
    (Unary::Tan, f64::tan, 3.2),
    (Unary::Asin, f64::asin, 1.6),
    (Unary::Acos, f64::acos, 1.1),
    (Unary::Atan, f64::atan, 1.4),
    (Unary::Sinh, f64::sinh, 2.2),
    (Unary::Cosh, f64::cosh, 1.5),
    (Unary::Asinh, f64::asinh, 1.9),
    (Unary::Acosh, f64::acosh, 2.0),
    (Unary::Atanh, f64::atanh, 2.2),
    (Unary::Rsqrt, |x| 1.0 / x.sqrt(), 1.5),
    (Unary::Tanh, f64::tanh, 2.6),
    (Unary::Erf, |x| erf_erfc(x).0, 1.8),
];

/// The largest error over every `stride`th bit pattern, and where.
fn worst(row: &Row, stride: usize) -> (f64, f32) {
    let mut worst = (0.0, 0.0);
    for bits in (0..=u32::MAX).step_by(stride) {
        let x = f32::from_bits(bits);
        let error = ulp32(row.0.apply(&Interp32, x), row.1(x.into()));
        if error > worst.0 {
            worst = (error, x);
        }
    }
    worst
}

fn check(stride: usize) {
    let mut failures = String::new();
    for row in ROWS {
        let (error, x) = worst(row, stride);
        if error > row.2 {
            failures += &format!("{}({x:e}): {error:.3} ULP, stated {}\n", row.0.name(), row.2);
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn errors_are_as_stated_on_a_stride() {
    check(4_999);
}

/// All values of both half formats, which are computed in single precision.
#[test]
fn errors_are_as_stated_for_all_halves() {
    let halves = (0..=u16::MAX).map(|b| half::f16::from_bits(b).to_f32());
    let brains = (0..=u16::MAX).map(|b| f32::from_bits(u32::from(b) << 16));
    let values: Vec<f32> = halves.chain(brains).collect();
    for (function, exact, bound) in ROWS {
        for &x in &values {
            let error = ulp32(function.apply(&Interp32, x), exact(x.into()));
            assert!(error <= *bound, "{}({x:e}): {error:.3} ULP", function.name());
        }
    }
}
