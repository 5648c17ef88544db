//! Loads, stores, atomics, and hints about memory.

use super::{Decoder, View};
use crate::code::{Access, AccessSpace, Op, Slot};
use crate::error::Error;
use crate::float::{Format, Mode, add_odd, decode, round};
use crate::memory::atomic::{Atomic, Update};
use crate::text::Operand;
use crate::ty::Ty;

/// The space of a modifier.
pub(super) fn space_named(word: &str) -> Option<AccessSpace> {
    Some(match word {
        "global" => AccessSpace::Global,
        "shared" | "shared::cta" => AccessSpace::Shared,
        "shared::cluster" => AccessSpace::SharedCluster,
        "local" => AccessSpace::Local,
        "param" | "param::entry" => AccessSpace::Param,
        "const" => AccessSpace::Const,
        _ => return None,
    })
}

impl Decoder<'_> {
    /// `ld`, `st`, `atom`, `red` and hints.
    pub(super) fn memory(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        match view.head() {
            "ld" | "ldu" | "st" => self.access(view),
            "atom" | "red" => self.atomic(view),
            "createpolicy" => self.policy(view),
            _ => {
                // A hint: only its modifiers are looked at.
                view.words.drop_hints();
                let known = ["global", "local", "tensormap", "param", "const", "L1", "L2", "L2::128B"];
                while view.words.any(&known).is_some() {}
                Ok(())
            }
        }
    }

    fn access(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        view.words.drop_hints();
        let space = view.words.find(space_named).unwrap_or(AccessSpace::Generic);
        let is_strong = view.words.any(&["volatile", "relaxed", "acquire", "release", "mmio"]).is_some();
        view.words.has("weak");
        view.words.any(&["cta", "cluster", "gpu", "sys"]);
        let has_policy = view.words.has("L2::cache_hint");
        let lanes = view.words.any(&["v2", "v4", "v8"]).map_or(1, |word| {
            if word == "v2" {
                2
            } else if word == "v4" {
                4
            } else {
                8
            }
        });
        let ty = view.words.find(Ty::parse).ok_or_else(|| view.unknown("there is no type"))?;
        view.exactly(2 + usize::from(has_policy))?;
        let is_load = view.head() != "st";
        let (data, address) = if is_load { (0, 1) } else { (1, 0) };
        let place = self.place(view, address, space)?;
        let operand = view.operand(data)?;
        let items = self.elements(operand);
        if items.len() != lanes {
            return Err(view.unknown(format!("{} registers for {lanes} elements", items.len())));
        }
        let mut slots = vec![];
        for item in items {
            slots.push(match (is_load, item) {
                (true, Operand::Sink) => None,
                (true, item) => Some(self.target_of(view, item)?),
                (false, item) => Some(self.source_of(view, item, ty)?),
            });
        }
        let sign_to = matches!(ty, Ty::S(_)).then(|| self.width(view, &items[0]));
        let access = Access { place, bytes: ty.bytes(), slots, sign_to, is_strong };
        self.push(view, if is_load { Op::Load(access) } else { Op::Store(access) });
        Ok(())
    }

    /// Policies are numbers that nobody looks at.
    fn policy(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let known = ["fractional", "range", "global", "cvt", "L2", "b64"];
        while view.words.any(&known).is_some() {}
        view.words.drop_hints();
        let to = self.target(view, 0)?;
        let zero = self.constant(0);
        self.push_map(view, crate::row::map1(|a: u64| a), to, &[zero]);
        Ok(())
    }

    fn atomic(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let words = &mut view.words;
        words.drop_hints();
        words.any(&["relaxed", "acquire", "release", "acq_rel", "sc"]);
        words.any(&["cta", "cluster", "gpu", "sys"]);
        words.has("async");
        let has_policy = words.has("L2::cache_hint");
        words.has("noftz");
        let space = words.find(space_named).unwrap_or(AccessSpace::Generic);
        let lanes = words.any(&["v2", "v4", "v8"]);
        let known = ["and", "or", "xor", "cas", "exch", "add", "inc", "dec", "min", "max"];
        let name = words.any(&known).ok_or_else(|| view.unknown("there is no operation"))?;
        let ty = view.words.find(Ty::parse).ok_or_else(|| view.unknown("there is no type"))?;
        let is_atom = view.head() == "atom";
        let update = update(name, ty).ok_or_else(|| view.unknown("no such type of it"))?;
        let first = usize::from(is_atom);
        let wanted = first + 2 + usize::from(name == "cas") + usize::from(has_policy);
        view.exactly(wanted)?;
        let place = self.place(view, first, space)?;
        let a = self.sources(view, first + 1, ty)?;
        let lanes = lanes.map_or(1, |word| usize::from(word.as_bytes()[1] - b'0'));
        if a.len() != lanes || ty.bits() == 128 {
            return Err(view.unknown("no such number of elements"));
        }
        let b = (name == "cas").then(|| self.source(view, first + 2, ty)).transpose()?;
        let to: Vec<Slot> = match is_atom {
            true => self.targets(view, 0)?,
            false => vec![],
        };
        self.push(view, Op::Atomic(Atomic { place, bytes: ty.bytes(), to, a, b, update }));
        Ok(())
    }
}

