//! Arithmetic and functions of `f32` and `f64`.

use super::{Decoder, View};
use crate::error::Error;
use crate::float::{self, Format, Mode};
use crate::row::{MapFn, map1, map2, map3};
use crate::ty::Ty;

/// A subnormal number becomes zero.
#[inline(always)]
pub(super) fn flush(value: f32) -> f32 {
    if value.is_subnormal() { 0f32.copysign(value) } else { value }
}

/// The one NaN that `f32` instructions make.
#[inline(always)]
pub(super) fn canonical(value: f32) -> f32 {
    if value.is_nan() { f32::from_bits(0x7fff_ffff) } else { value }
}

/// Into [0, 1]; NaN becomes 0.
#[inline(always)]
fn unit(value: f32) -> f32 {
    if value > 0.0 { value.min(1.0) } else { 0.0 }
}

/// What modifiers do around an `f32` operation.
#[derive(Clone, Copy)]
struct Around {
    ftz: bool,
    sat: bool,
}

impl Around {
    fn take(view: &mut View<'_>) -> Self {
        Around { ftz: view.words.has("ftz"), sat: view.words.has("sat") }
    }

    #[inline(always)]
    fn input(self, value: f32) -> f32 {
        if self.ftz { flush(value) } else { value }
    }

    #[inline(always)]
    fn output(self, value: f32) -> f32 {
        let value = if self.ftz { flush(value) } else { value };
        if self.sat { unit(value) } else { canonical(value) }
    }

    fn one(self, f: impl Fn(f32) -> f32 + Send + Sync + 'static) -> MapFn {
        map1(move |a: f32| self.output(f(self.input(a))))
    }

    fn two(self, f: impl Fn(f32, f32) -> f32 + Send + Sync + 'static) -> MapFn {
        map2(move |a: f32, b: f32| self.output(f(self.input(a), self.input(b))))
    }

    fn three(self, f: impl Fn(f32, f32, f32) -> f32 + Send + Sync + 'static) -> MapFn {
        map3(move |a: f32, b: f32, c: f32| self.output(f(self.input(a), self.input(b), self.input(c))))
    }
}

fn to_f32(value: f64, mode: Mode) -> f32 {
    f32::from_bits(float::round(value, Format::F32, mode, false))
}

/// `min` and `max`: a number wins over NaN, and -0 is below +0.
pub(crate) fn extreme(is_max: bool, with_nan: bool, a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return match (with_nan, a.is_nan(), b.is_nan()) {
            (true, ..) | (_, true, true) => f64::NAN,
            (_, true, false) => b,
            (_, false, _) => a,
        };
    }
    let a_wins = match a.partial_cmp(&b) {
        Some(std::cmp::Ordering::Equal) => a.is_sign_negative() != is_max,
        order => (order == Some(std::cmp::Ordering::Greater)) == is_max,
    };
    if a_wins { a } else { b }
}

