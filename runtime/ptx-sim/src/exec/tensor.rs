//! Tensor maps, and which bytes a tile of a tensor is.

use super::{Warp, World, bad};
use crate::error::{Error, FaultKind, Trouble};
use crate::memory::number;

/// How 16-byte pieces of a tile are spread in shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swizzle {
    /// Not at all.
    None,
    /// Within 32 bytes.
    B32,
    /// Within 64 bytes.
    B64,
    /// Within 128 bytes.
    B128,
}

impl Swizzle {
    /// Where a byte of shared memory really lies: bits of the row within the pattern change those of the piece.
    pub(crate) fn apply(self, address: u64) -> u64 {
        let bits = match self {
            Swizzle::None => return address,
            Swizzle::B32 => 1,
            Swizzle::B64 => 2,
            Swizzle::B128 => 3,
        };
        address ^ ((address >> 7 & ((1 << bits) - 1)) << 4)
    }

    fn code(self) -> u8 {
        match self {
            Swizzle::None => 0,
            Swizzle::B32 => 1,
            Swizzle::B64 => 2,
            Swizzle::B128 => 3,
        }
    }

    fn span(self) -> u64 {
        match self {
            Swizzle::None => u64::MAX,
            Swizzle::B32 => 32,
            Swizzle::B64 => 64,
            Swizzle::B128 => 128,
        }
    }
}

/// What a tensor map says. The drivers' maps are opaque; the simulator has its own 128 bytes for the same content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorMap {
    /// Where the tensor lies in global memory, a multiple of 16.
    pub address: u64,
    /// Bytes of an element: 1, 2, 4 or 8.
    pub element: u8,
    /// Sizes, the one of neighbors first; one to five of them.
    pub sizes: Vec<u64>,
    /// Bytes from one to the next along each axis but the first; multiples of 16.
    pub strides: Vec<u64>,
    /// Sizes of a tile, at most 256 each.
    pub tile: Vec<u32>,
    /// How tiles lie in shared memory.
    pub swizzle: Swizzle,
    /// Whether elements, of 4 bytes, are `f32` that loads round to `tf32`.
    pub rounds: bool,
}

const MAGIC: [u8; 4] = *b"TmAp";

impl TensorMap {
    /// The map as a kernel gets it.
    ///
    /// # Errors
    /// What the driver would refuse.
    pub fn encode(&self) -> Result<[u8; 128], Error> {
        self.check().map_err(|why| Error::Launch(format!("tensor map: {why}")))?;
        let mut bytes = [0; 128];
        bytes[..4].copy_from_slice(&MAGIC);
        let codes = [self.sizes.len() as u8, self.element, self.swizzle.code(), u8::from(self.rounds)];
        bytes[4..8].copy_from_slice(&codes);
        bytes[8..16].copy_from_slice(&self.address.to_le_bytes());
        let mut put = |at: usize, values: &[u64]| {
            for (slot, value) in bytes[at..].chunks_exact_mut(8).zip(values) {
                slot.copy_from_slice(&value.to_le_bytes());
            }
        };
        put(16, &self.sizes);
        put(56, &self.strides);
        for (slot, value) in bytes[88..].chunks_exact_mut(4).zip(&self.tile) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
        Ok(bytes)
    }

    fn check(&self) -> Result<(), String> {
        let rank = self.sizes.len();
        if !(1..=5).contains(&rank) || self.strides.len() != rank - 1 || self.tile.len() != rank {
            return Err("one to five sizes, as many tile sizes, and one stride less".into());
        }
        if !matches!(self.element, 1 | 2 | 4 | 8) || !self.address.is_multiple_of(16) {
            return Err("an element of 1, 2, 4 or 8 bytes at a multiple of 16".into());
        }
        if self.strides.iter().any(|stride| !stride.is_multiple_of(16)) {
            return Err("strides are multiples of 16 bytes".into());
        }
        // The hardware's format has 32 bits for a size less one, and 36 for a stride in units of 16 bytes.
        if self.strides.iter().any(|stride| *stride >= 1 << 40) || self.sizes.iter().any(|size| *size > 1 << 32) {
            return Err("sizes are at most 2^32, and strides less than 2^40 bytes".into());
        }
        if self.rounds && self.element != 4 {
            return Err("only elements of 4 bytes are rounded".into());
        }
        if self.tile.iter().any(|size| !(1..=256).contains(size)) || self.sizes.contains(&0) {
            return Err("tile sizes are from 1 to 256, and sizes are positive".into());
        }
        let row = u64::from(self.tile[0]) * u64::from(self.element);
        if !row.is_multiple_of(16) || row > self.swizzle.span() {
            return Err(format!(
                "{row} bytes of the first axis of a tile: a multiple of 16 and at most the swizzle's span"
            ));
        }
        Ok(())
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let rank = usize::from(*bytes.get(4)?);
        if bytes.len() != 128 || bytes[..4] != MAGIC || !(1..=5).contains(&rank) {
            return None;
        }
        let word = |at: usize| crate::memory::number(&bytes[at..at + 8]);
        let swizzle = match bytes[6] {
            0 => Swizzle::None,
            1 => Swizzle::B32,
            2 => Swizzle::B64,
            3 => Swizzle::B128,
            _ => return None,
        };
        let map = TensorMap {
            address: word(8),
            element: bytes[5],
            sizes: (0..rank).map(|axis| word(16 + 8 * axis)).collect(),
            strides: (1..rank).map(|axis| word(48 + 8 * axis)).collect(),
            tile: (0..rank).map(|axis| crate::memory::number(&bytes[88 + 4 * axis..92 + 4 * axis]) as u32).collect(),
            swizzle,
            rounds: bytes[7] != 0,
        };
        map.check().ok().map(|()| map)
    }

