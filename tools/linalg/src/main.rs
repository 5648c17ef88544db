//! `linalg-bench FOLDER`: the graphs of a folder by our road and by linalg's, timed in turns; a table for people on stdout.
//!
//! Both start from the same optimized graph and end in the same LLVM with the same features, on one thread of the same
//! runtime. Linalg's road is given what it has best: of several recipes the fastest counts. Functions are the same
//! polynomials on both.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool prints")]

use codegen::HostTarget;
use driver::{Options, Phase, Start, Target};
use graph::Graph;
use linalg_road::{Recipe, compile, scripts};
use runtime::{Engine, Host};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tenfold_dialect::linalg::Functions;
use tensor::{DType, Scalar, Tensor};

type Failure = Box<dyn std::error::Error>;

/// A graph, the value of its symbols, and the recipes that suit it.
struct Subject {
    file: &'static str,
    about: &'static str,
    rows: i64,
    recipes: &'static [Recipe],
}

const SUBJECTS: &[Subject] = &[
    subject("gelu", "GELU, 262144", &[Recipe::Fused, Recipe::Script(scripts::ELEMENTS)]),
    subject("softmax", "softmax, 512x512", &[Recipe::Fused, Recipe::Script(scripts::ROWS)]),
    subject("add_layer_norm", "add + layer norm, 512x768", &[Recipe::Fused, Recipe::Script(scripts::ROWS)]),
    subject("rms_norm", "RMS norm, 512x768", &[Recipe::Fused, Recipe::Script(scripts::ROWS)]),
    subject("row_sum", "sums of rows, 512x1024", &[Recipe::Fused, Recipe::Script(scripts::ROW_SUMS)]),
    subject("transpose_add", "transpose + add, 512x512", &[Recipe::Fused, Recipe::Script(scripts::SQUARES)]),
    subject("matmul_fixed", "matmul + bias + ReLU, 256x256x256", &[Recipe::Fused, Recipe::Script(scripts::PRODUCT)]),
    subject(
        "matmul_symbolic",
        "the same, symbolic rows, 203 of them",
        &[Recipe::Fused, Recipe::Script(scripts::PRODUCT_BY_ROWS)],
    ),
    subject("conv3x3", "conv 3x3 + bias + ReLU, 32 to 64 of 56x56", &[Recipe::Fused, Recipe::Script(scripts::WINDOWS)]),
];

const fn subject(file: &'static str, about: &'static str, recipes: &'static [Recipe]) -> Subject {
    Subject { file, about, rows: 203, recipes }
}

/// Turns, and runs in each; the least of a turn counts, and the median of turns.
const TURNS: usize = 21;
const RUNS: usize = 20;

/// A compiled graph.
struct Road {
    engine: Engine,
    compiled_in: Duration,
    name: String,
}

fn inputs(graph: &Graph, rows: i64) -> Vec<Tensor> {
    let mut state = 1u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1u64 << 24) as f64 * 2.0 - 1.0
    };
    let each = graph.inputs.iter().map(|port| {
        let ty = graph.ty(port.value);
        let shape = ty.shape.iter().map(|dim| dim.eval(&|_| Some(rows)).unwrap_or(1) as usize).collect();
        Tensor::build(DType::F32, shape, |_| Scalar::Float(uniform()))
    });
    each.collect()
}

fn ours(path: &Path, options: &Options) -> Result<Road, Failure> {
    let start = Instant::now();
    let compiled = driver::compile_text(path, Phase::Canonicalize, options)?;
    let compiled_in = start.elapsed();
    Ok(Road { engine: engine(compiled.artifact)?, compiled_in, name: "ours".into() })
}

fn linalg(graph: &Graph, recipe: Recipe, host: &HostTarget) -> Result<Road, Failure> {
    let start = Instant::now();
    let compiled = compile(graph, Functions::Written, recipe, host, 1 << 26)?;
    let compiled_in = start.elapsed();
    let name = match recipe {
        Recipe::Loops => "loops".into(),
        Recipe::Fused => "fused loops".into(),
        Recipe::Script(script) => script.name.to_owned(),
    };
    Ok(Road { engine: engine(compiled.artifact)?, compiled_in, name })
}

fn engine(artifact: artifact::Artifact) -> Result<Engine, Failure> {
    Ok(Engine::from_artifact(Arc::new(artifact), &Host::new(NonZeroUsize::new(1)))?)
}

/// Microseconds of a run on each road, in turns.
fn time(roads: &[&Road], inputs: &[Tensor]) -> Result<Vec<f64>, Failure> {
    let mut turns = vec![vec![]; roads.len()];
    for _ in 0..TURNS {
        for (road, turns) in roads.iter().zip(&mut turns) {
            let mut least = Duration::MAX;
            for _ in 0..RUNS {
                let start = Instant::now();
                road.engine.run(inputs)?;
                least = least.min(start.elapsed());
            }
            turns.push(least.as_secs_f64() * 1e6);
        }
    }
    Ok(turns.into_iter().map(median).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The largest difference of results, relative to the largest element.
fn difference(a: &[Tensor], b: &[Tensor]) -> f64 {
    let pairs = a.iter().zip(b).flat_map(|(a, b)| a.iter().zip(b.iter()));
    let (most, size) = pairs.fold((0.0f64, 1e-30f64), |(most, size), (a, b)| {
        (most.max((a.as_f64() - b.as_f64()).abs()), size.max(b.as_f64().abs()))
    });
    most / size
}

fn row(folder: &Path, subject: &Subject, options: &Options, host: &HostTarget) -> Result<String, Failure> {
    let path = folder.join(format!("{}.graph", subject.file));
    let graph = driver::phase_graph(Start::Text(&path, Phase::Canonicalize), Phase::Optimize, options)?;
    let inputs = inputs(&graph, subject.rows);
    let ours = ours(&path, options)?;
    let expected = ours.engine.run(&inputs)?;
    let mut roads = vec![];
    for recipe in subject.recipes {
        match linalg(&graph, *recipe, host) {
            Ok(road) => roads.push(road),
            Err(failure) => eprintln!("{}: {failure}", subject.file),
        }
    }
    for road in &roads {
        let off = difference(&road.engine.run(&inputs)?, &expected);
        if off.is_nan() || off > 1e-4 {
            return Err(format!("{}, {}: results differ by {off:e}", subject.file, road.name).into());
        }
    }
    let all: Vec<&Road> = [&ours].into_iter().chain(&roads).collect();
    let times = time(&all, &inputs)?;
    let best = (1..all.len()).min_by(|a, b| times[*a].total_cmp(&times[*b])).ok_or("no recipe of linalg compiles")?;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(format!(
        "| {} | {:.0} | {:.0} | {:.2} | {} | {:.0} | {:.0} |",
        subject.about,
        times[0],
        times[best],
        times[0] / times[best],
        all[best].name,
        ms(ours.compiled_in),
        ms(all[best].compiled_in)
    ))
}

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: linalg-bench FOLDER");
        return ExitCode::from(2);
    };
    let host = HostTarget::native();
    let options = Options { targets: vec![Target::Host(host.clone())], threads: 1, ..Options::default() };
    println!(
        "| graph | ours, us | linalg, us | ours / linalg | linalg's best recipe | our compile, ms | its compile, ms |"
    );
    println!("|---|--:|--:|--:|---|--:|--:|");
    for subject in SUBJECTS {
        match row(Path::new(&folder), subject, &options, &host) {
            Ok(row) => println!("{row}"),
            Err(failure) => {
                eprintln!("{failure}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
