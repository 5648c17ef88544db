//! Dimensions by name and their ranges, and inputs whose values were given to the compile.

mod common;

use common::onnx::{BOOL, F32, I64, Message, model_with, node, symbolic};
use common::{failure, json, success, tenfold, workplace};
use std::path::Path;
use tensor::Tensor;

fn save(at: &Path, name: &str, tensor: &Tensor) {
    npy::write(tensor, &mut std::fs::File::create(at.join(name)).unwrap()).unwrap();
}

fn write(at: &Path, name: &str, model: &Message) {
    std::fs::write(at.join(name), &model.0).unwrap();
}

#[test]
fn a_range_is_kept_told_and_checked() {
    let folder = workplace();
    let at = folder.path();
    let report = json(&success(at, &["compile", "m.onnx", "-o", "m.tenfold", "--dim", "batch=2..3", "--json"]));
    let range = serde_json::json!([{"dim": "batch", "symbol": "batch", "low": 2, "high": 3, "assumed": false}]);
    assert_eq!(report["ranges"], range);
    assert!(success(at, &["dump", "m.tenfold", "--to", "pack"]).contains("\n  range batch : 2..3, \"batch\"\n"));
    failure(at, &["dump", "m.tenfold", "--to", "lower"], 2, "only `--to pack`");
    // What is made up lies in the range.
    let answer = json(&success(at, &["run", "m.tenfold", "--random-inputs", "1", "--json"]));
    assert_eq!((&answer["ranges"], &answer["outputs"][0]["shape"]), (&range, &serde_json::json!([2, 10])));
    for batch in [2, 3] {
        success(at, &["run", "m.tenfold", "--random-inputs", "1", "--dim", &format!("batch={batch}")]);
    }
    let wrong = "dimension `batch`: input `x`, axis 0 is 4, but the model was compiled for 2..3";
    failure(at, &["run", "m.tenfold", "--random-inputs", "1", "--dim", "batch=4"], 3, wrong);
    failure(at, &["bench", "m.tenfold", "--dim", "batch=4", "--runs", "1"], 3, wrong);
}

#[test]
fn every_verb_that_takes_a_dimension_keeps_its_range() {
    let folder = workplace();
    let at = folder.path();
    let range = ["--dim", "batch=3..8"];
    let with = |arguments: &[&str]| success(at, &[arguments, &range].concat());
    assert!(with(&["dump", "m.onnx", "--to", "import"]).contains("f32[batch,3,32,32]"));
    assert!(with(&["dump", "m.onnx", "--to", "pack"]).contains("\n  range batch : 3..8, \"batch\"\n"));
    with(&["check", "m.onnx"]);
    let shape = |text: &str| json(text)["outputs"][0]["shape"].clone();
    assert_eq!(shape(&with(&["run", "m.onnx", "--random-inputs", "1", "--json"])), serde_json::json!([3, 10]));
    assert_eq!(json(&with(&["bench", "m.onnx", "--runs", "3", "--duration", "0", "--json"]))["ranges"][0]["low"], 3);
    with(&["compare", "m.onnx", "--against", "evaluator", "--random-inputs", "1"]);
    // The picture in `x.pb` is alone, or the first of two.
    failure(
        at,
        &["run", "m.onnx", "--input", "x=x.pb", "--dim", "batch=3..8"],
        3,
        "but the model was compiled for 3..8",
    );
}

#[test]
fn names_and_ranges_that_make_no_sense() {
    let folder = workplace();
    let at = folder.path();
    for text in ["batch=5..1", "batch=a..b", "batch=..", "batch=..4", "batch=-1..4", "=1..2", "batch"] {
        failure(
            at,
            &["compile", "m.onnx", "-o", "o.tenfold", "--dim", text],
            2,
            "is not NAME=N, NAME=A..B or NAME=A..",
        );
    }
    let unknown = "the model has no dimension `bach`; it has `batch`";
    for verb in [
        &["compile", "m.onnx", "-o", "o.tenfold"][..],
        &["check", "m.onnx"],
        &["dump", "m.onnx", "--to", "import"],
        &["run", "m.onnx", "--random-inputs", "1"],
        &["bench", "m.onnx"],
        &["compare", "m.onnx", "--against", "evaluator", "--random-inputs", "1"],
    ] {
        for dim in ["bach=4", "bach=1..4"] {
            failure(at, &[verb, &["--dim", dim]].concat(), 3, unknown);
        }
    }
    failure(at, &["check", "m.onnx", "--dim", "batch=1", "--dim", "batch=1..4"], 3, "a number and a range");
    success(at, &["compile", "m.onnx", "-o", "m.tenfold"]);
    failure(
        at,
        &["run", "m.tenfold", "--random-inputs", "1", "--dim", "bach=4"],
        3,
        "no dimension `bach`; it has `batch`",
    );
    failure(at, &["run", "m.tenfold", "--random-inputs", "1", "--dim", "batch=1..4"], 2, "when a model is compiled");
    failure(at, &["run", "m.tenfold", "--input", "x=x.pb", "--dim", "batch=7"], 3, "(`batch`) is 2, it must be 7");
}

#[test]
fn printed_graphs_have_ranges_too() {
    let folder = workplace();
    let at = folder.path();
    std::fs::write(at.join("g.graph"), "graph @g(%x: f32[N]) {\n  %y = exp %x : f32[N]\n  return %y\n}\n").unwrap();
    let compile = ["compile", "g.graph", "--from", "canonicalize", "-o", "g.tenfold", "--dim"];
    failure(at, &[&compile[..], &["M=1..2"]].concat(), 3, "the model has no dimension `M`; it has `N`");
    failure(at, &[&compile[..], &["N=2"]].concat(), 3, "of a printed graph cannot be given a number");
    success(at, &[&compile[..], &["N=1..2"]].concat());
    failure(at, &["run", "g.tenfold", "--random-inputs", "1", "--dim", "N=3"], 3, "compiled for 1..2");
}

