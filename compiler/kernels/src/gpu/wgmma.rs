//! `wgmma`: products of a warpgroup whose operands lie in shared memory.
//!
//! An operand's tile is blocks of rows of 128 bytes, in which the 16-byte pieces of each eight rows are permuted (the 128-byte
//! swizzle that a tensor copy writes). Where `k` has the neighbors, a row is one outer index and 128 bytes along `k`. Else a row
//! is one `k` and 64 outer indices. Blocks of such rows follow each other. (PTX ISA, "Asynchronous warpgroup level matrix shared
//! memory layout".)

use super::{Along, Atom};
use crate::text::{Scalar, Ty, Val, Writer};
use std::fmt::Write;

/// Bytes of a row.
pub(crate) const ROW: u32 = 128;
/// Rows of one product.
pub(crate) const ROWS: u32 = 64;
/// Products along `k` of a row: each takes 32 bytes.
pub(crate) const STEPS: u32 = ROW / 32;

/// A tile of an operand in shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupTile {
    pub(crate) atom: Atom,
    pub(crate) along: Along,
    pub(crate) outer: u32,
    /// Elements along `k`.
    pub(crate) k: u32,
}

impl GroupTile {
    /// Elements of a row.
    fn width(&self) -> u32 {
        ROW / self.atom.bytes()
    }

    /// Bytes of the tile. The last block has room for more than the tile needs.
    pub(crate) fn bytes(&self) -> u32 {
        self.box_bytes() * self.n_boxes()
    }

    /// Elements along `k` and along the outer axis of a block, which one copy brings.
    pub(crate) fn box_shape(&self) -> [u32; 2] {
        match self.along {
            Along::K => [self.width(), self.outer],
            Along::Outer => [self.k, self.width()],
        }
    }

    /// Outer indices that one copy brings, and how many copies there are.
    pub(crate) fn boxes(&self) -> [u32; 2] {
        [self.box_shape()[1], self.n_boxes()]
    }

    /// How many blocks there are.
    pub(crate) fn n_boxes(&self) -> u32 {
        let long = if self.along == Along::K { self.k } else { self.outer };
        long.div_ceil(self.width())
    }

    /// Where a block begins along `k` and along the outer axis.
    pub(crate) fn box_start(&self, number: u32) -> [u32; 2] {
        let far = number * self.width();
        if self.along == Along::K { [far, 0] } else { [0, far] }
    }

    /// Bytes of a block.
    pub(crate) fn box_bytes(&self) -> u32 {
        let rows = if self.along == Along::K { self.outer } else { self.k };
        rows * ROW
    }

    /// The descriptor of the whole tile, without its start: swizzle, and the distances of groups of eight rows and of blocks.
    pub(crate) fn descriptor(&self) -> u64 {
        let block = match self.along {
            // The distance along `k` is not looked at: a product's `k` lies within a row.
            Along::K => 16,
            Along::Outer => self.box_bytes(),
        };
        1 << 62 | u64::from(8 * ROW / 16) << 32 | u64::from(block / 16) << 16
    }

    /// How far the start of a step along `k` is, in units of 16 bytes.
    pub(crate) fn step(&self, step: u32) -> u32 {
        match self.along {
            Along::K => step / STEPS * self.box_bytes() / 16 + step % STEPS * 2,
            Along::Outer => step * (32 / self.atom.bytes()) * ROW / 16,
        }
    }

    /// Products along `k`; a part of the last one is beyond the tile if that is no multiple of 32 bytes.
    pub(crate) fn steps(&self) -> u32 {
        (self.k * self.atom.bytes()).div_ceil(32)
    }

    /// How far the start of the product's rows from `outer` on is, in units of 16 bytes.
    pub(crate) fn rows_from(&self, outer: u32) -> u32 {
        outer * ROW / 16
    }
}

/// One product: 64 rows by `n` columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub(crate) atom: Atom,
    pub(crate) n: u32,
    pub(crate) along: [Along; 2],
}

impl Product {
    /// Sums of a thread.
    pub(crate) fn n_sums(&self) -> usize {
        (ROWS * self.n / 128) as usize
    }

    fn name(&self) -> &'static str {
        match self.atom {
            Atom::F16 => "f32.f16.f16",
            Atom::Bf16 => "f32.bf16.bf16",
            Atom::Tf32 => "f32.tf32.tf32",
            Atom::S8 => "s32.s8.s8",
            Atom::U8 => "s32.u8.u8",
        }
    }

    /// What follows the operands: whether the sums are kept, signs, and which operand has its neighbors along the outer axis.
    fn flags(&self, left: Left, keeps: bool) -> String {
        let turned = self.along.map(|along| u32::from(along == Along::Outer));
        let keeps = if keeps { 'p' } else { 'q' };
        match (self.atom, left) {
            (Atom::F16 | Atom::Bf16, Left::Shared(_)) => format!("{keeps}, 1, 1, {}, {}", turned[0], turned[1]),
            (Atom::F16 | Atom::Bf16, Left::Registers(_)) => format!("{keeps}, 1, 1, {}", turned[1]),
            (Atom::Tf32, _) => format!("{keeps}, 1, 1"),
            (Atom::S8 | Atom::U8, _) => keeps.into(),
        }
    }

    /// Adds products to sums, all in one group: for each row block its pairs of descriptors. Then waits until at most
    /// `pending` groups of this warp are under way, so the sums of this one may still change.
    pub(crate) fn write(&self, w: &mut Writer, pairs: &[Vec<[Val; 2]>], sums: &[Val], pending: u32) -> Vec<Val> {
        let mut chain = Chain::new(sums.iter().copied().map(Some).collect());
        chain.fence();
        for (block, pairs) in pairs.iter().enumerate() {
            for [left, right] in pairs {
                chain.multiply(self, block * self.n_sums(), (Left::Shared(*left), *right), true);
            }
        }
        chain.commit();
        chain.wait(pending);
        chain.write(w)
    }
}

