//! The driver itself, through cudarc.

use crate::Info;
use crate::driver::{Driver, Failure, Handle, HostBlock, MapBytes, Node, Resources};
use cudarc::driver::sys::{self, CUdevice_attribute, CUfunction_attribute, CUjit_option, CUstreamCaptureStatus};
use cudarc::driver::{DriverError, result};
use runtime::{DeviceError, TensorMap};
use std::ffi::{CStr, CString, c_void};
use std::sync::Arc;

mod nodes;

/// The driver with the primary context of one device.
pub(crate) struct RealDriver {
    device: sys::CUdevice,
    context: sys::CUcontext,
    ordinal: usize,
    /// The newest version that the driver knows, as CUDA numbers them.
    version: i32,
}

/// The first driver whose library has all functions for graphs that are used here; what looks up a function that is not there
/// would end the process.
const GRAPHS: i32 = 12000;

// SAFETY: a context may be made current in any thread, and the driver's calls are thread-safe.
unsafe impl Send for RealDriver {}
// SAFETY: as above.
unsafe impl Sync for RealDriver {}

impl From<DriverError> for Failure {
    fn from(error: DriverError) -> Self {
        let text = |found: Result<&CStr, DriverError>| found.map(|text| text.to_string_lossy().into_owned()).ok();
        Failure {
            code: text(error.error_name()).unwrap_or_else(|| format!("{:?}", error.0)),
            text: text(error.error_string()).unwrap_or_else(|| "unknown error".into()),
        }
    }
}

impl RealDriver {
    /// How many devices there are. `device` is the name for messages.
    pub(crate) fn count(device: &str) -> Result<usize, DeviceError> {
        let missing = |why: String| DeviceError::Missing { device: device.into(), why };
        // SAFETY: opens and closes the driver's library, whose initialisers are trusted.
        if !unsafe { sys::is_culib_present() } {
            return Err(missing(
                "the NVIDIA driver's library (libcuda.so) was not found: install the NVIDIA driver, or make its folder \
                 known to the dynamic linker (in a container: start it with GPU support)"
                    .into(),
            ));
        }
        let failed = |doing: &str, error: DriverError| {
            let Failure { code, text } = error.into();
            missing(format!("the NVIDIA driver's library was found, but {doing} fails: {text} ({code})"))
        };
        result::init().map_err(|e| failed("starting it (cuInit)", e))?;
        let count = result::device::get_count().map_err(|e| failed("counting devices", e))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Opens a device.
    pub(crate) fn open(ordinal: usize) -> Result<(RealDriver, Info), DeviceError> {
        let name = format!("cuda:{ordinal}");
        let count = RealDriver::count(&name)?;
        if ordinal >= count {
            let why = match count {
                0 => "the NVIDIA driver sees no GPU".into(),
                1 => "there is one GPU, cuda:0".into(),
                _ => format!("there are {count} GPUs, cuda:0 to cuda:{}", count - 1),
            };
            return Err(DeviceError::Missing { device: name, why });
        }
        RealDriver::retain(ordinal).map_err(|error| {
            let Failure { code, text } = error.into();
            DeviceError::Missing { device: name, why: format!("it cannot be opened: {text} ({code})") }
        })
    }

    fn retain(ordinal: usize) -> Result<(RealDriver, Info), DriverError> {
        let device = result::device::get(ordinal as i32)?;
        let mut driver: i32 = 0;
        // SAFETY: the driver was started, and the device is one of its own.
        let (context, major, minor, memory, shared) = unsafe {
            sys::cuDriverGetVersion(&mut driver).result()?;
            let attribute = |which| result::device::get_attribute(device, which);
            (
                result::primary_ctx::retain(device)?,
                attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
                result::device::total_mem(device)?,
                attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?,
            )
        };
        let info = Info {
            ordinal,
            name: result::device::get_name(device)?,
            capability: (major * 10 + minor).unsigned_abs(),
            memory,
            driver: driver.unsigned_abs(),
            shared_memory: shared.unsigned_abs(),
        };
        Ok((RealDriver { device, context, ordinal, version: driver }, info))
    }

    /// Makes the context current in this thread.
    fn bind(&self) -> Result<(), DriverError> {
        // SAFETY: the context is retained as long as `self` lives.
        unsafe { result::ctx::set_current(self.context) }
    }
}

impl Drop for RealDriver {
    fn drop(&mut self) {
        // SAFETY: retained once in `retain`. An error here has nobody to tell.
        let _ = unsafe { result::primary_ctx::release(self.device) };
    }
}

fn stream(handle: Handle) -> sys::CUstream {
    handle.0 as sys::CUstream
}

fn event(handle: Handle) -> sys::CUevent {
    handle.0 as sys::CUevent
}

impl Driver for RealDriver {
    fn load_module(&self, ptx: &CStr) -> Result<Handle, Failure> {
        self.bind()?;
        let mut log = vec![0u8; 8192];
        let mut options = [CUjit_option::CU_JIT_ERROR_LOG_BUFFER, CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
        let mut values = [log.as_mut_ptr().cast::<c_void>(), log.len() as *mut c_void];
        let mut module = std::ptr::null_mut();
        // SAFETY: the text ends with a zero; options and values are as many as said, and the log outlives the call.
        let code = unsafe {
            sys::cuModuleLoadDataEx(&mut module, ptx.as_ptr().cast(), 2, options.as_mut_ptr(), values.as_mut_ptr())
        };
        code.result().map_err(|error| {
            let mut failure = Failure::from(error);
            let said = CStr::from_bytes_until_nul(&log).map(|text| text.to_string_lossy().trim().to_string());
            if let Ok(said) = said
                && !said.is_empty()
            {
                failure.text = format!("{}: {said}", failure.text);
            }
            failure
        })?;
        Ok(Handle(module as usize))
    }

    unsafe fn unload_module(&self, module: Handle) {
        // SAFETY: promised by the caller. Errors while freeing have nobody to tell.
        let _ = self.bind().and_then(|()| unsafe { result::module::unload(module.0 as sys::CUmodule) });
    }

    unsafe fn function(&self, module: Handle, entry: &CStr) -> Result<Handle, Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        let function = unsafe { result::module::get_function(module.0 as sys::CUmodule, CString::from(entry)) }?;
        Ok(Handle(function as usize))
    }

