//! One element as a number, whatever its storage type.

use crate::DType;
use half::{bf16, f16};

/// A single element, widened: what the reference evaluator computes with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// Any signed or unsigned integer type.
    Int(i128),
    /// Any floating-point type.
    Float(f64),
    /// A truth value.
    Bool(bool),
}

impl Scalar {
    /// The value as a float; integers round to nearest, `true` is 1.
    pub fn as_f64(self) -> f64 {
        match self {
            Scalar::Int(v) => v as f64,
            Scalar::Float(v) => v,
            Scalar::Bool(v) => f64::from(u8::from(v)),
        }
    }

    /// The value as an integer; floats truncate and saturate, NaN is 0.
    pub fn as_int(self) -> i128 {
        match self {
            Scalar::Int(v) => v,
            Scalar::Float(v) => v as i128,
            Scalar::Bool(v) => i128::from(v),
        }
    }

    /// Whether the value differs from zero; NaN does.
    pub fn as_bool(self) -> bool {
        match self {
            Scalar::Int(v) => v != 0,
            Scalar::Float(v) => v != 0.0,
            Scalar::Bool(v) => v,
        }
    }

    /// Reads an element from its little-endian bytes.
    ///
    /// # Panics
    /// If `bytes` is shorter than the element.
    pub fn load(dtype: DType, bytes: &[u8]) -> Scalar {
        fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
            let mut out = [0; N];
            out.copy_from_slice(&bytes[..N]);
            out
        }
        match dtype {
            DType::Bool => Scalar::Bool(bytes[0] != 0),
            DType::I8 | DType::I4 | DType::I2 => Scalar::Int((bytes[0] as i8).into()),
            DType::U8 | DType::U4 | DType::U2 => Scalar::Int(bytes[0].into()),
            DType::I16 => Scalar::Int(i16::from_le_bytes(fixed(bytes)).into()),
            DType::I32 => Scalar::Int(i32::from_le_bytes(fixed(bytes)).into()),
            DType::I64 => Scalar::Int(i64::from_le_bytes(fixed(bytes)).into()),
            DType::U16 => Scalar::Int(u16::from_le_bytes(fixed(bytes)).into()),
            DType::U32 => Scalar::Int(u32::from_le_bytes(fixed(bytes)).into()),
            DType::U64 => Scalar::Int(u64::from_le_bytes(fixed(bytes)).into()),
            DType::F16 => Scalar::Float(f16::from_le_bytes(fixed(bytes)).into()),
            DType::BF16 => Scalar::Float(bf16::from_le_bytes(fixed(bytes)).into()),
            DType::F32 => Scalar::Float(f32::from_le_bytes(fixed(bytes)).into()),
            DType::F64 => Scalar::Float(f64::from_le_bytes(fixed(bytes))),
            tiny => Scalar::Float(decode_tiny(tiny, bytes[0])),
        }
    }

    /// Writes the element's little-endian bytes. Integers wrap, floats round to nearest even
    /// (tiny floats saturate to their largest finite value, as ONNX's `Cast` does by default).
    ///
    /// # Panics
    /// If `out` is shorter than the element.
    pub fn store(self, dtype: DType, out: &mut [u8]) {
        let int = |bits: u32| {
            let v = match self {
                Scalar::Float(v) => float_to_int(v, dtype),
                other => other.as_int(),
            };
            let wrapped = v & ((1i128 << bits) - 1);
            if dtype.is_signed_int() && wrapped >> (bits - 1) != 0 { wrapped - (1i128 << bits) } else { wrapped }
        };
        match dtype {
            DType::Bool => out[0] = u8::from(self.as_bool()),
            DType::F16 => out[..2].copy_from_slice(&f16::from_f64(self.as_f64()).to_le_bytes()),
            DType::BF16 => out[..2].copy_from_slice(&bf16::from_f64(self.as_f64()).to_le_bytes()),
            DType::F32 => out[..4].copy_from_slice(&(self.as_f64() as f32).to_le_bytes()),
            DType::F64 => out[..8].copy_from_slice(&self.as_f64().to_le_bytes()),
            tiny if tiny.is_tiny_float() => out[0] = encode_tiny(tiny, self.as_f64(), true),
            _ => {
                let size = dtype.size();
                out[..size].copy_from_slice(&int(dtype.bits()).to_le_bytes()[..size]);
            }
        }
    }
}

/// C-like conversion that never traps: truncation, values outside saturate to 64 bits and then wrap.
fn float_to_int(v: f64, dtype: DType) -> i128 {
    if dtype == DType::U64 {
        i128::from(v as u64) | if v < 0.0 { i128::from(v as i64) } else { 0 }
    } else {
        i128::from(v as i64)
    }
}

/// Exponent bits, mantissa bits and bias of a format of at most eight bits.
struct TinyFormat {
    mantissa: u32,
    exponent: u32,
    bias: i32,
    /// Largest finite value.
    max: f64,
}

fn tiny_format(dtype: DType) -> TinyFormat {
    let (exponent, mantissa, bias, max) = match dtype {
        DType::F8E4M3FN => (4, 3, 7, 448.0),
        DType::F8E4M3FNUZ => (4, 3, 8, 240.0),
        DType::F8E5M2 => (5, 2, 15, 57344.0),
        DType::F8E5M2FNUZ => (5, 2, 16, 57344.0),
        _ => (2, 1, 1, 6.0),
    };
    TinyFormat { mantissa, exponent, bias, max }
}

