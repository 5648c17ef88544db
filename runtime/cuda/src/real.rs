//! The driver itself, through cudarc.

use crate::Info;
use crate::driver::{Driver, Failure, Handle, MapBytes, Params, Shape};
use cudarc::driver::sys::{self, CUdevice_attribute, CUfunction_attribute, CUjit_option, CUstreamCaptureMode};
use cudarc::driver::{DriverError, result};
use runtime::{DeviceError, TensorMap};
use std::ffi::{CStr, CString, c_void};

/// The driver with the primary context of one device.
pub(crate) struct RealDriver {
    device: sys::CUdevice,
    context: sys::CUcontext,
}

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
        let (context, major, minor, memory) = unsafe {
            sys::cuDriverGetVersion(&mut driver).result()?;
            let attribute = |which| result::device::get_attribute(device, which);
            (
                result::primary_ctx::retain(device)?,
                attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
                result::device::total_mem(device)?,
            )
        };
        let info = Info {
            ordinal,
            name: result::device::get_name(device)?,
            capability: (major * 10 + minor).unsigned_abs(),
            memory,
            driver: driver.unsigned_abs(),
        };
        Ok((RealDriver { device, context }, info))
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

    unsafe fn function(&self, module: Handle, entry: &CStr, shared: u32) -> Result<Handle, Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        unsafe {
            let function = result::module::get_function(module.0 as sys::CUmodule, CString::from(entry))?;
            if shared > 48 * 1024 {
                let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
                result::function::set_function_attribute(function, attribute, shared.cast_signed())?;
            }
            Ok(Handle(function as usize))
        }
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

    fn create_stream(&self) -> Result<Handle, Failure> {
        self.bind()?;
        Ok(Handle(result::stream::create(result::stream::StreamKind::NonBlocking)? as usize))
    }

    unsafe fn destroy_stream(&self, handle: Handle) {
        // SAFETY: promised by the caller.
        let _ = self.bind().and_then(|()| unsafe { result::stream::destroy(stream(handle)) });
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

    unsafe fn copy(&self, handle: Handle, from: u64, to: u64, bytes: usize) -> Result<(), Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        Ok(unsafe { result::memcpy_dtod_async(to, from, bytes, stream(handle)) }?)
    }

    unsafe fn set_word(&self, handle: Handle, to: u64, word: u32) -> Result<(), Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        Ok(unsafe { sys::cuMemsetD32Async(to, word, 1, stream(handle)) }.result()?)
    }

    unsafe fn set_byte(&self, handle: Handle, to: u64, byte: u8) -> Result<(), Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        Ok(unsafe { result::memset_d8_async(to, byte, 1, stream(handle)) }?)
    }

    fn encode_map(&self, map: &TensorMap) -> Result<MapBytes, Failure> {
        self.bind()?;
        crate::maps::encode(map)
    }

    unsafe fn launch(&self, handle: Handle, function: Handle, shape: Shape, params: Params<'_>) -> Result<(), Failure> {
        self.bind()?;
        let maps = params.maps.iter_mut().map(|map| std::ptr::from_mut(map).cast());
        let numbers = params.numbers.iter_mut().map(|number| std::ptr::from_mut(number).cast());
        let mut pointers: Vec<*mut c_void> = maps.chain(numbers).collect();
        let (function, extents) = (function.0 as sys::CUfunction, ((shape.grid, 1, 1), (shape.block, 1, 1)));
        // SAFETY: promised by the caller; the driver copies the parameters before the call returns.
        unsafe {
            result::launch_kernel(function, extents.0, extents.1, shape.shared, stream(handle), &mut pointers)?;
        }
        Ok(())
    }

    unsafe fn synchronize(&self, handle: Handle) -> Result<(), Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        Ok(unsafe { result::stream::synchronize(stream(handle)) }?)
    }

    unsafe fn begin_capture(&self, handle: Handle) -> Result<(), Failure> {
        self.bind()?;
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: promised by the caller.
        Ok(unsafe { result::stream::begin_capture(stream(handle), mode) }?)
    }

    unsafe fn end_capture(&self, handle: Handle) -> Result<Handle, Failure> {
        self.bind()?;
        // SAFETY: promised by the caller; the graph is freed here, its executable form by `destroy_graph`.
        unsafe {
            let graph = result::stream::end_capture(stream(handle))?;
            let mut executable = std::ptr::null_mut();
            let code = sys::cuGraphInstantiateWithFlags(&mut executable, graph, 0).result();
            let _ = result::graph::destroy(graph);
            code?;
            Ok(Handle(executable as usize))
        }
    }

    unsafe fn launch_graph(&self, handle: Handle, graph: Handle) -> Result<(), Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        Ok(unsafe { result::graph::launch(graph.0 as sys::CUgraphExec, stream(handle)) }?)
    }

    unsafe fn destroy_graph(&self, graph: Handle) {
        // SAFETY: promised by the caller.
        let _ = self.bind().and_then(|()| unsafe { result::graph::exec_destroy(graph.0 as sys::CUgraphExec) });
    }

    unsafe fn record_event(&self, handle: Handle) -> Result<Handle, Failure> {
        self.bind()?;
        let event = result::event::create(sys::CUevent_flags::CU_EVENT_DEFAULT)?;
        // SAFETY: promised by the caller; the event was just made.
        let recorded = unsafe { result::event::record(event, stream(handle)) };
        if let Err(error) = recorded {
            // SAFETY: nobody else knows the event.
            let _ = unsafe { result::event::destroy(event) };
            return Err(error.into());
        }
        Ok(Handle(event as usize))
    }

    unsafe fn elapsed(&self, from: Handle, to: Handle) -> Result<f32, Failure> {
        self.bind()?;
        // SAFETY: promised by the caller.
        Ok(unsafe { result::event::elapsed(from.0 as sys::CUevent, to.0 as sys::CUevent) }?)
    }

    unsafe fn destroy_event(&self, event: Handle) {
        // SAFETY: promised by the caller.
        let _ = self.bind().and_then(|()| unsafe { result::event::destroy(event.0 as sys::CUevent) });
    }
}
