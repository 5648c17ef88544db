//! Tensor maps, products of warpgroups, and what their operands must not suffer.

use super::{HEADER, fault_of};
use crate::{Error, FaultKind, Grid, Machine, Options, Swizzle, TensorMap};
use half::bf16;

/// A machine with a kernel that takes a tensor map and an address.
struct Tensors {
    machine: Machine,
    module: crate::ModuleId,
    tensor: u64,
    out: u64,
    out_bytes: usize,
}

impl Tensors {
    fn new(seed: u64, text: &str, tensor: &[u8], out_bytes: usize) -> Self {
        let mut machine = Machine::new(Options { sanitize: true, seed, ..Options::default() });
        let module = machine.load(text).unwrap();
        let at = machine.alloc(tensor.len() as u64).unwrap();
        machine.write(at, tensor).unwrap();
        let out = machine.alloc(out_bytes as u64).unwrap();
        machine.write(out, &vec![0; out_bytes]).unwrap();
        Tensors { machine, module, tensor: at, out, out_bytes }
    }

    fn run(&mut self, map: &TensorMap, threads: u32) -> Result<Vec<u8>, Error> {
        let mut params = map.encode().unwrap().to_vec();
        params.extend_from_slice(&self.out.to_le_bytes());
        self.machine.launch(self.module, "k", Grid::line(1, threads), &params)?;
        Ok(self.machine.read(self.out, self.out_bytes)?.to_vec())
    }
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
}

const MAP_KERNEL: &str = ".visible .entry k(.param .align 64 .b8 map[128], .param .u64 out) {
    .shared .align 1024 .b8 s[1024]; .shared .align 8 .b64 m; .reg .b32 %t, %r<9>; .reg .b64 %a<9>; .reg .pred %p<9>;
    mov.b64 %a1, map; cvta.param.u64 %a2, %a1; ld.param.u64 %a3, [out]; mov.u32 %t, %tid.x; setp.eq.u32 %p1, %t, 0;
    @%p1 mbarrier.init.shared.b64 [m], 1; fence.mbarrier_init.release.cluster; bar.sync 0; @!%p1 bra $W;
    prefetch.tensormap [%a2];
    mbarrier.arrive.expect_tx.shared.b64 _, [m], BYTES;
    cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [s], [%a2, {X, Y}], [m];
    $W: mbarrier.try_wait.parity.shared.b64 %p2, [m], 0; @!%p2 bra $W;";

const TO_OUT: &str =
    "mul.wide.u32 %a4, %t, 16; mov.u64 %a5, s; add.s64 %a6, %a5, %a4; ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [%a6];
    add.s64 %a7, %a3, %a4; st.global.v4.u32 [%a7], {%r1, %r2, %r3, %r4}; ret; }";

/// A tensor of 10 rows of 24 words, numbered through.
fn numbered(machine: &Tensors, tile: [u32; 2], swizzle: Swizzle) -> TensorMap {
    let tile = tile.to_vec();
    TensorMap {
        address: machine.tensor,
        element: 4,
        sizes: vec![24, 10],
        strides: vec![96],
        tile,
        swizzle,
        rounds: false,
    }
}

