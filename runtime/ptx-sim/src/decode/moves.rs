//! Moves, selections, address conversions and byte permutations.

use super::{Decoder, View};
use crate::code::{Op, Slot};
use crate::error::Error;
use crate::memory::window;
use crate::row::{MapFn, map1, map2, map3};
use crate::text::Operand;
use crate::ty::Ty;

impl Decoder<'_> {
    /// `mov`, `cvta`, `selp` and the like.
    pub(super) fn moves(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        match view.head() {
            "mov" => self.mov(view),
            "cvta" => self.cvta(view),
            "selp" | "slct" => self.select(view),
            "isspacep" => self.is_space(view),
            "prmt" => self.permute(view),
            _ => self.cluster_address(view),
        }
    }

    fn mov(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let ty = view.words.find(Ty::parse).ok_or_else(|| view.unknown("there is no type"))?;
        view.exactly(2)?;
        match (view.operand(0)?, view.operand(1)?) {
            (Operand::Vector(items), _) => self.unpack(view, ty, items),
            (_, Operand::Vector(items)) => self.pack_vector(view, ty, items),
            (target, source) if ty.bits() == 128 => {
                let (to, from) = (self.target_of(view, target)?, self.source_of(view, source, ty)?);
                self.push_map(view, map1(|a: u64| a), to, &[from]);
                self.push_map(view, map1(|a: u64| a), to + 1, &[from + 1]);
                Ok(())
            }
            (target, _) => {
                let to = self.target(view, 0)?;
                let from = self.source(view, 1, ty)?;
                let source = self.register(view, view.operand(1)?);
                if source.is_ok_and(|source| Ok(source.ty) == self.register(view, target).map(|target| target.ty)) {
                    self.push(view, Op::Move { to, from });
                    return Ok(());
                }
                let f = match ty.bits() {
                    1 => map1(|a: bool| a),
                    8 => map1(|a: u8| a),
                    16 => map1(|a: u16| a),
                    32 => map1(|a: u32| a),
                    _ => map1(|a: u64| a),
                };
                self.push_map(view, f, to, &[from]);
                Ok(())
            }
        }
    }

    /// `mov.b64 {a, b}, c`: the first gets the lowest bits.
    fn unpack(&mut self, view: &View<'_>, ty: Ty, items: &[Operand]) -> Result<(), Error> {
        let source = self.source(view, 1, ty)?;
        let bits = ty.bits() / items.len().max(1) as u32;
        // All parts are taken before any is written: the source may be one of them.
        let mut parts = vec![];
        for (at, item) in (0..).zip(items) {
            let at: u32 = at;
            let shift = bits * at;
            let part = self.temporary();
            let mask = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
            let row = source + shift / 64;
            self.push_map(view, map1(move |a: u64| a >> (shift % 64) & mask), part, &[row]);
            parts.push((item, part));
        }
        for (item, part) in parts {
            let to = self.target_of(view, item)?;
            self.push_map(view, map1(|a: u64| a), to, &[part]);
        }
        Ok(())
    }

    fn pack_vector(&mut self, view: &View<'_>, ty: Ty, items: &[Operand]) -> Result<(), Error> {
        let bits = ty.bits() / items.len().max(1) as u32;
        let to = self.target(view, 0)?;
        if ty.bits() == 128 && items.len() == 2 {
            let from = [self.source_of(view, &items[0], Ty::B(64))?, self.source_of(view, &items[1], Ty::B(64))?];
            self.push_map(view, map1(|a: u64| a), to, &from[..1]);
            self.push_map(view, map1(|a: u64| a), to + 1, &from[1..]);
            return Ok(());
        }
        if ty.bits() > 64 {
            return Err(view.unknown("no such packing"));
        }
        let mut sum = self.constant(0);
        for (at, item) in (0..).zip(items) {
            let at: u32 = at;
            let part = self.source_of(view, item, Ty::B(bits))?;
            let next = self.temporary();
            let mask = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
            self.push_map(
                view,
                map2(move |sum: u64, part: u64| sum | (part & mask) << (bits * at)),
                next,
                &[sum, part],
            );
            sum = next;
        }
        self.push_map(view, map1(|a: u64| a), to, &[sum]);
        Ok(())
    }

    /// Between the address in a space and the generic address.
    fn cvta(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let to_space = view.words.has("to");
        let spaces = ["global", "shared", "shared::cta", "shared::cluster", "local", "const", "param", "param::entry"];
        let space = view.words.any(&spaces).ok_or_else(|| view.unknown("there is no space"))?;
        if view.words.find(Ty::parse).map(Ty::bits) != Some(64) {
            return Err(view.unknown("only 64 bits are known"));
        }
        view.exactly(2)?;
        let base = match space {
            "shared" | "shared::cta" | "shared::cluster" => window::SHARED,
            "local" => window::LOCAL,
            "param" | "param::entry" => window::PARAM,
            _ => 0,
        };
        let from = self.source(view, 1, Ty::B(64))?;
        let to = self.target(view, 0)?;
        let f: MapFn = match to_space {
            true => map1(move |a: u64| a.wrapping_sub(base)),
            false => map1(move |a: u64| a.wrapping_add(base)),
        };
        self.push_map(view, f, to, &[from]);
        Ok(())
    }

    fn is_space(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let spaces = ["global", "shared", "shared::cta", "shared::cluster", "local", "const", "param"];
        let space = view.words.any(&spaces).ok_or_else(|| view.unknown("there is no space"))?;
        view.exactly(2)?;
        let from = self.source(view, 1, Ty::B(64))?;
        let to = self.target(view, 0)?;
        let of = match space {
            "shared" | "shared::cta" | "shared::cluster" => window::SHARED,
            "local" => window::LOCAL,
            "param" => window::PARAM,
            _ => 0,
        };
        let is_const = space == "const";
        self.push_map(view, map1(move |a: u64| !is_const && window::of(a) == of), to, &[from]);
        Ok(())
    }

    fn select(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let types = view.words.types();
        let ty = *types.first().ok_or_else(|| view.unknown("there is no type"))?;
        view.exactly(4)?;
        let (a, b) = (self.source(view, 1, ty)?, self.source(view, 2, ty)?);
        let to = self.target(view, 0)?;
        if view.head() == "slct" {
            let ftz = view.words.has("ftz");
            let c = self.source(view, 3, types.get(1).copied().unwrap_or(Ty::S(32)))?;
            let f = match types.get(1) {
                Some(Ty::S(32)) => map3(|a: u64, b: u64, c: i32| if c >= 0 { a } else { b }),
                Some(Ty::F32) if !ftz => map3(|a: u64, b: u64, c: f32| if c >= 0.0 { a } else { b }),
                _ => return Err(view.unknown("no such types of it")),
            };
            self.push_map(view, f, to, &[a, b, c]);
            return Ok(());
        }
        let p = self.source(view, 3, Ty::Pred)?;
        self.push_map(view, map3(|a: u64, b: u64, p: bool| if p { a } else { b }), to, &[a, b, p]);
        Ok(())
    }

    fn permute(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let mode = view.words.any(&["f4e", "b4e", "rc8", "ecl", "ecr", "rc16"]);
        if view.words.find(Ty::parse) != Some(Ty::B(32)) {
            return Err(view.unknown("no such type of it"));
        }
        view.exactly(4)?;
        let to = self.target(view, 0)?;
        let from = self.sources_from(view, 1, Ty::B(32))?;
        let mode = mode.map(String::from);
        let f = map3(move |a: u32, b: u32, c: u32| permuted(mode.as_deref(), a, b, c));
        self.push_map(view, f, to, &from);
        Ok(())
    }

    /// `mapa` and `getctarank`: addresses of the shared memory of a cluster's blocks.
    fn cluster_address(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let is_shared = view.words.has("shared::cluster");
        let ty = view.words.find(Ty::parse).ok_or_else(|| view.unknown("there is no type"))?;
        let base = if is_shared { 0 } else { window::SHARED };
        let to = self.target(view, 0)?;
        let a = self.source(view, 1, ty)?;
        let own = self.special(crate::code::Special::ClusterCtarank);
        if view.head() == "getctarank" {
            view.exactly(2)?;
            let f = map2(move |a: u64, own: u32| window::rank(a.wrapping_sub(base)).unwrap_or(u64::from(own)) as u32);
            self.push_map(view, f, to, &[a, own]);
            return Ok(());
        }
        view.exactly(3)?;
        let rank = self.source(view, 2, Ty::U(32))?;
        let slots: [Slot; 2] = [a, rank];
        let f = map2(move |a: u64, rank: u32| window::in_block(a.wrapping_sub(base), rank.into()).wrapping_add(base));
        self.push_map(view, f, to, &slots);
        Ok(())
    }
}

