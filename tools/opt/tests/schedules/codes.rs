//! Products with operands that are decoded on their way.

use crate::harness::*;
use codegen::{PtxTarget, Source};
use ptx_sim::Sim;
use runtime::Engine;
use std::sync::Arc;

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
