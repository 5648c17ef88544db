//! The binary, from outside: results, exit codes, and that bad input ends in one clear error.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tensor::Tensor;

/// The folder of a small model of the repository, in ONNX's test layout.
fn small(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/models/small")
        .join(name)
}

fn tenfold(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tenfold"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn success(folder: &Path, arguments: &[&str]) -> String {
    let output = tenfold(folder, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    stdout(&output)
}

/// The command fails with this code, says so, and writes no result and no file.
#[track_caller]
fn failure(folder: &Path, arguments: &[&str], code: i32, expected: &str) {
    let files = || std::fs::read_dir(folder).unwrap().count();
    let before = files();
    let output = tenfold(folder, arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(
        text.contains(expected) && !text.contains("panicked"),
        "{arguments:?}: {text}"
    );
    assert_eq!(files(), before, "{arguments:?} left a file");
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A folder with the model `resnet` as `m.onnx` and an input for it.
fn workplace() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(
        small("resnet").join("model.onnx"),
        folder.path().join("m.onnx"),
    )
    .unwrap();
    std::fs::copy(
        small("resnet").join("test_data_set_0/input_0.pb"),
        folder.path().join("x.pb"),
    )
    .unwrap();
    folder
}

#[test]
fn a_model_compiles_and_runs() {
    let folder = workplace();
    let at = folder.path();
    success(
        at,
        &[
            "compile",
            "m.onnx",
            "-o",
            "m.tenfold",
            "--dump-dir",
            "dumps",
            "--time",
        ],
    );
    for name in ["10-imported.graph", "30-optimized.graph", "40-plan.txt"] {
        assert!(at.join("dumps").join(name).exists(), "{name}");
    }
    let text = success(
        at,
        &[
            "run",
            "m.tenfold",
            "--input",
            "x=x.pb",
            "--outputs",
            "artifact.npz",
        ],
    );
    assert!(text.starts_with("logits: f32["), "{text}");
    success(
        at,
        &[
            "run",
            "m.onnx",
            "--input",
            "x=x.pb",
            "--outputs",
            "model.npz",
            "--threads",
            "1",
        ],
    );
    let [artifact, model] =
        ["artifact.npz", "model.npz"].map(|name| std::fs::read(at.join(name)).unwrap());
    assert_eq!(artifact.len(), model.len());
    let answer = json(&success(
        at,
        &[
            "run",
            "m.tenfold",
            "--random-inputs",
            "1",
            "--dim",
            "batch=3",
            "--json",
        ],
    ));
    assert_eq!(answer["outputs"][0]["shape"], serde_json::json!([3, 10]));
}

#[test]
fn the_same_model_gives_the_same_artifact() {
    let folder = workplace();
    let at = folder.path();
    success(
        at,
        &["compile", "m.onnx", "-o", "a.tenfold", "--threads", "1"],
    );
    success(
        at,
        &["compile", "m.onnx", "-o", "b.tenfold", "--threads", "2"],
    );
    assert_eq!(
        std::fs::read(at.join("a.tenfold")).unwrap(),
        std::fs::read(at.join("b.tenfold")).unwrap()
    );
}

#[test]
fn ptx_of_several_targets_in_one_artifact() {
    let folder = workplace();
    let targets = [
        "--target",
        "nvptx:sm_75",
        "--target",
        "nvptx:sm_90a",
        "--target",
        "host",
    ];
    let all = [
        &[
            "compile",
            "m.onnx",
            "-o",
            "fat.tenfold",
            "--json",
            "--dump-dir",
            "d",
        ],
        &targets[..],
    ]
    .concat();
    let report = json(&success(folder.path(), &all));
    assert_eq!(report["targets"].as_array().unwrap().len(), 3);
    assert!(report["phases"].as_array().unwrap().len() >= 7);
    let names: Vec<String> = std::fs::read_dir(folder.path().join("d"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(
        names
            .iter()
            .any(|name| name.ends_with(".ptx") && name.contains("sm_75")),
        "{names:?}"
    );
    success(
        folder.path(),
        &["run", "fat.tenfold", "--random-inputs", "1"],
    );
}

#[test]
fn graphs_print_and_are_read_back() {
    let folder = workplace();
    let at = folder.path();
    let imported = success(at, &["dump", "m.onnx", "--to", "import", "--constants"]);
    assert!(imported.contains("= conv "), "{imported}");
    std::fs::write(at.join("g.graph"), &imported).unwrap();
    let direct = success(at, &["dump", "m.onnx", "--to", "optimize", "--constants"]);
    assert_eq!(
        success(
            at,
            &[
                "dump",
                "g.graph",
                "--from",
                "canonicalize",
                "--to",
                "optimize",
                "--constants"
            ]
        ),
        direct
    );
    success(
        at,
        &[
            "compile",
            "g.graph",
            "--from",
            "canonicalize",
            "-o",
            "g.tenfold",
        ],
    );
    success(at, &["run", "g.tenfold", "--input", "x=x.pb"]);
    assert!(
        success(
            at,
            &["dump", "m.onnx", "--to", "emit", "--target", "nvptx:sm_80"]
        )
        .contains(".target sm_80")
    );
    failure(
        at,
        &["dump", "g.graph", "--from", "lower", "--to", "emit"],
        2,
        "cannot go from",
    );
    failure(
        at,
        &["dump", "m.onnx", "--to", "nowhere"],
        2,
        "a phase is one of",
    );
    std::fs::write(
        at.join("bad.graph"),
        "graph @g(%x: f32[2]) { %y = frob %x return %y }",
    )
    .unwrap();
    failure(
        at,
        &[
            "compile",
            "bad.graph",
            "--from",
            "canonicalize",
            "-o",
            "o.tenfold",
        ],
        3,
        "bad.graph:1:",
    );
}

#[test]
fn comparing_with_the_evaluator_and_with_files() {
    let folder = workplace();
    let at = folder.path();
    let text = success(
        at,
        &[
            "compare",
            "m.onnx",
            "--against",
            "evaluator",
            "--input",
            "x=x.pb",
        ],
    );
    assert!(text.contains("1 values are equal"), "{text}");
    let answer = json(&success(
        at,
        &[
            "compare",
            "m.onnx",
            "--against",
            "evaluator",
            "--random-inputs",
            "3",
            "--all-nodes",
            "--json",
        ],
    ));
    assert!(answer["compared"].as_u64().unwrap() > 5, "{answer}");
    let wrong = Tensor::from_vec(vec![1, 10], vec![0.5f32; 10]);
    npy::save_npz(&at.join("wrong.npz"), [("logits", &wrong)]).unwrap();
    let output = tenfold(
        at,
        &[
            "compare",
            "m.onnx",
            "--against",
            "wrong.npz",
            "--random-inputs",
            "1",
        ],
    );
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(
        text.contains("first difference: `logits`")
            && text.contains("ULP")
            && text.contains("relative"),
        "{text}"
    );
    npy::save_npz(&at.join("other.npz"), [("nothing", &wrong)]).unwrap();
    failure(
        at,
        &[
            "compare",
            "m.onnx",
            "--against",
            "other.npz",
            "--random-inputs",
            "1",
        ],
        3,
        "has no value of this model",
    );
}

#[test]
fn benchmarks_for_machines() {
    let folder = workplace();
    let answer = json(&success(
        folder.path(),
        &[
            "bench",
            "m.onnx",
            "--runs",
            "3",
            "--duration",
            "0",
            "--json",
        ],
    ));
    for key in ["median", "p10", "p90"] {
        assert!(
            answer["latency_ms"][key].as_f64().unwrap() > 0.0,
            "{answer}"
        );
    }
    assert!(answer["compile_ms"].as_f64().unwrap() > 0.0);
    assert!(
        answer["kernels"]
            .as_array()
            .unwrap()
            .iter()
            .all(|kernel| kernel["nodes"].is_array())
    );
}

#[test]
fn checking_names_what_is_not_supported() {
    let folder = workplace();
    let at = folder.path();
    assert_eq!(
        json(&success(at, &["check", "m.onnx", "--json"]))["supported"],
        true
    );
    // The operator's name stands in the file as text of a length that is written before it.
    rename(
        &at.join("m.onnx"),
        b"\x22\x04Relu",
        b"\x22\x04Relx",
        &at.join("unknown.onnx"),
    );
    let output = tenfold(at, &["check", "unknown.onnx", "--json"]);
    assert_eq!(output.status.code(), Some(4));
    let problems = json(&stdout(&output))["problems"]
        .as_array()
        .unwrap()
        .clone();
    assert!(problems.len() > 1, "all of them are told: {problems:?}");
    assert!(
        problems
            .iter()
            .all(|problem| problem["node"]["op_type"] == "Relx" && problem["code"] == "E1003"),
        "{problems:?}"
    );
    failure(
        at,
        &["compile", "unknown.onnx", "-o", "o.tenfold"],
        4,
        "`Relx`",
    );
    failure(
        at,
        &["run", "unknown.onnx", "--random-inputs", "1"],
        4,
        "`Relx`",
    );
}

/// Replaces bytes of a file by as many others.
fn rename(from: &Path, old: &[u8], new: &[u8], to: &Path) {
    let mut bytes = std::fs::read(from).unwrap();
    let places: Vec<usize> = (0..bytes.len() - old.len())
        .filter(|at| &bytes[*at..*at + old.len()] == old)
        .collect();
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
    std::fs::write(
        at.join("text.onnx"),
        "version https://git-lfs.github.com/spec/v1\n",
    )
    .unwrap();
    std::fs::write(at.join("renamed.tenfold"), &bytes).unwrap();
    std::fs::create_dir(at.join("folder.onnx")).unwrap();
    for part in [1, 2, 3] {
        std::fs::write(at.join("cut.onnx"), &bytes[..bytes.len() * part / 4]).unwrap();
        failure(
            at,
            &["compile", "cut.onnx", "-o", "o.tenfold"],
            3,
            "cut.onnx",
        );
    }
    failure(
        at,
        &["compile", "empty.onnx", "-o", "o.tenfold"],
        3,
        "the file is empty",
    );
    failure(
        at,
        &["compile", "text.onnx", "-o", "o.tenfold"],
        3,
        "not a readable ONNX model",
    );
    failure(
        at,
        &["compile", "none.onnx", "-o", "o.tenfold"],
        3,
        "none.onnx",
    );
    failure(
        at,
        &["compile", "folder.onnx", "-o", "o.tenfold"],
        3,
        "it is a folder",
    );
    failure(
        at,
        &["run", "renamed.tenfold", "--random-inputs", "1"],
        3,
        "not a tenfold artifact",
    );
    failure(at, &["check", "empty.onnx"], 3, "not valid");
    failure(
        at,
        &["compile", "m.onnx", "-o", "no/where/o.tenfold"],
        3,
        "cannot write",
    );
}

#[test]
fn bad_inputs() {
    let folder = workplace();
    let at = folder.path();
    let save = |name: &str, tensor: &Tensor| {
        npy::write(tensor, &mut std::fs::File::create(at.join(name)).unwrap()).unwrap()
    };
    save(
        "f64.npy",
        &Tensor::from_vec(vec![1, 3, 32, 32], vec![0.0f64; 3072]),
    );
    save(
        "shape.npy",
        &Tensor::from_vec(vec![1, 3, 32, 31], vec![0.0f32; 2976]),
    );
    save(
        "rank.npy",
        &Tensor::from_vec(vec![3, 32, 32], vec![0.0f32; 3072]),
    );
    std::fs::write(at.join("bad.npy"), "hello").unwrap();
    std::fs::write(at.join("bad.pb"), [0xff; 9]).unwrap();
    success(at, &["compile", "m.onnx", "-o", "m.tenfold"]);
    for model in ["m.onnx", "m.tenfold"] {
        failure(at, &["run", model], 3, "missing inputs: x");
        failure(
            at,
            &["run", model, "--input", "x=f64.npy"],
            3,
            "input `x`: got f64[1,3,32,32], the model takes",
        );
        failure(
            at,
            &["run", model, "--input", "x=shape.npy"],
            3,
            "axis 3 is 31, it must be 32",
        );
        failure(
            at,
            &["run", model, "--input", "x=rank.npy"],
            3,
            "got f32[3,32,32]",
        );
        failure(
            at,
            &["run", model, "--input", "x=bad.npy"],
            3,
            "`bad.npy`: not a valid npy file",
        );
        failure(at, &["run", model, "--input", "x=bad.pb"], 3, "`bad.pb`");
        failure(at, &["run", model, "--input", "z=x.pb"], 3, "no input `z`");
        failure(
            at,
            &["run", model, "--input", "x=none.npy"],
            3,
            "cannot read `none.npy`",
        );
    }
    failure(
        at,
        &["run", "m.onnx", "--input", "x=x.pb", "--dim", "batch=7"],
        3,
        "axis 0 (`batch`) is 2, it must be 7",
    );
}

#[test]
fn bad_artifacts() {
    let folder = workplace();
    let at = folder.path();
    success(at, &["compile", "m.onnx", "-o", "m.tenfold"]);
    let bytes = std::fs::read(at.join("m.tenfold")).unwrap();
    for part in [0, 1, 2, 3] {
        std::fs::write(at.join("cut.tenfold"), &bytes[..bytes.len() * part / 4]).unwrap();
        failure(
            at,
            &["run", "cut.tenfold", "--random-inputs", "1"],
            3,
            "cut short",
        );
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
    failure(
        at,
        &["compile", "renamed.onnx", "-o", "o.tenfold"],
        3,
        "renamed.onnx",
    );
    success(
        at,
        &[
            "compile",
            "m.onnx",
            "-o",
            "gpu.tenfold",
            "--target",
            "nvptx:sm_90a",
        ],
    );
    failure(
        at,
        &["run", "gpu.tenfold", "--random-inputs", "1"],
        6,
        "it was compiled for nvptx:sm_90a",
    );
}

#[test]
fn devices_and_usage() {
    let folder = workplace();
    let at = folder.path();
    failure(
        at,
        &[
            "run",
            "m.onnx",
            "--random-inputs",
            "1",
            "--device",
            "cuda:9999",
        ],
        6,
        "cuda:9999 is not available",
    );
    failure(
        at,
        &["bench", "m.onnx", "--device", "cuda:9999"],
        6,
        "cuda:9999 is not available",
    );
    failure(
        at,
        &[
            "test",
            small("resnet").to_str().unwrap(),
            "--device",
            "cuda:9999",
        ],
        6,
        "cuda:9999 is not available",
    );
    failure(
        at,
        &["run", "m.onnx", "--device", "gpu"],
        2,
        "is not host, cuda or cuda:N",
    );
    failure(
        at,
        &[
            "compile",
            "m.onnx",
            "-o",
            "o.tenfold",
            "--target",
            "nvptx:sm_1",
        ],
        2,
        "unknown target",
    );
    failure(at, &["compile", "m.onnx"], 2, "Usage");
    failure(
        at,
        &[
            "compile",
            "m.onnx",
            "-o",
            "o.tenfold",
            "--numerics",
            "loose",
        ],
        2,
        "unknown numerics contract",
    );
    failure(at, &["explain", "E0000"], 2, "there is no code");
    failure(at, &[], 2, "Usage");
    let found = json(&success(at, &["doctor", "--json"]));
    assert!(
        found["llvm"].as_str().unwrap().starts_with("22."),
        "{found}"
    );
    assert!(
        json(&success(at, &["ops", "--json"]))["supported"]
            .as_array()
            .unwrap()
            .len()
            > 100
    );
    assert!(success(at, &["completions", "bash"]).contains("tenfold"));
    assert!(success(at, &["explain", "E1003"]).contains("not supported"));
}

/// Copies a case.
fn copy_case(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy_case(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn cases_in_the_test_layout() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    copy_case(&small("resnet"), &at.join("suite/good"));
    copy_case(&small("resnet"), &at.join("suite/cut"));
    copy_case(&small("resnet"), &at.join("suite/wrong"));
    let bytes = std::fs::read(at.join("suite/cut/model.onnx")).unwrap();
    std::fs::write(at.join("suite/cut/model.onnx"), &bytes[..100]).unwrap();
    let output = at.join("suite/wrong/test_data_set_1/output_0.pb");
    let mut bytes = std::fs::read(&output).unwrap();
    // The exponent of the last value.
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&output, bytes).unwrap();

    let result = tenfold(at, &["test", "suite", "--json", "report.json"]);
    assert_eq!(result.status.code(), Some(1));
    let text = stdout(&result);
    assert_eq!(text.lines().last(), Some("1 passed, 2 failed"), "{text}");
    let report = json(&std::fs::read_to_string(at.join("report.json")).unwrap());
    assert_eq!(
        (&report["passed"], &report["failed"]),
        (&1.into(), &2.into())
    );
    let case = |name: &str| {
        report["cases"]
            .as_array()
            .unwrap()
            .iter()
            .find(|case| case["name"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(case("good")["status"], "passed");
    assert!(
        case("cut")["reason"]
            .as_str()
            .unwrap()
            .contains("not a readable ONNX model")
    );
    assert!(
        case("wrong")["reason"]
            .as_str()
            .unwrap()
            .contains("test_data_set_1: output 0"),
        "{report}"
    );

    let only = success(at, &["test", "suite/good", "--device", "evaluator"]);
    assert_eq!(only.lines().last(), Some("1 passed, 0 failed"));
    failure(at, &["test", "nothing"], 3, "cannot read `nothing`");
}

#[cfg(unix)]
#[test]
fn a_crash_is_our_bug_and_leaves_a_reproducer() {
    use std::os::unix::process::CommandExt;
    let folder = workplace();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenfold"));
    command
        .current_dir(folder.path())
        .args(["bench", "m.onnx", "--duration", "60"])
        .env("TMPDIR", folder.path());
    let child = command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    // By then it has set up its handler, and has long not ended.
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(
        Command::new("kill")
            .args(["-ABRT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{text}");
    let place = text
        .lines()
        .find_map(|line| line.strip_prefix("reproducer: "))
        .unwrap();
    let report = std::fs::read_to_string(Path::new(place).join("report.txt")).unwrap();
    assert!(
        report.contains("bench m.onnx") && report.ends_with("crash: SIGABRT\n"),
        "{report}"
    );
}
