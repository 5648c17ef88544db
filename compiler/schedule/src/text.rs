//! The printed form of plans; `parse.rs` is its inverse.
//!
//! First comes the graph, in its own form; the steps name nodes by operator and first result (`exp %e`), and nodes without
//! results by position (`bind @3`).
//!
//! ```text
//! graph @g(%x: f32[N,64], %w: f32[64,32], %b: f32[32]) { .. }
//! plan {
//!   kernel { dot %d, broadcast %bb, add %s, tanh %y } anchor %d : %x, %w, %b -> %y
//!   kernel { reduce %m, reshape %k, broadcast %mm, sub %u } rows %m : %z -> %u
//!   kernel { dot %s, reduce %m, .., mul %p, dot %o } anchor %o rows %m, %l scores %s : %q, %k, %v -> %o
//!   kernel { copy %z } : %z -> %c [axis 1 from 2*N]
//!   alias reshape %r
//!   indices gather %h : %i within [N] axis 0
//!   indices gather %k : [0, M-1] within [N] axis 1 column 0
//!   host bind @5
//!   control if %q {
//!     region @then {
//!       kernel { neg %0 } : %p -> %0
//!     }
//!     region @else {
//!     }
//!   }
//! }
//! ```
//! A kernel writes the result of its last node; a copy writes what it reads. What a kernel reads, its anchor, and the
//! reductions of its rows follow from its nodes and may be left out. `indices` is a look at indices from data, or at the
//! least and the largest of them, before a node selects by them. `[axis A from D]` says that it writes a part of a
//! concatenation.

use crate::{IndexCheck, IndexClaim, Plan, Region, Step};
use graph::{Graph, TextOptions, ValueId, value_names};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Appends formatted text; writing to a string cannot fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => {{
        let _ = write!($out, $($text)*);
    }};
}

/// The text of a graph and its plan.
///
/// ```
/// let text = "graph @g(%x: f32[N]) { %a = exp %x  %y = neg %a  return %y }";
/// let graph = graph::parse(text, "g.graph").map_err(|d| d.to_string())?;
/// let text = schedule::to_text(&graph, &schedule::plan(&graph), Default::default());
/// assert!(text.ends_with("plan {\n  kernel { exp %a, neg %y } : %x -> %y\n}\n"));
/// let (_, again) = schedule::parse(&text, "g.plan", &|_| None).map_err(|d| d.to_string())?;
/// assert_eq!(again, schedule::plan(&graph));
/// # Ok::<(), String>(())
/// ```
pub fn to_text(graph: &Graph, plan: &Plan, options: TextOptions) -> String {
    graph::to_text(graph, options) + &plan_text(graph, plan)
}

/// The text of a plan without its graph.
pub fn plan_text(graph: &Graph, plan: &Plan) -> String {
    let mut out = String::from("plan {\n");
    Printer::new(graph).steps(plan, "  ", &mut out);
    out.push_str("}\n");
    out
}

struct Printer<'g> {
    graph: &'g Graph,
    names: BTreeMap<ValueId, String>,
}

impl<'g> Printer<'g> {
    fn new(graph: &'g Graph) -> Self {
        Printer { graph, names: value_names(graph) }
    }

    fn steps(&self, plan: &Plan, indent: &str, out: &mut String) {
        for step in &plan.steps {
            out.push_str(indent);
            match step {
                Step::Kernel(region) => self.kernel(region, out),
                Step::Alias(idx) => put!(out, "alias {}", self.node(*idx)),
                Step::Host(idx) => put!(out, "host {}", self.node(*idx)),
                Step::Indices(check) => self.indices(check, out),
                Step::Control(idx, plans) => self.control(*idx, plans, indent, out),
            }
            out.push('\n');
        }
    }

    fn control(&self, idx: usize, plans: &[Plan], indent: &str, out: &mut String) {
        put!(out, "control {} {{\n", self.node(idx));
        for (region, plan) in self.graph.nodes[idx].regions.iter().zip(plans) {
            put!(out, "{indent}  region @{} {{\n", graph::word(&region.name));
            Printer::new(region).steps(plan, &format!("{indent}    "), out);
            put!(out, "{indent}  }}\n");
        }
        put!(out, "{indent}}}");
    }

    fn indices(&self, check: &IndexCheck, out: &mut String) {
        put!(out, "indices {} : ", self.node(check.node));
        match &check.claim {
            IndexClaim::Elements { indices, sizes } => {
                let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
                put!(out, "{} within [{}] axis {}", self.value(*indices), sizes.join(", "), check.axis);
            }
            IndexClaim::Extremes { column, low, high, size } => {
                put!(out, "[{low}, {high}] within [{size}] axis {} column {column}", check.axis);
            }
        }
    }

    fn kernel(&self, region: &Region, out: &mut String) {
        let members: Vec<String> = region.members.iter().map(|idx| self.node(*idx)).collect();
        match &members[..] {
            [] => put!(out, "kernel {{ copy {} }}", self.value(region.result)),
            members => put!(out, "kernel {{ {} }}", members.join(", ")),
        }
        let first = |idx: &usize| self.graph.nodes[*idx].outputs[0];
        self.list(" anchor", region.anchor.iter().map(first), out);
        self.list(" rows", region.rows.iter().map(first), out);
        self.list(" scores", region.scores.iter().map(first), out);
        self.list(" :", region.leaves.iter().copied(), out);
        put!(out, " -> {}", self.value(region.store.value));
        if let Some((axis, from)) = &region.store.part {
            put!(out, " [axis {axis} from {from}]");
        }
    }

    /// A word and values with commas between them; nothing if there are none.
    fn list(&self, word: &str, values: impl Iterator<Item = ValueId>, out: &mut String) {
        let names: Vec<&str> = values.map(|value| self.value(value)).collect();
        if !names.is_empty() {
            put!(out, "{word} {}", names.join(", "));
        }
    }

    fn node(&self, idx: usize) -> String {
        let node = &self.graph.nodes[idx];
        match node.outputs.first() {
            Some(value) => format!("{} {}", node.op.name(), self.value(*value)),
            None => format!("{} @{idx}", node.op.name()),
        }
    }

    fn value(&self, value: ValueId) -> &str {
        self.names.get(&value).map_or("%undefined", String::as_str)
    }
}