fn tensor() -> Vec<u8> {
    (0..240u32).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn tiles_come_with_zeros_beyond_the_tensor() {
    let text = format!("{HEADER}{MAP_KERNEL}{TO_OUT}").replace("BYTES", "128").replace("X, Y", "20, 8");
    for seed in 0..4 {
        let mut tensors = Tensors::new(seed, &text, &tensor(), 128);
        let map = numbered(&tensors, [8, 4], Swizzle::None);
        let got = words(&tensors.run(&map, 8).unwrap());
        let expected = |at: usize| if at % 8 < 4 && at / 8 < 2 { ((8 + at / 8) * 24 + 20 + at % 8) as u32 } else { 0 };
        assert_eq!(got, (0..32).map(expected).collect::<Vec<_>>());
    }
}

#[test]
fn swizzled_tiles() {
    for (swizzle, row, mask) in [(Swizzle::B32, 8, 1), (Swizzle::B64, 16, 3), (Swizzle::B128, 32, 7)] {
        let sizes = vec![64u64, 8];
        let data: Vec<u8> = (0..512u32).flat_map(u32::to_le_bytes).collect();
        let text =
            format!("{HEADER}{MAP_KERNEL}{TO_OUT}").replace("BYTES", &(row * 32).to_string()).replace("X, Y", "0, 0");
        let mut tensors = Tensors::new(1, &text, &data, row * 32);
        let map = TensorMap {
            address: tensors.tensor,
            element: 4,
            sizes,
            strides: vec![256],
            tile: vec![row as u32, 8],
            swizzle,
            rounds: false,
        };
        let got = words(&tensors.run(&map, (row * 2) as u32).unwrap());
        for (at, value) in got.iter().enumerate() {
            // The piece of 16 bytes within its row of 128 changes with the row.
            let (line, piece) = (at / 32, at / 4 % 8);
            let plain = at / 32 * 32 + (piece ^ (line & mask)) * 4 + at % 4;
            assert_eq!(*value as usize, plain / row * 64 + plain % row, "{swizzle:?} {at}");
        }
    }
}

#[test]
fn tiles_go_back_and_are_added() {
    let back = "mul.wide.u32 %a4, %t, 16; mov.u64 %a5, s; add.s64 %a6, %a5, %a4; ld.shared.u32 %r1, [%a6]; add.u32 %r1, %r1, 1000;
        st.shared.u32 [%a6], %r1; fence.proxy.async.shared::cta; bar.sync 0; @!%p1 bra $E;
        cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%a2, {0, 9}], [s]; cp.async.bulk.commit_group; cp.async.bulk.wait_group 0; $E: ret; }";
    let text = format!("{HEADER}{MAP_KERNEL}{back}").replace("BYTES", "32").replace("X, Y", "8, 1");
    let mut tensors = Tensors::new(3, &text, &tensor(), 4);
    let map = numbered(&tensors, [4, 2], Swizzle::None);
    tensors.run(&map, 2).unwrap();
    let got = words(tensors.machine.read(tensors.tensor, 960).unwrap());
    assert_eq!(got[216..221], [1032, 33, 34, 35, 220]);
    let without = text.replace("fence.proxy.async.shared::cta;", "");
    let mut tensors = Tensors::new(3, &without, &tensor(), 4);
    let error = tensors.run(&map, 2).unwrap_err();
    assert!(matches!(&error, Error::Fault(fault) if fault.kind == FaultKind::Race), "{error}");
}

#[test]
fn loads_round_to_tf32_where_the_map_says_so() {
    // Ties go to even, what is above carries on, and what is no number stays.
    let pairs = [
        (0x3f80_1000, 0x3f80_0000),
        (0x3f80_3000, 0x3f80_4000),
        (0x3f80_1001, 0x3f80_2000),
        (0xbfff_ffff, 0xc000_0000),
        (0x7f7f_ffff, 0x7f80_0000),
        (0x7f80_0000, 0x7f80_0000),
        (0x7fc0_0001, 0x7fc0_0001),
        (0x0000_1001, 0x0000_2000),
    ];
    let data: Vec<u8> = pairs.iter().flat_map(|(from, _): &(u32, u32)| from.to_le_bytes()).collect();
    let text = format!("{HEADER}{MAP_KERNEL}{TO_OUT}").replace("BYTES", "32").replace("X, Y", "0, 0");
    for seed in 0..4 {
        let mut tensors = Tensors::new(seed, &text, &data, 32);
        let map = TensorMap {
            address: tensors.tensor,
            element: 4,
            sizes: vec![8, 1],
            strides: vec![32],
            tile: vec![8, 1],
            swizzle: Swizzle::None,
            rounds: true,
        };
        let expected: Vec<u32> = pairs.iter().map(|(_, to)| *to).collect();
        assert_eq!(words(&tensors.run(&map, 2).unwrap()), expected);
    }
}

