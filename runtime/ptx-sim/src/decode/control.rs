//! Branches, ends, fences, and instructions that only concern speed.

use super::{Decoder, View};
use crate::code::Op;
use crate::error::Error;
use crate::text::Operand;
use crate::ty::Ty;

impl Decoder<'_> {
    /// `bra`, `ret`, `fence` and the like.
    pub(super) fn control(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        match view.head() {
            "bra" => {
                view.words.has("uni");
                view.exactly(1)?;
                let target = self.label(view, view.operand(0)?)?;
                self.push(view, Op::Branch(target));
            }
            "brx" => self.indexed(view)?,
            // What `brx` finds after a label; nothing runs it.
            "" => {
                if !view.words.has("branchtargets") {
                    return Err(view.unknown("instruction"));
                }
            }
            "ret" | "exit" => {
                view.words.has("uni");
                self.push(view, Op::Exit);
            }
            "trap" | "brkpt" => self.push(view, Op::Trap),
            "nanosleep" => {
                view.words.find(Ty::parse);
            }
            "pmevent" => {
                view.words.has("mask");
            }
            "griddepcontrol" => {
                // Launches of a stream run one after the other here: what came before is complete.
                view.words.any(&["launch_dependents", "wait"]).ok_or_else(|| view.unknown("modifier"))?;
            }
            "setmaxnreg" => {
                view.words.any(&["inc", "dec"]).ok_or_else(|| view.unknown("modifier"))?;
                view.words.has("sync");
                view.words.has("aligned");
                view.words.find(Ty::parse);
                let n = self.number(view, 0)?;
                if !(24..=256).contains(&n) || !n.is_multiple_of(8) {
                    return Err(view.unknown("a number of registers is a multiple of 8 from 24 to 256"));
                }
            }
            _ => self.fence(view)?,
        }
        Ok(())
    }

    fn indexed(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        view.words.has("idx");
        view.words.has("uni");
        view.exactly(2)?;
        let index = self.source(view, 0, Ty::U(32))?;
        let at = self.label(view, view.operand(1)?)?;
        let table = self.function.body.get(at).filter(|statement| statement.name == ["", "branchtargets"]);
        let table = table.ok_or_else(|| view.unknown("the label is not that of .branchtargets"))?;
        let targets: Result<Vec<usize>, Error> =
            table.operands.iter().map(|operand: &Operand| self.label(view, operand)).collect();
        self.push(view, Op::BranchIndexed { index, targets: targets? });
        Ok(())
    }

    fn fence(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let words = &mut view.words;
        let known = [
            "sc",
            "acq_rel",
            "acquire",
            "release",
            "cta",
            "cluster",
            "gpu",
            "sys",
            "gl",
            "alias",
            "async",
            "global",
            "shared::cta",
            "shared::cluster",
            "async::global",
            "async::shared::cta",
            "async::shared::cluster",
            "mbarrier_init",
            "tensormap::generic",
            "sync_restrict::shared::cta",
            "sync_restrict::shared::cluster",
            "op_restrict",
        ];
        let is_proxy = words.has("proxy");
        let is_init = words.has("mbarrier_init") || words.has("op_restrict::mbarrier_init");
        while words.any(&known).is_some() {}
        // `fence.proxy.tensormap::generic.acquire` names the place; nothing here is cached.
        self.push(
            view,
            match (is_proxy, is_init) {
                (true, _) => Op::FenceProxy,
                (false, true) => Op::FenceNewBarriers,
                (false, false) => Op::Fence,
            },
        );
        Ok(())
    }
}