impl Decoder<'_> {
    /// `add`, `mul`, `fma`, `div`, `min` and so on.
    pub(super) fn float_arithmetic(&mut self, view: &mut View<'_>, types: &[Ty]) -> Result<(), Error> {
        let ty = types[0];
        let head = view.head();
        if ty == Ty::F32x2 {
            return self.paired(view);
        }
        if types.len() == 2 && matches!(head, "add" | "sub" | "fma") {
            return self.mixed(view, types[1]);
        }
        if types.len() != 1 {
            return Err(view.unknown("more than one type"));
        }
        let mode = view.words.find(Mode::parse);
        let rough = view.words.any(&["approx", "full"]);
        if rough.is_some() && head != "div" {
            return Err(view.unknown("no such approximation"));
        }
        let f = match (ty, head) {
            (_, "min" | "max") => self.float_extreme(view, ty)?,
            (Ty::F32, _) => f32_function(head, mode, Around::take(view)).ok_or_else(|| view.unknown("instruction"))?,
            _ => f64_function(head, mode.unwrap_or(Mode::Nearest)).ok_or_else(|| view.unknown("instruction"))?,
        };
        let to = self.target(view, 0)?;
        let from = self.sources_from(view, 1, ty)?;
        let wanted = match head {
            "abs" | "neg" => 1..=1,
            "fma" | "mad" => 3..=3,
            "min" | "max" => 2..=3,
            _ => 2..=2,
        };
        if !wanted.contains(&from.len()) {
            return Err(view.unknown("another number of operands"));
        }
        if let ("min" | "max", [_, _, c]) = (head, &from[..]) {
            let first = self.temporary();
            self.push_map(view, self.again(view, ty)?, first, &from[..2]);
            self.push_map(view, f, to, &[first, *c]);
            return Ok(());
        }
        self.push_map(view, f, to, &from);
        Ok(())
    }

    /// The function of a `min` or `max` of three operands once more; its modifiers were taken already.
    fn again(&self, view: &View<'_>, ty: Ty) -> Result<MapFn, Error> {
        let mut copy = View { statement: view.statement, words: super::Words::new(&view.statement.name[1..]) };
        self.float_extreme(&mut copy, ty)
    }

    fn float_extreme(&self, view: &mut View<'_>, ty: Ty) -> Result<MapFn, Error> {
        let is_max = view.head() == "max";
        let ftz = view.words.has("ftz");
        let with_nan = view.words.has("NaN");
        let by_sign = view.words.has("xorsign");
        let of_abs = view.words.has("abs");
        if ty == Ty::F64 {
            return Ok(map2(move |a: f64, b: f64| extreme(is_max, with_nan, a, b)));
        }
        Ok(map2(move |a: f32, b: f32| {
            let (a, b) = if ftz { (flush(a), flush(b)) } else { (a, b) };
            let sign = a.is_sign_negative() != b.is_sign_negative();
            let (x, y) = if of_abs { (a.abs(), b.abs()) } else { (a, b) };
            let result = canonical(extreme(is_max, with_nan, x.into(), y.into()) as f32);
            if by_sign && !result.is_nan() { result.copysign(if sign { -1.0 } else { 1.0 }) } else { result }
        }))
    }

    /// `f32x2`: both halves of 64 bits.
    fn paired(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let mode = view.words.find(Mode::parse);
        let around = Around::take(view);
        let half = |bits: u64, at: u32| f32::from_bits((bits >> (32 * at)) as u32);
        let join = |low: f32, high: f32| u64::from(low.to_bits()) | u64::from(high.to_bits()) << 32;
        let scalar: fn(f32, f32, f32) -> f32 = match (view.head(), mode) {
            ("add", None | Some(Mode::Nearest)) => |a, b, _| a + b,
            ("sub", None | Some(Mode::Nearest)) => |a, b, _| a - b,
            ("mul", None | Some(Mode::Nearest)) => |a, b, _| a * b,
            ("fma", Some(Mode::Nearest)) => f32::mul_add,
            _ => return Err(view.unknown("no such type or rounding of it")),
        };
        let wanted = if view.head() == "fma" { 4 } else { 3 };
        view.exactly(wanted)?;
        let f = map3(move |a: u64, b: u64, c: u64| {
            let part = |at| {
                around.output(scalar(around.input(half(a, at)), around.input(half(b, at)), around.input(half(c, at))))
            };
            join(part(0), part(1))
        });
        let to = self.target(view, 0)?;
        let from = self.sources_from(view, 1, Ty::B(64))?;
        let last = *from.last().unwrap_or(&to);
        self.push_map(view, f, to, &[from[0], from[1], last]);
        Ok(())
    }

    /// `add.f32.f16`, `fma.rn.f32.bf16`: the last operand of `add` and the factors of `fma` are narrow.
    fn mixed(&mut self, view: &mut View<'_>, narrow: Ty) -> Result<(), Error> {
        let format = match narrow {
            Ty::F16 => Format::F16,
            Ty::Bf16 => Format::Bf16,
            _ => return Err(view.unknown("no such mixture of types")),
        };
        let mode = view.words.find(Mode::parse).unwrap_or(Mode::Nearest);
        let around = Around::take(view);
        let wide = move |bits: u32| float::decode(format, bits & 0xffff);
        let f = match view.head() {
            "fma" => map3(move |a: u32, b: u32, c: f32| {
                around.output(to_f32(float::fma_odd(wide(a), wide(b), c.into()), mode))
            }),
            head => {
                let sign = if head == "sub" { -1.0 } else { 1.0 };
                map2(move |a: u32, c: f32| around.output(to_f32(float::add_odd(wide(a), sign * f64::from(c)), mode)))
            }
        };
        let to = self.target(view, 0)?;
        let from = self.sources_from(view, 1, narrow)?;
        view.exactly(if view.head() == "fma" { 4 } else { 3 })?;
        self.push_map(view, f, to, &from);
        Ok(())
    }

    /// Functions of one operand, `copysign` and `testp`.
    pub(super) fn float_function(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let ty = view.words.find(Ty::parse).ok_or_else(|| view.unknown("there is no type"))?;
        let head = view.head();
        let to = self.target(view, 0)?;
        if head == "copysign" {
            view.exactly(3)?;
            let from = self.sources_from(view, 1, ty)?;
            let f = match ty {
                Ty::F32 => map2(|a: f32, b: f32| b.copysign(a)),
                Ty::F64 => map2(|a: f64, b: f64| b.copysign(a)),
                _ => return Err(view.unknown("no such type of it")),
            };
            self.push_map(view, f, to, &from);
            return Ok(());
        }
        view.exactly(2)?;
        let from = self.source(view, 1, ty)?;
        let f = match (head, ty) {
            ("testp", _) => self.class_test(view, ty)?,
            ("ex2" | "tanh", Ty::F16 | Ty::F16x2 | Ty::Bf16 | Ty::Bf16x2) => self.half_function(view, ty)?,
            (_, Ty::F32 | Ty::F64) => rounded_function(view, ty)?,
            _ => return Err(view.unknown("no such type of it")),
        };
        self.push_map(view, f, to, &[from]);
        Ok(())
    }

    fn class_test(&self, view: &mut View<'_>, ty: Ty) -> Result<MapFn, Error> {
        let classes = ["finite", "infinite", "number", "notanumber", "normal", "subnormal"];
        let class = view.words.any(&classes).ok_or_else(|| view.unknown("there is no class"))?;
        macro_rules! test {
            ($T:ty) => {
                match class {
                    "finite" => map1(|a: $T| a.is_finite()),
                    "infinite" => map1(|a: $T| a.is_infinite()),
                    "number" => map1(|a: $T| !a.is_nan()),
                    "notanumber" => map1(|a: $T| a.is_nan()),
                    "normal" => map1(|a: $T| a.is_normal() || a == 0.0),
                    _ => map1(|a: $T| a.is_subnormal()),
                }
            };
        }
        match ty {
            Ty::F32 => Ok(test!(f32)),
            Ty::F64 => Ok(test!(f64)),
            _ => Err(view.unknown("no such type of it")),
        }
    }
}

