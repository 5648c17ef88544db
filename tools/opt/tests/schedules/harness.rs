//! A kernel with each schedule: assembled, run on the simulator, compared with the evaluator.

use artifact::*;
use bytes::Bytes;
use codegen::{PtxTarget, Source};
use graph::Graph;
use lower::{Chip, Gpu, Kernel, Target};
use ptx_sim::Sim;
use runtime::Engine;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use tensor::{DType, Dim, Scalar, Tensor};

/// A product with what follows, and how far results may be off relative to the largest.
pub(crate) struct Case {
    pub(crate) text: String,
    pub(crate) tolerance: f64,
    pub(crate) approximate: bool,
}

pub(crate) fn gpu(target: &PtxTarget, approximate: bool, schedule: usize) -> Target {
    let chip = Chip { sm: target.sm(), exact: target.name().ends_with('a'), ptx: target.ptx_version() };
    Target::Gpu(Gpu { chip, approximate, rerounds: true, schedule: Some(schedule) })
}

/// The one kernel of a graph, if the schedule exists.
pub(crate) fn kernel(graph: &Graph, target: Target) -> Option<Kernel> {
    let plan = schedule::plan(graph);
    let [schedule::Step::Kernel(region)] = &plan.steps[..] else { panic!("one kernel was expected: {plan:?}") };
    let kernel = lower::lower(graph, region, &graph.producers(), &graph.constants(), target);
    // An attention that has no such schedule is no kernel at all.
    let kernel = if region.scores.is_some() { kernel.ok()? } else { kernel.unwrap() };
    (kernel.block.tasks == 1).then_some(kernel)
}

/// A program of one launch.
pub(crate) fn artifact(graph: &Graph, kernel: &Kernel, target: &PtxTarget, ptx: &str) -> Artifact {
    let mut b = ProgramBuilder::new();
    let signature = |port: &graph::Port| {
        let ty = graph.ty(port.value);
        Signature {
            name: port.name.clone(),
            dtype: ty.dtype,
            shape: ty.shape.iter().map(ToString::to_string).collect(),
        }
    };
    let view = |b: &mut ProgramBuilder, value, place| {
        let ty = graph.ty(value);
        b.tensor(place, ty.dtype, &ty.shape)
    };
    let mut views = std::collections::BTreeMap::new();
    for (at, port) in graph.inputs.iter().enumerate() {
        let input = view(&mut b, port.value, Place::Input(at as u32));
        b.input(&port.name, input);
        views.insert(port.value, input);
    }
    let mut weights = vec![];
    for value in graph.nodes.iter().flat_map(|node| &node.outputs) {
        let Some(tensor) = graph.constants()[value.index()] else { continue };
        let place = Place::Weight(WeightId(weights.len() as u32));
        views.insert(*value, view(&mut b, *value, place));
        weights.push(Weight { name: String::new(), dtype: tensor.dtype(), data: tensor.bytes().clone() });
    }
    let output = view(&mut b, graph.outputs[0].value, Place::Output(0));
    b.output(&graph.outputs[0].name, output);
    views.insert(graph.outputs[0].value, output);
    let args = kernel.args.iter().map(|arg| views[&arg.value]).collect();
    let maps = driver::tensor_maps(&mut b, kernel);
    let dims = kernel.dims.iter().map(|dim| b.dim(dim)).collect();
    let [tasks, zero] = [b.dim(&kernel.tasks), b.dim(&Dim::from(0))];
    let (scratch, cost, flops, bytes) = (zero, zero, zero, zero);
    b.push(Step::Launch(Launch {
        kernel: KernelId(0),
        args,
        maps,
        dims,
        tasks,
        scratch,
        cost,
        nodes: vec![],
        flops,
        bytes,
    }));
    let block = kernel.block;
    let entry = PtxKernel {
        name: "k".into(),
        unit: 0,
        entry: "kernel".into(),
        block: block.threads,
        tasks_per_block: block.tasks,
        shared: block.shared,
    };
    Artifact {
        manifest: Manifest {
            producer: "test".into(),
            model: "test".into(),
            numerics: "strict".into(),
            inputs: graph.inputs.iter().map(signature).collect(),
            outputs: graph.outputs.iter().map(signature).collect(),
            ranges: vec![],
        },
        variants: vec![Variant {
            target: format!("nvptx:{}", target.name()),
            kernels: Kernels::Ptx { units: vec![CodeId(0)], kernels: vec![entry] },
            program: b.finish(),
        }],
        code: vec![Bytes::copy_from_slice(ptx.as_bytes())],
        weights,
    }
}

/// What unknown sizes are when a kernel runs.
pub(crate) fn value_of(symbol: &str) -> Option<i64> {
    Some(match symbol {
        "B" => 2,
        "M" => 150,
        "N" => 328,
        "Z" => 0,
        _ => return None,
    })
}

/// Small numbers without a pattern.
pub(crate) fn inputs(graph: &Graph) -> Vec<Tensor> {
    let mut state = 1u64;
    let mut next = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as i64 % 17 - 8
    };
    let tensor = |port: &graph::Port| {
        let ty = graph.ty(port.value);
        let shape = ty.shape.iter().map(|dim| dim.eval(&|symbol| value_of(symbol.name())).unwrap() as usize).collect();
        Tensor::build(ty.dtype, shape, |_| match ty.dtype {
            // All bits of a byte.
            DType::U8 => Scalar::Int(((next() + 8) * 15).into()),
            dtype if dtype.is_float() => Scalar::Float(next() as f64 / 8.0 + 0.0625),
            _ => Scalar::Int(next().into()),
        })
    };
    graph.inputs.iter().map(tensor).collect::<Vec<_>>()
}

