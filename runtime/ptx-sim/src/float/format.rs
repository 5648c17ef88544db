//! Formats of at most 32 bits: decoding is exact, encoding rounds once.

use super::Mode;

/// A binary format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    F32,
    /// In the upper 19 bits of 32.
    Tf32,
    F16,
    Bf16,
    /// 4 bits of exponent, no infinity, one NaN.
    E4m3,
    /// 5 bits of exponent.
    E5m2,
    /// 6 bits, neither infinity nor NaN.
    E3m2,
    /// 6 bits, neither infinity nor NaN.
    E2m3,
    /// 4 bits, neither infinity nor NaN.
    E2m1,
}

impl Format {
    /// Bits of exponent and mantissa.
    fn shape(self) -> (i32, i32) {
        match self {
            Format::F32 => (8, 23),
            Format::Tf32 => (8, 10),
            Format::F16 => (5, 10),
            Format::Bf16 => (8, 7),
            Format::E4m3 => (4, 3),
            Format::E5m2 => (5, 2),
            Format::E3m2 => (3, 2),
            Format::E2m3 => (2, 3),
            Format::E2m1 => (2, 1),
        }
    }

    fn has_infinity(self) -> bool {
        !matches!(self, Format::E4m3 | Format::E3m2 | Format::E2m3 | Format::E2m1)
    }

    /// The NaN that PTX makes.
    fn nan(self) -> u32 {
        match self {
            Format::F32 | Format::Tf32 => 0x7fff_ffff,
            Format::F16 | Format::Bf16 => 0x7fff,
            Format::E4m3 | Format::E5m2 => 0x7f,
            // There is no NaN; the instructions give the largest number.
            Format::E3m2 | Format::E2m3 => 0x1f,
            Format::E2m1 => 0x7,
        }
    }

    /// The largest finite number, without a sign.
    fn largest(self) -> u32 {
        let (exponent, mantissa) = self.shape();
        match self {
            Format::E4m3 => 0x7e,
            _ if self.has_infinity() => (((1 << exponent) - 1) << mantissa) - 1,
            _ => (1 << (exponent + mantissa)) - 1,
        }
    }

    fn infinity(self) -> u32 {
        let (exponent, mantissa) = self.shape();
        if self.has_infinity() { ((1 << exponent) - 1) << mantissa } else { self.nan() }
    }

    fn sign(self) -> u32 {
        let (exponent, mantissa) = self.shape();
        1 << (exponent + mantissa)
    }
}

/// The number that bits stand for.
pub(crate) fn decode(format: Format, bits: u32) -> f64 {
    let (exponent_bits, mantissa_bits) = format.shape();
    let bits = if format == Format::Tf32 { bits >> 13 } else { bits };
    let sign = if bits & format.sign() != 0 { -1.0 } else { 1.0 };
    let magnitude = bits & (format.sign() - 1);
    if format == Format::E4m3 && magnitude == 0x7f {
        return f64::NAN;
    }
    let exponent = (magnitude >> mantissa_bits).cast_signed();
    let mantissa = f64::from(magnitude & ((1 << mantissa_bits) - 1));
    let bias = (1 << (exponent_bits - 1)) - 1;
    if format.has_infinity() && exponent == (1 << exponent_bits) - 1 {
        return if mantissa == 0.0 { sign * f64::INFINITY } else { f64::NAN };
    }
    let (mantissa, exponent) =
        if exponent == 0 { (mantissa, 1) } else { (mantissa + f64::from(1 << mantissa_bits), exponent) };
    sign * mantissa * power_of_two(exponent - bias - mantissa_bits)
}

fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023).clamp(1, 2046) as u64) << 52)
}

/// The bits of a number in a format. With `saturate`, what is too large becomes the largest finite number.
///
/// The number is exact, or rounded to odd to 53 bits.
pub(crate) fn round(value: f64, format: Format, mode: Mode, saturate: bool) -> u32 {
    if value.is_nan() {
        return format.nan();
    }
    let sign = if value.is_sign_negative() { format.sign() } else { 0 };
    let bits = magnitude(value, format, mode, saturate) | sign;
    if format == Format::Tf32 { bits << 13 } else { bits }
}

