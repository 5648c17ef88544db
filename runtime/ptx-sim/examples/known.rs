//! Tells what of PTX files the simulator does not know: `cargo run --release -p ptx-sim --example known FILE...`
#![allow(clippy::print_stdout, reason = "an example prints")]

use ptx_sim::{Machine, Options};

fn main() -> std::io::Result<()> {
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path)?;
        match Machine::new(Options::default()).load(&text) {
            Ok(_) => println!("{path}: all is known"),
            Err(error) => println!("{path}: {error}"),
        }
    }
    Ok(())
}
