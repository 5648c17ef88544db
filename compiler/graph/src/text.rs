//! The printed form of graphs; `parse.rs` is its inverse.
//!
//! ```text
//! graph @name(%x: f32[N,3]) {
//!   %a = transpose %x {perm = [1, 0]} : f32[3,N] loc(node "m.onnx" 4 "/t" "Transpose")
//!   %0, %1 = topk %a {axis = 0, k = 2, largest = true} : f32[2,N], i64[2,N]
//!   %c = constant {value = f32[2] [1.0, nan]} : f32[2]
//!   %y = if %cond, %a {symbols = []} : f32[2] {
//!     graph @then(%p: f32[3,N]) { .. return %q as "y" }
//!     graph @else(%p: f32[3,N]) { .. return %q as "y" }
//!   }
//!   return %0, %y as "scores"
//! }
//! ```
//! Values without a name are numbers; of several values of one name the later ones are `%name#2`, `%name#3`, ...
//! Kinds of elementwise operators are operators of their own here: `add %a, %b`.
//! Large constants are elided to a hash of their content, which a resolver can give back.

use crate::{Graph, Node, ValueId};
use diag::Loc;
use ops::{Attr, Op};
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use tensor::{DType, Scalar, Tensor};

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextOptions {
    /// Whether each node's location is.
    pub locs: bool,
    /// Constants of more elements than this are elided.
    pub max_elements: usize,
}

impl Default for TextOptions {
    fn default() -> Self {
        TextOptions { locs: false, max_elements: 64 }
    }
}

/// The text of a graph.
pub fn to_text(graph: &Graph, options: TextOptions) -> String {
    let mut out = String::new();
    print_graph(graph, options, 0, &mut out);
    out
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_text(self, TextOptions::default()))
    }
}

/// Appends formatted text; writing to a string cannot fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => {{
        let _ = write!($out, $($text)*);
    }};
}

fn print_graph(graph: &Graph, options: TextOptions, depth: usize, out: &mut String) {
    let names = value_names(graph);
    let indent = "  ".repeat(depth);
    put!(out, "{indent}graph @{}(", word(&graph.name));
    for (idx, port) in graph.inputs.iter().enumerate() {
        let comma = if idx > 0 { ", " } else { "" };
        let (name, ty) = (&names[&port.value], graph.ty(port.value));
        put!(out, "{comma}{name}: {ty}{}", port_name(graph, idx, port));
    }
    out.push_str(") {\n");
    for node in &graph.nodes {
        out.push_str(&indent);
        out.push_str("  ");
        print_node(graph, node, &names, options, depth, out);
        out.push('\n');
    }
    put!(out, "{indent}  return");
    for (idx, port) in graph.outputs.iter().enumerate() {
        let comma = if idx > 0 { "," } else { "" };
        let name = names.get(&port.value).map_or("%undefined", String::as_str);
        put!(out, "{comma} {name}{}", port_name(graph, idx, port));
    }
    put!(out, "\n{indent}}}\n");
}

/// The name of a port, where it is not the one that the parser gives it.
fn port_name(graph: &Graph, idx: usize, port: &crate::Port) -> String {
    let value = graph.value(port.value);
    if port.name == default_port_name(value.name.as_deref(), idx) {
        return String::new();
    }
    format!(" as {}", quoted(&port.name))
}

/// What an input or output is called unless the text says otherwise.
pub(crate) fn default_port_name(value: Option<&str>, idx: usize) -> String {
    value.map_or_else(|| format!("port{idx}"), str::to_string)
}

/// How each value is written where its graph is printed, sign included: `%name`, `%name#2`, `%0`.
pub fn value_names(graph: &Graph) -> BTreeMap<ValueId, String> {
    // Values without a name count like values of one name.
    let mut seen: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    let mut names = BTreeMap::new();
    let inputs = graph.inputs.iter().map(|port| port.value);
    let results = graph.nodes.iter().flat_map(|node| &node.outputs).copied();
    for value in inputs.chain(results) {
        let name = graph.value(value).name.as_deref();
        let n_before = seen.entry(name).or_insert(0);
        let text = match (name, *n_before) {
            (None, n) => format!("%{n}"),
            (Some(name), 0) => format!("%{}", word(name)),
            (Some(name), n) => format!("%{}#{}", word(name), n + 1),
        };
        *n_before += 1;
        names.insert(value, text);
    }
    names
}

fn print_node(
    graph: &Graph,
    node: &Node,
    names: &BTreeMap<ValueId, String>,
    options: TextOptions,
    depth: usize,
    out: &mut String,
) {
    let list = |values: &[ValueId]| {
        let name = |v: &ValueId| names.get(v).map_or("%undefined", String::as_str);
        values.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    if !node.outputs.is_empty() {
        put!(out, "{} = ", list(&node.outputs));
    }
    out.push_str(node.op.name());
    if !node.inputs.is_empty() {
        put!(out, " {}", list(&node.inputs));
    }
    let attrs = printed_attrs(&node.op);
    if !attrs.is_empty() {
        let attr = |(name, attr): &(&str, Attr)| format!("{name} = {}", attr_text(attr, options));
        let attrs: Vec<String> = attrs.iter().map(attr).collect();
        put!(out, " {{{}}}", attrs.join(", "));
    }
    let types = node.outputs.iter().map(|v| graph.ty(*v).to_string());
    let types = types.collect::<Vec<_>>().join(", ");
    if !types.is_empty() {
        put!(out, " : {types}");
    }
    if !node.regions.is_empty() {
        out.push_str(" {\n");
        for region in &node.regions {
            print_graph(region, options, depth + 2, out);
        }
        put!(out, "{}  }}", "  ".repeat(depth));
    }
    if options.locs {
        put!(out, " loc({})", loc_text(&node.loc));
    }
}

/// The attributes of an operator, less the kind that its printed name tells.
fn printed_attrs(op: &Op) -> Vec<(&'static str, Attr)> {
    let mut attrs = op.attrs();
    if matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Compare(_)) {
        attrs.retain(|(name, _)| *name != "kind");
    }
    attrs
}

