//! `tenfold compare`: the first value of a model that differs from a reference.

use crate::args::RunArgs;
use crate::compare::{Difference, Tolerance, Verdict, compare};
use crate::data::{self, Tensors};
use crate::{Failure, output, session};
use clap::Args;
use graph::{Graph, ValueId};
use import_onnx::Imported;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tensor::Tensor;

#[derive(Args, Debug)]
pub(crate) struct Verb {
    #[command(flatten)]
    run: RunArgs,
    /// The reference: `evaluator`, or a file of values by their names in the model
    #[arg(long, value_name = "evaluator|FILE.npz")]
    against: PathBuf,
    /// Compare the result of every node, not only the outputs. This keeps every value in memory, and the compiler from fusing
    /// nodes away
    #[arg(long)]
    all_nodes: bool,
    /// Relative tolerance of floating-point values
    #[arg(long, default_value = "1e-3")]
    rtol: f64,
    /// Absolute tolerance of floating-point values
    #[arg(long, default_value = "1e-4")]
    atol: f64,
    /// Print for a machine
    #[arg(long)]
    json: bool,
}

/// A value that is compared: its name, and the node that makes it.
struct Watched {
    name: String,
    node: String,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    if session::is_artifact(&verb.run.model) {
        let text = "an artifact has no nodes to compare; give the model that it was compiled from";
        return Err(Failure::Usage(text.into()));
    }
    let mut loaded = session::load(&verb.run)?;
    if verb.all_nodes {
        expose(&mut loaded.imported.graph);
    }
    let watched = watched(&loaded.imported.graph);
    let spinner = output::spinner("computing the reference");
    let wanted = reference(verb, &loaded.imported, &loaded.tensors)?;
    spinner.finish_and_clear();
    let got = loaded.compile()?.run()?;
    conclude(verb, &watched, &got, &wanted)
}

/// Makes every named result of a node an output of its own, in the order of the nodes.
fn expose(graph: &mut Graph) {
    let mut taken: Vec<String> = graph.outputs.iter().map(|port| port.name.clone()).collect();
    let is_constant: Vec<bool> = graph.constants().iter().map(Option::is_some).collect();
    let results: Vec<ValueId> = graph.nodes.iter().flat_map(|node| node.outputs.iter().copied()).collect();
    for value in results {
        let Some(name) = graph.value(value).name.clone() else {
            continue;
        };
        if !is_constant[value.index()] && !graph.is_output(value) && !taken.contains(&name) {
            taken.push(name.clone());
            graph.outputs.push(graph::Port { name, value });
        }
    }
}

fn watched(graph: &Graph) -> Vec<Watched> {
    let producers = graph.producers();
    let node = |value: ValueId| producers[value.index()].map(|at| graph.nodes[at].loc.to_string());
    let outputs = graph.outputs.iter();
    outputs
        .map(|port| Watched { name: port.name.clone(), node: node(port.value).unwrap_or_else(|| "an input".into()) })
        .collect()
}

/// The order in which nodes make the outputs; a cause comes before what follows from it.
fn in_node_order(graph: &Graph) -> Vec<usize> {
    let producers = graph.producers();
    let mut order: Vec<usize> = (0..graph.outputs.len()).collect();
    order.sort_by_key(|at| producers[graph.outputs[*at].value.index()]);
    order
}

/// The expected values, by the position of the output, in the order in which they are to be compared.
fn reference(verb: &Verb, imported: &Imported, tensors: &Tensors) -> Result<Vec<(usize, Tensor)>, Failure> {
    let graph = &imported.graph;
    let order = in_node_order(graph);
    if verb.against == Path::new("evaluator") {
        let inputs: Vec<Tensor> = graph.inputs.iter().filter_map(|port| tensors.get(&port.name).cloned()).collect();
        let values = graph::evaluate(graph, &inputs).map_err(|e| Failure::Input(format!("evaluator: {e}")))?;
        return Ok(order.into_iter().map(|at| (at, values[at].clone())).collect());
    }
    let in_file = |e: npy::Error| Failure::Input(format!("`{}`: {e}", verb.against.display()));
    let members: BTreeMap<String, bytes::Bytes> =
        npy::read_npz(&data::read_file(&verb.against)?).map_err(in_file)?.into_iter().collect();
    let mut wanted = vec![];
    for at in order {
        let port = &graph.outputs[at];
        if let Some(member) = members.get(&port.name) {
            wanted.push((at, npy::read(member, Some(graph.ty(port.value).dtype)).map_err(in_file)?));
        }
    }
    if wanted.is_empty() {
        let names: Vec<&str> = members.keys().map(String::as_str).collect();
        return Err(Failure::Input(format!(
            "`{}` has no value of this model; it has {}",
            verb.against.display(),
            names.join(", ")
        )));
    }
    Ok(wanted)
}

fn conclude(verb: &Verb, watched: &[Watched], got: &[Tensor], wanted: &[(usize, Tensor)]) -> Result<(), Failure> {
    let tolerance = Tolerance { rtol: verb.rtol, atol: verb.atol };
    for (at, want) in wanted {
        let (text, difference) = match compare(&got[*at], want, tolerance) {
            Verdict::Equal => continue,
            Verdict::Type(why) => (why, None),
            Verdict::Differs(difference) => (difference.describe(&got[*at], want), Some(difference)),
        };
        let Watched { name, node } = &watched[*at];
        if verb.json {
            output::line(
                json!({"equal": false, "value": name, "node": node, "reason": text, "error": difference.as_ref().map(to_json)}),
            );
        } else {
            output::line(format!("first difference: `{name}`\n  --> {node}\n   = {text}"));
        }
        return Err(Failure::Difference(format!("`{name}` differs")));
    }
    if verb.json {
        output::line(json!({"equal": true, "compared": wanted.len()}));
    } else {
        output::line(format!("{} values are equal within rtol {} and atol {}", wanted.len(), verb.rtol, verb.atol));
    }
    Ok(())
}

fn to_json(difference: &Difference) -> Value {
    json!({
        "wrong": difference.wrong, "first": difference.first, "absolute": difference.absolute,
        "relative": difference.relative, "ulp": difference.ulp,
    })
}
