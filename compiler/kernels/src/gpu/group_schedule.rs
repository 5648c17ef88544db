//! Schedules of a product by warpgroups: one brings tiles, the others multiply.

use super::wgmma::{GroupTile, ROW, ROWS};
use super::{Along, Atom, Feature, Problem};

/// Everything that is decided about a product by warpgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupSchedule {
    /// What multiplies.
    pub atom: Atom,
    /// Rows of a block's tile.
    pub m: u32,
    /// Columns.
    pub n: u32,
    /// Warpgroups that multiply; each has its share of the rows.
    pub consumers: u32,
    /// Places for tiles.
    pub stages: u32,
    /// The axis of neighbors of `A` and of `B`, in memory and in shared memory.
    pub along: [Along; 2],
    /// Neighboring sums that are finished together.
    pub lanes: u32,
}

/// Rows, columns, consumers: at most 128 sums for each thread.
const TILES: &[(u32, u32, u32)] =
    &[(128, 256, 2), (256, 128, 2), (128, 128, 2), (128, 64, 2), (64, 256, 1), (64, 128, 1), (64, 64, 1)];

/// Places for tiles; the first that fits is not always the best, as fewer leave room for a second block.
const STAGES: &[u32] = &[6, 4, 3];

impl GroupSchedule {
    /// Threads of a block: the first warpgroup brings tiles.
    pub fn threads(&self) -> u32 {
        128 * (1 + self.consumers)
    }

    /// Elements along `k` of a tile.
    pub fn k(&self) -> u32 {
        self.tiles()[0].k
    }

    /// Elements along `k` and along the outer axis that one copy brings, of `A` and of `B`.
    pub fn boxes(&self) -> [[u32; 2]; 2] {
        self.tiles().map(|tile| tile.box_shape())
    }

    pub(crate) fn tiles(&self) -> [GroupTile; 2] {
        let k = ROW / self.atom.bytes();
        let tile = |outer: u32, along: Along| GroupTile { atom: self.atom, along, outer, k };
        [tile(self.m, self.along[0]), tile(self.n, self.along[1])]
    }

    /// Row blocks of one consumer.
    pub(crate) fn blocks(&self) -> u32 {
        self.m / self.consumers / ROWS
    }

    /// Bytes of one stage of both operands.
    pub(crate) fn stage_bytes(&self) -> u32 {
        self.tiles().iter().map(GroupTile::bytes).sum()
    }

    /// Bytes of the sums of 16 rows, which a warp puts down at once.
    pub(crate) fn slab_bytes(&self) -> u32 {
        16 * self.n * self.atom.sum().bytes()
    }

    /// Bytes before the barriers: stages, whose place the sums take at the end.
    pub(crate) fn ring_bytes(&self) -> u32 {
        (self.stages * self.stage_bytes()).max(4 * self.consumers * self.slab_bytes())
    }

    /// Bytes of shared memory.
    pub fn shared(&self) -> u32 {
        self.ring_bytes() + 16 * self.stages
    }

    /// Sums of a thread.
    fn sums(&self) -> u32 {
        self.m * self.n / (128 * self.consumers)
    }

    /// Registers of a thread of the producer and of a consumer while they work, if they hand some over: a block of three
    /// warpgroups begins with at most 168 each.
    pub(crate) fn registers(&self) -> Option<[u32; 2]> {
        (self.consumers == 2 && self.sums() > 64).then_some([40, 232])
    }

    /// A name for reports: `wgmma f16 128x256x64 ring 4, 2 consumers`.
    pub fn name(&self) -> String {
        let atom = format!("{:?}", self.atom).to_lowercase();
        let Self { m, n, stages, consumers, .. } = self;
        let plural = if *consumers == 1 { "" } else { "s" };
        format!("wgmma {atom} {m}x{n}x{} ring {stages}, {consumers} consumer{plural}", self.k())
    }

    /// Whether the operands can be brought so, and the chip has what the schedule uses.
    pub fn fits(&self, problem: &Problem) -> bool {
        let chip = problem.chip;
        let legal = [Feature::Wgmma, Feature::Tma, Feature::Phases, Feature::HandOver];
        // Only 16-bit elements are turned on their way into the product.
        let turns = self.atom.bytes() == 2 || self.along == [Along::K; 2];
        let whole = self.stages * self.stage_bytes() >= 4 * self.consumers * self.slab_bytes();
        problem.maps
            && turns
            && whole
            && legal.into_iter().all(|feature| chip.has(feature))
            && self.shared() <= chip.shared_per_block()
    }

    /// Blocks that a multiprocessor runs at once.
    fn resident(&self, problem: &Problem) -> u32 {
        let registers = (self.sums() + 48).next_multiple_of(8).min(168) * self.threads();
        let shared = self.shared() + 1024;
        (65536 / registers).min(problem.chip.shared_per_unit() / shared).max(1)
    }

    /// Cycles that the whole product should take; see [`Schedule::cost`](super::Schedule::cost).
    ///
    /// `wgmma` multiplies twice as fast as `mma.sync`, and reads its operands from shared memory once for each 64 rows.
    pub fn cost(&self, problem: &Problem) -> f64 {
        let [batch, m, n, k] = problem.sizes.map(|size| size.max(1) as f64);
        let [tm, tn, tk] = [self.m, self.n, self.k()].map(f64::from);
        let chip = problem.chip;
        let blocks = batch * (m / tm).ceil() * (n / tn).ceil();
        let resident = f64::from(self.resident(problem)).min((blocks / f64::from(chip.units())).ceil());
        let waves = (blocks / (f64::from(chip.units()) * resident)).ceil();
        let multiply = tm * tn * tk / (2.0 * f64::from(chip.tensor_rate() * self.atom.speed()) / 4.0);
        let bytes = f64::from(self.atom.bytes());
        let reads = tm / f64::from(ROWS) * (f64::from(ROWS) + tn) * tk * bytes / 128.0;
        let per_unit = f64::from(chip.memory_rate()) / f64::from(chip.units());
        let bring = (tm + tn) * tk * bytes / (3.0 * per_unit);
        // With few stages the first cache misses of a tile are not hidden.
        let hidden = (4.0 / (f64::from(self.stages) * resident)).max(1.0).sqrt();
        let step = multiply.max(reads).max(bring);
        let fill = 2000.0 + tm * tn * 8.0 / 128.0;
        waves * (resident * (k / tk).ceil() * step * hidden + fill)
    }
}

impl Problem {
    /// Every schedule by warpgroups that fits.
    pub fn group_space(&self) -> Vec<GroupSchedule> {
        let Some(atom) = self.atom else { return vec![] };
        let (along, lanes) = (self.along, self.lanes);
        let with = |(m, n, consumers): (u32, u32, u32), stages: u32| GroupSchedule {
            atom,
            m,
            n,
            consumers,
            stages,
            along,
            lanes,
        };
        let all = TILES.iter().flat_map(|tile| STAGES.iter().map(move |stages| with(*tile, *stages)));
        all.filter(|schedule| schedule.fits(self)).collect()
    }
}
