//! The parser of the printed form that `text.rs` describes.
//!
//! A text may come from anywhere, and may have been changed by hand: every fault is a [`Diagnostic`] with line and column,
//! and each step is verified where it stands.

use crate::bounds::Bounds;
use crate::fusion::{Grouping, grouping, leaves};
use crate::verify::Verifier;
use crate::{IndexCheck, IndexClaim, Plan, Region, Step, Store};
use diag::Diagnostic;
use graph::{Graph, Names, Parser, Resolver, ValueId};
use tensor::Dim;

type Result<T> = std::result::Result<T, Diagnostic>;

/// The graph and the plan that a text describes; `file` is the name that diagnostics give it, `resolver` finds constants
/// that the text elides.
///
/// The graph is not verified; see [`graph::verify`].
///
/// # Errors
/// The first fault: of syntax, or a step that the plan may not have (see [`verify`](crate::verify())).
pub fn parse(text: &str, file: &str, resolver: &Resolver) -> Result<(Graph, Plan)> {
    let mut parser = Parser::new(text, file, resolver);
    let (graph, names) = parser.graph()?;
    let plan = parse_plan(&mut parser, &graph, &names)?;
    parser.end()?;
    Ok((graph, plan))
}

/// The plan of a graph that was read from the same text before.
///
/// # Errors
/// The first fault: of syntax, or a step that the plan may not have (see [`verify`](crate::verify())).
pub fn parse_plan(parser: &mut Parser, graph: &Graph, names: &Names) -> Result<Plan> {
    let at = parser.scanner().position();
    if !matches!(parser.scanner().name("`plan`"), Ok("plan")) {
        return Err(parser.scanner().error(at, "expected `plan`"));
    }
    let bounds = Bounds::new(graph, None);
    let (producers, users) = (graph.producers(), graph.users());
    Reader { parser, graph, bounds: &bounds, names, producers, users }.block()
}

struct Reader<'r, 'p> {
    parser: &'r mut Parser<'p>,
    graph: &'r Graph,
    bounds: &'r Bounds<'r>,
    names: &'r Names,
    producers: Vec<Option<usize>>,
    users: Vec<Vec<usize>>,
}

/// What stands between the braces of a kernel.
enum Body {
    Copy(ValueId),
    Nodes(Vec<usize>),
}

impl Reader<'_, '_> {
    /// Steps in braces.
    fn block(&mut self) -> Result<Plan> {
        let mut verifier = Verifier::new(self.bounds);
        let mut steps = Vec::new();
        self.parser.scanner().expect("{")?;
        loop {
            let at = self.parser.scanner().position();
            let end = self.parser.scanner().eat("}");
            let fault = if end {
                verifier.finish()
            } else {
                let step = self.step()?;
                let fault = verifier.step(&step);
                steps.push(step);
                fault
            };
            fault.map_err(|message| self.parser.scanner().error(at, message))?;
            if end {
                return Ok(Plan { steps });
            }
        }
    }

    fn step(&mut self) -> Result<Step> {
        let at = self.parser.scanner().position();
        match self.parser.scanner().name("a step or `}`")? {
            "kernel" => self.kernel().map(Step::Kernel),
            "alias" => self.node().map(Step::Alias),
            "host" => self.node().map(Step::Host),
            "indices" => self.indices().map(Step::Indices),
            "control" => self.control(),
            other => {
                let message = format!("`{other}` is no step: a step is kernel, alias, host, indices or control");
                Err(self.parser.scanner().error(at, message))
            }
        }
    }

    fn control(&mut self) -> Result<Step> {
        let at = self.parser.scanner().position();
        let idx = self.node()?;
        let (regions, names) = (&self.graph.nodes[idx].regions, self.names.regions(idx));
        self.parser.scanner().expect("{")?;
        let mut plans = Vec::new();
        for (region, names) in regions.iter().zip(names) {
            self.region_head(region)?;
            let parser = &mut *self.parser;
            let bounds = Bounds::new(region, Some((self.bounds, &self.graph.nodes[idx])));
            let (graph, producers, users) = (region, region.producers(), region.users());
            plans.push(Reader { parser, graph, bounds: &bounds, names, producers, users }.block()?);
        }
        self.parser.scanner().expect("}")?;
        match regions.is_empty() {
            true => Err(self.parser.scanner().error(at, "this node has no regions")),
            false => Ok(Step::Control(idx, plans)),
        }
    }

