//! The binary, from outside: what its verbs give.

mod common;

use common::{failure, json, small, stdout, success, tenfold, workplace};
use std::path::Path;
use tensor::Tensor;

#[test]
fn a_model_compiles_and_runs() {
    let folder = workplace();
    let at = folder.path();
    success(at, &["compile", "m.onnx", "-o", "m.tenfold", "--dump-dir", "dumps", "--time"]);
    for name in ["10-imported.graph", "30-optimized.graph", "40-scheduled.plan"] {
        assert!(at.join("dumps").join(name).exists(), "{name}");
    }
    let text = success(at, &["run", "m.tenfold", "--input", "x=x.pb", "--outputs", "artifact.npz"]);
    assert!(text.starts_with("logits: f32["), "{text}");
    success(at, &["run", "m.onnx", "--input", "x=x.pb", "--outputs", "model.npz", "--threads", "1"]);
    let [artifact, model] = ["artifact.npz", "model.npz"].map(|name| std::fs::read(at.join(name)).unwrap());
    assert_eq!(artifact.len(), model.len());
    let answer = json(&success(at, &["run", "m.tenfold", "--random-inputs", "1", "--dim", "batch=3", "--json"]));
    assert_eq!(answer["outputs"][0]["shape"], serde_json::json!([3, 10]));
}

#[test]
fn the_same_model_gives_the_same_artifact() {
    let folder = workplace();
    let at = folder.path();
    success(at, &["compile", "m.onnx", "-o", "a.tenfold", "--threads", "1"]);
    success(at, &["compile", "m.onnx", "-o", "b.tenfold", "--threads", "2"]);
    assert_eq!(std::fs::read(at.join("a.tenfold")).unwrap(), std::fs::read(at.join("b.tenfold")).unwrap());
}

#[test]
fn ptx_of_several_targets_in_one_artifact() {
    let folder = workplace();
    let targets = ["--target", "nvptx:sm_75", "--target", "nvptx:sm_90a", "--target", "host"];
    let all = [&["compile", "m.onnx", "-o", "fat.tenfold", "--json", "--dump-dir", "d"], &targets[..]].concat();
    let report = json(&success(folder.path(), &all));
    assert_eq!(report["targets"].as_array().unwrap().len(), 3);
    assert!(report["phases"].as_array().unwrap().len() >= 7);
    let names: Vec<String> = std::fs::read_dir(folder.path().join("d"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(names.iter().any(|name| name.ends_with(".ptx") && name.contains("sm_75")), "{names:?}");
    success(folder.path(), &["run", "fat.tenfold", "--random-inputs", "1"]);
}

#[test]
fn graphs_print_and_are_read_back() {
    let folder = workplace();
    let at = folder.path();
    let imported = success(at, &["dump", "m.onnx", "--to", "import", "--constants"]);
    assert!(imported.contains("= conv "), "{imported}");
    std::fs::write(at.join("g.graph"), &imported).unwrap();
    let direct = success(at, &["dump", "m.onnx", "--to", "optimize", "--constants"]);
    assert_eq!(success(at, &["dump", "g.graph", "--from", "canonicalize", "--to", "optimize", "--constants"]), direct);
    success(at, &["compile", "g.graph", "--from", "canonicalize", "-o", "g.tenfold"]);
    success(at, &["run", "g.tenfold", "--input", "x=x.pb"]);
    assert!(success(at, &["dump", "m.onnx", "--to", "emit", "--target", "nvptx:sm_80"]).contains(".target sm_80"));
    failure(at, &["dump", "g.graph", "--from", "lower", "--to", "emit"], 3, "expected `plan`");
    failure(at, &["dump", "m.onnx", "--to", "nowhere"], 2, "a phase is one of");
    std::fs::write(at.join("bad.graph"), "graph @g(%x: f32[2]) { %y = frob %x return %y }").unwrap();
    failure(at, &["compile", "bad.graph", "--from", "canonicalize", "-o", "o.tenfold"], 3, "bad.graph:1:");
}

#[test]
fn comparing_with_the_evaluator_and_with_files() {
    let folder = workplace();
    let at = folder.path();
    let text = success(at, &["compare", "m.onnx", "--against", "evaluator", "--input", "x=x.pb"]);
    assert!(text.contains("1 values are equal"), "{text}");
    let answer = json(&success(
        at,
        &["compare", "m.onnx", "--against", "evaluator", "--random-inputs", "3", "--all-nodes", "--json"],
    ));
    assert!(answer["compared"].as_u64().unwrap() > 5, "{answer}");
    let wrong = Tensor::from_vec(vec![1, 10], vec![0.5f32; 10]);
    npy::save_npz(&at.join("wrong.npz"), [("logits", &wrong)]).unwrap();
    let output = tenfold(at, &["compare", "m.onnx", "--against", "wrong.npz", "--random-inputs", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(text.contains("first difference: `logits`") && text.contains("ULP") && text.contains("relative"), "{text}");
    npy::save_npz(&at.join("other.npz"), [("nothing", &wrong)]).unwrap();
    failure(
        at,
        &["compare", "m.onnx", "--against", "other.npz", "--random-inputs", "1"],
        3,
        "has no value of this model",
    );
}

#[test]
fn benchmarks_for_machines() {
    let folder = workplace();
    let answer = json(&success(folder.path(), &["bench", "m.onnx", "--runs", "3", "--duration", "0", "--json"]));
    for key in ["median", "p10", "p90"] {
        assert!(answer["latency_ms"][key].as_f64().unwrap() > 0.0, "{answer}");
        assert!(answer["device_ms"][key].as_f64().unwrap() > 0.0, "{answer}");
    }
    assert_eq!(answer["device_ms"]["runs"], 3);
    assert!(answer["compile_ms"].as_f64().unwrap() > 0.0);
    assert!(answer["kernels"].as_array().unwrap().iter().all(|kernel| kernel["nodes"].is_array()));
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
    assert_eq!((&report["passed"], &report["failed"]), (&1.into(), &2.into()));
    let case =
        |name: &str| report["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap().clone();
    assert_eq!(case("good")["status"], "passed");
    assert!(case("cut")["reason"].as_str().unwrap().contains("not a readable ONNX model"));
    assert!(case("wrong")["reason"].as_str().unwrap().contains("test_data_set_1: output 0"), "{report}");

    let only = success(at, &["test", "suite/good", "--device", "evaluator"]);
    assert_eq!(only.lines().last(), Some("1 passed, 0 failed"));
    failure(at, &["test", "nothing"], 3, "cannot read `nothing`");
}
