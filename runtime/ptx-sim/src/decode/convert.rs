//! `cvt`: every type to every other.

use super::floats::{canonical, flush};
use super::{Decoder, View};
use crate::error::Error;
use crate::float::{self, Format, Mode};
use crate::row::{MapFn, map1};
use crate::ty::Ty;
use half::f16;

/// What a conversion does.
#[derive(Clone, Copy)]
pub(super) struct Spec {
    pub(super) to: Ty,
    pub(super) from: Ty,
    pub(super) mode: Option<Mode>,
    /// Rounds a float to an integer.
    pub(super) to_integer: bool,
    pub(super) ftz: bool,
    pub(super) sat: bool,
    pub(super) relu: bool,
    pub(super) finite: bool,
}

/// A number between its old and its new type.
#[derive(Clone, Copy)]
enum Number {
    Int(i128),
    Float(f64),
}

/// The format of a narrow float type.
pub(super) fn format_of(ty: Ty) -> Option<Format> {
    Some(match ty {
        Ty::F32 => Format::F32,
        Ty::F16 | Ty::F16x2 => Format::F16,
        Ty::Bf16 | Ty::Bf16x2 => Format::Bf16,
        Ty::Tf32 => Format::Tf32,
        _ => return None,
    })
}

impl Decoder<'_> {
    /// `cvt`.
    pub(super) fn conversion(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let words = &mut view.words;
        let integer = words.find(|word| Mode::parse(word).filter(|_| word.ends_with('i')));
        let mode = integer.or_else(|| words.find(Mode::parse));
        let mut spec = Spec {
            to: Ty::Pred,
            from: Ty::Pred,
            mode,
            to_integer: integer.is_some(),
            ftz: words.has("ftz"),
            sat: words.has("sat"),
            relu: words.has("relu"),
            finite: words.has("satfinite"),
        };
        if words.rest().iter().any(|word| super::packed::is_packed(word)) {
            return self.packed_conversion(view, spec);
        }
        let types = words.types();
        let [to, from] = types[..] else { return Err(view.unknown("two types were expected")) };
        (spec.to, spec.from) = (to, from);
        view.exactly(2)?;
        let width = self.width(view, view.operand(0)?);
        let source = self.source(view, 1, from)?;
        let target = self.target(view, 0)?;
        let f = fast(spec, width)
            .map_or_else(|| general(spec, width).ok_or_else(|| view.unknown("no such types of it")), Ok)?;
        self.push_map(view, f, target, &[source]);
        Ok(())
    }
}

/// The frequent ones, without detours.
fn fast(spec: Spec, width: u32) -> Option<MapFn> {
    if spec.sat || spec.relu || spec.ftz || spec.finite {
        return None;
    }
    let nearest = spec.mode == Some(Mode::Nearest) && !spec.to_integer;
    Some(match (spec.to, spec.from) {
        (Ty::U(_), Ty::U(8)) => map1(|a: u8| a),
        (Ty::U(16), Ty::U(_)) => map1(|a: u16| a),
        (Ty::U(32), Ty::U(64)) => map1(|a: u32| a),
        (Ty::U(64), Ty::U(32)) => map1(|a: u32| a),
        (Ty::S(64), Ty::S(32)) if width == 64 => map1(|a: i32| i64::from(a)),
        (Ty::F32, Ty::S(32)) if nearest => map1(|a: i32| a as f32),
        (Ty::F32, Ty::F16) => map1(|a: f16| canonical(a.to_f32())),
        (Ty::F16, Ty::F32) if nearest => {
            map1(|a: f32| if a.is_nan() { f16::from_bits(0x7fff) } else { f16::from_f32(a) })
        }
        _ => return None,
    })
}

fn general(spec: Spec, width: u32) -> Option<MapFn> {
    let known = |ty: Ty| ty.is_int() || ty == Ty::F64 || format_of(ty).is_some();
    let is_packed = |ty: Ty| matches!(ty, Ty::F16x2 | Ty::Bf16x2);
    if !known(spec.to) || !known(spec.from) || is_packed(spec.to) || is_packed(spec.from) {
        return None;
    }
    Some(map1(move |bits: u64| {
        let number = read(spec, bits);
        let result = write(spec, number);
        // A signed result fills a wider register.
        match spec.to {
            Ty::S(bits) if bits < width && width <= 64 => {
                let shift = 64 - bits;
                let extended = ((result << shift).cast_signed() >> shift).cast_unsigned();
                if width == 64 { extended } else { extended & ((1 << width) - 1) }
            }
            _ => result,
        }
    }))
}

