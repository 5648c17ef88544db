//! Tests of the writer against expected text.

use super::*;
use super::{Access, Reduce};

fn body(write: impl FnOnce(&mut Writer, &[Val])) -> String {
    let mut w = Writer::new();
    let params = [Param::with(Ty::PTR, "llvm.noalias"), Param::of(Ty::I64), Param::of(Ty::F32)];
    w.function(Function::host("f", &params), |w, args| {
        write(w, args);
        vec![]
    });
    let text = w.finish();
    let head = "func.func @f(%0: !llvm.ptr {llvm.noalias}, %1: i64, %2: f32) {\n";
    let inner = text.strip_prefix(head).expect("the header");
    inner.strip_suffix("  return\n}\n").expect("the end").to_owned()
}

#[test]
fn constants_are_written_once_and_first() {
    let text = body(|w, args| {
        let x = w.float(Ty::F32, 0.1);
        w.addf(args[2], x);
        let y = w.float(Ty::F32, 0.1);
        w.addf(args[2], y);
        w.float(Ty::vector(Scalar::F32, 4), f64::NEG_INFINITY);
        w.float(Ty::BF16, f64::NAN);
        w.float(Ty::F64, 1e-30);
        w.iota(Scalar::I32, 3);
    });
    let expected = "  %3 = arith.constant 0.10000000149011612 : f32
  %6 = arith.constant dense<0xFF800000> : vector<4xf32>
  %7 = arith.constant 0x7FC0 : bf16
  %8 = arith.constant 1.0e-30 : f64
  %9 = arith.constant dense<[0, 1, 2]> : vector<3xi32>
  %4 = arith.addf %2, %3 : f32
  %5 = arith.addf %2, %3 : f32
";
    assert_eq!(text, expected);
}

#[test]
fn trivial_integers_fold() {
    let text = body(|w, args| {
        let (zero, one, two, five) = (w.i64(0), w.i64(1), w.i64(2), w.i64(-5));
        assert_eq!(w.addi(args[1], zero), args[1]);
        assert_eq!(w.muli(one, args[1]), args[1]);
        let products = [w.muli(args[1], zero), w.subi(args[1], args[1])];
        assert_eq!(products.map(|v| w.known_int(v)), [Some(0); 2]);
        let quotients = [w.floordivsi(five, two), w.ceildivsi(five, two), w.divsi(five, two), w.remsi(five, two)];
        assert_eq!(quotients.map(|v| w.known_int(v)), [Some(-3), Some(-2), Some(-2), Some(-1)]);
        let less = w.cmpi(IntCmp::Slt, five, two);
        assert_eq!(w.select(less, args[1], zero), args[1]);
        let v = w.divsi(args[1], zero);
        assert_eq!(w.known_int(v), None);
        let byte = w.int(Ty::I8, 200);
        assert_eq!(w.known_int(byte), Some(-56));
        let wide = w.extui(byte, Scalar::I32);
        assert_eq!(w.known_int(wide), Some(200));
    });
    assert_eq!(text.matches("arith.divsi").count(), 1);
    assert_eq!(text.lines().filter(|l| !l.contains("arith.constant")).count(), 1);
}

#[test]
fn half_constants_round_as_the_half_crate_does() {
    for bits in (0..=u32::MAX).step_by(65_521) {
        let value = f32::from_bits(bits);
        if value.is_nan() {
            continue;
        }
        let mut w = Writer::new();
        w.float(Ty::F16, value.into());
        w.float_bits(Ty::F16, half::f16::from_f32(value).to_bits().into());
        w.float(Ty::BF16, value.into());
        w.float_bits(Ty::BF16, half::bf16::from_f32(value).to_bits().into());
        assert_eq!(w.finish().lines().count(), 2, "{value:e}");
    }
}

