//! Arithmetic of `f16` and `bf16`, alone and in pairs.

use super::floats::extreme;
use super::{Decoder, View};
use crate::error::Error;
use crate::float::{Format, Mode, add_odd, decode, fma_odd, round};
use crate::row::{MapFn, map1, map3};
use crate::ty::Ty;

/// The format of a type's elements, and how many there are.
fn elements(ty: Ty) -> Option<(Format, u32)> {
    Some(match ty {
        Ty::F16 => (Format::F16, 1),
        Ty::F16x2 => (Format::F16, 2),
        Ty::Bf16 => (Format::Bf16, 1),
        Ty::Bf16x2 => (Format::Bf16, 2),
        _ => return None,
    })
}

/// What modifiers do around an operation.
#[derive(Clone, Copy)]
struct Around {
    format: Format,
    ftz: bool,
    sat: bool,
    relu: bool,
}

impl Around {
    fn input(self, bits: u32) -> f64 {
        let value = decode(self.format, bits);
        // Numbers below 2^-14 are subnormal in f16; bf16 has no ftz that LLVM uses.
        if self.ftz && value.abs() < 2f64.powi(-14) { 0f64.copysign(value) } else { value }
    }

    fn output(self, value: f64) -> u32 {
        let value = if self.relu && value <= 0.0 { 0.0 } else { value };
        let value = match self.sat {
            true if value.is_nan() => 0.0,
            true => value.clamp(0.0, 1.0),
            false => value,
        };
        let bits = round(value, self.format, Mode::Nearest, false);
        if self.ftz { round(self.input(bits), self.format, Mode::Nearest, false) } else { bits }
    }
}

impl Decoder<'_> {
    /// `add`, `fma`, `min` and so on.
    pub(super) fn half_arithmetic(&mut self, view: &mut View<'_>, types: &[Ty]) -> Result<(), Error> {
        let ty = types[0];
        let (format, count) = elements(ty).filter(|_| types.len() == 1).ok_or_else(|| view.unknown("types"))?;
        view.words.has("rn");
        let around =
            Around { format, ftz: view.words.has("ftz"), sat: view.words.has("sat"), relu: view.words.has("relu") };
        let f = match view.head() {
            "abs" | "neg" => sign_function(view.head() == "neg", count),
            head => {
                let scalar = scalar(view, head, around)?;
                map3(move |a: u32, b: u32, c: u32| {
                    let part = |at: u32| {
                        let element = |bits: u32| bits >> (16 * at) & 0xffff;
                        scalar(element(a), element(b), element(c)) << (16 * at)
                    };
                    if count == 2 { part(0) | part(1) } else { part(0) }
                })
            }
        };
        let to = self.target(view, 0)?;
        let from = self.sources_from(view, 1, ty)?;
        let wanted = match view.head() {
            "abs" | "neg" => 1,
            "fma" => 3,
            _ => 2,
        };
        view.exactly(wanted + 1)?;
        let at = |n: usize| from[n.min(from.len() - 1)];
        self.push_map(view, f, to, &[at(0), at(1), at(2)]);
        Ok(())
    }

    /// `ex2.approx`, `tanh.approx`.
    pub(super) fn half_function(&mut self, view: &mut View<'_>, ty: Ty) -> Result<MapFn, Error> {
        let (format, count) = elements(ty).ok_or_else(|| view.unknown("types"))?;
        if !view.words.has("approx") {
            return Err(view.unknown("no such rounding of it"));
        }
        let around = Around { format, ftz: view.words.has("ftz") && format == Format::F16, sat: false, relu: false };
        let wide: fn(f64) -> f64 = if view.head() == "ex2" { f64::exp2 } else { f64::tanh };
        Ok(map1(move |a: u32| {
            let part = |at: u32| around.output(wide(around.input(a >> (16 * at) & 0xffff))) << (16 * at);
            if count == 2 { part(0) | part(1) } else { part(0) }
        }))
    }
}

type Scalar = Box<dyn Fn(u32, u32, u32) -> u32 + Send + Sync>;

fn scalar(view: &mut View<'_>, head: &str, around: Around) -> Result<Scalar, Error> {
    let two = |f: fn(f64, f64) -> f64| -> Scalar {
        Box::new(move |a, b, _| around.output(f(around.input(a), around.input(b))))
    };
    Ok(match head {
        "add" => two(add_odd),
        "sub" => two(|a, b| add_odd(a, -b)),
        // Two significands of 11 bits: the product is exact.
        "mul" => two(|a, b| a * b),
        "fma" => Box::new(move |a, b, c| around.output(fma_odd(around.input(a), around.input(b), around.input(c)))),
        "min" | "max" => {
            let (is_max, with_nan) = (head == "max", view.words.has("NaN"));
            let (by_sign, of_abs) = (view.words.has("xorsign"), view.words.has("abs"));
            Box::new(move |a, b, _| {
                let (x, y) = (around.input(a), around.input(b));
                let (p, q) = if of_abs { (x.abs(), y.abs()) } else { (x, y) };
                let bits = around.output(extreme(is_max, with_nan, p, q));
                if by_sign { (bits & 0x7fff) | ((a ^ b) & 0x8000) } else { bits }
            })
        }
        _ => return Err(view.unknown("instruction")),
    })
}

fn sign_function(is_neg: bool, count: u32) -> MapFn {
    let signs = if count == 2 { 0x8000_8000u32 } else { 0x8000 };
    map1(move |a: u32| if is_neg { a ^ signs } else { a & !signs })
}
