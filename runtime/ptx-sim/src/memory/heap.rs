//! Global memory: allocations with gaps between them.

use super::window;
use super::{Actor, Clocks, Kind, Shadow};
use crate::error::{Error, FaultKind, Trouble};
use std::collections::BTreeMap;
use std::ops::Range;

/// Every allocation begins at a multiple of this, and at least as much lies between two.
const GRANULE: u64 = 256;

/// One allocation.
struct Block {
    bytes: Vec<u8>,
    /// Which bytes were written, one bit each; only when asked for.
    written: Option<Vec<u64>>,
    /// Accesses of the running kernel; made when the first is noted.
    shadow: Option<Shadow>,
}

/// All allocations.
pub(crate) struct Heap {
    blocks: BTreeMap<u64, Block>,
    next: u64,
    used: u64,
    limit: u64,
    tracks: bool,
    /// Ranges that the running kernel may touch; empty when it may touch every allocation.
    pub(crate) allowed: Vec<Range<u64>>,
}

impl Heap {
    /// A heap of so many bytes at most; one that `tracks` knows what was written.
    pub(crate) fn new(limit: u64, tracks: bool) -> Self {
        Heap { blocks: BTreeMap::new(), next: window::HEAP, used: 0, limit, tracks, allowed: vec![] }
    }

    /// New memory.
    pub(crate) fn alloc(&mut self, bytes: u64) -> Result<u64, Error> {
        let fail = || Error::OutOfMemory(bytes);
        let used = self.used.checked_add(bytes).filter(|used| *used <= self.limit).ok_or_else(fail)?;
        let len = usize::try_from(bytes).map_err(|_| fail())?;
        let mut block = vec![];
        block.try_reserve_exact(len).map_err(|_| fail())?;
        // Not zero: what nobody wrote should not look like a result.
        block.resize(len, 0xcd);
        let written = self.tracks.then(|| vec![0; len.div_ceil(64)]);
        let address = self.next;
        self.blocks.insert(address, Block { bytes: block, written, shadow: None });
        self.next += bytes.next_multiple_of(GRANULE) + GRANULE;
        self.used = used;
        Ok(address)
    }

    /// Gives memory back.
    pub(crate) fn free(&mut self, address: u64) {
        if let Some(block) = self.blocks.remove(&address) {
            self.used -= block.bytes.len() as u64;
        }
    }

    fn block(&self, address: u64) -> Option<(u64, &Block)> {
        self.blocks.range(..=address).next_back().map(|(base, block)| (*base, block))
    }

    fn range(&self, address: u64, bytes: usize) -> Option<(u64, Range<usize>)> {
        let (base, block) = self.block(address)?;
        let start = usize::try_from(address - base).ok()?;
        let end = start.checked_add(bytes)?;
        (end <= block.bytes.len()).then_some((base, start..end))
    }

    fn find(&self, address: u64, bytes: usize, lane: usize) -> Result<(u64, Range<usize>), Trouble> {
        let found = self.range(address, bytes);
        let is_allowed = self.allowed.is_empty()
            || self
                .allowed
                .iter()
                .any(|range| range.start <= address && address.saturating_add(bytes as u64) <= range.end);
        match found {
            Some(found) if is_allowed => Ok(found),
            _ => Err(Trouble::new(FaultKind::OutOfBounds, lane, self.explain(address, bytes))),
        }
    }

    /// Says where an address lies beside what is known.
    fn explain(&self, address: u64, bytes: usize) -> String {
        let what = format!("{bytes} bytes at global address {address:#x}");
        let near = self.allowed.iter().filter(|range| range.start <= address).max_by_key(|range| range.start);
        if let Some(range) = near {
            let (at, len) = (address - range.start, range.end - range.start);
            return format!("{what}, which is byte {at} of a tensor of {len} bytes");
        }
        match self.block(address) {
            Some((base, block)) => {
                format!("{what}, which is byte {} of an allocation of {} bytes", address - base, block.bytes.len())
            }
            None => format!("{what}, which no allocation has"),
        }
    }

    /// Bytes that a kernel reads.
    #[inline]
    pub(crate) fn read(&self, address: u64, bytes: usize, lane: usize) -> Result<&[u8], Trouble> {
        let (base, range) = self.find(address, bytes, lane)?;
        let block = &self.blocks[&base];
        if let Some(written) = &block.written
            && let Some(at) = range.clone().find(|at| written[at / 64] >> (at % 64) & 1 == 0)
        {
            let what = format!("global address {:#x}, byte {at} of its allocation", base + at as u64);
            return Err(Trouble::new(FaultKind::Uninitialized, lane, what));
        }
        Ok(&block.bytes[range])
    }

    /// Bytes that a kernel writes.
    #[inline]
    pub(crate) fn write(&mut self, address: u64, bytes: usize, lane: usize) -> Result<&mut [u8], Trouble> {
        let (base, range) = self.find(address, bytes, lane)?;
        let Some(block) = self.blocks.get_mut(&base) else {
            return Err(Trouble::new(FaultKind::OutOfBounds, lane, "no allocation"));
        };
        if let Some(written) = &mut block.written {
            range.clone().for_each(|at| written[at / 64] |= 1 << (at % 64));
        }
        Ok(&mut block.bytes[range])
    }

    /// Notes an access for the race detector.
    pub(crate) fn note(
        &mut self,
        address: u64,
        bytes: usize,
        actor: Actor,
        kind: Kind,
        clocks: &Clocks,
    ) -> Result<(), String> {
        let Some((base, range)) = self.range(address, bytes) else { return Ok(()) };
        let Some(block) = self.blocks.get_mut(&base) else { return Ok(()) };
        let len = block.bytes.len();
        block.shadow.get_or_insert_with(|| Shadow::new(len)).note(range, actor, kind, clocks)
    }

    /// Forgets all accesses: a kernel ended.
    pub(crate) fn forget(&mut self) {
        self.blocks.values_mut().for_each(|block| block.shadow = None);
    }

    /// Bytes for the host; what nobody wrote is no fault here.
    pub(crate) fn get(&self, address: u64, bytes: usize) -> Option<&[u8]> {
        let (base, range) = self.range(address, bytes)?;
        Some(&self.blocks[&base].bytes[range])
    }

    /// Writes bytes of the host.
    pub(crate) fn put(&mut self, address: u64, bytes: &[u8]) -> Option<()> {
        let (base, range) = self.range(address, bytes.len())?;
        let block = self.blocks.get_mut(&base)?;
        if let Some(written) = &mut block.written {
            range.clone().for_each(|at| written[at / 64] |= 1 << (at % 64));
        }
        block.bytes[range].copy_from_slice(bytes);
        Some(())
    }

    /// Copies within the heap, with what is known of the bytes.
    pub(crate) fn copy(&mut self, from: u64, to: u64, bytes: usize) -> Option<()> {
        let (base, range) = self.range(from, bytes)?;
        let block = &self.blocks[&base];
        let data = block.bytes[range.clone()].to_vec();
        let known: Option<Vec<bool>> =
            block.written.as_ref().map(|written| range.map(|at| written[at / 64] >> (at % 64) & 1 == 1).collect());
        let (base, range) = self.range(to, bytes)?;
        let block = self.blocks.get_mut(&base)?;
        if let (Some(known), Some(written)) = (known, &mut block.written) {
            for (at, known) in range.clone().zip(known) {
                let bit = 1 << (at % 64);
                written[at / 64] = if known { written[at / 64] | bit } else { written[at / 64] & !bit };
            }
        }
        block.bytes[range].copy_from_slice(&data);
        Some(())
    }
}
