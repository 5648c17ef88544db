//! The parser of the printed form that `text.rs` describes.
//!
//! A text may come from anywhere: every fault is a [`Diagnostic`] with line and column, and nesting has a limit.
//! Types of results may be left out, except where they come from regions; then they are inferred.
//! A node without a location gets its place in the text.

use crate::parse_attr::{Raw, operator};
use crate::text::default_port_name;
use crate::tokens::Scanner;
use crate::{Graph, Node, Port, ValueId};
use diag::{Code, Diagnostic, Loc};
use ops::Op;
use std::collections::BTreeMap;
use tensor::{DType, Dim, Tensor, TensorType};

pub(crate) type Result<T> = std::result::Result<T, Diagnostic>;

/// Regions nested deeper than this are refused.
const MAX_DEPTH: usize = 32;
/// Shapes with more axes than this are refused.
const MAX_RANK: usize = 64;
/// Shapes whose number of elements would be a polynomial of more terms than this are refused.
const MAX_TERMS: usize = 4096;

/// A constant whose content is not in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elided {
    /// Element type.
    pub dtype: DType,
    /// Shape.
    pub shape: Vec<usize>,
    /// The hash that is printed for the content.
    pub hash: String,
}

/// Finds the content of an elided constant.
pub type Resolver<'a> = dyn Fn(&Elided) -> Option<Tensor> + 'a;

/// The graph that a text describes; `file` is the name that diagnostics give it. Elided constants are refused.
///
/// ```
/// let text = "graph @twice(%x: f32[N]) { %y = add %x, %x  return %y }";
/// let graph = graph::parse(text, "twice.graph").map_err(|d| d.to_string())?;
/// assert_eq!(graph.to_string(), "graph @twice(%x: f32[N]) {\n  %y = add %x, %x : f32[N]\n  return %y\n}\n");
/// # Ok::<(), String>(())
/// ```
pub fn parse(text: &str, file: &str) -> Result<Graph> {
    parse_with(text, file, &|_| None)
}

/// The same, with a source for the content of elided constants.
pub fn parse_with(text: &str, file: &str, resolver: &Resolver) -> Result<Graph> {
    let mut parser = Parser::new(text, file, resolver);
    let (graph, _) = parser.graph()?;
    parser.end()?;
    Ok(graph)
}

/// Reads texts that have graphs in them, piece by piece.
pub struct Parser<'a> {
    pub(crate) scanner: Scanner<'a>,
    pub(crate) resolver: &'a Resolver<'a>,
    depth: usize,
}

/// What the values of a graph are called in the text that it was read from.
#[derive(Debug, Default)]
pub struct Names {
    values: BTreeMap<Reference, ValueId>,
    regions: BTreeMap<usize, Vec<Names>>,
}

impl Names {
    /// The names in the regions of a node, given by its position; of none for a node without regions.
    pub fn regions(&self, node: usize) -> &[Names] {
        self.regions.get(&node).map_or(&[], Vec::as_slice)
    }
}

/// How a value is written: its name, if it has one, and the number that tells it from others.
type Reference = (Option<String>, u32);

/// A graph under construction and the values that can be named in it.
struct Scope {
    graph: Graph,
    names: Names,
}

impl<'a> Parser<'a> {
    /// At the start of a text; `file` is the name that diagnostics give it, and `resolver` finds elided constants.
    pub fn new(text: &'a str, file: &str, resolver: &'a Resolver<'a>) -> Self {
        Parser { scanner: Scanner::new(text, file), resolver, depth: 0 }
    }

