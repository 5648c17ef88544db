//! Exit codes, one row each, and what is written where.

mod common;

use artifact::{Artifact, Kernels, Manifest, Place, ProgramBuilder, Step, Variant};
use common::{small, workplace};
use std::path::Path;
use std::process::{Command, Output};
use tensor::{DType, Tensor};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenfold"));
    command.env("TENFOLD_CACHE_DIR", "");
    // Reproducers go to the folder for temporary files.
    command.current_dir(folder).env("TMPDIR", folder).args(arguments).output().unwrap()
}

/// An artifact whose program contradicts itself, as only a bug of the compiler makes it.
fn write_contradiction(path: &Path) {
    let mut b = ProgramBuilder::new();
    let x = b.tensor(Place::Arena, DType::I64, &[1.into()]);
    let zero = b.dim(&0.into());
    b.push(Step::Dims { values: vec![zero, zero], out: x });
    let target = format!("host:{}-unknown-{}-gnu/generic/", std::env::consts::ARCH, std::env::consts::OS);
    let artifact = Artifact {
        manifest: Manifest {
            producer: "test".into(),
            model: "contradiction".into(),
            numerics: "strict".into(),
            inputs: vec![],
            outputs: vec![],
            ranges: vec![],
        },
        variants: vec![Variant {
            target,
            kernels: Kernels::Host { units: vec![], kernels: vec![] },
            program: b.finish(),
        }],
        code: vec![],
        weights: vec![],
    };
    artifact.write(path).unwrap();
}

/// A folder with something for every exit code.
fn prepared() -> tempfile::TempDir {
    let folder = workplace();
    let at = folder.path();
    npy::save_npz(&at.join("wrong.npz"), [("logits", &Tensor::from_vec(vec![1, 10], vec![0.5f32; 10]))]).unwrap();
    let bytes = std::fs::read(at.join("m.onnx")).unwrap();
    let mut unknown = bytes.clone();
    let places: Vec<usize> = (0..bytes.len() - 6).filter(|at| bytes[*at..].starts_with(b"\x22\x04Relu")).collect();
    places.iter().for_each(|at| unknown[at + 5] = b'x');
    assert!(!places.is_empty());
    std::fs::write(at.join("unknown.onnx"), unknown).unwrap();
    write_contradiction(&at.join("contradiction.tenfold"));
    let output = run(at, &["compile", "m.onnx", "-o", "m.tenfold"]);
    assert!(output.status.success());
    folder
}

