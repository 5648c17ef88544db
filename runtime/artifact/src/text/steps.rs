//! The steps of a program as text, one line each; blocks are indented.

use super::dim;
use crate::{
    BlockId, Condition, DimId, HostOp, Kernels, Launch, Loop, NodeId, Program, Step, SymbolId, TensorMap, ViewId,
};
use std::fmt::{self, Formatter};

/// Blocks nested deeper than this are left out: those of a valid program form a tree, but not every program is valid.
const MAX_INDENT: usize = 256;

pub(super) struct Printer<'a> {
    pub(super) program: &'a Program,
    pub(super) kernels: &'a Kernels,
}

impl Printer<'_> {
    pub(super) fn block(&self, block: BlockId, indent: &str, f: &mut Formatter<'_>) -> fmt::Result {
        let steps = self.program.blocks.get(block.idx()).filter(|_| indent.len() < MAX_INDENT);
        for step in steps.into_iter().flatten() {
            f.write_str(indent)?;
            self.step(step, indent, f)?;
            writeln!(f)?;
        }
        Ok(())
    }

    fn step(&self, step: &Step, indent: &str, f: &mut Formatter<'_>) -> fmt::Result {
        match step {
            Step::Launch(launch) => self.launch(launch, f),
            Step::Dims { values, out } => write!(f, "dims {} = [{}]", view(*out), self.dims(values)),
            Step::Bind { input, symbols } => write!(f, "bind [{}] = {}", self.symbols(symbols), view(*input)),
            Step::Let { symbol, value } => write!(f, "let {} = {}", self.symbol(*symbol), self.dim(*value)),
            Step::Check { condition, message } => write!(f, "check {} else {message:?}", self.condition(*condition)),
            Step::Indices { input, sizes, axis, message } => {
                let (input, sizes) = (view(*input), self.dims(sizes));
                write!(f, "indices {input} within [{sizes}] axis {axis} else {message:?}")
            }
            Step::Expect { given, expected, message } => {
                write!(f, "expect {} same as {} else {message:?}", view(*given), view(*expected))
            }
            Step::Copy { from, to } => write!(f, "copy {} to {}", view(*from), view(*to)),
            Step::Host { op, inputs, outputs, symbols, nodes } => {
                write!(f, "host {}({}) -> ({})", host_op(op), views(inputs), views(outputs))?;
                if !symbols.is_empty() {
                    write!(f, " sizes [{}]", self.symbols(symbols))?;
                }
                self.nodes(nodes, f)
            }
            Step::If { cond, then, otherwise } => {
                let inner = format!("{indent}  ");
                writeln!(f, "if {} {{", view(*cond))?;
                self.block(*then, &inner, f)?;
                writeln!(f, "{indent}}} else {{")?;
                self.block(*otherwise, &inner, f)?;
                write!(f, "{indent}}}")
            }
            Step::Loop(step) => self.repeat(step, indent, f),
        }
    }

    fn launch(&self, launch: &Launch, f: &mut Formatter<'_>) -> fmt::Result {
        let at = launch.kernel.idx();
        let name = if at < self.kernels.len() { self.kernels.name(at) } else { "?" };
        write!(f, "launch k{at} {name}({})", views(&launch.args))?;
        if !launch.dims.is_empty() {
            write!(f, " dims [{}]", self.dims(&launch.dims))?;
        }
        write!(f, " tasks {}", self.dim(launch.tasks))?;
        if self.dim(launch.scratch) != "0" {
            write!(f, " scratch {}", self.dim(launch.scratch))?;
        }
        for map in &launch.maps {
            write!(f, " {}", self.map(map))?;
        }
        write!(f, " flops {} bytes {}", self.dim(launch.flops), self.dim(launch.bytes))?;
        self.nodes(&launch.nodes, f)
    }

    /// `map arg 0 from byte 0 f16[K,M] strides [2*K] tile [64,128] swizzle 128 fetch 256`.
    fn map(&self, map: &TensorMap) -> String {
        let TensorMap { arg, element, swizzle, promotion, .. } = map;
        let (offset, sizes, strides) = (self.dim(map.offset), self.dims(&map.sizes), self.dims(&map.strides));
        let tile: Vec<String> = map.tile.iter().map(ToString::to_string).collect();
        format!(
            "map arg {arg} from byte {offset} {element}[{sizes}] strides [{strides}] tile [{}] swizzle {swizzle} fetch {promotion}",
            tile.join(", ")
        )
    }

    fn repeat(&self, step: &Loop, indent: &str, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("loop")?;
        let parts = [
            ("at most", step.max_trips),
            ("while", step.cond),
            ("count in", step.iteration),
            ("then while", step.cond_out),
        ];
        for (word, found) in parts {
            if let Some(found) = found {
                write!(f, " {word} {}", view(found))?;
            }
        }
        for (word, found) in [("index", step.index), ("trips", step.trips)] {
            if let Some(found) = found {
                write!(f, " {word} {}", self.symbol(found))?;
            }
        }
        writeln!(f, " {{")?;
        self.block(step.body, &format!("{indent}  "), f)?;
        for (from, to) in &step.carried {
            writeln!(f, "{indent}  carry {} to {}", view(*from), view(*to))?;
        }
        for (symbol, value) in &step.rebind {
            writeln!(f, "{indent}  carry {} = {}", self.symbol(*symbol), self.dim(*value))?;
        }
        for scan in &step.scans {
            let order = if scan.reversed { ", last first" } else { "" };
            writeln!(f, "{indent}  stack {} in {}{order}", view(scan.slice), view(scan.out))?;
        }
        write!(f, "{indent}}}")
    }

    fn condition(&self, condition: Condition) -> String {
        match condition {
            Condition::Equal(a, b) => format!("{} == {}", self.dim(a), self.dim(b)),
            Condition::AtMost(a, b) => format!("{} <= {}", self.dim(a), self.dim(b)),
            Condition::MultipleOf(a, b) => format!("{} is a multiple of {}", self.dim(a), self.dim(b)),
            Condition::Broadcasts(a, b) => format!("{} broadcasts with {}", self.dim(a), self.dim(b)),
        }
    }

    /// The source nodes, as a comment.
    fn nodes(&self, nodes: &[NodeId], f: &mut Formatter<'_>) -> fmt::Result {
        let name = |id: &NodeId| self.program.nodes.get(id.idx()).map_or("?", String::as_str);
        let names: Vec<String> = nodes.iter().map(|id| format!("{:?}", name(id))).collect();
        if names.is_empty() { Ok(()) } else { write!(f, " // {}", names.join(" ")) }
    }

    fn dim(&self, id: DimId) -> &str {
        dim(self.program, id)
    }

    fn dims(&self, ids: &[DimId]) -> String {
        ids.iter().map(|id| self.dim(*id)).collect::<Vec<_>>().join(", ")
    }

    fn symbol(&self, id: SymbolId) -> &str {
        self.program.symbols.get(id.idx()).map_or("?", String::as_str)
    }

    fn symbols(&self, ids: &[SymbolId]) -> String {
        ids.iter().map(|id| self.symbol(*id)).collect::<Vec<_>>().join(", ")
    }
}

