//! The header of an `.npy` file: a magic number, a length, and a Python dictionary as text.

use crate::{Error, invalid};
use tensor::DType;

const MAGIC: &[u8] = b"\x93NUMPY";

/// What a header says.
pub(crate) struct Header {
    pub(crate) shape: Vec<usize>,
    pub(crate) fortran: bool,
    pub(crate) layout: Layout,
    pub(crate) big_endian: bool,
}

/// The kind of elements.
pub(crate) enum Layout {
    /// One of NumPy's types.
    Typed(DType),
    /// So many bytes without a meaning.
    Raw(usize),
}

/// NumPy's name of an element type, if it has one.
pub(crate) fn descr(dtype: DType) -> Option<&'static str> {
    Some(match dtype {
        DType::Bool => "|b1",
        DType::I8 => "|i1",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::U8 => "|u1",
        DType::U16 => "<u2",
        DType::U32 => "<u4",
        DType::U64 => "<u8",
        DType::F16 => "<f2",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        _ => return None,
    })
}

/// The type under which elements are written, and its name.
pub(crate) fn stored_as(dtype: DType) -> (DType, &'static str) {
    match descr(dtype) {
        Some(name) => (dtype, name),
        None if dtype.is_signed_int() => (DType::I8, "|i1"),
        None if dtype.is_int() => (DType::U8, "|u1"),
        None => (DType::F32, "<f4"),
    }
}

/// The bytes before the data; their number is a multiple of 64, as NumPy makes it.
pub(crate) fn write(descr: &str, shape: &[usize]) -> Vec<u8> {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    let tuple = if shape.len() == 1 { format!("({},)", extents[0]) } else { format!("({})", extents.join(", ")) };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple}, }}");
    // The long form of the length serves any number of axes.
    let before = MAGIC.len() + 2 + 4;
    let total = (before + text.len() + 1).next_multiple_of(64);
    text.extend(std::iter::repeat_n(' ', total - before - text.len() - 1));
    text.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([2, 0]);
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

/// The header, and where the data starts.
pub(crate) fn read(file: &[u8]) -> Result<(Header, usize), Error> {
    let rest = file.strip_prefix(MAGIC).ok_or_else(|| invalid("it does not begin with the magic bytes"))?;
    let (len, rest) = match rest {
        [1, _, a, b, rest @ ..] => (u32::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]), rest),
        [major, ..] if !(1..=3).contains(major) => {
            return Err(invalid(format!("unknown version {major}")));
        }
        _ => return Err(invalid("it is cut short")),
    };
    let text = rest.get(..len as usize).ok_or_else(|| invalid("its header is cut short"))?;
    let text = std::str::from_utf8(text).map_err(|_| invalid("its header is not text"))?;
    let header = parse(text).ok_or_else(|| invalid(format!("cannot read the header `{}`", text.trim())))?;
    Ok((header, file.len() - rest.len() + len as usize))
}

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }` with its keys in any order.
fn parse(text: &str) -> Option<Header> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let (mut found, mut fortran, mut shape) = (None, None, None);
    while !rest.is_empty() {
        let (key, after) = quoted(rest)?;
        let value = after.trim_start().strip_prefix(':')?.trim_start();
        let after = match key {
            "descr" => {
                let (name, after) = quoted(value)?;
                found = Some(layout(name)?);
                after
            }
            "fortran_order" => {
                let (word, order) =
                    [("True", true), ("False", false)].into_iter().find(|(word, _)| value.starts_with(word))?;
                fortran = Some(order);
                &value[word.len()..]
            }
            "shape" => {
                let (inner, after) = value.strip_prefix('(')?.split_once(')')?;
                let extents = inner.split(',').map(str::trim).filter(|extent| !extent.is_empty());
                // Python 2 wrote long integers with an L.
                shape = Some(
                    extents.map(|extent| extent.trim_end_matches('L').parse().ok()).collect::<Option<Vec<usize>>>()?,
                );
                after
            }
            _ => return None,
        };
        rest = after.trim_start();
        rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    }
    let (layout, big_endian) = found?;
    Some(Header { shape: shape?, fortran: fortran?, layout, big_endian })
}

/// A string in quotes, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| *c == '\'' || *c == '"')?;
    text[1..].split_once(quote)
}

fn layout(name: &str) -> Option<(Layout, bool)> {
    let big_endian = name.starts_with('>');
    let code = name.trim_start_matches(['<', '>', '|', '=']);
    if let Some(size) = code.strip_prefix('V') {
        return Some((Layout::Raw(size.parse().ok()?), false));
    }
    let known = |dtype: &DType| descr(*dtype).is_some_and(|known| &known[1..] == code);
    DType::ALL.into_iter().find(known).map(|dtype| (Layout::Typed(dtype), big_endian))
}
