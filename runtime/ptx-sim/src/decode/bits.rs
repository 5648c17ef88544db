//! Bitwise instructions and shifts.

use super::{Decoder, View};
use crate::error::Error;
use crate::row::{MapFn, map1, map2, map3, map4};
use crate::ty::Ty;

impl Decoder<'_> {
    /// Logic, shifts, fields and counts.
    pub(super) fn bit_function(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let head = view.head();
        if matches!(head, "dp4a" | "dp2a") {
            return self.dot_product(view);
        }
        let mode = view.words.any(&["clamp", "wrap"]);
        let side = if head == "shf" { view.words.any(&["l", "r"]) } else { None };
        let shift_amount = view.words.has("shiftamt");
        let ty = view.words.find(Ty::parse).ok_or_else(|| view.unknown("there is no type"))?;
        let to = self.target(view, 0)?;
        // The last operand of shifts and fields is 32 bits wide whatever the type.
        let from =
            self.sources_from(view, 1, if matches!(head, "bfe" | "bfi" | "shl" | "shr") { Ty::B(64) } else { ty })?;
        let found = match (head, from.len()) {
            ("and" | "or" | "xor" | "not" | "cnot" | "lop3", _) => logic(head, ty, from.len()),
            ("shl" | "shr", 2) => shift(head, ty),
            ("shf", 3) => funnel(side, mode),
            ("bfe", 3) => field(ty),
            ("bfi", 4) => insert(ty),
            ("popc" | "clz" | "brev", 1) => count(head, ty),
            ("bfind", 1) => find(ty, shift_amount),
            ("bmsk", 2) => mode.map(|mode| mask(mode == "clamp")),
            ("szext", 2) => mode.and_then(|mode| extend(mode == "clamp", ty)),
            _ => None,
        };
        let f = found.ok_or_else(|| view.unknown("no such type, mode or number of operands"))?;
        self.push_map(view, f, to, &from);
        Ok(())
    }

    /// `dp4a`, `dp2a`: products of bytes, summed.
    fn dot_product(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let half = view.words.any(&["lo", "hi"]);
        let types = view.words.types();
        let [a_ty @ (Ty::U(32) | Ty::S(32)), b_ty @ (Ty::U(32) | Ty::S(32))] = types[..] else {
            return Err(view.unknown("no such types of it"));
        };
        view.exactly(4)?;
        let is_four = view.head() == "dp4a";
        let byte = |bits: u32, at: u32, ty: Ty| {
            let byte = (bits >> (8 * at)) as u8;
            if ty == Ty::S(32) { i64::from(byte as i8) } else { i64::from(byte) }
        };
        let word = |bits: u32, at: u32, ty: Ty| {
            let word = (bits >> (16 * at)) as u16;
            if ty == Ty::S(32) { i64::from(word as i16) } else { i64::from(word) }
        };
        let shift = if half == Some("hi") { 2 } else { 0 };
        let f = map3(move |a: u32, b: u32, c: u32| {
            let sum: i64 = match is_four {
                true => (0..4).map(|at| byte(a, at, a_ty) * byte(b, at, b_ty)).sum(),
                false => (0..2).map(|at| word(a, at, a_ty) * byte(b, at + shift, b_ty)).sum(),
            };
            c.wrapping_add(sum as u32)
        });
        let to = self.target(view, 0)?;
        let from = self.sources_from(view, 1, Ty::B(32))?;
        self.push_map(view, f, to, &from);
        Ok(())
    }
}

fn logic(head: &str, ty: Ty, operands: usize) -> Option<MapFn> {
    let all = match ty {
        Ty::Pred => 1,
        Ty::B(16) => u64::from(u16::MAX),
        Ty::B(32) => u64::from(u32::MAX),
        Ty::B(64) => u64::MAX,
        _ => return None,
    };
    Some(match (head, operands) {
        ("and", 2) => map2(|a: u64, b: u64| a & b),
        ("or", 2) => map2(|a: u64, b: u64| a | b),
        ("xor", 2) => map2(move |a: u64, b: u64| (a ^ b) & all),
        ("not", 1) => map1(move |a: u64| !a & all),
        ("cnot", 1) => map1(move |a: u64| u64::from(a & all == 0)),
        ("lop3", 4) => map4(|a: u32, b: u32, c: u32, table: u32| {
            (0..8).filter(|row| table >> row & 1 == 1).fold(0, |sum, row| {
                let part = |x: u32, bit: u32| if row >> bit & 1 == 1 { x } else { !x };
                sum | (part(a, 2) & part(b, 1) & part(c, 0))
            })
        }),
        _ => return None,
    })
}

