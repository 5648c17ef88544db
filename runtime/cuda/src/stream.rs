//! A CUDA stream and the graphs that were captured on it.

use crate::driver::{Failure, Handle, MapBytes, Params, Shape};
use crate::module::Loaded;
use runtime::{Address, DeviceError, GraphId, Mark, Stream, TensorMap, Work};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Kernels access so many bytes at once.
const ALIGN: u64 = 16;
/// So many encoded tensor maps are kept; a program of fixed shapes has a few for each launch.
const KEPT_MAPS: usize = 4096;

/// A stream of one module.
pub(crate) struct CudaStream {
    shared: Arc<Loaded>,
    stream: Handle,
    graphs: Vec<Handle>,
    /// Events by the numbers of their marks; `None` after their use.
    events: Vec<Option<Handle>>,
    capturing: bool,
    params: Vec<u64>,
    maps: Vec<MapBytes>,
    /// Tensor maps by what they say, so that a launch at the same place and of the same sizes encodes nothing.
    known_maps: BTreeMap<TensorMap, MapBytes>,
}

impl Drop for CudaStream {
    fn drop(&mut self) {
        self.forget_captures();
        self.events.drain(..).flatten().for_each(|event| {
            // SAFETY: the event is alive and not used again.
            unsafe { self.shared.driver.destroy_event(event) }
        });
        // SAFETY: the stream is alive until here.
        unsafe { self.shared.driver.destroy_stream(self.stream) }
    }
}

impl CudaStream {
    /// A new stream.
    pub(crate) fn new(shared: Arc<Loaded>) -> Result<Self, DeviceError> {
        let stream = shared.driver.create_stream().map_err(|e| e.explain(&shared.device, "creating a stream"))?;
        Ok(CudaStream {
            shared,
            stream,
            graphs: vec![],
            events: vec![],
            capturing: false,
            params: vec![],
            maps: vec![],
            known_maps: BTreeMap::new(),
        })
    }

    fn explain(&self, doing: &str) -> impl Fn(Failure) -> DeviceError {
        let (device, doing) = (self.shared.device.clone(), doing.to_string());
        move |failure| failure.explain(&device, &doing)
    }

    /// Copies from the host.
    ///
    /// # Safety
    /// There is room at the address, until [`CudaStream::wait`] returns.
    pub(crate) unsafe fn put(&self, from: &[u8], to: u64) -> Result<(), DeviceError> {
        if from.is_empty() {
            return Ok(());
        }
        let driver = &self.shared.driver;
        if !self.capturing {
            // SAFETY: promised by the caller.
            return unsafe { driver.upload(self.stream, from, to) }.map_err(self.explain("copying to the device"));
        }
        // A graph would read the host's memory when it is replayed; fills carry their value with them. Only small tensors of
        // dimensions are written in programs that are captured.
        let (words, rest) = from.as_chunks::<4>();
        let aligned = to.is_multiple_of(4);
        let result = (|| {
            // SAFETY: every piece lies in the range that the caller promised.
            unsafe {
                if !aligned {
                    return (0..).zip(from).try_for_each(|(at, byte)| driver.set_byte(self.stream, to + at, *byte));
                }
                let word =
                    |(at, word): (u64, &[u8; 4])| driver.set_word(self.stream, to + 4 * at, u32::from_le_bytes(*word));
                (0..).zip(words).try_for_each(word)?;
                let tail = to + (from.len() - rest.len()) as u64;
                (0..).zip(rest).try_for_each(|(at, byte)| driver.set_byte(self.stream, tail + at, *byte))
            }
        })();
        result.map_err(self.explain("writing dimensions"))
    }

    /// The bytes of a tensor map; zeros for one of an empty tensor.
    fn map(&mut self, map: &TensorMap) -> Result<MapBytes, Failure> {
        if map.is_empty() {
            return Ok(MapBytes([0; 128]));
        }
        if let Some(known) = self.known_maps.get(map) {
            return Ok(*known);
        }
        let bytes = self.shared.driver.encode_map(map)?;
        if self.known_maps.len() >= KEPT_MAPS {
            self.known_maps.clear();
        }
        self.known_maps.insert(map.clone(), bytes);
        Ok(bytes)
    }

    /// Waits until everything is done.
    pub(crate) fn wait(&self) -> Result<(), DeviceError> {
        // SAFETY: the stream is alive.
        unsafe { self.shared.driver.synchronize(self.stream) }.map_err(self.explain("waiting for the device"))
    }
}

impl Stream for CudaStream {
    unsafe fn upload(&mut self, from: &[u8], to: Address) -> Result<(), DeviceError> {
        // SAFETY: promised by the caller.
        unsafe { self.put(from, to.get()) }
    }

    unsafe fn download(&mut self, from: Address, to: &mut [u8]) -> Result<(), DeviceError> {
        if to.is_empty() {
            return self.wait();
        }
        // SAFETY: promised by the caller.
        unsafe { self.shared.driver.download(self.stream, from.get(), to) }
            .map_err(self.explain("copying from the device"))
    }

