//! What the device asks of the driver, recorded by a driver that does nothing.

use crate::driver::{Driver, Failure, Handle, MapBytes, Params, Shape};
use crate::{Cuda, Info};
use artifact::*;
use bytes::Bytes;
use runtime::{DeviceError, Engine, TensorMap};
use std::ffi::CStr;
use std::sync::{Arc, Mutex};
use tensor::{DType, Dim, Tensor};

#[derive(Default)]
struct Fake {
    calls: Mutex<Vec<String>>,
    /// The entry for which launches fail, with this code.
    fails: Option<&'static str>,
}

impl Fake {
    fn log(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    /// A new number for each handle and address, by the number of calls so far.
    fn next(&self, call: String) -> usize {
        self.log(call);
        0x1000 * self.calls.lock().unwrap().len()
    }
}

impl Driver for Fake {
    fn load_module(&self, ptx: &CStr) -> Result<Handle, Failure> {
        Ok(Handle(self.next(format!("module {}", ptx.to_str().unwrap()))))
    }
    unsafe fn unload_module(&self, _: Handle) {
        self.log("unload".into());
    }
    unsafe fn function(&self, _: Handle, entry: &CStr, shared: u32) -> Result<Handle, Failure> {
        self.log(format!("function {} shared {shared}", entry.to_str().unwrap()));
        Ok(Handle(7))
    }
    fn alloc(&self, bytes: usize) -> Result<u64, Failure> {
        Ok(self.next(format!("alloc {bytes}")) as u64)
    }
    unsafe fn free(&self, _: u64) {
        self.log("free".into());
    }
    fn create_stream(&self) -> Result<Handle, Failure> {
        self.log("stream".into());
        Ok(Handle(3))
    }
    unsafe fn destroy_stream(&self, _: Handle) {
        self.log("destroy stream".into());
    }
    unsafe fn upload(&self, _: Handle, from: &[u8], _: u64) -> Result<(), Failure> {
        self.log(format!("upload {}", from.len()));
        Ok(())
    }
    unsafe fn download(&self, _: Handle, _: u64, to: &mut [u8]) -> Result<(), Failure> {
        self.log(format!("download {}", to.len()));
        Ok(())
    }
    unsafe fn copy(&self, _: Handle, _: u64, _: u64, bytes: usize) -> Result<(), Failure> {
        self.log(format!("copy {bytes}"));
        Ok(())
    }
    unsafe fn set_word(&self, _: Handle, _: u64, word: u32) -> Result<(), Failure> {
        self.log(format!("word {word}"));
        Ok(())
    }
    unsafe fn set_byte(&self, _: Handle, _: u64, byte: u8) -> Result<(), Failure> {
        self.log(format!("byte {byte}"));
        Ok(())
    }
    fn encode_map(&self, map: &TensorMap) -> Result<MapBytes, Failure> {
        let TensorMap { element, sizes, strides, tile, swizzle, promotion, .. } = map;
        self.log(format!("map {element} {sizes:?} {strides:?} {tile:?} swizzle {swizzle} fetch {promotion}"));
        Ok(MapBytes([7; 128]))
    }
    unsafe fn launch(&self, _: Handle, function: Handle, shape: Shape, params: Params<'_>) -> Result<(), Failure> {
        for map in &*params.maps {
            self.log(format!("with map {}", map.0[0]));
        }
        let params = &*params.numbers;
        let base = params[0];
        // Addresses relative to the first one; small numbers of either sign are dimensions.
        let relative = |p: i64| {
            if p >= 0x1000 { p - base.cast_signed() } else { p }
        };
        let relative: Vec<i64> = params.iter().map(|p| relative(p.cast_signed())).collect();
        self.log(format!("launch {} {}x{}+{} {relative:?}", function.0, shape.grid, shape.block, shape.shared));
        match self.fails {
            Some(code) => Err(Failure { code: code.into(), text: "it failed".into() }),
            None => Ok(()),
        }
    }
    unsafe fn synchronize(&self, _: Handle) -> Result<(), Failure> {
        self.log("wait".into());
        Ok(())
    }
    unsafe fn begin_capture(&self, _: Handle) -> Result<(), Failure> {
        self.log("begin".into());
        Ok(())
    }
    unsafe fn end_capture(&self, _: Handle) -> Result<Handle, Failure> {
        self.log("end".into());
        Ok(Handle(9))
    }
    unsafe fn launch_graph(&self, _: Handle, graph: Handle) -> Result<(), Failure> {
        self.log(format!("graph {}", graph.0));
        Ok(())
    }
    unsafe fn destroy_graph(&self, _: Handle) {
        self.log("destroy graph".into());
    }
    unsafe fn record_event(&self, _: Handle) -> Result<Handle, Failure> {
        Ok(Handle(self.next("event".into())))
    }
    unsafe fn elapsed(&self, from: Handle, to: Handle) -> Result<f32, Failure> {
        assert!(from < to, "the first event was recorded first");
        self.log("elapsed".into());
        Ok(0.25)
    }
    unsafe fn destroy_event(&self, _: Handle) {
        self.log("destroy event".into());
    }
}

/// `y = kernel(x, w; N - 5)` with `N` tasks, and the shape of `x`.
fn artifact(with_branch: bool) -> Arc<Artifact> {
    let mut b = ProgramBuilder::new();
    let n = Dim::symbol("N");
    let x = b.tensor(Place::Input(0), DType::F32, std::slice::from_ref(&n));
    let w = b.tensor(Place::Weight(WeightId(1)), DType::F32, &[2.into()]);
    let y = b.tensor(Place::Output(0), DType::F32, std::slice::from_ref(&n));
    let shape = b.tensor(Place::Output(1), DType::I64, &[1.into()]);
    b.input("x", x);
    b.output("y", y);
    b.output("shape", shape);
    let [tasks, less, zero] = [b.dim(&n), b.dim(&(n - 5.into())), b.dim(&0.into())];
    b.push(Step::Dims { values: vec![tasks], out: shape });
    let launch = Step::Launch(Launch {
        maps: vec![],
        kernel: KernelId(0),
        args: vec![x, w, y],
        dims: vec![less],
        tasks,
        scratch: zero,
        cost: zero,
        nodes: vec![],
        flops: zero,
        bytes: zero,
    });
    b.push(launch);
    if with_branch {
        let symbol = b.symbol("again");
        b.push(Step::Bind { input: shape, symbols: vec![symbol] });
    }
    let extents = |text: &str| vec![text.to_string()];
    let weight = |len: usize| Weight { name: "w".into(), dtype: DType::F32, data: Bytes::from(vec![0; len]) };
    let kernel =
        PtxKernel { name: "k".into(), unit: 0, entry: "entry".into(), block: 128, tasks_per_block: 4, shared: 64 };
    Arc::new(Artifact {
        manifest: Manifest {
            producer: "test".into(),
            model: "test".into(),
            numerics: "strict".into(),
            inputs: vec![Signature { name: "x".into(), dtype: DType::F32, shape: extents("N") }],
            outputs: vec![
                Signature { name: "y".into(), dtype: DType::F32, shape: extents("N") },
                Signature { name: "shape".into(), dtype: DType::I64, shape: extents("1") },
            ],
            ranges: vec![],
        },
        variants: vec![Variant {
            target: "nvptx:sm_80".into(),
            kernels: Kernels::Ptx { units: vec![CodeId(0)], kernels: vec![kernel] },
            program: b.finish(),
        }],
        code: vec![Bytes::from_static(b"text")],
        weights: vec![weight(1000), weight(8)],
    })
}

fn device(fake: &Arc<Fake>, capability: u32) -> Cuda {
    let info = Info { ordinal: 1, name: "Test".into(), capability, memory: 0, driver: 12000 };
    Cuda { driver: fake.clone(), info }
}

fn input(len: usize) -> [Tensor; 1] {
    [Tensor::from_vec(vec![len], vec![0.0f32; len])]
}

#[test]
fn a_straight_program_is_captured_once() {
    let fake = Arc::new(Fake::default());
    let engine = Engine::from_artifact(artifact(false), &device(&fake, 80)).unwrap();
    // Only the weight that the program uses is uploaded.
    let load = ["module text", "function entry shared 64", "alloc 256", "stream", "upload 8", "wait", "destroy stream"];
    assert_eq!(fake.take(), load);
    assert_eq!(engine.device(), "cuda:1 (Test)");

    engine.run(&input(10)).unwrap();
    let calls = fake.take();
    assert_eq!(calls[..4], ["stream", "alloc 256", "upload 40", "begin"]);
    assert_eq!(calls[4..6], ["word 10", "word 0"], "a capture holds the values, not a pointer to them");
    assert!(calls[6].starts_with("launch 7 3x128+64 [0, "), "{}", calls[6]);
    assert!(calls[6].ends_with(", 5, 10]"), "{}", calls[6]);
    assert_eq!(calls[7..], ["end", "graph 9", "wait", "download 40", "download 8"]);

    engine.run(&input(10)).unwrap();
    assert_eq!(fake.take(), ["upload 40", "graph 9", "wait", "download 40", "download 8"]);
    drop(engine);
    let end = fake.take();
    for call in ["destroy graph", "destroy stream", "unload", "free"] {
        assert!(end.iter().any(|c| c == call), "{call} is missing in {end:?}");
    }
    assert_eq!(end.iter().filter(|call| *call == "free").count(), 2);
}

#[test]
fn times_are_the_devices_and_without_copies() {
    let fake = Arc::new(Fake::default());
    let engine = Engine::from_artifact(artifact(false), &device(&fake, 80)).unwrap();
    engine.run(&input(10)).unwrap();
    fake.take();
    let times = engine.measure(&input(10), 3, 1024).unwrap();
    assert_eq!(times, [std::time::Duration::from_micros(250); 3]);
    let calls = fake.take();
    let (start, runs) = calls.split_at(1);
    assert_eq!(start, ["alloc 1024"]);
    let one_run = [
        ["upload 40", "copy 512", "event"].as_slice(),
        &["graph 9", "event", "wait", "elapsed", "destroy event", "destroy event"],
        &["wait", "download 40", "download 8"],
    ];
    let one_run = one_run.concat();
    let two_to_warm_up = 2;
    assert_eq!(runs[..one_run.len()], one_run);
    assert_eq!(runs.len(), one_run.len() * (two_to_warm_up + 3) + 1);
    assert_eq!(runs.last().unwrap(), "free");
}

#[test]
fn steps_are_timed_by_the_device() {
    let fake = Arc::new(Fake::default());
    let engine = Engine::from_artifact(artifact(true), &device(&fake, 80)).unwrap();
    let (_, profile) = engine.profile(&input(10)).unwrap();
    let kernel = profile.steps.iter().find(|step| step.name == "k").unwrap();
    assert_eq!(kernel.time, std::time::Duration::from_micros(250));
    drop(engine);
    let calls = fake.take();
    let count = |name: &str| calls.iter().filter(|call| *call == name).count();
    assert_eq!(count("event"), count("destroy event"));
}

#[test]
fn programs_that_read_back_run_step_by_step() {
    let fake = Arc::new(Fake::default());
    let engine = Engine::from_artifact(artifact(true), &device(&fake, 90)).unwrap();
    fake.take();
    engine.run(&input(3)).unwrap();
    let calls = fake.take();
    assert_eq!(calls[2..4], ["upload 12", "upload 8"]);
    assert!(calls[4].starts_with("launch 7 1x128+64"), "{}", calls[4]);
    assert!(calls[4].ends_with(", -2, 3]"), "negative dimensions keep their sign: {}", calls[4]);
    assert_eq!(calls[5..], ["download 8", "wait", "download 12", "download 8"]);
}

#[test]
fn empty_launches_do_not_happen() {
    let fake = Arc::new(Fake::default());
    let engine = Engine::from_artifact(artifact(true), &device(&fake, 90)).unwrap();
    fake.take();
    engine.run(&input(0)).unwrap();
    assert!(fake.take().iter().all(|call| !call.starts_with("launch")));
}

#[test]
fn failures_name_the_kernel_and_the_way_out() {
    let fake = Arc::new(Fake { fails: Some("CUDA_ERROR_ILLEGAL_ADDRESS"), ..Fake::default() });
    let engine = Engine::from_artifact(artifact(true), &device(&fake, 90)).unwrap();
    let error = engine.run(&input(3)).unwrap_err().to_string();
    assert!(error.contains("cuda:1 (Test): launching kernel `k`: it failed (CUDA_ERROR_ILLEGAL_ADDRESS)"), "{error}");
    assert!(error.contains("restart"), "{error}");
}

#[test]
fn old_devices_are_refused_with_a_list() {
    let fake = Arc::new(Fake::default());
    let error = Engine::from_artifact(artifact(false), &device(&fake, 75)).err().unwrap().to_string();
    let expected = "cannot run this artifact: it was compiled for nvptx:sm_80; the device needs nvptx:sm_75a, or nvptx:sm_NN with NN at most 75";
    assert!(error.contains(expected), "{error}");
    assert!(fake.take().is_empty(), "nothing was loaded");
}

#[test]
fn a_missing_driver_is_an_error_that_says_so() {
    match Cuda::new(4321) {
        Ok(_) => panic!("there are no 4322 GPUs"),
        Err(DeviceError::Missing { device, why }) => {
            assert_eq!(device, "cuda:4321");
            let known = ["libcuda.so", "sees no GPU", "there is one GPU", "there are", "starting it"];
            assert!(known.iter().any(|text| why.contains(text)), "{why}");
        }
        Err(other) => panic!("{other}"),
    }
}

/// The artifact with a tensor map of `x` as rows of four, whose stride is an expression.
fn with_map(stride: &Dim) -> Arc<Artifact> {
    let mut artifact = Arc::unwrap_or_clone(artifact(true));
    let program = &mut artifact.variants[0].program;
    let mut dim = |dim: Dim| {
        program.exprs.push(dim.to_string());
        DimId(program.exprs.len() as u32 - 1)
    };
    let map = artifact::TensorMap {
        arg: 0,
        offset: dim(0.into()),
        element: MapElement::F32,
        sizes: vec![dim(4.into()), dim(Dim::symbol("N").floor_div(4.into()))],
        strides: vec![dim(stride.clone())],
        tile: vec![4, 8],
        swizzle: Swizzle::None,
        promotion: 128,
    };
    for step in program.blocks.iter_mut().flatten() {
        if let Step::Launch(launch) = step {
            launch.maps = vec![map.clone()];
        }
    }
    Arc::new(artifact)
}

#[test]
fn tensor_maps_are_encoded_once_for_each_place_and_size() {
    let fake = Arc::new(Fake::default());
    let engine = Engine::from_artifact(with_map(&16.into()), &device(&fake, 90)).unwrap();
    let run = |len| {
        fake.take();
        engine.run(&input(len)).unwrap();
        fake.take().into_iter().filter(|call| call.contains("map")).collect::<Vec<_>>()
    };
    let encode = |rows: usize| format!("map f32 [4, {rows}] [16] [4, 8] swizzle none fetch 128");
    assert_eq!(run(8), [encode(2), "with map 7".into()]);
    assert_eq!(run(8), ["with map 7"], "nothing changed");
    assert_eq!(run(4), [encode(1), "with map 7".into()]);
    assert_eq!(run(3), ["with map 0"], "no rows: the kernel gets zeros");
}

#[test]
fn tensor_maps_that_leave_their_tensor_or_the_format_are_errors() {
    let error = |stride: Dim| {
        let fake = Arc::new(Fake::default());
        let engine = Engine::from_artifact(with_map(&stride), &device(&fake, 90)).unwrap();
        let error = engine.run(&input(8)).unwrap_err().to_string();
        assert!(fake.take().iter().all(|call| !call.starts_with("launch")));
        error
    };
    let n = Dim::symbol("N");
    let text = error(n.clone() * 4.into());
    assert!(text.contains("the tensor map of") && text.contains("leaves its buffer of 32 bytes"), "{text}");
    let text = error(n.clone());
    assert!(text.contains("has a stride of 8 bytes: it must be a multiple of 16"), "{text}");
    let text = error(Dim::from(0) - n);
    assert!(text.contains("negative size: `-N` = -8"), "{text}");
}