/// `y = a + b` of two lengths, and `z = a[:-1]`, where `a` may be empty.
fn lengths() -> Message {
    let ends = |name: &str, value: i64| {
        let tensor = Message::default().int(1, 1).int(2, I64).text(8, "").bytes(9, &value.to_le_bytes());
        let attribute = Message::default().text(1, "value").message(5, &tensor).int(20, 4);
        node("Constant", &[], &[name]).message(5, &attribute)
    };
    let nodes = [
        ends("zero", 0),
        ends("minus", -1),
        node("Add", &["a", "b"], &["sum"]),
        node("Slice", &["a", "zero", "minus"], &["most"]),
        node("Concat", &["sum", "most"], &["y"]).message(5, &Message::default().text(1, "axis").int(3, 0).int(20, 2)),
    ];
    let inputs = [symbolic("a", F32, &["A"]), symbolic("b", F32, &["B"])];
    model_with(&inputs, &nodes, symbolic("y", F32, &["C"]))
}

#[test]
fn a_dimension_that_may_be_0_gives_right_results_at_0() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "m.onnx", &lengths());
    save(at, "empty.npy", &Tensor::from_vec(vec![0], Vec::<f32>::new()));
    save(at, "one.npy", &Tensor::from_vec(vec![1], vec![1f32]));
    save(at, "three.npy", &Tensor::from_vec(vec![3], vec![1f32, 2.0, 3.0]));
    let zero = ["--dim", "A=0..64", "--dim", "B=0..64"];
    success(at, &[&["compile", "m.onnx", "-o", "zero.tenfold"][..], &zero].concat());
    // Without a word on them, both are assumed to hold something.
    let report = json(&success(at, &["compile", "m.onnx", "-o", "some.tenfold", "--json"]));
    assert_eq!(
        report["ranges"].as_array().unwrap().iter().filter(|range| range["assumed"] == true).count(),
        2,
        "{report}"
    );
    // The sum of an empty tensor and one element is empty; of a, all but the last follow.
    for (a, b, length) in
        [("empty", "one", 0), ("one", "empty", 0), ("empty", "empty", 0), ("three", "one", 5), ("one", "three", 3)]
    {
        let (a, b) = (format!("a={a}.npy"), format!("b={b}.npy"));
        let inputs = ["--input", &a, "--input", &b];
        let answer = json(&success(at, &[&["run", "zero.tenfold", "--json"][..], &inputs].concat()));
        assert_eq!(answer["outputs"][0]["shape"], serde_json::json!([length]), "{a} {b}");
        success(at, &[&["compare", "m.onnx", "--against", "evaluator"][..], &zero, &inputs].concat());
        let output = tenfold(at, &[&["run", "some.tenfold"][..], &inputs].concat());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        if inputs.iter().any(|input| input.contains("empty")) {
            assert_eq!(output.status.code(), Some(3), "{text}");
            assert!(text.contains("compiled for 1.., because nothing was said of it"), "{text}");
        } else {
            assert!(output.status.success(), "{text}");
        }
    }
}

#[test]
fn frozen_inputs_of_every_type_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let nodes = [node("Where", &["c", "x", "w"], &["y"])];
    let inputs = [symbolic("c", BOOL, &["3"]), symbolic("x", F32, &["3"]), symbolic("w", F32, &["K"])];
    write(at, "m.onnx", &model_with(&inputs, &nodes, symbolic("y", F32, &["3"])));
    let flags = |values: [bool; 3]| Tensor::from_bools(vec![3], &values);
    let floats = |values: &[f32]| Tensor::from_vec(vec![values.len()], values.to_vec());
    save(at, "c.npy", &flags([true, false, true]));
    save(at, "other.npy", &flags([true, true, true]));
    save(at, "x.npy", &floats(&[1.0, 2.0, 3.0]));
    save(at, "w.npy", &floats(&[0.0, f32::NAN, 5.0]));
    save(at, "nan.npy", &floats(&[0.0, -f32::NAN, 5.0]));
    save(at, "minus.npy", &floats(&[-0.0, f32::NAN, 5.0]));
    save(at, "short.npy", &floats(&[0.0]));
    success(at, &["compile", "m.onnx", "-o", "m.tenfold", "--freeze", "c=c.npy", "--freeze", "w=w.npy"]);
    let run = |c: &str, w: &str| {
        let (c, w) = (format!("c={c}.npy"), format!("w={w}.npy"));
        let all = ["run", "m.tenfold", "--input", &c, "--input", "x=x.npy", "--input", &w];
        let output = tenfold(at, &all);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(run("c", "w").0, Some(0));
    assert_eq!(run("c", "nan").0, Some(0), "all NaNs are the same");
    for (c, w, expected) in [
        (
            "other",
            "w",
            "input `c` differs from the value that the model was compiled for: element 1 of bool[3] is true, not false",
        ),
        (
            "c",
            "minus",
            "input `w` differs from the value that the model was compiled for: element 0 of f32[3] is -0.0, not 0.0",
        ),
        ("c", "short", "input `w` differs from the value that the model was compiled for: it is f32[1], not f32[3]"),
    ] {
        let (code, text) = run(c, w);
        assert!(code == Some(3) && text.contains(expected), "{code:?}: {text}");
    }
}