/// Whether a text can stand without quotes.
pub(crate) fn is_plain(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
}

/// A name as texts have it: in quotes where it is not plain.
pub fn word(text: &str) -> String {
    if is_plain(text) { text.into() } else { quoted(text) }
}

/// A text in quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn attr_text(attr: &Attr, options: TextOptions) -> String {
    fn list<T>(values: &[T], text: impl Fn(&T) -> String) -> String {
        let texts: Vec<String> = values.iter().map(text).collect();
        format!("[{}]", texts.join(", "))
    }
    match attr {
        Attr::Int(v) => v.to_string(),
        Attr::Ints(v) => list(v, i64::to_string),
        Attr::Float(v) => float_attr(v.get()),
        Attr::Bool(v) => v.to_string(),
        Attr::Word(v) => word(v),
        Attr::Words(v) => list(v, |w| word(w)),
        Attr::Dim(v) => v.to_string(),
        Attr::Dims(v) => list(v, |d| d.to_string()),
        Attr::DType(v) => v.to_string(),
        Attr::Tensor(v) => tensor_text(&v.0, options),
    }
}

fn float_attr(v: f64) -> String {
    if v.to_bits() == f64::NAN.to_bits() || !v.is_nan() {
        return float_text(v);
    }
    format!("{:#x}", v.to_bits())
}

fn float_text(v: f64) -> String {
    if v.is_nan() { "nan".into() } else { format!("{v:?}") }
}

/// A constant as it stands in a graph's text: type and elements, or type and hash of what is elided.
pub fn tensor_text(tensor: &Tensor, options: TextOptions) -> String {
    let ty = tensor.ty();
    if tensor.len() > options.max_elements {
        return format!("{ty} elided({})", content_hash(tensor));
    }
    let elements: Vec<String> =
        tensor.bytes().chunks_exact(tensor.dtype().size()).map(|bytes| element_text(tensor.dtype(), bytes)).collect();
    format!("{ty} [{}]", elements.join(", "))
}

/// The constants that the text of a graph leaves out, by the hash that it prints for them; those of regions included.
pub fn elided(graph: &Graph, options: TextOptions) -> BTreeMap<String, Tensor> {
    let mut found = BTreeMap::new();
    collect_elided(graph, options, &mut found);
    found
}

fn collect_elided(graph: &Graph, options: TextOptions, found: &mut BTreeMap<String, Tensor>) {
    for node in &graph.nodes {
        for (_, attr) in node.op.attrs() {
            if let Attr::Tensor(constant) = attr
                && constant.0.len() > options.max_elements
            {
                found.insert(content_hash(&constant.0), constant.0);
            }
        }
        node.regions.iter().for_each(|region| collect_elided(region, options, found));
    }
}

/// A hash of a constant's bytes, by which a resolver can find it.
pub fn content_hash(tensor: &Tensor) -> String {
    let hash = blake3::hash(tensor.bytes()).to_hex();
    hash.as_str()[..32].to_string()
}

/// A number that reads back to the same bits, or else the bits.
fn element_text(dtype: DType, bytes: &[u8]) -> String {
    let value = Scalar::load(dtype, bytes);
    let text = match value {
        Scalar::Bool(v) => v.to_string(),
        Scalar::Int(v) => v.to_string(),
        Scalar::Float(v) if dtype == DType::F32 && !v.is_nan() => format!("{:?}", v as f32),
        Scalar::Float(v) => float_text(v),
    };
    let mut again = [0; 8];
    let canonical = if let Scalar::Float(v) = value
        && v.is_nan()
    {
        Scalar::Float(f64::NAN)
    } else {
        value
    };
    canonical.store(dtype, &mut again);
    if again[..bytes.len()] == *bytes {
        return text;
    }
    let bits = bytes.iter().rev().fold(0u64, |sum, b| sum << 8 | u64::from(*b));
    format!("{bits:#x}")
}

fn loc_text(loc: &Loc) -> String {
    match loc {
        Loc::Unknown => "unknown".into(),
        Loc::File(file) => format!("file {}", quoted(file)),
        Loc::Node(node) => {
            format!("node {} {} {} {}", quoted(&node.model), node.index, quoted(&node.name), quoted(&node.op_type))
        }
        Loc::Text { file, line, column } => format!("text {} {line} {column}", quoted(file)),
        Loc::Fused(parts) => {
            let parts: Vec<String> = parts.iter().map(loc_text).collect();
            format!("fused [{}]", parts.join(", "))
        }
    }
}
