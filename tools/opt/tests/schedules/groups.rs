//! Products by warpgroups.

use crate::harness::*;
use crate::products::case;
use codegen::{PtxTarget, Source};
use graph::Graph;
use lower::Kernel;
use ptx_sim::Sim;
use runtime::Engine;
use std::sync::Arc;

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
