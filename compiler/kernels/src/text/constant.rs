//! Constants.

use std::fmt::Write;

use super::{Scalar, Ty, Val, Writer};

impl Writer {
    /// An integer constant of this type; for a vector type, in all lanes. Wraps to the width.
    pub fn int(&mut self, ty: Ty, value: i64) -> Val {
        let value = wrap(ty.elem(), value);
        let v = self.constant(ty, vec![value as u64], literal(ty, &int_text(ty.elem(), value)));
        self.remember_int(v, value);
        v
    }

    /// An `i64` constant.
    pub fn i64(&mut self, value: i64) -> Val {
        self.int(Ty::I64, value)
    }

    /// An `i32` constant.
    pub fn i32(&mut self, value: i32) -> Val {
        self.int(Ty::I32, value.into())
    }

    /// An `i1` constant.
    pub fn bool(&mut self, value: bool) -> Val {
        self.int(Ty::I1, value.into())
    }

    /// A float constant, rounded to the type to nearest even; for a vector type, in all lanes.
    pub fn float(&mut self, ty: Ty, value: f64) -> Val {
        let bits = float_bits(ty.elem(), value);
        self.float_bits(ty, bits)
    }

    /// A float constant given by its bits.
    pub fn float_bits(&mut self, ty: Ty, bits: u64) -> Val {
        let text = float_text(ty.elem(), bits);
        self.constant(ty, vec![bits], literal(ty, &text))
    }

    /// Zero of an integer or float type.
    pub fn zero(&mut self, ty: Ty) -> Val {
        match ty.elem().is_float() {
            true => self.float(ty, 0.0),
            false => self.int(ty, 0),
        }
    }

    /// A constant vector of these integers.
    pub fn ints(&mut self, elem: Scalar, values: &[i64]) -> Val {
        let ty = Ty::vector(elem, values.len() as u32);
        let mut text = String::from("arith.constant dense<[");
        for (i, &v) in values.iter().enumerate() {
            let item = int_text(elem, wrap(elem, v));
            write!(text, "{}{item}", if i == 0 { "" } else { ", " }).expect("writing to a string");
        }
        write!(text, "]> : {ty}").expect("writing to a string");
        // A splat's key has one word; the leading mark keeps one-lane lists apart from it.
        let key = std::iter::once(u64::MAX).chain(values.iter().map(|&v| v as u64)).collect();
        self.constant(ty, key, text)
    }

    /// The constant vector 0, 1, 2, ...
    pub fn iota(&mut self, elem: Scalar, lanes: u32) -> Val {
        let values: Vec<i64> = (0..i64::from(lanes)).collect();
        self.ints(elem, &values)
    }
}

fn literal(ty: Ty, item: &str) -> String {
    match ty {
        Ty::Vector(..) => format!("arith.constant dense<{item}> : {ty}"),
        Ty::Scalar(Scalar::I1) => format!("arith.constant {item}"),
        _ => format!("arith.constant {item} : {ty}"),
    }
}

fn int_text(elem: Scalar, value: i64) -> String {
    match elem {
        Scalar::I1 => (value != 0).to_string(),
        _ => value.to_string(),
    }
}

/// The value as this width holds it: sign-extended, `i1` as 0 or 1.
pub(super) fn wrap(elem: Scalar, value: i64) -> i64 {
    match elem.bits() {
        1 => value & 1,
        64 => value,
        n => value << (64 - n) >> (64 - n),
    }
}

/// Decimal text where that is exact and finite, the bits otherwise. MLIR reads decimals as doubles, so the text is
/// that of the value as a double.
fn float_text(elem: Scalar, bits: u64) -> String {
    let value = float_value(elem, bits);
    if !value.is_finite() {
        let digits = elem.bits() as usize / 4;
        return format!("0x{bits:0digits$X}");
    }
    let text = format!("{value:?}");
    match text.split_once('e') {
        Some((m, e)) if !m.contains('.') => format!("{m}.0e{e}"),
        _ => text,
    }
}

fn float_value(elem: Scalar, bits: u64) -> f64 {
    match elem {
        Scalar::F64 => f64::from_bits(bits),
        Scalar::F32 => f32::from_bits(bits as u32).into(),
        Scalar::BF16 => f32::from_bits((bits as u32) << 16).into(),
        Scalar::F16 => {
            let (sign, exp, frac) = (bits >> 15 & 1, (bits >> 10 & 31) as i32, (bits & 1023) as f64);
            let size = match exp {
                31 if frac == 0.0 => f64::INFINITY,
                31 => f64::NAN,
                0 => frac * 2f64.powi(-24),
                _ => (1024.0 + frac) * 2f64.powi(exp - 25),
            };
            if sign == 1 { -size } else { size }
        }
        other => unreachable!("a float constant of type {other}"),
    }
}

/// Bits of the value rounded to nearest even in the format.
fn float_bits(elem: Scalar, value: f64) -> u64 {
    match elem {
        Scalar::F64 => value.to_bits(),
        Scalar::F32 => (value as f32).to_bits().into(),
        Scalar::F16 => round_bits(value, 10, 5),
        Scalar::BF16 => round_bits(value, 7, 8),
        other => unreachable!("a float constant of type {other}"),
    }
}

/// Rounds a double to an IEEE format with so many fraction and exponent bits.
fn round_bits(value: f64, frac: i32, exp: i32) -> u64 {
    let sign = (value.is_sign_negative() as u64) << (frac + exp);
    let inf = ((1u64 << exp) - 1) << frac;
    let bias = (1 << (exp - 1)) - 1;
    let size = value.abs();
    if size.is_nan() {
        return sign | inf | 1 << (frac - 1);
    }
    if size.is_infinite() {
        return sign | inf;
    }
    // The exponent of the unit in the last place; denormals share the smallest.
    let e = ((size.to_bits() >> 52) as i32 - 1023).max(1 - bias);
    let units = (size * 2f64.powi(frac - e)).round_ties_even() as u64;
    // A carry out of the fraction runs into the exponent, up to infinity, as it should.
    let bits = ((((e + bias - 1) as u64) << frac) + units).min(inf);
    sign | bits
}
