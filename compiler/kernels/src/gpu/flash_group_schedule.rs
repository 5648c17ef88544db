//! Schedules of attention by warpgroups: one brings tiles, the others have 64 rows each.

use super::wgmma::{GroupTile, Product, ROWS};
use super::{Along, Atom, Chip, Feature};

/// How an attention by warpgroups is tiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupFlash {
    /// What multiplies.
    pub atom: Atom,
    /// Columns of the scores that are computed at a time.
    pub columns: u32,
    /// Warpgroups that compute, each 64 rows.
    pub consumers: u32,
    /// Places for tiles of each right operand.
    pub stages: u32,
    /// What the scores sum over, a multiple of 16, and columns of the result, a multiple of 8. What operands lack is zero.
    pub depths: [u32; 2],
    /// The axis of neighbors of the operands: of both of the first product, and of the right one of the second.
    pub along: [Along; 3],
    /// Neighboring elements of the result that are finished together.
    pub lanes: u32,
}

/// What is known of an attention when a schedule is chosen.
#[derive(Clone, Copy, Debug)]
pub struct FlashProblem {
    /// What it is written for.
    pub chip: Chip,
    /// The matrix instruction.
    pub atom: Atom,
    /// Matrices, rows and columns of the scores; a guess where they are not known.
    pub sizes: [u64; 3],
    /// What scores sum over, and columns of the result.
    pub depths: [u32; 2],
    /// The axis of neighbors of the operands: of both of the first product, and of the right one of the second.
    pub along: [Along; 3],
    /// Neighboring elements of the result that may be finished together.
    pub lanes: u32,
    /// Tensors in memory that a score is computed from, beyond the operands: addresses want registers. Positions count, too.
    pub reads: u32,
}

/// For depths of at most so many: columns of a tile of scores, and warpgroups.
const TILES: &[(u32, u32, u32)] = &[
    (64, 128, 3),
    (64, 96, 3),
    (64, 128, 2),
    (64, 128, 1),
    (128, 128, 2),
    (128, 128, 1),
    (128, 64, 2),
    (192, 96, 2),
    (192, 96, 1),
    (256, 64, 2),
    (256, 64, 1),
];

/// Places for tiles; a second pair is what overlap needs.
const STAGES: u32 = 2;

/// Registers of a thread for places, barriers and what is seen of rows, and for each tensor in memory that scores read; found
/// with ptxas.
const OWN_REGISTERS: u32 = 30;
const REGISTERS_PER_READ: u32 = 12;

/// Exponentials that a multiprocessor computes in a cycle, and other simple instructions.
const EXPONENTIALS: f64 = 16.0;
const SIMPLE: f64 = 128.0;
/// Simple instructions for each score: scaled, compared, shifted, added, and half of a conversion; and for each sum.
const PER_SCORE: f64 = 5.0;

impl GroupFlash {
    /// Rows of a block.
    pub fn rows(&self) -> u32 {
        ROWS * self.consumers
    }

    /// Threads of a block: the first warpgroup brings tiles.
    pub fn threads(&self) -> u32 {
        128 * (1 + self.consumers)
    }

    /// Elements along `k` and along the outer axis that one copy brings, of each operand.
    pub fn boxes(&self) -> [[u32; 2]; 3] {
        self.tiles().map(|tile| tile.box_shape())
    }

    /// The left operand of one consumer, and a tile of each right one, as their products see them.
    pub(crate) fn tiles(&self) -> [GroupTile; 3] {
        let tile = |at: usize, outer: u32, k: u32| GroupTile { atom: self.atom, along: self.along[at], outer, k };
        let [depth, width] = self.depths;
        [tile(0, ROWS, depth), tile(1, self.columns, depth), tile(2, width, self.columns)]
    }

    /// The product that makes scores, and the one that sums values.
    pub(crate) fn products(&self) -> [Product; 2] {
        let [left, right, values] = self.along;
        let product = |n: u32, along: [Along; 2]| Product { atom: self.atom, n, along };
        [product(self.columns, [left, right]), product(self.depths[1], [Along::K, values])]
    }

    /// Bytes of a consumer's left operand, where its sums are at the end: a warp puts down 32 columns at least.
    pub(crate) fn left_bytes(&self) -> u32 {
        self.tiles()[0].bytes().max(ROWS * 32 * self.atom.sum().bytes())
    }

    /// Columns of sums that a warp puts down at once.
    pub(crate) fn slab_columns(&self) -> u32 {
        let most = self.left_bytes() / (ROWS * self.atom.sum().bytes());
        let needed = self.depths[1].next_power_of_two().max(32);
        (1 << most.ilog2()).min(needed)
    }

