//! The printed forms of graphs and plans as files: the text, with what is known beside the graph, and constants beside it.
//!
//! ```text
//! graph @g(%x: f32[N], %axes: i64[1]) { .. %w = constant {value = f32[100,100] elided(HASH)} : f32[100,100] .. }
//! frozen {
//!   "axes" = i64[1] [2]
//! }
//! ranges {
//!   N = 1..64
//!   M = 1.. assumed of "a name in the model"
//! }
//! plan { .. }
//! ```
//! A range with `assumed` was not asked for: the import relied on it. Runs check all of them. A dimension's
//! name in the model is told where it is not that of the symbol.
//!
//! The content of an elided constant lies in the file `constants/HASH.bin` beside the text, in little-endian row-major
//! order. It is mapped where it is read, and must have the hash that it is named by.

use crate::files::map;
use crate::ranges::Facts;
use crate::{Error, Options, Phase};
use artifact::SymbolRange;
use diag::{Code, Diagnostic};
use graph::{Elided, Form, Graph, Parser, TextOptions};
use import_onnx::Needs;
use schedule::Plan;
use std::collections::BTreeMap;
use std::path::Path;
use tensor::Tensor;

/// The folder of constants, beside the texts that elide them.
const CONSTANTS: &str = "constants";

/// What a phase above the kernels makes: a graph with what is known of it, and from schedule on a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Module {
    pub(crate) graph: Graph,
    /// Inputs whose values are compiled in, and ranges of symbols.
    pub(crate) facts: Facts,
    pub(crate) plan: Option<Plan>,
}

/// A printed form.
#[derive(Clone, Debug, Default)]
pub struct Printed {
    /// The text.
    pub text: String,
    elided: BTreeMap<String, Tensor>,
}

impl Printed {
    /// A form that elides nothing.
    pub(crate) fn whole(text: String) -> Printed {
        Printed { text, elided: BTreeMap::new() }
    }

    /// Writes the constants that the text elides where `--from` looks for them when it reads the text from a file of
    /// this folder. What is there already is kept.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn write_constants(&self, folder: &Path) -> Result<(), Error> {
        if self.elided.is_empty() {
            return Ok(());
        }
        let folder = folder.join(CONSTANTS);
        let fail =
            |path: &Path, e: std::io::Error| Error::File { verb: "write", path: path.into(), reason: e.to_string() };
        std::fs::create_dir_all(&folder).map_err(|e| fail(&folder, e))?;
        for (hash, tensor) in &self.elided {
            let path = folder.join(format!("{hash}.bin"));
            if std::fs::metadata(&path).is_ok_and(|found| found.len() == tensor.bytes().len() as u64) {
                continue;
            }
            let aside = folder.join(format!("{hash}.{}.part", std::process::id()));
            let written = std::fs::write(&aside, tensor.bytes()).and_then(|()| std::fs::rename(&aside, &path));
            written.map_err(|e| fail(&path, e))?;
        }
        Ok(())
    }
}

/// The printed form of a graph, or of its plan.
pub(crate) fn print(module: &Module, options: TextOptions) -> Printed {
    let mut text = graph::to_text(&module.graph, options);
    let mut elided = graph::elided(&module.graph, options);
    if !module.facts.frozen.is_empty() {
        text.push_str("frozen {\n");
        for (name, value) in &module.facts.frozen {
            text.push_str(&format!("  {} = {}\n", graph::quoted(name), graph::tensor_text(value, options)));
            if value.len() > options.max_elements {
                elided.insert(graph::content_hash(value), value.clone());
            }
        }
        text.push_str("}\n");
    }
    text.push_str(&ranges_text(&module.facts));
    if let Some(plan) = &module.plan {
        text.push_str(&schedule::plan_text(&module.graph, plan));
    }
    Printed { text, elided }
}

fn ranges_text(facts: &Facts) -> String {
    let ranges = facts.known();
    let line = |range: &SymbolRange| {
        let assumed = if range.is_assumed { " assumed" } else { "" };
        let name =
            if range.name == range.symbol { String::new() } else { format!(" of {}", graph::quoted(&range.name)) };
        format!("  {} = {}{assumed}{name}\n", graph::word(&range.symbol), range.range())
    };
    if ranges.is_empty() {
        String::new()
    } else {
        format!("ranges {{\n{}}}\n", ranges.iter().map(line).collect::<String>())
    }
}

/// Reads what a phase takes: a graph of the form that the phase before makes, or the plan that lower takes.
pub(crate) fn read(path: &Path, phase: Phase, options: &Options) -> Result<Module, Error> {
    let text = read_text(path)?;
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut module =
        parse(&text, &name, path.parent().unwrap_or(Path::new("")), phase).map_err(|fault| faults(vec![fault]))?;
    module.facts = module.facts.of_printed(&module.graph, options)?;
    Ok(module)
}

pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    let fail = |reason: String| Error::File { verb: "read", path: path.into(), reason };
    std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))
}

fn faults(diagnostics: Vec<Diagnostic>) -> Error {
    Error::Model { diagnostics, needs: Needs::default() }
}

