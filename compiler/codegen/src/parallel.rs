//! Many compiles on several threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use mlir::Session;

use crate::error::Error;
use crate::flatten::HostCode;
use crate::host::{host_code, host_text};
use crate::host_target::HostTarget;
use crate::ptx::ptx;
use crate::ptx_target::PtxTarget;
use crate::source::{Source, Stage};

/// [`host_code`] of every source, on up to `threads` threads; results in the order of the sources.
///
/// # Errors
/// The error of the first source, in order, that fails.
pub fn compile_host(sources: &[Source<'_>], target: &HostTarget, threads: usize) -> Result<Vec<HostCode>, Error> {
    in_order(sources, threads, |session, source| host_code(session, source, target))
}

/// [`ptx`] of every source, on up to `threads` threads; results in the order of the sources.
///
/// # Errors
/// The error of the first source, in order, that fails.
pub fn compile_ptx(sources: &[Source<'_>], target: &PtxTarget, threads: usize) -> Result<Vec<String>, Error> {
    in_order(sources, threads, |session, source| ptx(session, source, target))
}

/// The assembly text of every source, for reading; results in the order of the sources.
///
/// # Errors
/// The error of the first source, in order, that fails.
pub fn assembly(sources: &[Source<'_>], target: &HostTarget, threads: usize) -> Result<Vec<String>, Error> {
    in_order(sources, threads, |session, source| host_text(session, source, target, Stage::Assembly))
}

/// Sources are taken one by one, so that a slow one holds up only its own thread.
fn in_order<T: Send>(
    sources: &[Source<'_>],
    threads: usize,
    compile: impl Fn(&Session, Source<'_>) -> Result<T, Error> + Sync,
) -> Result<Vec<T>, Error> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(sources.len()));
    let work = || {
        let session = Session::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(source) = sources.get(index) else {
                break;
            };
            let result = compile(&session, *source);
            results.lock().unwrap_or_else(|e| e.into_inner()).push((index, result));
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.clamp(1, sources.len().max(1)) {
            scope.spawn(work);
        }
        if !sources.is_empty() {
            work();
        }
    });
    let mut results = results.into_inner().unwrap_or_else(|e| e.into_inner());
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
