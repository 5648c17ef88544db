//! The binary, from outside.

use artifact::{Artifact, Kernels, Manifest, Place, ProgramBuilder, Signature, Step, Variant};
use bytes::Bytes;
use std::path::Path;
use std::process::{Command, Output};
use tensor::{DType, Dim, Tensor};

/// `y: f32[N] = x`.
fn write_identity(path: &Path) {
    let mut b = ProgramBuilder::new();
    let x = b.tensor(Place::Input(0), DType::F32, &[Dim::symbol("N")]);
    let y = b.tensor(Place::Output(0), DType::F32, &[Dim::symbol("N")]);
    b.input("x", x);
    b.output("y", y);
    b.push(Step::Copy { from: x, to: y });
    let signature = |name: &str| vec![Signature { name: name.into(), dtype: DType::F32, shape: vec!["N".into()] }];
    let artifact = Artifact {
        manifest: Manifest {
            producer: "test".into(),
            model: "identity".into(),
            numerics: "strict".into(),
            inputs: signature("x"),
            outputs: signature("y"),
            ranges: vec![],
        },
        variants: vec![Variant {
            target: format!("host:{}-unknown-{}-gnu/generic/", std::env::consts::ARCH, std::env::consts::OS),
            kernels: Kernels::Host { units: vec![], kernels: vec![] },
            program: b.finish(),
        }],
        code: vec![],
        weights: vec![],
    };
    artifact.write(path).unwrap();
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tenfold-run")).current_dir(folder).args(arguments).output().unwrap()
}

fn failure(folder: &Path, arguments: &[&str], code: i32, expected: &str) {
    let output = run(folder, arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(text.contains(expected) && !text.contains("panicked"), "{arguments:?}: {text}");
    assert!(output.stdout.is_empty());
}

#[test]
fn from_file_to_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_identity(&folder.join("m.tenfold"));
    let x = Tensor::from_vec(vec![3], vec![1.0f32, 2.0, 3.0]);
    npy::write(&x, &mut std::fs::File::create(folder.join("x.npy")).unwrap()).unwrap();
    let output = run(folder, &["m.tenfold", "--input", "x=x.npy", "--outputs", "y.npz", "--threads", "1"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("y: f32[3]  min 1.000000  max 3.000000"), "{text}");
    let members = npy::read_npz(&Bytes::from(std::fs::read(folder.join("y.npz")).unwrap())).unwrap();
    assert_eq!(npy::read(&members[0].1, None).unwrap(), x);
}

#[test]
fn for_machines() {
    let folder = tempfile::tempdir().unwrap();
    write_identity(&folder.path().join("m.tenfold"));
    let output = run(
        folder.path(),
        &["m.tenfold", "--random-inputs", "1", "--dim", "N=5", "--json", "--profile", "--repeat", "3"],
    );
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["outputs"][0]["shape"], serde_json::json!([5]));
    assert_eq!(value["steps"][0]["kernel"], "copy");
    assert_eq!(value["model"], "identity");
}

#[test]
fn each_failure_has_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let path = folder.join("m.tenfold");
    write_identity(&path);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(folder.join("short.tenfold"), &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(folder.join("empty.tenfold"), []).unwrap();
    std::fs::write(folder.join("other.tenfold"), "hello").unwrap();
    let mut future = bytes;
    future[8] = 99;
    std::fs::write(folder.join("future.tenfold"), future).unwrap();
    std::fs::write(folder.join("bad.npy"), "hello").unwrap();

    failure(folder, &["none.tenfold"], 3, "cannot read `none.tenfold`");
    failure(folder, &["."], 3, "not a regular file");
    failure(folder, &["short.tenfold"], 3, "cut short");
    failure(folder, &["empty.tenfold"], 3, "cut short");
    failure(folder, &["other.tenfold"], 3, "not a tenfold artifact");
    failure(folder, &["future.tenfold"], 3, "version 99");
    failure(folder, &["m.tenfold"], 3, "missing inputs: x");
    failure(folder, &["m.tenfold", "--input", "x=bad.npy"], 3, "`bad.npy`: not a valid npy file");
    failure(folder, &["m.tenfold", "--input", "z=bad.npy"], 3, "no input `z`");
    failure(folder, &["m.tenfold", "--random-inputs", "1", "--outputs", "no/y.npz"], 3, "cannot write `no/y.npz`");
    failure(folder, &["m.tenfold", "--device", "gpu"], 2, "is not host, cuda, cuda:N, sim or sim:sm_NN");
    failure(folder, &["m.tenfold", "--device", "cuda:9999"], 6, "cuda:9999 is not available");
    failure(folder, &[], 2, "Usage");
    assert!(!folder.join("no").exists());
}
