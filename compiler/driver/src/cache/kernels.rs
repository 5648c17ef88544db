//! Compiling only what the cache does not hold.

use super::codec::Payload;
use super::{Cache, Key};
use crate::{CacheUse, Target};
use codegen::Source;

/// The code of every source, in order: from the cache where it is there, else by `compile`, whose results are then kept.
pub(crate) fn through<T: Payload>(
    cache: Option<&Cache>,
    used: &mut CacheUse,
    target: &Target,
    sources: &[Source<'_>],
    compile: impl FnOnce(&[Source<'_>]) -> Result<Vec<T>, codegen::Error>,
) -> Result<Vec<T>, codegen::Error> {
    let Some(cache) = cache else { return compile(sources) };
    let keys: Vec<Key> = sources.iter().map(|source| Key::of_kernel(target, source.text)).collect();
    let found: Vec<Option<T>> = keys.iter().map(|key| T::decode(&cache.read(key)?)).collect();
    let is_missing = |at: &usize| found[*at].is_none();
    let missing: Vec<usize> = (0..sources.len()).filter(is_missing).collect();
    used.hits += sources.len() - missing.len();
    used.misses += missing.len();
    let made =
        if missing.is_empty() { vec![] } else { compile(&missing.iter().map(|at| sources[*at]).collect::<Vec<_>>())? };
    for (at, code) in missing.iter().zip(&made) {
        cache.write(&keys[*at], &code.encode());
    }
    if !made.is_empty() {
        cache.trim();
    }
    used.problem = used.problem.take().or_else(|| cache.problem());
    let mut made = made.into_iter();
    Ok(found.into_iter().filter_map(|code| code.or_else(|| made.next())).collect())
}
