//! Text of MLIR kernels: a writer, vector math, and (in sibling modules) kernel templates.
//!
//! Purpose: everything below `lower` that knows *how* a computation is written down as `arith`, `vector`, `scf`
//! and `llvm` operations, and nothing about graphs or plans.
//!
//! Invariants
//! - No library calls: every mathematical function is a polynomial or integer expression of [`math::Arith`], so that
//!   one definition serves the host at any vector width, the GPU, and the tests, which run it on plain Rust numbers.
//! - The expressions are straight-line code with selects; they never branch on data unless the caller's
//!   [`math::Lanes`] allows it.
//! - The writer emits text only; this crate does not link LLVM or MLIR.
//! - The same calls write the same bytes: nothing depends on hashes or addresses.
//!
//! Start reading at [`text::Writer`], then [`math::Arith`] and [`math::Unary`], then [`float_format`], then [`gpu`].

#![forbid(unsafe_code)]

pub mod float_format;
pub mod gpu;
pub mod math;
pub mod text;
