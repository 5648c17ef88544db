//! Loads artifacts and runs them: planned memory, control flow, host operators, and the host device.
//!
//! # Invariants
//! - No compiler and no LLVM inside; a machine that only runs artifacts needs neither.
//! - Whatever is wrong with an artifact's structure, with inputs or with a device ends in an [`Error`]; machine code itself is
//!   trusted (see the crate `artifact`).
//! - Devices only hold memory and launch kernels ([`Device`], [`Module`], [`Stream`]); steps, symbols and host operators are
//!   interpreted here, the same for all of them.
//! - Every access to a device's memory that this crate makes was checked to lie within a buffer.
//!
//! - Memory that a caller [gives](Engine::run_on) is used where it is, or refused; it is never copied in silence.
//!
//! Start reading at [`Engine`], then `exec` (steps) and `host` (the device); for memory and streams of the caller at
//! [`Engine::run_on`].

mod aligned;
mod arena;
mod device;
mod engine;
mod error;
mod exec;
mod expr;
mod external;
mod host;
mod host_ops;
mod indices;
mod inputs;
mod limits;
mod maps;
mod memory;
mod order;
mod plan;
mod prepared;
mod profile;
mod repeat;
#[cfg(test)]
mod tests;

pub use device::{Address, Device, GraphId, Mark, Memory, Module, Pool, Space, Stream, Work};
pub use engine::Engine;
pub use error::{DeviceError, Error};
pub use external::{DeviceTensor, Input, Output, Produced, Room, TensorRef};
pub use host::Host;
pub use limits::Limits;
pub use maps::TensorMap;
pub use order::{Fence, Order, RawEvent, RawStream, Ticket};
pub use profile::{Profile, StepProfile};
