//! Calling the binary, for all tests of it.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

pub mod onnx;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of a small model of the repository, in ONNX's test layout.
pub fn small(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/models/small").join(name)
}

/// The binary. A test compiles what it tests, so there is no cache.
pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenfold"));
    command.current_dir(folder).args(arguments).env("TENFOLD_CACHE_DIR", "");
    command
}

pub fn tenfold(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
pub fn success(folder: &Path, arguments: &[&str]) -> String {
    let output = tenfold(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    stdout(&output)
}

/// The command fails with this code, says so, and writes no result and no file.
#[track_caller]
pub fn failure(folder: &Path, arguments: &[&str], code: i32, expected: &str) {
    let files = || std::fs::read_dir(folder).unwrap().count();
    let before = files();
    let output = tenfold(folder, arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(text.contains(expected) && !text.contains("panicked"), "{arguments:?}: {text}");
    assert_eq!(files(), before, "{arguments:?} left a file");
}

pub fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A folder with the model `resnet` as `m.onnx` and an input for it.
pub fn workplace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(small("resnet").join("model.onnx"), folder.path().join("m.onnx")).unwrap();
    std::fs::copy(small("resnet").join("test_data_set_0/input_0.pb"), folder.path().join("x.pb")).unwrap();
    folder
}
