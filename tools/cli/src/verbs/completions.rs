//! `tenfold completions`: scripts that complete the command line in a shell.

use crate::Failure;
use crate::args::Arguments;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

#[derive(Args, Debug)]
pub(crate) struct Verb {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(verb.shell, &mut Arguments::command(), "tenfold", &mut script);
    crate::output::line(String::from_utf8_lossy(&script).trim_end());
    Ok(())
}