#[test]
fn maps_that_cannot_be() {
    let good = TensorMap {
        address: 0,
        element: 2,
        sizes: vec![64, 2],
        strides: vec![128],
        tile: vec![64, 2],
        swizzle: Swizzle::B128,
        rounds: false,
    };
    assert!(good.encode().is_ok());
    assert!(TensorMap { swizzle: Swizzle::B64, ..good.clone() }.encode().is_err());
    assert!(TensorMap { strides: vec![100], ..good.clone() }.encode().is_err());
    assert!(TensorMap { tile: vec![3, 2], ..good.clone() }.encode().is_err());
    assert!(TensorMap { strides: vec![1 << 40], ..good.clone() }.encode().is_err());
    assert!(TensorMap { sizes: vec![64, (1 << 32) + 1], ..good.clone() }.encode().is_err());
    assert!(TensorMap { rounds: true, ..good.clone() }.encode().is_err());
    assert!(TensorMap { sizes: vec![], ..good }.encode().is_err());
}

/// How a matrix lies in shared memory.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    /// 8 by 16-byte pieces in a row.
    Pieces,
    /// Rows of 32, 64 or 128 bytes, swizzled.
    Swizzled(u64),
}

/// The descriptor's bits, with no start, and the offset of each byte of rows of `bytes` bytes.
fn layout(layout: Layout, rows: u64) -> (u64, impl Fn(u64, u64) -> u64) {
    let span = if let Layout::Swizzled(span) = layout { span } else { 16 };
    let (code, leading, stride) = match layout {
        Layout::Pieces => (0u64, rows * 16, 128),
        Layout::Swizzled(128) => (1, 16, 1024),
        Layout::Swizzled(64) => (2, 16, 512),
        Layout::Swizzled(_) => (3, 16, 256),
    };
    let bits = code << 62 | (leading / 16) << 16 | (stride / 16) << 32;
    let offset = move |row: u64, byte: u64| match layout {
        Layout::Pieces => byte / 16 * leading + row / 8 * stride + row % 8 * 16 + byte % 16,
        Layout::Swizzled(_) => {
            let at = row * span + byte;
            at ^ ((at >> 7) & (span / 16 - 1)) << 4
        }
    };
    (bits, offset)
}

fn a_of(row: usize, k: usize) -> i32 {
    (row * 3 + k * 5) as i32 % 5 - 2
}

fn b_of(k: usize, column: usize) -> i32 {
    (k * 7 + column * 2) as i32 % 3 - 1
}

/// A kernel that copies its data to shared memory (A at 0, B at 8192) and multiplies 64 by 16 by 16 in bf16.
fn product_kernel(a: &str, trans: &str, change: impl Fn(String) -> String) -> String {
    let text = format!(
        "{HEADER}.visible .entry k(.param .u64 data) {{ .shared .align 1024 .b8 s[16384]; .reg .b32 %t, %r<40>; .reg .b64 %a<30>; .reg .pred %p<9>;
        ld.param.u64 %a1, [data]; mov.u32 %t, %tid.x; mul.wide.u32 %a2, %t, 16; add.s64 %a3, %a1, %a2; mov.u64 %a4, s; add.s64 %a5, %a4, %a2;
        mov.u32 %r30, 0; $L: ld.global.v4.u32 {{%r1, %r2, %r3, %r4}}, [%a3]; st.shared.v4.u32 [%a5], {{%r1, %r2, %r3, %r4}};
        add.s64 %a3, %a3, 2048; add.s64 %a5, %a5, 2048; add.u32 %r30, %r30, 1; setp.lt.u32 %p1, %r30, 8; @%p1 bra $L;
        fence.proxy.async; bar.sync 0; ld.global.v2.u64 {{%a10, %a11}}, [%a1+16384]; shr.u64 %a12, %a4, 4; add.s64 %a10, %a10, %a12;
        add.s64 %a11, %a11, 512; add.s64 %a11, %a11, %a12; mul.wide.u32 %a13, %t, 16; add.s64 %a14, %a1, %a13;
        ld.global.v4.u32 {{%r20, %r21, %r22, %r23}}, [%a14+16400];
        mov.b32 %r10, 0f40000000; mov.b32 %r11, 0f40000000; mov.b32 %r12, 0f40000000; mov.b32 %r13, 0f40000000;
        mov.b32 %r14, 0f40000000; mov.b32 %r15, 0f40000000; mov.b32 %r16, 0f40000000; mov.b32 %r17, 0f40000000;
        setp.eq.u32 %p2, 1, 1; wgmma.fence.sync.aligned;
        wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {{%r10, %r11, %r12, %r13, %r14, %r15, %r16, %r17}}, {a}, %a11, %p2, 1, 1{trans};
        wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;
        shl.b32 %r31, %t, 5; cvt.u64.u32 %a15, %r31; add.s64 %a16, %a1, %a15;
        st.global.v4.u32 [%a16], {{%r10, %r11, %r12, %r13}}; st.global.v4.u32 [%a16+16], {{%r14, %r15, %r16, %r17}}; ret; }}"
    );
    change(text)
}

