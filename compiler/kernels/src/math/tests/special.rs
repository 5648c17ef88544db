//! NaN, infinities, zeros, denormals, and the tables of C's library for functions of two arguments.

use super::super::{Arith, Binary, Interp32, Interp64, Unary, atan2, fmod, pow};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
const TINY: f64 = 1e-310;
const PI: f64 = std::f64::consts::PI;

/// Function; its values at NaN's neighbours: -inf, -0, +0, +inf.
const AT_THE_EDGES: &[(Unary, [f64; 4])] = &[
    (Unary::Exp, [0.0, 1.0, 1.0, INF]),
    // Infinity is outside its domain.
    (Unary::ExpNonpositive, [0.0, 1.0, 1.0, NAN]),
    (Unary::Exp2, [0.0, 1.0, 1.0, INF]),
    (Unary::Expm1, [-1.0, -0.0, 0.0, INF]),
    (Unary::Sigmoid, [0.0, 0.5, 0.5, 1.0]),
    (Unary::Log, [NAN, -INF, -INF, INF]),
    (Unary::Log2, [NAN, -INF, -INF, INF]),
    (Unary::Log10, [NAN, -INF, -INF, INF]),
    (Unary::Log1p, [NAN, -0.0, 0.0, INF]),
    (Unary::Sin, [NAN, -0.0, 0.0, NAN]),
    (Unary::Cos, [NAN, 1.0, 1.0, NAN]),
    (Unary::Tan, [NAN, -0.0, 0.0, NAN]),
    (Unary::Asin, [NAN, -0.0, 0.0, NAN]),
    (Unary::Acos, [NAN, PI / 2.0, PI / 2.0, NAN]),
    (Unary::Atan, [-PI / 2.0, -0.0, 0.0, PI / 2.0]),
    (Unary::Sinh, [-INF, -0.0, 0.0, INF]),
    (Unary::Cosh, [INF, 1.0, 1.0, INF]),
    (Unary::Tanh, [-1.0, -0.0, 0.0, 1.0]),
    (Unary::Asinh, [-INF, -0.0, 0.0, INF]),
    (Unary::Acosh, [NAN, NAN, NAN, INF]),
    (Unary::Atanh, [NAN, -0.0, 0.0, NAN]),
    (Unary::Erf, [-1.0, -0.0, 0.0, 1.0]),
    (Unary::Rsqrt, [NAN, -INF, INF, 0.0]),
];

fn same(x: f64, y: f64) -> bool {
    x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan()
}

#[test]
fn functions_at_their_edges() {
    assert_eq!(AT_THE_EDGES.len(), Unary::ALL.len());
    for &(function, expected) in AT_THE_EDGES {
        let name = function.name();
        assert!(function.apply(&Interp32, f32::NAN).is_nan(), "{name}(NaN)");
        assert!(function.apply(&Interp64, NAN).is_nan(), "{name}(NaN)");
        for (x, y) in [-INF, -0.0, 0.0, INF].into_iter().zip(expected) {
            let got = function.apply(&Interp64, x);
            assert!(same(got, y), "{name}({x}) in f64: {got}, not {y}");
            let got = function.apply(&Interp32, x as f32);
            assert!(same(got.into(), (y as f32).into()), "{name}({x}) in f32: {got}, not {y}");
        }
    }
}

#[test]
fn functions_that_are_nearly_their_argument_keep_denormals() {
    use Unary::{Asin, Asinh, Atan, Atanh, Expm1, Log1p, Sin, Sinh, Tan, Tanh};
    for function in [Asin, Asinh, Atan, Atanh, Expm1, Log1p, Sin, Sinh, Tan, Tanh] {
        for x in [TINY, -TINY, 5e-324] {
            assert_eq!(function.apply(&Interp64, x), x, "{}", function.name());
        }
        for x in [1e-40f32, -1e-40, 1e-45] {
            assert_eq!(function.apply(&Interp32, x), x, "{}", function.name());
        }
    }
}

