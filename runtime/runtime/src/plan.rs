//! What is known once the inputs' shapes are: values of expressions, places of buffers and views.

use crate::aligned::ALIGN;
use crate::arena::{self, Lifetime};
use crate::external::Home;
use crate::prepared::Prepared;
use artifact::{DimId, Place, Step, ViewId};
use std::sync::atomic::{AtomicU64, Ordering};

/// Whose memory inputs and outputs are in, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Homes {
    pub(crate) inputs: Vec<Home>,
    pub(crate) outputs: Vec<Home>,
}

impl Homes {
    /// Of the buffer that a place names; `None` if that is no input or output.
    pub(crate) fn of(&self, place: Place) -> Option<Home> {
        match place {
            Place::Input(idx) => Some(self.inputs[idx as usize]),
            Place::Output(idx) => Some(self.outputs[idx as usize]),
            Place::Arena | Place::Weight(_) => None,
        }
    }
}

/// A plan for one assignment of the inputs' symbols, and places of the inputs and outputs.
pub(crate) struct Plan {
    /// Tells plans apart, also those of the past.
    pub(crate) id: u64,
    /// Whose memory inputs and outputs are in.
    pub(crate) homes: Homes,
    /// Symbols at the start of a run.
    pub(crate) symbols: Vec<Option<i64>>,
    /// Values of expressions that no step changes.
    pub(crate) values: Vec<Option<i64>>,
    /// What is known of each buffer.
    pub(crate) buffers: Vec<PlannedBuffer>,
    /// Views whose place, size and buffer are known; checked to lie within their buffers.
    pub(crate) views: Vec<Option<PlannedView>>,
    /// Bytes of the arena.
    pub(crate) arena_bytes: usize,
    /// Whether every buffer is a weight, lies in the arena, or has a place before the run begins. Then a run does what the last
    /// one did, but for the addresses of what is not in the arena.
    pub(crate) is_fixed: bool,
}

/// What is known of a buffer before a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PlannedBuffer {
    /// It lies in the arena, at this offset.
    Arena { offset: usize, bytes: usize },
    /// Its size is known, its memory comes from elsewhere: weight, or input or output outside of the arena.
    Outside { bytes: usize },
    /// Steps decide its size.
    Late,
}

/// A view with everything known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedView {
    pub(crate) buffer: usize,
    pub(crate) offset: usize,
}

impl Plan {
    /// Plans for an assignment.
    pub(crate) fn new(prepared: &Prepared, mut symbols: Vec<Option<i64>>, homes: Homes) -> Plan {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        for (symbol, value) in &prepared.early_lets {
            symbols[symbol.idx()] = prepared.exprs[value.idx()].eval(&symbols);
        }
        let value = |idx: usize| match prepared.is_late(DimId(idx as u32)) {
            true => None,
            false => prepared.exprs[idx].eval(&symbols),
        };
        let values: Vec<Option<i64>> = (0..prepared.exprs.len()).map(value).collect();
        let (buffers, arena_bytes) = place_buffers(prepared, &values, &homes);
        let is_fixed = prepared.program().buffers.iter().zip(&buffers).all(|(buffer, planned)| match planned {
            PlannedBuffer::Arena { .. } => true,
            PlannedBuffer::Outside { .. } => !matches!(buffer.place, Place::Arena),
            PlannedBuffer::Late => matches!(buffer.place, Place::Weight(_)),
        });
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut plan = Plan { id, homes, symbols, values, buffers, views: vec![], arena_bytes, is_fixed };
        let n_views = prepared.program().views.len();
        plan.views = (0..n_views).map(|idx| plan.view(prepared, ViewId(idx as u32))).collect();
        plan
    }

