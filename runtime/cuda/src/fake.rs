//! A driver that does what it is asked in memory of its own, and looks at how it is asked.
//!
//! It panics (which no driver does) where the real one would go wrong in silence or not every time: dead handles, addresses that
//! are in no allocation, accesses to the same bytes that nothing orders, page-locked memory that changes while a copy reads it,
//! any call on a lost device. A chosen call can be made to fail.
//!
//! Order is a matter of clocks: each stream counts its work, and knows of the work of others what it waited for. The host knows
//! what it waited for. Nothing that the host did not wait for is done, however long it takes.

mod clock;
mod memory;
mod objects;

use crate::driver::{Driver, Failure, Handle, HostBlock, MapBytes, Node, Resources};
use crate::{Cuda, Info, gpu::Gpu};
use clock::Clock;
use memory::Heap;
use objects::Objects;
use runtime::TensorMap;
use std::ffi::CStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A driver, of which there may be several handles.
#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    pub(crate) calls: Vec<String>,
    /// The number of calls so far that may fail, and what happens at one of them.
    asked: usize,
    fails: Option<(usize, &'static str)>,
    /// Launches of kernels that fail, with this code.
    pub(crate) broken_kernels: Option<&'static str>,
    /// PTX is refused with this code.
    pub(crate) refuses_ptx: Option<&'static str>,
    pub(crate) resources: Option<Resources>,
    pub(crate) has_no_graphs: bool,
    pub(crate) cannot_reopen: bool,
    lost: bool,
    pub(crate) heap: Heap,
    pub(crate) objects: Objects,
    /// What the host knows to be done.
    host: Clock,
}

impl Fake {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A GPU of this capability.
    pub(crate) fn device(&self, capability: u32) -> Cuda {
        let info =
            Info { ordinal: 1, name: "Test".into(), capability, memory: 0, driver: 12040, shared_memory: 232_448 };
        Cuda { gpu: Arc::new(Gpu::new(Arc::new(self.clone()), info)) }
    }

    /// The calls since the last time.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.state().calls)
    }

    /// Lets a call fail: the first is number 0.
    pub(crate) fn fail_at(&self, number: usize, code: &'static str) {
        self.state().fails = Some((number, code));
    }

    /// How many calls could have failed.
    pub(crate) fn asked(&self) -> usize {
        self.state().asked
    }

    /// Everything that was given to the device gets done, and the host sees it.
    pub(crate) fn finish(&self) {
        let mut state = self.state();
        let all = state.objects.everything();
        state.learn(&all);
    }

    /// A stream of the caller.
    pub(crate) fn callers_stream(&self) -> Handle {
        self.state().objects.stream(true)
    }

    /// An event of the caller, behind what his stream was given.
    pub(crate) fn callers_event(&self, stream: Handle) -> Handle {
        let mut state = self.state();
        let event = state.objects.event(false, true);
        state.objects.record(event, stream);
        event
    }

    /// Work of the caller on his stream: writes bytes.
    pub(crate) fn callers_write(&self, stream: Handle, to: u64, bytes: &[u8]) {
        let mut state = self.state();
        let moment = state.moment(stream);
        state.heap.write(to, bytes, &moment);
    }

    /// Work of the caller on his stream: reads bytes.
    pub(crate) fn callers_read(&self, stream: Handle, from: u64, bytes: usize) -> Vec<u8> {
        let mut state = self.state();
        let moment = state.moment(stream);
        state.heap.read(from, bytes, &moment)
    }

    /// Panics if anything is left of what was made through the trait.
    pub(crate) fn assert_empty(&self) {
        let state = self.state();
        let left = [state.heap.left(), state.objects.left()].concat();
        assert!(left.is_empty() || state.lost, "leaked: {left:?}");
    }
}

impl State {
    /// Notes a call, which fails if it is its turn.
    fn ask(&mut self, call: String) -> Result<(), Failure> {
        assert!(!self.lost, "a call on a lost device: {call}");
        let number = self.asked;
        self.asked += 1;
        match self.fails {
            Some((at, code)) if at == number => {
                self.calls.push(format!("{call} fails"));
                Err(self.failure(code))
            }
            _ => {
                self.calls.push(call);
                Ok(())
            }
        }
    }

