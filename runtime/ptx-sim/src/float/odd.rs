//! Sums, products and quotients in `f64`, rounded to odd.

/// Of a value that was rounded to nearest and the sign of what is missing: the neighbor that rounding to odd gives.
fn to_odd(nearest: f64, missing: f64) -> f64 {
    if missing == 0.0 || !nearest.is_finite() || missing.is_nan() {
        return nearest;
    }
    let bits = nearest.to_bits();
    if nearest == 0.0 {
        // Too small for f64: the smallest number stands for it.
        return f64::from_bits(1).copysign(missing);
    }
    let is_smaller = (missing > 0.0) != (nearest > 0.0);
    let truncated = if is_smaller { bits - 1 } else { bits };
    f64::from_bits(truncated | 1)
}

/// `a + b`.
pub(crate) fn add_odd(a: f64, b: f64) -> f64 {
    let sum = a + b;
    let b_part = sum - a;
    let missing = (a - (sum - b_part)) + (b - b_part);
    to_odd(sum, missing)
}

/// `a * b + c`, where the product of `a` and `b` has at most 53 bits.
pub(crate) fn fma_odd(a: f64, b: f64, c: f64) -> f64 {
    add_odd(a * b, c)
}

/// `a / b`.
pub(crate) fn div_odd(a: f64, b: f64) -> f64 {
    let quotient = a / b;
    let remainder = (-quotient).mul_add(b, a);
    to_odd(quotient, if b < 0.0 { -remainder } else { remainder })
}

/// The square root.
pub(crate) fn sqrt_odd(a: f64) -> f64 {
    let root = a.sqrt();
    to_odd(root, (-root).mul_add(root, a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_leaves_an_odd_bit() {
        let tiny = 2f64.powi(-80);
        assert_eq!(add_odd(1.0, tiny).to_bits(), 1f64.to_bits() | 1);
        assert_eq!(add_odd(1.0, -tiny).to_bits(), (1f64.to_bits() - 1) | 1);
        assert_eq!(add_odd(1.0, 2.0), 3.0);
        assert_eq!(div_odd(6.0, 3.0), 2.0);
        assert_eq!(div_odd(1.0, 3.0).to_bits() & 1, 1);
        assert_eq!(sqrt_odd(2.0).to_bits() & 1, 1);
        assert_eq!(sqrt_odd(4.0), 2.0);
    }
}
