//! One MLIR context, ready to parse and to run passes.

use std::cell::RefCell;
use std::ffi::CString;
use std::rc::Rc;

use melior::Context;
use melior::diagnostic::DiagnosticSeverity;
use melior::dialect::DialectRegistry;
use melior::utility::{load_irdl_dialects, register_all_dialects, register_all_llvm_translations, register_all_passes};

use crate::error::{Diagnostic, MlirError, Severity};
use crate::module::Module;

/// Dialects that passes make ops of without having declared it, or that appear only in types.
const PRELOADED: &[&str] = &["llvm", "index", "nvvm", "gpu", "cf", "arith", "vector", "func", "scf"];

/// One MLIR context with all dialects, passes and LLVM translations registered.
///
/// Cheap to make (a few milliseconds): dialects are registered and loaded when first used. It
/// is bound to the thread that made it.
pub struct Session {
    context: Context,
    diagnostics: Rc<RefCell<Vec<Diagnostic>>>,
}

impl Session {
    /// A fresh context.
    pub fn new() -> Self {
        register_all_passes();
        let registry = DialectRegistry::new();
        register_all_dialects(&registry);
        let context = Context::new_with_registry(&registry, false);
        register_all_llvm_translations(&context);
        for dialect in PRELOADED {
            context.get_or_load_dialect(dialect);
        }
        let diagnostics = Rc::new(RefCell::new(Vec::new()));
        let sink = Rc::clone(&diagnostics);
        context.attach_diagnostic_handler(move |diagnostic| {
            collect(&diagnostic, &mut sink.borrow_mut());
            true // handled: MLIR must not print it
        });
        Self { context, diagnostics }
    }

    /// Parses and verifies one module; `name` stands for the text in locations of messages.
    ///
    /// # Errors
    /// [`MlirError::Parse`] when the text is not valid MLIR or does not verify.
    pub fn parse(&self, name: &str, text: &str) -> Result<Module<'_>, MlirError> {
        if CString::new(text).is_err() {
            return Err(MlirError::NulByte { name: name.to_owned() });
        }
        self.clear();
        match melior::ir::Module::parse(&self.context, text) {
            Some(inner) => Ok(Module::new(self, name, inner)),
            None => Err(MlirError::Parse { name: name.to_owned(), diagnostics: self.take(name) }),
        }
    }

    /// Adds the dialects that `text`, a module of `irdl.dialect` ops, defines.
    ///
    /// # Errors
    /// [`MlirError::Parse`] for bad text, [`MlirError::Irdl`] when MLIR refuses the definitions.
    pub fn load_irdl(&self, text: &str) -> Result<(), MlirError> {
        self.context.get_or_load_dialect("irdl");
        let module = self.parse("irdl", text)?;
        self.clear();
        if load_irdl_dialects(module.inner()) {
            Ok(())
        } else {
            Err(MlirError::Irdl { diagnostics: self.take("irdl") })
        }
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Forgets what earlier steps said, so that an error shows its own messages only.
    pub(crate) fn clear(&self) {
        self.diagnostics.borrow_mut().clear();
    }

    /// The messages since [`Session::clear`], with the parser's anonymous buffer called `name`.
    pub(crate) fn take(&self, name: &str) -> Vec<Diagnostic> {
        let mut taken = std::mem::take(&mut *self.diagnostics.borrow_mut());
        for diagnostic in &mut taken {
            diagnostic.location = readable(&diagnostic.location, name);
        }
        taken
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

fn collect(diagnostic: &melior::diagnostic::Diagnostic<'_>, sink: &mut Vec<Diagnostic>) {
    sink.push(Diagnostic {
        severity: match diagnostic.severity() {
            DiagnosticSeverity::Error => Severity::Error,
            DiagnosticSeverity::Warning => Severity::Warning,
            DiagnosticSeverity::Remark => Severity::Remark,
            DiagnosticSeverity::Note => Severity::Note,
        },
        location: diagnostic.location().to_string(),
        message: diagnostic.to_string(),
    });
    for index in 0..diagnostic.note_count() {
        if let Ok(note) = diagnostic.note(index) {
            collect(&note, sink);
        }
    }
}

/// `loc("-":3:5)` as `name:3:5`; other locations unchanged but for the `loc(...)` around them.
fn readable(location: &str, name: &str) -> String {
    let inner = location.strip_prefix("loc(").and_then(|l| l.strip_suffix(')')).unwrap_or(location);
    match inner.strip_prefix("\"-\":") {
        Some(position) => format!("{name}:{position}"),
        None => inner.to_owned(),
    }
}