    /// The map at an address of a kernel's memory.
    pub(super) fn fetch(
        warp: &Warp,
        place: &crate::code::Place,
        lane: usize,
        world: &World<'_>,
    ) -> Result<Self, Trouble> {
        use super::access::{Target, check_aligned, resolve};
        let target = resolve(warp, place, lane, world)?;
        check_aligned(target, 64, lane)?;
        let missing = || Trouble::new(FaultKind::OutOfBounds, lane, "there is no tensor map at the address");
        let bytes = match target {
            Target::Global(at) => world.heap.read(at, 128, lane)?,
            Target::Param(at) => {
                let at = at as usize;
                world.launch.params.get(at..at.saturating_add(128)).ok_or_else(missing)?
            }
            _ => return Err(bad(lane, "a tensor map lies in parameters or global memory")),
        };
        TensorMap::decode(bytes).ok_or_else(missing)
    }

    /// Bytes of a tile.
    pub(super) fn tile_bytes(&self) -> u64 {
        self.tile.iter().map(|size| u64::from(*size)).product::<u64>() * u64::from(self.element)
    }

    /// The elements of a tile: offset in shared memory, and address in global memory unless it lies beyond the tensor.
    /// Neighbors are joined up to 16 bytes.
    pub(super) fn pieces(&self, offset: u64, start: &[i32]) -> Vec<Piece> {
        let element = u64::from(self.element);
        let row = u64::from(self.tile[0]);
        let rows = self.tile_bytes() / (row * element);
        let mut pieces = vec![];
        for at in 0..rows {
            let mut rest = at;
            let mut address = Some(self.address);
            for (axis, start) in start.iter().enumerate().skip(1) {
                let size = u64::from(self.tile[axis]);
                let index = i64::from(*start) + (rest % size) as i64;
                rest /= size;
                let is_inside = (0..self.sizes[axis] as i64).contains(&index);
                address = address.filter(|_| is_inside).map(|address| address + index as u64 * self.strides[axis - 1]);
            }
            for column in 0..row {
                let index = i64::from(start[0]) + column as i64;
                let is_inside = (0..self.sizes[0] as i64).contains(&index);
                let global = address.filter(|_| is_inside).map(|address| address + index as u64 * element);
                let shared = self.swizzle.apply(offset + (at * row + column) * element);
                push(&mut pieces, Piece { shared, global, bytes: element as usize });
            }
        }
        pieces
    }
}

/// Bytes that are neighbors in both memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Offset in shared memory.
    pub(crate) shared: u64,
    /// Address in global memory; with none they are zero.
    pub(crate) global: Option<u64>,
    pub(crate) bytes: usize,
}

/// Adds a piece, or lengthens the last.
fn push(pieces: &mut Vec<Piece>, piece: Piece) {
    if let Some(last) = pieces.last_mut()
        && last.shared + last.bytes as u64 == piece.shared
        && !piece.shared.is_multiple_of(16)
        && last.global.map(|global| global + last.bytes as u64) == piece.global
    {
        last.bytes += piece.bytes;
        return;
    }
    pieces.push(piece);
}

/// Rounds every `f32` to the nearest `tf32`, ties to even; what is infinite or no number stays.
pub(super) fn round_to_tf32(data: &mut [u8]) {
    for bytes in data.chunks_exact_mut(4) {
        let bits = number(bytes) as u32;
        if f32::from_bits(bits).is_finite() {
            let rounded = bits + 0xfff + (bits >> 13 & 1);
            bytes.copy_from_slice(&(rounded & !0x1fff).to_le_bytes());
        }
    }
}
