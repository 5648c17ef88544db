//! A CUDA stream: its own or the caller's, with records and memory.

use crate::driver::{Handle, MapBytes, Node, Shape};
use crate::event::Event;
use crate::gpu::Gpu;
use crate::graph::Graph;
use crate::loaded::Loaded;
use crate::pool::{Shared, StreamPool};
use crate::staging;
use runtime::{Address, DeviceError, Fence, GraphId, Mark, Pool, RawEvent, RawStream, Stream, TensorMap, Work};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Kernels access so many bytes at once.
const ALIGN: u64 = 16;
/// So many encoded tensor maps are kept; a program of fixed shapes has a few for each launch.
const KEPT_MAPS: usize = 4096;

/// A stream of the driver, which is ended when dropped: what it was given is waited for.
pub(crate) struct Raw {
    gpu: Arc<Gpu>,
    handle: Handle,
}

impl Raw {
    pub(crate) fn new(gpu: &Arc<Gpu>) -> Result<Self, DeviceError> {
        let handle = gpu.call("creating a stream", |driver| driver.create_stream())?;
        Ok(Raw { gpu: gpu.clone(), handle })
    }

    /// Copies from the host.
    ///
    /// # Safety
    /// There is room at the address, until the stream is done.
    pub(crate) unsafe fn upload(&self, from: &[u8], to: u64) -> Result<(), DeviceError> {
        if from.is_empty() {
            return Ok(());
        }
        // SAFETY: promised by the caller.
        unsafe { staging::upload(&self.gpu, self.handle, from, to) }
    }

    /// Waits until everything is done.
    pub(crate) fn wait(&self) -> Result<(), DeviceError> {
        wait(&self.gpu, self.handle)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Memory that the work uses may be freed next. An error has nobody to tell.
        let _ = self.wait();
        // SAFETY: the stream is alive until here.
        self.gpu.end(|driver| unsafe { driver.destroy_stream(self.handle) });
    }
}

/// Waits for a stream, which is alive.
fn wait(gpu: &Gpu, stream: Handle) -> Result<(), DeviceError> {
    // SAFETY: as said above.
    gpu.call("waiting for the device", |driver| unsafe { driver.synchronize(stream) })
}

/// A stream for the work of one module.
pub(crate) struct CudaStream {
    loaded: Arc<Loaded>,
    gpu: Arc<Gpu>,
    own: Raw,
    /// The caller's stream, while work goes there.
    adopted: Option<Handle>,
    /// Puts one of the two streams behind the other.
    line: Option<Event>,
    pool: Arc<StreamPool>,
    records: Vec<Graph>,
    recording: Option<Vec<Node>>,
    /// Events by the numbers of their marks; `None` after their use.
    marks: Vec<Option<Event>>,
    /// Tensor maps by what they say, so that a launch at the same place and of the same sizes encodes nothing.
    known_maps: BTreeMap<TensorMap, MapBytes>,
}

impl Drop for CudaStream {
    fn drop(&mut self) {
        // A run that failed leaves its work on the caller's stream, and memory that the work uses is freed next.
        if let Some(stream) = self.adopted.take() {
            let _ = wait(&self.gpu, stream);
        }
        let _ = self.own.wait();
        self.pool.close();
    }
}

impl CudaStream {
    /// A new stream.
    pub(crate) fn new(loaded: Arc<Loaded>) -> Result<Self, DeviceError> {
        let gpu = loaded.gpu.clone();
        Ok(CudaStream {
            own: Raw::new(&gpu)?,
            pool: StreamPool::new(&gpu),
            gpu,
            loaded,
            adopted: None,
            line: None,
            records: vec![],
            recording: None,
            marks: vec![],
            known_maps: BTreeMap::new(),
        })
    }

    /// Where work goes.
    fn now(&self) -> Handle {
        self.adopted.unwrap_or(self.own.handle)
    }

    /// Does a piece of work, or records it.
    ///
    /// # Safety
    /// As of [`Stream`].
    unsafe fn perform(&mut self, mut node: Node, doing: &str) -> Result<(), DeviceError> {
        if let Some(nodes) = &mut self.recording {
            nodes.push(node);
            return self.gpu.check();
        }
        let stream = self.now();
        // SAFETY: promised by the caller.
        self.gpu.call(doing, |driver| unsafe { driver.perform(stream, &mut node) })
    }

