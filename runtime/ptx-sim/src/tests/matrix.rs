//! Matrix instructions: layouts against plain products.

use super::{Bench, clean, fault, kernel};
use crate::float::{Format, Mode, round};
use crate::{FaultKind, Grid, Options};
use half::{bf16, f16};

#[test]
fn matrices_come_and_go() {
    let body = ".shared .align 16 .b8 s[512]; mul.wide.u32 %a1, %t, 16; add.s64 %a2, %d, %a1; mov.u64 %a3, s; add.s64 %a4, %a3, %a1;
        ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%a2]; st.shared.v4.u32 [%a4], {%r1, %r2, %r3, %r4}; bar.sync 0;
        ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r5, %r6, %r7, %r8}, [%a4]; ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%r9, %r10, %r11, %r12}, [%a4];
        movmatrix.sync.aligned.m8n8.trans.b16 %r13, %r5; bar.sync 0; stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%a4], {%r9, %r10, %r11, %r12};
        bar.sync 0; ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [%a4];
        st.global.v4.u32 [%a2], {%r1, %r5, %r9, %r13};";
    let data: Vec<u32> = (0..128).map(|at| (2 * at) | ((2 * at + 1) << 16)).collect();
    let words = clean(body, 32, &data);
    for lane in 0..32usize {
        let (row, pair) = (lane / 4, lane % 4);
        // Matrix 0 has 8 rows of 8 elements, numbered through.
        let element = |r: usize, c: usize| (8 * r + c) as u32;
        let plain = element(row, 2 * pair) | element(row, 2 * pair + 1) << 16;
        let trans = element(2 * pair, row) | element(2 * pair + 1, row) << 16;
        assert_eq!(words[4 * lane..][..4], [data[4 * lane], plain, trans, trans], "lane {lane}");
    }
}

/// What a product of matrices is tried with.
struct Shape {
    name: &'static str,
    m: usize,
    k: usize,
    /// Bits of an element of A and B.
    bits: usize,
    encode: fn(i32) -> u64,
    /// Registers of A, B, C and D.
    counts: [usize; 3],
    /// How C and D are written.
    sum: &'static str,
}

/// Small numbers that every type has.
fn a_of(row: usize, k: usize) -> i32 {
    (row * 3 + k * 5) as i32 % 4
}

fn b_of(k: usize, column: usize) -> i32 {
    (k * 7 + column) as i32 % 3
}

/// Elements of a register, by the rule of the ISA's figures; written here once more, apart from the machine.
fn pack(bits: usize, encode: fn(i32) -> u64, values: impl Iterator<Item = i32>) -> u64 {
    values.enumerate().fold(0, |word, (at, value)| word | encode(value) << (at * bits))
}

fn multiply(shape: &Shape) {
    let Shape { name, m, k, bits, encode, counts: [na, nb, nc], sum } = *shape;
    let p = (32 / bits).max(1);
    let wide = bits == 64;
    let (load, registers) = if wide { ("u64", "%w") } else { ("u32", "%r") };
    let size = if wide { 8 } else { 4 };
    let mut body = format!("mul.wide.u32 %a1, %t, {}; add.s64 %a2, %d, %a1;\n", size * (na + nb + nc));
    let mut names = vec![];
    for at in 0..na + nb + nc {
        body += &format!("ld.global.{load} {registers}{at}, [%a2+{}];\n", at * size);
        names.push(format!("{registers}{at}"));
    }
    let list = |from: usize, n: usize| format!("{{{}}}", names[from..from + n].join(", "));
    let (a, b, c) = (list(0, na), list(na, nb), list(na + nb, nc));
    body += &format!("mma.sync.aligned.{name} {c}, {a}, {b}, {c};\n");
    for at in 0..nc {
        body += &format!("st.global.{load} [%a2+{}], {};\n", (na + nb + at) * size, names[na + nb + at]);
    }
    let number = |value: f64| match sum {
        "f64" => value.to_bits(),
        "f32" => u64::from((value as f32).to_bits()),
        "f16" => u64::from(f16::from_f64(value).to_bits()),
        _ => u64::from(value as i32 as u32),
    };
    let halves = sum == "f16";
    let c_start = |row: usize, column: usize| (row + 2 * column) as f64;
    let c_word = |lane: usize, r: usize, value: &dyn Fn(usize, usize) -> f64| {
        let at = |i: usize| number(value(lane / 4 + 8 * (i / 2), lane % 4 * 2 + i % 2));
        if halves { at(2 * r) | at(2 * r + 1) << 16 } else { at(r) }
    };
    let mut words: Vec<u64> = vec![];
    for lane in 0..32 {
        let (g, t) = (lane / 4, lane % 4);
        for r in 0..na {
            let (row, first) = (g + 8 * (r % 2), p * t + 4 * p * (r / 2));
            words.push(pack(bits, encode, (first..first + p).map(|k| a_of(row, k))));
        }
        for r in 0..nb {
            let first = p * t + 4 * p * r;
            words.push(pack(bits, encode, (first..first + p).map(|k| b_of(k, g))));
        }
        words.extend((0..nc).map(|r| c_word(lane, r, &c_start)));
    }
    let flat: Vec<u32> = words
        .iter()
        .flat_map(|word| if wide { vec![*word as u32, (word >> 32) as u32] } else { vec![*word as u32] })
        .collect();
    let mut bench = Bench::new(Options::default(), &kernel(&body), 4 * flat.len());
    bench.write(&flat);
    let counts = bench.run(Grid::line(1, 32)).unwrap();
    assert_eq!(counts.matrix_flops, 2 * (m * 8 * k) as u64);
    let got = bench.words();
    let got: Vec<u64> = match wide {
        true => got.chunks_exact(2).map(|two| u64::from(two[0]) | u64::from(two[1]) << 32).collect(),
        false => got.into_iter().map(u64::from).collect(),
    };
    let product = |row: usize, column: usize| {
        c_start(row, column) + (0..k).map(|k| f64::from(a_of(row, k) * b_of(k, column))).sum::<f64>()
    };
    for lane in 0..32 {
        for r in 0..nc {
            let at = lane * (na + nb + nc) + na + nb + r;
            assert_eq!(got[at], c_word(lane, r, &product), "{name}: lane {lane}, register {r}");
        }
    }
}

