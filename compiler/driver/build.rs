//! Gives the crate a number that changes with any source from which code of kernels or artifacts is made: cached code
//! of another compiler is then never found.

#![allow(clippy::print_stdout, reason = "a build script talks to cargo by printing")]

use std::path::{Path, PathBuf};

/// What a compile consists of, from this folder.
const SOURCES: &[&str] = &["..", "../../dialects", "../../runtime/artifact", "../../runtime/tensor"];

fn main() {
    let mut files = vec![PathBuf::from("../../Cargo.lock")];
    for folder in SOURCES {
        collect(Path::new(folder), &mut files);
    }
    files.sort();
    let mut hasher = blake3::Hasher::new();
    for file in &files {
        let name = file.to_string_lossy();
        let content = std::fs::read(file).unwrap_or_default();
        for part in [name.as_bytes(), &content] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        // A new file counts as soon as an old one names it.
        println!("cargo:rerun-if-changed={name}");
    }
    println!("cargo:rustc-env=TENFOLD_BUILD_ID={}", hasher.finalize().to_hex());
}

/// Sources and manifests below a folder; tests make no code.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let is_test = matches!(name.as_str(), "tests" | "examples" | "tests.rs");
        if path.is_dir() && !is_test {
            collect(&path, files);
        } else if !is_test && (name.ends_with(".rs") || name == "Cargo.toml") {
            files.push(path);
        }
    }
}