/// The left operand of a product.
#[derive(Clone, Copy)]
pub(crate) enum Left {
    /// In shared memory: its descriptor.
    Shared(Val),
    /// In registers: a fragment as `mma.sync` has it.
    Registers([Val; 4]),
}

/// What a warpgroup does that is one instruction for LLVM, so that nothing comes in between and no sum is looked at: ptxas
/// makes products wait for each other where one is. Its results are sums, which stay in their registers.
pub(crate) struct Chain {
    text: String,
    elem: Scalar,
    /// What each result is at the beginning, if the first product on it keeps that.
    sums: Vec<Option<Val>>,
    inputs: Vec<Val>,
}

impl Chain {
    /// Nothing yet. A sum without a value is `f32` and must begin with a product that keeps nothing.
    pub(crate) fn new(sums: Vec<Option<Val>>) -> Chain {
        let elem = sums.iter().flatten().next().map_or(Scalar::F32, |sum| sum.ty.elem());
        Chain { text: String::new(), elem, sums, inputs: vec![] }
    }

    /// How the text calls an input.
    fn input(&mut self, value: Val) -> String {
        self.inputs.push(value);
        format!("${}", self.sums.len() + self.inputs.len() - 1)
    }

    /// Registers that others wrote may be used from here on.
    pub(crate) fn fence(&mut self) {
        self.text.push_str("wgmma.fence.sync.aligned; ");
    }

    /// A product on the sums from `first` on.
    pub(crate) fn multiply(&mut self, product: &Product, first: usize, (left, right): (Left, Val), keeps: bool) {
        let list: Vec<String> = (first..first + product.n_sums()).map(|sum| format!("${sum}")).collect();
        let flags = product.flags(left, keeps);
        let left = match left {
            Left::Shared(descriptor) => self.input(descriptor),
            Left::Registers(fragment) => format!("{{{}}}", fragment.map(|part| self.input(part)).join(", ")),
        };
        let right = self.input(right);
        let (n, k, name) = (product.n, product.atom.k(), product.name());
        let _ = write!(
            self.text,
            "wgmma.mma_async.sync.aligned.m64n{n}k{k}.{name} {{{}}}, {left}, {right}, {flags}; ",
            list.join(", ")
        );
    }

    /// Ends a group of products.
    pub(crate) fn commit(&mut self) {
        self.text.push_str("wgmma.commit_group.sync.aligned; ");
    }

    /// Waits until at most so many groups of this warp are under way.
    pub(crate) fn wait(&mut self, pending: u32) {
        let _ = write!(self.text, "wgmma.wait_group.sync.aligned {pending}; ");
    }

    /// Comes to a barrier of the block, at which so many threads are awaited, and goes on.
    pub(crate) fn arrive(&mut self, barrier: Val, threads: u32) {
        let barrier = self.input(barrier);
        let _ = write!(self.text, "bar.arrive {barrier}, {threads}; ");
    }

    /// The sums.
    pub(crate) fn write(self, w: &mut Writer) -> Vec<Val> {
        let Chain { mut text, elem, sums, inputs } = self;
        if text.contains("mma_async") {
            // Predicates that say whether sums are kept.
            text = format!("{{ .reg .pred p, q; setp.ne.b32 p, 1, 0; setp.ne.b32 q, 0, 0; {text}}}");
        }
        let register = |ty: Ty| match ty.elem() {
            elem if elem.is_float() => "f",
            elem if elem.bits() == 64 => "l",
            _ => "r",
        };
        // What is written before all is read has registers of its own.
        let new = format!("=&{}", register(elem.into()));
        let kept = format!("={}", register(elem.into()));
        let outputs = sums.iter().map(|sum| if sum.is_some() { kept.clone() } else { new.clone() });
        let ties = sums.iter().enumerate().filter(|(_, sum)| sum.is_some()).map(|(at, _)| at.to_string());
        let constraints: Vec<String> =
            outputs.chain(inputs.iter().map(|input| register(input.ty).to_string())).chain(ties).collect();
        let all: Vec<Val> = inputs.iter().chain(sums.iter().flatten()).copied().collect();
        let names: Vec<String> = all.iter().map(ToString::to_string).collect();
        let tys: Vec<String> = all.iter().map(|v| v.ty.to_string()).collect();
        let ty = Ty::Struct(elem, sums.len() as u32);
        let result = w.op(
            ty,
            format_args!(
                "llvm.inline_asm has_side_effects asm_dialect = att \"{text}\", \"{}\" {} : ({}) -> {ty}",
                constraints.join(","),
                names.join(", "),
                tys.join(", ")
            ),
        );
        (0..sums.len() as u32).map(|n| w.extract(result, n)).collect()
    }
}

/// Waits for all products of this warp; the sums are final. Other values that are given with them are computed before.
pub(crate) fn settle(w: &mut Writer, sums: &[Val]) -> Vec<Val> {
    let mut chain = Chain::new(sums.iter().copied().map(Some).collect());
    chain.wait(0);
    chain.write(w)
}
