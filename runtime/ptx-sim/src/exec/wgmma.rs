//! `wgmma`: products of a warpgroup, with operands in shared memory, that end when they are waited for.
//!
//! Each warp computes its own 16 of the 64 rows. The sums are computed when the instruction runs and put into their registers
//! at once; until the wait these registers may only be used by further products (a plain `mov` hands the ban on), those of A
//! may not be written, and neither may the bytes of shared memory that are read.

use super::access::{Target, note};
use super::matrix::{Accumulator, Element};
use super::tensor::Swizzle;
use super::warp::{Flow, State};
use super::{Warp, World, bad};
use crate::code::{Op, Slot};
use crate::error::{FaultKind, Trouble};
use crate::float::{Format, Mode, round};
use crate::memory::{Clocks, Kind, number};
use crate::row::{LANES, mask_of};

/// What an instruction of the family does.
pub(crate) enum WgmmaOp {
    /// `wgmma.fence`.
    Fence,
    /// `wgmma.commit_group`.
    Commit,
    /// `wgmma.wait_group`.
    Wait(u64),
    /// `wgmma.mma_async`.
    Product(Box<Product>),
}

/// Where A comes from.
pub(crate) enum Left {
    Descriptor(Slot),
    Registers(Vec<Slot>),
}

/// A product of 64 by k and k by n.
pub(crate) struct Product {
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) a: Element,
    pub(crate) b: Element,
    pub(crate) d: Accumulator,
    pub(crate) left: Left,
    pub(crate) right: Slot,
    pub(crate) sums: Vec<Slot>,
    /// Where it does not hold, the sums begin at zero.
    pub(crate) keeps: Slot,
    pub(crate) negates: [bool; 2],
    /// Whether neighbors in memory are neighbors along m or n and not along k.
    pub(crate) transposed: [bool; 2],
    pub(crate) saturates: bool,
}

/// A product that nobody waited for yet.
struct Pending {
    group: Option<u64>,
    sums: Vec<Slot>,
    factors: Vec<Slot>,
}

/// What the four warps of a warpgroup did. A product is one of all four: it ends when all have committed it.
#[derive(Default)]
pub(crate) struct Warpgroup {
    committed: [u64; 4],
    clocks: [Clocks; 4],
    reads: Vec<GroupRead>,
}

/// Bytes of shared memory that a product of a warp reads.
struct GroupRead {
    warp: usize,
    group: Option<u64>,
    offset: u64,
    bytes: usize,
}

/// The products of a warp that are under way.
#[derive(Default)]
pub(crate) struct Products {
    pending: Vec<Pending>,
    committed: u64,
    /// When `wgmma.fence` ran last.
    fenced: Option<u64>,
    /// When ordinary instructions wrote each register last; empty in kernels without products.
    written: Vec<u64>,
}

const SUM: u8 = 1;
const FACTOR: u8 = 2;

impl Products {
    /// What must not be done with a register.
    fn ban(&self, slot: Slot) -> u8 {
        self.pending.iter().fold(0, |ban, pending| {
            let sum = if pending.sums.contains(&slot) { SUM } else { 0 };
            ban | sum | if pending.factors.contains(&slot) { FACTOR } else { 0 }
        })
    }
}

