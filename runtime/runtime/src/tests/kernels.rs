//! Machine code, assembled by hand.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use super::*;
use artifact::{CodeId, HostKernel, HostUnit, Import, KernelId, Launch, Place, Step, ViewId, WeightId};
use tensor::DType;

/// Three kernels and a slot for `memcpy` at [`SLOT`]:
/// - [`ADD`]: `bufs[2][i] = bufs[0][i] + bufs[1][i]` for f32;
/// - [`COPY`]: `memcpy(bufs[1] + begin, bufs[0] + begin, end - begin)` in units of 4 bytes, by a jump through the slot;
/// - [`SHIFT`]: `scratch[0] = f32(dims[0]); bufs[1][i] = bufs[0][i] + scratch[0]`.
const CODE: [u8; 152] = [
    0x48, 0x8b, 0x07, 0x4c, 0x8b, 0x4f, 0x08, 0x4c, 0x8b, 0x57, 0x10, 0x48, 0x39, 0xca, 0x7d, 0x16, 0xf3, 0x0f, 0x10,
    0x04, 0x90, 0xf3, 0x41, 0x0f, 0x58, 0x04, 0x91, 0xf3, 0x41, 0x0f, 0x11, 0x04, 0x92, 0x48, 0xff, 0xc2, 0xeb, 0xe5,
    0xc3, 0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00, 0x48, 0x89, 0xf8, 0x48, 0x8b, 0x78, 0x08, 0x48, 0x8d,
    0x3c, 0x97, 0x48, 0x8b, 0x30, 0x48, 0x8d, 0x34, 0x96, 0x48, 0x29, 0xd1, 0x48, 0x8d, 0x14, 0x8d, 0x00, 0x00, 0x00,
    0x00, 0xff, 0x25, 0x3d, 0x00, 0x00, 0x00, 0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00, 0x66,
    0x90, 0x48, 0x8b, 0x07, 0x4c, 0x8b, 0x57, 0x08, 0xf3, 0x48, 0x0f, 0x2a, 0x0e, 0xf3, 0x41, 0x0f, 0x11, 0x08, 0x48,
    0x39, 0xca, 0x7d, 0x15, 0xf3, 0x0f, 0x10, 0x04, 0x90, 0xf3, 0x41, 0x0f, 0x58, 0x00, 0xf3, 0x41, 0x0f, 0x11, 0x04,
    0x92, 0x48, 0xff, 0xc2, 0xeb, 0xe6, 0xc3, 0x0f, 0x1f, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
];
const ENTRIES: [(&str, u32); 3] = [("add", 0x00), ("copy", 0x30), ("shift", 0x60)];
const SLOT: u32 = 0x90;
const ADD: KernelId = KernelId(0);
const COPY: KernelId = KernelId(1);
const SHIFT: KernelId = KernelId(2);

fn kernels(import: &str) -> Kernels {
    let kernel = |(name, entry): (&str, u32)| HostKernel { name: name.into(), unit: 0, entry };
    Kernels::Host {
        units: vec![HostUnit { code: CodeId(0), imports: vec![Import { name: import.into(), slot: SLOT }] }],
        kernels: ENTRIES.into_iter().map(kernel).collect(),
    }
}

fn launch(b: &mut ProgramBuilder, kernel: KernelId, args: &[ViewId], dims: &[Dim], cost: i64) -> Step {
    let dims = dims.iter().map(|dim| b.dim(dim)).collect();
    let node = b.node(&format!("/node{}", kernel.0));
    Step::Launch(Launch {
        maps: vec![],
        kernel,
        args: args.to_vec(),
        dims,
        tasks: b.dim(&n()),
        scratch: b.dim(&64.into()),
        cost: b.dim(&cost.into()),
        nodes: vec![node],
        flops: b.dim(&n()),
        bytes: b.dim(&(n() * 12.into())),
    })
}

/// `y = copy(((x + x) + N) + x)` through intermediate buffers.
fn chain(cost: i64, import: &str) -> Artifact {
    let mut b = ProgramBuilder::new();
    let x = b.tensor(Place::Input(0), DType::F32, &[n()]);
    let y = b.tensor(Place::Output(0), DType::F32, &[n()]);
    let [twice, shifted, sum] = [(); 3].map(|()| b.tensor(Place::Arena, DType::F32, &[n()]));
    b.input("x", x);
    b.output("y", y);
    for (kernel, args, dims) in [
        (ADD, vec![x, x, twice], vec![]),
        (SHIFT, vec![twice, shifted], vec![n()]),
        (ADD, vec![shifted, x, sum], vec![]),
        (COPY, vec![sum, y], vec![]),
    ] {
        let step = launch(&mut b, kernel, &args, &dims, cost);
        b.push(step);
    }
    artifact(b.finish(), &any_host(), kernels(import), vec![Bytes::from_static(&CODE)], vec![])
}

/// `y = x + N` by a kernel that asks for so much scratch memory.
fn with_scratch(bytes: Dim) -> Artifact {
    let mut b = ProgramBuilder::new();
    let [x, y] = [Place::Input(0), Place::Output(0)].map(|place| b.tensor(place, DType::F32, &[n()]));
    b.input("x", x);
    b.output("y", y);
    let Step::Launch(step) = launch(&mut b, SHIFT, &[x, y], &[n()], 1) else { unreachable!("a launch") };
    let scratch = b.dim(&bytes);
    b.push(Step::Launch(Launch { scratch, ..step }));
    artifact(b.finish(), &any_host(), kernels("memcpy"), vec![Bytes::from_static(&CODE)], vec![])
}