    /// Bytes of the outputs for which a run makes memory, as far as their sizes are known.
    pub(crate) fn output_bytes(&self, prepared: &Prepared) -> usize {
        let buffers = prepared.program().buffers.iter().zip(&self.buffers);
        let sizes = buffers.map(|(buffer, planned)| match (buffer.place, planned) {
            (Place::Output(idx), PlannedBuffer::Outside { bytes }) if self.homes.outputs[idx as usize] == Home::Own => {
                bytes.next_multiple_of(ALIGN)
            }
            _ => 0,
        });
        sizes.fold(0, usize::saturating_add)
    }

    /// Bytes of the largest scratch memory that a launch asks for, as far as that is known.
    pub(crate) fn scratch_bytes(&self, prepared: &Prepared) -> usize {
        let steps = prepared.program().blocks.iter().flatten();
        let sizes = steps.filter_map(|step| match step {
            Step::Launch(launch) => self.values[launch.scratch.idx()].and_then(|bytes| usize::try_from(bytes).ok()),
            _ => None,
        });
        sizes.max().unwrap_or(0)
    }

    /// A view, if everything about it is known and possible. Impossible ones occur in branches that are not taken; whoever
    /// uses such a view gets an error from [`RunMemory::locate`](crate::memory::RunMemory::locate).
    fn view(&self, prepared: &Prepared, id: ViewId) -> Option<PlannedView> {
        let view = &prepared.program().views[id.idx()];
        let limit = match self.buffers[view.buffer.idx()] {
            PlannedBuffer::Arena { bytes, .. } | PlannedBuffer::Outside { bytes } => bytes,
            PlannedBuffer::Late => return None,
        };
        let offset = self.values[view.offset.idx()]?;
        let extents = view.shape.iter().map(|dim| self.values[dim.idx()]).collect::<Option<Vec<i64>>>()?;
        let fitted = fit(offset, &extents, view.dtype.size(), limit);
        fitted.map(|(offset, _)| PlannedView { buffer: view.buffer.idx(), offset })
    }
}

/// Offset and size of a view in bytes, if it lies within its buffer. An empty one always does, at the start.
pub(crate) fn fit(offset: i64, extents: &[i64], element: usize, limit: usize) -> Option<(usize, usize)> {
    let bytes = extents.iter().try_fold(element, |bytes, extent| bytes.checked_mul(usize::try_from(*extent).ok()?))?;
    if bytes == 0 {
        return Some((0, 0));
    }
    let offset = usize::try_from(offset).ok()?;
    (offset.checked_add(bytes)? <= limit && offset.is_multiple_of(element)).then_some((offset, bytes))
}

/// Larger buffers are not planned for: whoever uses them is told that there is not so much memory.
const MAX_PLANNED: usize = 1 << 44;

fn place_buffers(prepared: &Prepared, values: &[Option<i64>], homes: &Homes) -> (Vec<PlannedBuffer>, usize) {
    let (mut owners, mut wanted) = (vec![], vec![]);
    let mut buffers: Vec<PlannedBuffer> = vec![];
    for (idx, buffer) in prepared.program().buffers.iter().enumerate() {
        let bytes =
            values[buffer.bytes.idx()].and_then(|bytes| usize::try_from(bytes).ok()).filter(|b| *b <= MAX_PLANNED);
        let lifetime = match buffer.place {
            Place::Arena => prepared.lifetimes.of[idx],
            _ if homes.of(buffer.place) == Some(Home::Arena) => Some(Lifetime::ALWAYS),
            Place::Weight(_) | Place::Input(_) | Place::Output(_) => None,
        };
        buffers.push(match (bytes, buffer.place) {
            (None, _) => PlannedBuffer::Late,
            (Some(bytes), _) => PlannedBuffer::Outside { bytes },
        });
        if let (Some(bytes), Some(lifetime)) = (bytes, lifetime) {
            owners.push(idx);
            wanted.push((bytes, lifetime));
        }
    }
    let (offsets, total) = arena::assign(&wanted);
    for ((idx, (bytes, _)), offset) in owners.into_iter().zip(wanted).zip(offsets) {
        buffers[idx] = PlannedBuffer::Arena { offset, bytes };
    }
    (buffers, total)
}
