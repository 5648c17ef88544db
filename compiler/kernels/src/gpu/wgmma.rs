//! `wgmma`: products of a warpgroup whose operands lie in shared memory.
//!
//! An operand's tile is rows of 128 bytes, in which the 16-byte pieces of each eight rows are permuted (the 128-byte swizzle that
//! a tensor copy writes). Where `k` has the neighbors, a row is one outer index and all of the tile's `k`. Else a row is one `k`
//! and 64 outer indices, and blocks of such rows follow each other. (PTX ISA, "Asynchronous warpgroup level matrix shared memory
//! layout".)

use super::{Along, Atom};
use crate::text::{Ty, Val, Writer};
use std::fmt::Write;

/// Bytes of a row.
pub(crate) const ROW: u32 = 128;
/// Rows of one product.
pub(crate) const ROWS: u32 = 64;
/// Products along `k` of a tile: each takes 32 bytes.
pub(crate) const STEPS: u32 = ROW / 32;

/// A tile of an operand in shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupTile {
    pub(crate) atom: Atom,
    pub(crate) along: Along,
    pub(crate) outer: u32,
}

impl GroupTile {
    /// Elements along `k`.
    pub(crate) fn k(&self) -> u32 {
        ROW / self.atom.bytes()
    }

    /// Bytes of the tile.
    pub(crate) fn bytes(&self) -> u32 {
        self.outer * ROW
    }

    /// Outer indices that one copy brings, and how many copies there are.
    pub(crate) fn boxes(&self) -> [u32; 2] {
        match self.along {
            Along::K => [self.outer, 1],
            Along::Outer => [ROW / self.atom.bytes(), self.outer * self.atom.bytes() / ROW],
        }
    }

    /// Bytes of what one copy brings.
    pub(crate) fn box_bytes(&self) -> u32 {
        self.bytes() / self.boxes()[1]
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
            Along::K => step * 2,
            Along::Outer => step * (32 / self.atom.bytes()) * ROW / 16,
        }
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

    /// What follows the operands: that the sums are kept, signs, and which operand has its neighbors along the outer axis.
    fn flags(&self) -> String {
        let turned = self.along.map(|along| u32::from(along == Along::Outer));
        match self.atom {
            Atom::F16 | Atom::Bf16 => format!("p, 1, 1, {}, {}", turned[0], turned[1]),
            Atom::Tf32 => "p, 1, 1".into(),
            Atom::S8 | Atom::U8 => "p".into(),
        }
    }

    /// Adds products to sums, all in one group: for each row block its pairs of descriptors. Then waits until at most
    /// `pending` groups of this warp are under way, so the sums of this one may still change.
    ///
    /// All of it is one instruction for LLVM, so that nothing comes in between and no sum is looked at: ptxas makes products
    /// wait for each other where one is.
    pub(crate) fn write(&self, w: &mut Writer, pairs: &[Vec<[Val; 2]>], sums: &[Val], pending: u32) -> Vec<Val> {
        let per_block = self.n_sums();
        let first_input = sums.len();
        let mut text = String::from("{ .reg .pred p; setp.ne.b32 p, 1, 0; wgmma.fence.sync.aligned; ");
        let mut inputs = vec![];
        for (block, pairs) in pairs.iter().enumerate() {
            let list: Vec<String> = (0..per_block).map(|sum| format!("${}", block * per_block + sum)).collect();
            let list = list.join(", ");
            for pair in pairs {
                let at = first_input + inputs.len();
                inputs.extend_from_slice(pair);
                let (n, k, name, flags) = (self.n, self.atom.k(), self.name(), self.flags());
                let next = at + 1;
                let _ = write!(
                    text,
                    "wgmma.mma_async.sync.aligned.m64n{n}k{k}.{name} {{{list}}}, ${at}, ${next}, {flags}; "
                );
            }
        }
        let _ = write!(text, "wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned {pending}; }}");
        tied(w, &text, &inputs, sums)
    }
}

/// Waits for all products of this warp; the sums are final.
pub(crate) fn settle(w: &mut Writer, sums: &[Val]) -> Vec<Val> {
    tied(w, "wgmma.wait_group.sync.aligned 0;", &[], sums)
}

/// Inline PTX whose results are the sums, which stay in their registers.
fn tied(w: &mut Writer, text: &str, inputs: &[Val], sums: &[Val]) -> Vec<Val> {
    let elem = sums[0].ty.elem();
    let register = if elem.is_float() { "=f" } else { "=r" };
    let outputs = vec![register; sums.len()];
    let ties: Vec<String> = (0..sums.len()).map(|n| n.to_string()).collect();
    let constraints: Vec<&str> =
        outputs.into_iter().chain(inputs.iter().map(|_| "l")).chain(ties.iter().map(String::as_str)).collect();
    let all: Vec<Val> = inputs.iter().chain(sums).copied().collect();
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
