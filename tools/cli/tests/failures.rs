//! Bad models, inputs, artifacts and devices: each ends in one clear error with the right exit code.

mod common;

use common::{failure, json, small, stdout, success, tenfold, workplace};
use std::path::Path;
use std::process::Command;
use tensor::Tensor;

#[test]
fn checking_names_what_is_not_supported() {
    let folder = workplace();
    let at = folder.path();
    assert_eq!(json(&success(at, &["check", "m.onnx", "--json"]))["supported"], true);
    // The operator's name stands in the file as text of a length that is written before it.
    rename(&at.join("m.onnx"), b"\x22\x04Relu", b"\x22\x04Relx", &at.join("unknown.onnx"));
    let output = tenfold(at, &["check", "unknown.onnx", "--json"]);
    assert_eq!(output.status.code(), Some(4));
    let problems = json(&stdout(&output))["problems"].as_array().unwrap().clone();
    assert!(problems.len() > 1, "all of them are told: {problems:?}");
    assert!(
        problems.iter().all(|problem| problem["node"]["op_type"] == "Relx" && problem["code"] == "E1003"),
        "{problems:?}"
    );
    failure(at, &["compile", "unknown.onnx", "-o", "o.tenfold"], 4, "`Relx`");
    failure(at, &["run", "unknown.onnx", "--random-inputs", "1"], 4, "`Relx`");
}

/// Replaces bytes of a file by as many others.
fn rename(from: &Path, old: &[u8], new: &[u8], to: &Path) {
    let mut bytes = std::fs::read(from).unwrap();
    let places: Vec<usize> = (0..bytes.len() - old.len()).filter(|at| &bytes[*at..*at + old.len()] == old).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + new.len()].copy_from_slice(new);
    }
    std::fs::write(to, bytes).unwrap();
}

#[test]
fn bad_models() {
    let folder = workplace();
    let at = folder.path();
    let bytes = std::fs::read(at.join("m.onnx")).unwrap();
    std::fs::write(at.join("empty.onnx"), []).unwrap();
    std::fs::write(at.join("text.onnx"), "version https://git-lfs.github.com/spec/v1\n").unwrap();
    std::fs::write(at.join("renamed.tenfold"), &bytes).unwrap();
    std::fs::create_dir(at.join("folder.onnx")).unwrap();
    for part in [1, 2, 3] {
        std::fs::write(at.join("cut.onnx"), &bytes[..bytes.len() * part / 4]).unwrap();
        failure(at, &["compile", "cut.onnx", "-o", "o.tenfold"], 3, "cut.onnx");
    }
    failure(at, &["compile", "empty.onnx", "-o", "o.tenfold"], 3, "the file is empty");
    failure(at, &["compile", "text.onnx", "-o", "o.tenfold"], 3, "not a readable ONNX model");
    failure(at, &["compile", "none.onnx", "-o", "o.tenfold"], 3, "none.onnx");
    failure(at, &["compile", "folder.onnx", "-o", "o.tenfold"], 3, "it is a folder");
    failure(at, &["run", "renamed.tenfold", "--random-inputs", "1"], 3, "not a tenfold artifact");
    failure(at, &["check", "empty.onnx"], 3, "not valid");
    failure(at, &["compile", "m.onnx", "-o", "no/where/o.tenfold"], 3, "cannot write");
}

#[test]
fn bad_inputs() {
    let folder = workplace();
    let at = folder.path();
    let save =
        |name: &str, tensor: &Tensor| npy::write(tensor, &mut std::fs::File::create(at.join(name)).unwrap()).unwrap();
    save("f64.npy", &Tensor::from_vec(vec![1, 3, 32, 32], vec![0.0f64; 3072]));
    save("shape.npy", &Tensor::from_vec(vec![1, 3, 32, 31], vec![0.0f32; 2976]));
    save("rank.npy", &Tensor::from_vec(vec![3, 32, 32], vec![0.0f32; 3072]));
    std::fs::write(at.join("bad.npy"), "hello").unwrap();
    std::fs::write(at.join("bad.pb"), [0xff; 9]).unwrap();
    success(at, &["compile", "m.onnx", "-o", "m.tenfold"]);
    for model in ["m.onnx", "m.tenfold"] {
        failure(at, &["run", model], 3, "missing inputs: x");
        failure(at, &["run", model, "--input", "x=f64.npy"], 3, "input `x`: got f64[1,3,32,32], the model takes");
        failure(at, &["run", model, "--input", "x=shape.npy"], 3, "axis 3 is 31, it must be 32");
        failure(at, &["run", model, "--input", "x=rank.npy"], 3, "got f32[3,32,32]");
        failure(at, &["run", model, "--input", "x=bad.npy"], 3, "`bad.npy`: not a valid npy file");
        failure(at, &["run", model, "--input", "x=bad.pb"], 3, "`bad.pb`");
        failure(at, &["run", model, "--input", "z=x.pb"], 3, "no input `z`");
        failure(at, &["run", model, "--input", "x=none.npy"], 3, "cannot read `none.npy`");
    }
    failure(at, &["run", "m.onnx", "--input", "x=x.pb", "--dim", "batch=7"], 3, "axis 0 (`batch`) is 2, it must be 7");
}

