//! The race detector: who touched each byte last, and vector clocks that say what is ordered.
//!
//! As in FastTrack (Flanagan and Freund, 2009), with warps for threads: lanes of a warp are not told apart.
//! Warps of different clusters are never ordered, unless the later one read something by an atomic or strong access.

use std::ops::Range;

/// A warp at a moment: its cluster's number, its number in the cluster, and its clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Actor {
    /// From 1; 0 is nobody.
    pub(crate) cluster: u32,
    pub(crate) warp: u32,
    pub(crate) clock: u32,
}

/// How memory is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
    /// By an atomic, or a strong access: these do not race among themselves.
    Strong,
}

/// What a warp knows of the others in its cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clocks {
    pub(crate) seen: Vec<u32>,
    /// Whether it may know of other clusters.
    pub(crate) knows_others: bool,
}

impl Clocks {
    /// Learns all that another clock has.
    pub(crate) fn join(&mut self, other: &Clocks) {
        if self.seen.len() < other.seen.len() {
            self.seen.resize(other.seen.len(), 0);
        }
        for (own, seen) in self.seen.iter_mut().zip(&other.seen) {
            *own = (*own).max(*seen);
        }
        self.knows_others |= other.knows_others;
    }

    /// Whether an access happened before now.
    fn covers(&self, past: Actor, now: Actor) -> bool {
        if past.cluster != now.cluster {
            return past.cluster == 0 || self.knows_others;
        }
        past.warp == now.warp || self.seen.get(past.warp as usize).is_some_and(|seen| *seen >= past.clock)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    write: Actor,
    read: Actor,
    strong: Actor,
    /// More than one unordered reader; `read` is the last of them.
    is_shared: bool,
    other_read: Actor,
}

/// The last accesses of each byte.
pub(crate) struct Shadow {
    cells: Vec<Cell>,
}

impl Shadow {
    pub(crate) fn new(bytes: usize) -> Self {
        Shadow { cells: vec![Cell::default(); bytes] }
    }

    /// Notes an access; an error says with what it races.
    pub(crate) fn note(&mut self, range: Range<usize>, now: Actor, kind: Kind, clocks: &Clocks) -> Result<(), String> {
        for at in range {
            let Some(cell) = self.cells.get_mut(at) else { return Ok(()) };
            let race = |past: Actor, what: &str| {
                let here = if past.cluster == now.cluster {
                    format!("warp {} of the same cluster", past.warp)
                } else {
                    format!("a warp of cluster {}", past.cluster - 1)
                };
                Err(format!("byte {at}: {what} by {here} is not ordered with this access"))
            };
            if !clocks.covers(cell.write, now) {
                return race(cell.write, "a write");
            }
            if kind != Kind::Strong && !clocks.covers(cell.strong, now) && cell.strong.cluster == now.cluster {
                return race(cell.strong, "an atomic or strong access");
            }
            match kind {
                Kind::Read => {
                    if !clocks.covers(cell.read, now) {
                        (cell.is_shared, cell.other_read) = (true, cell.read);
                    }
                    cell.read = now;
                }
                Kind::Write | Kind::Strong => {
                    if !clocks.covers(cell.read, now) {
                        return race(cell.read, "a read");
                    }
                    if cell.is_shared && !clocks.covers(cell.other_read, now) {
                        return race(cell.other_read, "a read");
                    }
                    cell.is_shared = false;
                    match kind {
                        Kind::Strong => cell.strong = now,
                        _ => cell.write = now,
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(warp: u32, clock: u32) -> Actor {
        Actor { cluster: 1, warp, clock }
    }

    fn clocks(seen: &[u32]) -> Clocks {
        Clocks { seen: seen.to_vec(), knows_others: false }
    }

    #[test]
    fn a_barrier_orders_and_its_absence_is_a_race() {
        let mut shadow = Shadow::new(4);
        shadow.note(0..4, actor(0, 1), Kind::Write, &clocks(&[1, 0])).unwrap();
        assert!(shadow.note(0..1, actor(1, 1), Kind::Read, &clocks(&[0, 1])).is_err());
        assert!(shadow.note(0..1, actor(1, 2), Kind::Read, &clocks(&[1, 2])).is_ok());
        assert!(shadow.note(0..1, actor(0, 2), Kind::Write, &clocks(&[2, 1])).is_err());
        assert!(shadow.note(0..1, actor(0, 3), Kind::Write, &clocks(&[3, 2])).is_ok());
    }

    #[test]
    fn atomics_do_not_race_with_each_other() {
        let mut shadow = Shadow::new(4);
        shadow.note(0..4, actor(0, 1), Kind::Strong, &clocks(&[1, 0])).unwrap();
        assert!(shadow.note(0..4, actor(1, 1), Kind::Strong, &clocks(&[0, 1])).is_ok());
        assert!(shadow.note(0..4, actor(0, 1), Kind::Read, &clocks(&[1, 0])).is_err());
    }
}