    /// Notes a call that cannot fail.
    fn note(&mut self, call: &str) {
        assert!(!self.lost, "a call on a lost device: {call}");
        self.calls.push(call.into());
    }

    fn failure(&mut self, code: &str) -> Failure {
        self.lost |= code == "CUDA_ERROR_ILLEGAL_ADDRESS";
        Failure { code: code.into(), text: "it failed".into() }
    }

    /// The next moment of a stream.
    fn moment(&mut self, stream: Handle) -> clock::Moment {
        self.objects.moment(stream, &self.host)
    }

    /// The host waited for something.
    fn learn(&mut self, clock: &Clock) {
        self.host.join(clock);
        self.heap.settle(&self.host);
    }

    fn perform(&mut self, stream: Handle, work: &Node) -> Result<(), Failure> {
        let moment = self.moment(stream);
        match work {
            Node::Launch { function, shape, maps, numbers } => {
                let entry = self.objects.function(*function);
                for map in maps {
                    self.calls.push(format!("with map {}", map.0[0]));
                }
                let base = numbers[0];
                // Addresses relative to the first one; small numbers of either sign are dimensions.
                let relative = |p: i64| if p >= 0x1000 { p - base.cast_signed() } else { p };
                let shown: Vec<i64> = numbers.iter().map(|p| relative(p.cast_signed())).collect();
                self.calls.push(format!("launch {entry} {}x{}+{} {shown:?}", shape.grid, shape.block, shape.shared));
                if let Some(code) = self.broken_kernels {
                    return Err(self.failure(code));
                }
                self.add(numbers, &moment);
            }
            Node::Copy { from, to, bytes } => {
                self.calls.push(format!("copy {bytes}"));
                let data = self.heap.read(*from, *bytes, &moment);
                self.heap.write(*to, &data, &moment);
            }
            Node::Byte { to, value } => {
                self.calls.push(format!("byte {value}"));
                self.heap.write(*to, &[*value], &moment);
            }
            Node::Word { to, value } => {
                self.calls.push(format!("word {value}"));
                self.heap.write(*to, &value.to_le_bytes(), &moment);
            }
        }
        Ok(())
    }

    /// The only kernel: `y[i] = x[i] + w[i % 2]` for all tasks.
    fn add(&mut self, numbers: &[u64], moment: &clock::Moment) {
        let [x, w, y, .., tasks] = *numbers else { panic!("the kernel takes three tensors: {numbers:?}") };
        let floats = |bytes: Vec<u8>| -> Vec<f32> {
            bytes.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect()
        };
        let n = usize::try_from(tasks).unwrap();
        let (x, w) = (floats(self.heap.read(x, 4 * n, moment)), floats(self.heap.read(w, 8, moment)));
        let sum: Vec<u8> = x.iter().enumerate().flat_map(|(idx, x)| (x + w[idx % 2]).to_le_bytes()).collect();
        self.heap.write(y, &sum, moment);
    }
}

impl Driver for Fake {
    fn load_module(&self, ptx: &CStr) -> Result<Handle, Failure> {
        let mut state = self.state();
        state.ask(format!("module {}", ptx.to_str().unwrap().lines().last().unwrap()))?;
        if let Some(code) = state.refuses_ptx {
            return Err(state.failure(code));
        }
        Ok(state.objects.module())
    }
    unsafe fn unload_module(&self, module: Handle) {
        let mut state = self.state();
        state.note("unload");
        state.objects.end_module(module);
    }
    unsafe fn function(&self, module: Handle, entry: &CStr) -> Result<Handle, Failure> {
        let mut state = self.state();
        state.ask(format!("function {}", entry.to_str().unwrap()))?;
        Ok(state.objects.find(module, entry.to_str().unwrap()))
    }
    unsafe fn resources(&self, function: Handle) -> Result<Resources, Failure> {
        let mut state = self.state();
        state.ask("resources".into())?;
        state.objects.function(function);
        Ok(state.resources.unwrap_or(Resources { registers: 32, threads: 1024, shared: 0 }))
    }
    unsafe fn allow_shared(&self, function: Handle, bytes: u32) -> Result<(), Failure> {
        let mut state = self.state();
        state.objects.function(function);
        state.ask(format!("allow {bytes}"))
    }

