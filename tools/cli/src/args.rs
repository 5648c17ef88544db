//! What can be asked for: the verbs and their flags. The words are an interface that others rely on.

use crate::cache::CacheArgs;
use crate::verbs;
use clap::{Args, Parser, Subcommand};
use driver::{Options, Phase, Target};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use tenfold_run::inputs::InputSpec;
use tenfold_run::{DeviceSpec, LimitArgs};
use tensor::Range;

/// Compiles ONNX models to machine code and PTX, and runs them.
#[derive(Parser)]
#[command(name = "tenfold", version, propagate_version = true, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    /// Say nothing but results and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Say more; twice for still more. TENFOLD_LOG sets it in detail
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Arguments {
    /// Whether this is a child of `tenfold test`, whose parent wants to see how it ends.
    pub(crate) fn is_test_worker(&self) -> bool {
        matches!(&self.verb, Verb::Test(verb) if verb.worker)
    }
}

const EXIT_CODES: &str = "Exit codes: 0 ok, 1 difference or failed test, 2 usage, 3 bad input, 4 unsupported, \
5 a bug of tenfold (with a reproducer's path), 6 device, 7 limit.";

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Compile a model to an artifact
    Compile(verbs::compile::Verb),
    /// Run a model or an artifact
    Run(verbs::run::Verb),
    /// Tell every part of a model that is not supported
    Check(verbs::check::Verb),
    /// Find the first value that differs from a reference
    Compare(verbs::compare::Verb),
    /// Measure a model or an artifact
    Bench(verbs::bench::Verb),
    /// Print what a phase makes
    Dump(verbs::dump::Verb),
    /// Print what an artifact holds
    Inspect(verbs::inspect::Verb),
    /// List the operators
    Ops(verbs::ops::Verb),
    /// Run cases in ONNX's test layout
    Test(verbs::test::Verb),
    /// Look at the cache of compiled kernels, or empty it
    Cache(verbs::cache::Verb),
    /// Tell what was found on this machine
    Doctor(verbs::doctor::Verb),
    /// Explain an error code
    Explain(verbs::explain::Verb),
    /// Print shell completions
    Completions(verbs::completions::Verb),
}

/// How a model is compiled; shared by all verbs that do.
#[derive(Args, Clone, Debug)]
pub(crate) struct CompileArgs {
    /// A dimension's value (NAME=4), or the range in which it stays a symbol (NAME=1..64, or NAME=0.. without an end),
    /// which every run checks. Of a dimension without one, code may assume that it is not 0; then runs check that
    #[arg(long = "dim", value_name = "NAME=N|NAME=A..B")]
    pub(crate) dims: Vec<DimSpec>,
    /// How results may be rounded: bitwise, strict, fast or relaxed
    #[arg(long, value_name = "CONTRACT", value_parser = parse_numerics)]
    pub(crate) numerics: Option<rewrite::Contract>,
    /// Threads of the compile and of the host device; by default one for each core
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Write what each phase makes into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) dump_dir: Option<PathBuf>,
    /// Leave large constants out of what is written to files, which --from then cannot read
    #[arg(long)]
    pub(crate) dump_elided: bool,
}

impl CompileArgs {
    /// Options without inputs.
    pub(crate) fn options(&self) -> Options {
        let mut options =
            Options { dump_dir: self.dump_dir.clone(), dump_constants: !self.dump_elided, ..Options::default() };
        if let Some(numerics) = self.numerics {
            options.numerics = numerics;
        }
        if let Some(threads) = self.threads {
            options.threads = threads.get();
        }
        for DimSpec { name, value } in &self.dims {
            match value {
                DimValue::Fixed(value) => _ = options.dims.insert(name.clone(), (*value).into()),
                DimValue::Range(range) => _ = options.ranges.insert(name.clone(), *range),
            }
        }
        options
    }

    /// The dimensions with a range.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (&str, Range)> {
        self.dims.iter().filter_map(|dim| match dim.value {
            DimValue::Range(range) => Some((dim.name.as_str(), range)),
            DimValue::Fixed(_) => None,
        })
    }

    /// The dimensions with a number.
    pub(crate) fn fixed_dims(&self) -> impl Iterator<Item = (&str, i64)> {
        self.dims.iter().filter_map(|dim| match dim.value {
            DimValue::Fixed(value) => Some((dim.name.as_str(), value)),
            DimValue::Range(_) => None,
        })
    }
}

