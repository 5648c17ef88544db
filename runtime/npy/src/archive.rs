//! `.npz`: a zip of `.npy` files.

use crate::Error;
use bytes::Bytes;
use std::io::{Cursor, Read, Seek, Write};
use std::path::Path;
use tensor::Tensor;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

fn invalid(e: impl std::fmt::Display) -> Error {
    Error::Invalid { kind: "npz", why: e.to_string() }
}

/// The members of an `.npz` file with their names (without `.npy`), in order; each is for [`read`](crate::read()).
pub fn read_npz(file: &Bytes) -> Result<Vec<(String, Bytes)>, Error> {
    let mut archive = ZipArchive::new(Cursor::new(file.clone())).map_err(invalid)?;
    let mut members = Vec::with_capacity(archive.len());
    for idx in 0..archive.len() {
        let mut member = archive.by_index(idx).map_err(invalid)?;
        let name = member.name().map_err(invalid)?.into_owned();
        let mut data = Vec::new();
        member.read_to_end(&mut data).map_err(invalid)?;
        members.push((name.strip_suffix(".npy").unwrap_or(&name).to_string(), Bytes::from(data)));
    }
    Ok(members)
}

/// Writes an `.npz` file, uncompressed, as NumPy's `savez` does. The same tensors give the same bytes.
pub fn write_npz<'a>(
    items: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    out: impl Write + Seek,
) -> Result<(), Error> {
    let mut archive = ZipWriter::new(out);
    for (name, tensor) in items {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::default())
            .large_file(tensor.bytes().len() > 1 << 30);
        archive.start_file(format!("{name}.npy"), options).map_err(invalid)?;
        crate::write(tensor, &mut archive)?;
    }
    archive.finish().map_err(invalid)?.flush()?;
    Ok(())
}

/// Writes an `.npz` file aside and renames it, so that nobody ever sees a part of it.
pub fn save_npz<'a>(path: &Path, items: impl IntoIterator<Item = (&'a str, &'a Tensor)>) -> Result<(), Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut aside = tempfile::Builder::new();
    aside.prefix(".tenfold-");
    #[cfg(unix)]
    aside.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut aside = aside.tempfile_in(folder)?;
    write_npz(items, std::io::BufWriter::new(aside.as_file_mut()))?;
    aside.persist(path).map_err(|e| e.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_round_trip_and_replace_files() {
        let a = Tensor::from_vec(vec![2], vec![1i64, 2]);
        let b = Tensor::from_vec(vec![1, 1], vec![0.5f32]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.npz");
        std::fs::write(&path, "old").unwrap();
        save_npz(&path, [("a", &a), ("deep/b", &b)]).unwrap();
        let bytes = Bytes::from(std::fs::read(&path).unwrap());
        let members = read_npz(&bytes).unwrap();
        let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "deep/b"]);
        assert_eq!(crate::read(&members[0].1, None).unwrap(), a);
        assert_eq!(crate::read(&members[1].1, None).unwrap(), b);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        for len in 0..bytes.len() {
            assert!(read_npz(&bytes.slice(..len)).is_err(), "{len}");
        }
        assert!(save_npz(&folder.path().join("no/where.npz"), [("a", &a)]).is_err());
    }
}
