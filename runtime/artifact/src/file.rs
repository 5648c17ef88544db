//! The bytes of an artifact.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | magic |
//! | 8 | 4 | format version |
//! | 12 | 4 | zero |
//! | 16 | 8 | length of the file |
//! | 24 | 3 x 48 | sections (structure, code, weights): offset, length, blake3 |
//! | 168 | 32 | blake3 of everything before |
//!
//! All numbers are little-endian; sections start at multiples of 64, the weights at a multiple of 4096. The structure is
//! in postcard form. Code and weights are concatenations of pieces, each at a multiple of 64 of its section; the structure
//! says where each lies. The hash of the weights section is that of no bytes: each weight has its own in the structure, so that
//! loading need not read them ([`verify_weights`](crate::Artifact::verify_weights) does).

use crate::{Artifact, Error, Manifest, Variant, Weight};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::io::Write;

/// The version of the format that this crate reads and writes.
pub const FORMAT_VERSION: u32 = 4;

/// The first bytes of every artifact. The last ones catch transfers in text mode.
pub const MAGIC: [u8; 8] = *b"TENFOLD\n";

const ALIGN: usize = 64;
const WEIGHTS_ALIGN: usize = 4096;
const SECTION_NAMES: [&str; 3] = ["structure", "code", "weights"];
const TABLE_AT: usize = 24;
const ENTRY: usize = 48;
const HASH_AT: usize = TABLE_AT + SECTION_NAMES.len() * ENTRY;
const HEADER: usize = HASH_AT + 32;

type Hash = [u8; 32];

#[derive(Serialize, Deserialize)]
struct Structure {
    manifest: Manifest,
    variants: Vec<Variant>,
    code: Vec<Piece>,
    weights: Vec<WeightEntry>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Piece {
    offset: u64,
    len: u64,
    hash: Hash,
}

#[derive(Serialize, Deserialize)]
struct WeightEntry {
    name: String,
    #[serde(with = "crate::dtype_text")]
    dtype: tensor::DType,
    piece: Piece,
}

#[derive(Clone, Copy, Default)]
struct Section {
    offset: usize,
    len: usize,
    hash: Hash,
}

/// Places pieces one after the other, aligned; gives the pieces and the total length.
fn layout<'a>(pieces: impl Iterator<Item = &'a Bytes>) -> (Vec<Piece>, usize) {
    let mut at = 0usize;
    let placed = pieces.map(|bytes| {
        let offset = at.next_multiple_of(ALIGN);
        at = offset + bytes.len();
        Piece { offset: offset as u64, len: bytes.len() as u64, hash: *blake3::hash(bytes).as_bytes() }
    });
    (placed.collect(), at)
}

/// Writes the artifact; returns its length.
pub(crate) fn write(artifact: &Artifact, out: &mut dyn Write) -> Result<u64, WriteError> {
    let (code, code_len) = layout(artifact.code.iter());
    let (weights, weights_len) = layout(artifact.weights.iter().map(|w| &w.data));
    let entry = |(w, piece): (&Weight, &Piece)| WeightEntry { name: w.name.clone(), dtype: w.dtype, piece: *piece };
    let structure = Structure {
        manifest: artifact.manifest.clone(),
        variants: artifact.variants.clone(),
        weights: artifact.weights.iter().zip(&weights).map(entry).collect(),
        code: code.clone(),
    };
    let structure = postcard::to_stdvec(&structure).map_err(|e| WriteError::Invalid(e.to_string()))?;

    let mut code_bytes = vec![0; code_len];
    for (bytes, piece) in artifact.code.iter().zip(&code) {
        code_bytes[piece.offset as usize..][..bytes.len()].copy_from_slice(bytes);
    }
    let section = |offset, bytes: &[u8]| Section { offset, len: bytes.len(), hash: *blake3::hash(bytes).as_bytes() };
    let structure_section = section(HEADER.next_multiple_of(ALIGN), &structure);
    let code_section = section((structure_section.offset + structure.len()).next_multiple_of(ALIGN), &code_bytes);
    let weights_at = (code_section.offset + code_len).next_multiple_of(WEIGHTS_ALIGN);
    let weights_section = Section { offset: weights_at, len: weights_len, hash: *blake3::hash(&[]).as_bytes() };
    let total = weights_at + weights_len;

    let mut out = Counted { out, at: 0 };
    out.put(0, &header([structure_section, code_section, weights_section], total as u64))?;
    out.put(structure_section.offset, &structure)?;
    out.put(code_section.offset, &code_bytes)?;
    for (weight, piece) in artifact.weights.iter().zip(&weights) {
        out.put(weights_at + piece.offset as usize, &weight.data)?;
    }
    out.put(total, &[])?;
    Ok(total as u64)
}

/// Why writing failed.
#[derive(Debug)]
pub(crate) enum WriteError {
    Io(std::io::Error),
    Invalid(String),
}

impl From<std::io::Error> for WriteError {
    fn from(e: std::io::Error) -> Self {
        WriteError::Io(e)
    }
}

/// A writer that knows where it is and fills gaps with zeros.
struct Counted<'a> {
    out: &'a mut dyn Write,
    at: usize,
}

