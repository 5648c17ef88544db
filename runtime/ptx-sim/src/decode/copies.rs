//! `cp.async`, `cp.async.bulk` and `mbarrier`.

use super::{Decoder, View};
use crate::code::{AccessSpace, Op};
use crate::error::Error;
use crate::exec::barrier::BarrierOp;
use crate::exec::copy::{CopyOp, Outside};
use crate::memory::atomic::Update;
use crate::text::{Operand, RegType};
use crate::ty::Ty;

impl Decoder<'_> {
    /// Asynchronous copies and their barriers.
    pub(super) fn copies(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        if view.head() == "mbarrier" {
            return self.mbarrier(view);
        }
        let is_reduction = view.words.has("reduce");
        if !view.words.has("async") || (is_reduction && !view.words.rest().contains(&"bulk")) {
            return Err(view.unknown("instruction"));
        }
        let op = if view.words.has("bulk") { self.bulk(view)? } else { self.copy(view)? };
        self.push(view, Op::Copy(op));
        Ok(())
    }

    fn copy(&mut self, view: &mut View<'_>) -> Result<CopyOp, Error> {
        if view.words.has("commit_group") {
            return Ok(CopyOp::Commit);
        }
        if view.words.has("wait_group") {
            return Ok(CopyOp::Wait { groups: Some(self.number(view, 0)?) });
        }
        if view.words.has("wait_all") {
            return Ok(CopyOp::Wait { groups: None });
        }
        if view.words.has("mbarrier") {
            view.words.has("arrive");
            let noinc = view.words.has("noinc");
            view.words.any(&["shared", "shared::cta"]);
            let space = if view.statement.name.iter().any(|word| word.starts_with("shared")) {
                AccessSpace::Shared
            } else {
                AccessSpace::Generic
            };
            view.words.find(Ty::parse);
            return Ok(CopyOp::Arrive { at: self.place(view, 0, space)?, noinc });
        }
        let is_wide = view.words.has("cg");
        view.words.has("ca");
        let has_policy = view.words.has("L2::cache_hint");
        view.words.drop_hints();
        view.words.any(&["shared", "shared::cta"]);
        view.words.has("global");
        let (to, from) = (self.place(view, 0, AccessSpace::Shared)?, self.place(view, 1, AccessSpace::Global)?);
        let bytes = self.number(view, 2)? as usize;
        if !(matches!(bytes, 4 | 8 | 16) && (!is_wide || bytes == 16)) {
            return Err(view.unknown(format!("a copy of {bytes} bytes")));
        }
        let rest = view.count() - 3 - usize::from(has_policy);
        let (mut source_bytes, mut ignore) = (None, None);
        match (rest, view.operand(3)) {
            (0, _) => {}
            (1, Ok(operand)) if self.is_predicate(view, operand) => ignore = Some(self.source(view, 3, Ty::Pred)?),
            (1, Ok(_)) => source_bytes = Some(self.source(view, 3, Ty::U(32))?),
            _ => return Err(view.unknown("another number of operands")),
        }
        Ok(CopyOp::Start { to, from, bytes, source_bytes, ignore })
    }

    fn is_predicate(&self, view: &View<'_>, operand: &Operand) -> bool {
        matches!(operand, Operand::Not(_))
            || self.register(view, operand).is_ok_and(|register| register.ty == RegType::Pred)
    }

    fn bulk(&mut self, view: &mut View<'_>) -> Result<CopyOp, Error> {
        if view.words.has("commit_group") {
            return Ok(CopyOp::BulkCommit);
        }
        if view.words.has("wait_group") {
            let reads_only = view.words.has("read");
            return Ok(CopyOp::BulkWait { groups: self.number(view, 0)?, reads_only });
        }
        if view.words.has("prefetch") {
            return self.bulk_prefetch(view);
        }
        let has_policy = view.words.has("L2::cache_hint");
        let axes = self.tensor_axes(view)?;
        if view.words.has("mbarrier::complete_tx::bytes") {
            let multicast = view.words.has("multicast::cluster");
            let cluster = view.words.has("shared::cluster");
            let own = view.words.has("shared::cta");
            if !view.words.has("global") || cluster == own {
                return Err(view.unknown("only copies from global to shared memory are known"));
            }
            let space = if cluster { AccessSpace::SharedCluster } else { AccessSpace::Shared };
            let to = self.place(view, 0, space)?;
            let from = self.outside(view, 1, axes, 2)?;
            let next = if axes.is_some() { 2 } else { 3 };
            let barrier = self.place(view, next, space)?;
            view.exactly(next + 1 + usize::from(multicast) + usize::from(has_policy))?;
            let mask = if multicast { Some(self.source(view, next + 1, Ty::U(16))?) } else { None };
            return Ok(CopyOp::Bulk { to, from, barrier, mask });
        }
        if !(view.words.has("global") && view.words.has("shared::cta") && view.words.has("bulk_group")) {
            return Err(view.unknown("no such copy"));
        }
        let reduce = if view.statement.name.get(1).is_some_and(|word| word == "reduce") {
            Some(self.bulk_reduction(view, axes)?)
        } else {
            None
        };
        view.exactly(if axes.is_some() { 2 } else { 3 } + usize::from(has_policy))?;
        let to = self.outside(view, 0, axes, 2)?;
        Ok(CopyOp::BulkStore { to, from: self.place(view, 1, AccessSpace::Shared)?, reduce })
    }

    /// A hint: only its modifiers are looked at.
    fn bulk_prefetch(&mut self, view: &mut View<'_>) -> Result<CopyOp, Error> {
        self.tensor_axes(view)?;
        for word in ["L2", "global", "L2::cache_hint"] {
            view.words.has(word);
        }
        // A wait for nothing.
        Ok(CopyOp::Wait { groups: Some(u64::MAX >> 1) })
    }

    /// The number of axes of a copy with a tensor map.
    fn tensor_axes(&self, view: &mut View<'_>) -> Result<Option<usize>, Error> {
        if !view.words.has("tensor") {
            return Ok(None);
        }
        let axes = view.words.any(&["1d", "2d", "3d", "4d", "5d"]).ok_or_else(|| view.unknown("there is no rank"))?;
        // `tile` is what stands for nothing.
        view.words.has("tile");
        Ok(Some(usize::from(axes.as_bytes()[0] - b'0')))
    }

    /// The side of a bulk copy that is not in shared memory; `bytes` is the operand with its size.
    fn outside(&mut self, view: &View<'_>, at: usize, axes: Option<usize>, bytes: usize) -> Result<Outside, Error> {
        let Some(axes) = axes else {
            let at = self.place(view, at, AccessSpace::Global)?;
            return Ok(Outside::Line { at, bytes: self.source(view, bytes, Ty::U(32))? });
        };
        let Operand::Addresses(items) = view.operand(at)? else { return Err(view.unknown("coordinates are missing")) };
        let [map, coordinates] = &items[..] else { return Err(view.unknown("a map and coordinates were expected")) };
        let map = self.place_operand(view, map, AccessSpace::Generic)?;
        let items = match coordinates {
            Operand::Address(one, 0) => std::slice::from_ref(&**one),
            other => self.elements(other),
        };
        if items.len() != axes {
            return Err(view.unknown(format!("{} coordinates for {axes} axes", items.len())));
        }
        let start: Result<Vec<_>, Error> = items.iter().map(|item| self.source_of(view, item, Ty::S(32))).collect();
        Ok(Outside::Tile { map, start: start? })
    }

    /// The function of a `cp.reduce.async.bulk`, and bytes of an element. With a tensor map the type stands in the map; only
    /// additions of `f32` are known there.
    fn bulk_reduction(&mut self, view: &mut View<'_>, axes: Option<usize>) -> Result<(Update, usize), Error> {
        let name = view.words.any(&["add", "min", "max", "inc", "dec", "and", "or", "xor"]);
        let name = name.ok_or_else(|| view.unknown("there is no operation"))?;
        view.words.has("noftz");
        let ty = match axes {
            None => view.words.find(Ty::parse).ok_or_else(|| view.unknown("there is no type"))?,
            Some(_) => Ty::F32,
        };
        if axes.is_some() && name != "add" {
            return Err(view.unknown("with a tensor map only additions are known"));
        }
        let update = super::memory::update(name, ty).ok_or_else(|| view.unknown("no such type of it"))?;
        Ok((update, ty.bytes()))
    }

    fn mbarrier(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let names = [
            "init",
            "inval",
            "arrive",
            "arrive_drop",
            "expect_tx",
            "complete_tx",
            "test_wait",
            "try_wait",
            "pending_count",
        ];
        let name = view.words.any(&names).ok_or_else(|| view.unknown("there is no operation"))?;
        view.words.any(&["release", "acquire", "relaxed"]);
        view.words.any(&["cta", "cluster"]);
        let has_bytes = name != "expect_tx" && view.words.has("expect_tx");
        let (no_complete, is_parity) = (view.words.has("noComplete"), view.words.has("parity"));
        let space = view.words.find(super::memory::space_named).unwrap_or(AccessSpace::Generic);
        view.words.find(Ty::parse);
        let op = match name {
            "init" => BarrierOp::Init { at: self.place(view, 0, space)?, count: self.source(view, 1, Ty::U(32))? },
            "inval" => BarrierOp::Invalidate { at: self.place(view, 0, space)? },
            "expect_tx" | "complete_tx" => {
                let (at, bytes) = (self.place(view, 0, space)?, self.source(view, 1, Ty::U(32))?);
                BarrierOp::Bytes { at, bytes, completes: name == "complete_tx" }
            }
            "pending_count" => {
                BarrierOp::Pending { to: self.target(view, 0)?, state: self.source(view, 1, Ty::B(64))? }
            }
            "test_wait" | "try_wait" => {
                let result = self.target(view, 0)?;
                let at = self.place(view, 1, space)?;
                let state = self.source(view, 2, if is_parity { Ty::U(32) } else { Ty::B(64) })?;
                BarrierOp::Test { at, result, state, is_parity, blocks: name == "try_wait" }
            }
            _ => self.arrival(view, space, name == "arrive_drop", has_bytes, no_complete)?,
        };
        self.push(view, Op::Barrier(op));
        Ok(())
    }

    /// `mbarrier.arrive state, [at]{, count}`, `.expect_tx state, [at], bytes`; without a state for other blocks.
    fn arrival(
        &mut self,
        view: &View<'_>,
        space: AccessSpace,
        drop: bool,
        has_bytes: bool,
        _no_complete: bool,
    ) -> Result<BarrierOp, Error> {
        let first = usize::from(!matches!(view.operand(0)?, Operand::Address(..)));
        let state = match (first, view.operand(0)?) {
            (0, _) | (_, Operand::Sink) => None,
            (_, operand) => Some(self.target_of(view, operand)?),
        };
        let at = self.place(view, first, space)?;
        let last = if view.count() > first + 1 { Some(self.source(view, first + 1, Ty::U(32))?) } else { None };
        let (count, expect) = if has_bytes { (None, last) } else { (last, None) };
        Ok(BarrierOp::MArrive { at, state, count, expect, drop })
    }
}