fn f32_function(head: &str, mode: Option<Mode>, around: Around) -> Option<MapFn> {
    let mode = mode.unwrap_or(Mode::Nearest);
    let is_nearest = mode == Mode::Nearest;
    let wide = |value: f32| f64::from(value);
    Some(match head {
        "add" if is_nearest => around.two(|a, b| a + b),
        "sub" if is_nearest => around.two(|a, b| a - b),
        "mul" if is_nearest => around.two(|a, b| a * b),
        "div" if is_nearest => around.two(|a, b| a / b),
        "fma" | "mad" if is_nearest => around.three(f32::mul_add),
        "add" => around.two(move |a, b| directed_sum(a, b, mode)),
        "sub" => around.two(move |a, b| directed_sum(a, -b, mode)),
        "mul" => around.two(move |a, b| to_f32(wide(a) * wide(b), mode)),
        "div" => around.two(move |a, b| to_f32(float::div_odd(a.into(), b.into()), mode)),
        "fma" | "mad" => around.three(move |a, b, c| to_f32(float::fma_odd(a.into(), b.into(), c.into()), mode)),
        // The sign is changed even of NaN.
        "abs" => map1(move |a: f32| around.input(a).abs()),
        "neg" => map1(move |a: f32| -around.input(a)),
        _ => return None,
    })
}

/// A sum that is exactly zero is -0 only when rounding down.
fn directed_sum(a: f32, b: f32, mode: Mode) -> f32 {
    let sum = float::add_f64(a.into(), b.into(), Mode::Nearest);
    if sum == 0.0 {
        return float::add_f64(a.into(), b.into(), mode) as f32;
    }
    to_f32(float::add_odd(a.into(), b.into()), mode)
}

fn f64_function(head: &str, mode: Mode) -> Option<MapFn> {
    Some(match head {
        "add" => map2(move |a: f64, b: f64| float::add_f64(a, b, mode)),
        "sub" => map2(move |a: f64, b: f64| float::add_f64(a, -b, mode)),
        "mul" => map2(move |a: f64, b: f64| float::mul_f64(a, b, mode)),
        "div" => map2(move |a: f64, b: f64| float::div_f64(a, b, mode)),
        "fma" | "mad" => map3(move |a: f64, b: f64, c: f64| float::fma_f64(a, b, c, mode)),
        "abs" => map1(|a: f64| a.abs()),
        "neg" => map1(|a: f64| -a),
        _ => return None,
    })
}

/// `rcp`, `sqrt` and the like. The approximate ones are more exact here than on a GPU: they are computed in `f64`.
fn rounded_function(view: &mut View<'_>, ty: Ty) -> Result<MapFn, Error> {
    let approx = view.words.has("approx");
    let mode = view.words.find(Mode::parse).unwrap_or(Mode::Nearest);
    let around = Around { ftz: view.words.has("ftz"), sat: false };
    let head = view.head();
    if ty == Ty::F64 {
        return match (head, approx) {
            ("rcp", _) => Ok(map1(move |a: f64| float::div_f64(1.0, a, mode))),
            ("sqrt", false) => Ok(map1(move |a: f64| float::sqrt_f64(a, mode))),
            ("rsqrt", true) => Ok(map1(|a: f64| 1.0 / a.sqrt())),
            _ => Err(view.unknown("no such type of it")),
        };
    }
    let wide: fn(f64) -> f64 = match (head, approx) {
        ("rcp", _) => |a| float::div_odd(1.0, a),
        ("sqrt", _) => float::sqrt_odd,
        ("rsqrt", true) => |a| 1.0 / a.sqrt(),
        ("sin", true) => f64::sin,
        ("cos", true) => f64::cos,
        ("ex2", true) => f64::exp2,
        ("lg2", true) => f64::log2,
        ("tanh", true) => f64::tanh,
        _ => return Err(view.unknown("no such rounding of it")),
    };
    Ok(around.one(move |a| to_f32(wide(a.into()), mode)))
}
