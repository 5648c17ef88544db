//! Reading and writing artifacts.

use crate::file::{self, WriteError};
use crate::{Artifact, Error, validate};
use bytes::Bytes;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

impl Artifact {
    /// Maps a file and reads the artifact in it. Weights stay in the file until they are used, so the file must not be
    /// changed while the artifact is alive (writing aside and renaming, as [`Artifact::write`] does, is safe).
    pub fn open(path: &Path) -> Result<Artifact, Error> {
        let io = |e| Error::io("read", path, e);
        let file = File::open(path).map_err(io)?;
        let meta = file.metadata().map_err(io)?;
        if !meta.is_file() {
            return Err(io(std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a regular file")));
        }
        if meta.len() == 0 {
            return Artifact::decode(Bytes::new());
        }
        // SAFETY: the map is only read. The contract above forbids changing the file meanwhile; like every user of mapped
        // files we cannot enforce it.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(io)?;
        Artifact::decode(Bytes::from_owner(map))
    }

    /// Reads an artifact. Structure and code are verified; code and weights share the given bytes.
    pub fn decode(bytes: Bytes) -> Result<Artifact, Error> {
        let (artifact, _) = file::read(&file::aligned(bytes))?;
        validate::artifact(&artifact)?;
        Ok(artifact)
    }

    /// Reads the file again and compares every weight with its checksum.
    pub fn verify_weights(path: &Path) -> Result<(), Error> {
        let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
        let (artifact, hashes) = file::read(&Bytes::from(bytes))?;
        for (idx, (weight, hash)) in artifact.weights.iter().zip(hashes).enumerate() {
            if blake3::hash(&weight.data).as_bytes() != &hash {
                return Err(Error::Damaged(format!("weight {idx} (`{}`)", weight.name)));
            }
        }
        Ok(())
    }

    /// Checks what [`Artifact::decode`] checks: every index, every expression, the tree of blocks.
    pub fn check(&self) -> Result<(), Error> {
        validate::artifact(self)
    }

    /// The bytes of the artifact as a file. Fails if it is not valid.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        validate::artifact(self)?;
        let mut out = Vec::new();
        match file::write(self, &mut out) {
            Ok(_) => Ok(out),
            Err(WriteError::Io(e)) => Err(Error::Invalid(e.to_string())),
            Err(WriteError::Invalid(why)) => Err(Error::Invalid(why)),
        }
    }

    /// Writes the artifact to a file: aside first, then renamed, so that nobody ever sees a part of it.
    /// Returns the length of the file.
    pub fn write(&self, path: &Path) -> Result<u64, Error> {
        validate::artifact(self)?;
        let io = |e| Error::io("write", path, e);
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut aside = tempfile::Builder::new();
        aside.prefix(".tenfold-");
        #[cfg(unix)]
        aside.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let aside = aside.tempfile_in(folder).map_err(io)?;
        let mut out = BufWriter::new(aside.as_file());
        let len = match file::write(self, &mut out) {
            Ok(len) => len,
            Err(WriteError::Io(e)) => return Err(io(e)),
            Err(WriteError::Invalid(why)) => return Err(Error::Invalid(why)),
        };
        out.flush().map_err(io)?;
        drop(out);
        aside.persist(path).map_err(|e| io(e.error))?;
        Ok(len)
    }
}
