//! Loops.

use crate::Error;
use crate::device::Memory;
use crate::exec::Run;
use crate::memory::Located;
use artifact::{Loop, Scan, ViewId};

/// Slices of a scan, one after the other, in memory that grows.
struct Stack<'a> {
    scan: &'a Scan,
    memory: Option<Memory>,
    /// Bytes of one slice; known after the first trip.
    slice: usize,
    trips: usize,
}

impl Run<'_> {
    /// Runs a loop.
    pub(crate) fn repeat(&mut self, repeat: &Loop) -> Result<(), Error> {
        let limit = repeat.max_trips.map(|view| self.read_int(view)).transpose()?.unwrap_or(i64::MAX);
        let mut go = repeat.cond.map(|view| self.read_int(view)).transpose()?.unwrap_or(1) != 0;
        let new_stack = |scan| Stack { scan, memory: None, slice: 0, trips: 0 };
        let mut stacks: Vec<Stack<'_>> = repeat.scans.iter().map(new_stack).collect();
        let mut trip = 0;
        while go && trip < limit {
            self.number_trip(repeat, trip)?;
            self.block(repeat.body)?;
            for stack in &mut stacks {
                self.push(stack)?;
            }
            if let Some(view) = repeat.cond_out {
                go = self.read_int(view)? != 0;
            }
            self.carry(repeat)?;
            trip += 1;
        }
        if let Some(symbol) = repeat.trips {
            self.set(symbol, trip);
        }
        stacks.iter().try_for_each(|stack| self.finish(stack))?;
        self.memory.unreserve_all(stacks.iter().filter_map(|stack| stack.memory.as_ref()));
        Ok(())
    }

    fn number_trip(&mut self, repeat: &Loop, trip: i64) -> Result<(), Error> {
        if let Some(symbol) = repeat.index {
            self.set(symbol, trip);
        }
        let Some(view) = repeat.iteration else {
            return Ok(());
        };
        let located = self.memory.locate(view)?;
        if located.bytes != located.dtype.size() {
            return Err(Error::Program("the number of the trip is not a scalar".into()));
        }
        let mut bytes = [0; 8];
        tensor::Scalar::Int(trip.into()).store(located.dtype, &mut bytes);
        // SAFETY: the view was checked to have these bytes.
        unsafe { self.stream.upload(&bytes[..located.bytes], located.address) }?;
        Ok(())
    }

    /// Moves the carried values to where the next trip finds them, and gives symbols their new values in between.
    fn carry(&mut self, repeat: &Loop) -> Result<(), Error> {
        let buffer = |run: &Self, view: ViewId| run.memory.prepared.program().views[view.idx()].buffer;
        let targets: Vec<_> = repeat.carried.iter().map(|(_, to)| buffer(self, *to)).collect();
        let mut sources = vec![];
        // Copies of values whose buffers are about to be overwritten.
        let mut keep_alive = vec![];
        for (from, to) in &repeat.carried {
            let mut located = self.memory.locate(*from)?;
            let own = buffer(self, *from);
            if from != to && targets.contains(&own) && located.bytes > 0 {
                self.memory.reserve(located.bytes)?;
                let aside = self.memory.alloc(located.bytes)?;
                let copy = Located { address: aside.address(), ..located.clone() };
                self.copy(&located, &copy)?;
                located = copy;
                keep_alive.push(aside);
            }
            sources.push(located);
        }
        let values = repeat.rebind.iter().map(|(_, value)| self.memory.value(*value)).collect::<Result<Vec<_>, _>>()?;
        for ((symbol, _), value) in repeat.rebind.iter().zip(values) {
            self.set(*symbol, value);
        }
        for ((from, to), source) in repeat.carried.iter().zip(&sources) {
            if from != to {
                let target = self.memory.locate(*to)?;
                self.copy(source, &target)?;
            }
        }
        if !keep_alive.is_empty() {
            self.stream.synchronize()?;
            self.memory.unreserve_all(&keep_alive);
        }
        Ok(())
    }

    /// Adds this trip's slice to a stack.
    fn push(&mut self, stack: &mut Stack<'_>) -> Result<(), Error> {
        let slice = self.memory.locate(stack.scan.slice)?;
        if stack.trips > 0 && slice.bytes != stack.slice {
            return Err(Error::Check(format!(
                "a loop's output changes its shape to {:?} in trip {}",
                slice.shape, stack.trips
            )));
        }
        stack.slice = slice.bytes;
        let used = stack.trips * stack.slice;
        stack.trips += 1;
        if slice.bytes == 0 {
            return Ok(());
        }
        let needed = used + stack.slice;
        let memory = match stack.memory.take() {
            Some(memory) if memory.bytes() >= needed => memory,
            old => self.grow(old, used, needed)?,
        };
        // SAFETY: the memory has room for the slice after the used part.
        unsafe { self.stream.copy(slice.address, memory.address().offset(used), slice.bytes) }?;
        stack.memory = Some(memory);
        Ok(())
    }

    fn grow(&mut self, old: Option<Memory>, used: usize, needed: usize) -> Result<Memory, Error> {
        let bytes = needed.max(used.saturating_mul(2)).max(4096);
        self.memory.reserve(bytes)?;
        let memory = self.memory.alloc(bytes)?;
        if let Some(old) = old {
            // SAFETY: both have at least the used bytes.
            unsafe { self.stream.copy(old.address(), memory.address(), used) }?;
            self.stream.synchronize()?;
            self.memory.unreserve_all(&[old]);
        }
        Ok(memory)
    }

    /// Writes a stack to its tensor.
    fn finish(&mut self, stack: &Stack<'_>) -> Result<(), Error> {
        let out = self.memory.locate(stack.scan.out)?;
        let total = stack.trips * stack.slice;
        if out.bytes != total || out.shape.first() != Some(&stack.trips) {
            return Err(Error::Program(format!(
                "{} slices do not fill a tensor of shape {:?}",
                stack.trips, out.shape
            )));
        }
        let Some(memory) = &stack.memory else {
            return Ok(());
        };
        let pieces = if stack.scan.reversed { stack.trips } else { 1 };
        let bytes = total / pieces;
        for piece in 0..pieces {
            let from = memory.address().offset((pieces - 1 - piece) * bytes);
            // SAFETY: the pieces of the stack are as large as those of the output.
            unsafe { self.stream.copy(from, out.address.offset(piece * bytes), bytes) }?;
        }
        Ok(self.stream.synchronize()?)
    }
}
