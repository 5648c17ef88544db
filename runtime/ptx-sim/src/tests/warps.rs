//! Control flow, barriers, and what threads of a warp and a cluster do together.

use super::{Bench, HEADER, clean, fault, kernel, results};
use crate::{FaultKind, Grid, Options};

const OWN: &str = "mul.wide.u32 %a1, %t, 4; add.s64 %a2, %d, %a1;";

#[test]
fn lanes_meet_again_after_branches() {
    let body = format!(
        "{OWN} mov.u32 %r1, 0; mov.u32 %r2, 0;
        $L: setp.ge.u32 %p1, %r1, %t; @%p1 bra $E; add.u32 %r2, %r2, %r1; add.u32 %r1, %r1, 1; bra $L;
        $E: and.b32 %r3, %t, 1; setp.eq.u32 %p2, %r3, 0; @%p2 bra $A; add.u32 %r2, %r2, 1000; bra.uni $B; $A: add.u32 %r2, %r2, 2000;
        $B: activemask.b32 %r4; setp.eq.u32 %p3, %r4, -1; @%p3 add.u32 %r2, %r2, 10000; st.global.u32 [%a2], %r2;"
    );
    let words = results(&body, 32, &[0; 32]);
    let expected = |t: u32| t * t.saturating_sub(1) / 2 + if t.is_multiple_of(2) { 12000 } else { 11000 };
    assert_eq!(words, (0..32).map(expected).collect::<Vec<_>>());
}

#[test]
fn branch_tables() {
    let body = format!(
        "{OWN} ts: .branchtargets $A, $B, $A; brx.idx %t, ts; $A: st.global.u32 [%a2], 1; bra $E; $B: st.global.u32 [%a2], 2; $E:"
    );
    assert_eq!(results(&body, 3, &[0; 3]), [1, 2, 1]);
    assert_eq!(fault(&body, 4, 4).kind, FaultKind::BadOperand);
}

#[test]
fn shuffles() {
    let shuffle = |form: &str| {
        let body = format!(
            "{OWN} shfl.sync.{form}, -1; selp.u32 %r2, 100, 0, %p1; add.u32 %r1, %r1, %r2; st.global.u32 [%a2], %r1;"
        );
        clean(&body, 32, &[0; 32])
    };
    let of = |f: fn(u32) -> u32| (0..32).map(f).collect::<Vec<_>>();
    assert_eq!(shuffle("bfly.b32 %r1|%p1, %t, 1, 31"), of(|t| (t ^ 1) + 100));
    assert_eq!(shuffle("down.b32 %r1|%p1, %t, 4, 31"), of(|t| if t < 28 { t + 104 } else { t }));
    assert_eq!(shuffle("up.b32 %r1|%p1, %t, 1, 0"), of(|t| if t > 0 { t + 99 } else { 0 }));
    assert_eq!(shuffle("idx.b32 %r1|%p1, %t, 3, 0x1c1f"), of(|t| (t & !3) + 103));
    assert_eq!(shuffle("down.b32 %r1|%p1, %t, 1, 0x181f"), of(|t| if t % 8 < 7 { t + 101 } else { t }));
}

#[test]
fn votes_matches_and_reductions() {
    let body = format!(
        "{OWN} setp.lt.u32 %p1, %t, 8; vote.sync.ballot.b32 %r1, %p1, -1; vote.sync.any.pred %p2, %p1, -1;
        vote.sync.all.pred %p3, %p1, -1; vote.sync.uni.pred %p4, %p1, -1; and.b32 %r2, %t, 3; match.any.sync.b32 %r3, %r2, -1;
        match.all.sync.b32 %r4|%p5, %r2, -1; redux.sync.add.s32 %r5, %t, -1; redux.sync.max.u32 %r6, %t, -1; redux.sync.xor.b32 %r7, %t, -1;
        elect.sync %r8|%p6, -1; selp.u32 %r9, 1, 0, %p2; selp.u32 %r10, 1, 0, %p3; selp.u32 %r11, 1, 0, %p4; selp.u32 %r12, 1, 0, %p5;
        @!%p6 bra $E; st.global.v4.u32 [%d], {{%r1, %r9, %r10, %r11}}; st.global.v4.u32 [%d+16], {{%r3, %r4, %r12, %r5}};
        st.global.v4.u32 [%d+32], {{%r6, %r7, %r8, %t}}; $E:"
    );
    assert_eq!(clean(&body, 32, &[0; 12]), [0xff, 1, 0, 0, 0x1111_1111, 0, 0, 496, 31, 0, 0, 0]);
}

