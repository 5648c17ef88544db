//! Schedules of a product: the space of them, which are legal, and what each should cost.

use super::stage::{Deal, SharedTile};
use super::{Along, Atom, Chip, Feature};
use crate::text::Scalar;

/// What multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Math {
    /// FMA units, in this type.
    Fma(Scalar),
    /// Tensor cores.
    Tensor(Atom),
}

impl Math {
    /// The type of sums.
    pub fn sum(self) -> Scalar {
        match self {
            Math::Fma(elem) => elem,
            Math::Tensor(atom) => atom.sum(),
        }
    }

    /// The type in shared memory.
    pub fn operand(self) -> Scalar {
        match self {
            Math::Fma(elem) => elem,
            Math::Tensor(atom) => atom.elem(),
        }
    }
}

/// The tile of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    /// Rows.
    pub m: u32,
    /// Columns.
    pub n: u32,
    /// Elements along `k` of one stage.
    pub k: u32,
    /// Warps along rows.
    pub warps_m: u32,
    /// Warps along columns.
    pub warps_n: u32,
}

/// How tiles come into shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pipeline {
    /// `cp.async` into so many stages.
    Ring(u32),
    /// Through registers into two stages.
    Registers,
}

/// Everything that is decided about a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// What multiplies.
    pub math: Math,
    /// The block's tile.
    pub tile: Tile,
    /// How tiles come.
    pub pipeline: Pipeline,
    /// The axis of neighbors in shared memory, of `A` and of `B`.
    pub along: [Along; 2],
    /// Neighboring sums that are finished together.
    pub lanes: u32,
    /// In how many parts the sums go through shared memory.
    pub slabs: u32,
}

/// What is known of a product when a schedule is chosen.
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// What it is written for.
    pub chip: Chip,
    /// Matrices, rows, columns, and products of each sum; a guess where they are not known.
    pub sizes: [u64; 4],
    /// The types in memory of `A` and of `B`; of codes what they stand for.
    pub elems: [Scalar; 2],
    /// The axis of neighbors in memory of each.
    pub along: [Along; 2],
    /// Bytes of a piece of each; of codes those of what they stand for.
    pub pieces: [u32; 2],
    /// Whether `B` is codes.
    pub codes: bool,
    /// Neighboring sums that may be finished together.
    pub lanes: u32,
    /// The matrix instruction that these types and the numerics contract permit, whether or not the chip has it.
    pub atom: Option<Atom>,
    /// Whether tensor maps can describe both operands.
    pub maps: bool,
}

/// Rows, columns, `k` in bytes, warps. Beside each the registers that a thread needs were measured with ptxas.
const TENSOR_TILES: &[(u32, u32, u32, u32, u32)] = &[
    (128, 128, 64, 2, 2),
    (128, 128, 128, 2, 2),
    (128, 64, 64, 2, 2),
    (64, 128, 64, 2, 2),
    (64, 64, 64, 2, 2),
    (64, 64, 128, 2, 2),
    (64, 32, 64, 2, 1),
    (32, 64, 64, 1, 2),
];

/// Rows, columns and warps, for 4-byte elements; `k` is 16.
const SIMT_TILES: &[(u32, u32, u32, u32)] =
    &[(128, 128, 4, 2), (128, 64, 4, 1), (64, 128, 2, 2), (64, 64, 2, 1), (32, 64, 1, 1)];

impl Schedule {
    /// Threads of a block.
    pub fn threads(&self) -> u32 {
        32 * self.tile.warps_m * self.tile.warps_n
    }

    /// The tiles of both operands in shared memory.
    pub fn tiles(&self) -> [SharedTile; 2] {
        let simt = matches!(self.math, Math::Fma(_));
        let tile =
            |outer: u32, along: Along| SharedTile { elem: self.math.operand(), along, outer, k: self.tile.k, simt };
        [tile(self.tile.m, self.along[0]), tile(self.tile.n, self.along[1])]
    }

    /// Bytes of one stage of both operands.
    pub fn stage_bytes(&self) -> u32 {
        self.tiles().iter().map(SharedTile::bytes).sum()
    }

    fn stages(&self) -> u32 {
        match self.pipeline {
            Pipeline::Ring(stages) => stages,
            Pipeline::Registers => 2,
        }
    }

    /// Bytes of shared memory.
    pub fn shared(&self) -> u32 {
        let sums = self.tile.m / self.slabs * self.tile.n * self.math.sum().bytes();
        (self.stages() * self.stage_bytes()).max(sums)
    }

