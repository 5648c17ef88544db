//! Loads, stores, spaces, atomics and asynchronous copies.

use super::{Bench, clean, kernel, results};
use crate::{Grid, Options};

#[test]
fn signs_and_vectors() {
    let body =
        "ld.global.s8 %r1, [%d]; ld.global.u8 %r2, [%d]; ld.global.s16 %a1, [%d]; ld.global.v2.b16 {%h1, %h2}, [%d+4];
        cvt.u32.u16 %r3, %h2; cvt.u32.u64 %r4, %a1; st.global.v4.u32 [%d+16], {%r1, %r2, %r3, %r4};
        ld.global.v4.u32 {%r5, _, %r6, _}, [%d+16]; st.global.v2.u32 [%d+8], {%r5, %r6};";
    let words = results(body, 1, &[0x80f0, 0x1234_5678, 0, 0, 0, 0, 0, 0]);
    assert_eq!(words[2..], [0xffff_fff0, 0x1234, 0xffff_fff0, 0xf0, 0x1234, 0xffff_80f0]);
}

#[test]
fn spaces_through_generic_addresses() {
    let body = ".shared .align 8 .b8 s[64]; .local .align 8 .b8 l[16];
        mov.u64 %a1, s; cvta.shared.u64 %a2, %a1; mov.u64 %a3, l; cvta.local.u64 %a4, %a3;
        mul.wide.u32 %a5, %t, 4; add.s64 %a6, %a2, %a5; st.u32 [%a6], %t; st.u32 [%a4+8], %t;
        add.s64 %a7, %a1, %a5; ld.shared.u32 %r1, [%a7]; ld.local.u32 %r2, [l+8]; add.u32 %r3, %r1, %r2;
        isspacep.shared %p1, %a6; @!%p1 trap; isspacep.local %p2, %a4; @!%p2 trap; isspacep.global %p3, %d; @!%p3 trap;
        cvta.to.shared.u64 %a8, %a6; ld.shared.u32 %r4, [%a8]; add.u32 %r3, %r3, %r4;
        add.s64 %a9, %d, %a5; st.global.u32 [%a9], %r3;";
    assert_eq!(clean(body, 4, &[0; 4]), [0, 3, 6, 9]);
}

#[test]
fn atomics() {
    let body = "atom.global.add.u32 %r1, [%d], 1; red.global.max.s32 [%d+4], %t; red.global.add.f32 [%d+8], 0f3F800000;
        atom.global.inc.u32 %r2, [%d+12], 9; red.global.or.b32 [%d+16], %t; red.global.min.u32 [%d+20], %t;
        setp.eq.u32 %p1, %t, 5; @%p1 atom.global.cas.b32 %r3, [%d+24], 3, 4; @%p1 atom.global.exch.b32 %r4, [%d+28], %r3;
        red.global.add.noftz.f16x2 [%d+32], 0x3c003c00;";
    let words = clean(body, 64, &[0, 0x8000_0000, 0, 0, 0, 100, 3, 0, 0]);
    assert_eq!(words, [64, 63, 64f32.to_bits(), 4, 63, 0, 4, 3, 0x5400_5400]);
}

#[test]
fn old_values_of_atomics_are_all_different() {
    let body =
        "atom.global.add.u32 %r1, [%d], 1; mul.wide.u32 %a1, %r1, 4; add.s64 %a2, %d, %a1; st.global.u32 [%a2+4], %r1;";
    let words = results(body, 96, &[0; 97]);
    assert_eq!(words[1..], (0..96).collect::<Vec<_>>());
}

const COPY: &str = ".shared .align 16 .b8 s[256];
    mul.wide.u32 %a1, %t, 16; add.s64 %a2, %d, %a1; mov.u64 %a3, s; add.s64 %a4, %a3, %a1;
    cp.async.cg.shared.global [%a4], [%a2], 16; cp.async.commit_group;
    WAIT
    bar.sync 0; xor.b32 %r1, %t, 1; mul.wide.u32 %a5, %r1, 16; add.s64 %a6, %a3, %a5;
    ld.shared.v4.u32 {%r2, %r3, %r4, %r5}, [%a6]; bar.sync 0; st.global.v4.u32 [%a2], {%r2, %r3, %r4, %r5};";

#[test]
fn copies_are_there_after_the_wait() {
    let data: Vec<u32> = (0..64).collect();
    for wait in ["cp.async.wait_group 0;", "cp.async.wait_all;"] {
        let words = clean(&COPY.replace("WAIT", wait), 16, &data);
        assert_eq!(words[..8], [4, 5, 6, 7, 0, 1, 2, 3]);
    }
}

#[test]
fn a_missing_wait_is_found() {
    for wait in ["", "cp.async.wait_group 1;"] {
        let fault = super::fault(&COPY.replace("WAIT", wait), 16, 64);
        assert_eq!(fault.kind, crate::FaultKind::NotWaitedFor, "{fault}");
    }
    // Also without the other checks.
    let mut bench = Bench::new(Options::default(), &kernel(&COPY.replace("WAIT", "")), 256);
    assert!(bench.run(Grid::line(1, 16)).is_err());
}

