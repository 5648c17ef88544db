//! `tenfold explain`: what an error code means, and what to do.

use crate::{Failure, output};
use clap::Args;
use diag::Code;

#[derive(Args, Debug)]
pub(crate) struct Verb {
    /// A code such as E1003; without one, all of them
    code: Option<String>,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    let Some(name) = &verb.code else {
        Code::ALL.iter().for_each(|code| output::line(format!("{}  {}", code.name(), text(*code).0)));
        return Ok(());
    };
    let found = Code::ALL.into_iter().find(|code| code.name().eq_ignore_ascii_case(name));
    let known = || Code::ALL.map(Code::name).join(", ");
    let code = found.ok_or_else(|| Failure::Usage(format!("there is no code `{name}`; known are {}", known())))?;
    let (meaning, way_out) = text(code);
    output::line(format!("{}: {meaning}\n\n{way_out}", code.name()));
    Ok(())
}

/// What a code means, and the way out.
fn text(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::BadFile => (
            "the file is not a readable model",
            "It is cut short, empty, of another format, or a pointer of Git LFS. Fetch or export it again.",
        ),
        Code::BadGraph => (
            "the model contradicts itself",
            "Its nodes form a cycle, use what nothing defines, or break a rule of the ONNX standard. `onnx.checker` finds most of these; the exporter has the fault.",
        ),
        Code::Unsupported => (
            "a part of the model is valid but not supported",
            "`tenfold check MODEL` lists all such parts at once, `tenfold ops` what is supported. Export with another opset, or replace the part.",
        ),
        Code::ExternalData => (
            "weights in another file cannot be had",
            "The file beside the model is missing or too short, or its path leads outside the model's folder, which is refused.",
        ),
        Code::NeedsConstant => (
            "a value must be known at compile time",
            "The shape of a tensor would depend on it. Freeze the input that it comes from (--freeze NAME=FILE), give a dimension a number (--dim NAME=N), or export the model with a constant there.",
        ),
        Code::Type => (
            "types or shapes do not fit an operator",
            "The message names the node and its operands. The model is wrong, or a dimension was given a number that does not fit.",
        ),
        Code::Syntax => ("the text of a graph cannot be parsed", "The message names line and column."),
        Code::Index => (
            "an index lies outside of the axis that it selects from",
            "The message names the node, the axis and its size, and the index. The model is wrong, or a dimension was given a number that is too small.",
        ),
        Code::Limit => (
            "a limit of size, time or depth is passed",
            "Models that a real exporter writes stay below all limits of the compiler; a hostile or broken file does not. The limits that a user sets (--memory-limit, --timeout) end in the same exit code 7.",
        ),
    }
}
