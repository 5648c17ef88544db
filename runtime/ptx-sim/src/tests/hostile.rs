//! Broken kernels: whatever the text says, the answer is an error or a result, never a panic or a hang.

use super::{HEADER, kernel};
use crate::{Grid, Machine, Options, Swizzle, TensorMap};

/// Statements of every family.
const RICH: &str = ".shared .align 128 .b8 s[512]; .shared .align 8 .b64 m; .local .align 8 .b8 l[16];
    ld.param.u64 %a1, [data]; mul.wide.u32 %a2, %t, 4; add.s64 %a3, %a1, %a2; mov.u64 %a4, s; add.s64 %a5, %a4, %a2;
    cvta.to.global.u64 %a6, %a3; ld.global.nc.v2.u32 {%r1, %r2}, [%d+8]; st.shared.u32 [%a5], %r1; bar.sync 0;
    setp.lt.and.f32 %p1|%p2, %r1, 0f3F800000, !%p3; @!%p1 bra $S; add.cc.u32 %r3, %r1, %r2; addc.u32 %r4, 0, 0;
    $S: mov.b64 %w1, {%r1, %r2}; mov.b64 {%r5, %r6}, %w1; cvt.rn.f16x2.f32 %r7, %r1, %r2; prmt.b32 %r8, %r1, %r2, 0x3210;
    shfl.sync.bfly.b32 %r9|%p4, %r1, 1, 31, -1; vote.sync.ballot.b32 %r10, %p1, -1; redux.sync.add.s32 %r11, %t, -1;
    atom.shared.add.u32 %r12, [s+4], 1; cp.async.ca.shared.global [s+16], [%d], 4; cp.async.commit_group; cp.async.wait_group 0;
    @%p5 mbarrier.init.shared.b64 [m], 1; ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r13, %r14}, [s];
    mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%r15, %r16, %r17, %r18}, {%r1, %r2}, {%r3}, {%r4, %r5, %r6, %r7};
    bfe.u32 %r19, %r1, 4, 8; lop3.b32 %r20, %r1, %r2, %r3, 0x96; min.xorsign.abs.f32 %r21, %r1, %r2; fma.rn.relu.bf16x2 %r22, %r1, %r2, %r3;
    ts: .branchtargets $S, $E; @%p6 brx.idx %t, ts; @%p7 cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [s], [%d, {%r1, %r2}], [m];
    cp.async.bulk.commit_group; wgmma.fence.sync.aligned; wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0; $E: st.local.u32 [l+4], %r1;";

/// Words that take the place of others.
const WORDS: &[&str] = &[
    "",
    "%r1",
    "%a1",
    "%p1",
    "%h1",
    "0",
    "-1",
    "4294967296",
    "0f7FC00000",
    "s",
    "[s]",
    "[%a1]",
    "[%a1+-99999999999]",
    "{%r1}",
    "{}",
    "_",
    "!%p1",
    "(%r1)",
    "%tid.x",
    "$S",
    "u64",
    "f16x2",
    "b128",
    ".u8",
    "sync",
    ";",
    ",",
    "[",
    "}",
    "\"",
    "%r1|%p1",
    "v4",
    "cta",
];

/// Runs a text if it can be loaded; tells whether it could.
fn load_and_run(text: &str) -> bool {
    let mut machine = Machine::new(Options { sanitize: true, limit: 20_000, memory: 1 << 20, ..Options::default() });
    let Ok(module) = machine.load(text) else { return false };
    let data = machine.alloc(4096).unwrap();
    machine.write(data, &[1; 4096]).unwrap();
    // A fault is as good as a result.
    let _ = machine.launch(module, "k", Grid::line(1, 64), &data.to_le_bytes());
    true
}

