//! What a compile refuses, and why: dimensions, kernels that cannot be written, time that is up.

use driver::{Deadline, Error, Observer, Options, Phase, Target};
use graph::{Graph, Node, ValueId};
use import_onnx::Imported;
use ops::{Unary, UnaryKind};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tensor::{Bounds, DType, Dim, Range, Scalar, Symbol, Tensor, TensorType};

/// A chain of functions on `x`, written without the checks of a builder.
fn chain(dtype: DType, kinds: &[UnaryKind]) -> Graph {
    let mut graph = Graph::new("chain");
    let ty = TensorType::new(dtype, [Dim::symbol("N")]);
    let mut value = graph.add_value(ty.clone(), None);
    graph.inputs.push(graph::Port { name: "x".into(), value });
    for (at, kind) in kinds.iter().enumerate() {
        let output = graph.add_value(ty.clone(), None);
        let loc = diag::Loc::node("m.onnx".into(), at, format!("/node{at}"), "Op");
        let op = ops::Op::from(Unary { kind: *kind });
        graph.nodes.push(Node { op, inputs: vec![value], outputs: vec![output], regions: vec![], loc });
        graph.outputs.push(graph::Port { name: format!("y{at}"), value: output });
        value = output;
    }
    graph
}

fn compile(graph: Graph, bounds: Bounds, options: &Options) -> Result<driver::Compiled, Error> {
    driver::compile_imported(Imported { graph, bounds, ..Imported::default() }, Duration::ZERO, options)
}

fn kinds(n: usize) -> Vec<UnaryKind> {
    [UnaryKind::Exp, UnaryKind::Tanh, UnaryKind::Neg, UnaryKind::Abs][..n].to_vec()
}

#[test]
fn every_kernel_that_cannot_be_written_is_told_with_all_targets() {
    // The verifier of the builder would not let this through: no float has a complement.
    let graph = chain(DType::F32, &[UnaryKind::Not, UnaryKind::Exp, UnaryKind::Not]);
    let targets = vec![Target::host(), "nvptx:sm_90a".parse().unwrap()];
    let options = Options { targets, optimize: false, ..Options::default() };
    let Err(Error::Model { diagnostics, .. }) = compile(graph, Bounds::default(), &options) else { panic!() };
    assert_eq!(diagnostics.len(), 2, "{diagnostics:#?}");
    for (fault, node) in diagnostics.iter().zip(["/node0", "/node2"]) {
        assert_eq!(fault.code, diag::Code::Unsupported);
        let text = fault.to_string();
        for part in [node, "has no kernel", "for host:", "for nvptx:sm_90a", "before the export"] {
            assert!(text.contains(part), "{text}");
        }
    }
}

#[test]
fn a_compile_tells_how_far_it_is_and_stops_in_time() {
    let seen = Arc::new(Mutex::new(vec![]));
    let list = seen.clone();
    let observer = Observer::new(move |progress| list.lock().unwrap().push(progress));
    let options = Options { observer, threads: 1, ..Options::default() };
    compile(chain(DType::F32, &kinds(3)), Bounds::default(), &options).unwrap();
    let seen = seen.lock().unwrap().clone();
    let phases = [Phase::Canonicalize, Phase::Optimize, Phase::Schedule, Phase::Lower, Phase::Emit, Phase::Pack];
    for phase in phases {
        assert!(seen.iter().any(|progress| progress.phase == phase), "{phase:?} of {seen:?}");
    }
    assert!(seen.is_sorted_by_key(|progress| progress.phase), "{seen:?}");
    let counted: Vec<_> = seen.iter().filter(|p| p.phase == Phase::Emit).map(|p| (p.done, p.of)).collect();
    assert_eq!(counted, [(0, 3), (1, 3), (2, 3)]);

    let deadline = Some(Deadline::after(Duration::ZERO));
    let error = compile(chain(DType::F32, &kinds(1)), Bounds::default(), &Options { deadline, ..Options::default() });
    assert!(matches!(&error, Err(Error::Limit(text)) if text.contains("phase `canonicalize`")), "{:?}", error.err());
}

#[test]
fn time_that_ends_while_kernels_are_emitted_names_how_many_are_done() {
    let begin = std::time::Instant::now();
    let limit = Duration::from_secs(2);
    // Waits in the middle of the emission until the time is over.
    let observer = Observer::new(move |progress| {
        if progress.phase == Phase::Emit && progress.done == 1 {
            std::thread::sleep(limit.saturating_sub(begin.elapsed()) + Duration::from_millis(50));
        }
    });
    let options = Options { observer, threads: 1, deadline: Some(Deadline::after(limit)), ..Options::default() };
    let error = compile(chain(DType::F32, &kinds(4)), Bounds::default(), &options).err().unwrap();
    assert!(matches!(&error, Error::Limit(text) if text.contains("`emit`, 1 of 4 kernels done")), "{error}");
}

#[test]
fn ranges_reach_the_artifact_and_are_checked() {
    let mut bounds = Bounds::default();
    bounds.promise(Symbol::new("N"), Range { low: 1, high: Some(3) });
    let options = Options::default();
    let artifact = compile(chain(DType::F32, &kinds(1)), bounds.clone(), &options).unwrap().artifact;
    assert_eq!(artifact.manifest.ranges[0].to_string(), "N in 1..3");
    let engine = runtime::Engine::from_artifact(artifact.into(), &runtime::Host::new(None)).unwrap();
    let of = |n: usize| Tensor::full(DType::F32, vec![n], Scalar::Float(0.0));
    assert_eq!(engine.run(&[of(3)]).unwrap()[0].shape(), [3]);
    assert!(engine.run(&[of(4)]).unwrap_err().to_string().contains("axis 0 is 4, but the model was compiled for 1..3"));
    bounds.promise(Symbol::new("M"), Range::SIZE);
    let error = compile(chain(DType::F32, &kinds(1)), bounds, &options).err().unwrap();
    assert!(error.to_string().contains("no input has the extent `M`"), "{error}");
}

#[test]
fn facts_that_ranges_prove_are_not_checked_again() {
    let checks = |range: Range| {
        let mut b = graph::Builder::new("top");
        let x = b.input("x", TensorType::new(DType::F32, [Dim::symbol("N")]));
        let op = ops::TopK { axis: 0, k: 5.into(), largest: true };
        let outputs: Vec<ValueId> = b.emit_all(op, &[x]).unwrap();
        b.output("y", outputs[0]);
        let mut bounds = Bounds::default();
        bounds.promise(Symbol::new("N"), range);
        let artifact = compile(b.finish(), bounds, &Options::default()).unwrap().artifact;
        let steps = artifact.variants[0].program.blocks.iter().flatten();
        steps.filter(|step| matches!(step, artifact::Step::Check { .. })).count()
    };
    assert_eq!(checks(Range { low: 5, high: None }), 0);
    assert_eq!(checks(Range { low: 4, high: None }), 1);
}