fn magnitude(value: f64, format: Format, mode: Mode, saturate: bool) -> u32 {
    let (exponent_bits, mantissa_bits) = format.shape();
    let is_negative = value.is_sign_negative();
    let too_large = |is_exact: bool| {
        let toward_zero = match mode {
            Mode::Nearest | Mode::Away => false,
            Mode::Zero => true,
            Mode::Down => !is_negative,
            Mode::Up => is_negative,
        };
        if saturate || (toward_zero && !is_exact) { format.largest() } else { format.infinity() }
    };
    if value.is_infinite() {
        return too_large(true);
    }
    let bits = value.abs().to_bits();
    if bits == 0 {
        return 0;
    }
    // Numbers below the smallest normal f64 are far below every format here; one bit stands for them.
    let exponent = ((bits >> 52) as i32 - 1023).max(-1022);
    let significand = (bits & ((1 << 52) - 1)) | (u64::from(bits >> 52 != 0) << 52);
    let bias = (1 << (exponent_bits - 1)) - 1;
    let lowest = 1 - bias;
    let dropped = (52 - mantissa_bits + (lowest - exponent).max(0)).min(63) as u32;
    let kept = significand >> dropped;
    let rest = significand & ((1 << dropped) - 1);
    let half = 1u64 << (dropped - 1);
    let up = match mode {
        Mode::Nearest => rest > half || (rest == half && kept & 1 == 1),
        Mode::Away => rest >= half,
        Mode::Zero => false,
        Mode::Down => is_negative && rest > 0,
        Mode::Up => !is_negative && rest > 0,
    };
    let kept = kept + u64::from(up);
    let biased = if exponent < lowest { 0 } else { (exponent + bias - 1) as u64 };
    // A mantissa that overflows carries into the exponent, as it should.
    let result = (biased << mantissa_bits) + kept;
    if result > u64::from(format.largest()) { too_large(false) } else { result as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};

    #[test]
    fn all_16_bit_numbers_come_back() {
        for bits in 0..=u16::MAX {
            let half = f16::from_bits(bits);
            if !half.is_nan() {
                assert_eq!(decode(Format::F16, bits.into()), half.to_f64());
                assert_eq!(round(half.to_f64(), Format::F16, Mode::Nearest, false), bits.into());
            }
            let brain = bf16::from_bits(bits);
            if !brain.is_nan() {
                assert_eq!(decode(Format::Bf16, bits.into()), brain.to_f64());
                assert_eq!(round(brain.to_f64(), Format::Bf16, Mode::Up, false), bits.into());
            }
        }
    }

    #[test]
    fn f32_rounds_as_the_processor_does() {
        for (step, seed) in [(1.0e-3, 1u64), (1.0e30, 2), (1.0e-42, 3)] {
            let mut state = seed;
            for _ in 0..10_000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let value = (state >> 11) as f64 / 1e12 * step;
                assert_eq!(round(value, Format::F32, Mode::Nearest, false), (value as f32).to_bits(), "{value:e}");
            }
        }
        assert_eq!(round(1e39, Format::F32, Mode::Nearest, false), f32::INFINITY.to_bits());
        assert_eq!(round(1e39, Format::F32, Mode::Zero, false), f32::MAX.to_bits());
        assert_eq!(round(-1e39, Format::F32, Mode::Down, false), f32::NEG_INFINITY.to_bits());
    }

    #[test]
    fn narrow_formats_saturate() {
        assert_eq!(round(1000.0, Format::E4m3, Mode::Nearest, true), 0x7e);
        assert_eq!(round(-1e9, Format::E5m2, Mode::Nearest, true), 0xfb);
        assert_eq!(round(f64::NAN, Format::E4m3, Mode::Nearest, true), 0x7f);
        assert_eq!(decode(Format::E4m3, 0x7e), 448.0);
        assert_eq!(decode(Format::E5m2, 0x7b), 57344.0);
        assert_eq!(decode(Format::E4m3, 0x01), 1.0 / 512.0);
        assert_eq!(round(6.0, Format::E2m1, Mode::Nearest, true), 7);
        assert_eq!(decode(Format::E2m1, 1), 0.5);
        assert_eq!(round(1.0 + 1.0 / 2048.0, Format::Tf32, Mode::Away, false), (1.0f32 + 1.0 / 1024.0).to_bits());
    }
}
