//! Where buffers lie in the arena: lifetimes from the order of steps, offsets by best fit.

use crate::aligned::ALIGN;
use artifact::{Program, Step};

/// The first and last step that use a buffer, numbered as the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    pub(crate) first: u32,
    pub(crate) last: u32,
}

impl Lifetime {
    /// During the whole run.
    pub(crate) const ALWAYS: Lifetime = Lifetime { first: 0, last: u32::MAX };

    fn overlaps(self, other: Lifetime) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    fn cover(&mut self, other: Lifetime) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

/// Lifetimes of all buffers, and which buffers die with each step of the entry block.
pub(crate) struct Lifetimes {
    /// `None` for a buffer that no step uses.
    pub(crate) of: Vec<Option<Lifetime>>,
    /// For each step of the entry block: the buffers that no later step uses.
    pub(crate) dying: Vec<Vec<usize>>,
}

/// Computes the lifetimes of a valid program's buffers.
///
/// Steps are numbered depth first. The two blocks of an `If` come one after the other, so a buffer that both use spans
/// both. What a loop's body uses lives as long as the loop: the next trip may read what this one wrote. What the `last` steps
/// of the entry block use lives to the end: they run then.
pub(crate) fn lifetimes(program: &Program, last: &[usize]) -> Lifetimes {
    let mut walk = Walk { program, clock: 0, of: vec![None; program.buffers.len()] };
    let mut ends = vec![];
    for step in &program.blocks[Program::ENTRY.idx()] {
        walk.step(step, &mut vec![]);
        ends.push(walk.clock);
    }
    for view in last.iter().flat_map(|at| program.blocks[Program::ENTRY.idx()][*at].views()) {
        if let Some(lifetime) = &mut walk.of[program.views[view.idx()].buffer.idx()] {
            lifetime.last = u32::MAX;
        }
    }
    let mut dying = vec![vec![]; ends.len()];
    for (buffer, lifetime) in walk.of.iter().enumerate() {
        if let Some(lifetime) = lifetime {
            // `ends` holds the clock after each step, so the first end beyond `last` belongs to the step of the last use.
            let at = ends.partition_point(|end| *end <= lifetime.last);
            if at < dying.len() {
                dying[at].push(buffer);
            }
        }
    }
    Lifetimes { of: walk.of, dying }
}

struct Walk<'a> {
    program: &'a Program,
    clock: u32,
    of: Vec<Option<Lifetime>>,
}

impl Walk<'_> {
    /// Visits a step; the buffers that it uses, itself or in nested blocks, are added to `used`.
    fn step(&mut self, step: &Step, used: &mut Vec<usize>) {
        let first = self.clock;
        self.clock += 1;
        let start = used.len();
        used.extend(step.views().iter().map(|view| self.program.views[view.idx()].buffer.idx()));
        let own = used.len();
        for block in step.blocks() {
            for nested in &self.program.blocks[block.idx()] {
                self.step(nested, used);
            }
        }
        // A step's own views may be touched before and after its blocks run.
        let during = Lifetime { first, last: self.clock - 1 };
        let whole = if matches!(step, Step::Loop(_)) { used.len() } else { own };
        for buffer in &used[start..whole] {
            match &mut self.of[*buffer] {
                Some(lifetime) => lifetime.cover(during),
                empty => *empty = Some(during),
            }
        }
    }
}

/// Offsets for buffers of known size, and the size of the arena that holds them.
///
/// Larger buffers choose first. Each takes the smallest gap that fits between those whose lifetimes overlap with its own.
pub(crate) fn assign(buffers: &[(usize, Lifetime)]) -> (Vec<usize>, usize) {
    let size = |idx: usize| buffers[idx].0.next_multiple_of(ALIGN);
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_key(|idx| (std::cmp::Reverse(size(*idx)), *idx));
    let mut offsets = vec![0; buffers.len()];
    // Sorted by offset.
    let mut placed: Vec<usize> = vec![];
    let mut total = 0;
    for idx in order {
        let offset = best_gap(
            size(idx),
            placed.iter().filter(|p| buffers[**p].1.overlaps(buffers[idx].1)).map(|p| (offsets[*p], size(*p))),
        );
        offsets[idx] = offset;
        total = total.max(offset.saturating_add(size(idx)));
        let at = placed.partition_point(|p| offsets[*p] <= offset);
        placed.insert(at, idx);
    }
    (offsets, total)
}

