//! What a kernel did, in numbers.

use std::ops::AddAssign;

/// What one or several launches did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Launches.
    pub launches: u64,
    /// Instructions of warps.
    pub warp_instructions: u64,
    /// Instructions of threads.
    pub thread_instructions: u64,
    /// Bytes that threads read from global memory.
    pub global_read: u64,
    /// Bytes that threads wrote to global memory.
    pub global_written: u64,
    /// Pieces of 32 bytes that global accesses touched (only with `sanitize`).
    pub sectors: u64,
    /// As few as they could have been (only with `sanitize`).
    pub ideal_sectors: u64,
    /// Passes that shared memory needed (only with `sanitize`).
    pub shared_passes: u64,
    /// As few as they could have been: the difference is bank conflicts (only with `sanitize`).
    pub ideal_shared_passes: u64,
    /// Multiplications and additions of matrix instructions.
    pub matrix_flops: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.launches += other.launches;
        self.warp_instructions += other.warp_instructions;
        self.thread_instructions += other.thread_instructions;
        self.global_read += other.global_read;
        self.global_written += other.global_written;
        self.sectors += other.sectors;
        self.ideal_sectors += other.ideal_sectors;
        self.shared_passes += other.shared_passes;
        self.ideal_shared_passes += other.ideal_shared_passes;
        self.matrix_flops += other.matrix_flops;
    }
}

impl Counts {
    /// Counts one access of a warp to global memory.
    pub(super) fn global(&mut self, addresses: &[u64], bytes: u64) {
        let mut sectors: Vec<u64> =
            addresses.iter().flat_map(|address| address / 32..=address.saturating_add(bytes - 1) / 32).collect();
        sectors.sort_unstable();
        sectors.dedup();
        let mut distinct = addresses.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        self.sectors += sectors.len() as u64;
        self.ideal_sectors += (distinct.len() as u64 * bytes).div_ceil(32);
    }

    /// Counts one access of a warp to shared memory: 32 banks of 4 bytes; wide accesses go in parts.
    pub(super) fn shared(&mut self, offsets: &[u64], bytes: u64) {
        let part = (128 / bytes.max(4)) as usize;
        for offsets in offsets.chunks(part) {
            let mut words: Vec<u64> = offsets.iter().flat_map(|at| at / 4..=at.saturating_add(bytes - 1) / 4).collect();
            words.sort_unstable();
            words.dedup();
            let mut banks = [0u64; 32];
            words.iter().for_each(|word| banks[(word % 32) as usize] += 1);
            self.shared_passes += banks.into_iter().max().unwrap_or(0);
            self.ideal_shared_passes += (words.len() as u64).div_ceil(32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_and_sectors() {
        let mut counts = Counts::default();
        counts.shared(&(0..32).map(|lane| lane * 4).collect::<Vec<_>>(), 4);
        assert_eq!((counts.shared_passes, counts.ideal_shared_passes), (1, 1));
        counts.shared(&(0..32).map(|lane| lane * 128).collect::<Vec<_>>(), 4);
        assert_eq!((counts.shared_passes, counts.ideal_shared_passes), (33, 2));
        counts.shared(&(0..32).map(|lane| lane * 16).collect::<Vec<_>>(), 16);
        assert_eq!((counts.shared_passes, counts.ideal_shared_passes), (37, 6));
        counts.global(&(0..32).map(|lane| lane * 4).collect::<Vec<_>>(), 4);
        assert_eq!((counts.sectors, counts.ideal_sectors), (4, 4));
        counts.global(&(0..32).map(|lane| lane * 64).collect::<Vec<_>>(), 4);
        assert_eq!((counts.sectors, counts.ideal_sectors), (36, 8));
    }
}
