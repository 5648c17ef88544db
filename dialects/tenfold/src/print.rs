//! Graphs as modules of the dialect.

use crate::attribute::{attribute, is_symbolic, quoted, tensor};
use crate::definition::mlir_name;
use crate::location::location;
use crate::operands::{Values, signature};
use graph::{Graph, Node, Port, ValueId};
use ops::{Attr, Op};
use std::fmt::Write;
use tensor::TensorType;

/// A graph as an MLIR module with one function, in generic form.
///
/// Symbolic dimensions are `?`; the full types stand beside them as text, in `tenfold.type` of parameters and results and
/// `tenfold.types` of operations. Large constants are elided.
pub fn to_mlir(graph: &Graph) -> String {
    let mut printer = Printer { out: String::new(), n_graphs: 0, n_tuples: 0 };
    printer.function(graph);
    printer.out
}

/// Appends one line of formatted text at a depth; writing to a string cannot fail.
macro_rules! line {
    ($this:expr, $depth:expr, $($text:tt)*) => {{
        $this.out.push_str(&"  ".repeat($depth));
        let _ = writeln!($this.out, $($text)*);
    }};
}

struct Printer {
    out: String,
    n_graphs: usize,
    n_tuples: usize,
}

/// A graph and the prefix of its values: names in a region may not repeat those around it.
#[derive(Clone, Copy)]
struct Scope<'a> {
    graph: &'a Graph,
    number: usize,
    depth: usize,
}

impl Scope<'_> {
    fn name(&self, value: ValueId) -> String {
        match self.number {
            0 => format!("%v{}", value.0),
            n => format!("%r{n}_v{}", value.0),
        }
    }

    fn names(&self, values: &[ValueId]) -> String {
        values.iter().map(|v| self.name(*v)).collect::<Vec<_>>().join(", ")
    }

    fn types(&self, values: &[ValueId]) -> String {
        values.iter().map(|v| tensor(self.graph.ty(*v))).collect::<Vec<_>>().join(", ")
    }

    fn outputs(&self) -> Vec<ValueId> {
        self.graph.outputs.iter().map(|port| port.value).collect()
    }
}

impl Printer {
    fn function(&mut self, graph: &Graph) {
        let scope = Scope { graph, number: 0, depth: 2 };
        line!(self, 0, "module {{");
        let parameter = |p: &Port| format!("{}: {}", scope.name(p.value), port(graph, p));
        let parameters: Vec<String> = graph.inputs.iter().map(parameter).collect();
        let results: Vec<String> = graph.outputs.iter().map(|p| port(graph, p)).collect();
        let (name, parameters, results) = (quoted(&graph.name), parameters.join(", "), results.join(", "));
        line!(self, 1, "func.func @{name}({parameters}) -> ({results}) {{");
        self.nodes(scope);
        let outputs = scope.outputs();
        match outputs.is_empty() {
            true => line!(self, 2, "return"),
            false => line!(self, 2, "return {} : {}", scope.names(&outputs), scope.types(&outputs)),
        }
        line!(self, 1, "}}");
        line!(self, 0, "}}");
    }

    fn nodes(&mut self, scope: Scope) {
        scope.graph.nodes.iter().for_each(|node| self.node(scope, node));
    }

    fn node(&mut self, scope: Scope, node: &Node) {
        let loc = location(&node.loc);
        let family = node.op.family();
        let (operands, results) = match signature(family) {
            Some(signature) => (signature.operands, signature.results),
            None => (Values::Fixed(&[]), Values::Fixed(&[])),
        };
        let (operands, operand_types) = self.operands(scope, node, operands, &loc);
        let (results, result_types, unpack) = self.results(scope, node, results);
        let equals = if results.is_empty() { "" } else { " = " };
        self.out.push_str(&"  ".repeat(scope.depth));
        let _ = write!(self.out, "{results}{equals}\"tenfold.{}\"({operands})", mlir_name(node.op.name()));
        self.regions(scope, node);
        let _ = writeln!(self.out, "{} : ({operand_types}) -> ({result_types}){loc}", attributes(scope.graph, node));
        if let Some(unpack) = unpack {
            line!(self, scope.depth, "{unpack}{loc}");
        }
    }

