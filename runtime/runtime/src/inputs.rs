//! Checks the given tensors against the program's inputs, and reads symbols off their shapes.

use crate::prepared::Prepared;
use crate::{Error, Input};
use tensor::TensorType;

/// The values of symbols that the inputs' shapes give; `None` for the others.
pub(crate) fn bind(prepared: &Prepared, inputs: &[Input<'_>]) -> Result<Vec<Option<i64>>, Error> {
    let program = prepared.program();
    if inputs.len() != program.inputs.len() {
        let names: Vec<String> = program.inputs.iter().map(|port| format!("`{}`", port.name)).collect();
        let takes = if names.is_empty() { "none".into() } else { names.join(", ") };
        return Err(Error::Input(format!(
            "{} inputs given, the model takes {}: {takes}",
            inputs.len(),
            program.inputs.len()
        )));
    }
    let mut symbols = vec![None; program.symbols.len()];
    let mut origins = vec![String::new(); program.symbols.len()];
    for (idx, input) in inputs.iter().enumerate() {
        check_type(prepared, idx, input)?;
        let port = &program.inputs[idx];
        for (axis, dim) in program.views[port.view.idx()].shape.iter().enumerate() {
            let Some(slot) = prepared.exprs[dim.idx()].as_symbol() else {
                continue;
            };
            let extent = input.shape()[axis] as i64;
            match symbols[slot] {
                None => {
                    symbols[slot] = Some(extent);
                    origins[slot] = format!("input `{}`, axis {axis}", port.name);
                }
                Some(known) if known == extent => {}
                Some(known) => {
                    return Err(Error::Input(format!(
                        "input `{}`: axis {axis} (`{}`) is {extent}, but {} says {known}",
                        port.name, program.symbols[slot], origins[slot]
                    )));
                }
            }
        }
    }
    for (idx, input) in inputs.iter().enumerate() {
        check_extents(prepared, idx, input, &symbols)?;
    }
    check_ranges(prepared, &symbols, &origins)?;
    Ok(symbols)
}

/// Symbols must be in the ranges that the program was compiled for.
fn check_ranges(prepared: &Prepared, symbols: &[Option<i64>], origins: &[String]) -> Result<(), Error> {
    let program = prepared.program();
    for found in &prepared.artifact().manifest.ranges {
        let slot = program.symbols.iter().position(|symbol| *symbol == found.symbol);
        let Some((slot, value)) = slot.and_then(|slot| Some((slot, symbols[slot]?))) else {
            return Err(Error::Program(format!("no input gives `{}` a value, but it has a range", found.symbol)));
        };
        if !found.range().contains(value) {
            let hint = if found.is_assumed {
                format!(", because nothing was said of it; compile it with a range that has {value} in it")
            } else {
                String::new()
            };
            return Err(Error::Input(format!(
                "dimension `{}`: {} is {value}, but the model was compiled for {}{hint}",
                found.name,
                origins[slot],
                found.range()
            )));
        }
    }
    Ok(())
}

fn check_type(prepared: &Prepared, idx: usize, input: &Input<'_>) -> Result<(), Error> {
    let program = prepared.program();
    let port = &program.inputs[idx];
    let view = &program.views[port.view.idx()];
    if view.dtype != input.dtype() || view.shape.len() != input.shape().len() {
        let signature = &prepared.artifact().manifest.inputs[idx];
        let got = TensorType { dtype: input.dtype(), shape: input.shape().iter().map(|n| (*n).into()).collect() };
        return Err(Error::Input(format!("input `{}`: got {got}, the model takes {signature}", port.name)));
    }
    Ok(())
}

fn check_extents(prepared: &Prepared, idx: usize, input: &Input<'_>, symbols: &[Option<i64>]) -> Result<(), Error> {
    let program = prepared.program();
    let port = &program.inputs[idx];
    for (axis, dim) in program.views[port.view.idx()].shape.iter().enumerate() {
        let expected = prepared.exprs[dim.idx()].eval(symbols);
        let extent = input.shape()[axis];
        if expected != Some(extent as i64) {
            let text = &program.exprs[dim.idx()];
            let wanted = match expected {
                Some(value) if *text == value.to_string() => text.clone(),
                Some(value) => format!("{text} = {value}"),
                None => format!("{text}, which the given shapes do not determine"),
            };
            return Err(Error::Input(format!("input `{}`: axis {axis} is {extent}, it must be {wanted}", port.name)));
        }
    }
    Ok(())
}