/// The value of a tiny float's code. Codes: OCP 8-bit floating point specification 1.0, OCP MX 1.0, and the FNUZ variants of ONNX.
pub(crate) fn decode_tiny(dtype: DType, code: u8) -> f64 {
    match (dtype, code) {
        (DType::F8E8M0, 0xff) => return f64::NAN,
        (DType::F8E8M0, _) => return (f64::from(code) - 127.0).exp2(),
        (DType::F8E4M3FN, 0x7f | 0xff) | (DType::F8E4M3FNUZ | DType::F8E5M2FNUZ, 0x80) => {
            return f64::NAN;
        }
        (DType::F8E5M2, _) if code & 0x7f > 0x7c => return f64::NAN,
        (DType::F8E5M2, 0x7c) => return f64::INFINITY,
        (DType::F8E5M2, 0xfc) => return f64::NEG_INFINITY,
        _ => {}
    }
    let format = tiny_format(dtype);
    let sign = if code >> (format.mantissa + format.exponent) & 1 == 1 { -1.0 } else { 1.0 };
    let mantissa = f64::from(code & ((1 << format.mantissa) - 1)) / f64::from(1 << format.mantissa);
    let exponent = i32::from(code >> format.mantissa & ((1 << format.exponent) - 1));
    let magnitude = match exponent {
        0 => mantissa * f64::from(1 - format.bias).exp2(),
        e => (1.0 + mantissa) * f64::from(e - format.bias).exp2(),
    };
    sign * magnitude
}

/// The code nearest to `v` (ties to even). `saturate` decides whether too large values become the largest
/// finite value or the format's infinity or NaN.
pub(crate) fn encode_tiny(dtype: DType, v: f64, saturate: bool) -> u8 {
    if dtype == DType::F8E8M0 {
        return encode_e8m0(v, saturate);
    }
    let format = tiny_format(dtype);
    let sign_bit = 1u8 << (format.mantissa + format.exponent);
    let sign = if v.is_sign_negative() { sign_bit } else { 0 };
    let unsigned_zero = matches!(dtype, DType::F8E4M3FNUZ | DType::F8E5M2FNUZ);
    let nan = match dtype {
        DType::F8E4M3FN => 0x7f | sign,
        DType::F8E5M2 => 0x7e | sign,
        DType::F4E2M1 => 0x07 | sign,
        _ => 0x80,
    };
    if v.is_nan() {
        // The standard leaves open what becomes of NaN where there is none; its cases have negative zero.
        return if dtype == DType::F4E2M1 { sign_bit } else { nan };
    }
    let max_code = (0..sign_bit).rev().find(|c| decode_tiny(dtype, *c) == format.max).unwrap_or(sign_bit - 1);
    let step_at = |x: f64| (x.abs().log2().floor() as i32).max(1 - format.bias) - format.mantissa as i32;
    let magnitude = v.abs();
    let rounded = if magnitude == 0.0 || magnitude.is_infinite() {
        magnitude
    } else {
        let step = f64::from(step_at(magnitude)).exp2();
        (magnitude / step).round_ties_even() * step
    };
    if rounded > format.max {
        return match (dtype, saturate) {
            (_, true) | (DType::F4E2M1, _) => max_code | sign,
            (DType::F8E5M2, false) => 0x7c | sign,
            _ => nan,
        };
    }
    if rounded == 0.0 && unsigned_zero {
        return 0;
    }
    let code = (0..=max_code).find(|c| decode_tiny(dtype, *c) == rounded).unwrap_or(0);
    code | sign
}

/// The nearer power of two; halfway goes up. Saturating, what is out of range becomes the last power on its side; otherwise NaN.
fn encode_e8m0(v: f64, saturate: bool) -> u8 {
    const NAN: u8 = 0xff;
    let magnitude = v.abs();
    let (least, most) = ((-127f64).exp2(), 127f64.exp2());
    if v.is_nan() || (!saturate && !(least..=most).contains(&magnitude)) {
        return NAN;
    }
    if magnitude == 0.0 || magnitude.is_infinite() {
        return if magnitude == 0.0 { 0 } else { 254 };
    }
    let low = magnitude.log2().floor();
    // Halfway between two powers of two the significand is 1.5; it rounds up from there.
    let rounded = if magnitude / low.exp2() >= 1.5 { low + 1.0 } else { low };
    (rounded + 127.0).clamp(0.0, 254.0) as u8
}

impl Scalar {
    /// Converts to a tiny float's code with explicit saturation, for `Cast`'s `saturate` attribute.
    pub fn to_tiny(self, dtype: DType, saturate: bool) -> u8 {
        encode_tiny(dtype, self.as_f64(), saturate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiny_codes_round_trip() {
        for dtype in DType::ALL.into_iter().filter(|d| d.is_tiny_float()) {
            let n_codes = if dtype == DType::F4E2M1 { 16 } else { 256 };
            for code in 0..n_codes {
                let v = decode_tiny(dtype, code as u8);
                if v.is_finite() {
                    assert_eq!(decode_tiny(dtype, encode_tiny(dtype, v, true)), v, "{dtype} {code:#x}");
                }
            }
        }
        assert_eq!(decode_tiny(DType::F8E4M3FN, encode_tiny(DType::F8E4M3FN, 1e9, true)), 448.0);
        assert!(decode_tiny(DType::F8E4M3FN, encode_tiny(DType::F8E4M3FN, 1e9, false)).is_nan());
    }

    #[test]
    fn integers_wrap_and_floats_truncate() {
        let mut out = [0; 8];
        Scalar::Int(300).store(DType::U8, &mut out);
        assert_eq!(out[0], 44);
        Scalar::Int(9).store(DType::I4, &mut out);
        assert_eq!(Scalar::load(DType::I4, &out), Scalar::Int(-7));
        Scalar::Float(-1.7).store(DType::I32, &mut out);
        assert_eq!(Scalar::load(DType::I32, &out), Scalar::Int(-1));
    }
}
