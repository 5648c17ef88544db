//! A variant's program with everything worked out that does not depend on the inputs.

use crate::Error;
use crate::arena::{self, Lifetimes};
use crate::expr::Expr;
use crate::indices::Moved;
use artifact::{Artifact, DimId, Place, Program, Step, SymbolId, ViewId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A program, ready for planning.
pub(crate) struct Prepared {
    artifact: Arc<Artifact>,
    variant: usize,
    pub(crate) exprs: Vec<Expr>,
    /// Which symbols steps give values, so that they are not known before the run.
    pub(crate) late_symbols: Vec<bool>,
    /// `Let`s of the entry block whose symbols are known before the run after all, in order.
    pub(crate) early_lets: Vec<(SymbolId, DimId)>,
    pub(crate) lifetimes: Lifetimes,
    /// Checks of indices that are made before or after the run.
    pub(crate) moved: Moved,
    /// Whether the same inputs' shapes always lead to the same work on the same addresses of a device.
    pub(crate) is_straight: bool,
}

impl Prepared {
    /// Prepares a variant of a valid artifact for a device, whose memory may be the host's.
    pub(crate) fn new(artifact: Arc<Artifact>, variant: usize, host_memory: bool) -> Result<Self, Error> {
        let program = &artifact.variants[variant].program;
        let slots: BTreeMap<&str, usize> = program.symbols.iter().enumerate().map(|(i, s)| (s.as_str(), i)).collect();
        let exprs = program.exprs.iter().map(|text| Expr::parse(text, &slots)).collect::<Result<Vec<_>, _>>()?;
        let (late_symbols, early_lets) = late_symbols(program, &exprs);
        let only_shapes_decide = program.blocks[0].iter().all(|step| match step {
            Step::Launch(_) | Step::Dims { .. } | Step::Copy { .. } | Step::Check { .. } | Step::Indices { .. } => true,
            Step::Let { symbol, .. } => !late_symbols[symbol.idx()],
            Step::Bind { .. } | Step::Expect { .. } | Step::Host { .. } | Step::If { .. } | Step::Loop(_) => false,
        });
        let moved = Moved::new(program, &exprs, &late_symbols, only_shapes_decide && !host_memory);
        let is_straight = only_shapes_decide && !host_memory;
        let lifetimes = arena::lifetimes(program, &moved.after);
        Ok(Prepared { variant, exprs, late_symbols, early_lets, lifetimes, is_straight, moved, artifact })
    }

    /// The program.
    pub(crate) fn program(&self) -> &Program {
        &self.artifact.variants[self.variant].program
    }

    /// The artifact.
    pub(crate) fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// The index of the variant.
    pub(crate) fn variant(&self) -> usize {
        self.variant
    }

    /// Whether a step can change the value of an expression.
    pub(crate) fn is_late(&self, dim: DimId) -> bool {
        self.exprs[dim.idx()].mentions(&self.late_symbols)
    }

    /// A view as a message names it.
    pub(crate) fn describe(&self, view: ViewId) -> String {
        let program = self.program();
        let found = &program.views[view.idx()];
        let shape: Vec<&str> = found.shape.iter().map(|d| program.exprs[d.idx()].as_str()).collect();
        let place = match program.buffers[found.buffer.idx()].place {
            Place::Arena => format!("buffer {}", found.buffer.0),
            Place::Weight(id) => format!("weight `{}`", self.artifact.weights[id.idx()].name),
            Place::Input(idx) => format!("input `{}`", program.inputs[idx as usize].name),
            Place::Output(idx) => format!("output `{}`", program.outputs[idx as usize].name),
        };
        format!("{}[{}] in {place}", found.dtype, shape.join(","))
    }
}

/// Symbols whose values come from steps, and the `Let`s that need not wait for the run.
///
/// A `Let` of the entry block is early if it is the only step that defines its symbol, no input does, and its value does not
/// mention a late symbol.
fn late_symbols(program: &Program, exprs: &[Expr]) -> (Vec<bool>, Vec<(SymbolId, DimId)>) {
    let mut definitions = vec![0; program.symbols.len()];
    for symbol in program.blocks.iter().flatten().flat_map(Step::defines) {
        definitions[symbol.idx()] += 1;
    }
    for port in &program.inputs {
        for dim in &program.views[port.view.idx()].shape {
            if let Some(slot) = exprs[dim.idx()].as_symbol()
                && definitions[slot] > 0
            {
                definitions[slot] += 1;
            }
        }
    }
    let mut late: Vec<bool> = definitions.iter().map(|n| *n > 0).collect();
    let mut early = vec![];
    for step in &program.blocks[Program::ENTRY.idx()] {
        if let Step::Let { symbol, value } = step
            && definitions[symbol.idx()] == 1
            && !exprs[value.idx()].mentions(&late)
        {
            late[symbol.idx()] = false;
            early.push((*symbol, *value));
        }
    }
    (late, early)
}
