//! The memory of one run: where each buffer is, and views of them.

use crate::aligned::{ALIGN, AlignedBytes};
use crate::device::{Address, Memory, Module, Pool};
use crate::external::{Home, Range};
use crate::host::out_of_memory;
use crate::plan::{Plan, PlannedBuffer, fit};
use crate::prepared::Prepared;
use crate::{DeviceError, Error, Input, Limits};
use artifact::{DimId, Place, ViewId};
use std::sync::Arc;
use tensor::DType;

/// Where a buffer is, and who keeps it alive.
#[derive(Default)]
struct Slot {
    base: Option<Address>,
    bytes: usize,
    owner: Owner,
}

#[derive(Default)]
enum Owner {
    /// The arena, the module or the caller.
    #[default]
    Other,
    Device(Memory),
    Host(AlignedBytes),
}

/// What a run is given, beside its plan.
pub(crate) struct Provision<'a> {
    /// Memory for what the run makes and frees; the module's if there is none.
    pub(crate) pool: Option<Arc<dyn Pool>>,
    pub(crate) arena: Address,
    pub(crate) inputs: &'a [Input<'a>],
    /// Where outputs are wanted, where the caller says so.
    pub(crate) rooms: &'a [Option<Range>],
    pub(crate) limits: Limits,
}

/// A tensor in a device's memory.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    pub(crate) address: Address,
    pub(crate) bytes: usize,
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<usize>,
}

/// The memory and the symbols of one run.
pub(crate) struct RunMemory<'a> {
    pub(crate) prepared: &'a Prepared,
    pub(crate) plan: &'a Plan,
    pub(crate) module: &'a dyn Module,
    pub(crate) symbols: Vec<Option<i64>>,
    slots: Vec<Slot>,
    pool: Option<Arc<dyn Pool>>,
    limits: Limits,
    late_bytes: usize,
    late_peak: usize,
    /// Scratch memory of all threads together, so far.
    scratch_bytes: usize,
    /// Copies of inputs that were not aligned for their elements.
    _copies: Vec<AlignedBytes>,
}

impl<'a> RunMemory<'a> {
    /// Gives every buffer of known size its place.
    pub(crate) fn new(
        prepared: &'a Prepared,
        plan: &'a Plan,
        module: &'a dyn Module,
        given: Provision<'_>,
    ) -> Result<Self, Error> {
        let Provision { pool, arena, inputs, rooms, limits } = given;
        let symbols = plan.symbols.clone();
        let slots = std::iter::repeat_with(Slot::default).take(plan.buffers.len()).collect();
        let scratch_bytes = plan.scratch_bytes(prepared).saturating_mul(module.scratch_copies());
        let (late_bytes, late_peak, _copies) = (0, 0, vec![]);
        let mut memory = RunMemory {
            prepared,
            plan,
            module,
            symbols,
            slots,
            pool,
            limits,
            late_bytes,
            late_peak,
            scratch_bytes,
            _copies,
        };
        for (idx, buffer) in prepared.program().buffers.iter().enumerate() {
            let (base, bytes) = match (plan.buffers[idx], buffer.place) {
                (PlannedBuffer::Arena { offset, bytes }, _) => (arena.offset(offset), bytes),
                (_, Place::Weight(id)) => (module.weight(id), prepared.artifact().weights[id.idx()].data.len()),
                (_, Place::Input(input)) if plan.homes.inputs[input as usize] == Home::Caller => {
                    memory.input(&inputs[input as usize])?
                }
                (planned, Place::Output(output)) => match (planned, rooms[output as usize]) {
                    (PlannedBuffer::Outside { bytes }, Some(room)) => {
                        check_room(prepared, idx, bytes, room.bytes)?;
                        (room.address, bytes)
                    }
                    (_, Some(room)) => (room.address, room.bytes),
                    (PlannedBuffer::Outside { bytes }, None) => {
                        memory.allocate(idx, bytes)?;
                        continue;
                    }
                    (_, None) => continue,
                },
                _ => continue,
            };
            if let PlannedBuffer::Outside { bytes: claimed } = plan.buffers[idx]
                && claimed > bytes
            {
                return Err(Error::Program(format!("buffer {idx} claims {claimed} bytes of {bytes}")));
            }
            memory.slots[idx] = Slot { base: Some(base), bytes, owner: Owner::Other };
        }
        Ok(memory)
    }

    /// The address of an input that is used where it is, and its size.
    fn input(&mut self, input: &Input<'_>) -> Result<(Address, usize), Error> {
        let tensor = match input {
            Input::Here(tensor) => return Ok((tensor.address(), tensor.bytes())),
            Input::Host(tensor) => tensor,
        };
        let bytes = tensor.bytes();
        if (bytes.as_ptr() as usize).is_multiple_of(tensor.dtype().size()) {
            return Ok((Address::new(bytes.as_ptr() as u64), bytes.len()));
        }
        let mut copy = host_bytes(bytes.len())?;
        copy.as_mut().copy_from_slice(bytes);
        let address = Address::new(copy.as_ptr() as u64);
        self._copies.push(copy);
        Ok((address, bytes.len()))
    }

