//! Planted bugs: each class must be found, with its thread and line.

use super::{fault, fault_of, kernel};
use crate::{Error, FaultKind, Grid, Machine, Options};

const OWN: &str = "mul.wide.u32 %a1, %t, 4; add.s64 %a2, %d, %a1;\n";

#[test]
fn out_of_bounds() {
    let found = fault(&format!("{OWN}ld.global.u32 %r1, [%a2];"), 5, 4);
    assert_eq!((found.kind, found.tid, found.ctaid), (FaultKind::OutOfBounds, [4, 0, 0], [0; 3]));
    assert_eq!((found.line, &*found.text), (11, "ld.global.u32 %r1, [%a2];"));
    assert!(found.what.contains("byte 16 of an allocation of 16 bytes"), "{found}");
    assert_eq!(fault(&format!("{OWN}st.global.u32 [%a2+-4], %t;"), 1, 1).kind, FaultKind::OutOfBounds);
    assert_eq!(fault(".shared .b32 s[4]; ld.shared.u32 %r1, [s+16];", 1, 1).kind, FaultKind::OutOfBounds);
    assert_eq!(fault(".local .b32 l[4]; st.local.u32 [l+16], 1;", 1, 1).kind, FaultKind::OutOfBounds);
    assert_eq!(fault("ld.param.u64 %a1, [data+8];", 1, 1).kind, FaultKind::OutOfBounds);
    assert_eq!(fault("mov.u64 %a1, 0; ld.u32 %r1, [%a1];", 1, 1).kind, FaultKind::OutOfBounds);
}

#[test]
fn threads_of_three_axes_are_told() {
    let text = kernel(
        "mov.u32 %r1, %tid.z; mov.u32 %r2, %ctaid.y; mul.lo.u32 %r3, %r1, %r2; setp.eq.u32 %p1, %r3, 2; @%p1 trap;",
    );
    let grid = Grid { blocks: [2, 3, 1], threads: [3, 2, 2], ..Grid::line(1, 1) };
    let found = fault_of(&text, grid, 1);
    assert_eq!((found.kind, found.ctaid, found.tid), (FaultKind::Trap, [0, 2, 0], [0, 0, 1]));
}

#[test]
fn misaligned() {
    assert_eq!(fault("ld.global.u32 %r1, [%d+2];", 1, 2).kind, FaultKind::Misaligned);
    assert_eq!(fault("ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%d+8];", 1, 8).kind, FaultKind::Misaligned);
    assert_eq!(fault(".shared .align 4 .b8 s[64]; st.shared.u64 [s+4], %d;", 1, 1).kind, FaultKind::Misaligned);
}

#[test]
fn reads_of_what_nobody_wrote() {
    assert_eq!(fault(".shared .b32 s; ld.shared.u32 %r1, [s];", 1, 1).kind, FaultKind::Uninitialized);
    assert_eq!(fault(".local .b32 l; ld.local.u32 %r1, [l];", 1, 1).kind, FaultKind::Uninitialized);
    let mut machine = Machine::new(Options { sanitize: true, ..Options::default() });
    let module = machine.load(&kernel("ld.global.u32 %r1, [%d];")).unwrap();
    let data = machine.alloc(4).unwrap();
    let error = machine.launch(module, "k", Grid::line(1, 1), &data.to_le_bytes()).unwrap_err();
    assert!(matches!(&error, Error::Fault(fault) if fault.kind == FaultKind::Uninitialized), "{error}");
    machine.write(data, &[0; 4]).unwrap();
    machine.launch(module, "k", Grid::line(1, 1), &data.to_le_bytes()).unwrap();
}

#[test]
fn races() {
    // Two warps, two blocks, two lanes of one store.
    assert_eq!(fault("st.global.u32 [%d], 1;", 64, 1).kind, FaultKind::Race);
    assert_eq!(fault_of(&kernel("st.global.u32 [%d], 1;"), Grid::line(2, 1), 1).kind, FaultKind::Race);
    assert_eq!(fault("st.global.u32 [%d], %t;", 2, 1).kind, FaultKind::Race);
    // What is beyond the stored bits does not count, every bit of them does: here only the second half differs.
    assert_eq!(super::clean("shl.b32 %r1, %t, 8; st.global.u8 [%d], %r1;", 2, &[7]), [0]);
    let wide = ".reg .b128 %q; mul.wide.u32 %a1, %t, 16; add.s64 %a2, %d, %a1; st.global.u32 [%a2+8], %t;
        ld.global.b128 %q, [%a2]; st.global.b128 [%d+64], %q;";
    assert_eq!(fault(wide, 2, 20).kind, FaultKind::Race);
    let body = ".shared .b32 s; setp.eq.u32 %p1, %t, 0; @%p1 st.shared.u32 [s], 1; bar.sync 0; ld.shared.u32 %r1, [s]; @%p1 st.shared.u32 [s], 2;";
    assert_eq!(fault(body, 64, 1).kind, FaultKind::Race);
    super::clean(&body.replace("@%p1 st.shared.u32 [s], 2", "bar.sync 0; @%p1 st.shared.u32 [s], 2"), 64, &[0]);
}

#[test]
fn deadlocks_and_hangs() {
    let body = ".shared .align 8 .b64 m; mbarrier.init.shared.b64 [m], 2; mbarrier.arrive.shared.b64 %w1, [m];
        $L: mbarrier.test_wait.shared.b64 %p1, [m], %w1; @!%p1 bra $L;";
    assert_eq!(fault(body, 1, 1).kind, FaultKind::Deadlock);
    let mut machine = Machine::new(Options { limit: 10_000, ..Options::default() });
    let module = machine.load(&kernel("$L: bra $L;")).unwrap();
    let error = machine.launch(module, "k", Grid::line(1, 1), &[0; 8]).unwrap_err();
    assert!(matches!(&error, Error::Fault(fault) if fault.kind == FaultKind::Hang), "{error}");
}

#[test]
fn masks_that_are_wrong() {
    assert_eq!(fault("shfl.sync.bfly.b32 %r1, %t, 1, 31, 1;", 32, 1).kind, FaultKind::BadOperand);
    assert_eq!(fault("setp.eq.u32 %p1, %t, 0; @%p1 bar.warp.sync 2;", 32, 1).kind, FaultKind::BadOperand);
    let body = "setp.lt.u32 %p1, %t, 16; @%p1 bra $A; shfl.sync.idx.b32 %r1, %t, 0, 31, -1; bra $E; $A: shfl.sync.idx.b32 %r1, %t, 0, 31, -1; $E:";
    assert_eq!(fault(body, 32, 1).kind, FaultKind::DivergentBarrier);
}

#[test]
fn only_what_was_given_may_be_touched() {
    let mut machine = Machine::new(Options::default());
    let module = machine.load(&kernel("st.global.u32 [%d+4], 1;")).unwrap();
    let data = machine.alloc(64).unwrap();
    let mut run = |end: u64| {
        let allowed = std::iter::once(data..data + end).collect();
        machine.launch_within(module, "k", Grid::line(1, 1), &data.to_le_bytes(), allowed)
    };
    assert!(run(8).is_ok());
    assert!(run(4).unwrap_err().to_string().contains("byte 4 of a tensor of 4 bytes"));
}
