//! Kernels as text: MLIR, LLVM IR, assembly.

use codegen::{HostTarget, PtxTarget, Source, Stage};
use graph::{Graph, ValueId, value_names};
use lower::{Arg, Kernel, Target, TensorMap};
use mlir::Session;
use schedule::{Plan, Step};
use std::collections::BTreeMap;

/// A kernel with a line that says how it is launched.
pub(crate) struct Described {
    kernel: Kernel,
    head: String,
}

/// The kernels of a graph in the order of its plan, those of regions included.
pub(crate) fn lowered(graph: &Graph, target: Target) -> Result<Vec<Described>, String> {
    let mut kernels = vec![];
    collect(graph, &schedule::plan(graph), target, &mut kernels)?;
    Ok(kernels)
}

fn collect(graph: &Graph, plan: &Plan, target: Target, out: &mut Vec<Described>) -> Result<(), String> {
    let (producers, constants, names) = (graph.producers(), graph.constants(), value_names(graph));
    for step in &plan.steps {
        match step {
            Step::Kernel(region) => {
                for region in lower::pieces(graph, region, &producers, &constants, target) {
                    let kernel = lower::lower(graph, &region, &producers, &constants, target);
                    let kernel = kernel.map_err(|e| e.to_string())?;
                    out.push(Described { head: head(&names, &kernel), kernel });
                }
            }
            Step::Control(idx, plans) => {
                let mut regions = graph.nodes[*idx].regions.iter().zip(plans);
                regions.try_for_each(|(region, plan)| collect(region, plan, target, out))?;
            }
            Step::Alias(_) | Step::Host(_) | Step::Indices(_) => {}
        }
    }
    Ok(())
}

fn head(names: &BTreeMap<ValueId, String>, kernel: &Kernel) -> String {
    let arg = |arg: &Arg| match &arg.packing {
        Some(packing) => format!("{} packed in panels of {}", names[&arg.value], packing.panel),
        None => names[&arg.value].clone(),
    };
    let args: Vec<String> = kernel.args.iter().map(arg).collect();
    let dims: Vec<String> = kernel.dims.iter().map(ToString::to_string).collect();
    let (tasks, scratch) = (&kernel.tasks, &kernel.scratch);
    let template = match kernel.block.tasks {
        1 => format!(
            ", {} in blocks of {} threads, shared {}",
            kernel.template, kernel.block.threads, kernel.block.shared
        ),
        _ => String::new(),
    };
    let map = |map: &TensorMap| format!(", map of {}: {map}", names[&map.value]);
    let maps: String = kernel.maps.iter().map(map).collect();
    format!(
        "// kernel {} ({}), dims [{}], tasks {tasks}, scratch {scratch}{template}{maps}\n",
        kernel.name,
        args.join(", "),
        dims.join(", ")
    )
}

pub(crate) fn to_text(kernels: &[Described]) -> String {
    kernels.iter().map(|k| format!("{}{}\n", k.head, k.kernel.text)).collect()
}

pub(crate) fn host_code(kernels: &[Described], host: &HostTarget, stage: Stage) -> Result<String, String> {
    each(kernels, |session, source| codegen::host_text(session, source, host, stage))
}

pub(crate) fn ptx(kernels: &[Described], target: &PtxTarget, stage: Stage) -> Result<String, String> {
    each(kernels, |session, source| codegen::ptx_text(session, source, target, stage))
}

fn each(
    kernels: &[Described],
    compile: impl Fn(&Session, Source<'_>) -> Result<String, codegen::Error>,
) -> Result<String, String> {
    let session = Session::new();
    let mut out = String::new();
    for Described { kernel, head } in kernels {
        let source = Source { name: &kernel.name, text: &kernel.text };
        let text = compile(&session, source).map_err(|e| e.to_string())?;
        out.push_str(&format!("{head}{text}\n"));
    }
    Ok(out)
}
