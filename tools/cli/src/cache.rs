//! The cache of compiled kernels: which one a command uses, and what there is to tell of it.

use crate::{Failure, output};
use clap::Args;
use driver::{Cache, CacheInfo, Report};
use serde_json::{Value, json};
use std::path::PathBuf;
use tenfold_run::limits::parse_size;

/// Where code of kernels is kept; shared by the verbs that make code.
#[derive(Args, Clone, Debug)]
pub(crate) struct CacheArgs {
    /// Keep code of kernels in this folder, and take it from there; by default TENFOLD_CACHE_DIR (empty: no cache), or
    /// `tenfold` in XDG_CACHE_HOME or ~/.cache. Only its owner may be able to write to it
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// Compile every kernel, and keep nothing
    #[arg(long, conflicts_with = "cache_dir")]
    no_cache: bool,
    /// What was not used for longest is dropped when the cache is larger than this; 2GiB if nothing is said
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    cache_limit: Option<usize>,
}

impl CacheArgs {
    /// The cache, if there is to be one. A folder that was asked for here must do; without another one there is a warning.
    pub(crate) fn open(&self) -> Result<Option<Cache>, Failure> {
        if self.no_cache {
            return Ok(None);
        }
        let limit = self.cache_limit.map_or(Cache::LIMIT, |limit| limit as u64);
        if let Some(folder) = &self.cache_dir {
            return Ok(Some(Cache::open(folder, limit)?));
        }
        let Some(folder) = Cache::default_folder() else { return Ok(None) };
        let opened = Cache::open(&folder, limit);
        Ok(opened.inspect_err(|e| output::note(format!("warning: {e}; going on without it"))).ok())
    }
}

/// Warns if nothing could be kept.
pub(crate) fn warn(report: &Report) {
    if let Some(problem) = &report.cache.problem {
        output::note(format!("warning: {problem}"));
    }
}

/// How many kernels were there, if a cache was used.
pub(crate) fn summary(report: &Report) -> Option<String> {
    let (hits, all) = (report.cache.hits, report.cache.hits + report.cache.misses);
    (all > 0).then(|| format!("{hits} of {all} kernels from the cache"))
}

/// What a folder holds.
pub(crate) struct State {
    folder: PathBuf,
    limit: u64,
    info: Result<CacheInfo, String>,
}

impl State {
    /// Looks at a folder, or else at the one that the environment names; `None` where there is to be no cache. Nothing
    /// is made.
    pub(crate) fn of(folder: Option<PathBuf>) -> Option<State> {
        let folder = folder.or_else(Cache::default_folder)?;
        let info = match folder.try_exists() {
            Ok(false) => Ok(CacheInfo::default()),
            _ => Cache::open(&folder, Cache::LIMIT).map(|cache| cache.info()).map_err(|e| e.to_string()),
        };
        Some(State { folder, limit: Cache::LIMIT, info })
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mb = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        match &self.info {
            Ok(CacheInfo { entries, bytes }) => format!(
                "{}: {entries} kernels, {:.1} MiB of at most {:.0} MiB",
                self.folder.display(),
                mb(*bytes),
                mb(self.limit)
            ),
            Err(why) => format!("not used: {why}"),
        }
    }

    /// For machines.
    pub(crate) fn json(&self) -> Value {
        let info = self.info.as_ref().ok();
        json!({
            "folder": self.folder.display().to_string(),
            "entries": info.map(|info| info.entries),
            "bytes": info.map(|info| info.bytes),
            "limit": self.limit,
            "problem": self.info.as_ref().err(),
        })
    }
}
