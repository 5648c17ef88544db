//! Range reduction of the circular functions: `x = q pi/2 + r` with `|r| <= pi/4`.
//!
//! Moderate arguments: `x - q pi/2` with pi/2 in three parts, exact but for the last step (Cody and Waite).
//! Large ones: the bits of 2/pi that matter for the exponent of x, times its integer significand, in integer words
//! (Payne and Hanek); the fraction of a turn comes out with twice the format's width.

use super::arith::{Arith, ArithExt, Format};

/// 2/pi in words of 64 bits, after the point.
const TWO_OVER_PI: [u64; 19] = [
    0xa2f9_836e_4e44_1529,
    0xfc27_57d1_f534_ddc0,
    0xdb62_9599_3c43_9041,
    0xfe51_63ab_debb_c561,
    0xb724_6e3a_424d_d2e0,
    0x0649_2eea_09d1_921c,
    0xfe1d_eb1c_b129_a73e,
    0xe882_35f5_2ebb_4484,
    0xe99c_7026_b45f_7e41,
    0x3991_d639_8353_39f4,
    0x9c84_5f8b_bdf9_283b,
    0x1ff8_97ff_de05_980f,
    0xef2f_118b_5a0a_6d1f,
    0x6d36_7ecf_27cb_09b7,
    0x4f46_3f66_9e5f_ea2d,
    0x7527_bac7_ebe5_f17b,
    0x3d07_39f7_8a52_92ea,
    0x6bfb_5fb1_1f8d_5d08,
    0x5603_3046_fc7b_6bab,
];

/// `r`, and `q` modulo 4 in its two low bits, of `x >= 0`. NaN and infinity give NaN.
pub(super) fn quarter_turns<A: Arith>(a: &A, x: A::F) -> (A::F, A::I) {
    let moderate = cody_waite(a, x);
    // Infinity stays with the first way, which makes it NaN.
    let large = a.and(a.lt(a.pick(1e5, 1e9), x), a.lt(x, a.inf()));
    a.rarely(large, moderate, || payne_hanek(a, x))
}

fn cody_waite<A: Arith>(a: &A, x: A::F) -> (A::F, A::I) {
    let (n, int) = a.nearest_product(x, a.f(std::f64::consts::FRAC_2_PI));
    let n = a.neg(n);
    let r = a.fma(n, a.f(std::f64::consts::FRAC_PI_2), x);
    let r = a.fma(n, a.pick(-4.371138828673793e-08, 6.123233995736766e-17), r);
    (a.fma(n, a.pick(-1.7151245100058819e-15, -1.4973849048591698e-33), r), int)
}

/// The words of 2/pi after one word of zeros, which makes room for small exponents.
fn words(format: Format) -> Vec<i64> {
    let words = TWO_OVER_PI.iter();
    let halves = |w: &u64| [(w >> 32) as i64, (w & 0xffff_ffff) as i64];
    let mut all = vec![0];
    match format {
        Format::F32 => all.extend(words.flat_map(halves).take(7)),
        Format::F64 => all.extend(words.map(|&w| w as i64)),
    }
    all
}

/// Words `k` to `k + 3`: a shift by each bit of `k` in turn.
fn window<A: Arith>(a: &A, k: A::I) -> [A::I; 4] {
    let mut v: Vec<A::I> = words(a.format()).into_iter().map(|w| a.i(w)).collect();
    for step in [16usize, 8, 4, 2, 1].into_iter().filter(|&s| s + 4 <= v.len()).collect::<Vec<_>>() {
        let bit = a.i(step as i64);
        let set = a.ieq(a.iand(k, bit), bit);
        // Later steps look at most `step - 1` words further than the four that remain.
        let kept = 4 + step - 1;
        v = (0..kept.min(v.len()))
            .map(|j| v.get(j + step).map_or(v[j], |&shifted| a.iselect(set, shifted, v[j])))
            .collect();
    }
    [v[0], v[1], v[2], v[3]]
}

/// The reduction for `x` from 2^16 (2^29) up.
fn payne_hanek<A: Arith>(a: &A, x: A::F) -> (A::F, A::I) {
    let format = a.format();
    let (width, fraction) = (format.width(), format.fraction());
    let bits = a.bits(x);
    let hidden = a.i(format.min_normal());
    let significand = a.ior(a.iand(bits, a.i(format.min_normal() - 1)), hidden);
    // x = significand 2^e, and 2/pi begins one word late: skip the words whose product is a multiple of 4.
    let bias = format.bias() + i64::from(fraction) - i64::from(width) + 2;
    let e = a.isub(a.lshr_by(bits, fraction), a.i(bias));
    let u = window(a, a.lshr_by(e, width.trailing_zeros()));
    let shift = a.iand(e, a.i(i64::from(width) - 1));
    let back = a.isub(a.i(i64::from(width) - 1), shift);
    let t = [0, 1, 2].map(|j| a.ior(a.shl(u[j], shift), a.lshr(a.lshr_by(u[j + 1], 1), back)));
    // The fraction of a turn: significand times 0.t0 t1 t2, the part after the point, two words of it.
    let low = a.imul(significand, t[1]);
    let word1 = a.iadd(low, a.umulhi(significand, t[2]));
    let carry = a.iselect(a.ult(word1, low), a.i(1), a.i(0));
    let word0 = a.iadd(a.iadd(a.imul(significand, t[0]), a.umulhi(significand, t[1])), carry);
    // The nearest quarter, and the signed rest.
    let q = a.lshr_by(a.iadd(word0, a.shl_by(a.i(1), width - 3)), width - 2);
    let rest = a.isub(word0, a.shl_by(q, width - 2));
    (radians(a, rest, word1), q)
}

/// `(hi + lo / 2^W) / 2^W` of a turn in radians, `hi` signed and `lo` unsigned.
fn radians<A: Arith>(a: &A, hi: A::I, lo: A::I) -> A::F {
    let format = a.format();
    let spare = format.width() - format.fraction() - 1;
    let sign = a.ashr_by(hi, format.width() - 1);
    let (hi, lo) = (a.ixor(hi, sign), a.ixor(lo, sign));
    // Three exact pieces, each well below the one before or all that there is.
    let mask = a.i((1 << spare) - 1);
    let below = a.iand(hi, mask);
    let (c0, c1) = (a.to_float(a.isub(hi, below)), a.to_float(below));
    let unit = 2f64.powi(-(format.fraction() as i32 + 1));
    let c2 = a.mul(a.to_float(a.lshr_by(lo, spare)), a.f(unit));
    let m = a.add(c1, c2);
    let m_error = a.sub(c2, a.sub(m, c1));
    let h = a.add(c0, m);
    let l = a.add(a.add(a.sub(c0, h), m), m_error);
    // 2 pi / 2^W in two parts.
    let (k, k_rest) = (
        a.pick(1.4629181199765636e-09, 3.4061215800865545e-19),
        a.pick(-4.070940267922164e-17, 1.3277647201629795e-35),
    );
    let product = a.mul(h, k);
    let error = a.fma(h, k, a.neg(product));
    let r = a.add(product, a.fma(l, k, a.fma(h, k_rest, error)));
    a.float_of(a.ixor(a.bits(r), a.shl_by(sign, format.width() - 1)))
}