#[test]
fn products_of_all_types() {
    let half = |value: i32| u64::from(f16::from_f32(value as f32).to_bits());
    let brain = |value: i32| u64::from(bf16::from_f32(value as f32).to_bits());
    let single = |value: i32| u64::from((value as f32).to_bits());
    let double = |value: i32| f64::from(value).to_bits();
    let e4m3 = |value: i32| u64::from(round(value.into(), Format::E4m3, Mode::Nearest, true));
    let e5m2 = |value: i32| u64::from(round(value.into(), Format::E5m2, Mode::Nearest, true));
    let byte = |value: i32| u64::from(value as u8);
    let shape = |name, m, k, bits, encode, counts, sum| multiply(&Shape { name, m, k, bits, encode, counts, sum });
    shape("m16n8k8.row.col.f32.f16.f16.f32", 16, 8, 16, half, [2, 1, 4], "f32");
    shape("m16n8k16.row.col.f32.f16.f16.f32", 16, 16, 16, half, [4, 2, 4], "f32");
    shape("m16n8k16.row.col.f16.f16.f16.f16", 16, 16, 16, half, [4, 2, 2], "f16");
    shape("m16n8k8.row.col.f32.bf16.bf16.f32", 16, 8, 16, brain, [2, 1, 4], "f32");
    shape("m16n8k16.row.col.f32.bf16.bf16.f32", 16, 16, 16, brain, [4, 2, 4], "f32");
    shape("m16n8k4.row.col.f32.tf32.tf32.f32", 16, 4, 32, single, [2, 1, 4], "f32");
    shape("m16n8k8.row.col.f32.tf32.tf32.f32", 16, 8, 32, single, [4, 2, 4], "f32");
    shape("m8n8k4.row.col.f64.f64.f64.f64", 8, 4, 64, double, [1, 1, 2], "f64");
    shape("m16n8k8.row.col.f64.f64.f64.f64", 16, 8, 64, double, [4, 2, 4], "f64");
    shape("m16n8k16.row.col.f64.f64.f64.f64", 16, 16, 64, double, [8, 4, 4], "f64");
    shape("m16n8k32.row.col.f32.e4m3.e4m3.f32", 16, 32, 8, e4m3, [4, 2, 4], "f32");
    shape("m16n8k32.row.col.f32.e5m2.e5m2.f32", 16, 32, 8, e5m2, [4, 2, 4], "f32");
    shape("m8n8k16.row.col.s32.s8.s8.s32", 8, 16, 8, byte, [1, 1, 2], "s32");
    shape("m16n8k16.row.col.s32.u8.s8.s32", 16, 16, 8, byte, [2, 1, 4], "s32");
    shape("m16n8k32.row.col.satfinite.s32.s8.u8.s32", 16, 32, 8, byte, [4, 2, 4], "s32");
    shape("m8n8k32.row.col.s32.s4.s4.s32", 8, 32, 4, byte, [1, 1, 2], "s32");
    shape("m16n8k32.row.col.s32.u4.u4.s32", 16, 32, 4, byte, [2, 1, 4], "s32");
    shape("m16n8k64.row.col.s32.s4.u4.s32", 16, 64, 4, byte, [4, 2, 4], "s32");
}

#[test]
fn matrix_instructions_need_the_whole_warp() {
    let body = ".shared .align 16 .b8 s[512]; ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r1}, [s];";
    assert_eq!(fault(body, 16, 1).kind, FaultKind::BadOperand);
    assert_eq!(fault(&body.replace("[s]", "[s+8]"), 32, 1).kind, FaultKind::Misaligned);
    assert_eq!(fault(body, 32, 1).kind, FaultKind::Uninitialized);
}
