//! Matrices that are spread over the threads of a warp: moves to and from shared memory, and products.
//!
//! All fragments follow one rule, with `g = lane / 4`, `t = lane % 4` and `p` elements in a register: register `r` of A holds
//! row `g + 8 (r mod 2)` and columns from `p t + 4 p (r / 2)` on; register `r` of B holds column `g` and rows from
//! `p t + 4 p r` on; C and D hold row `g + 8 (i / 2)`, column `2 t + i mod 2` (PTX ISA, "Matrix fragments for mma").

use super::access::{Target, check_aligned, note, resolve};
use super::warp::{Flow, State};
use super::{Warp, World, bad};
use crate::code::{Place, Slot};
use crate::error::Trouble;
use crate::float::{Format, Mode, decode, round};
use crate::memory::{Kind, number};
use crate::row::{LANES, Row};

/// Where a move of matrices goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MoveKind {
    Load,
    Store,
    /// Within registers; always transposed.
    Move,
}

/// `ldmatrix`, `stmatrix`, `movmatrix`: 8 by 8 matrices of 16 bits.
pub(crate) struct MatrixMove {
    pub(crate) kind: MoveKind,
    pub(crate) place: Option<Place>,
    /// One for each matrix; target and source for moves.
    pub(crate) registers: Vec<Slot>,
    pub(crate) trans: bool,
}

impl MatrixMove {
    /// Whether its registers are written.
    pub(crate) fn writes(&self) -> bool {
        self.kind != MoveKind::Store
    }
}

/// Threads that take part must be all 32.
fn whole(warp: &Warp, active: u32) -> Result<Option<Flow>, Trouble> {
    if active == u32::MAX {
        return Ok(None);
    }
    if warp.alive == u32::MAX {
        return Ok(Some(Flow::Wait(State::Gather(warp.alive))));
    }
    Err(bad(active.trailing_zeros() as usize, "a matrix instruction needs all 32 threads of the warp"))
}

type Matrix = [[u16; 8]; 8];

/// The matrix whose elements lie two by two in a register.
fn from_register(row: &Row, trans: bool) -> Matrix {
    let mut matrix = [[0; 8]; 8];
    for (lane, bits) in row.iter().enumerate() {
        for half in 0..2 {
            let (r, c) = (lane / 4, lane % 4 * 2 + half);
            let (r, c) = if trans { (c, r) } else { (r, c) };
            matrix[r][c] = (bits >> (16 * half)) as u16;
        }
    }
    matrix
}

fn to_register(matrix: &Matrix, trans: bool) -> Row {
    std::array::from_fn(|lane| {
        (0..2).fold(0, |bits, half| {
            let (r, c) = (lane / 4, lane % 4 * 2 + half);
            let value = if trans { matrix[c][r] } else { matrix[r][c] };
            bits | u64::from(value) << (16 * half)
        })
    })
}

/// Loads, stores or transposes.
pub(super) fn transfer(warp: &mut Warp, op: &MatrixMove, active: u32, world: &mut World<'_>) -> Result<Flow, Trouble> {
    if let Some(flow) = whole(warp, active)? {
        return Ok(flow);
    }
    let Some(place) = &op.place else {
        let moved = to_register(&from_register(warp.row(op.registers[1]), false), true);
        warp.set(op.registers[0], active, &moved);
        return Ok(Flow::Next);
    };
    let mut results = vec![];
    for (at, slot) in op.registers.iter().enumerate() {
        let mut matrix = match op.kind {
            MoveKind::Store => from_register(warp.row(*slot), op.trans),
            _ => [[0; 8]; 8],
        };
        let mut offsets = vec![];
        for (row, elements) in matrix.iter_mut().enumerate() {
            // The addresses of matrix `at` come from the threads 8 at to 8 at + 7.
            let lane = 8 * at + row;
            let target = resolve(warp, place, lane, world)?;
            check_aligned(target, 16, lane)?;
            let Target::Shared(block, offset) = target else {
                return Err(bad(lane, "matrices are loaded from and stored to shared memory"));
            };
            offsets.push(offset);
            if op.kind == MoveKind::Store {
                note(warp, target, 16, Kind::Write, lane, world)?;
                let bytes = world.blocks[block].shared.write(offset, 16, lane)?;
                for (element, bytes) in elements.iter().zip(bytes.chunks_exact_mut(2)) {
                    bytes.copy_from_slice(&element.to_le_bytes());
                }
            } else {
                note(warp, target, 16, Kind::Read, lane, world)?;
                let bytes = world.blocks[block].shared.read(offset, 16, lane)?;
                for (element, bytes) in elements.iter_mut().zip(bytes.chunks_exact(2)) {
                    *element = number(bytes) as u16;
                }
            }
        }
        if world.options.sanitize {
            world.counts.shared(&offsets, 16);
        }
        results.push(matrix);
    }
    if op.kind == MoveKind::Load {
        for (slot, matrix) in op.registers.iter().zip(&results) {
            warp.set(*slot, active, &to_register(matrix, op.trans));
        }
    }
    Ok(Flow::Next)
}