    unsafe fn resources(&self, function: Handle) -> Result<Resources, Failure> {
        self.bind()?;
        let attribute = |which| {
            let mut value = 0;
            // SAFETY: promised by the caller; the pointer is to a number of our own.
            unsafe { sys::cuFuncGetAttribute(&mut value, which, function.0 as sys::CUfunction) }.result()?;
            Ok::<u32, Failure>(value.unsigned_abs())
        };
        Ok(Resources {
            registers: attribute(CUfunction_attribute::CU_FUNC_ATTRIBUTE_NUM_REGS)?,
            threads: attribute(CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?,
            shared: attribute(CUfunction_attribute::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)?,
        })
    }

    unsafe fn allow_shared(&self, function: Handle, bytes: u32) -> Result<(), Failure> {
        self.bind()?;
        let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        let function = function.0 as sys::CUfunction;
        // SAFETY: promised by the caller.
        Ok(unsafe { result::function::set_function_attribute(function, attribute, bytes.cast_signed()) }?)
    }

    fn memory(&self) -> Result<(usize, usize), Failure> {
        self.bind()?;
        let (mut free, mut total) = (0, 0);
        // SAFETY: the pointers are to numbers of our own.
        unsafe { sys::cuMemGetInfo_v2(&mut free, &mut total) }.result()?;
        Ok((free, total))
    }

    fn alloc(&self, bytes: usize) -> Result<u64, Failure> {
        self.bind()?;
        // SAFETY: a context is current.
        Ok(unsafe { result::malloc_sync(bytes) }?)
    }

    unsafe fn free(&self, address: u64) {
        // SAFETY: promised by the caller.
        let _ = self.bind().and_then(|()| unsafe { result::free_sync(address) });
    }

    fn alloc_host(&self, bytes: usize) -> Result<HostBlock, Failure> {
        self.bind()?;
        let mut pointer = std::ptr::null_mut();
        // SAFETY: the pointer is to one of our own.
        unsafe { sys::cuMemAllocHost_v2(&mut pointer, bytes) }.result()?;
        Ok(HostBlock { pointer: pointer.cast(), bytes })
    }

    unsafe fn free_host(&self, block: HostBlock) {
        // SAFETY: promised by the caller.
        let _ = self.bind().and_then(|()| unsafe { sys::cuMemFreeHost(block.pointer.cast()) }.result());
    }

    fn create_stream(&self) -> Result<Handle, Failure> {
        self.bind()?;
        Ok(Handle(result::stream::create(result::stream::StreamKind::NonBlocking)? as usize))
    }

    unsafe fn destroy_stream(&self, handle: Handle) {
        // SAFETY: promised by the caller.
        let _ = self.bind().and_then(|()| unsafe { result::stream::destroy(stream(handle)) });
    }

    unsafe fn synchronize(&self, handle: Handle) -> Result<(), Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        Ok(unsafe { result::stream::synchronize(stream(handle)) }?)
    }

    unsafe fn is_capturing(&self, handle: Handle) -> Result<bool, Failure> {
        self.bind()?;
        let mut status = CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE;
        // SAFETY: promised by the caller; the pointer is to a value of our own.
        unsafe { sys::cuStreamIsCapturing(stream(handle), &mut status) }.result()?;
        Ok(status != CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE)
    }

    unsafe fn upload(&self, handle: Handle, from: &[u8], to: u64) -> Result<(), Failure> {
        self.bind()?;
        // SAFETY: promised by the caller. The driver copies pageable memory aside before the call returns.
        Ok(unsafe { result::memcpy_htod_async(to, from, stream(handle)) }?)
    }

    unsafe fn download(&self, handle: Handle, from: u64, to: &mut [u8]) -> Result<(), Failure> {
        self.bind()?;
        // SAFETY: promised by the caller; the destination is borrowed until the stream is done.
        unsafe {
            result::memcpy_dtoh_async(to, from, stream(handle))?;
            Ok(result::stream::synchronize(stream(handle))?)
        }
    }

