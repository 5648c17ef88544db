//! Tiles on NVIDIA GPUs: what the templates of `lower` are made of.
//!
//! From the bottom: [`Chip`] says what an architecture can do; [`layout`] where elements of a tile lie in shared memory,
//! with swizzles, and [`banks`] how many wavefronts an access takes there; `inst` writes single instructions;
//! [`Atom`] is a matrix instruction with the places of its fragments; [`Stager`] brings tiles from global to shared memory;
//! [`Matmul`] is a block's product of two operands, on tensor cores or on FMA units, with a callback for what follows, and
//! [`Few`] one with few rows; [`Flash`] is a block's attention; [`GroupMatmul`] is one by warpgroups, whose tiles come by tensor copies; [`Rows`] combines the elements of rows.
//!
//! # Invariants
//! - Nothing here knows graphs. Operands are pointers with strides, or places that a [`Gather`] computes.
//! - Everything is distributed to threads here; the text holds one thread's code.
//! - Address arithmetic that decides correctness is written over [`Ints`], so that tests run it on plain numbers for
//!   all lanes and compare with the fragment's definition.
//! - An instruction that a [`Chip`] lacks is never written: LLVM would end the process on it.
//!
//! Start reading at [`Matmul`].

mod async_inst;
pub mod banks;
mod chip;
mod epilogue;
mod few;
mod flash;
mod flash_group;
mod flash_group_schedule;
#[cfg(test)]
mod flash_group_tests;
mod group;
mod group_schedule;
#[cfg(test)]
mod group_tests;
mod inst;
mod ints;
pub mod layout;
mod matmul;
mod mma;
mod operand;
mod rows;
mod schedule;
mod simt;
mod softmax;
mod stage;
mod tensor_core;
#[cfg(test)]
mod tests;
mod wgmma;

pub use chip::{Chip, Feature};
pub use few::{Few, FewPlace};
pub use flash::{Flash, FlashPlace};
pub use flash_group::GroupFlashPlace;
pub use flash_group_schedule::{FlashProblem, GroupFlash};
pub use group::{GroupMatmul, GroupPlace};
pub use group_schedule::GroupSchedule;
pub use ints::{Ints, Plain};
pub use matmul::{Matmul, Place};
pub use mma::Atom;
pub use operand::{Along, Codes, Decoder, Gather, Operand, Piece, Source};
pub use rows::Rows;
pub use schedule::{Math, Pipeline, Problem, Schedule, Tile};
pub use softmax::Score;
pub use stage::{SharedTile, Stager};
