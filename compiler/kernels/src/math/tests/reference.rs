//! Functions in double precision that the standard library lacks, accurate to a few units of 1e-16.

/// `erf` and `erfc`, by series up to 2.5 and by continued fraction beyond.
pub(super) fn erf_erfc(x: f64) -> (f64, f64) {
    let z = x.abs();
    let (p, q) = if z < 2.5 {
        let p = series(z);
        (p, 1.0 - p)
    } else {
        let q = fraction(z);
        (1.0 - q, q)
    };
    if x.is_nan() {
        (x, x)
    } else if x < 0.0 {
        (-p, 1.0 + p)
    } else {
        (p, q)
    }
}

/// 2/sqrt(pi) e^(-z^2) z (1 + 2z^2/3 + (2z^2)^2/(3 5) + ...): all terms positive.
fn series(z: f64) -> f64 {
    let (mut term, mut sum, mut n) = (z, z, 1.0);
    while term > sum * 1e-18 {
        n += 2.0;
        term *= 2.0 * z * z / n;
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-z * z).exp() * sum
}

/// e^(-z^2)/sqrt(pi) / (z + (1/2)/(z + (2/2)/(z + ...))).
fn fraction(z: f64) -> f64 {
    if z > 30.0 {
        return 0.0;
    }
    let tail = (1..120).rev().fold(z, |t, k| z + f64::from(k) / 2.0 / t);
    // The square in two parts: its error is multiplied by e^-z^2's derivative.
    let hi = z * z;
    let lo = z.mul_add(z, -hi);
    (-hi).exp() * (1.0 - lo) / std::f64::consts::PI.sqrt() / tail
}
