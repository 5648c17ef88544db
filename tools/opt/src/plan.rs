//! A plan as text: one line for each step, nodes as `operator@position`.

use graph::{Graph, ValueId};
use schedule::{IndexCheck, IndexClaim, Plan, Region, Step};

/// The text of a plan for a graph.
pub(crate) fn to_text(graph: &Graph, plan: &Plan) -> String {
    let mut out = String::new();
    print(graph, plan, "", &mut out);
    out
}

fn print(graph: &Graph, plan: &Plan, indent: &str, out: &mut String) {
    for step in &plan.steps {
        let line = match step {
            Step::Kernel(region) => kernel(graph, region),
            Step::Alias(idx) => format!("alias {}", flow(graph, *idx)),
            Step::Host(idx) => format!("host {}", flow(graph, *idx)),
            Step::Indices(check) => indices(graph, check),
            Step::Control(idx, _) => format!("control {} {{", flow(graph, *idx)),
        };
        out.push_str(&format!("{indent}{line}\n"));
        if let Step::Control(idx, plans) = step {
            let inner = format!("{indent}    ");
            for (region, plan) in graph.nodes[*idx].regions.iter().zip(plans) {
                out.push_str(&format!("{indent}  region @{} {{\n", region.name));
                print(region, plan, &inner, out);
                out.push_str(&format!("{indent}  }}\n"));
            }
            out.push_str(&format!("{indent}}}\n"));
        }
    }
}

fn kernel(graph: &Graph, region: &Region) -> String {
    let members: Vec<String> = region.members.iter().map(|idx| node(graph, *idx)).collect();
    let body = if members.is_empty() { "copy".into() } else { members.join(" ") };
    let anchor = region.anchor.map(|idx| format!(" anchor {}", node(graph, idx))).unwrap_or_default();
    let part = region.store.part.as_ref().map(|(axis, from)| format!(" at {from} of axis {axis}")).unwrap_or_default();
    let (reads, writes) = (values(graph, &region.leaves), values(graph, &[region.store.value]));
    format!("kernel {{ {body} }}{anchor} : {reads} -> {writes}{part}")
}

fn indices(graph: &Graph, check: &IndexCheck) -> String {
    let (node, axis) = (node(graph, check.node), check.axis);
    match &check.claim {
        IndexClaim::Elements { indices, sizes } => {
            let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
            format!("indices {} of {node} : axis {axis} of {}", values(graph, &[*indices]), sizes.join(", "))
        }
        IndexClaim::Extremes { column, low, high, size } => {
            format!("indices {low} to {high} of {node} : axis {} of {size}", axis + column)
        }
    }
}

fn flow(graph: &Graph, idx: usize) -> String {
    let at = &graph.nodes[idx];
    format!("{} : {} -> {}", node(graph, idx), values(graph, &at.inputs), values(graph, &at.outputs))
}

fn node(graph: &Graph, idx: usize) -> String {
    format!("{}@{idx}", graph.nodes[idx].op.name())
}

/// Values by name, or by number where they have none.
pub(crate) fn values(graph: &Graph, values: &[ValueId]) -> String {
    let name = |v: &ValueId| match &graph.value(*v).name {
        Some(name) => format!("%{name}"),
        None => format!("%{}", v.0),
    };
    let names: Vec<String> = values.iter().map(name).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