/// The type of the elements of A or B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    F16,
    Bf16,
    Tf32,
    F64,
    E4m3,
    E5m2,
    S8,
    U8,
    S4,
    U4,
}

impl Element {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "f16" => Element::F16,
            "bf16" => Element::Bf16,
            "tf32" => Element::Tf32,
            "f64" => Element::F64,
            "e4m3" => Element::E4m3,
            "e5m2" => Element::E5m2,
            "s8" => Element::S8,
            "u8" => Element::U8,
            "s4" => Element::S4,
            "u4" => Element::U4,
            _ => return None,
        })
    }

    pub(crate) fn bits(self) -> usize {
        match self {
            Element::F64 => 64,
            Element::Tf32 => 32,
            Element::F16 | Element::Bf16 => 16,
            Element::E4m3 | Element::E5m2 | Element::S8 | Element::U8 => 8,
            Element::S4 | Element::U4 => 4,
        }
    }

    /// Elements in a register.
    fn packed(self) -> usize {
        (32 / self.bits()).max(1)
    }

    fn is_int(self) -> bool {
        matches!(self, Element::S8 | Element::U8 | Element::S4 | Element::U4)
    }

    fn is_float8(self) -> bool {
        matches!(self, Element::E4m3 | Element::E5m2)
    }

    /// The number that bits stand for.
    pub(crate) fn value(self, bits: u64) -> f64 {
        match self {
            Element::F16 => half::f16::from_bits(bits as u16).to_f64(),
            Element::Bf16 => f32::from_bits((bits as u32) << 16).into(),
            // The lower 13 bits are not looked at.
            Element::Tf32 => f32::from_bits(bits as u32 & !0x1fff).into(),
            Element::F64 => f64::from_bits(bits),
            Element::E4m3 => decode(Format::E4m3, bits as u32),
            Element::E5m2 => decode(Format::E5m2, bits as u32),
            Element::S8 => f64::from(bits as u8 as i8),
            Element::U8 => f64::from(bits as u8),
            Element::S4 => f64::from(((bits as u8) << 4) as i8 >> 4),
            Element::U4 => f64::from(bits as u8 & 0xf),
        }
    }
}

/// The type of C or D.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accumulator {
    F16,
    F32,
    F64,
    S32,
}

/// `mma.sync`.
pub(crate) struct Mma {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) a: Element,
    pub(crate) b: Element,
    pub(crate) c: Accumulator,
    pub(crate) d: Accumulator,
    /// Integer sums stop at the bounds instead of wrapping.
    pub(crate) saturates: bool,
    /// Of D, A, B, C.
    pub(crate) registers: [Vec<Slot>; 4],
}

impl Mma {
    /// Whether the ISA has the shape with these types.
    pub(crate) fn is_known(&self) -> bool {
        let shape = (self.m, self.n, self.k);
        let float = |accumulator| matches!(accumulator, Accumulator::F16 | Accumulator::F32);
        match self.a {
            Element::F16 => self.b == self.a && float(self.c) && float(self.d) && matches!(shape, (16, 8, 8 | 16)),
            Element::Bf16 => self.b == self.a && self.is_f32() && matches!(shape, (16, 8, 8 | 16)),
            Element::Tf32 => self.b == self.a && self.is_f32() && matches!(shape, (16, 8, 4 | 8)),
            Element::F64 => {
                let is_f64 = (self.c, self.d) == (Accumulator::F64, Accumulator::F64);
                self.b == self.a && is_f64 && matches!(shape, (8, 8, 4) | (16, 8, 4 | 8 | 16))
            }
            Element::E4m3 | Element::E5m2 => {
                self.b.is_float8() && float(self.c) && self.c == self.d && matches!(shape, (16, 8, 16 | 32))
            }
            Element::S8 | Element::U8 => {
                self.b.is_int() && self.b.bits() == 8 && self.is_s32() && matches!(shape, (8, 8, 16) | (16, 8, 16 | 32))
            }
            Element::S4 | Element::U4 => {
                self.b.is_int() && self.b.bits() == 4 && self.is_s32() && matches!(shape, (8, 8, 32) | (16, 8, 32 | 64))
            }
        }
    }

    fn is_f32(&self) -> bool {
        (self.c, self.d) == (Accumulator::F32, Accumulator::F32)
    }

    fn is_s32(&self) -> bool {
        (self.c, self.d) == (Accumulator::S32, Accumulator::S32)
    }

