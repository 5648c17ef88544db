//! An object file as one flat blob that runs wherever it is mapped.
//!
//! Layout of the blob: the code, the constants, then one stub and one 8-byte slot per import. A call of an
//! import goes to its stub, which jumps through the slot; the loader writes the function's address
//! there before it makes the blob executable. All other references are relative to the program counter
//! and are resolved here.

mod layout;
mod reloc;

use object::{Object, ObjectSection, ObjectSymbol};

use crate::error::Error;
use layout::Layout;

/// Functions that code may import: memory, and the scalar functions of libm (double and float).
const MEMORY_IMPORTS: &[&str] = &["memcpy", "memmove", "memset", "memcmp", "bcmp"];
const MATH_IMPORTS: &[&str] = &[
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "copysign",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "exp10",
    "expm1",
    "floor",
    "fma",
    "fmax",
    "fmin",
    "fmod",
    "ldexp",
    "log",
    "log10",
    "log1p",
    "log2",
    "nearbyint",
    "pow",
    "rint",
    "round",
    "roundeven",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
];

/// Host machine code, free of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCode {
    /// Code, constants, stubs and import slots.
    pub blob: Vec<u8>,
    /// What the address of the blob must be a multiple of.
    pub align: u32,
    /// Every function that can be called, with the offset of its first instruction, in order of offset.
    pub entries: Vec<(String, u32)>,
    /// Every function that is needed, with the offset of the 8-byte slot for its address, in order of name.
    pub imports: Vec<(String, u32)>,
}

impl HostCode {
    /// The offset of a function.
    pub fn entry(&self, name: &str) -> Option<u32> {
        self.entries.iter().find(|(n, _)| n == name).map(|(_, offset)| *offset)
    }

    /// Whether `name` may stand in [`HostCode::imports`]: the whole of what a loader has to provide.
    pub fn is_import(name: &str) -> bool {
        let is_math = |n: &str| MATH_IMPORTS.contains(&n);
        MEMORY_IMPORTS.contains(&name) || is_math(name) || name.strip_suffix('f').is_some_and(is_math)
    }
}

/// Lays out the loadable sections of an ELF object and resolves its relocations.
pub(crate) fn flatten(name: &str, object: &[u8]) -> Result<HostCode, Error> {
    let malformed = |e: object::Error| Error::Object { name: name.to_owned(), message: e.to_string() };
    let file = object::File::parse(object).map_err(malformed)?;
    let layout = Layout::new(name, &file)?;
    let mut blob = layout.image(name, &file)?;
    for (section, base) in layout.sections() {
        let section = file.section_by_index(*section).map_err(malformed)?;
        for (offset, relocation) in section.relocations() {
            let place = base + offset;
            reloc::apply(name, &file, &layout, &mut blob, place, &relocation)?;
        }
    }
    Ok(HostCode { blob, align: layout.align(), entries: entries(&file, &layout), imports: layout.imports() })
}

fn entries(file: &object::File<'_>, layout: &Layout) -> Vec<(String, u32)> {
    let mut entries: Vec<(String, u32)> = file
        .symbols()
        .filter(|s| s.is_global() && s.is_definition() && s.kind() == object::SymbolKind::Text)
        .filter_map(|s| {
            let base = layout.base(s.section_index()?)?;
            Some((s.name().ok()?.to_owned(), u32::try_from(base + s.address()).ok()?))
        })
        .collect();
    entries.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    entries
}