#[test]
fn texts_with_a_changed_word_never_panic() {
    let text = kernel(RICH);
    Machine::new(Options::default()).load(&text).unwrap();
    let start = text.find("ld.param").unwrap();
    let mut state = 1u64;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let is_word = |c: char| c.is_ascii_alphanumeric() || "%$_.".contains(c);
    let words: Vec<&str> = text[start..].split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect();
    let mut loaded = 0;
    for _ in 0..4000 {
        let at = start + below(text.len() - start);
        let rest = &text[at..];
        let end = at + rest.find(|c| !is_word(c)).unwrap_or(0).max(1);
        // Mostly by another word of the text that begins alike.
        let alike: Vec<&str> = words.iter().filter(|word| word.starts_with(&text[at..at + 1])).copied().collect();
        let word =
            if below(4) == 0 || alike.is_empty() { WORDS[below(WORDS.len())] } else { alike[below(alike.len())] };
        let changed = format!("{}{word}{}", &text[..at], &text[end..]);
        loaded += usize::from(load_and_run(&changed));
    }
    assert!(loaded > 400, "only {loaded} texts could be loaded");
}

#[test]
fn wild_numbers_never_panic() {
    let numbers =
        ["0", "1", "-1", "31", "32", "63", "64", "255", "2147483648", "9223372036854775808", "0x7ff0000000000001"];
    let ops = [
        "add.s64 %a7",
        "mul.hi.s64 %a7",
        "div.s64 %a7",
        "rem.s64 %a7",
        "shl.b64 %a7",
        "shr.s64 %a7",
        "bmsk.clamp.b32 %r7",
        "szext.wrap.s32 %r7",
        "min.f64 %a7",
        "div.rm.f64 %a7",
        "add.rp.f32 %r7",
        "max.NaN.bf16x2 %r7",
    ];
    for op in ops {
        for a in numbers {
            for b in numbers {
                load_and_run(&kernel(&format!(
                    "mov.b64 %a1, {a}; mov.b64 %a2, {b}; {op}, {}, {};",
                    pick(op, 1),
                    pick(op, 2)
                )));
            }
        }
    }
    for a in numbers {
        for b in numbers {
            load_and_run(&kernel(&format!(
                "bfe.s64 %a1, {a}, {b}, {b}; bfi.b64 %a2, {a}, {b}, {a}, {b}; shf.l.clamp.b32 %r1, {a}, {b}, {b}; cvt.rzi.s8.f64 %r2, {a};
                cvt.rp.f32.s64 %r3, {a}; ex2.approx.f32 %r4, {b}; ld.u64 %a3, [{a}]; st.shared.u32 [{b}], %r1; bar.sync {a}, {b};"
            )));
        }
    }
}

/// The register for an operand of an operation.
fn pick(op: &str, at: usize) -> String {
    if op.contains("%r7") { format!("%r{at}") } else { format!("%a{at}") }
}

#[test]
fn maps_with_wild_coordinates_stay_in_their_tensor() {
    let body = format!(
        "{HEADER}.visible .entry k(.param .align 64 .b8 map[128]) {{ .shared .align 128 .b8 s[64]; .shared .align 8 .b64 m; .reg .b64 %a<4>; .reg .pred %p;
        mov.b64 %a1, map; cvta.param.u64 %a2, %a1; mbarrier.init.shared.b64 [m], 1; fence.mbarrier_init.release.cluster; mbarrier.arrive.expect_tx.shared.b64 _, [m], 64;
        cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [s], [%a2, {{X, Y}}], [m];
        $W: mbarrier.try_wait.parity.shared.b64 %p, [m], 0; @!%p bra $W; ret; }}"
    );
    for x in ["-2147483648", "2147483647", "-3", "1"] {
        for y in ["-2147483648", "2147483647", "0"] {
            let mut machine = Machine::new(Options::default());
            let module = machine.load(&body.replace("X, Y", &format!("{x}, {y}"))).unwrap();
            let address = machine.alloc(64).unwrap();
            let map = TensorMap {
                address,
                element: 4,
                sizes: vec![8, 2],
                strides: vec![32],
                tile: vec![8, 2],
                swizzle: Swizzle::None,
                rounds: false,
            };
            machine.launch(module, "k", Grid::line(1, 1), &map.encode().unwrap()).unwrap();
        }
    }
}
