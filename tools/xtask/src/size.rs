//! How large things are.

use crate::crates::crates;
use crate::files::{read, root, rust};
use std::fmt::Write;

/// Lines of Rust in each crate, sources and tests apart, and bytes of each program that is built.
///
/// # Errors
/// When git or cargo fail.
pub fn report() -> Result<String, String> {
    let files = rust()?;
    let mut out = format!("{:<24}{:>8}{:>8}\n", "crate", "source", "tests");
    for member in crates()?.values() {
        let (mut source, mut tests) = (0, 0);
        for file in files.iter().filter(|file| file.starts_with(&format!("{}/", member.folder))) {
            let lines = read(file)?.lines().count();
            *(if file.contains("/tests") { &mut tests } else { &mut source }) += lines;
        }
        let _ = writeln!(out, "{:<24}{source:>8}{tests:>8}", member.folder);
    }
    let _ = writeln!(out, "\n{:<24}{:>16}", "program", "bytes");
    for name in ["tenfold", "tenfold-run", "tenfold-opt"] {
        let size = std::fs::metadata(root().join("target/release").join(name)).map(|m| m.len().to_string());
        let _ = writeln!(out, "{name:<24}{:>16}", size.unwrap_or_else(|_| "not built".into()));
    }
    Ok(out)
}