#[test]
fn loops_carry_values() {
    let text = body(|w, args| {
        let (lo, step) = (w.i64(0), w.i64(4));
        let sum = w.for_loop(lo, args[1], step, &[args[2]], |w, i, acc| {
            let p = w.gep(args[0], i, Ty::F32);
            let v = w.load(p, Ty::vector(Scalar::F32, 4), Access::aligned(4).invariant());
            let s = w.with_fastmath(FastMath::REASSOC, |w| w.reduce(Reduce::Add, v));
            vec![w.addf(acc[0], s)]
        });
        w.store(sum[0], args[0], Access::aligned(4).nontemporal());
    });
    let expected = "  %3 = arith.constant 0 : i64
  %4 = arith.constant 4 : i64
  %5 = scf.for %6 = %3 to %1 step %4 iter_args(%7 = %2) -> (f32) : i64 {
    %8 = llvm.getelementptr %0[%6] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    %9 = llvm.load %8 invariant {alignment = 4 : i64} : !llvm.ptr -> vector<4xf32>
    %10 = vector.reduction <add>, %9 fastmath<reassoc,contract> : vector<4xf32> into f32
    %11 = arith.addf %7, %10 : f32
    scf.yield %11 : f32
  }
  llvm.store %5, %0 {alignment = 4 : i64, nontemporal} : f32, !llvm.ptr
";
    assert_eq!(text, expected);
}

#[test]
fn branches_and_conditional_loops() {
    let text = body(|w, args| {
        let zero = w.i64(0);
        let more = w.cmpi(IntCmp::Sgt, args[1], zero);
        w.if_else(more, &[Ty::F32], |_| vec![args[2]], |w| vec![w.negf(args[2])]);
        w.if_then(more, |w| w.store(args[2], args[0], 4));
        w.while_loop(
            &[args[1]],
            |w, n| (w.cmpi(IntCmp::Sgt, n[0], zero), n.to_vec()),
            |w, n| {
                let one = w.i64(1);
                vec![w.subi(n[0], one)]
            },
        );
    });
    let expected = "  %3 = arith.constant 0 : i64
  %11 = arith.constant 1 : i64
  %4 = arith.cmpi sgt, %1, %3 : i64
  %5 = scf.if %4 -> (f32) {
    scf.yield %2 : f32
  } else {
    %6 = arith.negf %2 : f32
    scf.yield %6 : f32
  }
  scf.if %4 {
    llvm.store %2, %0 {alignment = 4 : i64} : f32, !llvm.ptr
  }
  %7 = scf.while (%8 = %1) : (i64) -> (i64) {
    %9 = arith.cmpi sgt, %8, %3 : i64
    scf.condition(%9) %8 : i64
  } do {
  ^bb0(%10: i64):
    %12 = arith.subi %10, %11 : i64
    scf.yield %12 : i64
  }
";
    assert_eq!(text, expected);
}

#[test]
fn locations_are_aliases() {
    let mut w = Writer::new();
    w.block("module", |w| {
        w.function(Function::host("f", &[]), |w, _| {
            w.set_location(Some("node \"a\""));
            w.null();
            w.set_location(None);
            vec![]
        });
    });
    let expected = "module {
  func.func @f() {
    %0 = llvm.mlir.zero : !llvm.ptr loc(#loc0)
    return
  }
}
#loc0 = loc(\"node \\22a\\22\")
";
    assert_eq!(w.finish(), expected);
}

#[test]
fn struct_types() {
    assert_eq!(Ty::Struct(Scalar::I32, 2).to_string(), "!llvm.struct<(i32, i32)>");
    assert_eq!(Ty::Scalar(Scalar::Ptr(3)).to_string(), "!llvm.ptr<3>");
}

#[test]
fn a_loop_without_values_has_an_end() {
    let text = body(|w, _| {
        let go = w.bool(false);
        w.while_loop(&[], |_, _| (go, vec![]), |_, _| vec![]);
    });
    let expected = "  %3 = arith.constant false
  scf.while : () -> () {
    scf.condition(%3)
  } do {
    scf.yield
  }
";
    assert_eq!(text, expected);
}