/// The new value of an atomic operation.
pub(super) fn update(name: &str, ty: Ty) -> Option<Update> {
    let wide = ty.bits() == 64;
    let sign = move |value: u64| if wide { value.cast_signed() } else { i64::from(value as u32 as i32) };
    let narrow = |format: Format| {
        move |old: u64, a: u64, at: u32| {
            let part = |bits: u64| decode(format, (bits >> at) as u32 & 0xffff);
            (part(old), part(a))
        }
    };
    Some(match (name, ty) {
        ("and", Ty::B(32 | 64)) => Box::new(|old, a, _| old & a),
        ("or", Ty::B(32 | 64)) => Box::new(|old, a, _| old | a),
        ("xor", Ty::B(32 | 64)) => Box::new(|old, a, _| old ^ a),
        ("exch", Ty::B(32 | 64)) => Box::new(|_, a, _| a),
        ("cas", Ty::B(16 | 32 | 64)) => Box::new(|old, a, b| if old == a { b } else { old }),
        ("add", Ty::U(32 | 64) | Ty::S(32 | 64)) => Box::new(|old, a, _| old.wrapping_add(a)),
        ("inc", Ty::U(32)) => Box::new(|old, a, _| if old >= a { 0 } else { old + 1 }),
        ("dec", Ty::U(32)) => Box::new(|old, a, _| if old == 0 || old > a { a } else { old - 1 }),
        ("min", Ty::U(32 | 64)) => Box::new(|old, a, _| old.min(a)),
        ("max", Ty::U(32 | 64)) => Box::new(|old, a, _| old.max(a)),
        ("min", Ty::S(32 | 64)) => Box::new(move |old, a, _| if sign(a) < sign(old) { a } else { old }),
        ("max", Ty::S(32 | 64)) => Box::new(move |old, a, _| if sign(a) > sign(old) { a } else { old }),
        ("add", Ty::F32) => Box::new(|old, a, _| {
            let sum = f32::from_bits(old as u32) + f32::from_bits(a as u32);
            super::floats::canonical(sum).to_bits().into()
        }),
        ("add", Ty::F64) => Box::new(|old, a, _| (f64::from_bits(old) + f64::from_bits(a)).to_bits()),
        ("add" | "min" | "max", Ty::F16 | Ty::Bf16 | Ty::F16x2 | Ty::Bf16x2) => {
            let format = if matches!(ty, Ty::F16 | Ty::F16x2) { Format::F16 } else { Format::Bf16 };
            let (parts, count) = (narrow(format), ty.bits() / 16);
            let of: fn(f64, f64) -> f64 = match name {
                "add" => add_odd,
                "min" => |a, b| super::floats::extreme(false, false, a, b),
                _ => |a, b| super::floats::extreme(true, false, a, b),
            };
            Box::new(move |old, a, _| {
                (0..count).fold(0, |result, at| {
                    let (x, y) = parts(old, a, 16 * at);
                    result | u64::from(round(of(x, y), format, Mode::Nearest, false)) << (16 * at)
                })
            })
        }
        _ => return None,
    })
}