    fn memory(&self) -> Result<(usize, usize), Failure> {
        let mut state = self.state();
        state.ask("memory".into())?;
        Ok((state.heap.free(), state.heap.limit))
    }
    fn alloc(&self, bytes: usize) -> Result<u64, Failure> {
        let mut state = self.state();
        state.ask(format!("alloc {bytes}"))?;
        if bytes > state.heap.free() {
            return Err(state.failure("CUDA_ERROR_OUT_OF_MEMORY"));
        }
        Ok(state.heap.alloc(bytes))
    }
    unsafe fn free(&self, address: u64) {
        let mut state = self.state();
        state.note("free");
        // The real one waits for the whole device.
        let all = state.objects.everything();
        state.learn(&all);
        state.heap.end(address);
    }
    fn alloc_host(&self, bytes: usize) -> Result<HostBlock, Failure> {
        let mut state = self.state();
        state.ask(format!("pin {bytes}"))?;
        Ok(state.heap.pin(bytes))
    }
    unsafe fn free_host(&self, block: HostBlock) {
        let mut state = self.state();
        state.note("unpin");
        state.heap.unpin(block);
    }

    fn create_stream(&self) -> Result<Handle, Failure> {
        let mut state = self.state();
        state.ask("stream".into())?;
        Ok(state.objects.stream(false))
    }
    unsafe fn destroy_stream(&self, stream: Handle) {
        let mut state = self.state();
        state.note("destroy stream");
        state.objects.end_stream(stream);
    }
    unsafe fn synchronize(&self, stream: Handle) -> Result<(), Failure> {
        let mut state = self.state();
        state.ask("wait".into())?;
        let clock = state.objects.clock(stream);
        state.learn(&clock);
        Ok(())
    }
    unsafe fn is_capturing(&self, stream: Handle) -> Result<bool, Failure> {
        let mut state = self.state();
        state.ask("is capturing".into())?;
        Ok(state.objects.captured.contains(&stream))
    }

    unsafe fn upload(&self, stream: Handle, from: &[u8], to: u64) -> Result<(), Failure> {
        let mut state = self.state();
        state.ask(format!("upload {}", from.len()))?;
        let moment = state.moment(stream);
        state.heap.write(to, from, &moment);
        Ok(())
    }
    unsafe fn download(&self, stream: Handle, from: u64, to: &mut [u8]) -> Result<(), Failure> {
        let mut state = self.state();
        state.ask(format!("download {}", to.len()))?;
        let moment = state.moment(stream);
        to.copy_from_slice(&state.heap.read(from, to.len(), &moment));
        state.learn(&moment.clock);
        Ok(())
    }
    unsafe fn upload_from(&self, stream: Handle, from: HostBlock, to: u64) -> Result<(), Failure> {
        let mut state = self.state();
        state.ask(format!("upload pinned {}", from.bytes))?;
        let moment = state.moment(stream);
        state.heap.write_pinned(from, to, &moment);
        Ok(())
    }
    unsafe fn download_to(&self, stream: Handle, from: u64, to: HostBlock) -> Result<(), Failure> {
        let mut state = self.state();
        state.ask(format!("download pinned {}", to.bytes))?;
        let moment = state.moment(stream);
        state.heap.read_pinned(from, to, &moment);
        Ok(())
    }
    unsafe fn perform(&self, stream: Handle, work: &mut Node) -> Result<(), Failure> {
        let mut state = self.state();
        state.ask("perform".into())?;
        state.calls.pop();
        state.perform(stream, work)
    }
    fn encode_map(&self, map: &TensorMap) -> Result<MapBytes, Failure> {
        let TensorMap { element, sizes, strides, tile, swizzle, promotion, .. } = map;
        let text = format!("map {element} {sizes:?} {strides:?} {tile:?} swizzle {swizzle} fetch {promotion}");
        self.state().ask(text)?;
        Ok(MapBytes([7; 128]))
    }