#[test]
fn bad_artifacts() {
    let folder = workplace();
    let at = folder.path();
    success(at, &["compile", "m.onnx", "-o", "m.tenfold"]);
    let bytes = std::fs::read(at.join("m.tenfold")).unwrap();
    for part in [0, 1, 2, 3] {
        std::fs::write(at.join("cut.tenfold"), &bytes[..bytes.len() * part / 4]).unwrap();
        failure(at, &["run", "cut.tenfold", "--random-inputs", "1"], 3, "cut short");
    }
    let mut future = bytes.clone();
    future[8] = 99;
    std::fs::write(at.join("future.tenfold"), future).unwrap();
    failure(
        at,
        &["run", "future.tenfold", "--random-inputs", "1"],
        3,
        "`future.tenfold`: the artifact has format version 99",
    );
    std::fs::write(at.join("renamed.onnx"), &bytes).unwrap();
    failure(at, &["compile", "renamed.onnx", "-o", "o.tenfold"], 3, "renamed.onnx");
    success(at, &["compile", "m.onnx", "-o", "gpu.tenfold", "--target", "nvptx:sm_90a"]);
    failure(at, &["run", "gpu.tenfold", "--random-inputs", "1"], 6, "it was compiled for nvptx:sm_90a");
}

#[test]
fn devices_and_usage() {
    let folder = workplace();
    let at = folder.path();
    failure(at, &["run", "m.onnx", "--random-inputs", "1", "--device", "cuda:9999"], 6, "cuda:9999 is not available");
    failure(at, &["bench", "m.onnx", "--device", "cuda:9999"], 6, "cuda:9999 is not available");
    failure(at, &["test", small("resnet").to_str().unwrap(), "--device", "cuda:9999"], 6, "cuda:9999 is not available");
    failure(at, &["run", "m.onnx", "--device", "gpu"], 2, "is not host, cuda, cuda:N, sim or sim:sm_NN");
    failure(at, &["compile", "m.onnx", "-o", "o.tenfold", "--target", "nvptx:sm_1"], 2, "unknown target");
    failure(at, &["compile", "m.onnx"], 2, "Usage");
    failure(at, &["compile", "m.onnx", "-o", "o.tenfold", "--numerics", "loose"], 2, "unknown numerics contract");
    failure(at, &["explain", "E0000"], 2, "there is no code");
    failure(at, &[], 2, "Usage");
    let found = json(&success(at, &["doctor", "--json"]));
    assert!(found["llvm"].as_str().unwrap().starts_with("22."), "{found}");
    assert_eq!(found["sim"]["plays"], "sm_90");
    let played = found["sim"]["devices"].as_array().unwrap();
    assert!(played.contains(&"sim:sm_75".into()) && played.contains(&"sim:sm_90a".into()), "{found}");
    assert!(success(at, &["doctor"]).contains("--device sim"));
    assert!(json(&success(at, &["ops", "--json"]))["supported"].as_array().unwrap().len() > 100);
    assert!(success(at, &["completions", "bash"]).contains("tenfold"));
    assert!(success(at, &["explain", "E1003"]).contains("not supported"));
}

#[cfg(unix)]
#[test]
fn a_crash_is_our_bug_and_leaves_a_reproducer() {
    use std::os::unix::process::CommandExt;
    let folder = workplace();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenfold"));
    command.env("TENFOLD_CACHE_DIR", "");
    command.current_dir(folder.path()).args(["bench", "m.onnx", "--duration", "60"]).env("TMPDIR", folder.path());
    let child = command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    // By then it has set up its handler, and has long not ended.
    std::thread::sleep(std::time::Duration::from_secs(3));
    // The shell's own `kill`: not every system has the program.
    let kill = format!("kill -ABRT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{text}");
    let place = text.lines().find_map(|line| line.strip_prefix("reproducer: ")).unwrap();
    let report = std::fs::read_to_string(Path::new(place).join("report.txt")).unwrap();
    assert!(report.contains("bench m.onnx") && report.ends_with("crash: SIGABRT\n"), "{report}");
}