    /// A name for reports: `mma f16 128x128x32 ring 4`.
    pub fn name(&self) -> String {
        let math = match self.math {
            Math::Fma(elem) => format!("fma {elem}"),
            Math::Tensor(atom) => format!("mma {}", format!("{atom:?}").to_lowercase()),
        };
        let pipeline = match self.pipeline {
            Pipeline::Ring(stages) => format!("ring {stages}"),
            Pipeline::Registers => "registers".into(),
        };
        format!("{math} {}x{}x{} {pipeline}", self.tile.m, self.tile.n, self.tile.k)
    }

    /// Whether the pieces of both operands can be dealt out evenly, and the chip has what the schedule uses.
    pub fn fits(&self, problem: &Problem) -> bool {
        let ring = matches!(self.pipeline, Pipeline::Ring(_));
        let dealt = self.tiles().iter().enumerate().all(|(side, tile)| {
            let piece = problem.pieces[side];
            let lanes = piece / problem.elems[side].bytes();
            // Asynchronous copies move bytes as they are.
            let is_code = problem.codes && side == 1;
            let plain = !is_code && tile.elem == problem.elems[side] && tile.along == problem.along[side] && piece >= 4;
            Deal::new(tile, problem.along[side], lanes, self.threads()).is_some() && (plain || !ring)
        });
        let chip = problem.chip;
        let legal = match self.math {
            Math::Fma(_) => true,
            Math::Tensor(atom) => atom.legal(chip),
        };
        dealt && legal && (!ring || chip.has(Feature::CpAsync)) && self.shared() <= chip.shared_per_block()
    }

    /// Registers that a thread needs, roughly: sums, fragments two steps deep, pieces in flight, and addresses.
    fn registers(&self, problem: &Problem) -> u32 {
        let threads = self.threads();
        let sums = self.tile.m * self.tile.n / threads * self.math.sum().bytes() / 4;
        let pieces = match self.pipeline {
            Pipeline::Ring(_) => 0,
            Pipeline::Registers => self.stage_bytes() / threads / 4,
        };
        let fragments = match self.math {
            Math::Fma(_) => 2 * 16,
            Math::Tensor(_) => 2 * (self.tile.m / self.tile.warps_m / 4 + self.tile.n / self.tile.warps_n / 4),
        };
        let addresses = if problem.pieces.iter().all(|p| *p >= 8) { 40 } else { 64 };
        (sums + pieces + fragments + addresses).min(255)
    }

    /// Blocks that a multiprocessor runs at once.
    fn resident(&self, problem: &Problem) -> u32 {
        let registers = self.registers(problem).next_multiple_of(8) * self.threads();
        let shared = self.shared() + 1024;
        (65536 / registers).min(problem.chip.shared_per_unit() / shared).min(2048 / self.threads()).max(1)
    }

    /// Cycles that the whole product should take.
    ///
    /// A wave of blocks takes, for each tile along `k`, the longest of multiplying, reading shared memory, and bringing in
    /// the tiles; too few warps cannot hide latency; each block pays once for starting and finishing.
    pub fn cost(&self, problem: &Problem) -> f64 {
        let [batch, m, n, k] = problem.sizes.map(|size| size.max(1) as f64);
        let [tm, tn, tk] = [self.tile.m, self.tile.n, self.tile.k].map(f64::from);
        let chip = problem.chip;
        let blocks = batch * (m / tm).ceil() * (n / tn).ceil();
        let resident = f64::from(self.resident(problem)).min((blocks / f64::from(chip.units())).ceil());
        let waves = (blocks / (f64::from(chip.units()) * resident)).ceil();
        let rate = match self.math {
            Math::Fma(elem) => f64::from(chip.fma_rate()) * 4.0 / f64::from(elem.bytes()),
            Math::Tensor(atom) => f64::from(chip.tensor_rate() * atom.speed()) / 4.0,
        };
        let multiply = tm * tn * tk / rate;
        let bytes = f64::from(self.math.operand().bytes());
        // Each warp reads its own rows and columns of both tiles, 128 bytes a cycle.
        let reads = (tm * f64::from(self.tile.warps_n) + tn * f64::from(self.tile.warps_m)) * tk * bytes / 128.0;
        // About half of what blocks ask for comes from the second cache, which is a few times faster.
        let brought = (tm + tn) * tk * bytes;
        let per_unit = f64::from(chip.memory_rate()) / f64::from(chip.units());
        let bring = brought / (3.0 * per_unit);
        let narrow = problem.pieces.iter().map(|piece| 16.0 / f64::from(*piece)).fold(0.0, f64::max);
        let issue = brought / 16.0 * narrow.max(1.0) / 32.0 * 2.0;
        let warps = resident * f64::from(self.threads()) / 32.0;
        let hidden = (8.0 / warps).max(1.0).sqrt();
        let step = multiply.max(reads).max(bring) + 0.3 * issue;
        let fill = 1500.0 + tm * tn * 8.0 / 128.0;
        waves * (resident * (k / tk).ceil() * step * hidden + fill)
    }
}

