//! Barriers of blocks and clusters, and what the threads of a warp do together.

use super::{Decoder, View};
use crate::code::Op;
use crate::error::Error;
use crate::exec::barrier::{BarrierOp, Reduction};
use crate::exec::collective::{Elect, Match, Redux, ReduxMode, Shuffle, ShuffleMode, Vote, VoteMode};
use crate::text::Operand;
use crate::ty::Ty;

impl Decoder<'_> {
    /// `bar`, `shfl`, `vote` and the like.
    pub(super) fn warp(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let op = match view.head() {
            "bar" | "barrier" => self.barrier(view)?,
            "activemask" => {
                view.words.find(Ty::parse);
                Op::ActiveMask(self.target(view, 0)?)
            }
            head => {
                if !view.words.has("sync") {
                    return Err(view.unknown("only the forms with .sync are known"));
                }
                match head {
                    "shfl" => self.shuffle(view)?,
                    "vote" => self.vote(view)?,
                    "match" => self.matching(view)?,
                    "redux" => self.redux(view)?,
                    _ => self.elect(view)?,
                }
            }
        };
        self.push(view, op);
        Ok(())
    }

    fn barrier(&mut self, view: &mut View<'_>) -> Result<Op, Error> {
        if view.words.has("warp") {
            view.words.has("sync");
            view.exactly(1)?;
            return Ok(Op::Barrier(BarrierOp::Warp { mask: self.source(view, 0, Ty::B(32))? }));
        }
        if view.words.has("cluster") {
            return self.cluster_barrier(view);
        }
        view.words.has("cta");
        let aligned = view.words.has("aligned") || view.head() == "bar";
        let what = view.words.any(&["sync", "arrive", "red"]).ok_or_else(|| view.unknown("there is no operation"))?;
        if what == "red" {
            return self.barrier_reduction(view, aligned);
        }
        let id = self.source(view, 0, Ty::U(32))?;
        let count = if view.count() > 1 { Some(self.source(view, 1, Ty::U(32))?) } else { None };
        Ok(Op::Barrier(match (what, count) {
            ("arrive", Some(count)) => BarrierOp::Arrive { id, count, aligned },
            ("arrive", None) => return Err(view.unknown("an arrival needs a number of threads")),
            _ => BarrierOp::Sync { id, count, aligned, reduce: None, is_retry: self.temporary() },
        }))
    }

    /// `barrier.red.popc.u32 d, a{, b}, p` and `barrier.red.and.pred p, a{, b}, q`.
    fn barrier_reduction(&mut self, view: &mut View<'_>, aligned: bool) -> Result<Op, Error> {
        let how = view.words.any(&["popc", "and", "or"]).ok_or_else(|| view.unknown("there is no operation"))?;
        view.words.find(Ty::parse);
        let reduction = match how {
            "popc" => Reduction::Count,
            "and" => Reduction::All,
            _ => Reduction::Any,
        };
        let to = self.target(view, 0)?;
        let id = self.source(view, 1, Ty::U(32))?;
        let last = view.count() - 1;
        let count = if last > 2 { Some(self.source(view, 2, Ty::U(32))?) } else { None };
        let predicate = self.source(view, last, Ty::Pred)?;
        let is_retry = self.temporary();
        Ok(Op::Barrier(BarrierOp::Sync { id, count, aligned, reduce: Some((reduction, to, predicate)), is_retry }))
    }

    /// The round that a thread is in is a register which all of its `arrive` and `wait` share.
    fn cluster_barrier(&mut self, view: &mut View<'_>) -> Result<Op, Error> {
        let what = view.words.any(&["arrive", "wait"]).ok_or_else(|| view.unknown("there is no operation"))?;
        view.words.any(&["release", "relaxed", "acquire"]);
        view.words.has("aligned");
        let round = self.cluster_round();
        Ok(Op::Barrier(match what {
            "arrive" => BarrierOp::ClusterArrive { round },
            _ => BarrierOp::ClusterWait { round },
        }))
    }

    fn shuffle(&mut self, view: &mut View<'_>) -> Result<Op, Error> {
        let mode = match view.words.any(&["up", "down", "bfly", "idx"]) {
            Some("up") => ShuffleMode::Up,
            Some("down") => ShuffleMode::Down,
            Some("bfly") => ShuffleMode::Butterfly,
            Some(_) => ShuffleMode::Index,
            None => return Err(view.unknown("there is no mode")),
        };
        view.words.find(Ty::parse);
        view.exactly(5)?;
        let (to, valid) = match view.operand(0)? {
            Operand::Pair(to, valid) => (self.target_of(view, to)?, Some(self.target_of(view, valid)?)),
            to => (self.target_of(view, to)?, None),
        };
        let [from, by, clamp, mask] = self.four(view)?;
        Ok(Op::Shuffle(Shuffle { mode, to, valid, from, by, clamp, mask }))
    }

    fn four(&mut self, view: &View<'_>) -> Result<[u32; 4], Error> {
        let from = self.sources_from(view, 1, Ty::B(32))?;
        from.try_into().map_err(|_| view.unknown("another number of operands"))
    }

    fn vote(&mut self, view: &mut View<'_>) -> Result<Op, Error> {
        let mode = match view.words.any(&["all", "any", "uni", "ballot"]) {
            Some("all") => VoteMode::All,
            Some("any") => VoteMode::Any,
            Some("uni") => VoteMode::Uniform,
            Some(_) => VoteMode::Ballot,
            None => return Err(view.unknown("there is no mode")),
        };
        view.words.find(Ty::parse);
        view.exactly(3)?;
        let (to, from, mask) =
            (self.target(view, 0)?, self.source(view, 1, Ty::Pred)?, self.source(view, 2, Ty::B(32))?);
        Ok(Op::Vote(Vote { mode, to, from, mask }))
    }

    fn matching(&mut self, view: &mut View<'_>) -> Result<Op, Error> {
        let is_all = view.words.any(&["all", "any"]) == Some("all");
        let ty = view.words.find(Ty::parse).ok_or_else(|| view.unknown("there is no type"))?;
        view.exactly(3)?;
        let (to, all) = match view.operand(0)? {
            Operand::Pair(to, all) => (self.target_of(view, to)?, Some(self.target_of(view, all)?)),
            to => (self.target_of(view, to)?, None),
        };
        let (from, mask) = (self.source(view, 1, ty)?, self.source(view, 2, Ty::B(32))?);
        Ok(Op::Match(Match { to, all, from, mask, is_all }))
    }

    fn redux(&mut self, view: &mut View<'_>) -> Result<Op, Error> {
        let (of_abs, with_nan) = (view.words.has("abs"), view.words.has("NaN"));
        let name = view.words.any(&["add", "min", "max", "and", "or", "xor"]);
        let ty = view.words.find(Ty::parse);
        let mode = match (name, ty) {
            (Some("add"), Some(Ty::U(32) | Ty::S(32))) => ReduxMode::Add,
            (Some("min"), Some(Ty::S(32))) => ReduxMode::MinSigned,
            (Some("max"), Some(Ty::S(32))) => ReduxMode::MaxSigned,
            (Some("min"), Some(Ty::U(32))) => ReduxMode::MinUnsigned,
            (Some("max"), Some(Ty::U(32))) => ReduxMode::MaxUnsigned,
            (Some("min"), Some(Ty::F32)) => ReduxMode::MinFloat { of_abs, with_nan },
            (Some("max"), Some(Ty::F32)) => ReduxMode::MaxFloat { of_abs, with_nan },
            (Some("and"), Some(Ty::B(32))) => ReduxMode::And,
            (Some("or"), Some(Ty::B(32))) => ReduxMode::Or,
            (Some("xor"), Some(Ty::B(32))) => ReduxMode::Xor,
            _ => return Err(view.unknown("no such operation and type")),
        };
        view.exactly(3)?;
        let (to, from, mask) =
            (self.target(view, 0)?, self.source(view, 1, Ty::B(32))?, self.source(view, 2, Ty::B(32))?);
        Ok(Op::Redux(Redux { mode, to, from, mask }))
    }

    fn elect(&mut self, view: &mut View<'_>) -> Result<Op, Error> {
        view.exactly(2)?;
        let Operand::Pair(leader, to) = view.operand(0)? else { return Err(view.unknown("a pair was expected")) };
        let leader = match **leader {
            Operand::Sink => None,
            _ => Some(self.target_of(view, leader)?),
        };
        let (to, mask) = (self.target_of(view, to)?, self.source(view, 1, Ty::B(32))?);
        Ok(Op::Elect(Elect { leader, to, mask }))
    }
}
