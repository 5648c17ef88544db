//! The shared memory of one block.

use super::{Actor, Clocks, Kind, Shadow};
use crate::error::{FaultKind, Trouble};

/// Shared memory, and what is known of its bytes.
pub(crate) struct Shared {
    bytes: Vec<u8>,
    /// One bit for each byte that was written; only when asked for.
    written: Option<Vec<u64>>,
    shadow: Option<Shadow>,
    /// Who wrote each byte last by an ordinary store, and when; 0 for nobody.
    ordinary: Vec<(u32, u64)>,
    /// Asynchronous operations that still may write each byte, and that still may read it; empty until the first.
    busy: Vec<(u8, u8)>,
    /// How many such operations there are.
    pub(crate) in_flight: usize,
}

impl Shared {
    pub(crate) fn new(bytes: usize, tracks: bool) -> Self {
        Shared {
            bytes: vec![0xcd; bytes],
            written: tracks.then(|| vec![0; bytes.div_ceil(64)]),
            shadow: tracks.then(|| Shadow::new(bytes)),
            ordinary: if tracks { vec![(0, 0); bytes] } else { vec![] },
            busy: vec![],
            in_flight: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    fn check(&self, offset: u64, bytes: usize, lane: usize) -> Result<usize, Trouble> {
        let start = usize::try_from(offset).ok().filter(|start| start.saturating_add(bytes) <= self.bytes.len());
        start.ok_or_else(|| {
            let what = format!("{bytes} bytes at byte {offset} of {} bytes of shared memory", self.bytes.len());
            Trouble::new(FaultKind::OutOfBounds, lane, what)
        })
    }

    /// Bytes that a kernel reads.
    #[inline]
    pub(crate) fn read(&self, offset: u64, bytes: usize, lane: usize) -> Result<&[u8], Trouble> {
        let start = self.check(offset, bytes, lane)?;
        if self.in_flight > 0
            && let Some(at) = (start..start + bytes).find(|at| self.busy[*at].0 > 0)
        {
            let what = format!("byte {at} of shared memory is read while an asynchronous copy to it may be under way");
            return Err(Trouble::new(FaultKind::NotWaitedFor, lane, what));
        }
        if let Some(written) = &self.written
            && let Some(at) = (start..start + bytes).find(|at| written[at / 64] >> (at % 64) & 1 == 0)
        {
            return Err(Trouble::new(FaultKind::Uninitialized, lane, format!("byte {at} of shared memory")));
        }
        Ok(&self.bytes[start..start + bytes])
    }

    /// Bytes that a kernel writes.
    #[inline]
    pub(crate) fn write(&mut self, offset: u64, bytes: usize, lane: usize) -> Result<&mut [u8], Trouble> {
        let start = self.check(offset, bytes, lane)?;
        if self.in_flight > 0
            && let Some(at) = (start..start + bytes).find(|at| self.busy[*at] != (0, 0))
        {
            let what = format!("byte {at} of shared memory is written while an asynchronous operation may use it");
            return Err(Trouble::new(FaultKind::NotWaitedFor, lane, what));
        }
        Ok(self.write_anyway(start, bytes))
    }

    fn write_anyway(&mut self, start: usize, bytes: usize) -> &mut [u8] {
        if let Some(written) = &mut self.written {
            (start..start + bytes).for_each(|at| written[at / 64] |= 1 << (at % 64));
        }
        &mut self.bytes[start..start + bytes]
    }

    /// An asynchronous operation writes; its bytes are busy.
    pub(crate) fn write_async(&mut self, offset: u64, bytes: usize, lane: usize) -> Result<&mut [u8], Trouble> {
        let start = self.check(offset, bytes, lane)?;
        Ok(self.write_anyway(start, bytes))
    }

    /// An asynchronous operation begins to use bytes.
    pub(crate) fn begin(&mut self, offset: u64, bytes: usize, writes: bool, lane: usize) -> Result<(), Trouble> {
        let start = self.check(offset, bytes, lane)?;
        if self.busy.is_empty() {
            self.busy = vec![(0, 0); self.bytes.len()];
        }
        for (at, busy) in self.busy[start..start + bytes].iter_mut().enumerate() {
            if busy.0 > 0 || (writes && busy.1 > 0) {
                let what = format!("byte {} of shared memory is used by two asynchronous operations", start + at);
                return Err(Trouble::new(FaultKind::NotWaitedFor, lane, what));
            }
            let count = if writes { &mut busy.0 } else { &mut busy.1 };
            *count = count.saturating_add(1);
        }
        self.in_flight += 1;
        Ok(())
    }

    /// An asynchronous operation was waited for.
    pub(crate) fn end(&mut self, offset: u64, bytes: usize, writes: bool) {
        for busy in self.busy.iter_mut().skip(offset as usize).take(bytes) {
            let count = if writes { &mut busy.0 } else { &mut busy.1 };
            *count = count.saturating_sub(1);
        }
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Notes an access for the race detector.
    pub(crate) fn note(
        &mut self,
        offset: u64,
        bytes: usize,
        actor: Actor,
        kind: Kind,
        clocks: &Clocks,
    ) -> Result<(), String> {
        let Some(shadow) = &mut self.shadow else { return Ok(()) };
        shadow.note(offset as usize..offset as usize + bytes, actor, kind, clocks)
    }

    /// Bytes were written by an ordinary store, or with time 0 by an asynchronous one.
    pub(crate) fn mark(&mut self, offset: u64, bytes: usize, warp: u32, time: u64) {
        for last in self.ordinary.iter_mut().skip(offset as usize).take(bytes) {
            *last = (warp, time);
        }
    }

    /// Fails if bytes that an asynchronous operation reads were written by ordinary stores, and neither the writer nor the
    /// reader fenced its proxies since. `fences` has the moment of each warp's last one.
    pub(crate) fn check_proxy(&self, offset: u64, bytes: usize, reader: u32, fences: &[u64]) -> Result<(), Trouble> {
        let since = |warp: u32, time: u64| fences.get(warp as usize).is_some_and(|fence| *fence > time);
        let range = self.ordinary.iter().enumerate().skip(offset as usize).take(bytes);
        for (at, (writer, time)) in range {
            if *time > 0 && !since(*writer, *time) && !since(reader, *time) {
                let what = format!(
                    "byte {at} of shared memory is read asynchronously without fence.proxy.async after the store"
                );
                return Err(Trouble::new(FaultKind::Race, 0, what));
            }
        }
        Ok(())
    }
}
