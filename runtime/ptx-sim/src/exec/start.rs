//! The beginning of a cluster: its blocks, and warps with their special registers.

use super::barrier::Named;
use super::fault::tid;
use super::{Block, Launch, Options, Warp};
use crate::code::{LaneMask, Special};
use crate::memory::{Actor, Clocks, Shared};
use crate::row::{LANES, Row};
use std::collections::BTreeMap;

/// The blocks of a cluster, in the order of their ranks.
pub(super) fn blocks(launch: &Launch, cluster: [u32; 3], options: &Options) -> Vec<Block> {
    let [x, y, z] = launch.cluster;
    let threads: u32 = launch.block.iter().product();
    (0..x * y * z)
        .map(|rank| {
            let inside = [rank % x, rank / x % y, rank / x / y];
            let shared = launch.code.shared_bytes as usize + launch.dynamic_shared as usize;
            Block {
                ctaid: std::array::from_fn(|axis| cluster[axis] * launch.cluster[axis] + inside[axis]),
                rank,
                shared: Shared::new(shared, options.sanitize),
                named: vec![Named::default(); 16],
                mbarriers: BTreeMap::new(),
                alive: threads,
            }
        })
        .collect()
}

/// All warps of a cluster.
pub(super) fn warps(launch: &Launch, blocks: &[Block], cluster: u32, options: &Options) -> Vec<Warp> {
    let threads: u32 = launch.block.iter().product();
    let per_block = threads.div_ceil(LANES as u32);
    let total = per_block as usize * blocks.len();
    let mut warps = Vec::with_capacity(total);
    for (at, block) in blocks.iter().enumerate() {
        for index in 0..per_block {
            let n = (threads - index * LANES as u32).min(LANES as u32);
            let alive = if n == 32 { u32::MAX } else { (1 << n) - 1 };
            let mut warp = Warp::new(
                registers(launch, block, index),
                at,
                index,
                alive,
                launch.code.local_bytes as usize,
                options.sanitize,
            );
            let number = warps.len() as u32;
            warp.actor = Actor { cluster, warp: number, clock: 1 };
            warp.clocks = Clocks { seen: vec![0; if options.sanitize { total } else { 0 }], knows_others: false };
            if let Some(own) = warp.clocks.seen.get_mut(number as usize) {
                *own = 1;
            }
            warps.push(warp);
        }
    }
    warps
}

fn registers(launch: &Launch, block: &Block, index: u32) -> Vec<Row> {
    let mut rows = vec![[0; LANES]; launch.code.slots as usize];
    for (slot, value) in &launch.code.constants {
        rows[*slot as usize] = [*value; LANES];
    }
    for (slot, special) in &launch.code.specials {
        rows[*slot as usize] = std::array::from_fn(|lane| value(*special, launch, block, index, lane as u32).into());
    }
    rows
}

fn value(special: Special, launch: &Launch, block: &Block, index: u32, lane: u32) -> u32 {
    let threads: u32 = launch.block.iter().product();
    let cluster = launch.cluster;
    let mask = |kind: LaneMask| {
        let own = 1u32 << lane;
        let below = own - 1;
        match kind {
            LaneMask::Equal => own,
            LaneMask::AtMost => below | own,
            LaneMask::Below => below,
            LaneMask::AtLeast => !below,
            LaneMask::Above => !below & !own,
        }
    };
    match special {
        Special::Tid(axis) => tid(launch.block, index * LANES as u32 + lane)[axis],
        Special::Ntid(axis) => launch.block[axis],
        Special::Ctaid(axis) => block.ctaid[axis],
        Special::Nctaid(axis) => launch.grid[axis],
        Special::ClusterId(axis) => block.ctaid[axis] / cluster[axis],
        Special::NclusterId(axis) => launch.grid[axis] / cluster[axis],
        Special::ClusterCtaid(axis) => block.ctaid[axis] % cluster[axis],
        Special::ClusterNctaid(axis) => cluster[axis],
        Special::ClusterCtarank => block.rank,
        Special::ClusterNctarank => cluster.iter().product(),
        Special::IsExplicitCluster => u32::from(launch.code.cluster.is_some()),
        Special::LaneId => lane,
        Special::WarpId => index,
        Special::NwarpId => threads.div_ceil(LANES as u32),
        Special::LaneMask(kind) => mask(kind),
        Special::Zero => 0,
        Special::One => 1,
        Special::DynamicSharedSize => launch.dynamic_shared,
        Special::TotalSharedSize => launch.code.shared_bytes as u32 + launch.dynamic_shared,
    }
}