impl Problem {
    /// What may multiply, the best first.
    fn maths(&self) -> Vec<Math> {
        let fma = match self.elems {
            [Scalar::F64, Scalar::F64] => Some(Math::Fma(Scalar::F64)),
            [a, b] if a.is_float() && b.is_float() && a != Scalar::F64 && b != Scalar::F64 => {
                Some(Math::Fma(Scalar::F32))
            }
            [Scalar::I32, Scalar::I32] => Some(Math::Fma(Scalar::I32)),
            _ => None,
        };
        self.atom.filter(|atom| atom.legal(self.chip)).map(Math::Tensor).into_iter().chain(fma).collect()
    }

    /// The axis of neighbors of an operand in shared memory.
    fn shared_along(&self, math: Math) -> [Along; 2] {
        match math {
            Math::Fma(_) => [Along::Outer; 2],
            // `ldmatrix` transposes 16-bit elements only.
            Math::Tensor(atom) if atom.bytes() == 2 => self.along,
            Math::Tensor(_) => [Along::K; 2],
        }
    }

    /// Every schedule that fits, by what multiplies.
    pub fn space(&self) -> Vec<Schedule> {
        self.maths().into_iter().flat_map(|math| self.space_of(math)).collect()
    }

    /// Every schedule that fits, for one kind of arithmetic.
    pub fn space_of(&self, math: Math) -> Vec<Schedule> {
        let tiles: Vec<Tile> = match math {
            Math::Tensor(atom) => TENSOR_TILES
                .iter()
                .map(|&(m, n, k, warps_m, warps_n)| Tile { m, n, k: k / atom.bytes(), warps_m, warps_n })
                .collect(),
            Math::Fma(elem) => {
                // Wider elements leave half of the columns.
                let (narrow, k) = if elem.bytes() == 8 { (2, 8) } else { (1, 16) };
                let tile =
                    |&(m, n, warps_m, warps_n): &(u32, u32, u32, u32)| Tile { m, n: n / narrow, k, warps_m, warps_n };
                SIMT_TILES.iter().filter(|t| narrow == 1 || t.0 <= 64).map(tile).collect()
            }
        };
        let pipelines = match math {
            Math::Fma(_) => vec![Pipeline::Registers],
            Math::Tensor(_) => vec![Pipeline::Ring(4), Pipeline::Ring(3), Pipeline::Registers],
        };
        let along = self.shared_along(math);
        let mut found = vec![];
        for tile in tiles {
            for pipeline in &pipelines {
                let mut schedule = Schedule { math, tile, pipeline: *pipeline, along, lanes: self.lanes, slabs: 1 };
                // The sums should not need more shared memory than the loop did.
                let stages = schedule.stages() * schedule.stage_bytes();
                let rows = tile.m / tile.warps_m;
                while schedule.shared() > stages && rows / (2 * schedule.slabs) >= 16 {
                    schedule.slabs *= 2;
                }
                if schedule.fits(self) {
                    found.push(schedule);
                }
            }
        }
        found
    }

    /// The schedule that should be fastest; `None` if no arithmetic takes these types. Tensor cores come before FMA units,
    /// and rings before registers where both are possible.
    pub fn choose(&self) -> Option<Schedule> {
        for math in self.maths() {
            let mut space = self.space_of(math);
            if space.iter().any(|s| matches!(s.pipeline, Pipeline::Ring(_))) {
                space.retain(|s| matches!(s.pipeline, Pipeline::Ring(_)));
            }
            let best = space.into_iter().min_by(|a, b| a.cost(self).total_cmp(&b.cost(self)));
            if best.is_some() {
                return best;
            }
        }
        None
    }
}
