//! Where each section, stub and slot of a blob lies.

use std::collections::BTreeMap;

use object::{Architecture, Object, ObjectSection, ObjectSymbol, SectionFlags, SectionIndex};

use super::HostCode;
use crate::error::Error;

/// Bytes kept for one stub, on every architecture.
const STUB: u64 = 16;
const SLOT: u64 = 8;
/// Cache line: loops are aligned to it.
const ALIGN: u64 = 64;
/// Code of this architecture addresses constants by page and offset in the page.
const AARCH64_PAGE: u64 = 4096;

/// The offsets of everything in a blob.
pub(super) struct Layout {
    sections: Vec<(SectionIndex, u64)>,
    imports: BTreeMap<String, u64>,
    stubs: u64,
    slots: u64,
    align: u64,
    architecture: Architecture,
}

impl Layout {
    pub(super) fn new(name: &str, file: &object::File<'_>) -> Result<Self, Error> {
        let architecture = file.architecture();
        let mut align = if architecture == Architecture::Aarch64 { AARCH64_PAGE } else { ALIGN };
        let mut sections = Vec::new();
        let mut end = 0u64;
        for section in file.sections() {
            if !is_kept(name, &section)? {
                continue;
            }
            align = align.max(section.align());
            end = end.next_multiple_of(section.align().max(1));
            sections.push((section.index(), end));
            end += section.size();
        }
        let imports = imports(name, file)?;
        let stubs = end.next_multiple_of(STUB);
        let slots = stubs + STUB * imports.len() as u64;
        Ok(Self { sections, imports, stubs, slots, align, architecture })
    }

    /// The kept sections with their offsets.
    pub(super) fn sections(&self) -> &[(SectionIndex, u64)] {
        &self.sections
    }

    /// Where a section starts, if it is kept.
    pub(super) fn base(&self, section: SectionIndex) -> Option<u64> {
        self.sections.iter().find(|(index, _)| *index == section).map(|(_, base)| *base)
    }

    /// The stub to call for an import.
    pub(super) fn stub(&self, import: &str) -> Option<u64> {
        self.imports.get(import).map(|index| self.stubs + STUB * index)
    }

    /// The slot with the address of an import.
    pub(super) fn slot(&self, import: &str) -> Option<u64> {
        self.imports.get(import).map(|index| self.slots + SLOT * index)
    }

    pub(super) fn align(&self) -> u32 {
        self.align as u32
    }

    pub(super) fn imports(&self) -> Vec<(String, u32)> {
        let slot = |index: &u64| (self.slots + SLOT * index) as u32;
        self.imports.iter().map(|(name, index)| (name.clone(), slot(index))).collect()
    }

    /// The blob before relocation: section contents, stubs, and slots of zeros.
    pub(super) fn image(&self, name: &str, file: &object::File<'_>) -> Result<Vec<u8>, Error> {
        let malformed = |message: String| Error::Object { name: name.to_owned(), message };
        let size = self.slots + SLOT * self.imports.len() as u64;
        if size > i32::MAX as u64 {
            return Err(malformed("code exceeds 2 GiB".into()));
        }
        let mut blob = vec![0u8; size as usize];
        for (index, base) in &self.sections {
            let data = file
                .section_by_index(*index)
                .and_then(|section| section.data())
                .map_err(|e| malformed(e.to_string()))?;
            blob[*base as usize..][..data.len()].copy_from_slice(data);
        }
        for index in self.imports.values() {
            let (stub, slot) = (self.stubs + STUB * index, self.slots + SLOT * index);
            let code = self.stub_code((slot - stub) as u32);
            blob[stub as usize..][..STUB as usize].copy_from_slice(&code);
        }
        Ok(blob)
    }

    /// A jump to the address in the slot `distance` bytes after the stub's start.
    fn stub_code(&self, distance: u32) -> [u8; STUB as usize] {
        let mut code = [0xCC; STUB as usize]; // int3: nothing may run past the jump
        if self.architecture == Architecture::Aarch64 {
            // ldr x16, [pc + distance]; br x16
            let load = 0x5800_0010 | (distance / 4) << 5;
            code[..4].copy_from_slice(&load.to_le_bytes());
            code[4..8].copy_from_slice(&0xD61F_0200u32.to_le_bytes());
        } else {
            // jmp *[rip + distance]; the displacement counts from the end of its 6 bytes
            code[..2].copy_from_slice(&[0xFF, 0x25]);
            code[2..6].copy_from_slice(&(distance - 6).to_le_bytes());
        }
        code
    }
}

/// Whether a section belongs into the blob; an error if it would have to, but cannot.
fn is_kept(name: &str, section: &object::Section<'_, '_>) -> Result<bool, Error> {
    let SectionFlags::Elf { sh_flags, .. } = section.flags() else {
        return Ok(false);
    };
    let is_allocated = sh_flags.contains(object::elf::SHF_ALLOC);
    let title = section.name().unwrap_or("?");
    // Nothing unwinds through kernels, so their unwind tables are of no use.
    if !is_allocated || section.size() == 0 || title == ".eh_frame" {
        return Ok(false);
    }
    let is_writable = sh_flags.contains(object::elf::SHF_WRITE);
    if is_writable || !(title.starts_with(".text") || title.starts_with(".rodata")) {
        return Err(Error::Section { name: name.to_owned(), section: title.to_owned() });
    }
    Ok(true)
}

/// The undefined symbols, numbered in order of name.
fn imports(name: &str, file: &object::File<'_>) -> Result<BTreeMap<String, u64>, Error> {
    let mut imports = BTreeMap::new();
    for symbol in file.symbols().filter(|s| s.is_undefined()) {
        let title = symbol.name().unwrap_or("?");
        if title.is_empty() {
            continue; // the null symbol
        }
        if !HostCode::is_import(title) {
            return Err(Error::Symbol { name: name.to_owned(), symbol: title.to_owned() });
        }
        imports.insert(title.to_owned(), 0);
    }
    for (index, value) in imports.values_mut().enumerate() {
        *value = index as u64;
    }
    Ok(imports)
}
