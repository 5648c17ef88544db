//! The artifact around one kernel that computes a whole graph.

use artifact::{
    Artifact, CodeId, HostKernel, HostUnit, Import, KernelId, Kernels, Launch, Manifest, Place, ProgramBuilder,
    Signature, Step, Variant, ViewId,
};
use codegen::{HostCode, HostTarget};
use graph::{Graph, Port};
use tensor::Dim;

/// An artifact that launches the entry once.
pub(crate) fn of(graph: &Graph, code: &HostCode, host: &HostTarget, scratch: usize) -> Artifact {
    let imports = code.imports.iter().map(|(name, slot)| Import { name: name.clone(), slot: *slot }).collect();
    let entry = code.entry(crate::entry::OUTER).unwrap_or(0);
    let kernels = Kernels::Host {
        units: vec![HostUnit { code: CodeId(0), imports }],
        kernels: vec![HostKernel { name: "linalg".into(), unit: 0, entry }],
    };
    let variant = Variant { target: format!("host:{host}"), kernels, program: program(graph, scratch) };
    let signatures = |ports: &[Port]| ports.iter().map(|port| signature(graph, port)).collect();
    let manifest = Manifest {
        producer: "linalg-road".into(),
        model: graph.name.clone(),
        numerics: "strict".into(),
        inputs: signatures(&graph.inputs),
        outputs: signatures(&graph.outputs),
        ranges: vec![],
    };
    Artifact { manifest, variants: vec![variant], code: vec![code.blob.clone().into()], weights: vec![] }
}

fn signature(graph: &Graph, port: &Port) -> Signature {
    let ty = graph.ty(port.value);
    let shape = ty.shape.iter().map(ToString::to_string).collect();
    Signature { name: port.name.clone(), dtype: ty.dtype, shape }
}

fn program(graph: &Graph, scratch: usize) -> artifact::Program {
    let mut b = ProgramBuilder::new();
    let mut tensor = |port: &Port, place: Place| -> ViewId {
        let ty = graph.ty(port.value);
        b.tensor(place, ty.dtype, &ty.shape)
    };
    let inputs: Vec<ViewId> = (0..).zip(&graph.inputs).map(|(n, port)| tensor(port, Place::Input(n))).collect();
    let outputs: Vec<ViewId> = (0..).zip(&graph.outputs).map(|(n, port)| tensor(port, Place::Output(n))).collect();
    inputs.iter().zip(&graph.inputs).for_each(|(view, port)| b.input(&port.name, *view));
    outputs.iter().zip(&graph.outputs).for_each(|(view, port)| b.output(&port.name, *view));
    let dims = crate::entry::dims(graph).iter().map(|dim| b.dim(dim)).collect();
    let [one, zero, scratch] = [Dim::from(1), Dim::from(0), Dim::from(scratch)].map(|dim| b.dim(&dim));
    let args = [inputs, outputs].concat();
    let (kernel, maps, nodes) = (KernelId(0), vec![], vec![]);
    b.push(Step::Launch(Launch {
        kernel,
        args,
        maps,
        dims,
        tasks: one,
        scratch,
        cost: zero,
        nodes,
        flops: zero,
        bytes: zero,
    }));
    b.finish()
}
