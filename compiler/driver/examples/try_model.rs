//! Compiles models in ONNX's test layout, runs them on the host, and compares with the expected outputs.
#![allow(clippy::print_stdout, reason = "an example")]
use bytes::Bytes;
use driver::{Error, Options, Target};
use std::path::Path;
use std::time::Instant;
use tensor::Tensor;

fn read(dir: &Path, kind: &str) -> Vec<Tensor> {
    (0..)
        .map(|k| dir.join(format!("{kind}_{k}.pb")))
        .take_while(|p| p.exists())
        .filter_map(|p| import_onnx::tensor_from_pb(Bytes::from(std::fs::read(p).ok()?)).ok().map(|(_, t)| t))
        .collect()
}

fn worst(a: &Tensor, b: &Tensor) -> f64 {
    if a.shape() != b.shape() || a.dtype() != b.dtype() {
        return f64::INFINITY;
    }
    a.iter().zip(b.iter()).fold(0.0, |m: f64, (x, y)| {
        let (x, y) = (x.as_f64(), y.as_f64());
        if x == y || (x.is_nan() && y.is_nan()) { m } else { m.max((x - y).abs() / (1e-4 + 1e-3 * y.abs())) }
    })
}

fn main() {
    let dump = std::env::var("DUMP").ok();
    let profile = std::env::var("PROFILE").is_ok();
    for model in std::env::args().skip(1) {
        let dir = Path::new(&model);
        for set in (0..).map(|k| dir.join(format!("test_data_set_{k}"))).take_while(|p| p.exists()) {
            let (inputs, expected) = (read(&set, "input"), read(&set, "output"));
            let mut options = Options { dump_dir: dump.clone().map(Into::into), ..Options::default() };
            if let Ok(target) = std::env::var("TARGET") {
                options.targets.push(target.parse::<Target>().unwrap());
            }
            let start = Instant::now();
            let compiled = loop {
                match driver::compile(&dir.join("model.onnx"), &options) {
                    Ok(compiled) => break compiled,
                    Err(Error::Model { needs, diagnostics }) if !needs.inputs.is_empty() => {
                        let front = driver::load_model(&dir.join("model.onnx")).unwrap();
                        let names = front.input_names();
                        let before = options.freeze.len();
                        for (name, tensor) in names.iter().zip(&inputs) {
                            if needs.inputs.contains(name) {
                                options.freeze.insert(name.clone(), tensor.clone());
                            }
                        }
                        if options.freeze.len() == before {
                            println!("{model}: {}", diagnostics[0]);
                            return;
                        }
                    }
                    Err(e) => {
                        println!("{model}: {e}");
                        return;
                    }
                }
            };
            let time = start.elapsed();
            if std::env::var("EVAL").is_ok() {
                let front = driver::load_model(&dir.join("model.onnx")).unwrap();
                let imported = driver::import_model(&front, &options).unwrap();
                let t = Instant::now();
                match graph::evaluate(&imported.graph, &inputs) {
                    Ok(values) => values.iter().zip(&expected).for_each(|(a, b)| println!("  evaluator {:?} worst {:.3} in {:?}", a.ty(), worst(a, b), t.elapsed())),
                    Err(e) => println!("  evaluator: {e:?}"),
                }
            }
            if let Ok(only) = std::env::var("NODES") {
                let front = driver::load_model(&dir.join("model.onnx")).unwrap();
                let mut imported = driver::import_model(&front, &options).unwrap();
                let g = imported.graph.clone();
                let mut values: std::collections::BTreeMap<graph::ValueId, Tensor> = Default::default();
                graph::evaluate_with(&g, &inputs, &mut |inner: &graph::Graph, v, t: &Tensor| {
                    if inner.n_values() == g.n_values() {
                        values.insert(v, t.clone());
                    }
                })
                .unwrap();
                let (lo, hi) = only.split_once("..").unwrap();
                let (lo, hi): (usize, usize) = (lo.parse().unwrap(), hi.parse().unwrap());
                imported.graph.outputs.clear();
                let mut wanted = vec![];
                for (at, node) in g.nodes.iter().enumerate() {
                    if at >= lo && at < hi && !matches!(node.op, ops::Op::Constant(_)) {
                        for v in &node.outputs {
                            imported.graph.outputs.push(graph::Port { name: format!("v{}", v.0), value: *v });
                            wanted.push((at, *v));
                        }
                    }
                }
                let compiled = driver::compile_imported(imported, Default::default(), &options).unwrap();
                let engine = runtime::Engine::from_artifact(compiled.artifact.into(), &runtime::Host::new(std::num::NonZeroUsize::new(1))).unwrap();
                let outs = engine.run(&inputs).unwrap();
                for ((at, v), t) in wanted.iter().zip(&outs) {
                    let e = worst(t, &values[v]);
                    if e > 1.0 {
                        let node = &g.nodes[*at];
                        println!("node {at} {} {} worst {e} {:?}", node.op.name(), node.loc, t.ty());
                        for i in &node.inputs {
                            println!("   in {}", g.ty(*i));
                        }
                    }
                }
                return;
            }
            println!("{model}: compiled in {time:?} {:?} {:?}", compiled.report.kernels.iter().map(|k| (k.1, k.2)).collect::<Vec<_>>(), compiled.report.timings);
            let engine = match runtime::Engine::from_artifact(compiled.artifact.into(), &runtime::Host::new(std::num::NonZeroUsize::new(2))) {
                Ok(engine) => engine,
                Err(e) => {
                    println!("{model}: load: {e}");
                    return;
                }
            };
            match engine.run(&inputs) {
                Err(e) => println!("{model}: run: {e}"),
                Ok(outputs) => {
                    for (k, (a, b)) in outputs.iter().zip(&expected).enumerate() {
                        println!("  output {k} {:?} worst {:.3} of tolerance", a.ty(), worst(a, b));
                    }
                    let mut times: Vec<f64> = (0..7)
                        .map(|_| {
                            let t = Instant::now();
                            let _ = engine.run(&inputs);
                            t.elapsed().as_secs_f64() * 1e3
                        })
                        .collect();
                    times.sort_by(f64::total_cmp);
                    println!("  latency {:.2} ms", times[3]);
                    if profile {
                        let (_, p) = engine.profile(&inputs).unwrap();
                        let mut steps: Vec<_> = p.steps.iter().collect();
                        steps.sort_by(|a, b| b.time.cmp(&a.time));
                        for s in steps.iter().take(25) {
                            println!("    {:?}", s);
                        }
                    }
                }
            }
        }
    }
}
