//! Integer arithmetic. Floating-point types of the same mnemonics are passed on.

use super::{Decoder, View};
use crate::error::Error;
use crate::row::{Lane, MapFn, map1, map2, map3};
use crate::ty::Ty;

/// Gives `$T` the Rust type of an integer type, and evaluates an expression with it.
macro_rules! by_int {
    ($ty:expr, $T:ident => $e:expr) => {
        match $ty {
            Ty::U(8) | Ty::B(8) => {
                type $T = u8;
                Some($e)
            }
            Ty::S(8) => {
                type $T = i8;
                Some($e)
            }
            Ty::U(16) | Ty::B(16) => {
                type $T = u16;
                Some($e)
            }
            Ty::S(16) => {
                type $T = i16;
                Some($e)
            }
            Ty::U(32) | Ty::B(32) => {
                type $T = u32;
                Some($e)
            }
            Ty::S(32) => {
                type $T = i32;
                Some($e)
            }
            Ty::U(64) | Ty::B(64) => {
                type $T = u64;
                Some($e)
            }
            Ty::S(64) => {
                type $T = i64;
                Some($e)
            }
            _ => None,
        }
    };
}
pub(super) use by_int;

impl Decoder<'_> {
    /// `add`, `mul`, `min` and so on, of every type.
    pub(super) fn arithmetic(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let types = view.words.types();
        let ty = *types.first().ok_or_else(|| view.unknown("there is no type"))?;
        if matches!(ty, Ty::F32 | Ty::F64 | Ty::F32x2) {
            return self.float_arithmetic(view, &types);
        }
        if matches!(ty, Ty::F16 | Ty::F16x2 | Ty::Bf16 | Ty::Bf16x2) {
            return self.half_arithmetic(view, &types);
        }
        if types.len() != 1 {
            return Err(view.unknown("more than one type"));
        }
        match view.head() {
            "mul" | "mad" | "mul24" | "mad24" | "madc" => self.product(view, ty),
            "addc" | "subc" => self.with_carry(view, ty, true),
            "add" | "sub" if view.words.has("cc") => self.with_carry(view, ty, false),
            head => {
                let f = simple(head, ty, view.words.has("sat"), view.words.has("relu"));
                let f = f.ok_or_else(|| view.unknown("no such type of it"))?;
                let to = self.target(view, 0)?;
                let from = self.sources_from(view, 1, ty)?;
                let wanted = match head {
                    "abs" | "neg" => 1,
                    "sad" => 3,
                    _ => 2,
                };
                view.exactly(wanted + 1)?;
                self.push_map(view, f, to, &from);
                Ok(())
            }
        }
    }

    fn product(&mut self, view: &mut View<'_>, ty: Ty) -> Result<(), Error> {
        let head = view.head();
        let is_mad = head.starts_with("mad");
        if head.ends_with("24") || head == "madc" || view.words.has("cc") {
            return Err(view.unknown("products with carries or of 24 bits"));
        }
        let part = view.words.any(&["lo", "hi", "wide"]).ok_or_else(|| view.unknown("neither lo, hi nor wide"))?;
        let saturates = is_mad && view.words.has("sat");
        let to = self.target(view, 0)?;
        let (a, b) = (self.source(view, 1, ty)?, self.source(view, 2, ty)?);
        let f = product_fn(part, ty).ok_or_else(|| view.unknown("no such type of it"))?;
        if !is_mad {
            view.exactly(3)?;
            self.push_map(view, f, to, &[a, b]);
            return Ok(());
        }
        view.exactly(4)?;
        let wide = if part == "wide" { widened(ty) } else { ty };
        let c = self.source(view, 3, wide)?;
        let product = self.temporary();
        self.push_map(view, f, product, &[a, b]);
        let sum = simple("add", wide, saturates, false).ok_or_else(|| view.unknown("no such type of it"))?;
        self.push_map(view, sum, to, &[product, c]);
        Ok(())
    }

    /// `add.cc`, `addc`, `sub.cc`, `subc`: the carry is a register of its own.
    fn with_carry(&mut self, view: &mut View<'_>, ty: Ty, takes: bool) -> Result<(), Error> {
        let is_sub = view.head().starts_with("sub");
        let makes = !takes || view.words.has("cc");
        view.exactly(3)?;
        let to = self.target(view, 0)?;
        let (a, b) = (self.source(view, 1, ty)?, self.source(view, 2, ty)?);
        let zero = self.constant(0);
        let carry = self.carry();
        let c = if takes { carry } else { zero };
        let mask = if ty.bits() == 32 { u128::from(u32::MAX) } else { u128::from(u64::MAX) };
        let bits = ty.bits();
        let wide = move |a: u64, b: u64, c: u64| {
            let (a, b, c) = (u128::from(a) & mask, u128::from(b) & mask, u128::from(c & 1));
            if is_sub { a.wrapping_sub(b).wrapping_sub(c) } else { a + b + c }
        };
        let (sum, next) = (self.temporary(), self.temporary());
        self.push_map(view, map3(move |a: u64, b: u64, c: u64| (wide(a, b, c) & mask) as u64), sum, &[a, b, c]);
        if makes {
            self.push_map(
                view,
                map3(move |a: u64, b: u64, c: u64| (wide(a, b, c) >> bits) as u64 & 1),
                next,
                &[a, b, c],
            );
            self.push_map(view, map1(|a: u64| a), carry, &[next]);
        }
        self.push_map(view, map1(|a: u64| a), to, &[sum]);
        Ok(())
    }
}

