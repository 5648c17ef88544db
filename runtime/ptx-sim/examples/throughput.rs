//! How many instructions of threads the simulator executes in a second on one core.
//!
//! `cargo run --release -p ptx-sim --example throughput`
#![allow(clippy::print_stdout, reason = "an example prints")]

use ptx_sim::{Error, Grid, Machine, Options};
use std::time::Instant;

const HEADER: &str = ".version 7.8\n.target sm_80\n.address_size 64\n";

/// Integer and float arithmetic, loads and a branch, in a loop.
const MIXED: &str = "
    .visible .entry k(.param .u64 data) {
    .reg .b64 %a<4>; .reg .b32 %r<9>; .reg .pred %p<2>;
    ld.param.u64 %a1, [data]; mov.u32 %r1, %tid.x; mul.wide.u32 %a2, %r1, 4; add.s64 %a3, %a1, %a2; mov.u32 %r2, 0;
    $L: ld.global.f32 %r3, [%a3]; fma.rn.f32 %r3, %r3, 0f3F000000, 0f3F800000; mad.lo.s32 %r4, %r4, 3, %r2;
    xor.b32 %r5, %r4, %r2; max.f32 %r3, %r3, 0f00000000; st.global.f32 [%a3], %r3;
    add.u32 %r2, %r2, 1; setp.lt.u32 %p1, %r2, 2000; @%p1 bra $L; ret; }";

/// The same on registers alone.
const REGISTERS: &str = "
    .visible .entry k(.param .u64 data) {
    .reg .b32 %r<9>; .reg .pred %p<2>;
    mov.u32 %r2, 0; mov.u32 %r3, 0; mov.u32 %r4, %tid.x;
    $L: fma.rn.f32 %r3, %r3, 0f3F000000, 0f3F800000; mad.lo.s32 %r4, %r4, 3, %r2; xor.b32 %r5, %r4, %r2; shl.b32 %r6, %r5, 3;
    max.f32 %r3, %r3, 0f00000000; add.u32 %r2, %r2, 1; setp.lt.u32 %p1, %r2, 2000; @%p1 bra $L; ret; }";

fn measure(name: &str, body: &str, options: Options) -> Result<(), Error> {
    let mut machine = Machine::new(options);
    let module = machine.load(&format!("{HEADER}{body}"))?;
    let data = machine.alloc(4 * 256)?;
    machine.write(data, &[0; 1024])?;
    let start = Instant::now();
    let counts = machine.launch(module, "k", Grid::line(8, 256), &data.to_le_bytes())?;
    let seconds = start.elapsed().as_secs_f64();
    let rate = counts.thread_instructions as f64 / seconds / 1e6;
    println!(
        "{name:<24} {:>12} thread instructions in {seconds:.3} s: {rate:.0} million/s",
        counts.thread_instructions
    );
    Ok(())
}

fn main() -> Result<(), Error> {
    measure("registers", REGISTERS, Options::default())?;
    measure("with loads and stores", MIXED, Options::default())
}
