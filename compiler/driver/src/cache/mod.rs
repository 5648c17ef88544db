//! Compiled kernels kept on disk, so that a second process finds what a first one made.
//!
//! An entry is named by a hash of all that its content depends on: the text of the kernel, the target, LLVM's version and
//! the sources of this compiler. So nothing is ever out of date; what no compiler asks for any more is the first to go
//! when room is needed. What an entry holds is machine code that will run, so it is taken only from a folder that nobody
//! but its owner can write to, and only if its checksum is right. Any other entry is as if it did not exist.
//!
//! Start reading at [`Cache::read`] and [`Cache::write`]; `entry.rs` has the form of files, `folder.rs` whom to trust.

mod codec;
mod entry;
mod folder;
mod kernels;

pub(crate) use kernels::through;

use crate::{Error, Target};
use folder::{Listed, Trust};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A hash of all that an entry depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key([u8; 32]);

impl Key {
    /// The key of the code of a kernel.
    pub(crate) fn of_kernel(target: &Target, text: &str) -> Key {
        let (major, minor, patch) = codegen::llvm_version();
        Key::of(env!("TENFOLD_BUILD_ID"), &format!("{major}.{minor}.{patch}"), &target.name(), text)
    }

    fn of(build: &str, llvm: &str, target: &str, text: &str) -> Key {
        let mut hasher = blake3::Hasher::new_derive_key("tenfold kernel code");
        for part in [build, llvm, target, text] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        Key(*hasher.finalize().as_bytes())
    }

    fn file_name(&self) -> String {
        format!("{}{}", blake3::Hash::from_bytes(self.0).to_hex(), folder::ENDING)
    }
}

/// A folder of compiled kernels that processes share.
///
/// Clones are the same cache. Any number of threads and processes may use it at a time.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    limit: u64,
    /// The first thing that went wrong when an entry was written.
    problem: Mutex<Option<String>>,
}

/// What a cache holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheInfo {
    /// Kernels.
    pub entries: usize,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl Cache {
    /// Bytes that a cache may take if nothing else is said: 2 GiB.
    pub const LIMIT: u64 = 2 << 30;

    /// The folder by the environment: `TENFOLD_CACHE_DIR`, where nothing in it means no cache, else `tenfold` in
    /// `XDG_CACHE_HOME`, else in `.cache` in the user's home.
    pub fn default_folder() -> Option<PathBuf> {
        default_folder(|name| std::env::var_os(name).map(PathBuf::from))
    }

    /// Uses a folder, which is made if it does not exist; entries are dropped when they take more than `limit` bytes.
    ///
    /// # Errors
    /// [`Error::File`] if the folder cannot be made, [`Error::Untrusted`] if it belongs to another user or can be written to by others.
    pub fn open(folder: &Path, limit: u64) -> Result<Cache, Error> {
        let folder = folder::prepare(folder, Trust::of_this_user())?;
        Ok(Cache(Arc::new(Inner { folder, limit, problem: Mutex::default() })))
    }

    /// The folder, without links.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// Bytes that it may take.
    pub fn limit(&self) -> u64 {
        self.0.limit
    }

    /// What it holds.
    pub fn info(&self) -> CacheInfo {
        let entries = folder::list(&self.0.folder);
        CacheInfo { entries: entries.len(), bytes: entries.iter().map(|entry| entry.bytes).sum() }
    }

    /// Removes every entry and what interrupted writers left; other files stay. Returns what was removed.
    ///
    /// # Errors
    /// [`Error::File`] for the first entry that cannot be removed.
    pub fn clear(&self) -> Result<CacheInfo, Error> {
        let mut removed = CacheInfo::default();
        for entry in folder::list(&self.0.folder) {
            match std::fs::remove_file(&entry.path) {
                Ok(()) => {
                    removed.entries += 1;
                    removed.bytes += entry.bytes;
                }
                // Another process was faster.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(Error::File { verb: "remove", path: entry.path, reason: e.to_string() }),
            }
        }
        folder::sweep(&self.0.folder, std::time::Duration::ZERO);
        Ok(removed)
    }

    /// The content of an entry; `None` if there is none that can be trusted.
    fn read(&self, key: &Key) -> Option<Vec<u8>> {
        let file = folder::open_entry(&self.0.folder.join(key.file_name()))?;
        let content = entry::read(&file, key)?;
        folder::touch(&file);
        Some(content)
    }

    /// Keeps an entry in the place of any that is there. What goes wrong costs nothing but a later compile, so it is only
    /// remembered; after the first time nothing more is tried.
    fn write(&self, key: &Key, content: &[u8]) {
        let mut problem = self.0.problem.lock().unwrap_or_else(|e| e.into_inner());
        if problem.is_none()
            && let Err(e) = folder::write_aside(&self.0.folder, &key.file_name(), &entry::encode(key, content))
        {
            *problem = Some(format!("nothing can be kept in the cache folder {}: {e}", self.0.folder.display()));
        }
    }

    /// Drops the entries that were not used for longest until the rest fits.
    fn trim(&self) {
        let mut entries = folder::list(&self.0.folder);
        let mut bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
        if bytes <= self.0.limit {
            return;
        }
        entries.sort_by(|a: &Listed, b| (a.used, &a.path).cmp(&(b.used, &b.path)));
        // A little more than necessary, so that the next entry does not bring us here again.
        let goal = self.0.limit / 10 * 9;
        for entry in entries {
            if bytes <= goal {
                break;
            }
            if std::fs::remove_file(&entry.path).is_ok() {
                bytes -= entry.bytes;
            }
        }
        folder::sweep(&self.0.folder, folder::ABANDONED);
    }

    /// What went wrong when entries were written.
    pub(crate) fn problem(&self) -> Option<String> {
        self.0.problem.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }
}

fn default_folder(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    if let Some(folder) = variable("TENFOLD_CACHE_DIR") {
        return Some(folder).filter(|folder| !folder.as_os_str().is_empty());
    }
    // The standard says to ignore paths that are not absolute.
    let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join("tenfold"))
}

#[cfg(test)]
mod tests;
