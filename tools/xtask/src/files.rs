//! The files of the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Every file that git knows, or would take, relative to the root and sorted.
///
/// # Errors
/// When git fails.
pub fn listed() -> Result<Vec<String>, String> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let done = git.output().map_err(|e| format!("git: {e}"))?;
    if !done.status.success() {
        return Err(format!("git ls-files: {}", String::from_utf8_lossy(&done.stderr)));
    }
    let text = String::from_utf8_lossy(&done.stdout);
    // A file that was deleted and not yet committed is listed all the same.
    let mut files: Vec<String> = text.split('\0').filter(|f| root().join(f).is_file()).map(Into::into).collect();
    files.sort();
    files.dedup();
    Ok(files)
}

/// The Rust sources among them.
///
/// # Errors
/// When git fails.
pub fn rust() -> Result<Vec<String>, String> {
    Ok(listed()?.into_iter().filter(|file| file.ends_with(".rs")).collect())
}

/// The text of a file, named from the root.
///
/// # Errors
/// When it cannot be read as text.
pub fn read(file: &str) -> Result<String, String> {
    std::fs::read_to_string(root().join(file)).map_err(|e| format!("{file}: {e}"))
}
