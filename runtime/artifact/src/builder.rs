//! Building a program without repeating table entries.

use crate::{BlockId, Buffer, BufferId, DimId, NodeId, Place, Port, Program, Step, SymbolId, View, ViewId};
use std::collections::BTreeMap;
use tensor::{DType, Dim};

/// Collects the tables of a [`Program`].
///
/// ```
/// use artifact::{Place, ProgramBuilder, Step};
/// use tensor::{DType, Dim};
///
/// let mut b = ProgramBuilder::new();
/// let n = Dim::symbol("N");
/// let x = b.buffer(&(n.clone() * 4.into()), Place::Input(0));
/// let x = b.view(x, &0.into(), DType::F32, &[n.clone()]);
/// let y = b.buffer(&(n.clone() * 4.into()), Place::Output(0));
/// let y = b.view(y, &0.into(), DType::F32, &[n]);
/// b.input("x", x);
/// b.output("y", y);
/// b.push(Step::Copy { from: x, to: y });
/// let program = b.finish();
/// assert_eq!(program.exprs, ["4*N", "0", "N"]);
/// ```
#[derive(Debug)]
pub struct ProgramBuilder {
    program: Program,
    exprs: BTreeMap<String, DimId>,
    symbols: BTreeMap<String, SymbolId>,
    nodes: BTreeMap<String, NodeId>,
    open: Vec<BlockId>,
}

impl Default for ProgramBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ProgramBuilder {
    /// An empty program whose entry block is open.
    pub fn new() -> Self {
        let program = Program {
            exprs: vec![],
            symbols: vec![],
            nodes: vec![],
            buffers: vec![],
            views: vec![],
            inputs: vec![],
            outputs: vec![],
            blocks: vec![vec![]],
        };
        ProgramBuilder {
            program,
            exprs: BTreeMap::new(),
            symbols: BTreeMap::new(),
            nodes: BTreeMap::new(),
            open: vec![Program::ENTRY],
        }
    }

    /// An expression; its symbols are registered too.
    pub fn dim(&mut self, dim: &Dim) -> DimId {
        let mut symbols = vec![];
        dim.symbols(&mut symbols);
        for symbol in symbols {
            self.symbol(symbol.name());
        }
        intern(&mut self.exprs, &mut self.program.exprs, dim.to_string(), DimId)
    }

    /// A symbol by its name, which must be one that [`tensor::Symbol`] leaves as it is.
    pub fn symbol(&mut self, name: &str) -> SymbolId {
        intern(&mut self.symbols, &mut self.program.symbols, name.into(), SymbolId)
    }

    /// The name of a source node.
    pub fn node(&mut self, name: &str) -> NodeId {
        intern(&mut self.nodes, &mut self.program.nodes, name.into(), NodeId)
    }

    /// New memory.
    pub fn buffer(&mut self, bytes: &Dim, place: Place) -> BufferId {
        let bytes = self.dim(bytes);
        self.program.buffers.push(Buffer { bytes, place });
        BufferId(last(&self.program.buffers))
    }

    /// A tensor in a buffer.
    pub fn view(&mut self, buffer: BufferId, offset: &Dim, dtype: DType, shape: &[Dim]) -> ViewId {
        let offset = self.dim(offset);
        let shape = shape.iter().map(|d| self.dim(d)).collect();
        self.program.views.push(View { buffer, offset, dtype, shape });
        ViewId(last(&self.program.views))
    }

    /// A tensor with memory of its own.
    pub fn tensor(&mut self, place: Place, dtype: DType, shape: &[Dim]) -> ViewId {
        let bytes = shape.iter().fold(Dim::from(dtype.size()), |bytes, d| bytes * d.clone());
        let buffer = self.buffer(&bytes, place);
        self.view(buffer, &0.into(), dtype, shape)
    }

    /// The next input of the program.
    pub fn input(&mut self, name: &str, view: ViewId) {
        self.program.inputs.push(Port { name: name.into(), view });
    }

    /// The next output of the program.
    pub fn output(&mut self, name: &str, view: ViewId) {
        self.program.outputs.push(Port { name: name.into(), view });
    }

    /// Adds a step to the innermost open block.
    pub fn push(&mut self, step: Step) {
        if let Some(block) = self.open.last() {
            self.program.blocks[block.idx()].push(step);
        }
    }

    /// Opens a new block for the steps that follow. The step that owns it is pushed after [`ProgramBuilder::close`].
    pub fn open(&mut self) -> BlockId {
        self.program.blocks.push(vec![]);
        let block = BlockId(last(&self.program.blocks));
        self.open.push(block);
        block
    }

    /// Closes the innermost block.
    ///
    /// # Panics
    /// If only the entry block is open.
    pub fn close(&mut self) {
        assert!(self.open.len() > 1, "no block to close");
        self.open.pop();
    }

    /// The program so far, for looking up views and buffers.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The program.
    ///
    /// # Panics
    /// If a block is still open.
    pub fn finish(self) -> Program {
        assert_eq!(self.open.len(), 1, "a block is still open");
        self.program
    }
}

fn last<T>(table: &[T]) -> u32 {
    u32::try_from(table.len() - 1).unwrap_or(u32::MAX)
}

fn intern<I: Copy>(
    known: &mut BTreeMap<String, I>,
    table: &mut Vec<String>,
    text: String,
    id: impl FnOnce(u32) -> I,
) -> I {
    *known.entry(text).or_insert_with_key(|text| {
        table.push(text.clone());
        id(last(table))
    })
}
