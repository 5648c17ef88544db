use mlir::Session;

use crate::{Error, PtxTarget, Stage, ptx, ptx_text};

/// A kernel over `%p0`, `%p1`, `%p2` and `%d0`, with the global thread index in `%i` (i64).
pub(super) fn kernel(body: &str) -> String {
    format!(
        "gpu.module @m {{ gpu.func @k(%p0: !llvm.ptr<1>, %p1: !llvm.ptr<1>, %p2: !llvm.ptr<1>, %d0: i64) kernel \
         attributes {{nvvm.maxntid = array<i32: 256>}} {{
  %t = gpu.thread_id x
  %b = gpu.block_id x
  %n = gpu.block_dim x
  %bn = arith.muli %b, %n : index
  %ix = arith.addi %bn, %t : index
  %i = arith.index_cast %ix : index to i64
{body}
  gpu.return
}} }}"
    )
}

const GRID_LOOP: &str = "  %g = gpu.grid_dim x
  %gn = arith.muli %g, %n : index
  %step = arith.index_cast %gn : index to i64
  scf.for %j = %i to %d0 step %step : i64 {
    %q0 = llvm.getelementptr inbounds %p0[%j] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
    %q1 = llvm.getelementptr inbounds %p1[%j] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
    %q2 = llvm.getelementptr inbounds %p2[%j] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
    %x = llvm.load %q0 : !llvm.ptr<1> -> f32
    %y = llvm.load %q1 : !llvm.ptr<1> -> f32
    %m = arith.mulf %x, %y : f32
    %s = arith.addf %m, %x : f32
    llvm.store %s, %q2 : f32, !llvm.ptr<1>
  }";

#[test]
fn every_target_takes_a_loop_kernel() {
    let session = Session::new();
    for target in PtxTarget::all() {
        let text = ptx(&session, &kernel(GRID_LOOP), target).unwrap();
        let version = target.ptx_version();
        assert!(text.contains(&format!(".version {}.{}", version / 10, version % 10)), "{text}");
        assert!(text.contains(&format!(".target {target}\n")), "{text}");
        assert!(text.contains(".visible .entry k(") && text.contains(".maxntid 256"), "{text}");
        assert!(text.contains("mov.u32") && text.contains("%ctaid.x"), "{text}");
        assert!(text.contains("ld.global") && text.contains("st.global"), "{text}");
    }
}

#[test]
fn only_the_text_fuses_multiplications() {
    let session = Session::new();
    let target: PtxTarget = "sm_80".parse().unwrap();
    let apart = ptx(&session, &kernel(GRID_LOOP), &target).unwrap();
    assert!(apart.contains("mul.rn.f32") && apart.contains("add.rn.f32"), "{apart}");
    assert!(!apart.contains("fma."), "{apart}");
    let fused =
        GRID_LOOP.replace("%m = arith.mulf %x, %y : f32", "").replace("arith.addf %m, %x", "math.fma %x, %y, %x");
    let fused = ptx(&session, &kernel(&fused), &target).unwrap();
    assert!(fused.contains("fma.rn.f32") && !fused.contains("mul.rn"), "{fused}");
    let allowed = GRID_LOOP.replace(" : f32\n    %s", " fastmath<contract> : f32\n    %s");
    let allowed = allowed.replace("%m, %x :", "%m, %x fastmath<contract> :");
    let allowed = ptx(&session, &kernel(&allowed), &target).unwrap();
    assert!(allowed.contains("fma.rn.f32"), "{allowed}");
}

#[test]
fn division_and_roots_round_correctly() {
    let body = "  %q = llvm.getelementptr %p0[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
  %x = llvm.load %q : !llvm.ptr<1> -> f32
  %one = arith.constant 3.0 : f32
  %d = arith.divf %one, %x : f32
  %r = llvm.intr.sqrt(%d) : (f32) -> f32
  llvm.store %r, %q : f32, !llvm.ptr<1>";
    let text = ptx(&Session::new(), &kernel(body), &"sm_90a".parse().unwrap()).unwrap();
    assert!(text.contains("div.rn.f32") && text.contains("sqrt.rn.f32"), "{text}");
    assert!(!text.contains(".ftz") && !text.contains(".approx"), "{text}");
}

