//! `setp` and `set`.

use super::arith::by_int;
use super::floats::flush;
use super::{Decoder, View};
use crate::code::Slot;
use crate::error::Error;
use crate::float::{Format, decode};
use crate::row::{MapFn, map1, map2};
use crate::text::Operand;
use crate::ty::Ty;
use std::cmp::Ordering;

/// A comparison: whether it holds for an order, or for none (NaN).
#[derive(Clone, Copy)]
struct Test {
    less: bool,
    equal: bool,
    greater: bool,
    unordered: bool,
}

impl Test {
    fn parse(word: &str) -> Option<Test> {
        let test = |less, equal, greater, unordered| Some(Test { less, equal, greater, unordered });
        match word {
            "eq" => test(false, true, false, false),
            "ne" => test(true, false, true, false),
            "lt" | "lo" => test(true, false, false, false),
            "le" | "ls" => test(true, true, false, false),
            "gt" | "hi" => test(false, false, true, false),
            "ge" | "hs" => test(false, true, true, false),
            "equ" => test(false, true, false, true),
            "neu" => test(true, false, true, true),
            "ltu" => test(true, false, false, true),
            "leu" => test(true, true, false, true),
            "gtu" => test(false, false, true, true),
            "geu" => test(false, true, true, true),
            "num" => test(true, true, true, false),
            "nan" => test(false, false, false, true),
            _ => None,
        }
    }

    #[inline(always)]
    fn holds(self, order: Option<Ordering>) -> bool {
        match order {
            Some(Ordering::Less) => self.less,
            Some(Ordering::Equal) => self.equal,
            Some(Ordering::Greater) => self.greater,
            None => self.unordered,
        }
    }
}

/// The comparison of a type, of its element at an index.
fn compare(test: Test, ty: Ty, ftz: bool, element: u32) -> Option<MapFn> {
    let narrow = |format: Format| -> MapFn {
        let value = move |bits: u32| decode(format, bits >> (16 * element) & 0xffff);
        map2(move |a: u32, b: u32| test.holds(value(a).partial_cmp(&value(b))))
    };
    Some(match ty {
        Ty::F32 if ftz => map2(move |a: f32, b: f32| test.holds(flush(a).partial_cmp(&flush(b)))),
        Ty::F32 => map2(move |a: f32, b: f32| test.holds(a.partial_cmp(&b))),
        Ty::F64 => map2(move |a: f64, b: f64| test.holds(a.partial_cmp(&b))),
        Ty::F16 | Ty::F16x2 => narrow(Format::F16),
        Ty::Bf16 | Ty::Bf16x2 => narrow(Format::Bf16),
        _ => by_int!(ty, T => map2(move |a: T, b: T| test.holds(Some(a.cmp(&b)))))?,
    })
}

/// `and`, `or`, `xor` with another predicate.
fn combine(word: &str) -> Option<fn(bool, bool) -> bool> {
    Some(match word {
        "and" => |a, b| a & b,
        "or" => |a, b| a | b,
        "xor" => |a, b| a ^ b,
        _ => return None,
    })
}

impl Decoder<'_> {
    /// `setp` and `set`.
    pub(super) fn comparison(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let test = view.words.find(Test::parse).ok_or_else(|| view.unknown("there is no comparison"))?;
        let with = view.words.find(combine);
        let ftz = view.words.has("ftz");
        let types = view.words.types();
        let ty = *types.last().ok_or_else(|| view.unknown("there is no type"))?;
        view.exactly(3 + usize::from(with.is_some()))?;
        let (a, b) = (self.source(view, 1, ty)?, self.source(view, 2, ty)?);
        let c = with.map(|_| self.source(view, 3, Ty::Pred)).transpose()?;
        let make = |element| compare(test, ty, ftz, element).ok_or_else(|| view.unknown("no such type of it"));
        let raw = self.temporary();
        self.push_map(view, make(0)?, raw, &[a, b]);
        if view.head() == "set" {
            let result = self.combined(view, raw, with, c);
            let to = self.target(view, 0)?;
            let (yes, is_int) = match types[..] {
                [Ty::U(32) | Ty::S(32), _] => (u64::from(u32::MAX), true),
                [Ty::F32, _] => (1f32.to_bits().into(), true),
                _ => (0, false),
            };
            if !is_int {
                return Err(view.unknown("no such types of it"));
            }
            self.push_map(view, map1(move |p: bool| if p { yes } else { 0 }), to, &[result]);
            return Ok(());
        }
        let pairs = matches!(ty, Ty::F16x2 | Ty::Bf16x2);
        let (first, second) = match view.operand(0)? {
            Operand::Pair(first, second) => (&**first, Some(&**second)),
            one => (one, None),
        };
        // The second is computed first: the first may be one of the operands.
        let other = match (second, pairs) {
            (None, _) => None,
            (Some(_), true) => {
                let high = self.temporary();
                self.push_map(view, make(1)?, high, &[a, b]);
                Some(self.combined(view, high, with, c))
            }
            (Some(_), false) => {
                let not = self.temporary();
                self.push_map(view, map1(|p: bool| !p), not, &[raw]);
                Some(self.combined(view, not, with, c))
            }
        };
        let result = self.combined(view, raw, with, c);
        let to = self.target_of(view, first)?;
        self.push_map(view, map1(|p: bool| p), to, &[result]);
        if let (Some(other), Some(second)) = (other, second) {
            let to = self.target_of(view, second)?;
            self.push_map(view, map1(|p: bool| p), to, &[other]);
        }
        Ok(())
    }

    fn combined(&mut self, view: &View<'_>, raw: Slot, with: Option<fn(bool, bool) -> bool>, c: Option<Slot>) -> Slot {
        let (Some(with), Some(c)) = (with, c) else { return raw };
        let to = self.temporary();
        self.push_map(view, map2(with), to, &[raw, c]);
        to
    }
}
