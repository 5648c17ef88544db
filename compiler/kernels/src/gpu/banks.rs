//! How many wavefronts an access of a warp to shared memory takes.
//!
//! There are 32 banks of 4 bytes. An access of 4 bytes or less serves all lanes at once, one of 8 bytes half a warp and one
//! of 16 bytes a quarter. What is served at once takes as many wavefronts as the most distinct words in one bank; lanes that
//! read the same word share it. (CUDA C++ Programming Guide, "Shared Memory"; the order of phases as measured in public
//! microbenchmarks.)

use std::collections::BTreeSet;

/// Wavefronts of one access of `bytes` by each lane, at these addresses.
pub fn wavefronts(addresses: &[u32], bytes: u32) -> u32 {
    let together = (128 / bytes.max(4)) as usize;
    addresses.chunks(together).map(|lanes| phase(lanes, bytes)).sum()
}

fn phase(lanes: &[u32], bytes: u32) -> u32 {
    let mut words = vec![BTreeSet::new(); 32];
    for address in lanes {
        for word in address / 4..(address + bytes).div_ceil(4) {
            words[(word % 32) as usize].insert(word);
        }
    }
    words.iter().map(|bank| bank.len() as u32).max().unwrap_or(0)
}

/// Wavefronts beyond those that the bytes need: 0 for an access without conflicts.
pub fn conflicts(addresses: &[u32], bytes: u32) -> u32 {
    let phases = addresses.len().div_ceil((128 / bytes.max(4)) as usize) as u32;
    wavefronts(addresses, bytes).saturating_sub(phases)
}
