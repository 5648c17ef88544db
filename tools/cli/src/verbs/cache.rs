//! `tenfold cache`: what the cache of compiled kernels holds, and emptying it.

use crate::cache::State;
use crate::{Failure, output};
use clap::{Args, Subcommand};
use driver::Cache;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(crate) struct Verb {
    #[command(subcommand)]
    action: Action,
    /// The folder, in place of the one that the environment names
    #[arg(long, value_name = "DIR", global = true)]
    cache_dir: Option<PathBuf>,
    /// Print for a machine
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Action {
    /// Tell where it is and what it holds
    Info,
    /// Remove every kernel in it; other files in the folder stay
    Clear,
}

/// What is said where the environment switches the cache off.
pub(crate) const OFF: &str = "none: TENFOLD_CACHE_DIR is empty, or there is no home folder";

pub(crate) fn run(verb: &Verb) -> Result<(), Failure> {
    match verb.action {
        Action::Info => {
            let state = State::of(verb.cache_dir.clone());
            if verb.json {
                output::line(state.map_or(Value::Null, |state| state.json()));
            } else {
                output::line(state.map_or(OFF.into(), |state| state.text()));
            }
            Ok(())
        }
        Action::Clear => clear(verb),
    }
}

fn clear(verb: &Verb) -> Result<(), Failure> {
    let folder = verb.cache_dir.clone().or_else(Cache::default_folder);
    let folder = folder.filter(|folder| folder.try_exists().unwrap_or(true));
    let removed = match folder {
        Some(folder) => Cache::open(&folder, Cache::LIMIT).and_then(|cache| cache.clear())?,
        None => driver::CacheInfo::default(),
    };
    if verb.json {
        output::line(json!({"removed": removed.entries, "bytes": removed.bytes}));
    } else {
        output::line(format!(
            "removed {} kernels, {:.1} MiB",
            removed.entries,
            removed.bytes as f64 / f64::from(1 << 20)
        ));
    }
    Ok(())
}
