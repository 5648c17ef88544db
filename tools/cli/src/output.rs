//! What is shown, and where: results on standard output, errors, notes and progress on standard error.

use crate::Failure;
use crate::args::Arguments;
use driver::Observer;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use tracing_subscriber::EnvFilter;

static QUIET: AtomicBool = AtomicBool::new(false);

/// Sets up logging and quietness.
pub(crate) fn set_up(arguments: &Arguments) {
    QUIET.store(arguments.quiet, Ordering::Relaxed);
    let level = match arguments.verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("TENFOLD_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call, as tests make it, keeps the first set-up.
    let _ = log.with_ansi(has_colors()).try_init();
}

fn has_colors() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes a line of the result. A reader that went away ends the command without a word, as it does for other tools.
pub(crate) fn line(text: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    if let Err(e) = writeln!(out, "{text}").and_then(|()| out.flush()) {
        if e.kind() == std::io::ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        eprintln!("error: cannot write the result: {e}");
        std::process::exit(3);
    }
}

/// Tells something that is not a result.
pub(crate) fn note(text: impl std::fmt::Display) {
    if !QUIET.load(Ordering::Relaxed) {
        eprintln!("{text}");
    }
}

/// Shows why the command failed.
pub(crate) fn report(failure: &Failure) {
    let text = failure.to_string();
    let word = if has_colors() { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
    match text.strip_prefix("error") {
        // Diagnostics carry the word and a code already.
        Some(rest) => eprintln!("{word}{rest}"),
        None => eprintln!("{word}: {text}"),
    }
}

/// A bar for long work; hidden where nobody watches.
pub(crate) fn progress(len: usize) -> ProgressBar {
    if QUIET.load(Ordering::Relaxed) || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(len as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar
}

/// Shows how far a compile is, until whoever holds the observer lets go of it; shows nothing where nobody watches.
pub(crate) fn watch_compile() -> Observer {
    if QUIET.load(Ordering::Relaxed) || !std::io::stderr().is_terminal() {
        return Observer::default();
    }
    let bar = ProgressBar::new(0).with_finish(ProgressFinish::AndClear);
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    let style = |template: &str| ProgressStyle::with_template(template).ok();
    let (open, counted) = (style("{spinner} {msg} {elapsed}"), style("{spinner} {msg} {bar:30} {pos}/{len} {elapsed}"));
    Observer::new(move |progress| {
        let known = progress.of > 0;
        if let Some(style) = if known { &counted } else { &open } {
            bar.set_style(style.clone());
        }
        bar.set_length(progress.of as u64);
        bar.set_position(progress.done as u64);
        bar.set_message(progress.phase.name());
    })
}

/// A sign of life for work without a known end; hidden where nobody watches.
pub(crate) fn spinner(what: &str) -> ProgressBar {
    if QUIET.load(Ordering::Relaxed) || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner().with_message(what.to_string()).with_finish(ProgressFinish::AndClear);
    spinner.enable_steady_tick(std::time::Duration::from_millis(100));
    spinner
}

/// Writes a file aside and renames it, so that nobody ever sees a part of it.
pub(crate) fn write_aside(path: &std::path::Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{}.part", std::process::id()));
    let written = std::fs::write(&aside, bytes).and_then(|()| std::fs::rename(&aside, path));
    written.map_err(|e| {
        // What is left of a failed attempt is of no use to anyone.
        let _ = std::fs::remove_file(&aside);
        Failure::Input(format!("cannot write `{}`: {e}", path.display()))
    })
}
