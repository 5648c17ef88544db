//! A parsed module and what can be done with it.

use std::ffi::c_void;
use std::ptr::NonNull;

use melior::Context;
use melior::ir::BlockLike;
use melior::ir::operation::OperationLike;
use melior::pass::PassManager;
use melior::utility::parse_pass_pipeline;
use mlir_sys::{MlirOperation, mlirTranslateModuleToLLVMIR};

use crate::error::MlirError;
use crate::intrinsics::{protect_extrema, protect_math};
use crate::pipeline::{GPU_PIPELINE, GPU_PREPARE_PIPELINE, HOST_PIPELINE};
use crate::session::Session;

/// Which operation of a module becomes the LLVM module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The `builtin.module` itself: host code.
    Host,
    /// The one `gpu.module` in it: device code.
    Gpu,
}

/// A `builtin.module` that has passed the verifier.
pub struct Module<'s> {
    session: &'s Session,
    name: String,
    inner: melior::ir::Module<'s>,
}

impl<'s> Module<'s> {
    pub(crate) fn new(session: &'s Session, name: &str, inner: melior::ir::Module<'s>) -> Self {
        Self { session, name: name.to_owned(), inner }
    }

    pub(crate) fn inner(&self) -> &melior::ir::Module<'s> {
        &self.inner
    }

    /// Checks the rules of every operation. Parsing has done so already; this is for after passes.
    ///
    /// # Errors
    /// [`MlirError::Verify`] with the broken rule.
    pub fn verify(&self) -> Result<(), MlirError> {
        self.session.clear();
        if self.inner.as_operation().verify() {
            return Ok(());
        }
        Err(MlirError::Verify { name: self.name.clone(), diagnostics: self.session.take(&self.name) })
    }

    /// Runs a pipeline written as `builtin.module(pass,other.op(pass{option=1}))`.
    ///
    /// The verifier does not run between the passes: it costs as much as they do. A pipeline that breaks the
    /// module shows in [`Module::verify`] or [`Module::translate`].
    ///
    /// # Errors
    /// [`MlirError::Pipeline`] for a wrong pipeline text, [`MlirError::Pass`] when a pass fails; the
    /// module is then half converted and good for printing only.
    pub fn run_pipeline(&mut self, pipeline: &str) -> Result<(), MlirError> {
        self.session.clear();
        let manager = PassManager::new(self.session.context());
        manager.enable_verifier(false);
        parse_pass_pipeline(manager.as_operation_pass_manager(), pipeline)
            .map_err(|error| MlirError::Pipeline { pipeline: pipeline.to_owned(), message: error.to_string() })?;
        manager
            .run(&mut self.inner)
            .map_err(|_| MlirError::Pass { name: self.name.clone(), diagnostics: self.session.take(&self.name) })
    }

    /// Brings all ops to the `llvm` (and `nvvm`) dialect, ready for [`Module::translate`].
    ///
    /// # Errors
    /// [`MlirError::Pass`] when an op has no lowering.
    pub fn lower(&mut self, part: Part) -> Result<(), MlirError> {
        self.rewrite(protect_extrema)?;
        match part {
            Part::Host => self.run_pipeline(HOST_PIPELINE),
            Part::Gpu => {
                self.run_pipeline(GPU_PREPARE_PIPELINE)?;
                self.rewrite(protect_math)?;
                self.run_pipeline(GPU_PIPELINE)
            }
        }
    }

    fn rewrite(
        &self,
        rules: fn(&Context, &melior::ir::Module<'_>) -> Result<(), melior::Error>,
    ) -> Result<(), MlirError> {
        rules(self.session.context(), &self.inner)
            .map_err(|_| MlirError::Pass { name: self.name.clone(), diagnostics: self.session.take(&self.name) })
    }

    /// The module as text, in MLIR's pretty form.
    pub fn print(&self) -> String {
        self.inner.as_operation().to_string()
    }

    /// Translates to LLVM IR: a new `LLVMModuleRef` in `llvm_context`, which the caller owns and disposes of.
    ///
    /// The result shares nothing with this module or its session, only with `llvm_context`.
    ///
    /// # Errors
    /// [`MlirError::Translate`] when an operation has no LLVM form, [`MlirError::GpuModules`] when `part` is
    /// [`Part::Gpu`] and there is not exactly one `gpu.module`.
    ///
    /// # Safety
    /// `llvm_context` must be a live `LLVMContextRef` of the LLVM that MLIR is linked with, and no other
    /// thread may use it during the call.
    pub unsafe fn translate(&self, part: Part, llvm_context: NonNull<c_void>) -> Result<NonNull<c_void>, MlirError> {
        self.session.clear();
        let operation = match part {
            Part::Host => self.inner.as_operation().to_raw(),
            Part::Gpu => self.gpu_module()?,
        };
        // SAFETY: the operation belongs to `self.inner`, which is alive; the context is the caller's promise.
        // The translation reads the operation and gives a module that nothing else owns, or null.
        let module = unsafe { mlirTranslateModuleToLLVMIR(operation, llvm_context.as_ptr().cast()) };
        NonNull::new(module.cast())
            .ok_or_else(|| MlirError::Translate { name: self.name.clone(), diagnostics: self.session.take(&self.name) })
    }

    fn gpu_module(&self) -> Result<MlirOperation, MlirError> {
        let mut found = Vec::new();
        let mut next = self.inner.body().first_operation();
        while let Some(operation) = next {
            if operation.name().as_string_ref().as_str() == Ok("gpu.module") {
                found.push(operation.to_raw());
            }
            next = operation.next_in_block();
        }
        match found[..] {
            [one] => Ok(one),
            _ => Err(MlirError::GpuModules { name: self.name.clone(), count: found.len() }),
        }
    }
}
