//! Errors of code generation.

/// Why no machine code came out.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The MLIR half failed: parsing, a pass or the translation.
    #[error(transparent)]
    Mlir(#[from] mlir::MlirError),
    /// A target's text form is wrong, or LLVM does not know the target.
    #[error("unknown target `{target}`: {message}")]
    Target {
        /// The target as given.
        target: String,
        /// What is wrong with it.
        message: String,
    },
    /// LLVM refused the module and said why.
    #[error("LLVM failed on `{name}` ({step}): {message}")]
    Llvm {
        /// The name of the source.
        name: String,
        /// What LLVM was doing.
        step: &'static str,
        /// What it said.
        message: String,
    },
    /// LLVM met something it has no way to go on from; the compile was given up, the process lives.
    #[error("LLVM gave up on `{name}`: {message}")]
    Fatal {
        /// The name of the source.
        name: String,
        /// What it said.
        message: String,
    },
    /// The code needs a function that nobody provides.
    #[error("`{name}` uses the external symbol `{symbol}`, which is not provided at run time")]
    Symbol {
        /// The name of the source.
        name: String,
        /// The symbol.
        symbol: String,
    },
    /// The code needs writable or absolutely addressed data, which a flat blob cannot have.
    #[error("`{name}` has a section `{section}`, which position-independent code cannot hold")]
    Section {
        /// The name of the source.
        name: String,
        /// The section.
        section: String,
    },
    /// The object file has a relocation that flattening does not know.
    #[error("`{name}`: cannot resolve {what}")]
    Relocation {
        /// The name of the source.
        name: String,
        /// The relocation and its symbol.
        what: String,
    },
    /// The object file could not be read.
    #[error("`{name}`: malformed object file: {message}")]
    Object {
        /// The name of the source.
        name: String,
        /// What the reader said.
        message: String,
    },
    /// The caller said to stop.
    #[error("stopped after {done} of {of} kernels")]
    Stopped {
        /// Sources that were compiled.
        done: usize,
        /// Sources in all.
        of: usize,
    },
    /// The operating system would not start a thread.
    #[error("cannot start a compile thread: {0}")]
    Thread(String),
}
