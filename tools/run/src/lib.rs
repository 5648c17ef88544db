//! Runs artifacts from a command line, without a compiler: what `tenfold-run` is made of, and what `tenfold run` shares with it.
//!
//! # Invariants
//! - Nothing here knows the compiler, so the binary needs no LLVM.
//! - A device that was asked for and is missing is an error, never a fallback.
//!
//! Start reading at `main.rs`, then [`inputs`].

pub mod device;
pub mod failure;
pub mod inputs;
pub mod limits;
pub mod outputs;

pub use device::DeviceSpec;
pub use failure::Failure;
pub use limits::LimitArgs;