    /// Writes bytes that a record carries with it. Only small tensors of dimensions are written in programs that are recorded.
    ///
    /// # Safety
    /// As of [`Stream`].
    unsafe fn fill(&mut self, from: &[u8], to: u64) -> Result<(), DeviceError> {
        let (words, rest) = match to.is_multiple_of(4) {
            true => from.as_chunks::<4>(),
            false => (&[][..], from),
        };
        let tail = to + (from.len() - rest.len()) as u64;
        let word = |(at, word): (u64, &[u8; 4])| Node::Word { to: to + 4 * at, value: u32::from_le_bytes(*word) };
        let byte = |(at, byte): (u64, &u8)| Node::Byte { to: tail + at, value: *byte };
        for node in (0..).zip(words).map(word).chain((0..).zip(rest).map(byte)) {
            // SAFETY: every piece lies in the range that the caller promised.
            unsafe { self.perform(node, "writing dimensions") }?;
        }
        Ok(())
    }

    /// The bytes of a tensor map; zeros for one of an empty tensor.
    fn map(&mut self, map: &TensorMap, kernel: &str) -> Result<MapBytes, DeviceError> {
        if map.is_empty() {
            return Ok(MapBytes([0; 128]));
        }
        if let Some(known) = self.known_maps.get(map) {
            return Ok(*known);
        }
        let doing = format!("encoding a tensor map of kernel `{kernel}`");
        let bytes = self.gpu.call(&doing, |driver| driver.encode_map(map))?;
        if self.known_maps.len() >= KEPT_MAPS {
            self.known_maps.clear();
        }
        self.known_maps.insert(map.clone(), bytes);
        Ok(bytes)
    }

    /// Puts one stream behind another.
    ///
    /// # Safety
    /// Both are alive.
    unsafe fn line_up(&mut self, first: Handle, second: Handle) -> Result<(), DeviceError> {
        let line = match self.line.take() {
            Some(line) => line,
            None => Event::new(&self.gpu, false)?,
        };
        let line = self.line.insert(line);
        // SAFETY: promised by the caller.
        unsafe {
            line.record(first)?;
            line.delay(second)
        }
    }
}

impl Stream for CudaStream {
    unsafe fn upload(&mut self, from: &[u8], to: Address) -> Result<(), DeviceError> {
        if from.is_empty() {
            return Ok(());
        }
        if self.recording.is_some() {
            // SAFETY: promised by the caller.
            return unsafe { self.fill(from, to.get()) };
        }
        // SAFETY: promised by the caller.
        unsafe { staging::upload(&self.gpu, self.now(), from, to.get()) }
    }

    unsafe fn download(&mut self, from: Address, to: &mut [u8]) -> Result<(), DeviceError> {
        if self.recording.is_some() {
            return Err(self.gpu.failed("a record cannot read".into()));
        }
        if to.is_empty() {
            return wait(&self.gpu, self.now());
        }
        // SAFETY: promised by the caller.
        unsafe { staging::download(&self.gpu, self.now(), from.get(), to) }
    }

    unsafe fn copy(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), DeviceError> {
        if bytes == 0 {
            return Ok(());
        }
        let node = Node::Copy { from: from.get(), to: to.get(), bytes };
        // SAFETY: promised by the caller.
        unsafe { self.perform(node, "copying on the device") }
    }

    unsafe fn launch(&mut self, work: Work<'_>) -> Result<(), DeviceError> {
        let loaded = self.loaded.clone();
        let (function, kernel) = &loaded.functions[work.kernel.idx()];
        let name = kernel.name.as_str();
        let blocks = work.tasks.unsigned_abs().div_ceil(u64::from(kernel.tasks_per_block));
        let Some(grid) = i32::try_from(blocks).ok().map(i32::unsigned_abs) else {
            let why = format!("kernel `{name}` needs {blocks} blocks, which is more than a grid has");
            return Err(self.gpu.failed(why));
        };
        if work.args.iter().any(|address| !address.get().is_multiple_of(ALIGN)) {
            let why = format!("kernel `{name}` got a tensor that does not start at a multiple of {ALIGN} bytes");
            return Err(self.gpu.failed(why));
        }
        let maps = work.maps.iter().map(|map| self.map(map, name)).collect::<Result<_, _>>()?;
        let shape = Shape { grid, block: kernel.block, shared: kernel.shared };
        let node = Node::Launch { function: *function, shape, maps, numbers: numbers(&work) };
        // SAFETY: promised by the caller; the parameters are those of the ABI.
        unsafe { self.perform(node, &format!("launching kernel `{name}`")) }
    }

