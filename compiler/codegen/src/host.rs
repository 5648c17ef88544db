//! Host code: MLIR text to a flat blob.

use inkwell::GlobalVisibility;
use inkwell::module::Linkage;
use inkwell::targets::{FileType, TargetMachine};
use inkwell::values::UnnamedAddress;
use mlir::{Part, Session};

use crate::error::Error;
use crate::fatal::guarded;
use crate::flatten::{HostCode, flatten};
use crate::host_target::HostTarget;
use crate::llvm::{LlvmModule, machine};
use crate::source::{Phases, Source, Stage, timed};

/// Compiles a module of functions to one position-independent blob.
///
/// Every function with a body becomes an entry, unless the text makes it private with
/// `llvm.linkage = #llvm.linkage<internal>`; global constants are never visible outside. Attributes of arguments
/// (`llvm.noalias`, `llvm.align`, ...) are taken from the text; nothing is assumed beyond it.
///
/// # Errors
/// [`Error`] for bad text, and for code that needs writable data or functions that the run time lacks.
pub fn host_code<'a>(session: &Session, source: impl Into<Source<'a>>, target: &HostTarget) -> Result<HostCode, Error> {
    host_code_timed(session, source, target).map(|(code, _)| code)
}

/// [`host_code`] with a report of where the time went.
///
/// # Errors
/// As [`host_code`].
pub fn host_code_timed<'a>(
    session: &Session,
    source: impl Into<Source<'a>>,
    target: &HostTarget,
) -> Result<(HostCode, Phases), Error> {
    let source = source.into();
    let mut phases = Phases::default();
    let llvm = translated(session, source, &mut phases)?;
    let (name, target) = (source.name.to_owned(), target.clone());
    guarded(source.name, move || {
        let machine = timed(&mut phases.target, || host_machine(&target))?;
        prepare(&llvm, &machine, &target)?;
        timed(&mut phases.optimize, || llvm.optimize(&machine))?;
        let object = timed(&mut phases.emit, || llvm.emit(&machine, FileType::Object))?;
        let code = timed(&mut phases.flatten, || flatten(&name, &object))?;
        Ok((code, phases))
    })
}

/// The code of `source` as text at some stage of its way, for dumps and tests.
///
/// # Errors
/// As [`host_code`], for the steps up to the stage.
pub fn host_text<'a>(
    session: &Session,
    source: impl Into<Source<'a>>,
    target: &HostTarget,
    stage: Stage,
) -> Result<String, Error> {
    let source = source.into();
    if stage == Stage::LlvmDialect {
        let mut module = session.parse(source.name, source.text)?;
        module.lower(Part::Host)?;
        return Ok(module.print());
    }
    let llvm = translated(session, source, &mut Phases::default())?;
    let target = target.clone();
    guarded(source.name, move || {
        let machine = host_machine(&target)?;
        prepare(&llvm, &machine, &target)?;
        llvm.text(&machine, stage)
    })
}

fn translated(session: &Session, source: Source<'_>, phases: &mut Phases) -> Result<LlvmModule, Error> {
    let mut module = timed(&mut phases.parse, || session.parse(source.name, source.text))?;
    timed(&mut phases.passes, || module.lower(Part::Host))?;
    timed(&mut phases.translate, || LlvmModule::translate(&module, Part::Host, source.name))
}

fn host_machine(target: &HostTarget) -> Result<TargetMachine, Error> {
    machine(target.triple(), target.llvm_cpu(), &target.llvm_features())
}

/// Gives the module its target and makes all that is defined in it local to the blob.
fn prepare(llvm: &LlvmModule, machine: &TargetMachine, target: &HostTarget) -> Result<(), Error> {
    for global in llvm.module().get_globals().filter(|g| g.get_initializer().is_some()) {
        global.set_linkage(Linkage::Internal);
        global.set_unnamed_address(UnnamedAddress::Global);
    }
    for function in llvm.module().get_functions().filter(|f| f.count_basic_blocks() > 0) {
        if function.get_linkage() == Linkage::External {
            // Hidden symbols need no detour through an offset table.
            function.as_global_value().set_visibility(GlobalVisibility::Hidden);
        }
    }
    llvm.mark_functions(&target.function_attributes());
    llvm.aim(machine)
}