fn view(id: ViewId) -> String {
    format!("%{}", id.0)
}

fn views(ids: &[ViewId]) -> String {
    ids.iter().map(|id| view(*id)).collect::<Vec<_>>().join(", ")
}

/// A host operator with its attributes.
fn host_op(op: &HostOp) -> String {
    let axis = |axis: &Option<u32>| axis.map_or("of all".into(), |axis| format!("axis {axis}"));
    let order = |sorted: bool| if sorted { "sorted" } else { "unsorted" };
    let attributes = match op {
        HostOp::NonZero => return op.name().into(),
        HostOp::Compress { axis: at } => axis(at),
        HostOp::TopK { axis, largest, sorted } => {
            format!("axis {axis} {} {}", if *largest { "largest" } else { "smallest" }, order(*sorted))
        }
        HostOp::Unique { axis: at, sorted } => format!("{} {}", axis(at), order(*sorted)),
        HostOp::NonMaxSuppression { center_point_box } => if *center_point_box { "centers" } else { "corners" }.into(),
        HostOp::RandomNormal { mean, scale, seed } => format!("mean {mean:?} scale {scale:?} seed {seed}"),
        HostOp::RandomUniform { low, high, seed } => format!("low {low:?} high {high:?} seed {seed}"),
        HostOp::Bernoulli { seed } | HostOp::Multinomial { seed } => format!("seed {seed}"),
    };
    format!("{} {attributes} ", op.name())
}