#[test]
fn results_reach_into_the_denormals() {
    assert_eq!(Unary::Exp.apply(&Interp32, -103.0), 1e-45);
    assert_eq!(Unary::Exp2.apply(&Interp64, -1074.0), 5e-324);
    assert_eq!(Unary::Exp2.apply(&Interp32, -149.0), 1e-45);
    assert_eq!(Unary::Sigmoid.apply(&Interp32, -103.0), 1e-45);
    assert_eq!(Unary::Sigmoid.apply(&Interp32, 20.0), 1.0);
    assert_eq!(Unary::Log2.apply(&Interp32, 1e-45), -149.0);
    assert_eq!(Unary::Log2.apply(&Interp64, 5e-324), -1074.0);
}

/// Arguments whose pairs are all the special cases there are.
const CORNERS: &[f64] =
    &[NAN, -INF, -1e30, -4.0, -3.0, -2.5, -1.0, -0.5, -TINY, -0.0, 0.0, TINY, 0.5, 1.0, 1.5, 3.0, 4.0, 1e30, INF];

fn check_corners(function: Binary, exact: fn(f64, f64) -> f64, exact32: fn(f32, f32) -> f32) {
    let near = |x: f64, y: f64, unit: f64| same(x, y) || y != 0.0 && ((x - y) / y).abs() < 2.0 * unit;
    for &x in CORNERS {
        for &y in CORNERS {
            let (got, want) = (function.apply(&Interp64, x, y), exact(x, y));
            assert!(near(got, want, f64::EPSILON), "{}({x:e}, {y:e}): {got:e}, not {want:e}", function.name());
            let (x, y) = (x as f32, y as f32);
            let (got, want) = (function.apply(&Interp32, x, y), exact32(x, y));
            let near = near(got.into(), want.into(), f32::EPSILON.into());
            assert!(near, "{}({x:e}, {y:e}) in f32: {got:e}, not {want:e}", function.name());
        }
    }
}

#[test]
fn powers_of_all_corners() {
    check_corners(Binary::Pow, f64::powf, f32::powf);
}

#[test]
fn angles_of_all_corners() {
    check_corners(Binary::Atan2, f64::atan2, f32::atan2);
}

#[test]
fn remainders_of_all_corners() {
    check_corners(Binary::Fmod, |x, y| x % y, |x, y| x % y);
}

#[test]
fn remainders_are_exact() {
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..5_000 {
        let (x, y) = (f32::from_bits(next() as u32), f32::from_bits(next() as u32));
        assert!(same(fmod(&Interp32, x, y).into(), (x % y).into()), "{x:e} {y:e}");
        let x = f64::from_bits(next());
        let y = x * 2f64.powi(-((next() % 120) as i32)) * 1.37;
        assert!(same(fmod(&Interp64, x, y), x % y), "{x:e} {y:e}");
    }
}

#[test]
fn powers_and_angles_are_accurate() {
    let unit = |i: u32| f64::from(i.wrapping_mul(2_654_435_761)) / 2f64.powi(32);
    for i in 0..20_000 {
        let (x, y) = (unit(i) * 100.0, unit(i + 7) * 40.0 - 20.0);
        let (x, y) = (x as f32, y as f32);
        let exact = f64::from(x).powf(y.into());
        assert!(super::ulp32(pow(&Interp32, x, y), exact) <= 1.1, "{x}^{y}");
        assert!(super::ulp32(atan2(&Interp32, y, x), f64::from(y).atan2(x.into())) <= 1.6, "{y} {x}");
        let (x, y) = (f64::from(x), f64::from(y));
        assert!(super::steps64(pow(&Interp64, x, y), x.powf(y)) <= 1, "{x}^{y}");
        assert!(super::steps64(atan2(&Interp64, y, x), y.atan2(x)) <= 2, "{y} {x}");
    }
}

/// The interpreter's constants are those of the text: rounded once.
#[test]
fn constants_round_to_the_format() {
    assert_eq!(Interp32.f(0.1), 0.1f32);
    assert_eq!(Interp32.i(0xffff_ffff), -1);
}