#[test]
fn math_becomes_instructions_not_library_calls() {
    let body = "  %q = llvm.getelementptr %p0[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
  %x = llvm.load %q : !llvm.ptr<1> -> f32
  %a = math.absf %x : f32
  %e = math.exp2 %a fastmath<afn> : f32
  %f = math.floor %e : f32
  %h = math.tanh %f fastmath<afn> : f32
  %l = math.round %h : f32
  %s = math.sqrt %l fastmath<afn> : f32
  %z = arith.constant 0.0 : f32
  %m = arith.maximumf %s, %x : f32
  %mn = arith.minnumf %m, %z : f32
  llvm.store %mn, %q : f32, !llvm.ptr<1>";
    let text = ptx(&Session::new(), &kernel(body), &"sm_90a".parse().unwrap()).unwrap();
    let parts = ["abs.f32", "ex2.approx", "cvt.rmi.f32.f32", "tanh.approx", "sqrt.approx", "max.NaN.f32", "min.f32"];
    for part in parts {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}

#[test]
fn vectors_barriers_shuffles_and_shared_memory_work() {
    let body = "  %c2 = arith.constant 2.0 : f32
  %tx = arith.index_cast %t : index to i64
  %q = llvm.getelementptr %p0[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, vector<4xf32>
  %v = llvm.load %q {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
  %two = vector.broadcast %c2 : f32 to vector<4xf32>
  %w = vector.fma %v, %two, %v : vector<4xf32>
  %e = vector.extract %w[0] : f32 from vector<4xf32>
  %full = arith.constant -1 : i32
  %lane = arith.constant 1 : i32
  %clamp = arith.constant 31 : i32
  %o = nvvm.shfl.sync bfly %full, %e, %lane, %clamp : f32 -> f32
  %base = llvm.mlir.addressof @tile : !llvm.ptr<3>
  %s = llvm.getelementptr %base[%tx] : (!llvm.ptr<3>, i64) -> !llvm.ptr<3>, f32
  llvm.store %o, %s : f32, !llvm.ptr<3>
  gpu.barrier
  %z = llvm.load %base : !llvm.ptr<3> -> f32
  %cond = arith.cmpi slt, %i, %d0 : i64
  scf.if %cond {
    %q1 = llvm.getelementptr %p1[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
    llvm.store %z, %q1 : f32, !llvm.ptr<1>
    llvm.store %w, %q {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
  }";
    let text = kernel(body).replace(
        "gpu.module @m {",
        "gpu.module @m { llvm.mlir.global internal @tile() {addr_space = 3 : i32} : !llvm.array<256 x f32>\n",
    );
    let text = ptx(&Session::new(), &text, &"sm_80".parse().unwrap()).unwrap();
    for part in ["ld.global.v4.b32", "st.global.v4.b32", "fma.rn.f32", "shfl.sync.bfly", "bar.sync", ".shared"] {
        assert!(text.contains(part), "no {part} in\n{text}");
    }
}

#[test]
fn unselectable_code_is_an_error_and_the_process_lives() {
    // cp.async needs sm_80.
    let body = "  %a = llvm.addrspacecast %p0 : !llvm.ptr<1> to !llvm.ptr
  %s = llvm.inttoptr %d0 : i64 to !llvm.ptr<3>
  nvvm.cp.async.shared.global %s, %p1, 16, cache = cg : !llvm.ptr<3>, !llvm.ptr<1>";
    let session = Session::new();
    for _ in 0..2 {
        let error = ptx(&session, &kernel(body), &"sm_75".parse().unwrap()).unwrap_err();
        assert!(matches!(error, Error::Fatal { .. }), "{error}");
        assert!(error.to_string().contains("elect"), "{error}");
    }
    ptx(&session, &kernel(body), &"sm_80".parse().unwrap()).unwrap();
}

#[test]
fn calls_to_the_outside_are_refused() {
    let body = "  %q = llvm.getelementptr %p0[%i] : (!llvm.ptr<1>, i64) -> !llvm.ptr<1>, f32
  %x = llvm.load %q : !llvm.ptr<1> -> f32
  %e = math.erf %x : f32
  llvm.store %e, %q : f32, !llvm.ptr<1>";
    let error = ptx(&Session::new(), &kernel(body), &"sm_80".parse().unwrap()).unwrap_err();
    let Error::Symbol { symbol, .. } = &error else { panic!("{error}") };
    assert_eq!(symbol, "__nv_erff");
    let without_instruction = kernel(&body.replace("math.erf", "math.exp"));
    let error = ptx(&Session::new(), &without_instruction, &"sm_80".parse().unwrap()).unwrap_err();
    assert!(error.to_string().contains("no instruction"), "{error}");
}

#[test]
fn every_stage_has_a_text() {
    let session = Session::new();
    let target: PtxTarget = "sm_90a".parse().unwrap();
    let at = |stage| ptx_text(&session, &kernel(GRID_LOOP), &target, stage).unwrap();
    assert!(at(Stage::LlvmDialect).contains("llvm.func @k"));
    assert!(at(Stage::LlvmIr).contains("define ptx_kernel void @k"));
    assert!(at(Stage::OptimizedLlvmIr).contains("target triple = \"nvptx64-nvidia-cuda\""));
    assert!(at(Stage::Assembly).contains(".entry k"));
}
