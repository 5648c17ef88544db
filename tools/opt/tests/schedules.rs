//! Every schedule of the GPU's products, on several architectures: assembled by ptxas where it is installed, run on the
//! simulator with its checks, and compared with the evaluator. Sizes leave edges on all sides of tiles.

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
struct Case {
    text: String,
    tolerance: f64,
    approximate: bool,
}

/// `x * w` with axes in this order (`k` first or last), plus a bias, a residual and an activation.
fn case(ty: &str, out: &str, [m, n, k]: [u32; 3], [x_k, w_k]: [usize; 2], tolerance: f64, approximate: bool) -> Case {
    let shape = |outer: u32, k_axis: usize| if k_axis == 0 { format!("{k},{outer}") } else { format!("{outer},{k}") };
    let (x, w) = (shape(m, x_k), shape(n, w_k));
    let text = format!(
        "graph @g(%x: {ty}[{x}], %w: {ty}[{w}], %b: {out}[{n}], %r: {out}[{m},{n}]) {{
  %d = dot %x, %w {{lhs_batch = [], rhs_batch = [], lhs_contract = [{x_k}], rhs_contract = [{w_k}], out = {out}}}
  %bb = broadcast %b {{shape = [{m}, {n}]}}
  %s = add %d, %bb
  %t = mul %s, %r
  return %t
}}"
    );
    Case { text, tolerance, approximate }
}

/// Directions of both operands, types, sizes that allow pieces of 16, 8, 4 and 2 bytes.
fn cases() -> Vec<Case> {
    vec![
        case("f16", "f16", [136, 72, 80], [1, 1], 2e-3, false),
        case("f16", "f16", [136, 136, 72], [1, 0], 2e-3, false),
        case("bf16", "f32", [72, 136, 40], [0, 1], 1e-5, false),
        case("f16", "f32", [68, 140, 36], [0, 0], 1e-5, false),
        case("f16", "f16", [67, 71, 35], [1, 0], 2e-3, false),
        case("f32", "f32", [136, 132, 36], [1, 0], 1e-6, false),
        case("f32", "f32", [70, 66, 34], [0, 1], 1e-6, false),
        case("f32", "f32", [132, 68, 40], [1, 1], 2e-3, true),
        case("f32", "f32", [68, 132, 40], [0, 0], 2e-3, true),
        case("f64", "f64", [70, 36, 20], [1, 0], 1e-14, false),
        case("i8", "i32", [80, 144, 96], [1, 1], 0.0, false),
        case("u8", "i32", [80, 68, 68], [1, 0], 0.0, false),
    ]
}

fn gpu(target: &PtxTarget, approximate: bool, schedule: usize) -> Target {
    let chip = Chip { sm: target.sm(), exact: target.name().ends_with('a'), ptx: target.ptx_version() };
    Target::Gpu(Gpu { chip, approximate, rerounds: true, schedule: Some(schedule) })
}

/// The one kernel of a graph, if the schedule exists.
fn kernel(graph: &Graph, target: Target) -> Option<Kernel> {
    let plan = schedule::plan(graph);
    let [schedule::Step::Kernel(region)] = &plan.steps[..] else { panic!("one kernel was expected: {plan:?}") };
    let kernel = lower::lower(graph, region, &graph.producers(), &graph.constants(), target).unwrap();
    (kernel.block.tasks == 1).then_some(kernel)
}

