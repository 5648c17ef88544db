//! Double precision against the standard library, on random arguments.

use super::super::{Interp64, Unary};
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
    (Unary::Tanh, f64::tanh, 3),
];

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
        let worst = arguments()
            .map(|x| (distance(x), x))
            .max_by_key(|&(d, _)| d);
        if let Some((d, x)) = worst
            && d > bound
        {
            failures += &format!("{}({x:e}): {d} steps, stated {bound}\n", function.name());
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}