    /// The operands and their types; an open list is packed into a tuple before.
    fn operands(&mut self, scope: Scope, node: &Node, values: Values, loc: &str) -> (String, String) {
        let Values::Open(named, _) = values else { return (scope.names(&node.inputs), scope.types(&node.inputs)) };
        let (first, rest) = node.inputs.split_at(named.len().min(node.inputs.len()));
        let (tuple, ty) = (self.tuple(), format!("tuple<{}>", scope.types(rest)));
        let (names, types) = (scope.names(rest), scope.types(rest));
        line!(
            self,
            scope.depth,
            "{tuple} = \"builtin.unrealized_conversion_cast\"({names}) : ({types}) -> ({ty}){loc}"
        );
        let join = |list: String, last: &str| if list.is_empty() { last.into() } else { format!("{list}, {last}") };
        (join(scope.names(first), &tuple), join(scope.types(first), &ty))
    }

    /// The results and their types, and for an open list what unpacks the tuple after.
    fn results(&mut self, scope: Scope, node: &Node, values: Values) -> (String, String, Option<String>) {
        let (names, types) = (scope.names(&node.outputs), scope.types(&node.outputs));
        if matches!(values, Values::Fixed(_)) {
            return (names, types, None);
        }
        let (tuple, ty) = (self.tuple(), format!("tuple<{types}>"));
        let unpack = format!("{names} = \"builtin.unrealized_conversion_cast\"({tuple}) : ({ty}) -> ({types})");
        (tuple, ty, (!node.outputs.is_empty()).then_some(unpack))
    }

    fn tuple(&mut self) -> String {
        self.n_tuples += 1;
        format!("%t{}", self.n_tuples)
    }

    /// The regions. They end in `gpu.yield`: IRDL defines no terminators, and this one takes any values in any place.
    fn regions(&mut self, scope: Scope, node: &Node) {
        if node.regions.is_empty() {
            return;
        }
        for (idx, region) in node.regions.iter().enumerate() {
            self.out.push_str(if idx == 0 { " ({\n" } else { "}, {\n" });
            self.n_graphs += 1;
            let inner = Scope { graph: region, number: self.n_graphs, depth: scope.depth + 1 };
            let parameter = |p: &Port| format!("{}: {}", inner.name(p.value), tensor(region.ty(p.value)));
            let parameters: Vec<String> = region.inputs.iter().map(parameter).collect();
            line!(self, scope.depth, "^bb0({}):", parameters.join(", "));
            self.nodes(inner);
            let outputs = inner.outputs();
            line!(self, inner.depth, "\"gpu.yield\"({}) : ({}) -> ()", inner.names(&outputs), inner.types(&outputs));
            self.out.push_str(&"  ".repeat(scope.depth));
        }
        self.out.push_str("})");
    }
}

/// The type of a parameter or result of the function, with its name.
fn port(graph: &Graph, port: &Port) -> String {
    let ty = graph.ty(port.value);
    let name = quoted(&port.name);
    if is_symbolic(ty) {
        return format!("{} {{tenfold.name = {name}, tenfold.type = {}}}", tensor(ty), quoted(&ty.to_string()));
    }
    format!("{} {{tenfold.name = {name}}}", tensor(ty))
}

/// The attributes, less the kind that the operation's name tells, and the result types where `?` hides something.
fn attributes(graph: &Graph, node: &Node) -> String {
    let mut attrs: Vec<(&str, Attr)> = node.op.attrs();
    if matches!(node.op, Op::Unary(_) | Op::Binary(_) | Op::Compare(_)) {
        attrs.retain(|(name, _)| *name != "kind");
    }
    let mut list: Vec<String> = attrs.iter().map(|(name, attr)| format!("{name} = {}", attribute(attr))).collect();
    let types: Vec<&TensorType> = node.outputs.iter().map(|v| graph.ty(*v)).collect();
    if types.iter().any(|ty| is_symbolic(ty)) {
        let types: Vec<String> = types.iter().map(|ty| quoted(&ty.to_string())).collect();
        list.push(format!("tenfold.types = [{}]", types.join(", ")));
    }
    if list.is_empty() { String::new() } else { format!(" {{{}}}", list.join(", ")) }
}
