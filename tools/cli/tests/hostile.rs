//! Models that no exporter writes: each ends in one clear error that names the place, within a short time and without a file.

mod common;

use common::onnx::{F32, I64, Message, node, value, weight};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A weight whose data is in another file.
fn external(location: &str) -> Message {
    let entry = Message::default().text(1, "location").text(2, location);
    weight("w", &[2]).message(13, &entry).int(14, 1)
}

/// A graph of `x: f32[2]` to `y`.
fn graph(nodes: &[Message], weights: &[Message]) -> Message {
    let graph = nodes.iter().fold(Message::default(), |m, node| m.message(1, node)).text(2, "g");
    let graph = weights.iter().fold(graph, |m, weight| m.message(5, weight));
    graph.message(11, &value("x", F32, &[2])).message(12, &value("y", F32, &[2]))
}

fn model_of(graph: &Message, opset: i64) -> Message {
    Message::default().int(1, 8).message(7, graph).message(8, &Message::default().text(1, "").int(2, opset))
}

fn model(nodes: &[Message], weights: &[Message]) -> Message {
    model_of(&graph(nodes, weights), 17)
}

fn compile(folder: &Path, model: &Message) -> Output {
    std::fs::write(folder.join("m.onnx"), &model.0).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenfold"));
    command.env("TENFOLD_CACHE_DIR", "");
    command.current_dir(folder).args(["compile", "m.onnx", "-o", "o.tenfold"]).output().unwrap()
}

#[track_caller]
fn refused(model: &Message, codes: &[i32], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let output = compile(folder.path(), model);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| codes.contains(&code)), "{:?}: {text}", output.status);
    assert!(text.contains(expected) && !text.contains("panicked"), "{text}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a file is left");
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn the_writer_of_these_tests_writes_valid_models() {
    let folder = tempfile::tempdir().unwrap();
    let output = compile(folder.path(), &model(&[node("Relu", &["x"], &["y"])], &[]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn graphs_that_contradict_themselves() {
    refused(&model(&[node("Relu", &["b"], &["y"]), node("Neg", &["y"], &["b"])], &[]), &[3], "/Relu");
    refused(&model(&[node("Relu", &["nothing"], &["y"])], &[]), &[3], "nothing");
    refused(&model(&[node("Relu", &["x"], &["z"])], &[]), &[3], "y");
    refused(&model(&[node("Relu", &["x"], &["y"]), node("Neg", &["x"], &["y"])], &[]), &[3], "`y`");
    refused(&model(&[node("Relu", &["x", "x", "x"], &["y"])], &[]), &[3], "/Relu");
}

#[test]
fn types_that_do_not_fit() {
    let ints = Message::default().int(1, 2).int(2, I64).text(8, "i").bytes(9, &[0; 16]);
    refused(&model(&[node("Add", &["x", "i"], &["y"])], &[ints]), &[3], "/Add");
    let three = Message::default().int(1, 3).int(2, F32).text(8, "w").bytes(9, &[0; 12]);
    refused(&model(&[node("Add", &["x", "w"], &["y"])], std::slice::from_ref(&three)), &[3], "/Add");
    refused(&model(&[node("MatMul", &["x", "w"], &["y"])], &[three]), &[3], "/MatMul");
    let short = Message::default().int(1, 2).int(2, F32).text(8, "w").bytes(9, &[0; 7]);
    refused(&model(&[node("Add", &["x", "w"], &["y"])], &[short]), &[3], "w");
}

#[test]
fn versions_from_the_future() {
    let relu = graph(&[node("Relu", &["x"], &["y"])], &[]);
    refused(&model_of(&relu, 9999), &[4], "opset 9999 is newer");
    refused(&model_of(&relu, -1), &[3], "no opset");
    refused(&Message::default().int(1, 8).message(7, &relu), &[3], "operator versions");
}

#[test]
fn external_data() {
    let add = || [node("Add", &["x", "w"], &["y"])];
    refused(&model(&add(), &[external("none.bin")]), &[3], "none.bin");
    refused(&model(&add(), &[external("../w.bin")]), &[3], "inside the model's folder");
    refused(&model(&add(), &[external("/etc/passwd")]), &[3], "inside the model's folder");
    refused(&model(&add(), &[external("m.onnx/..")]), &[3], "inside the model's folder");
    refused(&model(&add(), &[external("")]), &[3], "external");
}

#[cfg(unix)]
#[test]
fn external_data_behind_a_linked_folder() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("w.bin"), [0; 8]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    let output = compile(folder.path(), &model(&[node("Add", &["x", "w"], &["y"])], &[external("link/w.bin")]));
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("outside the model's folder"), "{text}");
}

#[test]
fn sizes_that_ask_for_too_much() {
    let huge = weight("w", &[1 << 40, 1 << 40]);
    refused(&model(&[node("Add", &["x", "w"], &["y"])], &[huge]), &[3, 7], "w");
    let negative = weight("w", &[-5]);
    refused(&model(&[node("Add", &["x", "w"], &["y"])], &[negative]), &[3], "w");
    // A shape of 2^40 elements, written in 8 bytes.
    let shape = Message::default().int(1, 1).int(2, I64).text(8, "s").bytes(9, &(1i64 << 40).to_le_bytes());
    let nodes =
        [node("ConstantOfShape", &["s"], &["c"]), node("ReduceSum", &["c"], &["r"]), node("Add", &["x", "r"], &["y"])];
    let folder = tempfile::tempdir().unwrap();
    let output = compile(folder.path(), &model(&nodes, &[shape]));
    // It may compile, as long as nothing makes the tensor; it must not exhaust the machine.
    assert!(matches!(output.status.code(), Some(0 | 3 | 4 | 7)), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn messages_nested_without_end() {
    let mut inner = graph(&[node("Relu", &["x"], &["y"])], &[]);
    for _ in 0..2000 {
        let branch = Message::default().text(1, "then_branch").message(6, &inner).int(20, 5);
        inner = graph(&[node("If", &["x"], &["y"]).message(5, &branch)], &[]);
    }
    refused(&model_of(&inner, 17), &[3, 7], "m.onnx");
}