    fn synchronize(&mut self) -> Result<(), DeviceError> {
        // While recording there is nothing to wait for.
        if self.recording.is_some() { Ok(()) } else { wait(&self.gpu, self.now()) }
    }

    fn pool(&self) -> Option<Arc<dyn Pool>> {
        Some(Arc::new(Shared(self.pool.clone())))
    }

    unsafe fn adopt(&mut self, stream: RawStream) -> Result<(), DeviceError> {
        let theirs = Handle(stream.get() as usize);
        let doing = "looking at the caller's stream";
        // SAFETY: promised by the caller.
        if self.gpu.call(doing, |driver| unsafe { driver.is_capturing(theirs) })? {
            let why = "the caller's stream is being captured; run before or after that".into();
            return Err(self.gpu.failed(why));
        }
        // SAFETY: promised by the caller.
        unsafe { self.line_up(self.own.handle, theirs) }?;
        self.adopted = Some(theirs);
        Ok(())
    }

    fn release(&mut self) -> Result<(), DeviceError> {
        if let Some(theirs) = self.adopted {
            // SAFETY: whoever gave the stream promised that it lives until the run is done.
            unsafe { self.line_up(theirs, self.own.handle) }?;
            self.adopted = None;
        }
        Ok(())
    }

    unsafe fn wait_for(&mut self, event: RawEvent) -> Result<(), DeviceError> {
        let (stream, event) = (self.now(), Handle(event.get() as usize));
        // SAFETY: promised by the caller.
        self.gpu.call("waiting for the caller's event", |driver| unsafe { driver.wait_event(stream, event) })
    }

    fn fence(&mut self) -> Result<Option<Arc<dyn Fence>>, DeviceError> {
        let event = Event::new(&self.gpu, false)?;
        // SAFETY: the stream is alive.
        unsafe { event.record(self.now()) }?;
        Ok(Some(Arc::new(event)))
    }

    fn begin_capture(&mut self) -> Result<bool, DeviceError> {
        if self.gpu.call("asking for graphs", |driver| Ok(driver.has_graphs()))? {
            self.recording = Some(vec![]);
        }
        Ok(self.recording.is_some())
    }

    fn end_capture(&mut self, over: Option<GraphId>) -> Result<GraphId, DeviceError> {
        let nodes = self.recording.take().unwrap_or_default();
        match over.and_then(|id| Some((id, self.records.get_mut(id.0)?))) {
            Some((id, old)) => old.become_other(nodes).map(|()| id),
            None => {
                self.records.push(Graph::new(&self.gpu, nodes)?);
                Ok(GraphId(self.records.len() - 1))
            }
        }
    }

    fn abandon_capture(&mut self) {
        self.recording = None;
    }

    unsafe fn replay(&mut self, graph: GraphId) -> Result<(), DeviceError> {
        let stream = self.now();
        let Some(graph) = self.records.get(graph.0) else {
            return Err(self.gpu.failed(format!("there is no record {}", graph.0)));
        };
        // SAFETY: promised by the caller.
        unsafe { graph.launch(stream) }
    }

    fn mark(&mut self) -> Result<Option<Mark>, DeviceError> {
        let event = Event::new(&self.gpu, true)?;
        // SAFETY: the stream is alive.
        unsafe { event.record(self.now()) }?;
        self.marks.push(Some(event));
        Ok(Some(Mark(self.marks.len() - 1)))
    }

    fn between(&mut self, from: Mark, to: Mark) -> Result<Duration, DeviceError> {
        let taken = [from, to].map(|mark| self.marks.get_mut(mark.0).and_then(Option::take));
        let [Some(from), Some(to)] = taken else { return Err(self.gpu.failed("a mark that is gone".into())) };
        if self.marks.iter().all(Option::is_none) {
            self.marks.clear();
        }
        // SAFETY: both events are alive.
        let time = self.gpu.call("reading a time", |driver| unsafe { driver.elapsed(from.handle, to.handle) })?;
        Ok(Duration::try_from_secs_f64(f64::from(time) / 1e3).unwrap_or_default())
    }
}

/// The 64-bit parameters of a kernel: addresses, dimensions, number of tasks.
fn numbers(work: &Work<'_>) -> Vec<u64> {
    let addresses = work.args.iter().map(|address| address.get());
    let dims = work.dims.iter().map(|dim| dim.cast_unsigned());
    addresses.chain(dims).chain([work.tasks.cast_unsigned()]).collect()
}
