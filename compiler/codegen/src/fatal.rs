//! Keeps LLVM's fatal errors from ending the process.
//!
//! LLVM reports an instruction that it cannot select, or a feature that a target lacks, by
//! `report_fatal_error`: it calls a handler and then ends the process. Nothing may unwind through
//! its frames, so there is no way back. Therefore the part of a compile that can meet such an error runs on a thread
//! of its own (`guarded`); the handler sends the message out and then parks that thread for ever. The
//! thread's memory (one LLVM context, some MiB) is the price of an error that only a bug in our own kernels causes.
//!
//! Errors that LLVM reports through its context (bad inline assembly, unsupported calls) need none of this:
//! the `llvm` module's diagnostic handler collects them.
//!
//! What cannot be caught: a crash inside LLVM (a null pointer, an endless recursion, a state that its
//! authors marked unreachable: release builds do not check), running out of memory, and fatal errors in
//! the MLIR half, which runs on the caller's thread.

use std::cell::RefCell;
use std::ffi::{CStr, c_char};
use std::sync::Once;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use inkwell::llvm_sys::error_handling::LLVMInstallFatalErrorHandler;

use crate::error::Error;

/// Instruction selection recurses over the code; LLVM's own tools run with 8 MiB.
const STACK: usize = 64 << 20;

/// Sends a message to whoever waits for the guarded thread.
type Tell = Box<dyn Fn(String)>;

thread_local! {
    /// Set on guarded threads: where the handler sends LLVM's last words.
    static LAST_WORDS: RefCell<Option<Tell>> = const { RefCell::new(None) };
}

/// Runs `job` on a thread of its own and waits; a fatal error of LLVM in it becomes [`Error::Fatal`].
pub(crate) fn guarded<T: Send + 'static>(
    name: &str,
    job: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    install_handler();
    let (sender, receiver) = channel();
    let thread = thread::Builder::new()
        .name("llvm".into())
        .stack_size(STACK)
        .spawn(move || run(job, sender))
        .map_err(|error| Error::Thread(error.to_string()))?;
    match receiver.recv() {
        Ok(Outcome::Done(result)) => {
            // Wait for the thread's end: its LLVM objects must be gone before the process may exit.
            let _ = thread.join();
            result
        }
        Ok(Outcome::Fatal(message)) => Err(Error::Fatal { name: name.to_owned(), message: explain(message) }),
        Err(_) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => Err(Error::Thread("the compile thread ended without a result".into())),
        },
    }
}

enum Outcome<T> {
    Done(Result<T, Error>),
    Fatal(String),
}

fn run<T: Send + 'static>(job: impl FnOnce() -> Result<T, Error>, sender: Sender<Outcome<T>>) {
    let dying = sender.clone();
    LAST_WORDS.set(Some(Box::new(move |message| {
        let _ = dying.send(Outcome::Fatal(message));
    })));
    let result = job();
    LAST_WORDS.set(None);
    // The receiver waits until it hears from us, so this cannot fail.
    let _ = sender.send(Outcome::Done(result));
}

/// Adds what the commonest message means.
fn explain(mut message: String) -> String {
    if message.contains("Cannot select") && message.contains("NVPTXISD::CALL") {
        message.push_str("\nA math function has no instruction on this target (without fast-math flags).");
    }
    message
}

fn install_handler() {
    static ONCE: Once = Once::new();
    // SAFETY: LLVM wants a handler that does not return and does not unwind. `on_fatal_error` parks for ever on
    // guarded threads; elsewhere it returns, after which LLVM ends the process as it would without us.
    ONCE.call_once(|| unsafe { LLVMInstallFatalErrorHandler(Some(on_fatal_error)) });
}

extern "C" fn on_fatal_error(reason: *const c_char) {
    // SAFETY: LLVM passes a NUL-terminated string that lives during the call.
    let message = unsafe { CStr::from_ptr(reason) }.to_string_lossy().into_owned();
    let told = LAST_WORDS.with(|words| match words.try_borrow() {
        Ok(words) => words.as_ref().map(|tell| tell(message)).is_some(),
        Err(_) => false,
    });
    if told {
        loop {
            thread::park();
        }
    }
}
