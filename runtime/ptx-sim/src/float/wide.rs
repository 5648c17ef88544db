//! `f64` operations in the directed rounding modes.

use super::Mode;

/// Moves a result that was rounded to nearest, given the sign of what is missing.
pub(crate) fn directed(nearest: f64, missing: f64, mode: Mode) -> f64 {
    if missing == 0.0 || missing.is_nan() || !nearest.is_finite() {
        return nearest;
    }
    let too_small = missing > 0.0;
    match mode {
        Mode::Nearest | Mode::Away => nearest,
        Mode::Up if too_small => nearest.next_up(),
        Mode::Down if !too_small => nearest.next_down(),
        Mode::Zero if too_small && nearest < 0.0 => nearest.next_up(),
        Mode::Zero if !too_small && nearest > 0.0 => nearest.next_down(),
        Mode::Up | Mode::Down | Mode::Zero => nearest,
    }
}

/// What a sum lost.
fn sum_error(a: f64, b: f64, sum: f64) -> f64 {
    let b_part = sum - a;
    (a - (sum - b_part)) + (b - b_part)
}

/// `a + b`.
pub(crate) fn add_f64(a: f64, b: f64, mode: Mode) -> f64 {
    let sum = a + b;
    if sum == 0.0 && mode == Mode::Down && (a != 0.0 || a.is_sign_negative() || b.is_sign_negative()) {
        return -0.0;
    }
    directed(sum, sum_error(a, b, sum), mode)
}

/// `a * b`.
pub(crate) fn mul_f64(a: f64, b: f64, mode: Mode) -> f64 {
    let product = a * b;
    directed(product, a.mul_add(b, -product), mode)
}

/// `a * b + c`.
pub(crate) fn fma_f64(a: f64, b: f64, c: f64, mode: Mode) -> f64 {
    let result = a.mul_add(b, c);
    if mode == Mode::Nearest {
        return result;
    }
    // The product and the sum as exact pairs; what is missing is what is left of both.
    let product = a * b;
    let low = a.mul_add(b, -product);
    let sum = product + c;
    let missing = (sum - result) + (sum_error(product, c, sum) + low);
    directed(result, missing, mode)
}

/// `a / b`.
pub(crate) fn div_f64(a: f64, b: f64, mode: Mode) -> f64 {
    let quotient = a / b;
    let remainder = (-quotient).mul_add(b, a);
    directed(quotient, if b < 0.0 { -remainder } else { remainder }, mode)
}

/// The square root.
pub(crate) fn sqrt_f64(a: f64, mode: Mode) -> f64 {
    let root = a.sqrt();
    directed(root, (-root).mul_add(root, a), mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_enclose_the_result() {
        let third = 1.0 / 3.0;
        assert_eq!(div_f64(1.0, 3.0, Mode::Down), third);
        assert_eq!(div_f64(1.0, 3.0, Mode::Up), third.next_up());
        assert_eq!(add_f64(1.0, 1e-40, Mode::Up), 1f64.next_up());
        assert_eq!(add_f64(1.0, -1e-40, Mode::Zero), 1f64.next_down());
        assert_eq!(mul_f64(0.1, 10.0, Mode::Down), 1.0);
        assert_eq!(fma_f64(1.0, 1.0, 1e-40, Mode::Up), 1f64.next_up());
        // The nearest number to the root of 2 lies above it.
        assert_eq!(sqrt_f64(2.0, Mode::Up), 2f64.sqrt());
        assert_eq!(sqrt_f64(2.0, Mode::Down), 2f64.sqrt().next_down());
    }
}
