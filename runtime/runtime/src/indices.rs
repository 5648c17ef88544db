//! Looks at indices that come from data ([`Step::Indices`]) where that costs least.
//!
//! An input is looked at where the caller has it, before anything runs. A device with memory of its own would have to be
//! waited for in the middle of a run; so where no step depends on data, everything computed is looked at after the run.

use crate::exec::Run;
use crate::expr::Expr;
use crate::{Error, Input};
use artifact::{DimId, Place, Program, Step, ViewId};
use tensor::{Tensor, check_indices};

/// The checks of the entry block that are not made in their place, as positions in it.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    /// Before the run.
    pub(crate) before: Vec<usize>,
    /// After the run.
    pub(crate) after: Vec<usize>,
}

impl Moved {
    /// Decides for each check of the entry block. `may_wait` says that no other step depends on what was computed before.
    pub(crate) fn new(program: &Program, exprs: &[Expr], late_symbols: &[bool], may_wait: bool) -> Moved {
        let mut moved = Moved::default();
        for (at, step) in program.blocks[Program::ENTRY.idx()].iter().enumerate() {
            let Step::Indices { input, sizes, .. } = step else { continue };
            let view = &program.views[input.idx()];
            let is_known = |dim: &DimId| !exprs[dim.idx()].mentions(late_symbols);
            let is_input = input_of(program, *input).is_some()
                && program.exprs[view.offset.idx()] == "0"
                && sizes.iter().chain(&view.shape).all(is_known);
            if is_input {
                moved.before.push(at);
            } else if may_wait {
                moved.after.push(at);
            }
        }
        moved
    }

    /// Whether a check is not made in its place.
    pub(crate) fn contains(&self, at: usize) -> bool {
        self.before.contains(&at) || self.after.contains(&at)
    }
}

/// The input whose memory a view is in, if it has the input's type.
fn input_of(program: &Program, view: ViewId) -> Option<usize> {
    let view = &program.views[view.idx()];
    match program.buffers[view.buffer.idx()].place {
        Place::Input(idx) if program.views[program.inputs[idx as usize].view.idx()].dtype == view.dtype => {
            Some(idx as usize)
        }
        _ => None,
    }
}

impl Run<'_> {
    /// Makes the checks that need only the caller's tensors. Those in a device's memory are read back.
    pub(crate) fn check_inputs(&mut self, inputs: &[Input<'_>]) -> Result<(), Error> {
        if self.trusts_indices {
            return Ok(());
        }
        let prepared = self.memory.prepared;
        let program = prepared.program();
        for at in &prepared.moved.before {
            let Step::Indices { input, sizes, axis, message } = &program.blocks[Program::ENTRY.idx()][*at] else {
                continue;
            };
            let tensor = match input_of(program, *input).map(|idx| &inputs[idx]) {
                Some(Input::Host(tensor)) => tensor,
                Some(Input::Here(_)) => {
                    self.indices(*input, sizes, *axis, message)?;
                    continue;
                }
                None => continue,
            };
            let shape = program.views[input.idx()].shape.iter();
            let shape = shape.map(|dim| self.memory.size(*dim)).collect::<Result<Vec<_>, _>>()?;
            let indices = tensor.reshaped(shape).map_err(|why| Error::Program(why.to_string()))?;
            self.check_tensor(&indices, sizes, *axis, message)?;
        }
        Ok(())
    }

    /// Makes the checks that were left for the end.
    pub(crate) fn check_rest(&mut self) -> Result<(), Error> {
        if self.trusts_indices {
            return Ok(());
        }
        let prepared = self.memory.prepared;
        for at in &prepared.moved.after {
            if let Step::Indices { input, sizes, axis, message } = &prepared.program().blocks[0][*at] {
                self.indices(*input, sizes, *axis, message)?;
            }
        }
        Ok(())
    }

    /// Looks at a tensor in the device's memory.
    pub(crate) fn indices(&mut self, input: ViewId, sizes: &[DimId], axis: u32, message: &str) -> Result<(), Error> {
        let indices = self.read(input)?;
        self.check_tensor(&indices, sizes, axis, message)
    }

    fn check_tensor(&self, indices: &Tensor, sizes: &[DimId], axis: u32, message: &str) -> Result<(), Error> {
        let sizes = sizes.iter().map(|dim| self.memory.value(*dim)).collect::<Result<Vec<_>, _>>()?;
        check_indices(indices, axis as usize, &sizes).map_err(|bad| Error::Check(format!("{message}: {bad}")))
    }
}
