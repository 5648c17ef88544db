//! Relocations: writing the distance between two places into an instruction or table.

use object::elf;
use object::{Object, ObjectSymbol, Relocation, RelocationFlags, RelocationTarget};

use super::layout::Layout;
use crate::error::Error;

/// What a relocation refers to.
enum Referent {
    /// A place in the blob.
    Local(u64),
    /// An import, by name.
    Import(String),
}

/// Resolves one relocation at offset `place` of `blob`.
pub(super) fn apply(
    name: &str,
    file: &object::File<'_>,
    layout: &Layout,
    blob: &mut [u8],
    place: u64,
    relocation: &Relocation,
) -> Result<(), Error> {
    let fail = |what: String| Error::Relocation { name: name.to_owned(), what };
    let RelocationFlags::Elf { r_type } = relocation.flags() else {
        return Err(fail("a relocation that is not ELF's".into()));
    };
    let referent = referent(file, layout, relocation).map_err(fail)?;
    let fields = Fields { blob, place: place as usize, addend: relocation.addend() };
    let done = match file.architecture() {
        object::Architecture::X86_64 => x86_64(fields, layout, r_type, &referent),
        object::Architecture::Aarch64 => aarch64(fields, layout, r_type, &referent),
        _ => None,
    };
    done.ok_or_else(|| {
        let symbol = match referent {
            Referent::Local(offset) => format!("offset {offset:#x}"),
            Referent::Import(symbol) => format!("`{symbol}`"),
        };
        Error::Relocation {
            name: name.to_owned(),
            what: format!("relocation type {r_type} of {:?} to {symbol}", file.architecture()),
        }
    })
}

fn referent(file: &object::File<'_>, layout: &Layout, relocation: &Relocation) -> Result<Referent, String> {
    let RelocationTarget::Symbol(index) = relocation.target() else {
        return Err("a relocation without a symbol".into());
    };
    let symbol = file.symbol_by_index(index).map_err(|e| e.to_string())?;
    if symbol.is_undefined() {
        return Ok(Referent::Import(symbol.name().map_err(|e| e.to_string())?.to_owned()));
    }
    let base = symbol.section_index().and_then(|section| layout.base(section));
    let base = base.ok_or_else(|| format!("a reference to `{}`", symbol.name().unwrap_or("?")))?;
    Ok(Referent::Local(base + symbol.address()))
}

/// The bytes a relocation changes.
struct Fields<'a> {
    blob: &'a mut [u8],
    place: usize,
    addend: i64,
}

impl Fields<'_> {
    /// Target plus addend minus place.
    fn distance(&self, target: u64) -> i64 {
        target as i64 + self.addend - self.place as i64
    }

    fn write(&mut self, bytes: &[u8]) -> Option<()> {
        self.blob.get_mut(self.place..self.place + bytes.len())?.copy_from_slice(bytes);
        Some(())
    }

    fn write_i32(&mut self, value: i64) -> Option<()> {
        self.write(&i32::try_from(value).ok()?.to_le_bytes())
    }

    /// Replaces the bits of `mask` in the instruction.
    fn patch(&mut self, mask: u32, bits: u32) -> Option<()> {
        let old = self.blob.get(self.place..self.place + 4)?;
        let old = u32::from_le_bytes(old.try_into().ok()?);
        self.write(&(old & !mask | bits & mask).to_le_bytes())
    }
}

/// `None` for a type that does not fit a flat blob.
fn x86_64(mut fields: Fields<'_>, layout: &Layout, r_type: elf::RelocationType, to: &Referent) -> Option<()> {
    match (r_type, to) {
        (elf::R_X86_64_PC32 | elf::R_X86_64_PLT32, Referent::Local(target)) => {
            fields.write_i32(fields.distance(*target))
        }
        (elf::R_X86_64_PLT32, Referent::Import(symbol)) => fields.write_i32(fields.distance(layout.stub(symbol)?)),
        (elf::R_X86_64_GOTPCREL | elf::R_X86_64_GOTPCRELX | elf::R_X86_64_REX_GOTPCRELX, Referent::Import(symbol)) => {
            fields.write_i32(fields.distance(layout.slot(symbol)?))
        }
        (elf::R_X86_64_PC64, Referent::Local(target)) => {
            let distance = fields.distance(*target);
            fields.write(&distance.to_le_bytes())
        }
        _ => None,
    }
}

/// `None` for a type that does not fit a flat blob.
fn aarch64(mut fields: Fields<'_>, layout: &Layout, r_type: elf::RelocationType, to: &Referent) -> Option<()> {
    let target = match (r_type, to) {
        (_, Referent::Local(target)) => *target,
        (elf::R_AARCH64_CALL26 | elf::R_AARCH64_JUMP26, Referent::Import(symbol)) => layout.stub(symbol)?,
        _ => return None,
    };
    let address = (target as i64 + fields.addend) as u64;
    // A load of 2^n bytes counts its offset in the page in such units.
    let scaled = |n: u32| (((address & 0xFFF) >> n) as u32) << 10;
    match r_type {
        elf::R_AARCH64_CALL26 | elf::R_AARCH64_JUMP26 => {
            let words = fields.distance(target) >> 2;
            (-(1 << 25)..1 << 25).contains(&words).then_some(())?;
            fields.patch(0x03FF_FFFF, words as u32)
        }
        elf::R_AARCH64_ADR_PREL_PG_HI21 => {
            // The blob is aligned to a page, so pages of offsets are pages of addresses.
            let pages = (address >> 12) as i64 - (fields.place >> 12) as i64;
            (-(1 << 20)..1 << 20).contains(&pages).then_some(())?;
            let pages = pages as u32;
            fields.patch(0x60FF_FFE0, (pages & 3) << 29 | (pages >> 2 & 0x7_FFFF) << 5)
        }
        elf::R_AARCH64_ADD_ABS_LO12_NC | elf::R_AARCH64_LDST8_ABS_LO12_NC => fields.patch(0x3F_FC00, scaled(0)),
        elf::R_AARCH64_LDST16_ABS_LO12_NC => fields.patch(0x3F_FC00, scaled(1)),
        elf::R_AARCH64_LDST32_ABS_LO12_NC => fields.patch(0x3F_FC00, scaled(2)),
        elf::R_AARCH64_LDST64_ABS_LO12_NC => fields.patch(0x3F_FC00, scaled(3)),
        elf::R_AARCH64_LDST128_ABS_LO12_NC => fields.patch(0x3F_FC00, scaled(4)),
        elf::R_AARCH64_PREL32 => fields.write_i32(fields.distance(target)),
        _ => None,
    }
}
