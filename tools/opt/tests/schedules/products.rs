//! Products by single warps.

use crate::harness::*;

/// `x * w` with axes in this order (`k` first or last), plus a bias, a residual and an activation.
pub(crate) fn case(
    ty: &str,
    out: &str,
    [m, n, k]: [u32; 3],
    [x_k, w_k]: [usize; 2],
    tolerance: f64,
    approximate: bool,
) -> Case {
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