    unsafe fn upload_from(&self, handle: Handle, from: HostBlock, to: u64) -> Result<(), Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        let code = unsafe { sys::cuMemcpyHtoDAsync_v2(to, from.pointer.cast(), from.bytes, stream(handle)) };
        Ok(code.result()?)
    }

    unsafe fn download_to(&self, handle: Handle, from: u64, to: HostBlock) -> Result<(), Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        let code = unsafe { sys::cuMemcpyDtoHAsync_v2(to.pointer.cast(), from, to.bytes, stream(handle)) };
        Ok(code.result()?)
    }

    unsafe fn perform(&self, handle: Handle, work: &mut Node) -> Result<(), Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        Ok(unsafe { nodes::perform(stream(handle), work) }?)
    }

    fn encode_map(&self, map: &TensorMap) -> Result<MapBytes, Failure> {
        self.bind()?;
        crate::maps::encode(map)
    }

    fn create_event(&self, timed: bool) -> Result<Handle, Failure> {
        self.bind()?;
        let flags = match timed {
            true => sys::CUevent_flags::CU_EVENT_DEFAULT,
            false => sys::CUevent_flags::CU_EVENT_DISABLE_TIMING,
        };
        Ok(Handle(result::event::create(flags)? as usize))
    }

    unsafe fn record_event(&self, handle: Handle, on: Handle) -> Result<(), Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        Ok(unsafe { result::event::record(event(handle), stream(on)) }?)
    }

    unsafe fn wait_event(&self, handle: Handle, behind: Handle) -> Result<(), Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        Ok(unsafe { sys::cuStreamWaitEvent(stream(handle), event(behind), 0) }.result()?)
    }

    unsafe fn query_event(&self, handle: Handle) -> Result<bool, Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        match unsafe { sys::cuEventQuery(event(handle)) } {
            sys::CUresult::CUDA_ERROR_NOT_READY => Ok(false),
            code => Ok(code.result().map(|()| true)?),
        }
    }

    unsafe fn synchronize_event(&self, handle: Handle) -> Result<(), Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        Ok(unsafe { sys::cuEventSynchronize(event(handle)) }.result()?)
    }

    unsafe fn elapsed(&self, from: Handle, to: Handle) -> Result<f32, Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        Ok(unsafe { result::event::elapsed(event(from), event(to)) }?)
    }

    unsafe fn destroy_event(&self, handle: Handle) {
        // SAFETY: promised by the caller.
        let _ = self.bind().and_then(|()| unsafe { result::event::destroy(event(handle)) });
    }

    fn has_graphs(&self) -> bool {
        self.version >= GRAPHS
    }

    fn create_graph(&self) -> Result<Handle, Failure> {
        self.bind()?;
        let mut graph = std::ptr::null_mut();
        // SAFETY: the pointer is to one of our own.
        unsafe { sys::cuGraphCreate(&mut graph, 0) }.result()?;
        Ok(Handle(graph as usize))
    }

    unsafe fn add_node(&self, graph: Handle, after: Option<Handle>, work: &mut Node) -> Result<Handle, Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        Ok(unsafe { nodes::add(graph.0 as sys::CUgraph, after.map(nodes::node), self.context, work) }?)
    }

    unsafe fn instantiate(&self, graph: Handle) -> Result<Handle, Failure> {
        self.bind()?;
        let mut executable = std::ptr::null_mut();
        // SAFETY: promised by the caller; the pointer is to one of our own.
        unsafe { sys::cuGraphInstantiateWithFlags(&mut executable, graph.0 as sys::CUgraph, 0) }.result()?;
        Ok(Handle(executable as usize))
    }

    unsafe fn change_node(&self, executable: Handle, node: Handle, work: &mut Node) -> Result<(), Failure> {
        self.bind()?;
        let executable = executable.0 as sys::CUgraphExec;
        // SAFETY: promised by the caller.
        Ok(unsafe { nodes::change(executable, nodes::node(node), self.context, work) }?)
    }

    unsafe fn launch_graph(&self, handle: Handle, executable: Handle) -> Result<(), Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        Ok(unsafe { result::graph::launch(executable.0 as sys::CUgraphExec, stream(handle)) }?)
    }

    unsafe fn destroy_graph(&self, graph: Handle, executable: Option<Handle>) {
        if self.bind().is_err() {
            return;
        }
        // SAFETY: promised by the caller. Errors while freeing have nobody to tell.
        unsafe {
            if let Some(executable) = executable {
                let _ = result::graph::exec_destroy(executable.0 as sys::CUgraphExec);
            }
            let _ = result::graph::destroy(graph.0 as sys::CUgraph);
        }
    }

    unsafe fn reopen(&self) -> Result<Arc<dyn Driver>, Failure> {
        // SAFETY: the caller promises that nobody uses what is on the context.
        unsafe { sys::cuDevicePrimaryCtxReset_v2(self.device) }.result()?;
        Ok(Arc::new(RealDriver::retain(self.ordinal)?.0))
    }
}
