//! The program of a variant: what memory it needs and in which order its kernels run.

use crate::{BlockId, BufferId, DimId, Step, ViewId, WeightId};
use serde::{Deserialize, Serialize};
use tensor::DType;

/// A compiled model as data: tables, and blocks of steps that index them.
///
/// Dimensions are expressions over symbols. Symbols get their values from the shapes of the inputs, and from steps
/// ([`Step::Bind`], [`Step::Let`], [`Step::Host`], [`Step::Loop`]) while the program runs; a step may bind a symbol again.
/// Whatever mentions a symbol that has no value yet must not be used before it has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Dimension expressions in [`tensor::Dim`]'s text form; [`DimId`] indexes them.
    pub exprs: Vec<String>,
    /// Names of all symbols that occur in `exprs`.
    pub symbols: Vec<String>,
    /// Names of the source model's nodes, for profiles and errors.
    pub nodes: Vec<String>,
    /// Memory.
    pub buffers: Vec<Buffer>,
    /// Tensors in that memory.
    pub views: Vec<View>,
    /// What the caller gives, in order.
    pub inputs: Vec<Port>,
    /// What the caller gets, in order.
    pub outputs: Vec<Port>,
    /// Straight-line pieces of the program; block 0 is the entry. Every other block is the body of exactly one step,
    /// in a block of smaller index, so the blocks form a tree.
    pub blocks: Vec<Vec<Step>>,
}

/// A piece of memory. Its contents are undefined until a step writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffer {
    /// Size.
    pub bytes: DimId,
    /// Who owns the memory.
    pub place: Place,
}

/// Who owns a buffer's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// The run's arena: shared with buffers whose lifetimes do not overlap. A buffer lives from the first to the last
    /// step that uses it; if a step of a loop's body uses it, during the whole of the loop.
    Arena,
    /// A constant of the artifact; never written.
    Weight(WeightId),
    /// The tensor that the caller gave for this input; never written.
    Input(u32),
    /// The tensor that the caller gets for this output. It starts with the output, at offset 0.
    Output(u32),
}

/// A dense row-major tensor inside a buffer. A reshape is a second view of the same buffer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The memory.
    pub buffer: BufferId,
    /// Where in the buffer it starts, in bytes.
    pub offset: DimId,
    /// Element type.
    #[serde(with = "crate::dtype_text")]
    pub dtype: DType,
    /// One extent for each axis.
    pub shape: Vec<DimId>,
}

/// An input or output of the program. The shape is that of the view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Name in the source model.
    pub name: String,
    /// The tensor. An extent of an input that is nothing but a symbol binds the symbol; any other extent is compared.
    pub view: ViewId,
}

impl Program {
    /// The block where a run begins.
    pub const ENTRY: BlockId = BlockId(0);
}
