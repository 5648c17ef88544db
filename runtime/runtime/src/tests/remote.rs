//! A device with memory of its own, which the process cannot follow, and with recorded runs: what a GPU looks like from here.

use super::*;
use crate::aligned::AlignedBytes;
use crate::{Address, Device, DeviceError, GraphId, Memory, Module, Space, Stream, Work};
use artifact::{CodeId, KernelId, Launch, Place, PtxKernel, Step, WeightId};
use std::sync::atomic::{AtomicUsize, Ordering};
use tensor::DType;

/// Added to real pointers, so that following an address would crash.
const FAR: u64 = 1 << 62;

/// Counts what happens.
#[derive(Default)]
pub(super) struct Remote {
    pub(super) counts: Arc<Counts>,
    pub(super) can_record: bool,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) launches: AtomicUsize,
    pub(super) replays: AtomicUsize,
    pub(super) captures: AtomicUsize,
    /// Bytes that were copied between the host and the device.
    pub(super) moved: AtomicUsize,
}

struct RemoteModule {
    space: Space,
    weights: Vec<Memory>,
    counts: Arc<Counts>,
    can_record: bool,
}

enum Recorded {
    Add(Vec<Address>, i64),
    Upload(Vec<u8>, Address),
    Copy(Address, Address, usize),
}

struct RemoteStream {
    counts: Arc<Counts>,
    can_record: bool,
    open: Option<Vec<Recorded>>,
    graphs: Vec<Vec<Recorded>>,
}

fn near(address: Address) -> *mut u8 {
    assert!(address.get() > FAR, "an address of the host was given to the device");
    (address.get() - FAR) as *mut u8
}

fn alloc(bytes: &[u8], len: usize) -> Memory {
    let mut block = AlignedBytes::new(len).unwrap();
    block.as_mut()[..bytes.len()].copy_from_slice(bytes);
    Memory::new(Address::new(block.as_ptr() as u64 + FAR), len, Box::new(block))
}

impl Device for Remote {
    fn name(&self) -> String {
        "remote".into()
    }

    fn choose(&self, targets: &[String]) -> Result<usize, DeviceError> {
        let has = targets.to_vec();
        let error = DeviceError::NoVariant { device: "remote".into(), needs: "PTX".into(), has };
        targets.iter().position(|target| target.starts_with("nvptx:")).ok_or(error)
    }

    fn load(&self, artifact: &Arc<Artifact>, _variant: usize) -> Result<Box<dyn Module>, DeviceError> {
        let weights = artifact.weights.iter().map(|weight| alloc(&weight.data, weight.data.len())).collect();
        let (counts, can_record) = (self.counts.clone(), self.can_record);
        Ok(Box::new(RemoteModule { space: Space::new(), weights, counts, can_record }))
    }
}

impl Module for RemoteModule {
    fn space(&self) -> Space {
        self.space
    }

    fn weight(&self, id: WeightId) -> Address {
        self.weights[id.idx()].address()
    }

    fn alloc_for(&self, bytes: usize, _: &str) -> Result<Memory, DeviceError> {
        Ok(alloc(&[], bytes))
    }

    fn stream(&self) -> Result<Box<dyn Stream>, DeviceError> {
        let (counts, can_record) = (self.counts.clone(), self.can_record);
        Ok(Box::new(RemoteStream { counts, can_record, open: None, graphs: vec![] }))
    }
}

impl RemoteStream {
    fn perform(recorded: &Recorded) {
        match recorded {
            Recorded::Add(args, tasks) => {
                let [a, b, out] = args[..] else { panic!("three arguments") };
                let at = |address: Address, idx: i64| near(address).cast::<f32>().wrapping_add(idx as usize);
                for idx in 0..*tasks {
                    // SAFETY: the tests give tensors of `tasks` floats.
                    unsafe { *at(out, idx) = *at(a, idx) + *at(b, idx) }
                }
            }
            // SAFETY: the runtime checked the ranges.
            Recorded::Upload(bytes, to) => unsafe { near(*to).copy_from(bytes.as_ptr(), bytes.len()) },
            // SAFETY: as above.
            Recorded::Copy(from, to, bytes) => unsafe { near(*to).copy_from(near(*from), *bytes) },
        }
    }

    fn add(&mut self, work: Recorded) {
        match &mut self.open {
            Some(graph) => graph.push(work),
            None => Self::perform(&work),
        }
    }
}