/// How far two tensors are apart, relative to the largest element.
pub(crate) fn difference(got: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!((got.dtype(), got.shape()), (expected.dtype(), expected.shape()));
    let number = |tensor: &Tensor, at| match tensor.get(at) {
        Scalar::Int(value) => value as f64,
        other => other.as_f64(),
    };
    let largest = (0..expected.len()).map(|at| number(expected, at).abs()).fold(1e-9, f64::max);
    let off = (0..got.len()).map(|at| (number(got, at) - number(expected, at)).abs());
    off.fold(0.0, |worst: f64, off| if off.is_nan() { f64::INFINITY } else { worst.max(off) }) / largest
}

/// Whether the simulator counted as few sectors and passes as there can be: `sectors 8 of 8, passes 4 of 4`.
pub(crate) fn is_ideal(report: &[String]) -> bool {
    let counts = report.last().and_then(|line| line.split_once("sectors ")).expect("the report has counts").1;
    counts.split(", passes ").all(|pair| pair.split_once(" of ").is_some_and(|(found, ideal)| found == ideal))
}

pub(crate) fn ptxas() -> Option<PathBuf> {
    let lib = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.venv/lib");
    let pythons = std::fs::read_dir(lib).ok()?.filter_map(Result::ok);
    let mut found: Vec<PathBuf> = pythons
        .filter_map(|python| std::fs::read_dir(python.path().join("site-packages/nvidia")).ok())
        .flat_map(|folders| folders.filter_map(Result::ok).map(|folder| folder.path().join("bin/ptxas")))
        .filter(|path| path.exists())
        .collect();
    found.sort();
    found.pop()
}

/// What is wrong with the text, if anything.
pub(crate) fn assemble(program: &PathBuf, target: &PtxTarget, ptx: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("k.ptx");
    std::fs::write(&file, ptx).unwrap();
    let arch = format!("-arch={}", target.name());
    let done = Command::new(program).args(["-v", &arch, "-o", "/dev/null"]).arg(&file).output().unwrap();
    let report = String::from_utf8_lossy(&done.stderr).into_owned() + &String::from_utf8_lossy(&done.stdout);
    let clean = report.contains("0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads");
    // C75xx: products of warpgroups are made to wait for each other, or a hand-over of registers is ignored.
    let noted = report.contains("warning") || report.contains("(C75");
    (!done.status.success() || !clean || noted).then_some(report)
}

/// Assembles a kernel, runs it with the simulator's checks, and compares with the evaluator.
pub(crate) fn check_kernel(
    session: &mlir::Session,
    target: &PtxTarget,
    (sm, place): (u32, usize),
    (graph, kernel): (&Graph, &Kernel),
    case: &Case,
    ideal: bool,
) {
    let what = format!("{} on {target}:\n{}", kernel.template, case.text);
    let ptx = codegen::ptx(session, Source { name: "k", text: &kernel.text }, target).unwrap();
    if let Some(fault) = ptxas().and_then(|program| assemble(&program, target, &ptx)) {
        panic!("{what}\n{fault}");
    }
    let inputs = inputs(graph);
    let expected = graph::evaluate(graph, &inputs).unwrap();
    let sim = Sim::new(sm, ptx_sim::Options { sanitize: true, seed: place as u64, ..Default::default() });
    let artifact = Arc::new(artifact(graph, kernel, target, &ptx));
    let engine = Engine::from_artifact(artifact, &sim).unwrap();
    let got = engine.run(&inputs).unwrap_or_else(|error| panic!("{what}\n{error}"));
    let off = difference(&got[0], &expected[0]);
    assert!(off <= case.tolerance, "{what}: off by {off}");
    if ideal && kernel.template.contains("mma") {
        assert!(is_ideal(&engine.device_report()), "{what}\n{:?}", engine.device_report());
    }
}

/// Runs every `stride`th schedule of every case, beginning at `first`; gives how many.
pub(crate) fn check(target: &str, sm: u32, (first, stride): (usize, usize), cases: Vec<Case>, ideal: bool) -> usize {
    check_those(target, sm, (first, stride), cases, ideal, "")
}

/// Runs every `stride`th schedule, beginning at `first`, of those whose name has a word; gives how many.
pub(crate) fn check_those(
    target: &str,
    sm: u32,
    (first, stride): (usize, usize),
    cases: Vec<Case>,
    ideal: bool,
    word: &str,
) -> usize {
    let target: PtxTarget = target.parse().unwrap();
    let session = mlir::Session::new();
    let mut n_checked = 0;
    for (number, case) in cases.into_iter().enumerate() {
        let graph = graph::parse(&case.text, "t.graph").unwrap_or_else(|error| panic!("{error}\n{}", case.text));
        for place in ((first + number) % stride..).step_by(stride) {
            let Some(kernel) = kernel(&graph, gpu(&target, case.approximate, place)) else { break };
            if !kernel.template.contains(word) {
                continue;
            }
            check_kernel(&session, &target, (sm, place), (&graph, &kernel), &case, ideal);
            n_checked += 1;
        }
    }
    n_checked
}
