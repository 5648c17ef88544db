//! Checks of indices that come from data.

use super::{Assembler, Frame};
use artifact::{Condition, Step};
use diag::{Code, Diagnostic};
use schedule::{IndexCheck, IndexClaim};
use tensor::{BadIndex, Dim};

impl Assembler<'_> {
    /// The step that a check needs. What is known to fail is a fault of the model, unless control flow may never get there.
    pub(crate) fn indices(&mut self, frame: &mut Frame, check: &IndexCheck) {
        match &check.claim {
            IndexClaim::Elements { indices, sizes } => {
                let graph = frame.graph;
                let node = &graph.nodes[check.node];
                let memory = self.view(frame, *indices);
                // The same memory in the shape of the operand, by which messages tell the place of an element.
                let buffer = self.b.program().views[memory.idx()].buffer;
                let shape = &graph.ty(node.inputs[1]).shape;
                let input = self.b.view(buffer, &Dim::from(0), graph.ty(*indices).dtype, shape);
                let sizes = sizes.iter().map(|dim| self.b.dim(dim)).collect();
                let message = format!("{}: {}", node.loc, node.op.name());
                self.b.push(Step::Indices { input, sizes, axis: check.axis as u32, message });
            }
            IndexClaim::Extremes { column, low, high, size } => self.extremes(frame, check, *column, [low, high, size]),
        }
    }

    fn extremes(&mut self, frame: &Frame, check: &IndexCheck, column: usize, [low, high, size]: [&Dim; 3]) {
        let graph = frame.graph;
        let node = &graph.nodes[check.node];
        let axis = check.axis + column;
        let count = graph.ty(node.inputs[1]).num_elements();
        // Of no index there is no extreme.
        let if_any = |dim: Dim| Dim::select_eq(count.clone(), 0.into(), 0.into(), dim);
        let needed = [if_any(-low.clone()), if_any(high.clone() + 1.into())];
        let short = needed.clone().map(|needed| (size.clone() - needed).as_const().map(|left| left < 0));
        if short.contains(&Some(true)) && frame.is_entry {
            let bad = schedule::first_bad(graph, check).unwrap_or_else(|| {
                let value = if short[0] == Some(true) { low } else { high };
                let known = |dim: &Dim| dim.as_const().unwrap_or_default();
                BadIndex { value: known(value).into(), at: None, axis, size: known(size) }
            });
            let message = format!("{}: {bad}", node.op.name());
            self.faults.push(Diagnostic::error(Code::Index, node.loc.clone(), message));
            return;
        }
        for (needed, short) in needed.iter().zip(short) {
            // No axis is too small for that.
            let is_nothing = needed.as_const().is_some_and(|needed| needed <= 0);
            if short != Some(false) && !is_nothing {
                let condition = Condition::AtMost(self.b.dim(needed), self.b.dim(size));
                let message = format!("{}: {}: the indices need a larger axis {axis}", node.loc, node.op.name());
                self.b.push(Step::Check { condition, message });
            }
        }
    }
}
