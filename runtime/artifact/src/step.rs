//! The steps of a program.

use crate::{BlockId, DimId, HostOp, KernelId, NodeId, SymbolId, TensorMap, ViewId};
use serde::{Deserialize, Serialize};

/// One thing that a program does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Run a kernel over a range of tasks.
    Launch(Launch),
    /// Write numbers into a rank-0 or rank-1 tensor of an integer type.
    Dims {
        /// What to write; as many as `out` has elements.
        values: Vec<DimId>,
        /// Where.
        out: ViewId,
    },
    /// Read a tensor of integers or booleans into symbols.
    Bind {
        /// What to read; it has as many elements as there are symbols.
        input: ViewId,
        /// The symbols to give a value, in element order.
        symbols: Vec<SymbolId>,
    },
    /// Give a symbol a value. The value is computed before the symbol changes.
    Let {
        /// The symbol.
        symbol: SymbolId,
        /// Its value.
        value: DimId,
    },
    /// Fail with a message unless a fact about dimensions holds.
    Check {
        /// The fact.
        condition: Condition,
        /// What to tell the user; the values are appended.
        message: String,
    },
    /// Fail unless every element of a tensor of integers is an index of an axis: `-size <= element < size`.
    ///
    /// A check of the entry block may be made before the run, if the tensor is an input, or after it, if the device has its
    /// own memory and no step depends on data; so kernels must not rely on it.
    Indices {
        /// The tensor.
        input: ViewId,
        /// Sizes of one or more neighboring axes. Element `i` of the tensor is for axis `i % sizes.len()` of them.
        sizes: Vec<DimId>,
        /// The number of the first axis, for the message.
        axis: u32,
        /// What to tell the user; the element and the axis are appended.
        message: String,
    },
    /// Fail with a message unless two tensors are the same: shape and bits, where all NaNs are one.
    Expect {
        /// What was given.
        given: ViewId,
        /// What it must be.
        expected: ViewId,
        /// What to tell the user; the first difference is appended.
        message: String,
    },
    /// Copy a tensor. Both have the same number of bytes, and they do not overlap.
    Copy {
        /// Source.
        from: ViewId,
        /// Destination.
        to: ViewId,
    },
    /// Run an operator that has no kernel because its output's size or its control flow depends on data.
    Host {
        /// Which one.
        op: HostOp,
        /// Its inputs.
        inputs: Vec<ViewId>,
        /// Its outputs; their shapes may mention `symbols`.
        outputs: Vec<ViewId>,
        /// Symbols that receive the data-dependent sizes: as many as [`HostOp::sizes`] says.
        symbols: Vec<SymbolId>,
        /// Source nodes.
        nodes: Vec<NodeId>,
    },
    /// Run one of two blocks.
    If {
        /// A boolean scalar (rank 0, or one element).
        cond: ViewId,
        /// Run when it is true.
        then: BlockId,
        /// Run when it is false.
        otherwise: BlockId,
    },
    /// Run a block again and again.
    Loop(Loop),
}

/// A kernel launch.
///
/// # Host ABI
/// `fn(bufs: *const *mut u8, dims: *const i64, begin: i64, end: i64, scratch: *mut u8)`: one pointer for each of `args`,
/// one number for each of `dims`, the half-open range of tasks of this call, and `scratch` bytes that belong to the
/// calling thread. Pointers are aligned for their element type and no more; buffers of the arena, weights, outputs and
/// `scratch` start at multiples of 64.
///
/// # PTX ABI
/// The parameters are `maps` (`.align 64 .b8[128]` each), the device pointers of `args` (u64 each, multiples of 16), then `dims`
/// (s64 each), then `tasks` (s64).
/// The grid has `ceil(tasks / tasks_per_block)` blocks, see [`PtxKernel`](crate::PtxKernel).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// What to run.
    pub kernel: KernelId,
    /// Tensors it reads and writes.
    pub args: Vec<ViewId>,
    /// Tensor maps it needs; none on the host.
    pub maps: Vec<TensorMap>,
    /// Numbers it needs.
    pub dims: Vec<DimId>,
    /// How many independent tasks there are. With none the launch does nothing.
    pub tasks: DimId,
    /// Bytes of scratch memory for each thread (host only).
    pub scratch: DimId,
    /// Rough nanoseconds of one task on one core, to decide on threads (host only).
    pub cost: DimId,
    /// Source nodes that the kernel computes here.
    pub nodes: Vec<NodeId>,
    /// Floating-point operations of the launch, for profiles.
    pub flops: DimId,
    /// Bytes that the launch must read and write, for profiles.
    pub bytes: DimId,
}

/// A fact about dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// `a == b`.
    Equal(DimId, DimId),
    /// `a <= b`.
    AtMost(DimId, DimId),
    /// `a` is a multiple of `b`, and `b` is not 0.
    MultipleOf(DimId, DimId),
    /// `a == b`, or one of them is 1.
    Broadcasts(DimId, DimId),
}

/// A loop: runs `body` until the trips are used up or the condition is false.
///
/// Before each trip: the iteration number is written to `iteration` and `index`.
/// After each trip: slices are added to the scans; `carried` views are read; `rebind` gives symbols new values (all
/// computed from the old ones); the carried values are written, so a carried tensor may change its shape.
/// After the loop: `trips` is bound, then the `out` views of the scans are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loop {
    /// An integer scalar: the largest number of trips; none means no limit.
    pub max_trips: Option<ViewId>,
    /// A boolean scalar: read before the first trip; false means no trip at all.
    pub cond: Option<ViewId>,
    /// An integer scalar that receives the number of the trip, from 0.
    pub iteration: Option<ViewId>,
    /// A symbol that receives the number of the trip: offsets of views may use it to slice.
    pub index: Option<SymbolId>,
    /// The body.
    pub body: BlockId,
    /// A boolean scalar that the body writes: whether to go on.
    pub cond_out: Option<ViewId>,
    /// What the body computed, and where the next trip (or what follows the loop) finds it.
    pub carried: Vec<(ViewId, ViewId)>,
    /// Symbols that change with the carried values.
    pub rebind: Vec<(SymbolId, DimId)>,
    /// Tensors that collect one slice for each trip.
    pub scans: Vec<Scan>,
    /// A symbol that receives the number of trips done.
    pub trips: Option<SymbolId>,
}

/// A tensor that a loop builds from slices along a new leading axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scan {
    /// The slice, as the body leaves it. Its shape must be the same in each trip.
    pub slice: ViewId,
    /// The stack of all slices, shape `[trips, ..slice]`.
    pub out: ViewId,
    /// Whether the last slice comes first.
    pub reversed: bool,
}
