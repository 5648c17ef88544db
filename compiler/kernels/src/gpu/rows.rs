//! Combining the elements of rows: each row by one warp, or by all threads of a block.

use super::Ints;
use crate::text::{IntCmp, Ty, Val, Writer};

/// How rows are dealt out to threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Threads of a block.
    pub threads: u32,
    /// Threads that share a row: 32, or all of the block.
    pub team: u32,
}

impl Rows {
    /// The deal for rows of so many pieces (`None`: not known), of which there are so many.
    ///
    /// A warp takes a row of up to 32 pieces a lane; longer ones take a block, and so do those of which there are too few
    /// to keep the chip busy.
    pub fn choose(pieces: Option<u64>, rows: Option<u64>, units: u32) -> Rows {
        let (pieces, rows) = (pieces.unwrap_or(256), rows.unwrap_or(4096));
        let few = rows < u64::from(units) * 8;
        match pieces {
            0..=64 => Rows { threads: 128, team: 32 },
            65..=1024 if !few => Rows { threads: 128, team: 32 },
            65..=256 => Rows { threads: 64, team: 64 },
            257..=2048 => Rows { threads: 256, team: 256 },
            _ => Rows { threads: 512, team: 512 },
        }
    }

    /// Rows of a block.
    pub fn per_block(&self) -> u32 {
        self.threads / self.team
    }

    /// Bytes of shared memory for `count` values of so many bytes each.
    pub fn shared(&self, bytes: u32) -> u32 {
        if self.team > 32 { self.team / 32 * bytes } else { 0 }
    }

    /// The thread's number among those that share its row, and the row's number in the block.
    pub fn place(&self, w: &mut Writer) -> (Val, Val) {
        let thread = w.thread();
        (w.rest(thread, self.team), w.over(thread, self.team))
    }

    /// All threads' values of a row as one, known to all of them. Every thread of the block must come here.
    pub fn combine(&self, w: &mut Writer, value: Val, with: &mut dyn FnMut(&mut Writer, Val, Val) -> Val) -> Val {
        let mut sum = value;
        for by in [16, 8, 4, 2, 1] {
            let other = w.shuffle_any(sum, by);
            sum = with(w, sum, other);
        }
        if self.team == 32 {
            return sum;
        }
        let thread = w.thread();
        let (lane, warp) = (w.rest(thread, 32), w.over(thread, 32));
        let shared = w.shared();
        let (zero, elem) = (w.num(0), sum.ty);
        let first = w.cmpi(IntCmp::Eq, lane, zero);
        let store = if elem == Ty::I1 { Ty::I8 } else { elem };
        w.if_then(first, |w| {
            let at = w.gep(shared, warp, store);
            let value = if elem == Ty::I1 { w.extui(sum, store.elem()) } else { sum };
            w.store(value, at, store.bytes());
        });
        w.barrier();
        let mut total = None;
        for warp in 0..self.team / 32 {
            let at = w.gep_const(shared, warp.into(), store);
            let part = w.load(at, store, store.bytes());
            let part = if elem == Ty::I1 { w.trunci(part, elem.elem()) } else { part };
            total = Some(total.map_or(part, |total| with(w, total, part)));
        }
        total.unwrap_or(sum)
    }
}
