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

/// Asked before each source whether to go on, and told how many are done.
pub type GoOn<'a> = &'a (dyn Fn(usize) -> bool + Sync);

/// [`host_code`] of every source, on up to `threads` threads; results in the order of the sources.
///
/// # Errors
/// The error of the first source, in order, that fails; [`Error::Stopped`] if `go_on` said no.
pub fn compile_host(
    sources: &[Source<'_>],
    target: &HostTarget,
    threads: usize,
    go_on: GoOn<'_>,
) -> Result<Vec<HostCode>, Error> {
    in_order(sources, threads, go_on, |session, source| host_code(session, source, target))
}

/// [`ptx`] of every source, on up to `threads` threads; results in the order of the sources.
///
/// # Errors
/// The error of the first source, in order, that fails; [`Error::Stopped`] if `go_on` said no.
pub fn compile_ptx(
    sources: &[Source<'_>],
    target: &PtxTarget,
    threads: usize,
    go_on: GoOn<'_>,
) -> Result<Vec<String>, Error> {
    in_order(sources, threads, go_on, |session, source| ptx(session, source, target))
}

/// The assembly text of every source, for reading; results in the order of the sources.
///
/// # Errors
/// The error of the first source, in order, that fails; [`Error::Stopped`] if `go_on` said no.
pub fn assembly(
    sources: &[Source<'_>],
    target: &HostTarget,
    threads: usize,
    go_on: GoOn<'_>,
) -> Result<Vec<String>, Error> {
    in_order(sources, threads, go_on, |session, source| host_text(session, source, target, Stage::Assembly))
}

/// Sources are taken one by one, so that a slow one holds up only its own thread.
fn in_order<T: Send>(
    sources: &[Source<'_>],
    threads: usize,
    go_on: GoOn<'_>,
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
            let done = results.lock().unwrap_or_else(|e| e.into_inner()).len();
            if !go_on(done) {
                break;
            }
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
    if results.len() < sources.len() {
        return Err(Error::Stopped { done: results.len(), of: sources.len() });
    }
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