/// Four of the eight bytes of two registers.
fn permuted(mode: Option<&str>, a: u32, b: u32, c: u32) -> u32 {
    let pair = u64::from(b) << 32 | u64::from(a);
    let byte = |at: u32| (pair >> (8 * at)) as u32 & 0xff;
    let n = c & 3;
    let picks: [u32; 4] = match mode {
        None => {
            return (0..4).fold(0, |result, at| {
                let select = c >> (4 * at) & 0xf;
                let picked = byte(select & 7);
                let picked = if select & 8 == 0 {
                    picked
                } else if picked & 0x80 != 0 {
                    0xff
                } else {
                    0
                };
                result | picked << (8 * at)
            });
        }
        Some("f4e") => [n, n + 1, n + 2, n + 3],
        Some("b4e") => [n, (n + 7) & 7, (n + 6) & 7, (n + 5) & 7],
        Some("rc8") => [n; 4],
        Some("ecl") => [n, n.max(1), n.max(2), 3],
        Some("ecr") => [0, n.min(1), n.min(2), n],
        Some(_) => [2 * (n & 1), 2 * (n & 1) + 1, 2 * (n & 1), 2 * (n & 1) + 1],
    };
    (0..).zip(picks).fold(0, |result, (at, pick): (u32, u32)| result | byte(pick) << (8 * at))
}
