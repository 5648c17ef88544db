//! Double precision against the standard library, on random arguments.

use super::super::{Interp64, Unary};
use super::reference::erf_erfc;
use super::steps64;

type Row = (Unary, fn(f64) -> f64, u64);

/// Function, the standard library's, largest distance in steps: each side's error counts.
const ROWS: &[Row] = &[
    (Unary::Exp, f64::exp, 1),
    (Unary::Exp2, f64::exp2, 1),
    (Unary::Expm1, f64::exp_m1, 2),
    (Unary::Log, f64::ln, 1),
    (Unary::Log2, f64::log2, 1),
    (Unary::Log10, f64::log10, 2),
    (Unary::Log1p, f64::ln_1p, 2),
    (Unary::Sin, f64::sin, 1),
    (Unary::Cos, f64::cos, 1),
    (Unary::Tan, f64::tan, 3),
    (Unary::Asin, f64::asin, 1),
    (Unary::Acos, f64::acos, 1),
    (Unary::Atan, f64::atan, 1),
    (Unary::Sinh, f64::sinh, 2),
    (Unary::Cosh, f64::cosh, 2),
    (Unary::Asinh, asinh, 3),
    (Unary::Acosh, acosh, 3),
    // The standard library's loses accuracy near -1.
    (Unary::Atanh, |x| x.abs().atanh().copysign(x), 3),
    (Unary::Tanh, f64::tanh, 3),
];

/// The standard library's overflows early.
fn asinh(x: f64) -> f64 {
    if x.abs() < 1e300 { x.asinh() } else { (x.abs().ln() + std::f64::consts::LN_2).copysign(x) }
}

/// The standard library's is inaccurate near 1.
fn acosh(x: f64) -> f64 {
    let t = if x < 1.0 { f64::NAN } else { x - 1.0 };
    if x.is_nan() || x < 1e100 { (t + (2.0 * t + t * t).sqrt()).ln_1p() } else { x.ln() + std::f64::consts::LN_2 }
}

/// Arguments of all sizes: a third with random bits, a third in +-30, a third in +-1.
fn arguments() -> impl Iterator<Item = f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    (0..30_000).map(move |i| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let unit = (state >> 11) as f64 * 2f64.powi(-52) - 1.0;
        match i % 3 {
            0 => f64::from_bits(state),
            1 => unit * 30.0,
            _ => unit,
        }
    })
}

#[test]
fn doubles_are_near_the_standard_library() {
    let mut failures = String::new();
    for &(function, exact, bound) in ROWS {
        let distance = |x: f64| steps64(function.apply(&Interp64, x), exact(x));
        let worst = arguments().map(|x| (distance(x), x)).max_by_key(|&(d, _)| d);
        if let Some((d, x)) = worst
            && d > bound
        {
            failures += &format!("{}({x:e}): {d} steps, stated {bound}\n", function.name());
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

/// The error function in 40 digits, rounded.
const ERF: [(f64, f64); 20] = [
    (1e-300, 1.1283791670955126e-300),
    (1e-09, 1.1283791670955127e-09),
    (0.01, 0.011283415555849618),
    (0.1, 0.1124629160182849),
    (0.25, 0.27632639016823696),
    (0.5, 0.5204998778130465),
    (0.75, 0.7111556336535151),
    (1.0, 0.8427007929497149),
    (1.25, 0.9229001282564583),
    (1.5, 0.9661051464753108),
    (2.0, 0.9953222650189527),
    (2.5, 0.999593047982555),
    (3.0, 0.9999779095030014),
    (3.5, 0.9999992569016276),
    (4.0, 0.9999999845827421),
    (4.5, 0.9999999998033839),
    (5.0, 0.9999999999984626),
    (5.5, 0.9999999999999927),
    (5.9, 0.9999999999999999),
    (6.5, 1.0),
];

#[test]
fn error_function_of_doubles() {
    for (x, exact) in ERF {
        for (x, exact) in [(x, exact), (-x, -exact)] {
            assert!(steps64(Unary::Erf.apply(&Interp64, x), exact) <= 1, "erf({x})");
        }
    }
    for x in arguments() {
        let steps = steps64(Unary::Erf.apply(&Interp64, x), erf_erfc(x).0);
        // The reference itself is off by a few.
        assert!(steps <= 12, "erf({x:e}): {steps} steps");
    }
}