fn read(spec: Spec, bits: u64) -> Number {
    match spec.from {
        Ty::U(size) | Ty::B(size) => Number::Int(i128::from(bits) & ((1 << size) - 1)),
        Ty::S(size) => Number::Int(i128::from((bits << (64 - size)).cast_signed() >> (64 - size))),
        Ty::F64 => Number::Float(f64::from_bits(bits)),
        Ty::F32 if spec.ftz => Number::Float(flush(f32::from_bits(bits as u32)).into()),
        Ty::F32 => Number::Float(f32::from_bits(bits as u32).into()),
        ty => Number::Float(format_of(ty).map_or(f64::NAN, |format| float::decode(format, bits as u32 & 0xffff))),
    }
}

fn write(spec: Spec, number: Number) -> u64 {
    match (spec.to, number) {
        (Ty::U(size) | Ty::B(size), Number::Int(value)) => {
            let top = (1i128 << size) - 1;
            (if spec.sat { value.clamp(0, top) } else { value & top }) as u64
        }
        (Ty::S(size), Number::Int(value)) => {
            let top = (1i128 << (size - 1)) - 1;
            let value = if spec.sat { value.clamp(-top - 1, top) } else { value };
            (value & ((1 << size) - 1)) as u64
        }
        (Ty::U(_) | Ty::S(_) | Ty::B(_), Number::Float(value)) => float_to_int(spec, value),
        (_, Number::Int(value)) => int_to_float(spec, value),
        (_, Number::Float(value)) => float_to_float(spec, value),
    }
}

/// A float as a whole number in a mode.
fn whole(value: f64, mode: Mode) -> f64 {
    match mode {
        Mode::Nearest => value.round_ties_even(),
        Mode::Away => value.round(),
        Mode::Zero => value.trunc(),
        Mode::Down => value.floor(),
        Mode::Up => value.ceil(),
    }
}

/// Numbers beyond the type become its nearest; NaN becomes 0, or for 64 bits and from `f64` the top bit alone.
fn float_to_int(spec: Spec, value: f64) -> u64 {
    let size = spec.to.bits();
    if value.is_nan() {
        return if spec.from == Ty::F64 || size == 64 { 1 << (size - 1) } else { 0 };
    }
    let value = whole(value, spec.mode.unwrap_or(Mode::Zero));
    let all = (1i128 << size) - 1;
    match spec.to {
        // Casts saturate at the bounds of i128, which are farther than any type here.
        Ty::S(_) => ((value as i128).clamp(-(1 << (size - 1)), (1 << (size - 1)) - 1) & all) as u64,
        _ => (value as i128).clamp(0, all) as u64,
    }
}

fn int_to_float(spec: Spec, value: i128) -> u64 {
    let mode = spec.mode.unwrap_or(Mode::Nearest);
    let nearest = value as f64;
    let missing = (value - nearest as i128) as f64;
    if spec.to == Ty::F64 {
        return float::directed(nearest, missing, mode).to_bits();
    }
    let truncated = float::directed(nearest, missing, Mode::Zero);
    let odd = if missing == 0.0 { nearest } else { f64::from_bits(truncated.to_bits() | 1) };
    finish(spec, odd)
}

fn float_to_float(spec: Spec, value: f64) -> u64 {
    let value = match (spec.to_integer, spec.mode) {
        (true, Some(mode)) => whole(value, mode),
        _ => value,
    };
    finish(spec, value)
}

/// Rounds to the float type, with what modifiers say.
fn finish(spec: Spec, value: f64) -> u64 {
    let value = match spec.sat {
        true if value.is_nan() => 0.0,
        true => value.clamp(0.0, 1.0) + 0.0,
        false => value,
    };
    let value = if spec.relu && value <= 0.0 { 0.0 } else { value };
    let mode = if spec.to_integer { Mode::Nearest } else { spec.mode.unwrap_or(Mode::Nearest) };
    match (spec.to, format_of(spec.to)) {
        (Ty::F32, _) if spec.ftz => {
            flush(f32::from_bits(float::round(value, Format::F32, mode, spec.finite))).to_bits().into()
        }
        (_, Some(format)) => float::round(value, format, mode, spec.finite).into(),
        _ => value.to_bits(),
    }
}
