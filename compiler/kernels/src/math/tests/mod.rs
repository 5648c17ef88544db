//! Accuracy and special values of the functions, on plain Rust numbers.

mod double;
mod lanes;
mod reference;
mod single;
mod special;

/// Distance of `y` from the exact value in units in the last place of the exact value's single-precision
/// neighbourhood; 0 where both overflow or are NaN.
fn ulp32(y: f32, exact: f64) -> f64 {
    let rounded = exact as f32;
    if rounded.is_nan() || rounded.is_infinite() || y.is_nan() || y.is_infinite() {
        // At the edge of overflow the last finite number is as good as infinity.
        let near_edge = y.abs() == f32::MAX && rounded.is_infinite() || rounded.abs() == f32::MAX && y.is_infinite();
        let same = y == rounded || y.is_nan() && rounded.is_nan();
        return if same {
            0.0
        } else if near_edge {
            1.0
        } else {
            f64::INFINITY
        };
    }
    let exponent = ((exact.abs().to_bits() >> 52) as i32 - 1023).max(-126);
    (f64::from(y) - exact).abs() / 2f64.powi(exponent - 23)
}

/// Distance in representable doubles.
fn steps64(x: f64, y: f64) -> u64 {
    if x.is_nan() || y.is_nan() {
        return if x.is_nan() && y.is_nan() { 0 } else { u64::MAX };
    }
    let order = |v: f64| {
        let bits = v.to_bits() as i64;
        if bits < 0 { i64::MIN - bits } else { bits }
    };
    order(x).abs_diff(order(y))
}