impl Counted<'_> {
    fn put(&mut self, offset: usize, bytes: &[u8]) -> std::io::Result<()> {
        while self.at < offset {
            let n = (offset - self.at).min(WEIGHTS_ALIGN);
            self.out.write_all(&[0; WEIGHTS_ALIGN][..n])?;
            self.at += n;
        }
        self.out.write_all(bytes)?;
        self.at += bytes.len();
        Ok(())
    }
}

fn header(sections: [Section; 3], total: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER);
    header.extend(MAGIC);
    header.extend(FORMAT_VERSION.to_le_bytes());
    header.extend([0; 4]);
    header.extend(total.to_le_bytes());
    for section in sections {
        header.extend((section.offset as u64).to_le_bytes());
        header.extend((section.len as u64).to_le_bytes());
        header.extend(section.hash);
    }
    let hash = blake3::hash(&header);
    header.extend(hash.as_bytes());
    header
}

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// Checks magic, version, length and the header's hash; gives the section table.
fn read_header(file: &[u8]) -> Result<[Section; 3], Error> {
    let short = |expected: usize| Error::Truncated { expected: expected as u64, actual: file.len() as u64 };
    if !file.starts_with(&MAGIC[..file.len().min(MAGIC.len())]) {
        return Err(Error::NotAnArtifact);
    }
    let Some(version) = file.get(8..12) else {
        return Err(short(HEADER));
    };
    let found = u32::from_le_bytes([version[0], version[1], version[2], version[3]]);
    if found != FORMAT_VERSION {
        return Err(Error::Version { found, supported: FORMAT_VERSION });
    }
    if file.len() < HEADER {
        return Err(short(HEADER));
    }
    if blake3::hash(&file[..HASH_AT]).as_bytes() != &file[HASH_AT..HEADER] {
        return Err(Error::Damaged("header".into()));
    }
    let total = read_u64(file, 16);
    if total > file.len() as u64 {
        return Err(Error::Truncated { expected: total, actual: file.len() as u64 });
    }
    let mut sections = [Section::default(); 3];
    for (idx, section) in sections.iter_mut().enumerate() {
        let at = TABLE_AT + idx * ENTRY;
        let (offset, len) = (read_u64(file, at), read_u64(file, at + 8));
        if !offset.is_multiple_of(ALIGN as u64) || offset.checked_add(len).is_none_or(|end| end > total) {
            return Err(Error::Invalid(format!("section {} lies outside of the file", SECTION_NAMES[idx])));
        }
        section.offset = offset as usize;
        section.len = len as usize;
        section.hash.copy_from_slice(&file[at + 16..at + ENTRY]);
    }
    Ok(sections)
}

/// Reads an artifact; its code and weights share the file's bytes. The result is not validated yet.
pub(crate) fn read(file: &Bytes) -> Result<(Artifact, Vec<Hash>), Error> {
    let [structure, code, weights] = read_header(file)?.map(|s| (file.slice(s.offset..s.offset + s.len), s.hash));
    for ((bytes, hash), name) in [&structure, &code].into_iter().zip(SECTION_NAMES) {
        if blake3::hash(bytes).as_bytes() != hash {
            return Err(Error::Damaged(name.into()));
        }
    }
    let decoded: (Structure, &[u8]) = postcard::take_from_bytes(&structure.0)
        .map_err(|e| Error::Invalid(format!("the structure cannot be decoded: {e}")))?;
    let (parts, rest) = decoded;
    if !rest.is_empty() {
        return Err(Error::Invalid(format!("{} bytes follow the structure", rest.len())));
    }
    let code = parts.code.iter().map(|piece| cut(&code.0, piece, "code")).collect::<Result<_, _>>()?;
    let hashes = parts.weights.iter().map(|w| w.piece.hash).collect();
    let mut loaded = Vec::with_capacity(parts.weights.len());
    for entry in parts.weights {
        let data = cut(&weights.0, &entry.piece, "weights")?;
        loaded.push(Weight { name: entry.name, dtype: entry.dtype, data });
    }
    Ok((Artifact { manifest: parts.manifest, variants: parts.variants, code, weights: loaded }, hashes))
}

fn cut(section: &Bytes, piece: &Piece, name: &str) -> Result<Bytes, Error> {
    let end = piece.offset.checked_add(piece.len).filter(|end| *end <= section.len() as u64);
    match end {
        Some(end) if piece.offset.is_multiple_of(ALIGN as u64) => {
            Ok(section.slice(piece.offset as usize..end as usize))
        }
        _ => Err(Error::Invalid(format!("a piece of the {name} section is misplaced"))),
    }
}

/// The same bytes at an address that is a multiple of 64; copied only if they are not there already.
pub(crate) fn aligned(bytes: Bytes) -> Bytes {
    if (bytes.as_ptr() as usize).is_multiple_of(ALIGN) {
        return bytes;
    }
    let room = Bytes::from(vec![0u8; bytes.len() + ALIGN]);
    let start = (room.as_ptr() as usize).next_multiple_of(ALIGN) - room.as_ptr() as usize;
    let Ok(mut room) = room.try_into_mut() else {
        return bytes;
    };
    room[start..start + bytes.len()].copy_from_slice(&bytes);
    room.freeze().slice(start..start + bytes.len())
}
