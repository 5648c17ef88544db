//! All codes, and encoding against a search for the nearest code.

use super::{FloatFormat, RoundMode};
use crate::math::Interp32;

const SMALL: [FloatFormat; 5] =
    [FloatFormat::F8E4M3FN, FloatFormat::F8E4M3FNUZ, FloatFormat::F8E5M2, FloatFormat::F8E5M2FNUZ, FloatFormat::F4E2M1];

/// The value of a code as the formats' specifications put it.
fn value(format: FloatFormat, code: i32) -> f64 {
    use FloatFormat::{F8E4M3FN, F8E4M3FNUZ, F8E5M2, F8E5M2FNUZ};
    let (e, m, bias) = match format {
        F8E4M3FN => (4, 3, 7),
        F8E4M3FNUZ => (4, 3, 8),
        F8E5M2 => (5, 2, 15),
        F8E5M2FNUZ => (5, 2, 16),
        _ => (2, 1, 1),
    };
    let (exponent, fraction) = (code >> m & ((1 << e) - 1), code & ((1 << m) - 1));
    let size = match exponent {
        0 => f64::from(fraction) * 2f64.powi(1 - bias - m),
        _ => f64::from(fraction + (1 << m)) * 2f64.powi(exponent - bias - m),
    };
    let size = match (format, code & 0x7f) {
        (F8E4M3FN, 0x7f) | (F8E5M2, 0x7d..) => f64::NAN,
        (F8E5M2, 0x7c) => f64::INFINITY,
        (F8E4M3FNUZ | F8E5M2FNUZ, 0) if code == 0x80 => f64::NAN,
        _ => size,
    };
    if code >> (e + m) & 1 == 1 { -size } else { size }
}

fn codes(format: FloatFormat) -> std::ops::Range<i32> {
    0..if format == FloatFormat::F4E2M1 { 16 } else { 256 }
}

/// The nearest code by trying all: the one of the even one of two equally near; `None` if beyond the largest by half
/// a step or more.
fn nearest(format: FloatFormat, x: f64) -> Option<i32> {
    let sign = if format == FloatFormat::F4E2M1 { 8 } else { 128 };
    let finite = (0..sign).filter(|&c| value(format, c).is_finite());
    let max = finite.clone().map(|c| (value(format, c), c)).fold((0.0, 0), |a, b| if b.0 > a.0 { b } else { a });
    // What would be the next number after the largest decides where overflow begins.
    let step = max.0 - value(format, max.1 - 1);
    let edge = max.0 + step / 2.0;
    let size = x.abs();
    if size > edge || size == edge && max.1 & 1 == 1 {
        return None;
    }
    let distance = |c: i32| (value(format, c) - size).abs();
    let best = finite.min_by(|&a, &b| distance(a).total_cmp(&distance(b)).then((a & 1).cmp(&(b & 1))))?;
    let unsigned_zero = matches!(format, FloatFormat::F8E4M3FNUZ | FloatFormat::F8E5M2FNUZ) && best == 0;
    Some(if x.is_sign_negative() && !unsigned_zero { best | sign } else { best })
}

fn decode(format: FloatFormat, code: i32) -> f32 {
    format.decode(&Interp32, code)
}

fn encode(format: FloatFormat, x: f32, saturate: bool) -> i32 {
    format.encode(&Interp32, x, saturate, RoundMode::default())
}

#[test]
fn codes_decode() {
    for format in SMALL {
        for code in codes(format) {
            let (got, want) = (f64::from(decode(format, code)), value(format, code));
            assert!(
                got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(),
                "{format:?} {code:#x}: {got}, not {want}"
            );
            if !want.is_nan() && want.is_finite() {
                assert_eq!(encode(format, want as f32, true), code, "{format:?} {want}");
            }
        }
    }
}

/// Values to encode: ties between codes and their neighbours, powers, and random ones.
fn samples(format: FloatFormat) -> Vec<f32> {
    let mut all = Vec::new();
    for code in codes(format) {
        let (x, y) = (value(format, code) as f32, value(format, code + 1) as f32);
        let middle = x / 2.0 + y / 2.0;
        all.extend([x, middle, middle.next_up(), middle.next_down()]);
        all.extend([x * 1.25, x * 1.3, x * 2.0]);
    }
    let mut bits = 0x1234_5677u32;
    for _ in 0..2000 {
        bits = bits.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
        all.push(f32::from_bits(bits));
        all.push(f32::from_bits(bits % 0x2000_0000 + 0x3000_0000));
    }
    all.retain(|x| x.is_finite());
    all
}

