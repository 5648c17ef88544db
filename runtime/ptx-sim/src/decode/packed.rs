//! `cvt` with several elements in a register: `f16x2`, `bf16x2`, 8-bit and narrower floats.

use super::convert::Spec;
use super::{Decoder, View};
use crate::error::Error;
use crate::float::{Format, Mode, decode, round};
use crate::row::{map1, map2, map3};
use crate::ty::Ty;

/// The format, bits of an element, and number of elements.
fn packing(word: &str) -> Option<(Format, u32, u32)> {
    Some(match word {
        "f16x2" => (Format::F16, 16, 2),
        "bf16x2" => (Format::Bf16, 16, 2),
        "e4m3x2" => (Format::E4m3, 8, 2),
        "e5m2x2" => (Format::E5m2, 8, 2),
        "e2m3x2" => (Format::E2m3, 8, 2),
        "e3m2x2" => (Format::E3m2, 8, 2),
        "e2m1x2" => (Format::E2m1, 4, 2),
        _ => return None,
    })
}

/// Whether a modifier asks for this file.
pub(super) fn is_packed(word: &str) -> bool {
    packing(word).is_some() || word == "pack"
}

fn element(format: Format, bits: u32, size: u32, at: u32) -> f64 {
    decode(format, bits >> (size * at) & (u32::MAX >> (32 - size)))
}

impl Decoder<'_> {
    /// `cvt.rn.f16x2.f32 d, a, b` and its like: `a` becomes the upper element.
    pub(super) fn packed_conversion(&mut self, view: &mut View<'_>, spec: Spec) -> Result<(), Error> {
        if view.words.has("pack") {
            return self.pack(view);
        }
        let to = view.words.find(packing);
        let mode = spec.mode.unwrap_or(Mode::Nearest);
        let put = move |(format, size, _): (Format, u32, u32), low: f64, high: f64| {
            let bits = |value: f64| {
                let value = if spec.relu && value <= 0.0 { 0.0 } else { value };
                // 8-bit and narrower floats are always made with satfinite.
                round(value, format, mode, spec.finite)
            };
            bits(low) | bits(high) << size
        };
        let unknown = view.unknown("no such types of it");
        let from_packed = view.words.find(packing);
        let from = view.words.find(Ty::parse);
        let target = self.target(view, 0)?;
        match (to, from_packed, from) {
            (Some(to), Some(from), None) => {
                view.exactly(2)?;
                let source = self.source(view, 1, Ty::B(32))?;
                let f = move |a: u32| put(to, element(from.0, a, from.1, 0), element(from.0, a, from.1, 1));
                self.push_map(view, map1(f), target, &[source]);
                Ok(())
            }
            (Some(to), None, Some(Ty::F32)) => {
                view.exactly(3)?;
                let (a, b) = (self.source(view, 1, Ty::F32)?, self.source(view, 2, Ty::F32)?);
                self.push_map(view, map2(move |a: f32, b: f32| put(to, b.into(), a.into())), target, &[a, b]);
                Ok(())
            }
            _ => Err(unknown),
        }
    }

    /// `cvt.pack.sat.u8.s32.b32 d, a, b, c`: clamped integers in front of the low bits of `c`.
    fn pack(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let types = view.words.types();
        let bounds = match types.first() {
            Some(Ty::U(bits @ (8 | 16))) => (0, (1i32 << bits) - 1, *bits),
            Some(Ty::S(bits @ (8 | 16))) => (-(1i32 << (bits - 1)), (1 << (bits - 1)) - 1, *bits),
            _ => return Err(view.unknown("no such types of it")),
        };
        let (low, high, bits) = bounds;
        let (Some(Ty::S(32)), 2 | 3) = (types.get(1), types.len()) else {
            return Err(view.unknown("no such types of it"));
        };
        let has_rest = types.len() == 3;
        view.exactly(if has_rest { 4 } else { 3 })?;
        let mask = (1u32 << bits) - 1;
        let f = map3(move |a: i32, b: i32, c: u32| {
            let part = |value: i32| value.clamp(low, high).cast_unsigned() & mask;
            let pair = part(a) << bits | part(b);
            if has_rest { pair | c.checked_shl(2 * bits).unwrap_or(0) } else { pair }
        });
        let to = self.target(view, 0)?;
        let from = self.sources_from(view, 1, Ty::B(32))?;
        let last = from[from.len() - 1];
        self.push_map(view, f, to, &[from[0], from[1], last]);
        Ok(())
    }
}
