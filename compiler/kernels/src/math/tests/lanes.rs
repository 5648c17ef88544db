//! What the functions look like as text.

use super::super::{Binary, Unary, binary, unary};
use crate::text::{FastMath, Scalar, Ty, Val, Writer};

fn written(ty: Ty, write: impl FnOnce(&mut Writer, Val)) -> String {
    let mut w = Writer::new();
    let x = w.fresh(ty);
    write(&mut w, x);
    w.finish()
}

const TYPES: [Ty; 6] =
    [Ty::F32, Ty::F64, Ty::BF16, Ty::vector(Scalar::F16, 8), Ty::vector(Scalar::F32, 16), Ty::vector(Scalar::F64, 8)];

#[test]
fn nothing_needs_a_library() {
    for ty in TYPES {
        let mut all: Vec<String> = Unary::ALL
            .iter()
            .map(|&f| {
                written(ty, |w, x| {
                    unary(w, f, x);
                })
            })
            .collect();
        all.extend(Binary::ALL.iter().map(|&f| {
            written(ty, |w, x| {
                binary(w, f, x, x);
            })
        }));
        for text in all {
            assert!(!text.contains("math.") && !text.contains("call") && !text.contains("remf"), "{text}");
            // A direct rounding to bf16, or from f64 to a half, would be a call.
            assert!(!text.contains("to bf16") || !text.contains("arith.truncf"), "{text}");
        }
    }
}

#[test]
fn scalars_are_straight_line_code() {
    for &function in Unary::ALL {
        let text = written(Ty::F32, |w, x| {
            unary(w, function, x);
        });
        assert!(!text.contains("scf."), "{}", function.name());
    }
    let vector = written(Ty::vector(Scalar::F32, 16), |w, x| {
        unary(w, Unary::Sin, x);
    });
    assert_eq!(vector.matches("scf.if").count(), 1);
}

#[test]
fn the_callers_fastmath_stays_outside() {
    let text = written(Ty::F32, |w, x| {
        w.set_fastmath(FastMath::REASSOC);
        let y = unary(w, Unary::Exp, x);
        w.addf(y, y);
    });
    let flagged: Vec<&str> = text.lines().filter(|l| l.contains("fastmath")).collect();
    assert_eq!(flagged.len(), 1);
    assert!(flagged[0].contains("addf"));
}

#[test]
fn a_reciprocal_root() {
    let text = written(Ty::BF16, |w, x| {
        w.set_native_bf16(true);
        unary(w, Unary::Rsqrt, x);
    });
    let expected = "%2 = arith.constant 1.0 : f32
%1 = arith.extf %0 : bf16 to f32
%3 = llvm.intr.sqrt(%1) : (f32) -> f32
%4 = arith.divf %2, %3 : f32
%5 = arith.truncf %4 : f32 to bf16
";
    assert_eq!(text, expected);
}