/// The type of twice the bits.
fn widened(ty: Ty) -> Ty {
    match ty {
        Ty::S(bits) => Ty::S(bits * 2),
        other => Ty::U(other.bits() * 2),
    }
}

fn product_fn(part: &str, ty: Ty) -> Option<MapFn> {
    macro_rules! product {
        ($($kind:pat => $T:ty, $W:ty);*) => {
            match (part, ty) {
                $(("lo", $kind) => map2(|a: $T, b: $T| a.wrapping_mul(b)),
                ("hi", $kind) => map2(|a: $T, b: $T| ((a as $W * b as $W) >> <$T>::BITS) as $T),)*
                ("wide", Ty::U(16)) => map2(|a: u16, b: u16| u32::from(a) * u32::from(b)),
                ("wide", Ty::S(16)) => map2(|a: i16, b: i16| i32::from(a) * i32::from(b)),
                ("wide", Ty::U(32)) => map2(|a: u32, b: u32| u64::from(a) * u64::from(b)),
                ("wide", Ty::S(32)) => map2(|a: i32, b: i32| i64::from(a) * i64::from(b)),
                _ => return None,
            }
        };
    }
    Some(product! {
        Ty::U(16) => u16, u32;
        Ty::S(16) => i16, i32;
        Ty::U(32) => u32, u64;
        Ty::S(32) => i32, i64;
        Ty::U(64) => u64, u128;
        Ty::S(64) => i64, i128
    })
}

/// Functions of the same type in and out.
fn simple(head: &str, ty: Ty, saturates: bool, relu: bool) -> Option<MapFn> {
    if saturates {
        return match (head, ty) {
            ("add", Ty::S(32)) => Some(map2(|a: i32, b: i32| a.saturating_add(b))),
            ("sub", Ty::S(32)) => Some(map2(|a: i32, b: i32| a.saturating_sub(b))),
            _ => None,
        };
    }
    if relu {
        return match (head, ty) {
            ("min", Ty::S(32)) => Some(map2(|a: i32, b: i32| a.min(b).max(0))),
            ("max", Ty::S(32)) => Some(map2(|a: i32, b: i32| a.max(b).max(0))),
            _ => None,
        };
    }
    match head {
        "abs" | "neg" => signed(head, ty),
        "div" | "rem" => division(head, ty),
        "sad" => {
            by_int!(ty, T => map3(|a: T, b: T, c: T| c.wrapping_add(if a > b { a.wrapping_sub(b) } else { b.wrapping_sub(a) })))
        }
        _ => by_int!(ty, T => two::<T>(head)?),
    }
}

/// What integers of all types can.
trait Int: Lane + Ord + Send + Sync + 'static {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
}

macro_rules! ints {
    ($($t:ty),*) => {$(impl Int for $t {
        #[inline(always)]
        fn plus(self, other: Self) -> Self { self.wrapping_add(other) }
        #[inline(always)]
        fn minus(self, other: Self) -> Self { self.wrapping_sub(other) }
    })*};
}

ints!(u8, i8, u16, i16, u32, i32, u64, i64);

fn two<T: Int>(head: &str) -> Option<MapFn> {
    Some(match head {
        "add" => map2(|a: T, b: T| a.plus(b)),
        "sub" => map2(|a: T, b: T| a.minus(b)),
        "min" => map2(|a: T, b: T| a.min(b)),
        "max" => map2(|a: T, b: T| a.max(b)),
        _ => return None,
    })
}

fn signed(head: &str, ty: Ty) -> Option<MapFn> {
    Some(match (head, ty) {
        ("abs", Ty::S(16)) => map1(|a: i16| a.wrapping_abs()),
        ("abs", Ty::S(32)) => map1(|a: i32| a.wrapping_abs()),
        ("abs", Ty::S(64)) => map1(|a: i64| a.wrapping_abs()),
        ("neg", Ty::S(16)) => map1(|a: i16| a.wrapping_neg()),
        ("neg", Ty::S(32)) => map1(|a: i32| a.wrapping_neg()),
        ("neg", Ty::S(64)) => map1(|a: i64| a.wrapping_neg()),
        _ => return None,
    })
}

/// Division by zero has no defined result; here it is what GPUs give: all ones, and the dividend as the remainder.
fn division(head: &str, ty: Ty) -> Option<MapFn> {
    let is_div = head == "div";
    macro_rules! divide {
        ($T:ty) => {
            map2(move |a: $T, b: $T| match (is_div, b) {
                (true, 0) => !0,
                (true, _) => a.wrapping_div(b),
                (false, 0) => a,
                (false, _) => a.wrapping_rem(b),
            })
        };
    }
    Some(match ty {
        Ty::U(16) => divide!(u16),
        Ty::S(16) => divide!(i16),
        Ty::U(32) => divide!(u32),
        Ty::S(32) => divide!(i32),
        Ty::U(64) => divide!(u64),
        Ty::S(64) => divide!(i64),
        _ => return None,
    })
}