/// Where inputs come from.
#[derive(Args, Clone, Debug)]
pub(crate) struct InputArgs {
    /// An input from a file: NAME=FILE.npy, NAME=FILE.npz, NAME=FILE.pb, or FILE.npz for all of them
    #[arg(long = "input", value_name = "NAME=FILE")]
    pub(crate) inputs: Vec<InputSpec>,
    /// Make up the inputs that are not given, from this seed
    #[arg(long, value_name = "SEED")]
    pub(crate) random_inputs: Option<u64>,
}

/// Where a model runs.
#[derive(Args, Clone, Debug)]
pub(crate) struct DeviceArgs {
    /// host, cuda, cuda:N, sim or sim:sm_NN (PTX on the processor). A device that is missing is an error
    #[arg(long, default_value = "host")]
    device: DeviceSpec,
    /// On sim: look for reads of what nobody wrote and for races
    #[arg(long)]
    sanitize: bool,
}

impl DeviceArgs {
    /// The device, with its checks on if they were asked for.
    pub(crate) fn spec(&self) -> Result<DeviceSpec, crate::Failure> {
        if self.sanitize { Ok(self.device.sanitized()?) } else { Ok(self.device) }
    }
}

/// A model or an artifact that runs, and everything that this needs: what `run`, `bench` and `compare` share.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunArgs {
    /// An ONNX model, compiled first, or an artifact. An artifact is code: run only what you trust
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) inputs: InputArgs,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) compile: CompileArgs,
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
}

/// `NAME=4` or `NAME=1..64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DimSpec {
    pub(crate) name: String,
    pub(crate) value: DimValue,
}

/// What is said of a dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DimValue {
    /// It is this number.
    Fixed(i64),
    /// It stays a symbol, of a value in this range.
    Range(Range),
}

impl std::str::FromStr for DimSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is not NAME=N, NAME=A..B or NAME=A.. with sizes that are not negative, the smaller first")
        };
        let size = |text: &str| text.parse::<i64>().ok().filter(|n| *n >= 0).ok_or_else(wrong);
        // Names may contain `=`, numbers never do.
        let (name, value) = text.rsplit_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
        let value = match value.split_once("..") {
            None => DimValue::Fixed(size(value)?),
            Some((from, to)) => {
                let low = size(from)?;
                let high = if to.is_empty() { None } else { Some(size(to)?) };
                match high {
                    Some(high) if high < low => return Err(wrong()),
                    Some(high) if high == low => DimValue::Fixed(low),
                    _ => DimValue::Range(Range { low, high }),
                }
            }
        };
        Ok(DimSpec { name: name.into(), value })
    }
}

/// A target by its name.
pub(crate) fn parse_target(text: &str) -> Result<Target, String> {
    text.parse().map_err(|e: driver::Error| e.to_string())
}

/// A phase by its name.
pub(crate) fn parse_phase(text: &str) -> Result<Phase, String> {
    let known = || Phase::ALL.map(Phase::name).join(", ");
    Phase::ALL.into_iter().find(|phase| phase.name() == text).ok_or_else(|| format!("a phase is one of {}", known()))
}

/// Targets in their order, each once.
pub(crate) fn distinct(targets: &[Target]) -> Vec<Target> {
    let mut distinct: Vec<Target> = vec![];
    for target in targets {
        if !distinct.contains(target) {
            distinct.push(target.clone());
        }
    }
    distinct
}

fn parse_numerics(text: &str) -> Result<rewrite::Contract, String> {
    text.parse::<rewrite::Contract>().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn dimensions() {
        let parse = |text: &str| text.parse::<DimSpec>().map(|dim| (dim.name, dim.value));
        assert_eq!(parse("N=4"), Ok(("N".into(), DimValue::Fixed(4))));
        assert_eq!(parse("a=b=1..64"), Ok(("a=b".into(), DimValue::Range(Range { low: 1, high: Some(64) }))));
        assert_eq!(parse("N=0.."), Ok(("N".into(), DimValue::Range(Range::SIZE))));
        assert_eq!(parse("N=3..3"), Ok(("N".into(), DimValue::Fixed(3))));
        for bad in ["N", "N=", "=4", "N=-1", "N=4..1", "N=..", "N=..4", "N=a..b", "N=1..x", "N=1...4", "N=x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn phases_and_targets() {
        assert_eq!(parse_phase("optimize"), Ok(Phase::Optimize));
        assert!(parse_phase("link").unwrap_err().contains("import, canonicalize"));
        assert!(parse_target("nvptx:sm_90a").is_ok() && parse_target("host").is_ok());
        assert!(parse_target("nvptx:sm_1").is_err());
    }
}