#[test]
fn collectives_wait_for_lanes_on_other_ways() {
    // Both sides of the branch come to the same instruction, one much later.
    let body = format!(
        "{OWN} setp.lt.u32 %p1, %t, 16; @%p1 bra $J; mov.u32 %r1, 0; $L: add.u32 %r1, %r1, 1; setp.lt.u32 %p2, %r1, 50; @%p2 bra $L;
        $J: shfl.sync.bfly.b32 %r2, %t, 16, 31, -1; st.global.u32 [%a2], %r2;"
    );
    assert_eq!(clean(&body, 32, &[0; 32])[..2], [16, 17]);
}

#[test]
fn barriers_of_blocks() {
    let body =
        ".shared .b32 s[128]; mul.wide.u32 %a1, %t, 4; mov.u64 %a3, s; add.s64 %a4, %a3, %a1; st.shared.u32 [%a4], %t;
        bar.sync 0; sub.u32 %r1, 127, %t; mul.wide.u32 %a5, %r1, 4; add.s64 %a6, %a3, %a5; ld.shared.u32 %r2, [%a6];
        add.s64 %a2, %d, %a1; st.global.u32 [%a2], %r2;";
    assert_eq!(clean(body, 128, &[0; 128]), (0..128).rev().collect::<Vec<_>>());
    let kind = fault(&body.replace("bar.sync 0;", ""), 128, 128).kind;
    assert!(matches!(kind, FaultKind::Race | FaultKind::Uninitialized), "{kind}");
}

#[test]
fn named_barriers_pass_from_producers_to_consumers() {
    let body = ".shared .b32 s[64]; shr.u32 %r1, %t, 5; setp.eq.u32 %p1, %r1, 0; and.b32 %r2, %t, 31; mul.wide.u32 %a1, %r2, 4;
        mov.u64 %a3, s; add.s64 %a4, %a3, %a1; @!%p1 bra $C; st.shared.u32 [%a4], %t; bar.arrive 3, 64; bra $E;
        $C: bar.sync 3, 64; ld.shared.u32 %r3, [%a4]; add.s64 %a2, %d, %a1; st.global.u32 [%a2], %r3; $E:";
    assert_eq!(clean(body, 64, &[9; 32]), (0..32).collect::<Vec<_>>());
    assert_eq!(fault(&body.replace("bar.arrive 3, 64;", ""), 64, 32).kind, FaultKind::Deadlock);
    assert_eq!(fault(&body.replace("bar.arrive 3, 64", "bar.arrive 3, 96"), 64, 32).kind, FaultKind::BadOperand);
}

#[test]
fn barrier_reductions() {
    let body = "setp.lt.u32 %p1, %t, 40; barrier.red.popc.sync.aligned.u32 %r1, 1, %p1; barrier.red.and.sync.aligned.pred %p2, 1, %p1;
        barrier.red.or.sync.aligned.pred %p3, 1, %p1; selp.u32 %r2, 1, 0, %p2; selp.u32 %r3, 1, 0, %p3;
        setp.eq.u32 %p4, %t, 0; @%p4 st.global.u32 [%d], %r1; @%p4 st.global.u32 [%d+4], %r2; @%p4 st.global.u32 [%d+8], %r3;";
    let body = body.replace(".sync.aligned", ".aligned");
    assert_eq!(clean(&body, 64, &[9; 3]), [40, 0, 1]);
}