/// A program of one launch.
fn artifact(graph: &Graph, kernel: &Kernel, target: &PtxTarget, ptx: &str) -> Artifact {
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

/// Small numbers without a pattern.
fn inputs(graph: &Graph) -> Vec<Tensor> {
    let mut state = 1u64;
    let mut next = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as i64 % 17 - 8
    };
    let tensor = |port: &graph::Port| {
        let ty = graph.ty(port.value);
        let shape = ty.shape.iter().map(|dim| dim.as_const().unwrap() as usize).collect();
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
fn difference(got: &Tensor, expected: &Tensor) -> f64 {
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
fn is_ideal(report: &[String]) -> bool {
    let counts = report.last().and_then(|line| line.split_once("sectors ")).expect("the report has counts").1;
    counts.split(", passes ").all(|pair| pair.split_once(" of ").is_some_and(|(found, ideal)| found == ideal))
}

fn ptxas() -> Option<PathBuf> {
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
fn assemble(program: &PathBuf, target: &PtxTarget, ptx: &str) -> Option<String> {
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
fn check_kernel(
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
fn check(target: &str, sm: u32, (first, stride): (usize, usize), cases: Vec<Case>, ideal: bool) -> usize {
    check_those(target, sm, (first, stride), cases, ideal, "")
}

/// Runs every `stride`th schedule, beginning at `first`, of those whose name has a word; gives how many.
fn check_those(
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

#[test]
fn schedules_compute_what_the_evaluator_does_on_sm_80() {
    assert!(check("sm_80", 80, (0, 4), cases(), false) * 4 > 80);
}

#[test]
fn schedules_compute_what_the_evaluator_does_on_sm_75() {
    assert!(check("sm_75", 75, (1, 4), cases(), false) * 4 > 80);
}

#[test]
fn schedules_compute_what_the_evaluator_does_on_sm_90a() {
    assert!(check("sm_90a", 90, (2, 8), cases(), false) * 8 > 80);
}

/// `x` times columns that are codes: so many bits, blocks of so many bytes, with zero points or without.
fn codes(ty: &str, [m, n]: [u32; 2], [blocks, bytes]: [u32; 2], code: &str, zero: bool, tolerance: f64) -> Case {
    let bits: u32 = code[1..].parse().unwrap();
    let per = 8 / bits;
    let (grid, whole) = (format!("{n},{blocks},1,1"), format!("{n}, {blocks}, {bytes}, {per}"));
    let distances: Vec<String> = (0..per).map(|at| (at * bits).to_string()).collect();
    let (point, less) = match zero {
        true => (format!(", %z: u8[{grid}]"), "sub %number, %zeros"),
        false => (String::new(), "neg %number"),
    };
    let zeros =
        format!("%zero = cast %z {{to = f32, saturate = true}}\n  %zeros = broadcast %zero {{shape = [{whole}]}}");
    let rounded =
        if ty == "f32" { "mul %less, %scales".into() } else { format!("cast %wide {{to = {ty}, saturate = true}}") };
    let text = format!(
        "graph @g(%x: {ty}[{m},{blocks},{bytes},{per}], %w: u8[{n},{blocks},{bytes}], %s: f32[{grid}], %b: {ty}[{n}]{point}) {{
  %apart = reshape %w {{shape = [{n}, {blocks}, {bytes}, 1]}}
  %each = broadcast %apart {{shape = [{whole}]}}
  %distance = constant {{value = u8[{per}] [{}]}} : u8[{per}]
  %distances = broadcast %distance {{shape = [{whole}]}}
  %shifted = shr %each, %distances
  %code = cast %shifted {{to = {code}, saturate = true}}
  %number = cast %code {{to = f32, saturate = true}}
  {}
  %less = {less}
  %scales = broadcast %s {{shape = [{whole}]}}
  {}%weights = {rounded}
  %d = dot %x, %weights {{lhs_batch = [], rhs_batch = [], lhs_contract = [1, 2, 3], rhs_contract = [1, 2, 3], out = {ty}}}
  %bb = broadcast %b {{shape = [{m}, {n}]}}
  %t = add %d, %bb
  return %t
}}",
        distances.join(", "),
        if zero { &zeros } else { "" },
        if ty == "f32" { "" } else { "%wide = mul %less, %scales\n  " },
    );
    Case { text, tolerance, approximate: false }
}

/// Codes in tiles: blocks of several pieces and of one, signs, columns that are not whole tiles.
fn code_cases() -> Vec<Case> {
    vec![
        codes("f16", [136, 72], [4, 16], "u4", true, 2e-3),
        codes("bf16", [67, 71], [3, 64], "i4", false, 1e-2),
        codes("f32", [70, 66], [2, 32], "u4", true, 1e-6),
        codes("f16", [36, 140], [6, 8], "u2", true, 2e-3),
        codes("f32", [33, 37], [5, 16], "i2", false, 1e-6),
    ]
}

#[test]
fn tiles_of_codes_are_decoded_as_the_evaluator_does() {
    assert!(check_those("sm_80", 80, (0, 1), code_cases(), false, "of codes") > 10);
    assert!(check_those("sm_75", 75, (1, 3), code_cases(), false, "of codes") > 2);
    assert!(check_those("sm_90a", 90, (2, 3), code_cases(), false, "of codes") > 2);
}

#[test]
fn few_rows_of_codes_are_decoded_as_the_evaluator_does() {
    let cases = [
        codes("f16", [1, 37], [40, 16], "u4", true, 2e-3),
        codes("f32", [3, 50], [9, 64], "i4", false, 1e-6),
        codes("f16", [4, 33], [12, 16], "u2", true, 2e-3),
        codes("bf16", [2, 65], [3, 8], "i2", false, 1e-2),
        codes("f16", [8, 33], [12, 16], "i4", false, 2e-3),
    ];
    let session = mlir::Session::new();
    for (target, sm) in [("sm_75", 75), ("sm_80", 80), ("sm_90a", 90)] {
        let target: PtxTarget = target.parse().unwrap();
        for case in &cases {
            let graph = graph::parse(&case.text, "t.graph").unwrap();
            let kernel = kernel(&graph, gpu(&target, false, 0)).unwrap();
            assert!(
                kernel.template.starts_with("few rows") && kernel.template.ends_with("of codes"),
                "{}",
                kernel.template
            );
            check_kernel(&session, &target, (sm, 0), (&graph, &kernel), case, false);
        }
    }
}

/// With one row every code is read once, and so is what a block has; the row is read by each warp.
#[test]
fn codes_are_read_once() {
    let (n, blocks, bytes) = (128, 64, 16);
    let case = codes("f16", [1, n], [blocks, bytes], "u4", true, 2e-3);
    let graph = graph::parse(&case.text, "t.graph").unwrap();
    let target: PtxTarget = "sm_80".parse().unwrap();
    let kernel = kernel(&graph, gpu(&target, false, 0)).unwrap();
    assert_eq!(kernel.template, "few rows (1) warps along k, pieces of 16 bytes of codes");
    let ptx = codegen::ptx(&mlir::Session::new(), Source { name: "k", text: &kernel.text }, &target).unwrap();
    let sim = Sim::new(80, ptx_sim::Options { sanitize: true, ..Default::default() });
    let engine = Engine::from_artifact(Arc::new(artifact(&graph, &kernel, &target, &ptx)), &sim).unwrap();
    engine.run(&inputs(&graph)).unwrap();
    let (codes, common, bias) = (n * blocks * bytes, n * blocks * (4 + 1), 2 * n);
    let row = n / 4 * blocks * bytes * 2 * 2;
    let read = codes + common + row + bias;
    let line = engine.device_report().pop().unwrap();
    let expected = format!("{:.3} MB read, {:.3} MB written", f64::from(read) / 1e6, f64::from(2 * n) / 1e6);
    assert!(line.contains(&expected), "{line}, not {expected}");
}

/// Without edges, tiles are written and read without bank conflicts, and global memory in as few sectors as there can be.
#[test]
fn tensor_cores_are_fed_without_waste() {
    let sizes = [128, 128, 128];
    let whole = vec![
        case("f16", "f16", sizes, [1, 1], 2e-3, false),
        case("f16", "f16", sizes, [0, 0], 2e-3, false),
        case("i8", "i32", sizes, [1, 1], 0.0, false),
    ];
    assert!(check("sm_80", 80, (0, 3), whole, true) > 10);
}

/// Sizes that leave edges on all sides, and more tiles along `k` than there are stages.
fn group_cases() -> Vec<Case> {
    vec![
        case("f16", "f16", [200, 136, 552], [1, 1], 2e-3, false),
        case("f16", "f16", [131, 264, 72], [1, 0], 2e-3, false),
        case("bf16", "f32", [264, 67, 136], [0, 1], 1e-5, false),
        case("f16", "f32", [136, 264, 465], [0, 0], 1e-5, false),
        case("f32", "f32", [70, 131, 260], [1, 1], 2e-3, true),
        case("i8", "i32", [131, 70, 176], [1, 1], 0.0, false),
        case("u8", "i32", [67, 140, 80], [1, 1], 0.0, false),
    ]
}

#[test]
fn products_by_warpgroups_compute_what_the_evaluator_does() {
    let n = check_those("sm_90a", 90, (0, 4), group_cases(), false, "wgmma");
    assert!(n * 4 > 100, "{n}");
}

/// Axes of a batch along which both operands move, one of them, or none; and sums of nothing.
fn batch_cases() -> Vec<Case> {
    let product = |x: &str, w: &str, k: [u32; 2], shape: &str| {
        let text = format!(
            "graph @g(%x: f16[{x}], %w: f16[{w}], %r: f32[{shape}]) {{
  %d = dot %x, %w {{lhs_batch = [0, 1], rhs_batch = [0, 1], lhs_contract = [{}], rhs_contract = [{}], out = f32}}
  %s = add %d, %r
  return %s
}}",
            k[0], k[1]
        );
        Case { text, tolerance: 1e-5, approximate: false }
    };
    let shared = "graph @g(%x: f16[3,70,40], %w: f16[40,72], %r: f32[3,70,72]) {
  %wb = broadcast %w {shape = [3, 40, 72]}
  %d = dot %x, %wb {lhs_batch = [0], rhs_batch = [0], lhs_contract = [2], rhs_contract = [1], out = f32}
  %s = add %d, %r
  return %s
}";
    vec![
        product("2,3,70,40", "2,3,72,40", [3, 3], "2,3,70,72"),
        product("2,3,40,72", "2,3,40,136", [2, 2], "2,3,72,136"),
        Case { text: shared.into(), tolerance: 1e-5, approximate: false },
        case("f16", "f32", [70, 72, 0], [1, 0], 0.0, false),
    ]
}

#[test]
fn products_by_warpgroups_take_batches_and_sums_of_nothing() {
    let n = check_those("sm_90a", 90, (0, 5), batch_cases(), false, "wgmma");
    assert!(n >= 12, "{n}");
}

/// Whole tiles are put down and taken up without bank conflicts; every byte of a tile is brought once for each block.
#[test]
fn warpgroups_are_fed_without_waste() {
    let sizes = [256, 256, 128];
    let whole = vec![
        case("f16", "f16", sizes, [1, 1], 2e-3, false),
        case("f16", "f16", sizes, [0, 0], 2e-3, false),
        case("i8", "i32", sizes, [1, 1], 0.0, false),
    ];
    let n = check_those("sm_90a", 90, (0, 3), whole, true, "wgmma");
    assert!(n * 3 > 40, "{n}");
    let target: PtxTarget = "sm_90a".parse().unwrap();
    let [m, n, k] = sizes.map(u64::from);
    let case = case("f16", "f16", sizes, [1, 0], 2e-3, false);
    let graph = graph::parse(&case.text, "t.graph").unwrap();
    let (kernel, ptx) = first_by_warpgroups(&graph, &target);
    assert!(kernel.template.contains("wgmma f16 128x256x64"), "{}", kernel.template);
    let sim = Sim::new(90, ptx_sim::Options { sanitize: true, ..Default::default() });
    let engine = Engine::from_artifact(Arc::new(artifact(&graph, &kernel, &target, &ptx)), &sim).unwrap();
    engine.run(&inputs(&graph)).unwrap();
    // Two blocks; then a bias and a residual for each element.
    let read = 2 * m / 128 * (128 + 256) * k + 2 * 2 * m * n;
    let line = engine.device_report().pop().unwrap();
    let expected = format!("{:.3} MB read, {:.3} MB written", read as f64 / 1e6, (2 * m * n) as f64 / 1e6);
    assert!(line.contains(&expected), "{line}, not {expected}");
}

/// The first schedule by warpgroups, with its PTX.
fn first_by_warpgroups(graph: &Graph, target: &PtxTarget) -> (Kernel, String) {
    let all = (0..).map_while(|place| kernel(graph, gpu(target, false, place)));
    let kernel = all.into_iter().find(|kernel| kernel.template.contains("wgmma")).expect("there is one");
    let ptx = codegen::ptx(&mlir::Session::new(), Source { name: "k", text: &kernel.text }, target).unwrap();
    (kernel, ptx)
}

/// The text with a change of the first line that begins so.
fn changed(ptx: &str, begins: &str, change: impl Fn(&str) -> String) -> String {
    let mut done = false;
    let lines = ptx.lines().map(|line| {
        let is_it = !done && line.trim().starts_with(begins);
        done |= is_it;
        if is_it { change(line) } else { line.to_string() }
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    assert!(done, "there is no {begins}");
    text
}

/// What holds the pieces together is needed: the simulator finds each that is missing.
#[test]
fn missing_fences_arrivals_and_waits_are_found() {
    let target: PtxTarget = "sm_90a".parse().unwrap();
    let case = case("f16", "f16", [136, 264, 392], [1, 1], 2e-3, false);
    let graph = graph::parse(&case.text, "t.graph").unwrap();
    let (kernel, ptx) = first_by_warpgroups(&graph, &target);
    let fault = |ptx: &str| {
        let sim = Sim::new(90, ptx_sim::Options { sanitize: true, seed: 3, ..Default::default() });
        let engine = Engine::from_artifact(Arc::new(artifact(&graph, &kernel, &target, ptx)), &sim).unwrap();
        engine.run(&inputs(&graph)).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(fault(&ptx), Ok(()));
    let gone = |_: &str| String::new();
    // The operand of a wait is `.., %parity, ticks;`.
    let parity = |value: &'static str| {
        move |line: &str| {
            let parts: Vec<&str> = line.split(", ").collect();
            format!("{}, {}, {value}, {}", parts[0], parts[1], parts[3])
        }
    };
    let last_wait = ptx.rfind("mbarrier.try_wait").unwrap();
    let (before, after) = ptx.split_at(last_wait);
    let planted = [
        ("no fence of new barriers", changed(&ptx, "fence.mbarrier_init", gone), "fence.mbarrier_init"),
        ("no arrival of consumers", changed(&ptx, "mbarrier.arrive.shared", gone), "deadlock"),
        ("consumers do not wait", changed(&ptx, "mbarrier.try_wait", parity("1")), "race"),
        (
            "the producer does not wait",
            format!("{before}{}", changed(after, "mbarrier.try_wait", parity("1"))),
            "arrivals at an mbarrier",
        ),
        ("sums are not waited for", changed(&ptx, "wgmma.wait_group", gone), "not waited for"),
        ("products are not fenced", ptx.replacen("wgmma.fence.sync.aligned; ", "", 1), "wgmma.fence"),
        ("no barrier before the sums", changed(&ptx, "bar.sync \t1", gone), "race"),
    ];
    for (what, ptx, expected) in planted {
        let error = fault(&ptx).expect_err(what);
        assert!(error.to_lowercase().contains(expected), "{what}: {error}");
    }
}

/// An attention. `outer` are the batch axes, `mask` lines that make `%x` of `%f`, the scaled scores in `f32`.
fn attention(ty: &str, outer: &str, [m, n, d, e]: [u32; 4], inputs: [&str; 2], mask: &str, zero_rows: bool) -> Case {
    let n_outer = outer.split(',').count();
    let batch: Vec<String> = (0..n_outer).map(|axis| axis.to_string()).collect();
    let (batch, row, column) = (batch.join(", "), n_outer, n_outer + 1);
    let [key, more] = inputs;
    let full = format!("{outer}, {m}, {n}");
    // Keys lie along what is summed over, or along themselves.
    let (keys, contract) = match key {
        "" => (format!("%k: {ty}[{outer},{n},{d}]"), column),
        "turned" => (format!("%k: {ty}[{outer},{d},{n}]"), row),
        other => (other.to_string(), column),
    };
    let guarded =
        format!("%bad = isnan %r\n  %zero = broadcast %none {{shape = [{full}]}}\n  %p = select %bad, %zero, %r");
    let (guard, weights) = if zero_rows { (guarded.as_str(), "%p") } else { ("", "%r") };
    let shares = key.contains("[1,2,1");
    let text = format!(
        "graph @g(%q: {ty}[{outer},{m},{d}], {keys}, %v: {ty}[{outer},{n},{e}], %scale: f32[]{more}) {{
  %none = constant {{value = f32[] [0.0]}}
  {shared}
  %s = dot %q, {k} {{lhs_batch = [{batch}], rhs_batch = [{batch}], lhs_contract = [{column}], rhs_contract = [{contract}], out = {ty}}}
  %w = cast %s {{to = f32, saturate = false}}
  %sb = broadcast %scale {{shape = [{full}]}}
  %f = mul %w, %sb
  {mask}
  %m = reduce %x {{kind = max, axes = [{column}]}}
  %mr = reshape %m {{shape = [{outer}, {m}, 1]}}
  %mm = broadcast %mr {{shape = [{full}]}}
  %u = sub %x, %mm
  %e = exp %u
  %l = reduce %e {{kind = sum, axes = [{column}]}}
  %lr = reshape %l {{shape = [{outer}, {m}, 1]}}
  %ll = broadcast %lr {{shape = [{full}]}}
  %r = div %e, %ll
  {guard}
  %h = cast {weights} {{to = {ty}, saturate = false}}
  %o = dot %h, %v {{lhs_batch = [{batch}], rhs_batch = [{batch}], lhs_contract = [{column}], rhs_contract = [{row}], out = {ty}}}
  %t = add %o, %o
  return %t
}}",
        shared = if shares { format!("%kb = broadcast %k {{shape = [{outer}, {n}, {d}]}}") } else { String::new() },
        k = if shares { "%kb" } else { "%k" },
        mask = mask.replace("FULL", &full),
    );
    Case { text, tolerance: if ty == "f16" { 3e-3 } else { 2e-2 }, approximate: false }
}

const NO_MASK: &str = "%x = add %f, %f";
const ADDED: &str = "%mb = broadcast %mask {shape = [FULL]}\n  %x = add %f, %mb";

fn attentions() -> Vec<Case> {
    let causal = |m: u32, n: u32| {
        format!(
            "%i = iota {{dtype = i64, shape = [{m}, {n}], axis = 0}}
  %j = iota {{dtype = i64, shape = [{m}, {n}], axis = 1}}
  %c = lt %j, %i
  %cb = broadcast %c {{shape = [FULL]}}
  %low = constant {{value = f32[] [-inf]}}
  %lb = broadcast %low {{shape = [FULL]}}
  %x = select %cb, %f, %lb"
        )
    };
    let cap = "%t1 = tanh %f\n  %x = mul %t1, %sb";
    vec![
        attention("f16", "1, 2", [70, 75, 64, 64], ["", ", %mask: f32[70,75]"], ADDED, false),
        attention("bf16", "2", [130, 64, 128, 128], ["", ""], NO_MASK, false),
        // The first row has no column that it may see.
        attention("f16", "2", [67, 67, 32, 32], ["", ""], &causal(67, 67), true),
        attention("f16", "1, 2, 2", [40, 100, 32, 64], ["%k: f16[1,2,1,100,32]", ""], NO_MASK, true),
        attention("f16", "1", [65, 33, 80, 40], ["", ""], cap, false),
        attention("bf16", "1", [64, 50, 256, 256], ["", ""], NO_MASK, false),
        attention("f16", "1", [64, 72, 36, 36], ["turned", ""], NO_MASK, false),
        attention("bf16", "1", [9, 3, 34, 34], ["", ""], NO_MASK, true),
    ]
}

/// The one kernel of each, checked.
fn check_attentions(target: &str, sm: u32, cases: Vec<Case>, ideal: bool) {
    let target: PtxTarget = target.parse().unwrap();
    let session = mlir::Session::new();
    for case in cases {
        let graph = graph::parse(&case.text, "t.graph").unwrap_or_else(|error| panic!("{error}\n{}", case.text));
        let kernel = kernel(&graph, gpu(&target, false, 0)).unwrap();
        assert!(kernel.template.starts_with("attention"), "{}", kernel.template);
        check_kernel(&session, &target, (sm, 0), (&graph, &kernel), &case, ideal);
    }
}

#[test]
fn attention_computes_what_the_evaluator_does_on_sm_80() {
    check_attentions("sm_80", 80, attentions(), false);
}

#[test]
fn attention_computes_what_the_evaluator_does_on_sm_90a() {
    check_attentions("sm_90a", 90, attentions(), false);
}

#[test]
fn attention_has_no_bank_conflicts() {
    let sizes = [128, 128, 64, 64];
    check_attentions("sm_80", 80, vec![attention("f16", "1", sizes, ["", ""], NO_MASK, false)], true);
    check_attentions("sm_80", 80, vec![attention("bf16", "1", [64, 128, 128, 128], ["", ""], NO_MASK, false)], true);
}