    /// Gives a buffer memory of its own. What it held before is lost.
    fn allocate(&mut self, idx: usize, bytes: usize) -> Result<(), Error> {
        let output = match self.prepared.program().buffers[idx].place {
            Place::Output(output) => Some(self.plan.homes.outputs[output as usize]),
            Place::Arena | Place::Weight(_) | Place::Input(_) => None,
        };
        if output == Some(Home::Caller) {
            return check_room(self.prepared, idx, bytes, self.slots[idx].bytes);
        }
        self.release(idx);
        self.reserve(bytes)?;
        let (base, owner) = if output.is_some() && self.module.is_host_memory() {
            let block = host_bytes(bytes)?;
            (Address::new(block.as_ptr() as u64), Owner::Host(block))
        } else {
            // What goes to the caller leaves the stream whose order keeps uses of the pool apart.
            let memory = if output.is_some() { self.module.alloc(bytes)? } else { self.alloc(bytes)? };
            (memory.address(), Owner::Device(memory))
        };
        self.slots[idx] = Slot { base: Some(base), bytes, owner };
        Ok(())
    }

    /// Memory that the run frees before it ends.
    pub(crate) fn alloc(&self, bytes: usize) -> Result<Memory, DeviceError> {
        match &self.pool {
            Some(pool) => pool.alloc(bytes),
            None => self.module.alloc(bytes),
        }
    }

    /// Counts memory that is about to be allocated outside of the arena, if the limit allows it.
    pub(crate) fn reserve(&mut self, bytes: usize) -> Result<(), Error> {
        let bytes = bytes.checked_next_multiple_of(ALIGN).unwrap_or(usize::MAX);
        let late = self.late_bytes.saturating_add(bytes);
        self.check_late(late, self.scratch_bytes)?;
        self.late_bytes = late;
        self.late_peak = self.late_peak.max(late);
        Ok(())
    }

    /// Whether the limit allows so much memory beside what was planned, and so much scratch memory.
    fn check_late(&self, late: usize, scratch: usize) -> Result<(), Error> {
        if self.limits.memory.is_none() {
            return Ok(());
        }
        let weights: usize = self.prepared.artifact().weights.iter().map(|weight| weight.data.len()).sum();
        let parts = [weights, self.plan.arena_bytes, scratch, late];
        let total = parts.into_iter().fold(0, usize::saturating_add);
        self.limits.check_memory(total, || "some sizes depend on data".into())
    }

    /// The bytes of scratch memory that each thread needs for a launch; all of them count, and stay.
    pub(crate) fn scratch(&mut self, dim: DimId) -> Result<usize, Error> {
        let bytes = self.size(dim)?;
        let all = bytes.saturating_mul(self.module.scratch_copies());
        if all > self.scratch_bytes {
            self.check_late(self.late_bytes, all)?;
            self.scratch_bytes = all;
        }
        Ok(bytes)
    }

    /// Counts memory that was freed.
    pub(crate) fn unreserve(&mut self, bytes: usize) {
        self.late_bytes = self.late_bytes.saturating_sub(bytes.next_multiple_of(ALIGN));
    }

