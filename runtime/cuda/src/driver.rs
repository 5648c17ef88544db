//! The few calls of the CUDA driver that the device needs.

use runtime::TensorMap;
use std::ffi::CStr;
use std::sync::Arc;

/// A handle that the driver gave out, or a caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Handle(pub(crate) usize);

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The name of the code, for example `CUDA_ERROR_ILLEGAL_ADDRESS`.
    pub(crate) code: String,
    /// What the driver says about it.
    pub(crate) text: String,
}

/// The driver, bound to one device.
///
/// # Safety
/// Of the unsafe methods: addresses begin ranges of device memory as long as needed, which live until the stream was
/// synchronized; handles are alive.
#[allow(clippy::missing_safety_doc, reason = "the contract is the same for all methods and stands above")]
pub(crate) trait Driver: Send + Sync {
    /// Compiles PTX.
    fn load_module(&self, ptx: &CStr) -> Result<Handle, Failure>;
    /// Frees a module.
    unsafe fn unload_module(&self, module: Handle);
    /// Finds a kernel.
    unsafe fn function(&self, module: Handle, entry: &CStr) -> Result<Handle, Failure>;
    /// What a kernel takes of the chip.
    unsafe fn resources(&self, function: Handle) -> Result<Resources, Failure>;
    /// Allows a kernel so much dynamic shared memory.
    unsafe fn allow_shared(&self, function: Handle, bytes: u32) -> Result<(), Failure>;

    /// Bytes of memory that are free, and all that the device has.
    fn memory(&self) -> Result<(usize, usize), Failure>;
    /// Allocates device memory.
    fn alloc(&self, bytes: usize) -> Result<u64, Failure>;
    /// Frees device memory, when everything that was given to the device is done.
    unsafe fn free(&self, address: u64);
    /// Allocates memory of the host that the device reaches by itself: page-locked.
    fn alloc_host(&self, bytes: usize) -> Result<HostBlock, Failure>;
    /// Frees it. Nothing that uses it is on the way any more.
    unsafe fn free_host(&self, block: HostBlock);

    /// Makes a stream.
    fn create_stream(&self) -> Result<Handle, Failure>;
    /// Frees a stream.
    unsafe fn destroy_stream(&self, stream: Handle);
    /// Waits for a stream.
    unsafe fn synchronize(&self, stream: Handle) -> Result<(), Failure>;
    /// Whether a stream's work goes into a graph of somebody.
    unsafe fn is_capturing(&self, stream: Handle) -> Result<bool, Failure>;

    /// Copies from the host; the source may change afterwards.
    unsafe fn upload(&self, stream: Handle, from: &[u8], to: u64) -> Result<(), Failure>;
    /// Copies to the host, and waits.
    unsafe fn download(&self, stream: Handle, from: u64, to: &mut [u8]) -> Result<(), Failure>;
    /// Copies from page-locked memory, which must not change until that is done.
    unsafe fn upload_from(&self, stream: Handle, from: HostBlock, to: u64) -> Result<(), Failure>;
    /// Copies to page-locked memory, where the bytes are when that is done.
    unsafe fn download_to(&self, stream: Handle, from: u64, to: HostBlock) -> Result<(), Failure>;
    /// Does a piece of work.
    unsafe fn perform(&self, stream: Handle, work: &mut Node) -> Result<(), Failure>;
    /// The bytes of a tensor map that is not empty.
    fn encode_map(&self, map: &TensorMap) -> Result<MapBytes, Failure>;

    /// Makes an event, which may keep time.
    fn create_event(&self, timed: bool) -> Result<Handle, Failure>;
    /// Puts an event behind what the stream has been given.
    unsafe fn record_event(&self, event: Handle, stream: Handle) -> Result<(), Failure>;
    /// What the stream gets from now on comes after the event.
    unsafe fn wait_event(&self, stream: Handle, event: Handle) -> Result<(), Failure>;
    /// Whether the event has passed.
    unsafe fn query_event(&self, event: Handle) -> Result<bool, Failure>;
    /// Waits for an event.
    unsafe fn synchronize_event(&self, event: Handle) -> Result<(), Failure>;
    /// Milliseconds between two timed events that have passed.
    unsafe fn elapsed(&self, from: Handle, to: Handle) -> Result<f32, Failure>;
    /// Frees an event.
    unsafe fn destroy_event(&self, event: Handle);

    /// Whether graphs can be made and changed.
    fn has_graphs(&self) -> bool;
    /// Makes a graph without nodes.
    fn create_graph(&self) -> Result<Handle, Failure>;
    /// Adds a node behind another.
    unsafe fn add_node(&self, graph: Handle, after: Option<Handle>, work: &mut Node) -> Result<Handle, Failure>;
    /// Makes a graph executable.
    unsafe fn instantiate(&self, graph: Handle) -> Result<Handle, Failure>;
    /// Changes a node of an executable graph, for launches from now on. The graph still has the node, of the same
    /// [kind](Node::is_like).
    unsafe fn change_node(&self, executable: Handle, node: Handle, work: &mut Node) -> Result<(), Failure>;
    /// Runs an executable graph.
    unsafe fn launch_graph(&self, stream: Handle, executable: Handle) -> Result<(), Failure>;
    /// Frees a graph and what was made of it; what runs of it ends.
    unsafe fn destroy_graph(&self, graph: Handle, executable: Option<Handle>);

    /// Destroys everything on the device's primary context, and opens the device again.
    unsafe fn reopen(&self) -> Result<Arc<dyn Driver>, Failure>;
}

/// Page-locked memory of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostBlock {
    pub(crate) pointer: *mut u8,
    pub(crate) bytes: usize,
}

// SAFETY: a pointer and its length; who follows it must be the only one who does.
unsafe impl Send for HostBlock {}

/// What a kernel takes of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resources {
    /// Registers of a thread.
    pub(crate) registers: u32,
    /// Threads that a block can have at most, with so many registers.
    pub(crate) threads: u32,
    /// Bytes of static shared memory.
    pub(crate) shared: u32,
}

/// A tensor map as a kernel gets it: the driver's own format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct MapBytes(pub(crate) [u8; 128]);

/// A piece of work on the device's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// A kernel with tensor maps, then 64-bit parameters.
    Launch { function: Handle, shape: Shape, maps: Vec<MapBytes>, numbers: Vec<u64> },
    /// A copy on the device.
    Copy { from: u64, to: u64, bytes: usize },
    /// A byte.
    Byte { to: u64, value: u8 },
    /// A word of 32 bits.
    Word { to: u64, value: u32 },
}

impl Node {
    /// Whether a node of a graph can be changed to be the other one.
    pub(crate) fn is_like(&self, other: &Node) -> bool {
        match (self, other) {
            (Node::Launch { function: a, .. }, Node::Launch { function: b, .. }) => a == b,
            (Node::Copy { .. }, Node::Copy { .. })
            | (Node::Byte { .. }, Node::Byte { .. })
            | (Node::Word { .. }, Node::Word { .. }) => true,
            _ => false,
        }
    }
}

/// The extents of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Blocks.
    pub(crate) grid: u32,
    /// Threads of a block.
    pub(crate) block: u32,
    /// Bytes of dynamic shared memory.
    pub(crate) shared: u32,
}
