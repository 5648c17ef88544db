//! The small models, by the evaluator and on the host, as they declare their shapes.

use conformance::{all_small, assert_close, data_sets, small};
use driver::Options;
use runtime::{Engine, Host};
use std::num::NonZeroUsize;

/// Compiles a model once and runs all of its data sets with so many threads.
fn on_host(name: &str, threads: usize) {
    let compiled = driver::compile(&small(name).join("model.onnx"), &Options::default());
    let compiled = compiled.unwrap_or_else(|e| panic!("{name}: {e}"));
    let engine = Engine::from_artifact(compiled.artifact.into(), &Host::new(NonZeroUsize::new(threads)));
    let engine = engine.unwrap_or_else(|e| panic!("{name}: {e}"));
    let sets = data_sets(&small(name));
    assert!(!sets.is_empty(), "{name}");
    for set in &sets {
        let outputs = engine.run(&set.inputs).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_close(&outputs, &set.outputs);
        // The same artifact and the same inputs give the same bits, on any number of threads.
        assert_eq!(engine.run(&set.inputs).unwrap(), outputs, "{name}");
    }
}

#[test]
fn there_are_models() {
    assert!(all_small().len() >= 9);
}

#[test]
fn the_host_agrees_with_onnx_runtime() {
    all_small().iter().for_each(|name| on_host(name, 2));
}

#[test]
fn one_thread_agrees_too() {
    on_host("resnet", 1);
    on_host("bert", 1);
}

#[test]
fn the_evaluator_agrees_with_onnx_runtime() {
    for name in all_small() {
        let frontend = driver::load_model(&small(&name).join("model.onnx")).unwrap();
        let imported = driver::import_model(&frontend, &Options::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        for set in data_sets(&small(&name)) {
            let outputs = graph::evaluate(&imported.graph, &set.inputs).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_close(&outputs, &set.outputs);
        }
    }
}
