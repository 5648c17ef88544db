//! What the device asks of the driver, of a [fake](crate::fake) that looks at it.

mod callers;
mod errors;
mod graphs;
mod runs;
mod sharing;

use crate::fake::Fake;
use artifact::*;
use bytes::Bytes;
use runtime::Engine;
use std::sync::Arc;
use tensor::{DType, Dim, Tensor};

/// `y = kernel(x, w; N - 5)` with `N` tasks, and the shape of `x`. The kernel adds `w` = (10, 20), again and again.
fn artifact(with_bind: bool) -> Arc<Artifact> {
    let mut b = ProgramBuilder::new();
    let n = Dim::symbol("N");
    let x = b.tensor(Place::Input(0), DType::F32, std::slice::from_ref(&n));
    let w = b.tensor(Place::Weight(WeightId(1)), DType::F32, &[2.into()]);
    let y = b.tensor(Place::Output(0), DType::F32, std::slice::from_ref(&n));
    let shape = b.tensor(Place::Output(1), DType::I64, &[1.into()]);
    b.input("x", x);
    b.output("y", y);
    b.output("shape", shape);
    let [tasks, less, zero] = [b.dim(&n), b.dim(&(n - 5.into())), b.dim(&0.into())];
    b.push(Step::Dims { values: vec![tasks], out: shape });
    b.push(launch(vec![x, w, y], vec![less], tasks, zero));
    if with_bind {
        let symbol = b.symbol("again");
        b.push(Step::Bind { input: shape, symbols: vec![symbol] });
    }
    around(b.finish(), &[10.0, 20.0])
}

fn launch(args: Vec<ViewId>, dims: Vec<DimId>, tasks: DimId, zero: DimId) -> Step {
    Step::Launch(Launch {
        maps: vec![],
        kernel: KernelId(0),
        args,
        dims,
        tasks,
        scratch: zero,
        cost: zero,
        nodes: vec![],
        flops: zero,
        bytes: zero,
    })
}

/// An artifact for one program of the one kernel, with a weight that it uses and one that it does not.
fn around(program: Program, weights: &[f32]) -> Arc<Artifact> {
    let signature = |port: &Port| {
        let view = &program.views[port.view.idx()];
        let shape = view.shape.iter().map(|dim| program.exprs[dim.idx()].clone()).collect();
        Signature { name: port.name.clone(), dtype: view.dtype, shape }
    };
    let weight = |data: Vec<u8>| Weight { name: "w".into(), dtype: DType::F32, data: Bytes::from(data) };
    let used = weights.iter().flat_map(|value| value.to_le_bytes()).collect();
    let kernel =
        PtxKernel { name: "k".into(), unit: 0, entry: "entry".into(), block: 128, tasks_per_block: 4, shared: 64 };
    Arc::new(Artifact {
        manifest: Manifest {
            producer: "test".into(),
            model: "test".into(),
            numerics: "strict".into(),
            inputs: program.inputs.iter().map(signature).collect(),
            outputs: program.outputs.iter().map(signature).collect(),
            ranges: vec![],
        },
        variants: vec![Variant {
            target: "nvptx:sm_80".into(),
            kernels: Kernels::Ptx { units: vec![CodeId(0)], kernels: vec![kernel] },
            program,
        }],
        code: vec![Bytes::from_static(b"text")],
        weights: vec![weight(vec![0; 1000]), weight(used)],
    })
}

fn input(len: usize) -> [Tensor; 1] {
    [Tensor::from_vec(vec![len], (0..len).map(|v| v as f32).collect())]
}

/// What the model gives for such an input.
fn expected(len: usize) -> Vec<f32> {
    (0..len).map(|v| v as f32 + [10.0, 20.0][v % 2]).collect()
}

fn engine(fake: &Fake, artifact: Arc<Artifact>) -> Engine {
    Engine::from_artifact(artifact, &fake.device(90)).unwrap()
}

#[track_caller]
fn check(engine: &Engine, len: usize) {
    let outputs = engine.run(&input(len)).unwrap();
    assert_eq!((outputs[0].values::<f32>().to_vec(), outputs[1].to_ints()), (expected(len), vec![len as i64]));
}

/// How often a call happened.
fn count(calls: &[String], call: &str) -> usize {
    calls.iter().filter(|found| *found == call).count()
}