/// Looks at what an ordinary instruction does to registers, in kernels that have products.
pub(super) fn check(warp: &mut Warp, op: &Op, active: u32, time: u64) -> Result<(), Trouble> {
    let lane = active.trailing_zeros() as usize % LANES;
    if !warp.products.pending.is_empty() {
        if let Op::Move { to, from } = op
            && warp.products.ban(*from) & SUM != 0
        {
            let holds = |pending: &&mut Pending| pending.sums.contains(from);
            let last = warp.products.pending.iter_mut().filter(holds);
            last.for_each(|pending| pending.sums.push(*to));
        } else {
            let mut found = None;
            op.registers(&mut |slot, is_written| {
                let ban = warp.products.ban(slot);
                if ban & SUM != 0 || (is_written && ban & FACTOR != 0) {
                    found = Some(if ban & SUM != 0 { "a sum" } else { "a factor" });
                }
            });
            if let Some(what) = found {
                let what = format!("the register is {what} of a wgmma that was not waited for");
                return Err(Trouble::new(FaultKind::NotWaitedFor, lane, what));
            }
        }
    }
    let slots = warp.registers.len();
    let written = &mut warp.products.written;
    written.resize(slots, 0);
    // Virtual registers are only names: a value that moves was written when it was made. LLVM puts such moves anywhere.
    if let Op::Move { to, from } = op {
        written[*to as usize] = written[*from as usize];
        return Ok(());
    }
    op.registers(&mut |slot, is_written| {
        if is_written {
            written[slot as usize] = time;
        }
    });
    Ok(())
}

/// Does what an instruction says.
pub(super) fn run(warp: &mut Warp, op: &WgmmaOp, active: u32, world: &mut World<'_>) -> Result<Flow, Trouble> {
    if active != u32::MAX {
        if warp.alive == u32::MAX {
            return Ok(Flow::Wait(State::Gather(warp.alive)));
        }
        return Err(bad(active.trailing_zeros() as usize, "wgmma needs all 32 threads of the warp"));
    }
    match op {
        WgmmaOp::Fence => warp.products.fenced = Some(world.time),
        WgmmaOp::Commit => {
            let group = warp.products.committed;
            warp.products.pending.iter_mut().filter(|pending| pending.group.is_none()).for_each(|pending| {
                pending.group = Some(group);
            });
            warp.products.committed += 1;
            let quarter = warp.index as usize % 4;
            let siblings = world.warpgroups.entry((warp.block, warp.index / 4)).or_default();
            siblings.committed[quarter] = warp.products.committed;
            siblings.clocks[quarter] = warp.clocks.clone();
            let open = siblings.reads.iter_mut().filter(|read| read.warp == quarter && read.group.is_none());
            open.for_each(|read| read.group = Some(group));
            warp.tick();
        }
        WgmmaOp::Wait(groups) => {
            return wait(warp, *groups, world);
        }
        WgmmaOp::Product(product) => multiply(warp, product, world)?,
    }
    Ok(Flow::Next)
}

/// Ends products, when the other warps of the warpgroup have come as far.
fn wait(warp: &mut Warp, groups: u64, world: &mut World<'_>) -> Result<Flow, Trouble> {
    let committed = warp.products.committed;
    let is_due = |group: Option<u64>| group.is_some_and(|group| group + groups < committed);
    let siblings = world.warpgroups.entry((warp.block, warp.index / 4)).or_default();
    if siblings.committed.iter().any(|other| *other + groups < committed) {
        return Ok(Flow::Wait(State::Polling));
    }
    warp.products.pending.retain(|pending| !is_due(pending.group));
    let shared = &mut world.blocks[warp.block].shared;
    siblings.reads.retain(|read| {
        if is_due(read.group) {
            shared.end(read.offset, read.bytes, false);
        }
        !is_due(read.group)
    });
    siblings.clocks.iter().for_each(|clocks| warp.clocks.join(clocks));
    Ok(Flow::Next)
}

/// A descriptor of a matrix in shared memory.
struct Descriptor {
    start: u64,
    leading: u64,
    stride: u64,
    swizzle: Swizzle,
}

impl Descriptor {
    fn new(bits: u64) -> Result<Self, String> {
        let field = |at: u32| (bits >> at & 0x3fff) << 4;
        let swizzle = match bits >> 62 {
            0 => Swizzle::None,
            1 => Swizzle::B128,
            2 => Swizzle::B64,
            _ => Swizzle::B32,
        };
        if bits >> 49 & 7 != 0 {
            return Err("descriptors with a base offset are not known".into());
        }
        Ok(Descriptor { start: field(0), leading: field(16), stride: field(32), swizzle })
    }