#[test]
fn copies_fill_with_zeros() {
    let body = ".shared .align 16 .b8 s[32]; mov.u32 %r9, 4;
        cp.async.ca.shared.global [s], [%d], 16, %r9; cp.async.ca.shared.global [s+16], [%d], 8; cp.async.wait_all;
        ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [s]; ld.shared.v2.u32 {%r5, %r6}, [s+16];
        st.global.v4.u32 [%d], {%r1, %r2, %r3, %r4}; st.global.v2.u32 [%d+16], {%r5, %r6};";
    assert_eq!(clean(body, 1, &[1, 2, 3, 4, 5, 6]), [1, 0, 0, 0, 1, 2]);
}

#[test]
fn copies_report_to_mbarriers() {
    let body = ".shared .align 16 .b8 s[512]; .shared .align 8 .b64 m;
        setp.eq.u32 %p1, %t, 0; @%p1 mbarrier.init.shared.b64 [m], 32; bar.sync 0;
        mul.wide.u32 %a1, %t, 16; add.s64 %a2, %d, %a1; mov.u64 %a3, s; add.s64 %a4, %a3, %a1;
        cp.async.cg.shared.global [%a4], [%a2], 16; cp.async.mbarrier.arrive.noinc.shared.b64 [m];
        $W: mbarrier.try_wait.parity.shared.b64 %p2, [m], 0; @!%p2 bra $W;
        xor.b32 %r1, %t, 31; mul.wide.u32 %a5, %r1, 16; add.s64 %a6, %a3, %a5; ld.shared.u32 %r2, [%a6];
        bar.sync 0; st.global.u32 [%a2], %r2;";
    let data: Vec<u32> = (0..128).collect();
    let words = clean(body, 32, &data);
    assert_eq!((words[0], words[4], words[124]), (124, 120, 0));
    let fault = super::fault(
        &body.replace("@!%p2 bra $W;", "").replace("$W: mbarrier.try_wait.parity.shared.b64 %p2, [m], 0;", ""),
        32,
        128,
    );
    assert_eq!(fault.kind, crate::FaultKind::NotWaitedFor, "{fault}");
}

#[test]
fn bulk_copies_in_and_out() {
    let body = ".shared .align 128 .b8 s[256]; .shared .align 8 .b64 m;
        setp.eq.u32 %p1, %t, 0; @%p1 mbarrier.init.shared.b64 [m], 1; fence.mbarrier_init.release.cluster; bar.sync 0;
        @!%p1 bra $W; mbarrier.arrive.expect_tx.shared.b64 %w1, [m], 128;
        cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [s], [%d], 128, [m];
        $W: mbarrier.try_wait.parity.shared.b64 %p2, [m], 0; @!%p2 bra $W;
        mul.wide.u32 %a1, %t, 4; mov.u64 %a3, s; add.s64 %a4, %a3, %a1; ld.shared.u32 %r2, [%a4];
        add.u32 %r2, %r2, 1; st.shared.u32 [%a4+128], %r2; fence.proxy.async.shared::cta; bar.sync 0;
        @!%p1 bra $E; cp.async.bulk.global.shared::cta.bulk_group [%d+128], [s+128], 128; cp.async.bulk.commit_group;
        cp.async.bulk.wait_group.read 0; cp.async.bulk.wait_group 0; $E:";
    let data: Vec<u32> = (0..64).collect();
    let words = clean(body, 32, &data);
    assert_eq!(words[32..], (1..33).collect::<Vec<_>>());
    let fault =
        super::fault(&body.replace("expect_tx.shared.b64 %w1, [m], 128", "expect_tx.shared.b64 %w1, [m], 144"), 32, 64);
    assert_eq!(fault.kind, crate::FaultKind::Deadlock, "{fault}");
    let fault = super::fault(&body.replace("fence.mbarrier_init.release.cluster;", ""), 32, 64);
    assert_eq!(fault.kind, crate::FaultKind::Race, "{fault}");
    clean(&body.replace("fence.mbarrier_init.release.cluster;", "fence.proxy.async;"), 32, &data);
}

#[test]
fn bytes_are_counted() {
    let text =
        kernel("mul.wide.u32 %a1, %t, 4; add.s64 %a2, %d, %a1; ld.global.u32 %r1, [%a2]; st.global.u32 [%a2], %r1;");
    let mut bench = Bench::new(Options { sanitize: true, ..Options::default() }, &text, 128);
    bench.write(&[1; 32]);
    let counts = bench.run(Grid::line(1, 32)).unwrap();
    assert_eq!((counts.global_read, counts.global_written, counts.sectors, counts.ideal_sectors), (128, 128, 8, 8));
    assert_eq!(counts.thread_instructions, counts.warp_instructions * 32);
}