#[test]
fn scratch_memory_of_every_thread_counts() {
    let limits = |bytes| crate::Limits { memory: Some(bytes), time: None };
    let engine = |bytes| {
        let artifact = Arc::new(with_scratch(n() * 1024.into()));
        Engine::from_artifact_with(artifact, &host(3), limits(bytes)).unwrap()
    };
    let needed = 64 + 3 * 4096;
    assert_eq!(engine(needed).run(&[floats(&[1.0; 4])]).unwrap()[0], floats(&[5.0; 4]));
    let error = engine(needed - 1).run(&[floats(&[1.0; 4])]).unwrap_err().to_string();
    assert!(error.contains("scratch 12.0 KiB), 1 bytes more than"), "{error}");
}

#[test]
fn scratch_memory_that_no_machine_has_is_an_error() {
    let engine = Engine::from_artifact(Arc::new(with_scratch((i64::MAX / 2).into())), &host(2)).unwrap();
    let error = engine.run(&[floats(&[1.0; 4])]).unwrap_err().to_string();
    assert!(error.contains("memory"), "{error}");
}

fn expected(x: &Tensor) -> Vec<f32> {
    let n = x.len() as f32;
    x.values::<f32>().iter().map(|v| (v + v + n) + v).collect()
}

#[test]
fn kernels_compute_on_any_number_of_threads() {
    for (threads, cost) in [(1, 1), (2, 1), (2, 1000), (4, 1 << 30)] {
        let engine = Engine::from_artifact(Arc::new(chain(cost, "memcpy")), &host(threads)).unwrap();
        for len in [1usize, 7, 64, 1000, 0, 7] {
            let x = Tensor::from_vec(vec![len], (0..len).map(|v| v as f32 * 0.5).collect());
            let out = run(&engine, std::slice::from_ref(&x));
            assert_eq!(out[0].values::<f32>()[..], expected(&x), "{len} elements, {threads} threads");
        }
    }
}

#[test]
fn concurrent_runs_do_not_meet() {
    let engine = Engine::from_artifact(Arc::new(chain(1000, "memcpy")), &host(2)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4usize {
            let engine = &engine;
            scope.spawn(move || {
                for round in 0..50 {
                    let len = 100 + thread * 10 + round % 12;
                    let x = Tensor::from_vec(vec![len], (0..len).map(|v| (v * (thread + 1)) as f32).collect());
                    assert_eq!(engine.run(std::slice::from_ref(&x)).unwrap()[0].values::<f32>()[..], expected(&x));
                }
            });
        }
    });
}

#[test]
fn the_arena_is_planned_and_profiled() {
    let engine = Engine::from_artifact(Arc::new(chain(1, "memcpy")), &host(1)).unwrap();
    let x = floats(&[1.0; 1000]);
    let (_, profile) = engine.profile(&[x]).unwrap();
    assert_eq!(profile.arena_bytes, 2 * 4032, "three intermediates, two alive at once");
    let (output, scratch) = (4032, 64);
    assert_eq!(profile.peak_bytes, profile.arena_bytes + output + scratch);
    let names: Vec<&str> = profile.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["add", "shift", "add", "copy"]);
    assert_eq!((profile.steps[1].flops, profile.steps[1].bytes, profile.steps[1].calls), (1000, 12000, 1));
    assert_eq!(profile.steps[1].nodes, ["/node2"]);
}

#[test]
fn weights_are_used_in_place() {
    let mut b = ProgramBuilder::new();
    let x = b.tensor(Place::Input(0), DType::F32, &[n()]);
    let w = b.tensor(Place::Weight(WeightId(0)), DType::F32, &[2.into()]);
    let y = b.tensor(Place::Output(0), DType::F32, &[n()]);
    b.input("x", x);
    b.output("y", y);
    let step = launch(&mut b, ADD, &[x, w, y], &[], 1);
    b.push(step);
    let weights = vec![constant(&[0, 0, 0, 63, 0, 0, 0, 64], DType::F32)];
    let artifact = artifact(b.finish(), &any_host(), kernels("memcpy"), vec![Bytes::from_static(&CODE)], weights);
    let bytes = artifact.encode().unwrap();
    let engine = Engine::from_bytes(Bytes::from(bytes), &host(1)).unwrap();
    assert_eq!(run(&engine, &[floats(&[1.0, 1.0])])[0], floats(&[1.5, 3.0]));
}

#[test]
fn unknown_functions_and_machines_are_refused() {
    let error = Engine::from_artifact(Arc::new(chain(1, "system")), &host(1)).err().unwrap().to_string();
    assert!(error.contains("needs the function `system`"), "{error}");
    let mut other = chain(1, "memcpy");
    other.variants[0].target = "host:riscv64gc-unknown-linux-gnu/generic/".into();
    let error = Engine::from_artifact(Arc::new(other), &host(1)).err().unwrap().to_string();
    assert!(error.contains("riscv64gc") && error.contains("the device needs code for x86_64"), "{error}");
}