    /// The offset of an element: its index along m or n, and the byte along k, or the other way round when transposed.
    ///
    /// The canonical layouts of the PTX ISA ("Shared memory matrix layout"), as pieces of 16 bytes.
    fn offset(&self, major: usize, k: usize, size: usize, transposed: bool) -> u64 {
        let (major, k, size) = (major as u64, k as u64, size as u64);
        let row = match self.swizzle {
            Swizzle::None => 16,
            Swizzle::B32 => 32,
            Swizzle::B64 => 64,
            Swizzle::B128 => 128,
        };
        let plain = if transposed {
            let (piece, byte) = (major * size / 16, major * size % 16);
            match self.swizzle {
                Swizzle::None => piece * self.stride + k % 8 * 16 + k / 8 * self.leading + byte,
                _ => {
                    let per_row = row / 16;
                    let along = piece % per_row * 16 + piece / per_row * self.leading;
                    along + k % 8 * row + k / 8 * self.stride + byte
                }
            }
        } else {
            let (piece, byte) = (k * size / 16, k * size % 16);
            let along = if self.swizzle == Swizzle::None { piece * self.leading } else { piece * 16 };
            major / 8 * self.stride + major % 8 * row + along + byte
        };
        self.swizzle.apply(self.start + plain)
    }
}

/// The parts of a matrix in shared memory that a product reads.
struct Source<'a> {
    descriptor: &'a Descriptor,
    element: Element,
    transposed: bool,
}

impl Source<'_> {
    /// Elements of rows `first..first + count`, `k` for each.
    fn read(
        &self,
        (first, count, k): (usize, usize, usize),
        warp: &Warp,
        world: &mut World<'_>,
        reads: &mut Vec<(u64, usize)>,
    ) -> Result<Vec<f64>, Trouble> {
        let size = self.element.bits() / 8;
        let mut values = Vec::with_capacity(count * k);
        for row in first..first + count {
            for at in 0..k {
                let offset = self.descriptor.offset(row, at, size, self.transposed);
                note(warp, Target::Shared(warp.block, offset), size, Kind::Read, 0, world)?;
                let shared = &world.blocks[warp.block].shared;
                shared.check_proxy(offset, size, warp.actor.warp, &world.proxy_fences)?;
                values.push(self.element.value(number(shared.read(offset, size, 0)?)));
                match reads.last_mut() {
                    Some((start, bytes)) if *start + *bytes as u64 == offset => *bytes += size,
                    _ => reads.push((offset, size)),
                }
            }
        }
        Ok(values)
    }
}

fn multiply(warp: &mut Warp, op: &Product, world: &mut World<'_>) -> Result<(), Trouble> {
    check_fence(warp, op)?;
    let mut reads = vec![];
    let quarter = warp.index as usize % 4;
    let descriptor = |slot: Slot, warp: &Warp| {
        let bits = warp.uniform(slot, u32::MAX, "the descriptor")?;
        Descriptor::new(bits).map_err(|what| bad(0, what))
    };
    let a = match &op.left {
        Left::Registers(registers) => from_registers(warp, op, registers),
        Left::Descriptor(slot) => {
            let descriptor = descriptor(*slot, warp)?;
            let source = Source { descriptor: &descriptor, element: op.a, transposed: op.transposed[0] };
            source.read((16 * quarter, 16, op.k), warp, world, &mut reads)?
        }
    };
    let right = descriptor(op.right, warp)?;
    let source = Source { descriptor: &right, element: op.b, transposed: op.transposed[1] };
    let b = source.read((0, op.n, op.k), warp, world, &mut reads)?;
    world.counts.matrix_flops += 2 * (16 * op.n * op.k) as u64;
    let keeps = mask_of(warp.row(op.keeps)) == u32::MAX;
    let sign = if op.negates[0] != op.negates[1] { -1.0 } else { 1.0 };
    sums(warp, op, (&a, &b), keeps, sign);
    let siblings = world.warpgroups.entry((warp.block, warp.index / 4)).or_default();
    for (offset, bytes) in reads {
        world.blocks[warp.block].shared.begin(offset, bytes, false, 0)?;
        siblings.reads.push(GroupRead { warp: quarter, group: None, offset, bytes });
    }
    let factors = match &op.left {
        Left::Registers(registers) => registers.clone(),
        Left::Descriptor(_) => vec![],
    };
    warp.products.pending.push(Pending { group: None, sums: op.sums.clone(), factors });
    Ok(())
}

