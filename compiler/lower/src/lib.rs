//! Kernels from regions: the plan's fused nodes as MLIR text for the host and for NVIDIA GPUs.
//!
//! Every element of a region's result is an expression over the elements of its leaves. This crate walks that expression
//! at an [`index`](index::Idx), which is one number or sixteen neighboring ones, and so writes scalar code (GPU threads,
//! tails) and vector code (host) from the same few lines for each operator.
//!
//! # Invariants
//! - One arm for each operator, in `value.rs` and the files it calls; the compiler asks for a missing one.
//! - Equal regions give equal text, whatever their symbols are called: dimensions are numbered parameters.
//! - No access outside a leaf: indices that come from data are clamped.
//!
//! Start reading at [`lower`], then `value.rs`.

mod accumulate;
mod anchor;
mod arg_reduce;
mod attention;
mod cast;
mod context;
mod contraction;
mod conv;
mod cumulative;
mod decoded;
mod decoded_rows;
mod depthwise;
mod dot;
mod elementwise;
mod error;
mod gpu;
mod index;
mod kernel;
mod leaf;
mod map;
mod packing;
mod panels;
mod pool;
mod reduce;
mod rows;
mod scatter;
mod stencil;
mod tile;
mod turned;
mod types;
mod value;

pub use error::LowerError;
pub use gpu::Gpu;
pub use kernel::{Arg, Block, Kernel, MapElement, Target, TensorMap, lower, pieces};
pub use kernels::gpu::Chip;
pub use packing::Packing;
