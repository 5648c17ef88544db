use mlir::Session;

use super::host_function;
use super::mapped::Mapped;
use crate::{HostTarget, Stage, host_code, host_text};

/// Loads of the first buffers into `%b0`, `%b1`, ...
fn buffers(count: usize) -> String {
    (0..count)
        .map(|i| {
            format!(
                "  %q{i} = llvm.getelementptr %bufs[{i}] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr\n  \
                 %b{i} = llvm.load %q{i} : !llvm.ptr -> !llvm.ptr\n"
            )
        })
        .collect()
}

/// `b2[i] = b0[i] + b1[i]` for `i` in `begin..end`.
pub(super) fn add() -> String {
    let body = "  %one = arith.constant 1 : i64
  scf.for %i = %begin to %end step %one : i64 {
    %p0 = llvm.getelementptr inbounds %b0[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %p1 = llvm.getelementptr inbounds %b1[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %p2 = llvm.getelementptr inbounds %b2[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %x = llvm.load %p0 : !llvm.ptr -> f32
    %y = llvm.load %p1 : !llvm.ptr -> f32
    %s = arith.addf %x, %y : f32
    llvm.store %s, %p2 : f32, !llvm.ptr
  }";
    host_function("add", &(buffers(3) + body))
}

fn ramp(n: usize) -> Vec<f32> {
    (0..n).map(|i| i as f32).collect()
}

fn all_targets() -> Vec<HostTarget> {
    let native = HostTarget::native();
    let levels = ["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"];
    let levels = levels.map(|l| HostTarget::level(l).unwrap());
    levels.into_iter().filter(|l| l.missing_on(&native).is_empty()).chain([native.clone()]).collect()
}

#[test]
fn addition_runs_on_every_level() {
    let session = Session::new();
    for target in all_targets() {
        let code = host_code(&session, &add(), &target).unwrap();
        let (mut x, mut y, mut z) = (ramp(100), ramp(100), vec![-1.0; 100]);
        Mapped::new(&code).call("add", &mut [&mut x, &mut y, &mut z], &[], 3, 97);
        for (i, z) in z.iter().enumerate() {
            let expected = if (3..97).contains(&i) { 2.0 * i as f32 } else { -1.0 };
            assert_eq!(*z, expected, "{i} on {target}");
        }
    }
}

#[test]
fn loops_use_the_widest_registers() {
    let session = Session::new();
    let v4 = HostTarget::level("x86-64-v4").unwrap();
    let text = host_text(&session, &add(), &v4, Stage::Assembly).unwrap();
    assert!(text.contains("%zmm"), "{text}");
    let v3 = HostTarget::level("x86-64-v3").unwrap();
    let text = host_text(&session, &add(), &v3, Stage::Assembly).unwrap();
    assert!(text.contains("%ymm") && !text.contains("%zmm"), "{text}");
}

#[test]
fn vector_code_with_masks_and_constants_runs() {
    // Sum of squares over 16 lanes at a time with a masked tail, times a table of constants.
    let body = "  %n = llvm.load %dims : !llvm.ptr -> i64
  %c16 = arith.constant 16 : i64
  %zero = arith.constant dense<0.0> : vector<16xf32>
  %table = arith.constant dense<[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.5]> : vector<16xf32>
  %lanes = arith.constant dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]> : vector<16xi64>
  %sum = scf.for %i = %begin to %n step %c16 iter_args(%acc = %zero) -> (vector<16xf32>) : i64 {
    %left = arith.subi %n, %i : i64
    %bound = vector.broadcast %left : i64 to vector<16xi64>
    %mask = arith.cmpi slt, %lanes, %bound : vector<16xi64>
    %p = llvm.getelementptr %b0[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %x = llvm.intr.masked.load %p, %mask, %zero {alignment = 4 : i32} : (!llvm.ptr, vector<16xi1>, vector<16xf32>) -> vector<16xf32>
    %y = vector.fma %x, %x, %acc : vector<16xf32>
    %z = arith.mulf %x, %table : vector<16xf32>
    %o = llvm.getelementptr %b1[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    llvm.intr.masked.store %z, %o, %mask {alignment = 4 : i32} : vector<16xf32>, vector<16xi1> into !llvm.ptr
    scf.yield %y : vector<16xf32>
  }
  %total = vector.reduction <add>, %sum : vector<16xf32> into f32
  %is_big = arith.cmpi sgt, %n, %c16 : i64
  scf.if %is_big {
    llvm.store %total, %b2 : f32, !llvm.ptr
  }";
    let text = host_function("squares", &(buffers(3) + body));
    let session = Session::new();
    for target in all_targets() {
        let code = host_code(&session, &text, &target).unwrap();
        let (mut x, mut z, mut sum) = (ramp(40), vec![-1.0; 40], [0.0]);
        Mapped::new(&code).call("squares", &mut [&mut x, &mut z, &mut sum], &[37], 0, 0);
        assert_eq!(sum[0], (0..37).map(|i| (i * i) as f32).sum::<f32>());
        assert_eq!(z[15], 15.0 * 15.5, "{target}");
        assert_eq!((z[36], z[37]), (36.0 * 4.0, -1.0), "{target}");
    }
}

#[test]
fn memset_and_libm_go_through_the_import_table() {
    let body = "  %one = arith.constant 1 : i64
  %zero = arith.constant 0.0 : f32
  scf.for %i = %begin to %end step %one : i64 {
    %p = llvm.getelementptr inbounds %b0[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    llvm.store %zero, %p : f32, !llvm.ptr
  }
  %x = llvm.load %b1 : !llvm.ptr -> f32
  %w = arith.extf %x : f32 to f64
  %m = arith.constant 1.7 : f64
  %r = arith.remf %w, %m : f64
  %f = arith.truncf %r : f64 to f32
  llvm.store %f, %b1 : f32, !llvm.ptr";
    let session = Session::new();
    let text = host_function("zero", &(buffers(2) + body));
    let code = host_code(&session, &text, &HostTarget::native()).unwrap();
    let names: Vec<&str> = code.imports.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["fmod", "memset"]);
    let (mut x, mut y) = (ramp(300), vec![9.5]);
    Mapped::new(&code).call("zero", &mut [&mut x, &mut y], &[], 10, 290);
    assert_eq!((x[9], x[10], x[289], x[290]), (9.0, 0.0, 0.0, 290.0));
    assert_eq!(y[0], (9.5f64 % 1.7) as f32);
}

#[test]
fn jump_tables_and_global_constants_run() {
    let table = "llvm.mlir.global internal constant @table(dense<[10.0, 20.0, 30.0, 40.0]> : tensor<4xf32>) : !llvm.array<4 x f32>\n";
    let body = "  %g = llvm.mlir.addressof @table : !llvm.ptr
  %one = arith.constant 1 : i64
  scf.for %i = %begin to %end step %one : i64 {
    %k = arith.index_cast %i : i64 to index
    %v = scf.index_switch %k -> f32
    case 0 { %p = llvm.getelementptr %g[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
             %c = llvm.load volatile %p : !llvm.ptr -> f32
             scf.yield %c : f32 }
    case 1 { %c = llvm.load volatile %b1 : !llvm.ptr -> f32
             scf.yield %c : f32 }
    case 2 { %c = arith.constant 7.0 : f32
             llvm.store volatile %c, %b1 : f32, !llvm.ptr
             scf.yield %c : f32 }
    case 3 { %c = arith.constant 8.5 : f32
             %d = llvm.load volatile %b1 : !llvm.ptr -> f32
             %e = arith.addf %c, %d : f32
             scf.yield %e : f32 }
    case 4 { %c = arith.constant -8.5 : f32
             %d = llvm.load volatile %b1 : !llvm.ptr -> f32
             %e = arith.mulf %c, %d : f32
             scf.yield %e : f32 }
    default { %c = arith.constant 0.5 : f32
              scf.yield %c : f32 }
    %o = llvm.getelementptr %b0[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    llvm.store %v, %o : f32, !llvm.ptr
  }";
    let session = Session::new();
    let text = table.to_owned() + &host_function("switch", &(buffers(2) + body));
    let target = HostTarget::native();
    let asm = host_text(&session, &text, &target, Stage::Assembly).unwrap();
    assert!(asm.contains(".LJTI"), "no jump table in\n{asm}");
    let code = host_code(&session, &text, &target).unwrap();
    let (mut x, mut y) = (vec![0.0; 6], vec![3.0]);
    Mapped::new(&code).call("switch", &mut [&mut x, &mut y], &[], 0, 6);
    assert_eq!(x, [10.0, 3.0, 7.0, 15.5, -59.5, 0.5]);
}

#[test]
fn several_functions_call_each_other() {
    let helper = "func.func @twice(%x: f32) -> f32 attributes {llvm.linkage = #llvm.linkage<internal>, passthrough = [\"noinline\"]} {
  %y = arith.addf %x, %x : f32
  return %y : f32
}\n";
    let body = "  %x = llvm.load %b0 : !llvm.ptr -> f32
  %y = func.call @twice(%x) : (f32) -> f32
  llvm.store %y, %b0 : f32, !llvm.ptr";
    let text = helper.to_owned() + &host_function("one", &(buffers(1) + body)) + &add();
    let code = host_code(&Session::new(), &text, &HostTarget::native()).unwrap();
    let mut names: Vec<&str> = code.entries.iter().map(|(n, _)| n.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["add", "one"]);
    let mut x = vec![21.0];
    Mapped::new(&code).call("one", &mut [&mut x], &[], 0, 0);
    assert_eq!(x, [42.0]);
}

/// `b0[0] = b0[0] * b0[1] + b0[2]` by `ops`, which may use `%x`, `%y`, `%z` and defines `%r`.
fn multiply_add(ops: &str) -> String {
    let load = |v: &str, i: usize| {
        format!(
            "  %p{v} = llvm.getelementptr %b0[{i}] : (!llvm.ptr) -> !llvm.ptr, f32\n  \
             %{v} = llvm.load %p{v} : !llvm.ptr -> f32\n"
        )
    };
    let body = buffers(1) + &load("x", 0) + &load("y", 1) + &load("z", 2) + ops;
    host_function("muladd", &(body + "\n  llvm.store %r, %b0 : f32, !llvm.ptr"))
}

#[test]
fn only_the_text_fuses_multiplications() {
    let session = Session::new();
    let apart = "  %m = arith.mulf %x, %y : f32\n  %r = arith.addf %m, %z : f32";
    let fused = "  %r = math.fma %x, %y, %z : f32";
    let allowed = "  %m = arith.mulf %x, %y fastmath<contract> : f32\n  \
                   %r = arith.addf %m, %z fastmath<contract> : f32";
    let target = HostTarget::level("x86-64-v3").unwrap();
    let asm = |ops| host_text(&session, &multiply_add(ops), &target, Stage::Assembly).unwrap();
    assert!(asm(apart).contains("vmulss") && !asm(apart).contains("vfmadd"));
    assert!(asm(fused).contains("vfmadd"));
    assert!(asm(allowed).contains("vfmadd"));
}

#[test]
fn half_types_convert_without_a_runtime_library() {
    let convert = |ty: &str| {
        format!(
            "  %one = arith.constant 1 : i64
  scf.for %i = %begin to %end step %one : i64 {{
    %p = llvm.getelementptr inbounds %b0[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %q = llvm.getelementptr inbounds %b1[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %x = llvm.load %p : !llvm.ptr -> f32
    %h = arith.truncf %x : f32 to {ty}
    %y = arith.extf %h : {ty} to f32
    llvm.store %y, %q : f32, !llvm.ptr
  }}"
        )
    };
    let session = Session::new();
    for (ty, expected) in
        [("bf16", [1.0, 2.703125, 1e-40, f32::INFINITY]), ("f16", [1.0, 2.699_218_8, 0.0, f32::INFINITY])]
    {
        let text = host_function("half", &(buffers(2) + &convert(ty)));
        for target in all_targets().into_iter().filter(|t| ty == "bf16" || t.has("f16c")) {
            let code = host_code(&session, &text, &target).unwrap_or_else(|e| panic!("{ty} {target}: {e}"));
            let mut x = [1.0f32, 2.7, 1e-40, 3.4e38];
            let mut y = [0.0f32; 4];
            Mapped::new(&code).call("half", &mut [&mut x, &mut y], &[], 0, 4);
            let close = (y[2] - expected[2]).abs() < 1e-41;
            assert!(close && y[0] == expected[0] && y[1] == expected[1] && y[3] == expected[3], "{ty} {target}: {y:?}");
        }
    }
}

#[test]
fn maxima_keep_the_sign_of_zero_and_nan() {
    let body = "  %v = llvm.load %b0 {alignment = 4 : i64} : !llvm.ptr -> vector<4xf32>
  %w = llvm.load %b1 {alignment = 4 : i64} : !llvm.ptr -> vector<4xf32>
  %m = arith.maximumf %v, %w : vector<4xf32>
  llvm.store %m, %b0 {alignment = 4 : i64} : vector<4xf32>, !llvm.ptr
  %n = arith.minnumf %v, %w : vector<4xf32>
  llvm.store %n, %b1 {alignment = 4 : i64} : vector<4xf32>, !llvm.ptr";
    let text = host_function("extrema", &(buffers(2) + body));
    let session = Session::new();
    for target in all_targets() {
        let code = host_code(&session, &text, &target).unwrap();
        let (mut x, mut y) = ([-0.0, 0.0, f32::NAN, 1.0], [0.0, -0.0, 1.0, f32::NAN]);
        Mapped::new(&code).call("extrema", &mut [&mut x, &mut y], &[], 0, 0);
        assert!(x[..2].iter().all(|x| *x == 0.0 && x.is_sign_positive()), "{target}: {x:?}");
        assert!(x[2].is_nan() && x[3].is_nan(), "{target}: {x:?}");
        assert_eq!(y[2..], [1.0, 1.0], "{target}");
    }
}

#[test]
fn aarch64_code_is_made_and_flattened() {
    let target: HostTarget = "aarch64-unknown-linux-gnu/generic/neon".parse().unwrap();
    let constants = "  %c = arith.constant dense<[1.0, 2.0, 3.0, 4.5]> : vector<4xf32>
  llvm.store %c, %b1 : vector<4xf32>, !llvm.ptr
  %l = arith.constant 400 : i64
  %zero = arith.constant 0 : i8
  \"llvm.intr.memset\"(%b0, %zero, %end) <{isVolatile = false}> : (!llvm.ptr, i8, i64) -> ()";
    let text = host_function("k", &(buffers(2) + constants));
    let code = host_code(&Session::new(), &text, &target).unwrap();
    assert_eq!(code.align, 4096);
    assert_eq!(code.imports.len(), 1);
    let words: Vec<u32> = code.blob.chunks_exact(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect();
    // The stub: load from 16 bytes on, branch.
    assert!(words.windows(2).any(|w| w == [0x5800_0090, 0xD61F_0200]), "{words:08x?}");
}