    /// Bytes of one stage of both right operands.
    pub(crate) fn stage_bytes(&self) -> u32 {
        let [_, right, values] = self.tiles();
        right.bytes() + values.bytes()
    }

    /// Bytes before the barriers.
    pub(crate) fn ring_bytes(&self) -> u32 {
        self.consumers * self.left_bytes() + self.stages * self.stage_bytes()
    }

    /// Bytes of shared memory.
    pub fn shared(&self) -> u32 {
        self.ring_bytes() + 8 * (4 * self.stages + 1)
    }

    /// Registers of a thread of the producer and of a consumer while they work, if they hand some over: a block of three
    /// warpgroups begins with at most 168 each, one of four with 128.
    pub(crate) fn registers(&self) -> Option<[u32; 2]> {
        match self.consumers {
            2 => Some([24, 240]),
            3 => Some([32, 160]),
            _ => None,
        }
    }

    /// Registers that a thread of a consumer needs: sums, a tile of scores, and their weights while the next are computed.
    pub(crate) fn needs(&self, reads: u32) -> u32 {
        let [scores, sums] = self.products().map(|product| product.n_sums() as u32);
        sums + scores + scores / 2 + OWN_REGISTERS + REGISTERS_PER_READ * reads
    }

    fn fits(&self, problem: &FlashProblem) -> bool {
        let own = self.registers().map_or(255, |[_, consumer]| consumer);
        self.needs(problem.reads) <= own && self.shared() <= problem.chip.shared_per_block()
    }

    /// A name for reports: `wgmma f16 128x128, depths 128 and 128, 2 consumers`.
    pub fn name(&self) -> String {
        let atom = format!("{:?}", self.atom).to_lowercase();
        let Self { columns, consumers, depths: [depth, width], .. } = self;
        let plural = if *consumers == 1 { "" } else { "s" };
        format!("wgmma {atom} {}x{columns}, depths {depth} and {width}, {consumers} consumer{plural}", self.rows())
    }

    /// Cycles that the whole attention should take; see [`Schedule::cost`](super::Schedule::cost).
    ///
    /// Several consumers multiply in turns, so that one's exponentials are computed while another multiplies.
    pub fn cost(&self, problem: &FlashProblem) -> f64 {
        let [batch, m, n] = problem.sizes.map(|size| size.max(1) as f64);
        let [depth, width] = self.depths.map(f64::from);
        let (rows, columns, chip) = (f64::from(self.rows()), f64::from(self.columns), problem.chip);
        let waves = (batch * (m / rows).ceil() / f64::from(chip.units())).ceil();
        let scores = rows * columns;
        // `wgmma` multiplies twice as fast as `mma.sync`.
        let multiply = scores * (depth + width) / (2.0 * f64::from(chip.tensor_rate()));
        let softmax = scores / EXPONENTIALS + (PER_SCORE * scores + rows * width) / SIMPLE;
        let step = if self.consumers == 1 { multiply + softmax } else { multiply.max(softmax) };
        let (wait, fill) = (200.0, 3000.0 + rows * width * 8.0 / SIMPLE);
        waves * ((n / columns).ceil() * (step + wait) + fill)
    }
}

impl FlashProblem {
    /// Every schedule by warpgroups that fits.
    pub fn group_space(&self) -> Vec<GroupFlash> {
        let legal = [Feature::Wgmma, Feature::Tma, Feature::Phases, Feature::HandOver];
        let widest = self.depths[0].max(self.depths[1]);
        if self.atom.bytes() != 2 || !legal.into_iter().all(|feature| self.chip.has(feature)) {
            return vec![];
        }
        let depths = [self.depths[0].next_multiple_of(16), self.depths[1].next_multiple_of(8)];
        let Some(class) = TILES.iter().map(|(limit, ..)| *limit).find(|limit| widest <= *limit) else { return vec![] };
        let tiles = TILES.iter().filter(|(limit, ..)| *limit == class);
        let with = |(_, columns, consumers): &(u32, u32, u32)| GroupFlash {
            atom: self.atom,
            columns: *columns,
            consumers: *consumers,
            stages: STAGES,
            depths,
            along: self.along,
            lanes: self.lanes,
        };
        tiles.map(with).filter(|flash| flash.fits(self)).collect()
    }

    /// The schedule by warpgroups that should be fastest.
    pub fn choose_group(&self) -> Option<GroupFlash> {
        self.group_space().into_iter().min_by(|a, b| a.cost(self).total_cmp(&b.cost(self)))
    }
}
