//! Arithmetic, against values from the PTX ISA and from other arithmetic.

use super::{kernel, results};
use crate::{Grid, Machine, Options};
use std::fmt::Write;

/// Runs `op %r1, operands` for one thread; gives the 64 bits of the result.
fn value(op: &str, to: &str, operands: &str) -> u64 {
    let size = match to.as_bytes()[1] {
        b'h' => "b16",
        b'a' | b'w' => "b64",
        b'p' => "pred",
        _ => "b32",
    };
    let store = match size {
        "pred" => format!("selp.b32 %r59, 1, 0, {to}; cvt.u64.u32 %a19, %r59;"),
        "b64" => format!("mov.b64 %a19, {to};"),
        "b32" => format!("cvt.u64.u32 %a19, {to};"),
        _ => format!("cvt.u64.u16 %a19, {to};"),
    };
    let words = results(&format!("{op} {to}, {operands};\n{store}\nst.global.u64 [%d], %a19;"), 1, &[0; 2]);
    u64::from(words[0]) | u64::from(words[1]) << 32
}

fn check(rows: &[(&str, &str, &str, u64)]) {
    let mut wrong = String::new();
    for (op, to, operands, expected) in rows {
        let got = value(op, to, operands);
        if got != *expected {
            writeln!(wrong, "{op} {operands}: {got:#x}, not {expected:#x}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn integers() {
    check(&[
        ("add.s32", "%r1", "2147483647, 1", 0x8000_0000),
        ("add.sat.s32", "%r1", "2147483647, 1", 0x7fff_ffff),
        ("sub.u16", "%h1", "1, 2", 0xffff),
        ("mul.lo.s32", "%r1", "-3, 5", 0xffff_fff1),
        ("mul.hi.u64", "%a1", "-1, -1", 0xffff_ffff_ffff_fffe),
        ("mul.hi.s64", "%a1", "-1, 1", u64::MAX),
        ("mul.wide.s16", "%r1", "-2, 3", 0xffff_fffa),
        ("mul.wide.u32", "%a1", "-1, 2", 0x1_ffff_fffe),
        ("mad.wide.s32", "%a1", "-1, 2, 5", 3),
        ("mad.lo.s64", "%a1", "3, 4, -5", 7),
        ("div.s32", "%r1", "-7, 2", 0xffff_fffd),
        ("rem.s32", "%r1", "-7, 2", 0xffff_ffff),
        ("div.u32", "%r1", "7, 0", 0xffff_ffff),
        ("abs.s32", "%r1", "-5", 5),
        ("neg.s64", "%a1", "5", (-5i64) as u64),
        ("min.s32", "%r1", "-1, 1", 0xffff_ffff),
        ("min.u32", "%r1", "-1, 1", 1),
        ("max.s64", "%a1", "-1, 1", 1),
        ("sad.u32", "%r1", "3, 10, 1", 8),
        ("dp4a.s32.u32", "%r1", "0xff01ff02, 0x01020304, 10", 10 + 2 * 4 - 3 + 2 - 1),
    ]);
}

#[test]
fn shifts_and_fields() {
    check(&[
        ("shl.b32", "%r1", "1, 31", 0x8000_0000),
        ("shl.b32", "%r1", "1, 32", 0),
        ("shl.b64", "%a1", "1, 64", 0),
        ("shr.u32", "%r1", "-1, 40", 0),
        ("shr.s32", "%r1", "-8, 40", 0xffff_ffff),
        ("shr.s16", "%h1", "-8, 1", 0xfffc),
        ("shf.l.wrap.b32", "%r1", "0x80000000, 1, 1", 3),
        ("shf.r.clamp.b32", "%r1", "1, 2, 40", 2),
        ("shf.r.wrap.b32", "%r1", "0, 1, 4", 0x1000_0000),
        ("bfe.u32", "%r1", "0xabcd1234, 8, 8", 0x12),
        ("bfe.s32", "%r1", "0x8000, 12, 4", 0xffff_fff8),
        ("bfe.u64", "%a1", "0xff00, 4, 8", 0xf0),
        ("bfe.s32", "%r1", "0x80000000, 28, 12", 0xffff_fff8),
        ("bfi.b32", "%r1", "0xf, 0, 4, 4", 0xf0),
        ("bfind.u32", "%r1", "0x100", 8),
        ("bfind.s32", "%r1", "-1", 0xffff_ffff),
        ("bfind.shiftamt.u32", "%r1", "1", 31),
        ("popc.b64", "%r1", "-1", 64),
        ("clz.b32", "%r1", "1", 31),
        ("brev.b32", "%r1", "1", 0x8000_0000),
        ("lop3.b32", "%r1", "0xf0f0, 0xcccc, 0xaaaa, 0x96", 0x9696),
        ("not.b16", "%h1", "1", 0xfffe),
        ("cnot.b32", "%r1", "0", 1),
        ("prmt.b32", "%r1", "0x33221100, 0x77665544, 0x7531", 0x7755_3311),
        ("prmt.b32", "%r1", "0x80, 0, 0x1118", 0xff),
        ("bmsk.clamp.b32", "%r1", "4, 8", 0xff0),
        ("szext.clamp.s32", "%r1", "0xff, 8", 0xffff_ffff),
    ]);
}

#[test]
fn floats() {
    let f = |value: f32| u64::from(value.to_bits());
    check(&[
        ("add.rn.f32", "%r1", "0f3F800000, 0f33800000", f(1.0)),
        ("add.rp.f32", "%r1", "0f3F800000, 0f33800000", f(1.0f32.next_up())),
        ("add.rz.f32", "%r1", "0fBF800000, 0f33000000", f((-1.0f32).next_up())),
        ("fma.rn.f32", "%r1", "0f40000000, 0f40400000, 0f3F800000", f(7.0)),
        ("mul.sat.f32", "%r1", "0f40000000, 0f40400000", f(1.0)),
        ("add.ftz.f32", "%r1", "0f00000001, 0f00000001", 0),
        ("add.f32", "%r1", "0f00000001, 0f00000001", 2),
        ("sub.f32", "%r1", "0f7F800000, 0f7F800000", 0x7fff_ffff),
        ("div.rn.f32", "%r1", "0f3F800000, 0f40400000", f(1.0 / 3.0)),
        ("div.rm.f32", "%r1", "0f3F800000, 0f40400000", f((1.0f32 / 3.0).next_down())),
        ("rcp.rn.f32", "%r1", "0f40000000", f(0.5)),
        ("sqrt.rn.f32", "%r1", "0f40000000", f(2f32.sqrt())),
        ("ex2.approx.ftz.f32", "%r1", "0f40400000", f(8.0)),
        ("lg2.approx.f32", "%r1", "0f41000000", f(3.0)),
        ("min.f32", "%r1", "0f7FC00000, 0f3F800000", f(1.0)),
        ("min.NaN.f32", "%r1", "0f7FC00000, 0f3F800000", 0x7fff_ffff),
        ("max.f32", "%r1", "0f80000000, 0f00000000", 0),
        ("neg.f32", "%r1", "0f7FC00000", 0xffc0_0000),
        ("copysign.f32", "%r1", "0f80000000, 0f3F800000", f(-1.0)),
        ("add.f64", "%a1", "0d3FF0000000000000, 0d4000000000000000", 3f64.to_bits()),
        ("fma.rp.f64", "%a1", "0d3FF0000000000000, 0d3FF0000000000000, 0d3000000000000000", 1f64.next_up().to_bits()),
        ("add.rn.f16", "%h1", "0x3c00, 0x1000", 0x3c00),
        ("fma.rn.bf16x2", "%r1", "0x3f803f80, 0x40004000, 0x3f800000", 0x4040_4000),
        ("fma.rn.relu.f16", "%h1", "0xbc00, 0x3c00, 0x0000", 0),
        ("max.NaN.f16x2", "%r1", "0x7e003c00, 0x3c004000", 0x7fff_4000),
        ("testp.subnormal.f32", "%p1", "0f00000001", 1),
    ]);
}

#[test]
fn comparisons() {
    check(&[
        ("setp.lt.s32", "%p1", "-1, 1", 1),
        ("setp.lt.u32", "%p1", "-1, 1", 0),
        ("setp.hi.u16", "%p1", "-1, 1", 1),
        ("setp.eq.f32", "%p1", "0f7FC00000, 0f7FC00000", 0),
        ("setp.neu.f32", "%p1", "0f7FC00000, 0f7FC00000", 1),
        ("setp.ne.f32", "%p1", "0f7FC00000, 0f7FC00000", 0),
        ("setp.nan.f64", "%p1", "0d7FF8000000000000, 0d3FF0000000000000", 1),
        ("setp.num.f32", "%p1", "0f3F800000, 0f3F800000", 1),
        ("setp.lt.ftz.f32", "%p1", "0f00000000, 0f00000001", 0),
        ("set.lt.u32.f32", "%r1", "0f00000000, 0f3F800000", 0xffff_ffff),
    ]);
    let body = "setp.lt.and.s32 %p1|%p2, %t, 1, 1; setp.gt.or.s32 %p3, 0, 1, !%p1;
        selp.b32 %r1, 1, 0, %p1; selp.b32 %r2, 1, 0, %p2; selp.b32 %r3, 1, 0, %p3;
        mul.wide.u32 %a1, %t, 12; add.s64 %a2, %d, %a1; st.global.u32 [%a2], %r1; st.global.u32 [%a2+4], %r2; st.global.u32 [%a2+8], %r3;";
    let body = body.replace("1, 1; setp.gt", "1, %p9; setp.gt").replacen(
        "setp.lt.and",
        "setp.eq.s32 %p9, 0, 0; setp.lt.and",
        1,
    );
    assert_eq!(results(&body, 2, &[9; 6]), [1, 0, 0, 0, 1, 1]);
}

#[test]
fn conversions() {
    let f = |value: f32| u64::from(value.to_bits());
    check(&[
        ("cvt.s64.s32", "%a1", "-1", u64::MAX),
        ("cvt.u64.u32", "%a1", "-1", 0xffff_ffff),
        ("cvt.s32.s8", "%r1", "0x80", 0xffff_ff80),
        ("cvt.sat.s8.s32", "%h1", "1000", 0x7f),
        ("cvt.sat.u8.s32", "%h1", "-5", 0),
        ("cvt.rzi.s32.f32", "%r1", "0fBFC00000", 0xffff_ffff),
        ("cvt.rni.s32.f32", "%r1", "0f40200000", 2),
        ("cvt.rmi.s32.f32", "%r1", "0fBFC00000", 0xffff_fffe),
        ("cvt.rzi.s32.f32", "%r1", "0f7F800000", 0x7fff_ffff),
        ("cvt.rzi.u32.f32", "%r1", "0fBF800000", 0),
        ("cvt.rzi.s32.f32", "%r1", "0f7FC00000", 0),
        ("cvt.rzi.s64.f32", "%a1", "0f7FC00000", 0x8000_0000_0000_0000),
        ("cvt.rn.f32.s64", "%r1", "16777217", f(16_777_216.0)),
        ("cvt.rp.f32.s64", "%r1", "16777217", f(16_777_218.0)),
        ("cvt.rn.f32.u64", "%r1", "-1", f(18_446_744_073_709_551_616.0)),
        ("cvt.rz.f64.u64", "%a1", "-1", 18_446_744_073_709_551_616f64.next_down().to_bits()),
        ("cvt.rn.f16.f32", "%h1", "0f477FF000", 0x7c00),
        ("cvt.rz.f16.f32", "%h1", "0f477FF000", 0x7bff),
        ("cvt.rn.bf16.f32", "%h1", "0f3F818000", 0x3f82),
        ("cvt.rna.tf32.f32", "%r1", "0f3F801000", 0x3f80_2000),
        ("cvt.f32.f16", "%r1", "0x3555", f(0.333_251_95)),
        ("cvt.rpi.f32.f32", "%r1", "0f3F8CCCCD", f(2.0)),
        ("cvt.sat.f32.f32", "%r1", "0f40000000", f(1.0)),
        ("cvt.rn.f32.f64", "%r1", "0d3FD5555555555555", f(1.0 / 3.0)),
        ("cvt.rn.f16x2.f32", "%r1", "0f3F800000, 0f40000000", 0x3c00_4000),
        ("cvt.rn.relu.bf16x2.f32", "%r1", "0fBF800000, 0f40000000", 0x0000_4000),
        ("cvt.rn.satfinite.e4m3x2.f32", "%h1", "0f3F800000, 0f447A0000", 0x387e),
        ("cvt.rn.f16x2.e5m2x2", "%r1", "0x3c40", 0x3c00_4000),
        ("cvt.pack.sat.u8.s32.b32", "%r1", "300, -1, 0x1234", 0x1234_ff00),
    ]);
}

#[test]
fn carries_and_pieces() {
    let body =
        "add.cc.u32 %r1, -1, 1; addc.cc.u32 %r2, -1, 0; addc.u32 %r3, 5, 0; sub.cc.u32 %r4, 0, 1; subc.u32 %r5, 0, 0;
        mov.b64 %a1, {%r3, %r4}; mov.b64 {%r6, %r7}, %a1; mov.b32 {%h1, %h2}, %r4; cvt.u32.u16 %r8, %h2;
        st.global.v4.u32 [%d], {%r1, %r2, %r3, %r4}; st.global.v4.u32 [%d+16], {%r5, %r6, %r7, %r8};";
    assert_eq!(results(body, 1, &[0; 8]), [0, 0, 6, u32::MAX, u32::MAX, 6, u32::MAX, 0xffff]);
}

#[test]
fn seeds_do_not_change_what_is_computed() {
    let text = kernel("mul.wide.u32 %a1, %t, 4; add.s64 %a2, %d, %a1; st.global.u32 [%a2], %t;");
    for seed in 0..4 {
        let mut bench = super::Bench::new(Options { seed, ..Options::default() }, &text, 400);
        bench.run(Grid::line(1, 100)).unwrap();
        assert_eq!(bench.words(), (0..100).collect::<Vec<_>>());
    }
    assert!(Machine::new(Options::default()).load(&text).is_ok());
}