/// Data for such a kernel: 16 KiB of shared memory, two descriptors, A for the registers of each thread.
fn product_data(left: Layout, right: Layout, transposed: bool) -> Vec<u8> {
    let mut data = vec![0u8; 16384 + 16 + 128 * 16];
    let number = |value: i32| bf16::from_f32(value as f32).to_bits().to_le_bytes();
    let (a_bits, a_at) = layout(left, 64);
    let (b_bits, b_at) = layout(right, 16);
    for k in 0..16 {
        for row in 0..64 {
            let at = a_at(row as u64, 2 * k as u64) as usize;
            data[at..at + 2].copy_from_slice(&number(a_of(row, k)));
        }
        for column in 0..16 {
            // Transposed with rows of 32 bytes: k takes the place of the rows.
            let (row, byte) = if transposed { (k, 2 * column) } else { (column, 2 * k) };
            let at = 8192 + b_at(row as u64, byte as u64) as usize;
            data[at..at + 2].copy_from_slice(&number(b_of(k, column)));
        }
    }
    data[16384..16392].copy_from_slice(&a_bits.to_le_bytes());
    data[16392..16400].copy_from_slice(&b_bits.to_le_bytes());
    for thread in 0..128 {
        for r in 0..4 {
            for half in 0..2 {
                let (row, k) = (thread / 32 * 16 + thread % 32 / 4 + 8 * (r % 2), thread % 4 * 2 + half + 8 * (r / 2));
                let at = 16400 + thread * 16 + r * 4 + half * 2;
                data[at..at + 2].copy_from_slice(&number(a_of(row, k)));
            }
        }
    }
    data
}

fn check_product(text: &str, data: &[u8]) {
    let mut machine = Machine::new(Options { sanitize: true, ..Options::default() });
    let module = machine.load(text).unwrap();
    let at = machine.alloc(data.len() as u64).unwrap();
    machine.write(at, data).unwrap();
    // The results take the place of A: nobody reads it any more.
    let counts = machine.launch(module, "k", Grid::line(1, 128), &at.to_le_bytes()).unwrap();
    assert_eq!(counts.matrix_flops, 2 * 64 * 16 * 16);
    let got = words(machine.read(at, 4096).unwrap());
    for thread in 0..128 {
        for i in 0..8 {
            let row = thread / 32 * 16 + thread % 32 / 4 + 8 * (i / 2 % 2);
            let column = 8 * (i / 4) + thread % 4 * 2 + i % 2;
            let expected = 2 + (0..16).map(|k| a_of(row, k) * b_of(k, column)).sum::<i32>();
            assert_eq!(f32::from_bits(got[thread * 8 + i]), expected as f32, "{row} {column}");
        }
    }
}

#[test]
fn products_of_warpgroups_in_every_layout() {
    let same = |text: String| text;
    for left in [Layout::Pieces, Layout::Swizzled(32), Layout::Swizzled(64), Layout::Swizzled(128)] {
        for right in [Layout::Pieces, Layout::Swizzled(32), Layout::Swizzled(128)] {
            check_product(&product_kernel("%a10", ", 0, 0", same), &product_data(left, right, false));
        }
    }
    let registers = "{%r20, %r21, %r22, %r23}";
    check_product(&product_kernel(registers, ", 0", same), &product_data(Layout::Pieces, Layout::Swizzled(64), false));
    let data = product_data(Layout::Pieces, Layout::Swizzled(32), true);
    check_product(&product_kernel("%a10", ", 0, 1", same), &data);
}

