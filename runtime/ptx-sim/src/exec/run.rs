//! A launch: clusters one after the other, each until all its threads have ended.

use super::barrier::Named;
use super::random::Random;
use super::{Counts, Launch, Options, Warp, World, copy, fault, start};
use crate::error::{Error, FaultKind, Trouble};
use crate::memory::{Clocks, Heap};
use std::collections::BTreeMap;

/// Instructions that a warp runs before another has its turn.
const SLICE: u32 = 2048;

/// Runs a kernel to its end.
pub(crate) fn run(launch: &Launch, heap: &mut Heap, options: &Options) -> Result<Counts, Error> {
    let mut counts = Counts { launches: 1, ..Counts::default() };
    let mut random = Random::new(options.seed);
    let clusters: [u32; 3] = std::array::from_fn(|axis| launch.grid[axis] / launch.cluster[axis]);
    let total: u64 = clusters.iter().map(|n| u64::from(*n)).product();
    let mut time = 0;
    for at in 0..total {
        let [x, y] = [u64::from(clusters[0]), u64::from(clusters[1])];
        let place = [(at % x) as u32, (at / x % y) as u32, (at / x / y) as u32];
        let mut world = World {
            heap: &mut *heap,
            launch,
            options,
            counts: &mut counts,
            random: &mut random,
            blocks: start::blocks(launch, place, options),
            cluster_barrier: Named::default(),
            strong: Clocks::default(),
            cluster: (at as u32).saturating_add(1),
            time,
            polls: 0,
            deferred: vec![],
            proxy_fences: vec![],
            barrier_fences: vec![],
            warpgroups: BTreeMap::new(),
        };
        cluster(&mut world)?;
        time = world.time;
    }
    heap.forget();
    Ok(counts)
}

fn cluster(world: &mut World<'_>) -> Result<(), Error> {
    let mut warps = start::warps(world.launch, &world.blocks, world.cluster, world.options);
    world.proxy_fences = vec![0; warps.len()];
    world.barrier_fences = vec![0; warps.len()];
    loop {
        let mut moved = false;
        // The order of the warps changes from round to round, as the seed says.
        let first = world.random.below(warps.len() as u64) as usize;
        let n = warps.len();
        for at in 0..n {
            let warp = &mut warps[(first + at) % n];
            if warp.alive == 0 {
                continue;
            }
            let result = warp.run(world, SLICE);
            moved |= result.map_err(|(trouble, pc)| {
                fault::place(trouble, world.launch, warp, world.blocks[warp.block].ctaid, pc)
            })?;
        }
        let is_over = warps.iter().all(|warp| warp.alive == 0);
        moved |= deferred(world, &warps, is_over || !moved)?;
        if is_over {
            return Ok(());
        }
        if !moved {
            return Err(fault::stuck(world, &warps));
        }
        if world.counts.warp_instructions > world.options.limit {
            let warp = warps.iter().find(|warp| warp.alive != 0).unwrap_or(&warps[0]);
            let pc = warp.fragments.first().map_or(0, |fragment| fragment.pc);
            let trouble = Trouble::new(FaultKind::Hang, 0, format!("{} instructions ran", world.options.limit));
            return Err(fault::place(trouble, world.launch, warp, world.blocks[warp.block].ctaid, pc));
        }
    }
}

/// Ends asynchronous operations that are due; the first that is not, when nothing else moves.
fn deferred(world: &mut World<'_>, warps: &[Warp], force: bool) -> Result<bool, Error> {
    copy::progress(world, force).map_err(|(trouble, block)| {
        let warp = warps.iter().find(|warp| warp.block == block).unwrap_or(&warps[0]);
        let pc = warp.fragments.first().map_or(0, |fragment| fragment.pc);
        fault::place(trouble, world.launch, warp, world.blocks[block].ctaid, pc)
    })
}