    fn region_head(&mut self, region: &Graph) -> Result<()> {
        let at = self.parser.scanner().position();
        let is_region = matches!(self.parser.scanner().name("`region`"), Ok("region"));
        if is_region && self.parser.scanner().eat("@") && self.parser.scanner().word("a region's name")? == region.name
        {
            return Ok(());
        }
        let message = format!("expected `region @{}`", graph::word(&region.name));
        Err(self.parser.scanner().error(at, message))
    }

    /// An operator, and the first result or the position of the node.
    fn node(&mut self) -> Result<usize> {
        let at = self.parser.scanner().position();
        let word = self.parser.scanner().name("an operator")?;
        let idx = if self.parser.scanner().eat("@") {
            let idx = self.parser.scanner().number::<usize>()?;
            Some(idx).filter(|idx| *idx < self.graph.nodes.len())
        } else {
            let value = self.parser.value(self.names)?;
            self.producers[value.index()]
        };
        let idx = idx.ok_or_else(|| self.parser.scanner().error(at, "no node makes this value"))?;
        let actual = self.graph.nodes[idx].op.name();
        if actual != word {
            return Err(self.parser.scanner().error(at, format!("this node is `{actual}` and not `{word}`")));
        }
        Ok(idx)
    }

    /// A look at indices: a value, or the least and the largest index.
    fn indices(&mut self) -> Result<IndexCheck> {
        let node = self.node()?;
        self.parser.scanner().expect(":")?;
        let extremes = self.parser.scanner().peek() == Some('[');
        if !extremes {
            let indices = self.parser.value(self.names)?;
            let (sizes, axis) = (self.within()?, self.axis()?);
            return Ok(IndexCheck { node, axis, claim: IndexClaim::Elements { indices, sizes } });
        }
        let at = self.parser.scanner().position();
        let (ends, sizes, axis) = (self.dims()?, self.within()?, self.axis()?);
        self.word("column")?;
        let column = self.parser.scanner().number()?;
        match (&ends[..], &sizes[..]) {
            ([low, high], [size]) => {
                let (low, high, size) = (low.clone(), high.clone(), size.clone());
                Ok(IndexCheck { node, axis, claim: IndexClaim::Extremes { column, low, high, size } })
            }
            _ => Err(self.parser.scanner().error(at, "expected the least and the largest index, and one size")),
        }
    }

    fn within(&mut self) -> Result<Vec<Dim>> {
        self.word("within")?;
        self.dims()
    }

    fn axis(&mut self) -> Result<usize> {
        self.word("axis")?;
        self.parser.scanner().number()
    }

    /// Dimensions in brackets.
    fn dims(&mut self) -> Result<Vec<Dim>> {
        self.parser.scanner().expect("[")?;
        let mut dims = vec![self.parser.dim()?];
        while self.parser.scanner().eat(",") {
            dims.push(self.parser.dim()?);
        }
        self.parser.scanner().expect("]")?;
        Ok(dims)
    }

    fn kernel(&mut self) -> Result<Region> {
        let (members, copied) = match self.body()? {
            Body::Copy(value) => (vec![], Some(value)),
            Body::Nodes(members) => (members, None),
        };
        let Grouping { anchor, rows, scores } = self.grouping(&members)?;
        let leaves = self.leaves(&members, copied)?;
        self.parser.scanner().expect("->")?;
        let value = self.parser.value(self.names)?;
        let store = Store { value, part: self.part()? };
        let last = members.last().and_then(|idx| self.graph.nodes[*idx].outputs.first().copied());
        // A node without results is refused by the verifier.
        let result = copied.or(last).unwrap_or(value);
        Ok(Region { members, anchor, rows, scores, result, store, leaves })
    }

