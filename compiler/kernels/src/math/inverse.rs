//! Inverse circular functions: `asin`, `acos`, `atan`, `atan2`.

use super::arith::{Arith, ArithExt};

/// (asin(r) - r) / r^3 in r^2, on +-1/2, minimax for the error relative to r: 2^-27.6.
const ASIN32: [f64; 5] = [0.042230114, 0.024141265, 0.045478277, 0.074952334, 0.16666754];
/// The same, 2^-59.8.
const ASIN64: [f64; 13] = [
    0.03270208625319976,
    -0.021116601361948827,
    0.021790567109000528,
    0.0036722159794314027,
    0.010789313741955731,
    0.011397294177209047,
    0.013981018429114414,
    0.01735159550566282,
    0.022372215905820867,
    0.030381942675271934,
    0.04464285717528659,
    0.07499999999970097,
    0.16666666666666763,
];
/// (atan(r) - r) / r^3 in r^2, on +-1, minimax for the error relative to atan(r): 2^-28.5.
const ATAN32: [f64; 9] = [
    -0.0017936329,
    0.010914651,
    -0.031177921,
    0.057957664,
    -0.08403454,
    0.10952187,
    -0.14264242,
    0.19998549,
    -0.333333,
];
/// The same, 2^-60.2.
const ATAN64: [f64; 21] = [
    -8.654307602588185e-06,
    0.00010387288274701845,
    -0.0005928976314204761,
    0.002151599764550408,
    -0.005612408383290559,
    0.011317677175511041,
    -0.01861422358746723,
    0.026151683916031593,
    -0.03278543809054495,
    0.038210067936966435,
    -0.04286391042673192,
    0.047449261427243504,
    -0.052594337917951706,
    0.05881716154134,
    -0.06666583722781066,
    0.07692299711775435,
    -0.09090908547255501,
    0.11111111086447374,
    -0.1428571428503663,
    0.19999999999990448,
    -0.33333333333333287,
];

/// pi/2 in two parts.
fn half_pi<A: Arith>(a: &A) -> (A::F, A::F) {
    (a.f(std::f64::consts::FRAC_PI_2), a.pick(-4.371138828673793e-08, 6.123233995736766e-17))
}

/// What `asin` and `acos` have in common: `asin |x|` is `s + e` up to 1/2, and pi/2 - 2 (s + e) beyond.
struct Arcsine<A: Arith> {
    beyond: A::B,
    s: A::F,
    e: A::F,
}

fn arcsine<A: Arith>(a: &A, x: A::F) -> Arcsine<A> {
    let size = a.abs(x);
    let beyond = a.lt(a.f(0.5), size);
    let z = a.select(beyond, a.fma(size, a.f(-0.5), a.f(0.5)), a.mul(size, size));
    let s = a.select(beyond, a.sqrt(z), size);
    // The root's own rounding error, which the difference from pi/2 would show.
    let root_error = a.div(a.fma(a.neg(s), s, z), a.at_least(a.add(s, s), a.f(1e-30)));
    let root_error = a.select(beyond, root_error, a.f(0.0));
    let e = a.fma(a.mul(s, z), a.poly_of(z, &ASIN32, &ASIN64), root_error);
    Arcsine { beyond, s, e }
}

/// Arcsine. Error: 1.6 / 1.4 ULP.
pub fn asin<A: Arith>(a: &A, x: A::F) -> A::F {
    let Arcsine { beyond, s, e } = arcsine(a, x);
    let (hi, lo) = half_pi(a);
    let far = a.add(a.fma(s, a.f(-2.0), hi), a.fma(e, a.f(-2.0), lo));
    a.copysign(a.select(beyond, far, a.add(s, e)), x)
}

/// Arccosine. Error: 1.1 / 1.1 ULP.
pub fn acos<A: Arith>(a: &A, x: A::F) -> A::F {
    let Arcsine { beyond, s, e } = arcsine(a, x);
    let (hi, lo) = half_pi(a);
    let negative = a.lt(x, a.f(0.0));
    // Near 0: pi/2 - asin x. Beyond 1/2: 2 (s + e), from pi if x is negative.
    let (s_near, e_near) = (a.copysign(s, x), a.copysign(e, x));
    let near = a.add(a.sub(hi, s_near), a.sub(lo, e_near));
    let double = a.mul(a.add(s, e), a.f(2.0));
    let from_pi = a.add(a.fma(s, a.f(-2.0), a.add(hi, hi)), a.fma(e, a.f(-2.0), a.add(lo, lo)));
    a.select(beyond, a.select(negative, from_pi, double), near)
}

/// `atan u` for `0 <= u <= 1` as `u + e`: returns `e`.
fn atan_rest<A: Arith>(a: &A, u: A::F) -> A::F {
    let z = a.mul(u, u);
    a.mul(a.mul(u, z), a.poly_of(z, &ATAN32, &ATAN64))
}

/// Arctangent. Error: 1.4 / 1.0 ULP.
pub fn atan<A: Arith>(a: &A, x: A::F) -> A::F {
    let size = a.abs(x);
    let one = a.f(1.0);
    let beyond = a.lt(one, size);
    // atan x = pi/2 + atan(-1/x); up to 1 the division is by 1.
    let u = a.div(a.select(beyond, a.f(-1.0), size), a.select(beyond, size, one));
    let (hi, lo) = half_pi(a);
    let (hi, lo) = (a.select(beyond, hi, a.f(0.0)), a.select(beyond, lo, a.f(0.0)));
    let y = a.add(hi, a.add(u, a.add(atan_rest(a, u), lo)));
    a.copysign(y, x)
}

/// The angle of the point with these coordinates, `atan(y / x)` in the right quadrant. Error: 1.6 / 1.5 ULP.
pub fn atan2<A: Arith>(a: &A, y: A::F, x: A::F) -> A::F {
    let (ax, ay) = (a.abs(x), a.abs(y));
    let steep = a.lt(ax, ay);
    let (num, den) = (a.select(steep, ax, ay), a.select(steep, ay, ax));
    let u = a.div(num, den);
    // 0 / 0 is an angle of 0 and inf / inf one of 45 degrees. NaN equals nothing, itself included.
    let u = a.select(a.eq(num, den), a.select(a.eq(den, a.f(0.0)), den, a.f(1.0)), u);
    let e = atan_rest(a, u);
    // The angle from the nearest axis, then from the x axis, then by the sign of x (zeros have one).
    let (hi, lo) = half_pi(a);
    let zero = a.f(0.0);
    let left = a.ilt(a.bits(x), a.i(0));
    let base = a.select(steep, hi, a.select(left, a.add(hi, hi), zero));
    let rest = a.select(steep, lo, a.select(left, a.add(lo, lo), zero));
    // u counts backwards from pi/2 on the right and from pi.
    let steep_left = a.and(steep, left);
    let forward = a.or(steep_left, a.not(a.or(steep, left)));
    let (u, e) = (a.select(forward, u, a.neg(u)), a.select(forward, e, a.neg(e)));
    let angle = a.add(base, a.add(u, a.add(e, rest)));
    let angle = a.select(a.or(a.is_nan(x), a.is_nan(y)), a.nan(), angle);
    a.copysign(angle, y)
}
