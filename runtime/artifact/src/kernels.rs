//! Kernels: the code of a variant and its entries.

use crate::CodeId;
use serde::{Deserialize, Serialize};

/// The kernels of one variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kernels {
    /// Machine code of the host.
    Host {
        /// Pieces of code.
        units: Vec<HostUnit>,
        /// Entries.
        kernels: Vec<HostKernel>,
    },
    /// PTX text.
    Ptx {
        /// Modules of text; each [`CodeId`] is UTF-8 without a trailing zero.
        units: Vec<CodeId>,
        /// Entries.
        kernels: Vec<PtxKernel>,
    },
}

impl Kernels {
    /// How many kernels there are.
    pub fn len(&self) -> usize {
        match self {
            Kernels::Host { kernels, .. } => kernels.len(),
            Kernels::Ptx { kernels, .. } => kernels.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of a kernel.
    ///
    /// # Panics
    /// If the index is out of range.
    pub fn name(&self, idx: usize) -> &str {
        match self {
            Kernels::Host { kernels, .. } => &kernels[idx].name,
            Kernels::Ptx { kernels, .. } => &kernels[idx].name,
        }
    }
}

/// Flat position-independent machine code: text and read-only data, already relocated against each other.
/// It is mapped at a multiple of 64 (in fact of a page), its import slots are filled, and it becomes read-only and executable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostUnit {
    /// The bytes.
    pub code: CodeId,
    /// C functions that the code calls through 8-byte slots of its own.
    pub imports: Vec<Import>,
}

/// A slot that the runtime fills with the address of a C function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The C symbol: `memcpy`, `memset`, or a function of the mathematical library. The runtime has a closed list.
    pub name: String,
    /// Where the slot lies in the code: a multiple of 8.
    pub slot: u32,
}

/// An entry of a [`HostUnit`]; for the signature see [`Launch`](crate::Launch).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostKernel {
    /// Name, for profiles.
    pub name: String,
    /// Index into the units.
    pub unit: u32,
    /// Offset of the first instruction.
    pub entry: u32,
}

/// An entry of a PTX module; for the parameters see [`Launch`](crate::Launch).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PtxKernel {
    /// Name, for profiles.
    pub name: String,
    /// Index into the units.
    pub unit: u32,
    /// The `.entry` in the text.
    pub entry: String,
    /// Threads of a block.
    pub block: u32,
    /// Tasks that one block takes: `block` for one task a thread, 1 for one task a block.
    pub tasks_per_block: u32,
    /// Bytes of dynamic shared memory.
    pub shared: u32,
}
