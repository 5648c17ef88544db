//! Programs built by hand: straight lines of kernels, control flow, wrong inputs, and a device with memory of its own.

mod control;
mod external;
mod kernels;
mod limits;
mod remote;
mod wrong;

use crate::{Engine, Error, Host};
use artifact::{Artifact, Kernels, Manifest, Port, Program, ProgramBuilder, Signature, Variant, Weight};
use bytes::Bytes;
use std::num::NonZeroUsize;
use std::sync::Arc;
use tensor::{Dim, Tensor};

/// A target that every x86-64 or other Linux machine has.
fn any_host() -> String {
    format!("host:{}-unknown-{}-gnu/generic/", std::env::consts::ARCH, std::env::consts::OS)
}

/// An artifact around one program.
fn artifact(program: Program, target: &str, kernels: Kernels, code: Vec<Bytes>, weights: Vec<Weight>) -> Artifact {
    let signature = |port: &Port| {
        let view = &program.views[port.view.idx()];
        let shape = view.shape.iter().map(|dim| program.exprs[dim.idx()].clone()).collect();
        Signature { name: port.name.clone(), dtype: view.dtype, shape }
    };
    Artifact {
        manifest: Manifest {
            producer: "test".into(),
            model: "test".into(),
            numerics: "strict".into(),
            inputs: program.inputs.iter().map(signature).collect(),
            outputs: program.outputs.iter().map(signature).collect(),
            ranges: vec![],
        },
        variants: vec![Variant { target: target.into(), kernels, program }],
        code,
        weights,
    }
}

fn no_kernels() -> Kernels {
    Kernels::Host { units: vec![], kernels: vec![] }
}

fn host(threads: usize) -> Host {
    Host::new(NonZeroUsize::new(threads))
}

/// An engine for a program without kernels.
fn engine(program: ProgramBuilder) -> Engine {
    let artifact = artifact(program.finish(), &any_host(), no_kernels(), vec![], vec![]);
    Engine::from_artifact(Arc::new(artifact), &host(1)).unwrap()
}

fn run(engine: &Engine, inputs: &[Tensor]) -> Vec<Tensor> {
    engine.run(inputs).unwrap()
}

fn fails(engine: &Engine, inputs: &[Tensor], expected: &str) {
    match engine.run(inputs) {
        Ok(outputs) => panic!("no error, but {outputs:?}; expected: {expected}"),
        Err(error) => assert!(error.to_string().contains(expected), "{error}; expected: {expected}"),
    }
}

fn floats(values: &[f32]) -> Tensor {
    Tensor::from_vec(vec![values.len()], values.to_vec())
}

fn n() -> Dim {
    Dim::symbol("N")
}

fn constant(bytes: &'static [u8], dtype: tensor::DType) -> Weight {
    Weight { name: "constant".into(), dtype, data: Bytes::from_static(bytes) }
}

#[test]
fn engines_may_be_shared_between_threads() {
    fn needs<T: Send + Sync>() {}
    needs::<Engine>();
    needs::<Error>();
}
