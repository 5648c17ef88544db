//! What a compile is asked for.

use crate::{Cache, Deadline, Observer, Target};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tensor::{Dim, Range, Tensor};

/// The steps of a compile, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The model's operators as the graph's.
    Import,
    /// Dead code, constants, normal forms.
    Canonicalize,
    /// Rewrites chosen by equality saturation.
    Optimize,
    /// Which nodes share kernels.
    Schedule,
    /// Kernels as MLIR text.
    Lower,
    /// Machine code and PTX.
    Emit,
    /// The artifact.
    Pack,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Phase; 7] =
        [Phase::Import, Phase::Canonicalize, Phase::Optimize, Phase::Schedule, Phase::Lower, Phase::Emit, Phase::Pack];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Import => "import",
            Phase::Canonicalize => "canonicalize",
            Phase::Optimize => "optimize",
            Phase::Schedule => "schedule",
            Phase::Lower => "lower",
            Phase::Emit => "emit",
            Phase::Pack => "pack",
        }
    }
}

/// What a compile is asked for. Every field is a flag of the command line, but for those that watch it.
#[derive(Clone, Debug)]
pub struct Options {
    /// What to compile for; several make one artifact that fits all of them.
    pub targets: Vec<Target>,
    /// Dimensions by their name in the model, replaced by numbers or other symbols.
    pub dims: BTreeMap<String, Dim>,
    /// Ranges of dimensions by their name in the model: they stay symbols, and a run checks them. Of a dimension without
    /// one, code may assume that it is at least 1; where it does, a run checks that too.
    pub ranges: BTreeMap<String, Range>,
    /// Shapes of inputs, in place of those that the model declares.
    pub shapes: BTreeMap<String, Vec<Dim>>,
    /// Inputs that are constants with these values; a run must be given the same.
    pub freeze: BTreeMap<String, Tensor>,
    /// Which liberties with rounding are allowed.
    pub numerics: rewrite::Contract,
    /// Whether equality saturation runs.
    pub optimize: bool,
    /// Where to write what each phase makes, in numbered files.
    pub dump_dir: Option<PathBuf>,
    /// Whether dumps hold large constants, beside the texts, so that the texts can be read back.
    pub dump_constants: bool,
    /// Threads of the compile.
    pub threads: usize,
    /// Where code of kernels is kept from one compile to the next; nowhere, if nothing is said.
    pub cache: Option<Cache>,
    /// When the compile gives up.
    pub deadline: Option<Deadline>,
    /// Who is told how far the compile is.
    pub observer: Observer,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            targets: vec![Target::host()],
            dims: BTreeMap::new(),
            ranges: BTreeMap::new(),
            shapes: BTreeMap::new(),
            freeze: BTreeMap::new(),
            numerics: rewrite::Contract::default(),
            optimize: true,
            dump_dir: None,
            dump_constants: true,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            cache: None,
            deadline: None,
            observer: Observer::default(),
        }
    }
}