    fn body(&mut self) -> Result<Body> {
        self.parser.scanner().expect("{")?;
        let at = self.parser.scanner().position();
        if matches!(self.parser.scanner().name("an operator"), Ok("copy")) {
            let value = self.parser.value(self.names)?;
            self.parser.scanner().expect("}")?;
            return Ok(Body::Copy(value));
        }
        self.parser.scanner().rewind(at);
        let mut members = vec![self.node()?];
        while self.parser.scanner().eat(",") {
            let at = self.parser.scanner().position();
            let idx = self.node()?;
            if members.contains(&idx) {
                return Err(self.parser.scanner().error(at, "this node is in the kernel already"));
            }
            members.push(idx);
        }
        self.parser.scanner().expect("}")?;
        members.sort_unstable();
        Ok(Body::Nodes(members))
    }

    /// The anchor, the reductions of rows and the scores that follow from the nodes; those that are named must be the same.
    fn grouping(&mut self, members: &[usize]) -> Result<Grouping> {
        // What cannot be one kernel is refused by the verifier, which says why.
        let found = grouping(self.graph, &self.users, members).ok();
        let nodes = found.clone().unwrap_or_default();
        let anchor: Vec<usize> = nodes.anchor.into_iter().collect();
        let scores: Vec<usize> = nodes.scores.into_iter().collect();
        for (word, expected) in [("anchor", &anchor), ("rows", &nodes.rows), ("scores", &scores)] {
            let at = self.parser.scanner().position();
            if !self.keyword(word) {
                continue;
            }
            let given = self.values()?.into_iter().map(|value| self.producers[value.index()]);
            if found.is_some() && !given.eq(expected.iter().copied().map(Some)) {
                let what = match word {
                    "anchor" => "this is not the anchor",
                    "rows" => "these are not the rows",
                    _ => "these are not the scores",
                };
                return Err(self
                    .parser
                    .scanner()
                    .error(at, format!("{what} of the kernel"))
                    .note("the list may be left out"));
            }
        }
        Ok(nodes)
    }

    /// Values with commas between them; at least one.
    fn values(&mut self) -> Result<Vec<ValueId>> {
        let mut values = vec![self.parser.value(self.names)?];
        while self.parser.scanner().eat(",") {
            values.push(self.parser.value(self.names)?);
        }
        Ok(values)
    }

    /// What the nodes read from memory; a list that is given must be the same.
    fn leaves(&mut self, members: &[usize], copied: Option<ValueId>) -> Result<Vec<ValueId>> {
        let expected = copied.map_or_else(|| leaves(self.graph, &self.producers, members), |value| vec![value]);
        let at = self.parser.scanner().position();
        if !self.parser.scanner().eat(":") {
            return Ok(expected);
        }
        let given = self.values()?;
        if given == expected {
            return Ok(expected);
        }
        let names = graph::value_names(self.graph);
        let names: Vec<&str> = expected.iter().map(|v| names[v].as_str()).collect();
        let error = self.parser.scanner().error(at, format!("the kernel reads {}", names.join(", ")));
        Err(error.note("the list may be left out"))
    }

    /// The part of a concatenation that is written.
    fn part(&mut self) -> Result<Option<(usize, Dim)>> {
        if !self.parser.scanner().eat("[") {
            return Ok(None);
        }
        let axis = self.axis()?;
        self.word("from")?;
        let from = self.parser.dim()?;
        self.parser.scanner().expect("]")?;
        Ok(Some((axis, from)))
    }

    /// Takes a word if it is next: one that says what a list after it is.
    fn keyword(&mut self, word: &str) -> bool {
        let at = self.parser.scanner().position();
        let is_here = matches!(self.parser.scanner().name(word), Ok(found) if found == word);
        if !is_here {
            self.parser.scanner().rewind(at);
        }
        is_here
    }

    fn word(&mut self, word: &str) -> Result<()> {
        match self.keyword(word) {
            true => Ok(()),
            false => self.parser.scanner().fail(format!("expected `{word}`")),
        }
    }
}
