//! Device code: MLIR text to PTX.

use inkwell::targets::TargetMachine;
use mlir::{Part, Session};

use crate::error::Error;
use crate::fatal::guarded;
use crate::llvm::{LlvmModule, machine};
use crate::ptx_target::PtxTarget;
use crate::source::{Source, Stage};

const TRIPLE: &str = "nvptx64-nvidia-cuda";

/// Compiles the one `gpu.module` of a text to PTX.
///
/// # Errors
/// [`Error`] for bad text, for operations that the target cannot do ([`Error::Fatal`] mostly), and for calls of
/// functions that are not in the module.
pub fn ptx<'a>(session: &Session, source: impl Into<Source<'a>>, target: &PtxTarget) -> Result<String, Error> {
    ptx_text(session, source, target, Stage::Assembly)
}

/// The code of `source` as text at some stage of its way, for dumps and tests.
///
/// # Errors
/// As [`ptx`], for the steps up to the stage.
pub fn ptx_text<'a>(
    session: &Session,
    source: impl Into<Source<'a>>,
    target: &PtxTarget,
    stage: Stage,
) -> Result<String, Error> {
    let source = source.into();
    let mut module = session.parse(source.name, source.text)?;
    module.lower(Part::Gpu)?;
    if stage == Stage::LlvmDialect {
        return Ok(module.print());
    }
    let llvm = LlvmModule::translate(&module, Part::Gpu, source.name)?;
    let (name, target) = (source.name.to_owned(), *target);
    guarded(source.name, move || {
        let machine = ptx_machine(&target)?;
        llvm.mark_functions(&[]);
        llvm.aim(&machine)?;
        let text = llvm.text(&machine, stage)?;
        check_symbols(&name, &text)?;
        Ok(text)
    })
}

fn ptx_machine(target: &PtxTarget) -> Result<TargetMachine, Error> {
    machine(TRIPLE, target.name(), &target.llvm_features())
}

/// Refuses PTX that calls a function from outside: the driver would only say so at load time.
fn check_symbols(name: &str, ptx: &str) -> Result<(), Error> {
    let mut lines = ptx.lines();
    while let Some(line) = lines.next() {
        if !line.starts_with(".extern .func") {
            continue;
        }
        // The name stands after the return value, or on the next line.
        let declaration = format!("{line} {}", lines.next().unwrap_or_default());
        let after = declaration.rsplit_once(')').map_or(declaration.as_str(), |(_, rest)| rest);
        let mut words = after.split(|c: char| !(c.is_alphanumeric() || "_$".contains(c)));
        let symbol = words.rfind(|w| !matches!(*w, "" | "extern" | "func")).unwrap_or("?");
        return Err(Error::Symbol { name: name.to_owned(), symbol: symbol.to_owned() });
    }
    Ok(())
}