    /// The pieces of the text from here on.
    pub fn scanner(&mut self) -> &mut Scanner<'a> {
        &mut self.scanner
    }

    /// Nothing but spaces and comments may be left.
    ///
    /// # Errors
    /// Where there is more.
    pub fn end(&mut self) -> Result<()> {
        match self.scanner.peek() {
            None => Ok(()),
            Some(_) => self.scanner.fail("expected the end of the text"),
        }
    }

    /// A value of a graph that was read before.
    ///
    /// # Errors
    /// Where no name stands, or one that the graph does not have.
    pub fn value(&mut self, names: &Names) -> Result<ValueId> {
        let at = self.scanner.position();
        let reference = self.reference()?;
        let value = names.values.get(&reference).copied();
        value.ok_or_else(|| self.scanner.error(at, "this value is not defined before"))
    }

    /// A dimension.
    ///
    /// # Errors
    /// Where none stands.
    pub fn dim(&mut self) -> Result<Dim> {
        let at = self.scanner.position();
        let text = self.scanner.expression();
        crate::parse_attr::dim(text).ok_or_else(|| self.scanner.error(at, format!("bad dimension `{text}`")))
    }

    /// A graph.
    ///
    /// # Errors
    /// The first fault.
    pub fn graph(&mut self) -> Result<(Graph, Names)> {
        self.scanner.expect("graph")?;
        self.scanner.expect("@")?;
        let mut scope = Scope { graph: Graph::new(self.scanner.word("a graph's name")?), names: Names::default() };
        self.scanner.expect("(")?;
        let mut more = self.scanner.peek() == Some('%');
        while more {
            let at = self.scanner.position();
            let reference = self.reference()?;
            self.scanner.expect(":")?;
            let ty = self.ty()?;
            let value = self.define(&mut scope, at, reference, ty)?;
            let port = self.port(&scope, value, scope.graph.inputs.len())?;
            scope.graph.inputs.push(port);
            more = self.scanner.eat(",");
        }
        self.scanner.expect(")")?;
        self.scanner.expect("{")?;
        while !self.eat_return() {
            self.node(&mut scope)?;
        }
        let mut more = self.scanner.peek() == Some('%');
        while more {
            let value = self.value(&scope.names)?;
            let port = self.port(&scope, value, scope.graph.outputs.len())?;
            scope.graph.outputs.push(port);
            more = self.scanner.eat(",");
        }
        self.scanner.expect("}")?;
        Ok((scope.graph, scope.names))
    }

    fn eat_return(&mut self) -> bool {
        let at = self.scanner.position();
        let found = matches!(self.scanner.name("an operator"), Ok("return"));
        if !found {
            self.scanner.rewind(at);
        }
        found
    }

    /// A port with the name after `as`, or the one that its value gives it.
    fn port(&mut self, scope: &Scope, value: ValueId, idx: usize) -> Result<Port> {
        let at = self.scanner.position();
        if matches!(self.scanner.name("`as`"), Ok("as")) {
            let name = self.scanner.quoted()?;
            return Ok(Port { name, value });
        }
        self.scanner.rewind(at);
        let name = default_port_name(scope.graph.value(value).name.as_deref(), idx);
        Ok(Port { name, value })
    }

    fn reference(&mut self) -> Result<Reference> {
        self.scanner.expect("%")?;
        let at = self.scanner.position();
        let digits = self.scanner.run(|c| c.is_ascii_digit());
        if !digits.is_empty() {
            let number = digits.parse();
            return number.map(|n| (None, n)).map_err(|_| self.scanner.error(at, "the number of a value is too large"));
        }
        let name = self.scanner.word("a value's name")?;
        if !self.scanner.eat("#") {
            return Ok((Some(name), 1));
        }
        match self.scanner.run(|c| c.is_ascii_digit()).parse() {
            Ok(n) => Ok((Some(name), n)),
            Err(_) => Err(self.scanner.error(at, "`#` must be followed by a number")),
        }
    }

    fn define(&mut self, scope: &mut Scope, at: usize, reference: Reference, ty: TensorType) -> Result<ValueId> {
        let value = scope.graph.add_value(ty, reference.0.clone());
        match scope.names.values.insert(reference, value) {
            None => Ok(value),
            Some(_) => Err(self.scanner.error(at, "this value is defined already")),
        }
    }

    fn node(&mut self, scope: &mut Scope) -> Result<()> {
        let start = self.scanner.position();
        let mut results = Vec::new();
        if self.scanner.peek() == Some('%') {
            loop {
                let at = self.scanner.position();
                results.push((at, self.reference()?));
                if !self.scanner.eat(",") {
                    break;
                }
            }
            self.scanner.expect("=")?;
        }
        let at = self.scanner.position();
        let name = self.scanner.name("an operator or `return`")?;
        let mut inputs = Vec::new();
        let mut more = self.scanner.peek() == Some('%') && self.is_operand();
        while more {
            inputs.push(self.value(&scope.names)?);
            more = self.scanner.eat(",");
        }
        let attrs = self.attrs()?;
        let op = operator(&self.scanner, at, name, attrs)?;
        let declared = self.types()?;
        let (regions, names): (Vec<Graph>, Vec<Names>) = self.regions()?.into_iter().unzip();
        let types = self.result_types(scope, at, &op, &inputs, declared, results.len())?;
        let loc = self.loc(start)?;
        let outputs = results
            .into_iter()
            .zip(types)
            .map(|((at, reference), ty)| self.define(scope, at, reference, ty))
            .collect::<Result<Vec<ValueId>>>()?;
        if !names.is_empty() {
            scope.names.regions.insert(scope.graph.nodes.len(), names);
        }
        scope.graph.nodes.push(Node { op, inputs, outputs, regions, loc });
        Ok(())
    }

    /// Whether the value that comes next is an operand, and not a result of the next node.
    fn is_operand(&mut self) -> bool {
        let at = self.scanner.position();
        let mut is_result = self.reference().is_err();
        while !is_result && self.scanner.eat(",") {
            is_result = self.reference().is_err();
        }
        is_result |= self.scanner.eat("=");
        self.scanner.rewind(at);
        !is_result
    }

    fn attrs(&mut self) -> Result<Vec<(usize, String, Raw)>> {
        let mut attrs = Vec::new();
        if !self.scanner.eat("{") {
            return Ok(attrs);
        }
        while !self.scanner.eat("}") {
            if !attrs.is_empty() {
                self.scanner.expect(",")?;
            }
            let at = self.scanner.position();
            let name = self.scanner.name("an attribute's name")?.to_string();
            self.scanner.expect("=")?;
            let value = self.raw_value()?;
            if attrs.iter().any(|(_, other, _)| *other == name) {
                return Err(self.scanner.error(at, "this attribute is given twice"));
            }
            attrs.push((at, name, value));
        }
        Ok(attrs)
    }

    fn types(&mut self) -> Result<Option<Vec<TensorType>>> {
        if !self.scanner.eat(":") {
            return Ok(None);
        }
        let mut types = vec![self.ty()?];
        while self.scanner.eat(",") {
            types.push(self.ty()?);
        }
        Ok(Some(types))
    }

    /// An element type and a shape.
    pub(crate) fn ty(&mut self) -> Result<TensorType> {
        let at = self.scanner.position();
        let name = self.scanner.name("a type")?;
        let dtype: DType =
            name.parse().map_err(|_| self.scanner.error(at, format!("unknown element type `{name}`")))?;
        self.scanner.expect("[")?;
        let mut shape = Vec::new();
        while !self.scanner.eat("]") {
            if !shape.is_empty() {
                self.scanner.expect(",")?;
            }
            shape.push(self.dim()?);
        }
        if !is_modest(&shape) {
            return Err(self.scanner.error(at, "this shape is too complex"));
        }
        Ok(TensorType { dtype, shape })
    }

    fn regions(&mut self) -> Result<Vec<(Graph, Names)>> {
        let mut regions = Vec::new();
        let at = self.scanner.position();
        if !self.scanner.eat("{") {
            return Ok(regions);
        }
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("regions are nested more than {MAX_DEPTH} deep");
            return Err(Diagnostic::error(Code::Limit, self.scanner.loc(at), message));
        }
        while !self.scanner.eat("}") {
            regions.push(self.graph()?);
        }
        self.depth -= 1;
        Ok(regions)
    }

    /// The declared types of a node's results, or the inferred ones.
    fn result_types(
        &self,
        scope: &Scope,
        at: usize,
        op: &Op,
        inputs: &[ValueId],
        declared: Option<Vec<TensorType>>,
        n_results: usize,
    ) -> Result<Vec<TensorType>> {
        let types = match declared {
            Some(types) => types,
            None if matches!(op, Op::If(_) | Op::Loop(_)) && n_results > 0 => {
                let message = format!("the results of `{}` need types", op.name());
                return Err(self.scanner.error(at, message));
            }
            None if n_results == 0 => vec![],
            None => {
                let operands: Vec<TensorType> = inputs.iter().map(|v| scope.graph.ty(*v).clone()).collect();
                let types = op.infer(&operands);
                types.map_err(|error| Diagnostic::error(Code::Type, self.scanner.loc(at), error.to_string()))?
            }
        };
        if types.len() != n_results {
            let message = format!("{n_results} results of {} types", types.len());
            return Err(self.scanner.error(at, message));
        }
        if !types.iter().all(|ty| is_modest(&ty.shape)) {
            return Err(self.scanner.error(at, "the shape of a result is too complex"));
        }
        Ok(types)
    }

    fn loc(&mut self, start: usize) -> Result<Loc> {
        let at = self.scanner.position();
        if !matches!(self.scanner.name("`loc`"), Ok("loc")) {
            self.scanner.rewind(at);
            return Ok(self.scanner.loc(start));
        }
        self.scanner.expect("(")?;
        let kind = self.scanner.position();
        let loc = if self.scanner.name("a location")? == "fused" {
            self.scanner.expect("[")?;
            let mut parts = Vec::new();
            while !self.scanner.eat("]") {
                if !parts.is_empty() {
                    self.scanner.expect(",")?;
                }
                parts.push(self.simple_loc()?);
            }
            Loc::Fused(parts.into())
        } else {
            self.scanner.rewind(kind);
            self.simple_loc()?
        };
        self.scanner.expect(")")?;
        Ok(loc)
    }

    fn simple_loc(&mut self) -> Result<Loc> {
        let at = self.scanner.position();
        Ok(match self.scanner.name("a location")? {
            "unknown" => Loc::Unknown,
            "file" => Loc::File(self.scanner.quoted()?.into()),
            "node" => {
                let model = self.scanner.quoted()?;
                let index = self.scanner.number()?;
                let name = self.scanner.quoted()?;
                Loc::node(model.into(), index, name, self.scanner.quoted()?)
            }
            "text" => Loc::Text {
                file: self.scanner.quoted()?.into(),
                line: self.scanner.number()?,
                column: self.scanner.number()?,
            },
            _ => return Err(self.scanner.error(at, "unknown kind of location")),
        })
    }
}

/// Whether arithmetic on a shape stays small: a product of sums has as many terms as the product of their numbers.
pub(crate) fn is_modest(shape: &[Dim]) -> bool {
    let terms = |dim: &Dim| dim.parts().0.len() + usize::from(dim.parts().1 != 0);
    let product = shape.iter().try_fold(1usize, |all, dim| all.checked_mul(terms(dim).max(1)));
    shape.len() <= MAX_RANK && product.is_some_and(|n| n <= MAX_TERMS)
}
