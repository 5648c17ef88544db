//! The few calls of the CUDA driver that the device needs.

use runtime::{DeviceError, TensorMap};
use std::ffi::CStr;

/// A handle that the driver gave out.
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

/// After these nothing works in this process any more.
const STICKY: [&str; 9] = [
    "CUDA_ERROR_ILLEGAL_ADDRESS",
    "CUDA_ERROR_LAUNCH_FAILED",
    "CUDA_ERROR_LAUNCH_TIMEOUT",
    "CUDA_ERROR_HARDWARE_STACK_ERROR",
    "CUDA_ERROR_ILLEGAL_INSTRUCTION",
    "CUDA_ERROR_MISALIGNED_ADDRESS",
    "CUDA_ERROR_INVALID_ADDRESS_SPACE",
    "CUDA_ERROR_INVALID_PC",
    "CUDA_ERROR_ASSERT",
];

impl Failure {
    /// The error for a user.
    pub(crate) fn explain(&self, device: &str, doing: &str) -> DeviceError {
        let Failure { code, text } = self;
        let mut why = format!("{doing}: {text} ({code})");
        if STICKY.contains(&code.as_str()) {
            why.push_str(
                "; it happened there or in a kernel before, and the device is lost to this process: restart it",
            );
        } else if code == "CUDA_ERROR_UNSUPPORTED_PTX_VERSION" {
            why.push_str("; the driver is older than the PTX: update the driver, or compile for an older target");
        }
        DeviceError::Failed { device: device.into(), why }
    }
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
    /// Finds a kernel, and allows it so much dynamic shared memory.
    unsafe fn function(&self, module: Handle, entry: &CStr, shared: u32) -> Result<Handle, Failure>;
    /// Allocates device memory.
    fn alloc(&self, bytes: usize) -> Result<u64, Failure>;
    /// Frees device memory, when everything that was given to the device is done.
    unsafe fn free(&self, address: u64);
    /// Makes a stream.
    fn create_stream(&self) -> Result<Handle, Failure>;
    /// Frees a stream.
    unsafe fn destroy_stream(&self, stream: Handle);
    /// Copies from the host; the source may change afterwards.
    unsafe fn upload(&self, stream: Handle, from: &[u8], to: u64) -> Result<(), Failure>;
    /// Copies to the host, and waits.
    unsafe fn download(&self, stream: Handle, from: u64, to: &mut [u8]) -> Result<(), Failure>;
    /// Copies within the device.
    unsafe fn copy(&self, stream: Handle, from: u64, to: u64, bytes: usize) -> Result<(), Failure>;
    /// Writes one 32-bit word.
    unsafe fn set_word(&self, stream: Handle, to: u64, word: u32) -> Result<(), Failure>;
    /// Writes one byte.
    unsafe fn set_byte(&self, stream: Handle, to: u64, byte: u8) -> Result<(), Failure>;
    /// The bytes of a tensor map that is not empty.
    fn encode_map(&self, map: &TensorMap) -> Result<MapBytes, Failure>;
    /// Launches a kernel with tensor maps, then 64-bit parameters.
    unsafe fn launch(&self, stream: Handle, function: Handle, shape: Shape, params: Params<'_>) -> Result<(), Failure>;
    /// Waits for a stream.
    unsafe fn synchronize(&self, stream: Handle) -> Result<(), Failure>;
    /// Starts to record a stream's work.
    unsafe fn begin_capture(&self, stream: Handle) -> Result<(), Failure>;
    /// Ends the record and makes it executable.
    unsafe fn end_capture(&self, stream: Handle) -> Result<Handle, Failure>;
    /// Runs a record.
    unsafe fn launch_graph(&self, stream: Handle, graph: Handle) -> Result<(), Failure>;
    /// Frees a record.
    unsafe fn destroy_graph(&self, graph: Handle);
    /// Makes an event that keeps time, and puts it behind what the stream has been given.
    unsafe fn record_event(&self, stream: Handle) -> Result<Handle, Failure>;
    /// Milliseconds between two events that have passed.
    unsafe fn elapsed(&self, from: Handle, to: Handle) -> Result<f32, Failure>;
    /// Frees an event.
    unsafe fn destroy_event(&self, event: Handle);
}

/// A tensor map as a kernel gets it: the driver's own format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct MapBytes(pub(crate) [u8; 128]);

/// The parameters of a launch, in this order.
pub(crate) struct Params<'a> {
    pub(crate) maps: &'a mut [MapBytes],
    pub(crate) numbers: &'a mut [u64],
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
