//! Our own bugs: caught, and kept in a folder that can be attached to a report.

use crate::Failure;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;

/// Where and why the last panic happened.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Runs a command; a panic becomes a [`Failure::Bug`].
pub(crate) fn catch(command: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    std::panic::set_hook(Box::new(|info| {
        let backtrace = std::backtrace::Backtrace::force_capture();
        if let Ok(mut slot) = PANIC.lock() {
            // The first panic is the cause; others follow from it.
            slot.get_or_insert_with(|| format!("{info}\n{backtrace}"));
        }
    }));
    let result = catch_unwind(AssertUnwindSafe(command));
    result.unwrap_or_else(|payload| Err(Failure::Bug(format!("panic: {}", payload_text(&*payload)))))
}

/// The message of a panic.
pub(crate) fn payload_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}

/// Writes the folder; gives the message for the user, with its path.
pub(crate) fn write(message: &str) -> String {
    let panic = PANIC.lock().ok().and_then(|mut slot| slot.take());
    let mut report = format!("{}message: {message}\n", circumstances());
    if let Some(panic) = &panic {
        let _ = writeln!(report, "\n{panic}");
    }
    let first_line = message.lines().next().unwrap_or_default();
    let place = match store(&report) {
        Ok(path) => format!("reproducer: {}", path.display()),
        Err(why) => format!("no reproducer could be written ({why}); it would say:\n{report}"),
    };
    format!(
        "this is a bug of tenfold, not of your model: {first_line}\n{place}\nplease report it with that folder and, if you can, the model"
    )
}

/// The version, the command, and the files that it names.
pub(crate) fn circumstances() -> String {
    let arguments: Vec<String> = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let mut text = format!("tenfold {}\ncommand: {}\n", env!("CARGO_PKG_VERSION"), arguments.join(" "));
    let folder = std::env::current_dir().map(|path| path.display().to_string()).unwrap_or_default();
    let _ = writeln!(text, "folder: {folder}");
    for argument in arguments.iter().skip(1) {
        if let Ok(file) = std::fs::metadata(argument)
            && file.is_file()
        {
            let _ = writeln!(text, "file: {argument}: {} bytes", file.len());
        }
    }
    text
}

fn store(report: &str) -> std::io::Result<PathBuf> {
    let hash = blake3::hash(report.as_bytes()).to_hex();
    let folder = std::env::temp_dir().join(format!("tenfold-bug-{}", &hash[..12]));
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("report.txt"), report)?;
    Ok(folder)
}

/// Where the last panic happened, for a report of one line; forgets it.
pub(crate) fn take_place() -> String {
    let text = PANIC.lock().ok().and_then(|mut slot| slot.take()).unwrap_or_default();
    let place = text.lines().next().and_then(|line| line.strip_prefix("panicked at "));
    place.map_or("unknown place", |place| place.trim_end_matches(':')).to_string()
}
