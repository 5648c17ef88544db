//! Reading models and the files beside them; writing dumps.

use crate::Error;
use bytes::Bytes;
use import_onnx::ExternalData;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Maps a file. An empty file is empty bytes.
pub(crate) fn map(path: &Path) -> Result<Bytes, Error> {
    let fail = |e: std::io::Error| Error::File { verb: "read", path: path.into(), reason: e.to_string() };
    let file = File::open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    if metadata.is_dir() {
        return Err(Error::File { verb: "read", path: path.into(), reason: "it is a folder".into() });
    }
    if metadata.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: the mapping is private to this process. A model that another process shortens while it is compiled
    // would end this one; mappings of weights are what keeps large models out of memory, and every tool does so.
    let mapped = unsafe { memmap2::Mmap::map(&file) }.map_err(fail)?;
    Ok(Bytes::from_owner(mapped))
}

/// The files beside a model.
pub(crate) struct Beside {
    folder: PathBuf,
}

impl Beside {
    pub(crate) fn new(model: &Path) -> Self {
        Beside { folder: model.parent().map(Path::to_path_buf).unwrap_or_default() }
    }
}

impl ExternalData for Beside {
    fn read(&self, location: &str, offset: u64, length: Option<u64>) -> Result<Bytes, String> {
        let folder = if self.folder.as_os_str().is_empty() { Path::new(".") } else { &self.folder };
        let path = folder.join(location);
        let real = path.canonicalize().map_err(|e| e.to_string())?;
        let root = folder.canonicalize().map_err(|e| e.to_string())?;
        // Caches of model hubs keep a folder of links to blobs beside it: a link in the folder itself is trusted as
        // far as the folder is; a path that climbs out of it by a linked folder is not.
        let link_of_own = path.parent().and_then(|p| p.canonicalize().ok()).is_some_and(|p| p.starts_with(&root));
        if !real.starts_with(&root) && !link_of_own {
            return Err("it lies outside the model's folder".into());
        }
        let bytes = map(&real).map_err(|e| e.to_string())?;
        let start = usize::try_from(offset).ok().filter(|start| *start <= bytes.len());
        let start = start.ok_or_else(|| format!("it has {} bytes, fewer than the offset {offset}", bytes.len()))?;
        let end = match length {
            None => Some(bytes.len()),
            Some(n) => usize::try_from(n).ok().and_then(|n| start.checked_add(n)).filter(|end| *end <= bytes.len()),
        };
        let end = end.ok_or_else(|| format!("it has {} bytes, too few for the tensor", bytes.len()))?;
        Ok(bytes.slice(start..end))
    }
}

/// Writes one numbered file of a dump, if one is asked for.
pub(crate) fn dump(folder: Option<&Path>, name: &str, text: &str) -> Result<(), Error> {
    let Some(folder) = folder else { return Ok(()) };
    let path = folder.join(name);
    let write = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text));
    write.map_err(|e| Error::File { verb: "write", path, reason: e.to_string() })
}
