//! Crashes that no `catch_unwind` sees: signals by which LLVM, or the code that we made, ends a process.
//!
//! Everything that the handler needs is made beforehand, because almost nothing may be called in it.

use std::ffi::CString;
use std::sync::OnceLock;

/// What the handler writes, and where.
struct Prepared {
    folder: CString,
    file: CString,
    report: Vec<u8>,
    message: Vec<u8>,
}

static PREPARED: OnceLock<Prepared> = OnceLock::new();

/// The signals, with their names.
#[cfg(unix)]
const SIGNALS: [(libc::c_int, &[u8]); 5] = [
    (libc::SIGABRT, b"SIGABRT\n"),
    (libc::SIGSEGV, b"SIGSEGV\n"),
    (libc::SIGBUS, b"SIGBUS\n"),
    (libc::SIGILL, b"SIGILL\n"),
    (libc::SIGFPE, b"SIGFPE\n"),
];

/// From now on a crash ends with exit code 5, a message and a reproducer, of which `report` is the first part.
pub(crate) fn install(report: &str) {
    let hash = blake3::hash(report.as_bytes()).to_hex();
    let folder = std::env::temp_dir().join(format!("tenfold-bug-{}", &hash[..12]));
    let file = folder.join("report.txt");
    let message = format!(
        "error: this is a bug of tenfold, not of your model: the process crashed\nreproducer: {}\n\
         please report it with that folder and, if you can, the model\n",
        folder.display()
    );
    let text = |path: &std::path::Path| CString::new(path.to_string_lossy().into_owned());
    if let (Ok(folder), Ok(file)) = (text(&folder), text(&file)) {
        let report = format!("{report}crash: ").into_bytes();
        let prepared = Prepared { folder, file, report, message: message.into_bytes() };
        if PREPARED.set(prepared).is_ok() {
            catch_signals();
        }
    }
}

#[cfg(unix)]
fn catch_signals() {
    for (signal, _) in SIGNALS {
        // SAFETY: the action is zeroed memory with its fields set, which is how C makes one; `on_crash` lives for ever
        // and calls nothing but what POSIX allows in a handler.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_crash as extern "C" fn(libc::c_int) as libc::sighandler_t;
            // Rust gives its threads a stack for signals, so that an overflow of the other stack can be told.
            action.sa_flags = libc::SA_ONSTACK | libc::SA_RESETHAND;
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
    }
}

#[cfg(not(unix))]
fn catch_signals() {}

#[cfg(unix)]
extern "C" fn on_crash(signal: libc::c_int) {
    if let Some(Prepared { folder, file, report, message }) = PREPARED.get() {
        let name = SIGNALS.iter().find(|(known, _)| *known == signal).map_or(&b"unknown\n"[..], |(_, name)| name);
        // SAFETY: mkdir, open, write and close may be called in a signal handler; the strings end in zero and live for ever.
        unsafe {
            libc::mkdir(folder.as_ptr(), 0o777);
            let out = libc::open(file.as_ptr(), libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC, 0o666);
            if out >= 0 {
                put(out, report);
                put(out, name);
                libc::close(out);
            }
            put(libc::STDERR_FILENO, message);
        }
    }
    // SAFETY: ends the process at once, as nothing can be trusted any more.
    unsafe { libc::_exit(5) }
}

/// Writes what can be written.
///
/// # Safety
/// None beyond that of a system call; it is `unsafe` only because it makes one.
#[cfg(unix)]
unsafe fn put(out: libc::c_int, bytes: &[u8]) {
    // SAFETY: the pointer and the length are those of a slice.
    let _ = unsafe { libc::write(out, bytes.as_ptr().cast(), bytes.len()) };
}
