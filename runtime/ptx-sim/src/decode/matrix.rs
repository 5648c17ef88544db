//! `ldmatrix`, `stmatrix`, `movmatrix` and `mma.sync`.

use super::{Decoder, View};
use crate::code::{AccessSpace, Op};
use crate::error::Error;
use crate::exec::matrix::{Accumulator, Element, MatrixMove, Mma, MoveKind};
use crate::ty::Ty;

impl Decoder<'_> {
    /// Matrix instructions of one warp.
    pub(super) fn matrix(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        if !(view.words.has("sync") && view.words.has("aligned")) {
            return Err(view.unknown("only the forms with .sync.aligned are known"));
        }
        if view.head() == "mma" {
            return self.mma(view);
        }
        let shape = view.words.any(&["m8n8"]).is_some();
        let count = match view.words.any(&["x1", "x2", "x4"]) {
            Some("x4") => 4,
            Some("x2") => 2,
            Some(_) => 1,
            None => usize::from(view.head() == "movmatrix"),
        };
        let trans = view.words.has("trans");
        view.words.any(&["shared", "shared::cta"]);
        if view.words.find(Ty::parse) != Some(Ty::B(16)) || !shape || count == 0 {
            return Err(view.unknown("only m8n8 matrices of b16 are known"));
        }
        view.exactly(2)?;
        let (kind, place, registers) = match view.head() {
            "ldmatrix" => (MoveKind::Load, Some(self.place(view, 1, AccessSpace::Shared)?), self.targets(view, 0)?),
            "stmatrix" => {
                (MoveKind::Store, Some(self.place(view, 0, AccessSpace::Shared)?), self.sources(view, 1, Ty::B(32))?)
            }
            _ => (MoveKind::Move, None, vec![self.target(view, 0)?, self.source(view, 1, Ty::B(32))?]),
        };
        if kind != MoveKind::Move && registers.len() != count {
            return Err(view.unknown(format!("{} registers for {count} matrices", registers.len())));
        }
        self.push(view, Op::MatrixMove(MatrixMove { kind, place, registers, trans }));
        Ok(())
    }

    fn mma(&mut self, view: &mut View<'_>) -> Result<(), Error> {
        let (m, n, k) = view.words.find(shape).ok_or_else(|| view.unknown("there is no shape"))?;
        if !(view.words.has("row") && view.words.has("col")) {
            return Err(view.unknown("only .row.col is known"));
        }
        let saturates = view.words.has("satfinite");
        let accumulators = |word: &str| match word {
            "f16" => Some(Accumulator::F16),
            "f32" => Some(Accumulator::F32),
            "f64" => Some(Accumulator::F64),
            "s32" => Some(Accumulator::S32),
            _ => None,
        };
        // The types stand in order: of D, A, B and C.
        let rest: Vec<&str> = view.words.rest().to_vec();
        view.words = super::Words::new(&[]);
        let missing = || view.unknown("four types were expected");
        let [d, a, b, c] = rest[..] else { return Err(missing()) };
        let d = accumulators(d).ok_or_else(missing)?;
        let c = accumulators(c).ok_or_else(missing)?;
        let a = Element::parse(a).ok_or_else(missing)?;
        let b = Element::parse(b).ok_or_else(missing)?;
        let mma = Mma { m, n, k, a, b, c, d, saturates, registers: [vec![], vec![], vec![], vec![]] };
        if !mma.is_known() {
            return Err(view.unknown("no such shape with these types"));
        }
        view.exactly(4)?;
        let registers = [
            self.targets(view, 0)?,
            self.sources(view, 1, Ty::B(32))?,
            self.sources(view, 2, Ty::B(32))?,
            self.sources(view, 3, if c == Accumulator::F64 { Ty::F64 } else { Ty::F32 })?,
        ];
        let counts = registers.each_ref().map(Vec::len);
        if counts != mma.counts() {
            return Err(view.unknown(format!("{counts:?} registers instead of {:?}", mma.counts())));
        }
        self.push(view, Op::Mma(Box::new(Mma { registers, ..mma })));
        Ok(())
    }
}

/// `m16n8k16`.
pub(super) fn shape(word: &str) -> Option<(usize, usize, usize)> {
    let (m, rest) = word.strip_prefix('m')?.split_once('n')?;
    let (n, k) = rest.split_once('k')?;
    Some((m.parse().ok()?, n.parse().ok()?, k.parse().ok()?))
}