    /// Registers of D, A, B and C.
    pub(crate) fn counts(&self) -> [usize; 4] {
        let sums = |accumulator| self.m * self.n / LANES / if accumulator == Accumulator::F16 { 2 } else { 1 };
        let factors = |elements: usize, element: Element| elements / LANES / element.packed();
        [sums(self.d), factors(self.m * self.k, self.a), factors(self.k * self.n, self.b), sums(self.c)]
    }

    /// A as `m` rows of `k`.
    fn read_a(&self, warp: &Warp) -> Vec<f64> {
        let (p, bits) = (self.a.packed(), self.a.bits());
        let mut a = vec![0.0; self.m * self.k];
        for (r, slot) in self.registers[1].iter().enumerate() {
            for (lane, word) in warp.row(*slot).iter().enumerate() {
                for j in 0..p {
                    let (row, column) = (lane / 4 + 8 * (r % 2), p * (lane % 4) + j + 4 * p * (r / 2));
                    a[row * self.k + column] = self.a.value(element(*word, j, bits));
                }
            }
        }
        a
    }

    /// B as `n` columns of `k`.
    fn read_b(&self, warp: &Warp) -> Vec<f64> {
        let (p, bits) = (self.b.packed(), self.b.bits());
        let mut b = vec![0.0; self.n * self.k];
        for (r, slot) in self.registers[2].iter().enumerate() {
            for (lane, word) in warp.row(*slot).iter().enumerate() {
                for j in 0..p {
                    b[lane / 4 * self.k + p * (lane % 4) + j + 4 * p * r] = self.b.value(element(*word, j, bits));
                }
            }
        }
        b
    }
}

/// One of the elements of a register.
fn element(word: u64, at: usize, bits: usize) -> u64 {
    if bits == 64 { word } else { word >> (at * bits) & ((1 << bits) - 1) }
}

/// The row and column of an element of C or D.
fn place_of(lane: usize, i: usize) -> (usize, usize) {
    (lane / 4 + 8 * (i / 2), 2 * (lane % 4) + i % 2)
}

/// A sum of products. Floats are summed in `f64` and rounded once; GPUs round more often, and toward zero.
pub(super) fn multiply(warp: &mut Warp, op: &Mma, active: u32, world: &mut World<'_>) -> Result<Flow, Trouble> {
    if let Some(flow) = whole(warp, active)? {
        return Ok(flow);
    }
    let (a, b) = (op.read_a(warp), op.read_b(warp));
    world.counts.matrix_flops += 2 * (op.m * op.n * op.k) as u64;
    let mut results = vec![[0u64; LANES]; op.registers[0].len()];
    let per_register = if op.d == Accumulator::F16 { 2 } else { 1 };
    for (r, row) in results.iter_mut().enumerate() {
        for (lane, word) in row.iter_mut().enumerate() {
            for at in 0..per_register {
                *word |= sum(warp, op, (&a, &b), lane, per_register * r + at) << (16 * at);
            }
        }
    }
    for (slot, row) in op.registers[0].iter().zip(&results) {
        warp.set(*slot, active, row);
    }
    Ok(Flow::Next)
}

/// The bits of element `i` of D in a lane.
fn sum(warp: &Warp, op: &Mma, (a, b): (&[f64], &[f64]), lane: usize, i: usize) -> u64 {
    let (row, column) = place_of(lane, i);
    let products = a[row * op.k..][..op.k].iter().zip(&b[column * op.k..][..op.k]);
    let start = accumulated(warp, op.c, &op.registers[3], lane, i);
    let exact = || start + products.clone().map(|(x, y)| x * y).sum::<f64>();
    match op.d {
        // In the order of the ISA's formula, each step rounded once.
        Accumulator::F64 => products.fold(start, |sum, (x, y)| x.mul_add(*y, sum)).to_bits(),
        Accumulator::F32 => round(exact(), Format::F32, Mode::Nearest, false).into(),
        Accumulator::F16 => round(exact(), Format::F16, Mode::Nearest, false).into(),
        // Sums of at most 64 products of 16 bits and a number of 32 are exact in f64.
        Accumulator::S32 if op.saturates => u64::from(exact() as i32 as u32),
        Accumulator::S32 => u64::from(exact() as i64 as u32),
    }
}

fn accumulated(warp: &Warp, of: Accumulator, registers: &[Slot], lane: usize, i: usize) -> f64 {
    let bits = |at: usize| warp.row(registers[at])[lane];
    match of {
        Accumulator::F64 => f64::from_bits(bits(i)),
        Accumulator::F32 => f32::from_bits(bits(i) as u32).into(),
        Accumulator::F16 => Element::F16.value(bits(i / 2) >> (16 * (i % 2)) & 0xffff),
        Accumulator::S32 => f64::from(bits(i) as u32 as i32),
    }
}
