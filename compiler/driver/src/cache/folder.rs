//! The folder of a cache: who may write there, what lies in it, and writing so that nobody sees a part of a file.

use crate::Error;
use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// How the name of an entry ends.
pub(super) const ENDING: &str = ".code";

/// How the name of a file that is still written ends.
const PART: &str = ".part";

/// A file that is still being written after so long was given up.
pub(super) const ABANDONED: Duration = Duration::from_secs(3600);

/// An entry's last use is written down again only after so long.
const RECENT: Duration = Duration::from_secs(60);

/// Whose files are trusted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trust {
    user: u32,
}

impl Trust {
    pub(super) fn of_this_user() -> Trust {
        // SAFETY: the call has no arguments, touches no memory and cannot fail.
        Trust { user: unsafe { libc::geteuid() } }
    }

    #[cfg(test)]
    pub(super) fn of(user: u32) -> Trust {
        Trust { user }
    }

    /// What is wrong with the folder itself.
    fn fault(self, metadata: &Metadata) -> Option<String> {
        if !metadata.is_dir() {
            return Some("it is not a folder".into());
        }
        if metadata.uid() != self.user {
            return Some(format!("it belongs to the user with number {}, not {}", metadata.uid(), self.user));
        }
        (metadata.mode() & 0o022 != 0)
            .then(|| format!("others can write to it (mode {:03o}; `chmod go-w` it)", metadata.mode() & 0o777))
    }

    /// What is wrong with a folder above: who may rename what lies in it could put another folder in our place.
    fn fault_above(self, metadata: &Metadata) -> Option<String> {
        let is_sticky = metadata.mode() & 0o1000 != 0;
        if metadata.mode() & 0o002 != 0 && !is_sticky {
            return Some("everybody can rename what lies in it".into());
        }
        (metadata.uid() != self.user && metadata.uid() != 0)
            .then(|| format!("it belongs to the user with number {}", metadata.uid()))
    }
}

/// Makes the folder if need be, for its owner alone, and looks at who can write to it. Gives its path without links.
pub(super) fn prepare(folder: &Path, trust: Trust) -> Result<PathBuf, Error> {
    let fail = |e: std::io::Error| Error::File { verb: "use", path: folder.into(), reason: e.to_string() };
    let untrusted = |path: &Path, reason| Error::Untrusted { path: path.into(), reason };
    // A folder that exists is no error here.
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fail)?;
    let real = folder.canonicalize().map_err(fail)?;
    if let Some(reason) = trust.fault(&real.metadata().map_err(fail)?) {
        return Err(untrusted(&real, reason));
    }
    for above in real.ancestors().skip(1) {
        if let Some(reason) = trust.fault_above(&above.metadata().map_err(fail)?) {
            return Err(untrusted(above, reason));
        }
    }
    Ok(real)
}

/// An entry in the folder.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) used: SystemTime,
}

/// All entries. Files with other names are not ours.
pub(super) fn list(folder: &Path) -> Vec<Listed> {
    files(folder, |name| {
        let hash = name.strip_suffix(ENDING)?;
        (hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit())).then_some(())
    })
}

/// Removes what writers left that did not come to an end in this time.
pub(super) fn sweep(folder: &Path, age: Duration) {
    let is_part = |name: &str| (name.starts_with('.') && name.ends_with(PART)).then_some(());
    for part in files(folder, is_part) {
        if part.used.elapsed().is_ok_and(|passed| passed >= age) {
            // Another process may have been faster, or the folder be read-only; nothing depends on it.
            let _ = std::fs::remove_file(part.path);
        }
    }
}

fn files(folder: &Path, is_wanted: impl Fn(&str) -> Option<()>) -> Vec<Listed> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    let listed = entries.flatten().filter_map(|entry| {
        is_wanted(entry.file_name().to_str()?)?;
        // Does not follow links.
        let metadata = entry.metadata().ok().filter(Metadata::is_file)?;
        Some(Listed { path: entry.path(), bytes: metadata.len(), used: metadata.modified().ok()? })
    });
    listed.collect()
}

/// Opens an entry for reading, if it is a file of ours and no link.
pub(super) fn open_entry(path: &Path) -> Option<File> {
    // Without blocking: a pipe in the place of an entry would hold us up.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path).ok()?;
    let metadata = file.metadata().ok()?;
    let is_ours = metadata.uid() == Trust::of_this_user().user && metadata.mode() & 0o022 == 0;
    (metadata.is_file() && is_ours).then_some(file)
}

/// Writes down that an entry was used.
pub(super) fn touch(file: &File) {
    let now = SystemTime::now();
    let last = file.metadata().and_then(|metadata| metadata.modified());
    if last.is_ok_and(|last| now.duration_since(last).is_ok_and(|passed| passed > RECENT)) {
        // In a folder that is read-only nothing is dropped either.
        let _ = file.set_modified(now);
    }
}

/// Writes a file under another name and renames it.
pub(super) fn write_aside(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    // Machines that share the folder may have equal process numbers.
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let aside = folder.join(format!(".{name}.{}.{time}.{number}{PART}", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
        file.write_all(bytes)?;
        std::fs::rename(&aside, folder.join(name))
    };
    write().inspect_err(|_| {
        let _ = std::fs::remove_file(&aside);
    })
}