impl Stream for RemoteStream {
    unsafe fn upload(&mut self, from: &[u8], to: Address) -> Result<(), DeviceError> {
        if self.open.is_none() {
            self.counts.moved.fetch_add(from.len(), Ordering::Relaxed);
        }
        self.add(Recorded::Upload(from.to_vec(), to));
        Ok(())
    }

    unsafe fn download(&mut self, from: Address, to: &mut [u8]) -> Result<(), DeviceError> {
        assert!(self.open.is_none(), "a record cannot read");
        self.counts.moved.fetch_add(to.len(), Ordering::Relaxed);
        // SAFETY: the runtime checked the range.
        unsafe { to.as_mut_ptr().copy_from(near(from), to.len()) };
        Ok(())
    }

    unsafe fn copy(&mut self, from: Address, to: Address, bytes: usize) -> Result<(), DeviceError> {
        self.add(Recorded::Copy(from, to, bytes));
        Ok(())
    }

    unsafe fn launch(&mut self, work: Work<'_>) -> Result<(), DeviceError> {
        self.counts.launches.fetch_add(1, Ordering::Relaxed);
        self.add(Recorded::Add(work.args.to_vec(), work.tasks));
        Ok(())
    }

    fn synchronize(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn begin_capture(&mut self) -> Result<bool, DeviceError> {
        self.open = self.can_record.then(Vec::new);
        Ok(self.can_record)
    }

    fn end_capture(&mut self, over: Option<GraphId>) -> Result<GraphId, DeviceError> {
        self.counts.captures.fetch_add(1, Ordering::Relaxed);
        let graph = self.open.take().unwrap();
        match over {
            Some(id) => {
                self.graphs[id.0] = graph;
                Ok(id)
            }
            None => {
                self.graphs.push(graph);
                Ok(GraphId(self.graphs.len() - 1))
            }
        }
    }

    fn abandon_capture(&mut self) {
        self.open = None;
    }

    unsafe fn replay(&mut self, graph: GraphId) -> Result<(), DeviceError> {
        self.counts.replays.fetch_add(1, Ordering::Relaxed);
        self.graphs[graph.0].iter().for_each(Self::perform);
        Ok(())
    }
}

/// `y = (x + w) + x`, and the shape of `x`; `w` has 64 elements. With `bind` the shape is read back, so that nothing is straight.
pub(super) fn program(bind: bool) -> Artifact {
    let mut b = ProgramBuilder::new();
    let x = b.tensor(Place::Input(0), DType::F32, &[n()]);
    let w = b.tensor(Place::Weight(WeightId(0)), DType::F32, &[64.into()]);
    let sum = b.tensor(Place::Arena, DType::F32, &[n()]);
    let y = b.tensor(Place::Output(0), DType::F32, &[n()]);
    let shape = b.tensor(Place::Output(1), DType::I64, &[1.into()]);
    b.input("x", x);
    b.output("y", y);
    b.output("shape", shape);
    let (tasks, zero) = (b.dim(&n()), b.dim(&0.into()));
    b.push(Step::Dims { values: vec![tasks], out: shape });
    if bind {
        let again = b.symbol("again");
        b.push(Step::Bind { input: shape, symbols: vec![again] });
    }
    for args in [vec![x, w, sum], vec![sum, x, y]] {
        b.push(Step::Launch(Launch {
            maps: vec![],
            kernel: KernelId(0),
            args,
            dims: vec![],
            tasks,
            scratch: zero,
            cost: zero,
            nodes: vec![],
            flops: tasks,
            bytes: tasks,
        }));
    }
    let kernel =
        PtxKernel { name: "add".into(), unit: 0, entry: "add".into(), block: 128, tasks_per_block: 128, shared: 0 };
    let kernels = Kernels::Ptx { units: vec![CodeId(0)], kernels: vec![kernel] };
    let ones = Weight { name: "ones".into(), dtype: DType::F32, data: Bytes::from([0, 0, 0x80, 0x3f].repeat(64)) };
    artifact(b.finish(), "nvptx:sm_80", kernels, vec![Bytes::from_static(b"// PTX")], vec![ones])
}

fn check(engine: &Engine, len: usize) {
    let x = Tensor::from_vec(vec![len], (0..len).map(|v| v as f32).collect());
    let out = run(engine, std::slice::from_ref(&x));
    let expected: Vec<f32> = x.values::<f32>().iter().map(|v| v + 1.0 + v).collect();
    assert_eq!((out[0].values::<f32>().to_vec(), out[1].to_ints()), (expected, vec![len as i64]));
}

#[test]
fn runs_are_recorded_once_for_each_shape() {
    let device = Remote { can_record: true, ..Remote::default() };
    let engine = Engine::from_artifact(Arc::new(program(false)), &device).unwrap();
    for len in [3, 3, 3] {
        check(&engine, len);
    }
    let counts = || {
        [&device.counts.captures, &device.counts.launches, &device.counts.replays].map(|c| c.load(Ordering::Relaxed))
    };
    assert_eq!(counts(), [1, 2, 3]);
    for len in [2, 3, 2] {
        check(&engine, len);
    }
    assert_eq!(counts(), [2, 4, 6]);
    // A larger arena makes the old records void; so do too many of them, the oldest first.
    for len in [64, 3, 3, 4, 5, 64] {
        check(&engine, len);
    }
    assert_eq!(counts(), [6, 12, 12]);
    check(&engine, 2);
    assert_eq!(counts(), [7, 14, 13]);
}

#[test]
fn without_records_every_launch_happens() {
    let device = Remote::default();
    let engine = Engine::from_artifact(Arc::new(program(false)), &device).unwrap();
    for len in [3, 3] {
        check(&engine, len);
    }
    assert_eq!(device.counts.launches.load(Ordering::Relaxed), 4);
    assert_eq!(device.counts.captures.load(Ordering::Relaxed), 0);
}

#[test]
fn programs_that_read_back_are_not_recorded() {
    let device = Remote { can_record: true, ..Remote::default() };
    let engine = Engine::from_artifact(Arc::new(program(true)), &device).unwrap();
    for len in [3, 3] {
        check(&engine, len);
    }
    assert_eq!(device.counts.captures.load(Ordering::Relaxed), 0);
    let profile = engine.profile(&[floats(&[1.0])]).unwrap().1;
    assert_eq!(profile.steps.iter().filter(|step| step.name == "add").count(), 2);
}

/// `y` is a copy of the i64 input through an arena buffer, which is looked at, or the input is. Another buffer of the arena
/// comes later, so that memory would be used again.
pub(super) fn looks(computed: bool, bind: bool) -> Artifact {
    let mut b = ProgramBuilder::new();
    let tensor = |b: &mut ProgramBuilder, place| b.tensor(place, DType::I64, &[n()]);
    let [x, y] = [Place::Input(0), Place::Output(0)].map(|place| tensor(&mut b, place));
    let [at, later] = [0, 1].map(|_| tensor(&mut b, Place::Arena));
    b.input("x", x);
    b.output("y", y);
    b.push(Step::Copy { from: x, to: at });
    let (size, minus_one) = (b.dim(&4.into()), b.dim(&(-1).into()));
    let input = if computed { at } else { x };
    b.push(Step::Indices { input, sizes: vec![size], axis: 2, message: "node".into() });
    b.push(Step::Copy { from: at, to: y });
    let symbol = b.symbol("first");
    if bind {
        let first = b.tensor(Place::Arena, DType::I64, &[]);
        b.push(Step::Dims { values: vec![minus_one], out: first });
        b.push(Step::Bind { input: first, symbols: vec![symbol] });
    }
    b.push(Step::Copy { from: x, to: later });
    b.push(Step::Dims { values: vec![minus_one; 3], out: later });
    b.push(Step::Copy { from: later, to: y });
    let kernels = Kernels::Ptx { units: vec![], kernels: vec![] };
    artifact(b.finish(), "nvptx:sm_80", kernels, vec![], vec![])
}

#[test]
fn indices_are_looked_at_without_stopping_a_record() {
    for (computed, bind, captures) in [(false, false, 1), (true, false, 1), (true, true, 0)] {
        let device = Remote { can_record: true, ..Remote::default() };
        let engine = Engine::from_artifact(Arc::new(looks(computed, bind)), &device).unwrap();
        let indices = |values: [i64; 3]| Tensor::from_vec(vec![3], values.to_vec());
        for _ in 0..2 {
            assert_eq!(run(&engine, &[indices([0, -4, 3])])[0].to_ints(), [-1; 3]);
        }
        assert_eq!(device.counts.captures.load(Ordering::Relaxed), captures, "{computed} {bind}");
        let fault = "node: index 9 (element [1] of the indices) lies outside of axis 2, which has size 4";
        fails(&engine, &[indices([0, 9, -5])], fault);
        assert_eq!(run(&engine, &[indices([0, 0, 0])])[0].to_ints(), [-1; 3]);
    }
}

#[test]
fn the_host_refuses_ptx() {
    let error = Engine::from_artifact(Arc::new(program(false)), &host(1)).err().unwrap().to_string();
    assert!(error.contains("compiled for nvptx:sm_80"), "{error}");
}
