//! Single precision against double precision, over all exponents.

use super::super::{Interp32, Unary};
use super::reference::erf_erfc;
use super::ulp32;

type Row = (Unary, fn(f64) -> f64, f64);

/// Function, the same in double precision, bound in ULP (as the function's documentation states it).
const ROWS: &[Row] = &[
    (Unary::Exp, f64::exp, 1.0),
    (Unary::Exp2, f64::exp2, 1.0),
    (Unary::Expm1, f64::exp_m1, 1.5),
    (Unary::Sigmoid, |x| 1.0 / (1.0 + (-x).exp()), 2.0),
    (Unary::Log, f64::ln, 1.0),
    (Unary::Log2, f64::log2, 1.0),
    (Unary::Log10, f64::log10, 1.0),
    (Unary::Log1p, f64::ln_1p, 1.4),
    (Unary::Tanh, f64::tanh, 2.5),
    (Unary::Erf, |x| erf_erfc(x).0, 2.0),
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
            failures += &format!(
                "{}({x:e}): {error:.3} ULP, stated {}\n",
                row.0.name(),
                row.2
            );
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn errors_are_as_stated_on_a_stride() {
    check(19_997);
}

/// Every bit pattern but for a factor of 97: minutes.
#[test]
#[ignore = "minutes; run after a change of coefficients"]
fn errors_are_as_stated_densely() {
    check(97);
}