/// Amounts above the size count as the size.
fn shift(head: &str, ty: Ty) -> Option<MapFn> {
    let is_left = head == "shl";
    if is_left && !matches!(ty, Ty::B(_)) {
        return None;
    }
    macro_rules! bitshift {
        ($T:ty) => {
            map2(move |a: $T, n: u32| if is_left { a.checked_shl(n) } else { a.checked_shr(n) }.unwrap_or(0))
        };
    }
    Some(match ty {
        Ty::S(16) => map2(|a: i16, n: u32| a >> n.min(15)),
        Ty::S(32) => map2(|a: i32, n: u32| a >> n.min(31)),
        Ty::S(64) => map2(|a: i64, n: u32| a >> n.min(63)),
        Ty::U(16) | Ty::B(16) => bitshift!(u16),
        Ty::U(32) | Ty::B(32) => bitshift!(u32),
        Ty::U(64) | Ty::B(64) => bitshift!(u64),
        _ => return None,
    })
}

fn funnel(side: Option<&str>, mode: Option<&str>) -> Option<MapFn> {
    let (is_left, clamps) = (side? == "l", mode? == "clamp");
    Some(map3(move |a: u32, b: u32, n: u32| {
        let n = if clamps { n.min(32) } else { n & 31 };
        let pair = u64::from(b) << 32 | u64::from(a);
        if is_left { ((pair << n) >> 32) as u32 } else { (pair >> n) as u32 }
    }))
}

/// `bfe`: what lies beyond the top bit is the sign.
fn field(ty: Ty) -> Option<MapFn> {
    let top = ty.bits() - 1;
    let is_signed = matches!(ty, Ty::S(_));
    let extract = move |a: u64, position: u32, length: u32| {
        let (position, length) = (position & 0xff, length & 0xff);
        let bit = |at: u32| a >> at.min(63) & 1;
        let sign = if !is_signed || length == 0 { 0 } else { bit((position + length - 1).min(top)) };
        let mut result = 0u64;
        for at in 0..=top {
            let value = if at < length && position + at <= top { bit(position + at) } else { sign };
            result |= value << at;
        }
        result
    };
    match ty {
        Ty::U(32 | 64) | Ty::S(32 | 64) => Some(map3(extract)),
        _ => None,
    }
}

fn insert(ty: Ty) -> Option<MapFn> {
    let bits = ty.bits();
    let Ty::B(32 | 64) = ty else { return None };
    Some(map4(move |a: u64, b: u64, position: u32, length: u32| {
        let (position, length) = (position & 0xff, length & 0xff);
        (0..length.min(bits)).filter(|at| position + at < bits).fold(b, |result, at| {
            let bit = 1u64 << (position + at);
            if a >> at & 1 == 1 { result | bit } else { result & !bit }
        })
    }))
}

fn count(head: &str, ty: Ty) -> Option<MapFn> {
    Some(match (head, ty) {
        ("popc", Ty::B(32)) => map1(|a: u32| a.count_ones()),
        ("popc", Ty::B(64)) => map1(|a: u64| a.count_ones()),
        ("clz", Ty::B(32)) => map1(|a: u32| a.leading_zeros()),
        ("clz", Ty::B(64)) => map1(|a: u64| a.leading_zeros()),
        ("brev", Ty::B(32)) => map1(|a: u32| a.reverse_bits()),
        ("brev", Ty::B(64)) => map1(|a: u64| a.reverse_bits()),
        _ => return None,
    })
}

/// The highest bit that is not the sign; all ones if there is none.
fn find(ty: Ty, shift_amount: bool) -> Option<MapFn> {
    let place = move |bits: u64, size: u32| match bits.checked_ilog2() {
        None => u32::MAX,
        Some(at) if shift_amount => size - 1 - at,
        Some(at) => at,
    };
    Some(match ty {
        Ty::U(32) => map1(move |a: u32| place(a.into(), 32)),
        Ty::U(64) => map1(move |a: u64| place(a, 64)),
        Ty::S(32) => map1(move |a: i32| place((if a < 0 { !a } else { a }) as u64, 32)),
        Ty::S(64) => map1(move |a: i64| place((if a < 0 { !a } else { a }) as u64, 64)),
        _ => return None,
    })
}

fn mask(clamps: bool) -> MapFn {
    map2(move |position: u32, length: u32| {
        let (position, length) = if clamps { (position, length) } else { (position & 31, length & 31) };
        let ones = if length >= 32 { u32::MAX } else { (1 << length) - 1 };
        ones.checked_shl(position).unwrap_or(0)
    })
}

fn extend(clamps: bool, ty: Ty) -> Option<MapFn> {
    let is_signed = match ty {
        Ty::S(32) => true,
        Ty::U(32) => false,
        _ => return None,
    };
    Some(map2(move |a: u32, n: u32| {
        let n = if clamps { n.min(32) } else { n & 31 };
        match (n, is_signed) {
            (0, _) => 0,
            (n, true) => ((a << (32 - n)).cast_signed() >> (32 - n)).cast_unsigned(),
            (n, false) => a << (32 - n) >> (32 - n),
        }
    }))
}
