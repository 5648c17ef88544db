//! Texts that are refused, and forms that are read.

use super::{HEADER, kernel};
use crate::{Error, Grid, Machine, Options};

fn refused(text: &str) -> String {
    Machine::new(Options::default()).load(text).unwrap_err().to_string()
}

#[test]
fn what_is_not_known_is_named_with_its_line() {
    let why = refused(&kernel("add.s32 %r1, %r2, %r3;\nfrobnicate.sync.b32 %r1, %r2;"));
    assert!(why.contains("line 11") && why.contains("`frobnicate.sync.b32`"), "{why}");
    let why = refused(&kernel("add.brightly.s32 %r1, %r2, %r3;"));
    assert!(why.contains("modifier `.brightly`"), "{why}");
    let why = refused(&kernel("add.s32 %r1, %r2, %q3;"));
    assert!(why.contains("no register or variable `%q3`"), "{why}");
    let why = refused(&kernel("bra nowhere;"));
    assert!(why.contains("no label `nowhere`"), "{why}");
}

#[test]
fn broken_texts_end_in_errors() {
    for text in [
        "",
        ".version",
        ".entry",
        ".entry k(",
        ".entry k() {",
        ".entry k() { add",
        "@",
        "\"",
        "/*",
        ".reg .b32 %r<99999999>;",
        ".entry k() { .reg .b32 %r<-1>; }",
        ".global .align 3 .b8 x[4];",
        ".target sm_x",
        ".global .b32 x = {1, };",
        "0fZZ",
        ".entry k() { mov.u32 {, 1; }",
        "\u{e4}",
        ".global .b8 x[99999999999999999999];",
        ".entry k() { @; }",
        ".entry k() { .reg .b32 %r<100000>; ret; }",
        ".entry k() { .local .b8 x[1000000000]; ret; }",
        ".shared .align 4611686018427387904 .b8 x[4];",
        ".shared .b64 x[4611686018427387904];",
    ] {
        let result = Machine::new(Options::default()).load(&format!("{HEADER}{text}"));
        if !text.is_empty() {
            assert!(result.is_err(), "{text}");
        }
    }
}

#[test]
fn a_module_that_is_cut_anywhere_never_panics() {
    let whole = kernel("{ .reg .pred q; setp.eq.s32 q, %t, 0; @q bra $L; }\n$L: st.global.v2.u32 [%d+8], {%r1, %r2};");
    for end in 0..whole.len() {
        let _ = Machine::new(Options::default()).load(&whole[..end]);
    }
}

#[test]
fn blocks_have_names_of_their_own() {
    let body = "mov.u32 %r1, 1;\n{ .reg .b32 %r1; mov.u32 %r1, 2; bra done; done: }\n{ bra done; trap; done: }\nst.global.u32 [%d], %r1;";
    assert_eq!(super::results(body, 1, &[0]), [1]);
}

#[test]
fn variables_have_their_values() {
    let text =
        format!(
        "{HEADER}.global .align 4 .b32 table[3] = {{5, -1, 0x7}};\n.const .f32 half = 0f3F000000;\n\
         .global .u64 link = generic(table);\n{}",
        kernel("ld.global.u32 %r1, [table+8]; ld.global.u64 %a1, [link]; ld.u32 %r2, [%a1+4]; ld.const.f32 %r3, [half];
                st.global.v2.u32 [%d], {%r1, %r2}; st.global.u32 [%d+8], %r3;").replace(HEADER, "")
    );
    let mut bench = super::Bench::new(Options::default(), &text, 12);
    bench.run(Grid::line(1, 1)).unwrap();
    assert_eq!(bench.words(), [7, u32::MAX, 0.5f32.to_bits()]);
}

#[test]
fn launches_that_cannot_be_say_why() {
    let mut machine = Machine::new(Options::default());
    let module = machine.load(&kernel("").replace("(.param .u64 data)", "(.param .u64 data) .maxntid 64")).unwrap();
    let mut why = |name: &str, grid: Grid, bytes: &[u8]| match machine.launch(module, name, grid, bytes) {
        Err(Error::Launch(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(why("q", Grid::line(1, 1), &[0; 8]).contains("no kernel `q`"));
    assert!(why("k", Grid::line(1, 128), &[0; 8]).contains(".maxntid"));
    assert!(why("k", Grid::line(1, 2000), &[0; 8]).contains("at most 1024"));
    assert!(why("k", Grid::line(0, 1), &[0; 8]).contains("zero"));
    assert!(why("k", Grid::line(1, 1), &[0; 4]).contains("4 bytes of parameters"));
    assert!(why("k", Grid { shared: 1 << 20, ..Grid::line(1, 1) }, &[0; 8]).contains("shared memory"));
    assert!(why("k", Grid { cluster: [2, 1, 1], ..Grid::line(3, 1) }, &[0; 8]).contains("clusters"));
}
