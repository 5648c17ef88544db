//! Running kernels: clusters one after the other, the warps of a cluster in turns.

pub(crate) mod access;
pub(crate) mod barrier;
pub(crate) mod collective;
pub(crate) mod copy;
mod counts;
mod fault;
pub(crate) mod matrix;
mod random;
mod run;
mod start;
mod tensor;
mod warp;
pub(crate) mod wgmma;

pub use counts::Counts;
pub(crate) use run::run;
pub use tensor::{Swizzle, TensorMap};
pub(crate) use warp::Warp;

use crate::code::Code;
use crate::error::{FaultKind, Trouble};
use crate::memory::{Clocks, Heap, Shared};
use barrier::{Named, Parity};
use random::Random;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How kernels are run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Look for reads of what nobody wrote and for races, and count bank conflicts and sectors. Several times slower.
    pub sanitize: bool,
    /// Changes the order in which warps run and the moments at which asynchronous operations finish.
    pub seed: u64,
    /// Bytes of global memory.
    pub memory: u64,
    /// A launch that executes more instructions of warps than this hangs.
    pub limit: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options { sanitize: false, seed: 0, memory: 16 << 30, limit: 1 << 33 }
    }
}

/// The extents and parameters of a launch.
pub(crate) struct Launch {
    pub(crate) code: Arc<Code>,
    pub(crate) grid: [u32; 3],
    pub(crate) block: [u32; 3],
    pub(crate) cluster: [u32; 3],
    pub(crate) dynamic_shared: u32,
    pub(crate) params: Vec<u8>,
}

/// A block of a running cluster.
pub(crate) struct Block {
    pub(crate) ctaid: [u32; 3],
    pub(crate) rank: u32,
    pub(crate) shared: Shared,
    pub(crate) named: Vec<Named>,
    pub(crate) mbarriers: BTreeMap<u64, Parity>,
    /// Threads that have not ended.
    pub(crate) alive: u32,
}

/// What the warps of a cluster share.
pub(crate) struct World<'a> {
    pub(crate) heap: &'a mut Heap,
    pub(crate) launch: &'a Launch,
    pub(crate) options: &'a Options,
    pub(crate) counts: &'a mut Counts,
    pub(crate) random: &'a mut Random,
    pub(crate) blocks: Vec<Block>,
    /// The barrier of the whole cluster.
    pub(crate) cluster_barrier: Named,
    /// What atomics and strong accesses told.
    pub(crate) strong: Clocks,
    /// From 1.
    pub(crate) cluster: u32,
    /// Instructions of warps so far.
    pub(crate) time: u64,
    /// Questions to mbarriers that were answered with no since the last arrival.
    pub(crate) polls: u32,
    /// Asynchronous operations that report to mbarriers.
    pub(crate) deferred: Vec<copy::Deferred>,
    /// When each warp of the cluster ran `fence.proxy` last.
    pub(crate) proxy_fences: Vec<u64>,
    /// When each ran that or `fence.mbarrier_init` last.
    pub(crate) barrier_fences: Vec<u64>,
    /// By block and number in the block.
    pub(crate) warpgroups: BTreeMap<(usize, u32), wgmma::Warpgroup>,
}

impl World<'_> {
    /// Threads of the cluster that have not ended.
    pub(crate) fn alive(&self) -> u32 {
        self.blocks.iter().map(|block| block.alive).sum()
    }
}

/// An error for an operand.
pub(crate) fn bad(lane: usize, what: impl Into<String>) -> Trouble {
    Trouble::new(FaultKind::BadOperand, lane, what)
}