    unsafe fn copy(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), DeviceError> {
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: promised by the caller.
        unsafe { self.shared.driver.copy(self.stream, from.get(), to.get(), bytes) }
            .map_err(self.explain("copying on the device"))
    }

    unsafe fn launch(&mut self, work: Work<'_>) -> Result<(), DeviceError> {
        let shared = self.shared.clone();
        let (function, kernel) = &shared.functions[work.kernel.idx()];
        let (function, name) = (*function, kernel.name.as_str());
        let blocks = work.tasks.unsigned_abs().div_ceil(u64::from(kernel.tasks_per_block));
        let Some(grid) = i32::try_from(blocks).ok().map(i32::unsigned_abs) else {
            let why = format!("kernel `{}` needs {blocks} blocks, which is more than a grid has", kernel.name);
            return Err(DeviceError::Failed { device: self.shared.device.clone(), why });
        };
        if work.args.iter().any(|address| !address.get().is_multiple_of(ALIGN)) {
            let why =
                format!("kernel `{}` got a tensor that does not start at a multiple of {ALIGN} bytes", kernel.name);
            return Err(DeviceError::Failed { device: self.shared.device.clone(), why });
        }
        pack(&work, &mut self.params);
        self.maps.clear();
        for map in work.maps {
            let bytes = self.map(map).map_err(|failure| {
                failure.explain(&self.shared.device, &format!("encoding a tensor map of kernel `{name}`"))
            })?;
            self.maps.push(bytes);
        }
        let shape = Shape { grid, block: kernel.block, shared: kernel.shared };
        let params = Params { maps: &mut self.maps, numbers: &mut self.params };
        // SAFETY: promised by the caller; the parameters are those of the ABI.
        let result = unsafe { self.shared.driver.launch(self.stream, function, shape, params) };
        result.map_err(|failure| failure.explain(&self.shared.device, &format!("launching kernel `{}`", kernel.name)))
    }

    fn synchronize(&mut self) -> Result<(), DeviceError> {
        // During a capture there is nothing to wait for, and waiting would break it.
        if self.capturing { Ok(()) } else { self.wait() }
    }

    fn begin_capture(&mut self) -> Result<bool, DeviceError> {
        // SAFETY: the stream is alive.
        unsafe { self.shared.driver.begin_capture(self.stream) }.map_err(self.explain("starting a capture"))?;
        self.capturing = true;
        Ok(true)
    }

    fn end_capture(&mut self) -> Result<GraphId, DeviceError> {
        self.capturing = false;
        // SAFETY: the stream is alive.
        let graph =
            unsafe { self.shared.driver.end_capture(self.stream) }.map_err(self.explain("capturing a graph"))?;
        self.graphs.push(graph);
        Ok(GraphId(self.graphs.len() - 1))
    }

    unsafe fn replay(&mut self, graph: GraphId) -> Result<(), DeviceError> {
        // SAFETY: the graph lives as long as the stream or until `forget_captures`; its addresses are promised by the caller.
        unsafe { self.shared.driver.launch_graph(self.stream, self.graphs[graph.0]) }
            .map_err(self.explain("launching a graph"))
    }

    fn forget_captures(&mut self) {
        for graph in self.graphs.drain(..) {
            // SAFETY: the graph is alive and not used again; the driver keeps what still runs.
            unsafe { self.shared.driver.destroy_graph(graph) }
        }
    }

    fn mark(&mut self) -> Result<Option<Mark>, DeviceError> {
        // SAFETY: the stream is alive.
        let event =
            unsafe { self.shared.driver.record_event(self.stream) }.map_err(self.explain("recording an event"))?;
        self.events.push(Some(event));
        Ok(Some(Mark(self.events.len() - 1)))
    }

    fn between(&mut self, from: Mark, to: Mark) -> Result<Duration, DeviceError> {
        let taken = [from, to].map(|mark| self.events.get_mut(mark.0).and_then(Option::take));
        let missing = || DeviceError::Failed { device: self.shared.device.clone(), why: "a mark that is gone".into() };
        let [Some(from), Some(to)] = taken else { return Err(missing()) };
        // SAFETY: both events are alive.
        let time = unsafe { self.shared.driver.elapsed(from, to) };
        for event in [from, to] {
            // SAFETY: the events were taken out of the list, so this is their last use.
            unsafe { self.shared.driver.destroy_event(event) }
        }
        if self.events.iter().all(Option::is_none) {
            self.events.clear();
        }
        let milliseconds = time.map_err(self.explain("reading a time"))?;
        Ok(Duration::try_from_secs_f64(f64::from(milliseconds) / 1e3).unwrap_or_default())
    }
}

/// The parameters of a kernel: addresses, dimensions, number of tasks, 64 bits each.
fn pack(work: &Work<'_>, params: &mut Vec<u64>) {
    params.clear();
    params.extend(work.args.iter().map(|address| address.get()));
    params.extend(work.dims.iter().map(|dim| dim.cast_unsigned()));
    params.push(work.tasks.cast_unsigned());
}