#[test]
fn products_must_be_waited_for_and_fenced() {
    let found = |a: &str, from: &str, to: &str| {
        let text = product_kernel(a, if a == "%a10" { ", 0, 0" } else { ", 0" }, |text| {
            assert!(text.contains(from));
            text.replacen(from, to, 1)
        });
        let mut machine = Machine::new(Options { sanitize: true, ..Options::default() });
        let module = machine.load(&text).unwrap();
        let data = product_data(Layout::Pieces, Layout::Pieces, false);
        let at = machine.alloc(data.len() as u64).unwrap();
        machine.write(at, &data).unwrap();
        match machine.launch(module, "k", Grid::line(1, 128), &at.to_le_bytes()) {
            Err(Error::Fault(fault)) => fault.kind,
            other => panic!("a fault was expected, not {other:?}"),
        }
    };
    assert_eq!(found("%a10", "wgmma.wait_group.sync.aligned 0;", ""), FaultKind::NotWaitedFor);
    assert_eq!(
        found("%a10", "wgmma.wait_group.sync.aligned 0;", "wgmma.wait_group.sync.aligned 1;"),
        FaultKind::NotWaitedFor
    );
    assert_eq!(found("%a10", "wgmma.fence.sync.aligned;", ""), FaultKind::NotWaitedFor);
    assert_eq!(found("%a10", "fence.proxy.async;", ""), FaultKind::Race);
    let write = "wgmma.commit_group.sync.aligned; st.shared.u32 [s+8192], 0;";
    assert_eq!(found("%a10", "wgmma.commit_group.sync.aligned;", write), FaultKind::NotWaitedFor);
    let registers = "{%r20, %r21, %r22, %r23}";
    let change = "wgmma.commit_group.sync.aligned; add.u32 %r21, %r21, 1;";
    assert_eq!(found(registers, "wgmma.commit_group.sync.aligned;", change), FaultKind::NotWaitedFor);
    // A copy of a sum is as forbidden as the sum.
    let copied = "wgmma.commit_group.sync.aligned; mov.b32 %r32, %r10; add.u32 %r33, %r32, 1;";
    assert_eq!(found("%a10", "wgmma.commit_group.sync.aligned;", copied), FaultKind::NotWaitedFor);
}

#[test]
fn shapes_that_do_not_exist_are_refused() {
    for bad in
        ["m64n12k16.f32.bf16.bf16", "m64n16k8.f32.bf16.bf16", "m64n16k16.s32.bf16.bf16", "m64n16k16.f32.bf16.f16"]
    {
        let text = product_kernel("%a10", ", 0, 0", |text| text.replace("m64n16k16.f32.bf16.bf16", bad));
        assert!(matches!(Machine::new(Options::default()).load(&text), Err(Error::Unknown { .. })), "{bad}");
    }
}

#[test]
fn multicast_reaches_all_blocks_of_a_cluster() {
    let text = format!(
        "{HEADER}.visible .entry k(.param .u64 data) .reqnctapercluster 2, 1, 1\n{{ .shared .align 128 .b8 s[64]; .shared .align 8 .b64 m;
        .reg .b32 %r<9>; .reg .b64 %a<9>; .reg .pred %p<9>; .reg .b16 %h;
        ld.param.u64 %a1, [data]; mov.u32 %r1, %ctaid.x; mbarrier.init.shared.b64 [m], 1; mbarrier.arrive.expect_tx.shared.b64 _, [m], 64;
        fence.mbarrier_init.release.cluster; barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned; setp.eq.u32 %p1, %r1, 1; mov.b16 %h, 3;
        @%p1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [s], [%a1], 64, [m], %h;
        $W: mbarrier.try_wait.parity.shared.b64 %p2, [m], 0; @!%p2 bra $W; ld.shared.u32 %r2, [s+60];
        mul.wide.u32 %a2, %r1, 4; add.s64 %a3, %a1, %a2; st.global.u32 [%a3+64], %r2; ret; }}"
    );
    for seed in 0..4 {
        let mut bench = super::Bench::new(Options { seed, ..Options::default() }, &text, 72);
        bench.write(&(0..18).collect::<Vec<_>>());
        bench.run(Grid::line(2, 1)).unwrap();
        assert_eq!(bench.words()[16..], [15, 15]);
    }
    let missing = text.replace("mov.b16 %h, 3", "mov.b16 %h, 2");
    assert_eq!(fault_of(&missing, Grid::line(2, 1), 18).kind, FaultKind::Deadlock);
}