/// Registers that others wrote must have been fenced since, but for sums of products that are under way.
fn check_fence(warp: &Warp, op: &Product) -> Result<(), Trouble> {
    let registers = match &op.left {
        Left::Registers(registers) => &registers[..],
        Left::Descriptor(_) => &[],
    };
    let written = |slot: &Slot| warp.products.written.get(*slot as usize).copied().unwrap_or(0);
    let is_new = |slot: &Slot| warp.products.fenced.is_none_or(|fenced| written(slot) > fenced);
    let is_sum = |slot: &&Slot| warp.products.ban(**slot) & SUM != 0;
    if op.sums.iter().filter(|slot| !is_sum(slot)).chain(registers).any(is_new) {
        let what = "a register of wgmma was written after the last wgmma.fence";
        return Err(Trouble::new(FaultKind::NotWaitedFor, 0, what));
    }
    Ok(())
}

/// The warp's 16 rows of A from registers.
fn from_registers(warp: &Warp, op: &Product, registers: &[Slot]) -> Vec<f64> {
    let bits = op.a.bits();
    let p = 32 / bits;
    let mut a = vec![0.0; 16 * op.k];
    for (r, slot) in registers.iter().enumerate() {
        for (lane, word) in warp.row(*slot).iter().enumerate() {
            for j in 0..p {
                let (row, column) = (lane / 4 + 8 * (r % 2), p * (lane % 4) + j + 4 * p * (r / 2));
                a[row * op.k + column] = op.a.value(word >> (j * bits) & ((1 << bits) - 1));
            }
        }
    }
    a
}

fn sums(warp: &mut Warp, op: &Product, (a, b): (&[f64], &[f64]), keeps: bool, sign: f64) {
    let halves = op.d == Accumulator::F16;
    for (r, slot) in op.sums.iter().enumerate() {
        let mut row = [0u64; LANES];
        for (lane, word) in row.iter_mut().enumerate() {
            let old = warp.registers[*slot as usize][lane];
            for half in 0..if halves { 2 } else { 1 } {
                let i = if halves { 2 * r + half } else { r };
                let (m, n) = (lane / 4 + 8 * (i / 2 % 2), 8 * (i / 4) + 2 * (lane % 4) + i % 2);
                let start = match (keeps, op.d) {
                    (false, _) => 0.0,
                    (true, Accumulator::F16) => Element::F16.value(old >> (16 * half) & 0xffff),
                    (true, Accumulator::S32) => f64::from(old as u32 as i32),
                    (true, _) => f32::from_bits(old as u32).into(),
                };
                let products = a[m * op.k..][..op.k].iter().zip(&b[n * op.k..][..op.k]);
                let sum = start + sign * products.map(|(x, y)| x * y).sum::<f64>();
                *word |= match op.d {
                    Accumulator::F16 => u64::from(round(sum, Format::F16, Mode::Nearest, false)) << (16 * half),
                    Accumulator::S32 if op.saturates => u64::from(sum as i32 as u32),
                    Accumulator::S32 => u64::from(sum as i64 as u32),
                    _ => u64::from(round(sum, Format::F32, Mode::Nearest, false)),
                };
            }
        }
        warp.registers[*slot as usize] = row;
    }
}