fn parse(text: &str, name: &str, folder: &Path, phase: Phase) -> Result<Module, Diagnostic> {
    let resolver = |elided: &Elided| constant(folder, elided);
    let mut parser = Parser::new(text, name, &resolver);
    let (graph, names) = parser.graph()?;
    verify(&graph, phase)?;
    let frozen = frozen(&mut parser, &graph)?;
    let facts = Facts::told(frozen, &ranges(&mut parser)?);
    let has_plan = parser.scanner().peek() == Some('p');
    let at = parser.scanner().position();
    let plan = match (has_plan, phase == Phase::Lower) {
        (false, false) => None,
        (true, true) => Some(schedule::parse_plan(&mut parser, &graph, &names)?),
        (true, false) => {
            let error = parser.scanner().error(at, format!("`{}` takes a graph without a plan", phase.name()));
            return Err(error.note("a plan is read by `--from lower`"));
        }
        (false, true) => {
            let error = parser.scanner().error(at, "expected `plan`: lower takes a graph with its plan");
            return Err(error.note("`--to schedule` prints one; `--from schedule` reads a graph and makes one"));
        }
    };
    parser.end()?;
    Ok(Module { graph, facts, plan })
}

/// Refuses a graph that breaks the rules of the form that a phase takes.
fn verify(graph: &Graph, phase: Phase) -> Result<(), Diagnostic> {
    let form = match phase {
        Phase::Import | Phase::Canonicalize => Form::Imported,
        Phase::Optimize => Form::Canonical,
        Phase::Schedule | Phase::Lower | Phase::Emit | Phase::Pack => Form::Optimized,
    };
    let Some(first) = graph::verify(graph, form).into_iter().next() else { return Ok(()) };
    let message = format!("{} (rule `{}`)", first.message, first.rule);
    let error = Diagnostic::error(Code::BadGraph, first.loc, message);
    Err(match form {
        Form::Imported => error,
        Form::Canonical | Form::Optimized => error.note(
            "`--from canonicalize` takes any graph that is whole, and brings it to the form that later phases take",
        ),
    })
}

/// Whether a section of this name begins here.
fn section(parser: &mut Parser, name: &str) -> Result<bool, Diagnostic> {
    let is_here = keyword(parser, name);
    if is_here {
        parser.scanner().expect("{")?;
    }
    Ok(is_here)
}

/// Takes a word if it is next.
fn keyword(parser: &mut Parser, word: &str) -> bool {
    let at = parser.scanner().position();
    let is_here = matches!(parser.scanner().name(word), Ok(found) if found == word);
    if !is_here {
        parser.scanner().rewind(at);
    }
    is_here
}

fn ranges(parser: &mut Parser) -> Result<Vec<SymbolRange>, Diagnostic> {
    let mut ranges: Vec<SymbolRange> = vec![];
    if !section(parser, "ranges")? {
        return Ok(ranges);
    }
    while !parser.scanner().eat("}") {
        let at = parser.scanner().position();
        let symbol = parser.scanner().word("a symbol or `}`")?;
        parser.scanner().expect("=")?;
        let low = parser.scanner().number()?;
        parser.scanner().expect("..")?;
        let has_end = parser.scanner().peek().is_some_and(|c| c.is_ascii_digit());
        let high = if has_end { Some(parser.scanner().number()?) } else { None };
        let is_assumed = keyword(parser, "assumed");
        let name = if keyword(parser, "of") { parser.scanner().quoted()? } else { symbol.clone() };
        let wrong = match (low, high) {
            _ if ranges.iter().any(|known| known.symbol == symbol) => "this symbol has a range already",
            (low, Some(high)) if high < low => "the range ends before it begins",
            (low, high) if is_assumed && (low != 1 || high.is_some()) => "only `1..` is ever assumed",
            _ => "",
        };
        if !wrong.is_empty() {
            return Err(parser.scanner().error(at, wrong));
        }
        ranges.push(SymbolRange { symbol, name, low, high, is_assumed });
    }
    Ok(ranges)
}

fn frozen(parser: &mut Parser, graph: &Graph) -> Result<BTreeMap<String, Tensor>, Diagnostic> {
    let mut frozen = BTreeMap::new();
    if !section(parser, "frozen")? {
        return Ok(frozen);
    }
    while !parser.scanner().eat("}") {
        let at = parser.scanner().position();
        let name = parser.scanner().quoted()?;
        parser.scanner().expect("=")?;
        let value = parser.tensor()?;
        let port = graph.inputs.iter().find(|port| port.name == name);
        let ty = port.map(|port| graph.ty(port.value));
        let fits = ty.is_some_and(|ty| ty.dtype == value.dtype() && ty.rank() == value.rank());
        if !fits || frozen.insert(name, value).is_some() {
            return Err(parser
                .scanner()
                .error(at, "this is no input of the graph, has another type, or is there twice"));
        }
    }
    Ok(frozen)
}

/// The content of an elided constant, if it lies in the folder and is what its name says.
fn constant(folder: &Path, elided: &Elided) -> Option<Tensor> {
    // A hash is hexadecimal: a name that is not could be a path to anywhere.
    let is_hash = elided.hash.bytes().all(|b| b.is_ascii_hexdigit());
    let path = folder.join(CONSTANTS).join(format!("{}.bin", elided.hash));
    let bytes = map(&path).ok().filter(|_| is_hash)?;
    let tensor = Tensor::from_bytes(elided.dtype, elided.shape.clone(), bytes).ok()?;
    (graph::content_hash(&tensor) == elided.hash).then_some(tensor)
}