    /// Counts all of these as freed; their owner drops them now.
    pub(crate) fn unreserve_all<'m>(&mut self, freed: impl IntoIterator<Item = &'m Memory>) {
        freed.into_iter().for_each(|memory| self.unreserve(memory.bytes()));
    }

    /// Frees a buffer's own memory, if it has any.
    fn release(&mut self, idx: usize) {
        if !matches!(self.slots[idx].owner, Owner::Other) {
            self.unreserve(self.slots[idx].bytes);
            self.slots[idx] = Slot::default();
        }
    }

    /// Frees the late buffers among those that no later step uses.
    pub(crate) fn release_dying(&mut self, buffers: &[usize]) {
        for idx in buffers {
            if matches!(self.prepared.program().buffers[*idx].place, Place::Arena) {
                self.release(*idx);
            }
        }
    }

    /// Most bytes that were allocated at once outside of the arena, scratch memory included.
    pub(crate) fn late_peak(&self) -> usize {
        self.late_peak.saturating_add(self.scratch_bytes)
    }

    /// The value of an expression now.
    pub(crate) fn value(&self, dim: DimId) -> Result<i64, Error> {
        if let Some(value) = self.plan.values[dim.idx()] {
            return Ok(value);
        }
        self.prepared.exprs[dim.idx()].eval(&self.symbols).ok_or_else(|| self.no_value(dim))
    }

    fn no_value(&self, dim: DimId) -> Error {
        let text = &self.prepared.program().exprs[dim.idx()];
        let unknown: Vec<bool> = self.symbols.iter().map(Option::is_none).collect();
        let symbols = self.known_symbols();
        if self.prepared.exprs[dim.idx()].mentions(&unknown) {
            return Error::Program(format!("`{text}` has no value here (symbols: {symbols})"));
        }
        Error::Check(format!(
            "the shapes of the inputs lead to an overflow or a division by zero: `{text}` with {symbols}"
        ))
    }

    fn known_symbols(&self) -> String {
        let names = self.prepared.program().symbols.iter().zip(&self.symbols);
        let known: Vec<String> = names.filter_map(|(name, value)| Some(format!("{name} = {}", (*value)?))).collect();
        known.join(", ")
    }

    /// A size: not negative.
    pub(crate) fn size(&self, dim: DimId) -> Result<usize, Error> {
        let value = self.value(dim)?;
        usize::try_from(value).map_err(|_| {
            let text = &self.prepared.program().exprs[dim.idx()];
            Error::Check(format!("the shapes of the inputs lead to a negative size: `{text}` = {value}"))
        })
    }

    /// The address of a view; memory is allocated if its buffer has none yet.
    pub(crate) fn address(&mut self, id: ViewId) -> Result<Address, Error> {
        if let Some(view) = &self.plan.views[id.idx()]
            && let Some(base) = self.slots[view.buffer].base
        {
            return Ok(base.offset(view.offset));
        }
        self.locate(id).map(|located| located.address)
    }

    /// The buffer that a view lies in, if it has memory: where it begins, and its bytes.
    pub(crate) fn buffer(&self, id: ViewId) -> Option<(Address, usize)> {
        let slot = &self.slots[self.prepared.program().views[id.idx()].buffer.idx()];
        slot.base.map(|base| (base, slot.bytes))
    }

    /// Everything about a view.
    pub(crate) fn locate(&mut self, id: ViewId) -> Result<Located, Error> {
        let view = &self.prepared.program().views[id.idx()];
        let shape = view.shape.iter().map(|dim| self.size(*dim)).collect::<Result<Vec<_>, _>>()?;
        let idx = view.buffer.idx();
        let wanted = self.size(self.prepared.program().buffers[idx].bytes)?;
        let fixed = !matches!(self.plan.buffers[idx], PlannedBuffer::Late)
            || matches!(self.prepared.program().buffers[idx].place, Place::Weight(_) | Place::Input(_));
        if self.slots[idx].base.is_none() || (!fixed && self.slots[idx].bytes < wanted) {
            self.allocate(idx, wanted)?;
        }
        let extents: Vec<i64> = shape.iter().map(|extent| *extent as i64).collect();
        let limit = wanted.min(self.slots[idx].bytes);
        let fitted = fit(self.value(view.offset)?, &extents, view.dtype.size(), limit);
        match (fitted, self.slots[idx].base) {
            (Some((offset, bytes)), Some(base)) => {
                Ok(Located { address: base.offset(offset), bytes, dtype: view.dtype, shape })
            }
            _ => Err(Error::Program(format!(
                "{} does not fit its {limit} bytes: {extents:?}",
                self.prepared.describe(id)
            ))),
        }
    }

    /// The places that another run of the same plan may find changed: the arena, and what lies outside of it.
    pub(crate) fn bases(&self, arena: Address) -> Vec<Address> {
        let buffers = self.prepared.program().buffers.iter().zip(&self.slots);
        let outside =
            buffers.filter(|(buffer, _)| self.plan.homes.of(buffer.place).is_some_and(|home| home != Home::Arena));
        std::iter::once(arena).chain(outside.filter_map(|(_, slot)| slot.base)).collect()
    }

    /// Takes the memory of a finished output, if the run made it.
    pub(crate) fn take_output(&mut self, id: ViewId) -> Option<Memory> {
        let idx = self.prepared.program().views[id.idx()].buffer.idx();
        let bytes = self.slots[idx].bytes;
        match std::mem::take(&mut self.slots[idx].owner) {
            Owner::Device(memory) => Some(memory),
            Owner::Host(block) => Some(Memory::new(Address::new(block.as_ptr() as u64), bytes, Box::new(block))),
            Owner::Other => None,
        }
    }

    /// Takes a finished output that lies in host memory of its own.
    pub(crate) fn take_host_output(&mut self, id: ViewId) -> Option<AlignedBytes> {
        let idx = self.prepared.program().views[id.idx()].buffer.idx();
        match std::mem::take(&mut self.slots[idx].owner) {
            Owner::Host(block) => Some(block),
            other => {
                self.slots[idx].owner = other;
                None
            }
        }
    }
}

/// Whether the caller's memory is enough for an output.
fn check_room(prepared: &Prepared, buffer: usize, needed: usize, room: usize) -> Result<(), Error> {
    if needed <= room {
        return Ok(());
    }
    let program = prepared.program();
    let port = program.outputs.iter().find(|port| program.views[port.view.idx()].buffer.idx() == buffer);
    let name = port.map_or("?", |port| port.name.as_str());
    Err(Error::Input(format!("output `{name}` takes {needed} bytes, it was given {room}")))
}

/// Zeroed host memory, or the error that says there is none.
pub(crate) fn host_bytes(bytes: usize) -> Result<AlignedBytes, Error> {
    AlignedBytes::new(bytes).ok_or_else(|| out_of_memory(bytes, "a tensor").into())
}
