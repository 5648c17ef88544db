//! Memory of the device and page-locked memory of the host, and who accessed what when.

use super::clock::{Clock, Moment};
use crate::driver::HostBlock;
use std::collections::BTreeMap;
use std::ops::Range;

pub(crate) struct Heap {
    blocks: BTreeMap<u64, Block>,
    next: u64,
    /// Bytes that there are.
    pub(crate) limit: usize,
    used: usize,
    pinned: BTreeMap<usize, Box<[u8]>>,
    /// Copies that the host did not wait for.
    flying: Vec<Flight>,
}

struct Block {
    bytes: Vec<u8>,
    accesses: Vec<Access>,
}

struct Access {
    range: Range<usize>,
    writes: bool,
    moment: Moment,
}

/// A copy between the device and page-locked memory: what the latter must still hold, or will.
struct Flight {
    block: HostBlock,
    bytes: Vec<u8>,
    to_host: bool,
    moment: Moment,
}

impl Default for Heap {
    fn default() -> Self {
        let (blocks, pinned) = (BTreeMap::new(), BTreeMap::new());
        Heap { blocks, next: 0x10_0000, limit: 1 << 30, used: 0, pinned, flying: vec![] }
    }
}

impl Heap {
    pub(crate) fn free(&self) -> usize {
        self.limit - self.used
    }

    pub(crate) fn alloc(&mut self, bytes: usize) -> u64 {
        let address = self.next;
        self.next += bytes.next_multiple_of(256) as u64 + 256;
        self.used += bytes;
        self.blocks.insert(address, Block { bytes: vec![0xcd; bytes], accesses: vec![] });
        address
    }

    pub(crate) fn end(&mut self, address: u64) {
        let block = self.blocks.remove(&address).expect("freed memory that is not there");
        self.used -= block.bytes.len();
    }

    pub(crate) fn pin(&mut self, bytes: usize) -> HostBlock {
        let mut block = vec![0; bytes].into_boxed_slice();
        let pointer = block.as_mut_ptr();
        self.pinned.insert(pointer as usize, block);
        HostBlock { pointer, bytes }
    }

    pub(crate) fn unpin(&mut self, block: HostBlock) {
        assert!(self.flying.iter().all(|f| f.block.pointer != block.pointer), "a copy goes on in memory that is freed");
        let found = self.pinned.remove(&(block.pointer as usize)).expect("page-locked memory that is not there");
        assert_eq!(found.len(), block.bytes);
    }

    /// What was not freed.
    pub(crate) fn left(&self) -> Vec<String> {
        let blocks = self.blocks.values().map(|block| format!("{} bytes", block.bytes.len()));
        blocks.chain(self.pinned.values().map(|block| format!("{} page-locked bytes", block.len()))).collect()
    }

    /// Notes an access, which must be ordered with all that it cannot share bytes with.
    fn access(&mut self, address: u64, bytes: usize, writes: bool, moment: &Moment) -> (&mut Vec<u8>, Range<usize>) {
        let (base, block) = self.blocks.range_mut(..=address).next_back().expect("an address before all memory");
        let start = (address - base) as usize;
        let range = start..start + bytes;
        assert!(range.end <= block.bytes.len(), "{range:?} of {} bytes at {base:#x}", block.bytes.len());
        for other in &block.accesses {
            let touches = other.range.start < range.end && range.start < other.range.end;
            let known = moment.clock.knows(other.moment.stream, other.moment.number);
            assert!(
                !touches || known || !(writes || other.writes),
                "nothing orders an access to {range:?} of the memory at {base:#x} behind another one on stream {:?}",
                other.moment.stream
            );
        }
        block.accesses.retain(|other| {
            let inside = range.start <= other.range.start && other.range.end <= range.end;
            !(inside && moment.clock.knows(other.moment.stream, other.moment.number) && (writes || !other.writes))
        });
        block.accesses.push(Access { range: range.clone(), writes, moment: moment.clone() });
        (&mut block.bytes, range)
    }

    pub(crate) fn read(&mut self, address: u64, bytes: usize, moment: &Moment) -> Vec<u8> {
        let (memory, range) = self.access(address, bytes, false, moment);
        memory[range].to_vec()
    }

    pub(crate) fn write(&mut self, address: u64, bytes: &[u8], moment: &Moment) {
        let (memory, range) = self.access(address, bytes.len(), true, moment);
        memory[range].copy_from_slice(bytes);
    }

    fn pinned(&mut self, block: HostBlock) -> &mut [u8] {
        let found = self.pinned.get_mut(&(block.pointer as usize)).expect("page-locked memory that is not there");
        &mut found[..block.bytes]
    }

    pub(crate) fn write_pinned(&mut self, from: HostBlock, to: u64, moment: &Moment) {
        let bytes = self.pinned(from).to_vec();
        self.write(to, &bytes, moment);
        self.flying.push(Flight { block: from, bytes, to_host: false, moment: moment.clone() });
    }

    pub(crate) fn read_pinned(&mut self, from: u64, to: HostBlock, moment: &Moment) {
        let bytes = self.read(from, to.bytes, moment);
        // Until the host waits it sees something else.
        self.pinned(to).fill(0xaa);
        self.flying.push(Flight { block: to, bytes, to_host: true, moment: moment.clone() });
    }

    /// Ends the copies that the host knows of.
    pub(crate) fn settle(&mut self, host: &Clock) {
        let (done, flying) = std::mem::take(&mut self.flying)
            .into_iter()
            .partition(|flight: &Flight| host.knows(flight.moment.stream, flight.moment.number));
        self.flying = flying;
        for Flight { block, bytes, to_host, .. } in done {
            if to_host {
                self.pinned(block).copy_from_slice(&bytes);
            } else {
                assert!(self.pinned(block) == bytes, "page-locked memory changed while it was copied from");
            }
        }
    }
}
