//! An LLVM context with its one module, from translation to emission.

use std::ffi::{CStr, c_void};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::{Mutex, Once};

use inkwell::OptimizationLevel;
use inkwell::context::Context;
use inkwell::llvm_sys::LLVMDiagnosticSeverity;
use inkwell::llvm_sys::core::{
    LLVMContextSetDiagnosticHandler, LLVMDisposeMessage, LLVMGetDiagInfoDescription, LLVMGetDiagInfoSeverity,
};
use inkwell::llvm_sys::prelude::LLVMDiagnosticInfoRef;
use inkwell::module::Module;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{CodeModel, FileType, InitializationConfig, RelocMode, Target, TargetMachine, TargetTriple};
use mlir::Part;

use crate::error::Error;
use crate::source::Stage;

/// Major, minor and patch version of the LLVM that is linked in.
pub fn llvm_version() -> (u32, u32, u32) {
    inkwell::support::get_llvm_version()
}

/// Messages of LLVM's context handler; a mutex only because LLVM sees it as shared.
type Messages = Mutex<Vec<String>>;

/// An LLVM module with the context that holds it and the errors reported there.
pub(crate) struct LlvmModule {
    // Dropped by hand: the module must go before its context, the context before the messages it points to.
    module: ManuallyDrop<Module<'static>>,
    context: ManuallyDrop<Context>,
    messages: ManuallyDrop<Box<Messages>>,
    name: String,
}

// SAFETY: everything reachable from the module lives in the context owned here, and LLVM allows a context to
// be used from any one thread at a time. `LlvmModule` is not `Sync` and gives out no handle that outlives a borrow.
unsafe impl Send for LlvmModule {}

impl LlvmModule {
    /// Translates one part of `module` into a context of its own.
    pub(crate) fn translate(module: &mlir::Module<'_>, part: Part, name: &str) -> Result<Self, Error> {
        let context = Context::create();
        let messages = Box::new(Messages::default());
        let raw = NonNull::new(context.raw()).ok_or_else(|| Error::Llvm {
            name: name.to_owned(),
            step: "create context",
            message: "out of memory".into(),
        })?;
        // SAFETY: the box outlives the context (see `drop`) and its address is stable; the handler casts the
        // pointer back to the same type.
        unsafe {
            let target = (&raw const *messages).cast_mut().cast();
            LLVMContextSetDiagnosticHandler(raw.as_ptr(), Some(on_diagnostic), target);
        }
        // SAFETY: the context was made above by the same LLVM and nothing else uses it.
        let translated = unsafe { module.translate(part, raw.cast()) }?;
        // SAFETY: `translate` gives a module of this context that is now ours to dispose of.
        let module = unsafe { Module::new(translated.as_ptr().cast()) };
        Ok(Self {
            module: ManuallyDrop::new(module),
            context: ManuallyDrop::new(context),
            messages: ManuallyDrop::new(messages),
            name: name.to_owned(),
        })
    }

