//! Weights in other files: which places a model may point to, and the access that the driver lends.

use crate::proto::StringStringEntryProto;
use bytes::Bytes;
use std::path::{Component, Path};

/// Access to the files beside a model. The importer opens nothing itself.
pub trait ExternalData {
    /// The bytes of a part of a file; to its end where `length` is `None`.
    /// `location` is a relative path that does not leave the model's folder by its text; links are the implementer's to check.
    fn read(&self, location: &str, offset: u64, length: Option<u64>) -> Result<Bytes, String>;
}

/// Whether a path stays inside the model's folder: relative, and without a step upwards.
pub fn is_inside(location: &str) -> bool {
    let windows_like = location.contains(['\\', ':', '\0']);
    !location.is_empty()
        && !windows_like
        && Path::new(location).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// The `needed` bytes that the entries of an `external_data` field point to.
pub(crate) fn read_external(
    entries: &[StringStringEntryProto],
    needed: usize,
    external: Option<&dyn ExternalData>,
) -> Result<Bytes, String> {
    let entry = |key: &str| entries.iter().find(|e| e.key == key).map(|e| e.value.as_str());
    let number = |key: &str| {
        entry(key)
            .map(|text| text.parse::<u64>().map_err(|_| format!("the external {key} `{text}` is not a number")))
            .transpose()
    };
    let location = entry("location").ok_or("external data without a location")?;
    if !is_inside(location) {
        return Err(format!("external data at `{location}`, which is not a relative path inside the model's folder"));
    }
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    if length.is_some_and(|length| length != needed as u64) {
        return Err(format!(
            "external data at `{location}` has {} bytes, but the tensor takes {needed}",
            length.unwrap_or(0)
        ));
    }
    let access = external.ok_or("external data is not at hand here")?;
    let bytes = access
        .read(location, offset, Some(needed as u64))
        .map_err(|e| format!("external data at `{location}`: {e}"))?;
    if bytes.len() != needed {
        return Err(format!(
            "external data at `{location}` from {offset} ends after {} of {needed} bytes",
            bytes.len()
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_inside_the_folder_pass() {
        for good in ["weights.bin", "a/b.bin", "./w", "w..bin"] {
            assert!(is_inside(good), "{good}");
        }
        for bad in ["", "/etc/passwd", "../w", "a/../../w", "a/..", "C:\\w", "..\\w", "\\\\host\\w", "a\0b"] {
            assert!(!is_inside(bad), "{bad}");
        }
    }

    #[test]
    fn entries_are_checked_before_anything_is_read() {
        let entries = |pairs: &[(&str, &str)]| -> Vec<StringStringEntryProto> {
            pairs.iter().map(|(k, v)| StringStringEntryProto { key: (*k).into(), value: (*v).into() }).collect()
        };
        struct Four;
        impl ExternalData for Four {
            fn read(&self, _: &str, _: u64, _: Option<u64>) -> Result<Bytes, String> {
                Ok(Bytes::from_static(&[0; 4]))
            }
        }
        let read = |pairs: &[(&str, &str)], n: usize| read_external(&entries(pairs), n, Some(&Four));
        assert_eq!(read(&[("location", "w")], 4).unwrap().len(), 4);
        assert!(read(&[("location", "w")], 8).unwrap_err().contains("ends after 4"));
        assert!(read(&[("location", "../w")], 4).unwrap_err().contains("inside"));
        assert!(read(&[("location", "w"), ("offset", "x")], 4).unwrap_err().contains("not a number"));
        assert!(read(&[("location", "w"), ("length", "9")], 4).unwrap_err().contains("9 bytes"));
        assert!(read(&[], 4).is_err());
    }
}
