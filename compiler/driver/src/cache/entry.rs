//! The form of a file: a head with the key, the length and the checksum of the content, then the content.

use super::Key;
use std::fs::File;
use std::io::Read;

/// Changes with the form.
const MAGIC: &[u8; 8] = b"TFCACHE1";

/// Magic, key, length, checksum.
const HEAD: usize = 8 + 32 + 8 + 32;

/// No kernel is larger: a blob's offsets are 31 bits, and no real one is near that.
const LARGEST: u64 = 256 << 20;

/// The bytes of an entry.
pub(super) fn encode(key: &Key, content: &[u8]) -> Vec<u8> {
    [&head(key, content), content].concat()
}

/// The content of an entry, if the file is one, whole, unchanged, and of this key.
pub(super) fn read(file: &File, key: &Key) -> Option<Vec<u8>> {
    let size = file.metadata().ok()?.len();
    if !(HEAD as u64..=LARGEST).contains(&size) {
        return None;
    }
    let mut bytes = Vec::with_capacity(size as usize);
    file.take(size).read_to_end(&mut bytes).ok()?;
    decode(&bytes, key)
}

fn decode(bytes: &[u8], key: &Key) -> Option<Vec<u8>> {
    let (head, content) = bytes.split_at_checked(HEAD)?;
    (head == self::head(key, content)).then(|| content.to_vec())
}

/// Everything before the content.
fn head(key: &Key, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    // The key is in it too: an entry under a wrong name is none.
    let checksum = blake3::keyed_hash(&key.0, content);
    [&MAGIC[..], &key.0, &length, checksum.as_bytes()].concat()
}