    /// The module; `'static` is a fiction that holds as long as `self`.
    pub(crate) fn module(&self) -> &Module<'static> {
        &self.module
    }

    /// Sets a string attribute on every function that has a body.
    pub(crate) fn mark_functions(&self, attributes: &[(&str, &str)]) {
        use inkwell::attributes::{Attribute, AttributeLoc};
        let nounwind = Attribute::get_named_enum_kind_id("nounwind");
        for function in self.module.get_functions().filter(|f| f.count_basic_blocks() > 0) {
            function.add_attribute(AttributeLoc::Function, self.context.create_enum_attribute(nounwind, 0));
            for (key, value) in attributes {
                let attribute = self.context.create_string_attribute(key, value);
                function.add_attribute(AttributeLoc::Function, attribute);
            }
        }
    }

    /// Names the target in the module and checks the module's form.
    pub(crate) fn aim(&self, machine: &TargetMachine) -> Result<(), Error> {
        self.module.set_triple(&machine.get_triple());
        self.module.set_data_layout(&machine.get_target_data().get_data_layout());
        // Locations and timestamps must not tell two compiles apart.
        self.module.set_name("tenfold");
        self.module.set_source_file_name("tenfold");
        self.module.verify().map_err(|message| self.error("verify", &message.to_string()))
    }

    /// Runs LLVM's standard O3 pipeline with both vectorizers.
    pub(crate) fn optimize(&self, machine: &TargetMachine) -> Result<(), Error> {
        let options = PassBuilderOptions::create();
        options.set_loop_vectorization(true);
        options.set_loop_slp_vectorization(true);
        options.set_loop_interleaving(true);
        options.set_loop_unrolling(true);
        self.module
            .run_passes("default<O3>", machine, options)
            .map_err(|message| self.error("optimize", &message.to_string()))?;
        self.checked("optimize")
    }

    /// The object file or assembly text. The module is used up by it: instruction selection rewrites it.
    pub(crate) fn emit(&self, machine: &TargetMachine, kind: FileType) -> Result<Vec<u8>, Error> {
        let buffer = machine
            .write_to_memory_buffer(&self.module, kind)
            .map_err(|message| self.error("emit", &message.to_string()))?;
        self.checked("emit")?;
        let bytes = buffer.as_slice();
        // inkwell counts the NUL after the buffer in.
        Ok(bytes.strip_suffix(&[0]).filter(|_| kind == FileType::Assembly).unwrap_or(bytes).to_vec())
    }

    /// The module as text at `stage`, which must not be before the translation.
    pub(crate) fn text(&self, machine: &TargetMachine, stage: Stage) -> Result<String, Error> {
        if !matches!(stage, Stage::LlvmDialect | Stage::LlvmIr) {
            self.optimize(machine)?;
        }
        if stage != Stage::Assembly {
            return Ok(self.module.print_to_string().to_string());
        }
        let bytes = self.emit(machine, FileType::Assembly)?;
        String::from_utf8(bytes).map_err(|error| self.error("emit", &error.to_string()))
    }

    /// Fails if LLVM has reported an error meanwhile.
    fn checked(&self, step: &'static str) -> Result<(), Error> {
        let messages = std::mem::take(&mut *self.messages.lock().unwrap_or_else(|e| e.into_inner()));
        if messages.is_empty() { Ok(()) } else { Err(self.error(step, &messages.join("; "))) }
    }

    fn error(&self, step: &'static str, message: &str) -> Error {
        Error::Llvm { name: self.name.clone(), step, message: message.to_owned() }
    }
}

impl Drop for LlvmModule {
    fn drop(&mut self) {
        // SAFETY: each field is dropped once, here, and not used after; the order keeps every pointer valid.
        unsafe {
            ManuallyDrop::drop(&mut self.module);
            ManuallyDrop::drop(&mut self.context);
            ManuallyDrop::drop(&mut self.messages);
        }
    }
}

/// Keeps errors; LLVM's own handler would print them and end the process.
extern "C" fn on_diagnostic(info: LLVMDiagnosticInfoRef, messages: *mut c_void) {
    // SAFETY: LLVM passes a live diagnostic and the pointer that was registered with the handler, a `Messages`
    // that outlives the context. The description is a string that we own and free.
    unsafe {
        if LLVMGetDiagInfoSeverity(info) != LLVMDiagnosticSeverity::LLVMDSError {
            return;
        }
        let text = LLVMGetDiagInfoDescription(info);
        let message = CStr::from_ptr(text).to_string_lossy().into_owned();
        LLVMDisposeMessage(text);
        let messages: &Messages = &*messages.cast();
        messages.lock().unwrap_or_else(|e| e.into_inner()).push(message);
    }
}

/// A target machine at the highest level of optimisation.
pub(crate) fn machine(triple: &str, cpu: &str, features: &str) -> Result<TargetMachine, Error> {
    initialize();
    let bad = |message: String| Error::Target { target: triple.to_owned(), message };
    let llvm_triple = TargetTriple::create(triple);
    let target = Target::from_triple(&llvm_triple).map_err(|e| bad(e.to_string()))?;
    target
        .create_target_machine(
            &llvm_triple,
            cpu,
            features,
            OptimizationLevel::Aggressive,
            RelocMode::PIC,
            CodeModel::Small,
        )
        .ok_or_else(|| bad(format!("no target machine for `{cpu}`")))
}

/// Makes LLVM's targets known, once per process.
pub(crate) fn initialize() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let config = InitializationConfig { disassembler: false, ..InitializationConfig::default() };
        Target::initialize_x86(&config);
        Target::initialize_aarch64(&config);
        Target::initialize_nvptx(&config);
    });
}