#[test]
fn values_encode_to_the_nearest_code() {
    for format in SMALL {
        for x in samples(format) {
            match nearest(format, x.into()) {
                Some(code) => {
                    assert_eq!(encode(format, x, true), code, "{format:?} {x:e}");
                    assert_eq!(encode(format, x, false), code, "{format:?} {x:e}");
                }
                None => {
                    let saturated = decode(format, encode(format, x, true));
                    assert!(saturated.is_finite() && saturated.signum() == x.signum(), "{format:?} {x:e}");
                    assert!(saturated.abs() >= decode(format, 6), "{format:?} {x:e}");
                    let open = decode(format, encode(format, x, false));
                    let finite = format == FloatFormat::F4E2M1;
                    assert!(open.is_finite() == finite, "{format:?} {x:e}");
                }
            }
        }
    }
}

/// ONNX's tables: +-0, NaN, +-infinity, saturating and not.
#[test]
fn special_values_follow_the_tables() {
    use FloatFormat::{F4E2M1, F8E4M3FN, F8E4M3FNUZ, F8E5M2, F8E5M2FNUZ};
    let rows = [
        (F8E4M3FN, [0x00, 0x80, 0x7f, 0x7e, 0xfe, 0x7f, 0xff]),
        (F8E4M3FNUZ, [0x00, 0x00, 0x80, 0x7f, 0xff, 0x80, 0x80]),
        (F8E5M2, [0x00, 0x80, 0x7e, 0x7b, 0xfb, 0x7c, 0xfc]),
        (F8E5M2FNUZ, [0x00, 0x00, 0x80, 0x7f, 0xff, 0x80, 0x80]),
        (F4E2M1, [0x0, 0x8, 0x8, 0x7, 0xf, 0x7, 0xf]),
    ];
    for (format, [zero, minus_zero, nan, max, min, inf, minus_inf]) in rows {
        assert_eq!(encode(format, 0.0, true), zero, "{format:?}");
        assert_eq!(encode(format, -0.0, true), minus_zero, "{format:?}");
        assert_eq!(encode(format, f32::NAN, true), nan, "{format:?}");
        assert_eq!(encode(format, f32::NAN, false), nan, "{format:?}");
        assert_eq!(encode(format, f32::INFINITY, true), max, "{format:?}");
        assert_eq!(encode(format, f32::NEG_INFINITY, true), min, "{format:?}");
        assert_eq!(encode(format, f32::INFINITY, false), inf, "{format:?}");
        assert_eq!(encode(format, f32::NEG_INFINITY, false), minus_inf, "{format:?}");
    }
}

#[test]
fn powers_of_two() {
    let format = FloatFormat::F8E8M0;
    let put = |x: f32, round| format.encode(&Interp32, x, true, round);
    for code in 0..255 {
        let x = decode(format, code);
        assert_eq!(f64::from(x), 2f64.powi(code - 127));
        for round in [RoundMode::Up, RoundMode::Down, RoundMode::Nearest] {
            assert_eq!(put(x, round), code);
        }
        assert_eq!(put(x.next_up(), RoundMode::Up), (code + 1).min(254));
        if code < 254 {
            assert_eq!(put(x * 1.5, RoundMode::Nearest), code + 1);
            assert_eq!(put((x * 1.5).next_down(), RoundMode::Nearest), code);
            assert_eq!(put((x * 2.0).next_down(), RoundMode::Down), code);
        }
    }
    assert!(decode(format, 255).is_nan());
    // Zero, NaN, infinity, too large, too small: the two columns of the table.
    let x = [0.0, f32::NAN, f32::INFINITY, f32::MAX, 1e-45];
    assert_eq!(x.map(|x| put(x, RoundMode::Up)), [0, 255, 254, 254, 0]);
    let open = x.map(|x| format.encode(&Interp32, x, false, RoundMode::Nearest));
    assert_eq!(open, [255; 5]);
}

#[test]
fn halves_are_those_of_the_half_crate() {
    for code in 0..=u16::MAX {
        let (f, b) = (half::f16::from_bits(code), half::bf16::from_bits(code));
        for (format, want) in [(FloatFormat::F16, f.to_f32()), (FloatFormat::BF16, b.to_f32())] {
            let got = decode(format, code.into());
            assert!(got == want && got.signum() == want.signum() || got.is_nan() && want.is_nan(), "{code:#x}");
        }
    }
    for bits in (0..=u32::MAX).step_by(9_973) {
        let x = f32::from_bits(bits);
        if x.is_nan() {
            continue;
        }
        assert_eq!(encode(FloatFormat::F16, x, false), half::f16::from_f32(x).to_bits().into(), "{x:e}");
        assert_eq!(encode(FloatFormat::BF16, x, false), half::bf16::from_f32(x).to_bits().into(), "{x:e}");
    }
    for format in [FloatFormat::F16, FloatFormat::BF16] {
        assert!(decode(format, encode(format, f32::NAN, false)).is_nan());
        assert!(decode(format, encode(format, f32::MAX, true)).is_finite());
    }
}