    fn create_event(&self, timed: bool) -> Result<Handle, Failure> {
        let mut state = self.state();
        state.ask(if timed { "timer" } else { "event" }.into())?;
        Ok(state.objects.event(timed, false))
    }
    unsafe fn record_event(&self, event: Handle, stream: Handle) -> Result<(), Failure> {
        let mut state = self.state();
        state.ask("record".into())?;
        state.objects.record(event, stream);
        Ok(())
    }
    unsafe fn wait_event(&self, stream: Handle, event: Handle) -> Result<(), Failure> {
        let mut state = self.state();
        state.ask("delay".into())?;
        state.objects.delay(stream, event);
        Ok(())
    }
    unsafe fn query_event(&self, event: Handle) -> Result<bool, Failure> {
        let mut state = self.state();
        state.ask("query".into())?;
        let clock = state.objects.passed(event);
        Ok(state.host.covers(&clock))
    }
    unsafe fn synchronize_event(&self, event: Handle) -> Result<(), Failure> {
        let mut state = self.state();
        state.ask("wait for event".into())?;
        let clock = state.objects.passed(event);
        state.learn(&clock);
        Ok(())
    }
    unsafe fn elapsed(&self, from: Handle, to: Handle) -> Result<f32, Failure> {
        let mut state = self.state();
        state.ask("elapsed".into())?;
        let clocks = [from, to].map(|event| state.objects.timed(event));
        assert!(clocks.iter().all(|clock| state.host.covers(clock)), "an event that has not passed");
        assert!(clocks[1].covers(&clocks[0]), "the first event was recorded first");
        Ok(0.25)
    }
    unsafe fn destroy_event(&self, event: Handle) {
        let mut state = self.state();
        state.note("destroy event");
        state.objects.end_event(event);
    }

    fn has_graphs(&self) -> bool {
        !self.state().has_no_graphs
    }
    fn create_graph(&self) -> Result<Handle, Failure> {
        let mut state = self.state();
        state.ask("graph".into())?;
        Ok(state.objects.graph())
    }
    unsafe fn add_node(&self, graph: Handle, after: Option<Handle>, work: &mut Node) -> Result<Handle, Failure> {
        let mut state = self.state();
        state.ask("node".into())?;
        Ok(state.objects.add_node(graph, after, work))
    }
    unsafe fn instantiate(&self, graph: Handle) -> Result<Handle, Failure> {
        let mut state = self.state();
        state.ask("instantiate".into())?;
        Ok(state.objects.instantiate(graph))
    }
    unsafe fn change_node(&self, executable: Handle, node: Handle, work: &mut Node) -> Result<(), Failure> {
        let mut state = self.state();
        state.ask("change".into())?;
        state.objects.change_node(executable, node, work);
        Ok(())
    }
    unsafe fn launch_graph(&self, stream: Handle, executable: Handle) -> Result<(), Failure> {
        let mut state = self.state();
        state.ask("run graph".into())?;
        for work in state.objects.work(executable) {
            state.perform(stream, &work)?;
        }
        Ok(())
    }
    unsafe fn destroy_graph(&self, graph: Handle, executable: Option<Handle>) {
        let mut state = self.state();
        state.note("destroy graph");
        state.objects.end_graph(graph, executable);
    }

    unsafe fn reopen(&self) -> Result<Arc<dyn Driver>, Failure> {
        let mut state = self.state();
        if state.cannot_reopen {
            return Err(Failure { code: "CUDA_ERROR_UNKNOWN".into(), text: "no more".into() });
        }
        *state = State::default();
        Ok(Arc::new(self.clone()))
    }
}