#[test]
fn exit_codes() {
    let folder = prepared();
    let case = small("resnet");
    let case = case.to_str().unwrap();
    let rows: &[(i32, &[&str])] = &[
        (0, &["run", "m.tenfold", "--random-inputs", "1"]),
        (0, &["check", "m.onnx"]),
        (0, &["doctor"]),
        (0, &["--help"]),
        (1, &["compare", "m.onnx", "--against", "wrong.npz", "--random-inputs", "1"]),
        (1, &["test", case, "--memory-limit", "1KiB"]),
        (2, &["run"]),
        (2, &["frobnicate"]),
        (2, &["run", "m.tenfold", "--random-inputs", "1", "--memory-limit", "much"]),
        (2, &["compile", "m.onnx", "-o", "o.tenfold", "--timeout", "-1"]),
        (2, &["compile", "m.onnx", "-o", "o.tenfold", "--dim", "batch=5..1"]),
        (2, &["compare", "m.tenfold", "--against", "evaluator", "--random-inputs", "1"]),
        (2, &["test", case, "--device", "evaluator", "--memory-limit", "1GiB"]),
        (3, &["run", "none.tenfold"]),
        (3, &["run", "m.tenfold"]),
        (3, &["check", "x.pb"]),
        (4, &["check", "unknown.onnx"]),
        (4, &["compile", "unknown.onnx", "-o", "o.tenfold"]),
        (5, &["run", "contradiction.tenfold"]),
        (6, &["run", "m.tenfold", "--random-inputs", "1", "--device", "cuda:9999"]),
        (6, &["doctor", "--device", "cuda:9999"]),
        (7, &["run", "m.tenfold", "--random-inputs", "1", "--memory-limit", "10KiB"]),
        (7, &["run", "m.onnx", "--random-inputs", "1", "--memory-limit", "10KiB"]),
        (7, &["bench", "m.tenfold", "--memory-limit", "10KiB"]),
        (7, &["compare", "m.onnx", "--against", "evaluator", "--random-inputs", "1", "--memory-limit", "10KiB"]),
        (7, &["run", "m.tenfold", "--random-inputs", "1", "--timeout", "0"]),
        (7, &["run", "m.onnx", "--random-inputs", "1", "--timeout", "0.001"]),
        (7, &["bench", "m.tenfold", "--duration", "60", "--timeout", "0.3"]),
        (7, &["compile", "m.onnx", "-o", "o.tenfold", "--timeout", "0"]),
        (7, &["check", "m.onnx", "--timeout", "0"]),
    ];
    let mut wrong = vec![];
    for (code, arguments) in rows {
        let output = run(folder.path(), arguments);
        if output.status.code() != Some(*code) {
            wrong.push(format!("{arguments:?}: {:?}, not {code}\n{output:?}", output.status.code()));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        if *code >= 2 && !said.contains("error") && !said.contains("Usage") {
            wrong.push(format!("{arguments:?} says no error: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let codes: std::collections::BTreeSet<i32> = rows.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, (0..=7).collect());
    assert!(!folder.path().join("o.tenfold").exists(), "a failed compile leaves nothing");
}

#[test]
fn a_bug_names_its_reproducer() {
    let folder = prepared();
    let output = run(folder.path(), &["run", "contradiction.tenfold"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let place = text.lines().find_map(|line| line.strip_prefix("reproducer: ")).expect("a path");
    let report = std::fs::read_to_string(Path::new(place).join("report.txt")).unwrap();
    assert!(report.contains("run contradiction.tenfold") && report.contains("2 dimensions for 8 bytes"), "{report}");
}

#[test]
fn limits_say_what_is_needed_and_what_is_allowed() {
    let folder = prepared();
    let text = |arguments: &[&str]| String::from_utf8_lossy(&run(folder.path(), arguments).stderr).into_owned();
    let memory = text(&["run", "m.tenfold", "--random-inputs", "1", "--memory-limit", "20000"]);
    assert!(memory.contains("error: the run needs ") && memory.contains("more than the limit of 19.5 KiB"), "{memory}");
    let time = text(&["compile", "m.onnx", "-o", "o.tenfold", "--timeout", "0"]);
    assert!(time.contains("error: the compile took longer than its limit of 0 s (phase `import`)"), "{time}");
    // What fits runs as ever.
    let fits = ["run", "m.tenfold", "--random-inputs", "1", "--memory-limit", "64MiB", "--timeout", "60"];
    assert!(run(folder.path(), &fits).status.success());
}

#[test]
fn results_go_to_standard_output_and_all_else_to_standard_error() {
    let folder = prepared();
    let case = small("resnet");
    let rows: &[(&[&str], &str, &str)] = &[
        (&["run", "m.tenfold", "--random-inputs", "1"], "logits: f32[1,10]", "ran on the host"),
        (&["compile", "m.onnx", "-o", "m.tenfold", "--time"], "", "wrote m.tenfold"),
        (&["check", "m.onnx"], "", "everything in this model is supported"),
        (&["check", "unknown.onnx"], "error[E1003]", "error: "),
        (&["ops"], "ai.onnx", "operators"),
        (&["dump", "m.onnx", "--to", "import"], "graph @", ""),
        (&["explain", "E3001"], "E3001: a limit", ""),
        (&["test", case.to_str().unwrap()], "1 passed, 0 failed", ""),
        (&["run", "none.onnx"], "", "error: cannot read"),
        (&["completions", "fish"], "complete -c tenfold", ""),
        (&["completions", "zsh"], "#compdef tenfold", ""),
    ];
    for (arguments, result, note) in rows {
        let output = run(folder.path(), arguments);
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        for (text, expected) in [(&stdout, result), (&stderr, note)] {
            let fits = if expected.is_empty() { text.is_empty() } else { text.contains(expected) };
            assert!(fits, "{arguments:?}: {expected:?} in {text:?}");
        }
        if output.status.success() {
            let quiet = run(folder.path(), &[&["--quiet"], *arguments].concat());
            assert_eq!(String::from_utf8_lossy(&quiet.stderr), "", "{arguments:?} is not quiet");
        }
    }
}