/// The offset of the smallest gap that fits between ranges in order of offset, or the end of all of them.
fn best_gap(size: usize, taken: impl Iterator<Item = (usize, usize)>) -> usize {
    let (mut end, mut best) = (0, None);
    for (offset, len) in taken {
        if offset > end && offset - end >= size && best.is_none_or(|(_, gap)| offset - end < gap) {
            best = Some((end, offset - end));
        }
        end = end.max(offset.saturating_add(len));
    }
    best.map_or(end, |(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use artifact::{Loop, Place, ProgramBuilder, ViewId};
    use tensor::DType;

    #[test]
    fn overlapping_lifetimes_never_share() {
        // A fixed pseudo-random sequence of sizes and lifetimes.
        let mut state = 1u32;
        let mut next = |limit: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % limit
        };
        let buffers: Vec<_> = (0..200)
            .map(|_| {
                let first = next(100);
                (next(10_000) as usize, Lifetime { first, last: first + next(20) })
            })
            .collect();
        let (offsets, total) = assign(&buffers);
        for a in 0..buffers.len() {
            assert_eq!(offsets[a] % ALIGN, 0);
            assert!(offsets[a] + buffers[a].0 <= total);
            for b in 0..a {
                let apart = offsets[a] + buffers[a].0 <= offsets[b] || offsets[b] + buffers[b].0 <= offsets[a];
                assert!(apart || !buffers[a].1.overlaps(buffers[b].1), "{a} and {b}");
            }
        }
        let alive = |t| {
            buffers.iter().filter(|(_, l)| l.first <= t && t <= l.last).map(|(s, _)| s.next_multiple_of(ALIGN)).sum()
        };
        let bound: usize = (0..120).map(alive).max().unwrap();
        assert!(total <= bound * 3 / 2, "{total} bytes for a lower bound of {bound}");
    }

    #[test]
    fn a_chain_needs_two_buffers() {
        let chain: Vec<_> = (0..10).map(|i| (1000, Lifetime { first: i, last: i + 1 })).collect();
        assert_eq!(assign(&chain).1, 2 * 1024);
    }

    #[test]
    fn loops_keep_what_their_bodies_use() {
        let mut b = ProgramBuilder::new();
        let mut tensor = || b.tensor(Place::Arena, DType::Bool, &[]);
        let [before, inside, late, cond]: [ViewId; 4] = std::array::from_fn(|_| tensor());
        b.push(Step::Copy { from: cond, to: before });
        let body = b.open();
        b.push(Step::Copy { from: before, to: inside });
        b.push(Step::Copy { from: inside, to: cond });
        b.close();
        b.push(Step::Loop(Loop {
            max_trips: None,
            cond: Some(cond),
            iteration: None,
            index: None,
            body,
            cond_out: Some(cond),
            carried: vec![],
            rebind: vec![],
            scans: vec![],
            trips: None,
        }));
        b.push(Step::Copy { from: cond, to: late });
        let lifetimes = lifetimes(&b.finish(), &[]);
        let of = |v: ViewId| lifetimes.of[v.idx()].map(|l| (l.first, l.last));
        assert_eq!(of(before), Some((0, 3)));
        assert_eq!(of(inside), Some((1, 3)));
        assert_eq!(of(late), Some((4, 4)));
        assert_eq!(of(cond), Some((0, 4)));
        assert_eq!(lifetimes.dying, vec![vec![], vec![before.idx(), inside.idx()], vec![late.idx(), cond.idx()]]);
    }
}