#[test]
fn a_barrier_that_not_all_reach_is_found() {
    let body = "setp.lt.u32 %p1, %t, 16; @%p1 bra $A; bar.sync 0; bra $E; $A: bar.sync 1; $E:";
    let found = fault(body, 32, 1);
    assert_eq!(found.kind, FaultKind::DivergentBarrier, "{found}");
    let body = "setp.lt.u32 %p1, %t, 32; @%p1 bar.sync 0; @!%p1 bar.sync 1;";
    assert_eq!(fault(body, 64, 1).kind, FaultKind::Deadlock);
    // Threads that have ended are not waited for.
    let body = "setp.lt.u32 %p1, %t, 40; @!%p1 exit; bar.sync 0; st.global.u32 [%d], 5;";
    let mut bench = Bench::new(Options::default(), &kernel(body), 4);
    bench.run(Grid::line(1, 64)).unwrap();
    assert_eq!(bench.words(), [5]);
}

#[test]
fn clusters_see_each_other() {
    let text = format!(
        "{HEADER}.visible .entry k(.param .u64 data) .reqnctapercluster 2, 1, 1\n{{ .shared .b32 s; .reg .b32 %r<9>; .reg .b64 %a<9>;
        ld.param.u64 %a1, [data]; mov.u32 %r1, %ctaid.x; mov.u32 %r2, %cluster_ctarank; add.u32 %r3, %r1, 100; st.shared.u32 [s], %r3;
        barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;
        xor.b32 %r4, %r2, 1; mov.u64 %a2, s; mapa.shared::cluster.u64 %a3, %a2, %r4; ld.shared::cluster.u32 %r5, [%a3];
        mul.wide.u32 %a4, %r1, 4; add.s64 %a5, %a1, %a4; st.global.u32 [%a5], %r5;
        barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned; ret; }}"
    );
    for seed in 0..4 {
        let mut bench = Bench::new(Options { sanitize: true, seed, ..Options::default() }, &text, 16);
        bench.run(Grid::line(4, 1)).unwrap();
        assert_eq!(bench.words(), [101, 100, 103, 102]);
    }
    let without = text.replacen("barrier.cluster.wait.acquire.aligned;", "", 1).replacen(
        "barrier.cluster.arrive.release.aligned;",
        "",
        1,
    );
    assert!(matches!(super::fault_of(&without, Grid::line(4, 1), 4).kind, FaultKind::Race | FaultKind::Uninitialized));
}

#[test]
fn mbarriers_have_phases() {
    let body = ".shared .align 8 .b64 m; .shared .b32 s; setp.eq.u32 %p1, %t, 0; @%p1 mbarrier.init.shared.b64 [m], 32; bar.sync 0;
        setp.ge.u32 %p2, %t, 32; @%p2 bra $C; @%p1 st.shared.u32 [s], 77; mbarrier.arrive.shared.b64 %w1, [m]; bra $E;
        $C: mbarrier.try_wait.parity.shared.b64 %p3, [m], PARITY; @!%p3 bra $C; ld.shared.u32 %r1, [s]; st.global.u32 [%d], %r1; $E:";
    assert_eq!(clean(&body.replace("PARITY", "0"), 64, &[0])[0], 77);
    // The phase before the first counts as complete: the wrong parity waits too little, or for a phase that never ends.
    let kind = fault(&body.replace("PARITY", "1"), 64, 1).kind;
    assert!(matches!(kind, FaultKind::Race | FaultKind::Uninitialized | FaultKind::Deadlock), "{kind}");
    let missing = body.replace("PARITY", "0").replace("[m], 32;", "[m], 33;");
    assert_eq!(fault(&missing, 64, 1).kind, FaultKind::Deadlock);
}
