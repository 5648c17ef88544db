//! Tensor maps of a launch, with their numbers.

use crate::Error;
use crate::device::Address;
use crate::memory::RunMemory;
use artifact::{Launch, MapElement, Swizzle, ViewId};

/// A tensor map with everything evaluated and checked; see [`artifact::TensorMap`] for the meaning.
///
/// The address is that of the map's first element. Address and strides are multiples of 16, and the whole tensor lies in its
/// buffer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TensorMap {
    /// Where the tensor lies.
    pub address: Address,
    /// Its elements.
    pub element: MapElement,
    /// Elements along each axis, neighbors first; positive, but for an [empty](TensorMap::is_empty) one.
    pub sizes: Vec<u64>,
    /// Bytes along each axis but the first.
    pub strides: Vec<u64>,
    /// Elements of a tile along each axis.
    pub tile: Vec<u32>,
    /// How tiles lie in shared memory.
    pub swizzle: Swizzle,
    /// Bytes that the second cache fetches at once.
    pub promotion: u32,
}

/// Sizes are at most this, and strides less than that, in the hardware's format.
const MAX_SIZE: u64 = 1 << 32;
const STRIDE_END: u64 = 1 << 40;

impl TensorMap {
    /// Whether there is no element. A device cannot describe such a tensor; the kernel gets 128 zeros, which it must not use.
    pub fn is_empty(&self) -> bool {
        self.sizes.contains(&0)
    }

    /// Bytes from the first element to behind the last; `None` if there is no such number.
    fn extent(&self) -> Option<u64> {
        let row = self.sizes[0].checked_mul(self.element.bytes().into())?;
        let steps = self.sizes[1..].iter().zip(&self.strides);
        steps.map(|(size, stride)| (size - 1).checked_mul(*stride)).try_fold(row, |a, b| a.checked_add(b?))
    }

    /// What the hardware's format cannot hold, if anything.
    fn check(&self) -> Result<(), String> {
        let address = self.address.get();
        if !address.is_multiple_of(16) {
            return Err(format!("begins at {address:#x}, which is no multiple of 16"));
        }
        if let Some(size) = self.sizes.iter().find(|size| **size > MAX_SIZE) {
            return Err(format!("has {size} elements along an axis, more than {MAX_SIZE}"));
        }
        match self.strides.iter().find(|stride| !stride.is_multiple_of(16) || **stride >= STRIDE_END) {
            Some(stride) => {
                Err(format!("has a stride of {stride} bytes: it must be a multiple of 16 below {STRIDE_END}"))
            }
            None => Ok(()),
        }
    }
}

impl RunMemory<'_> {
    /// The tensor maps of a launch.
    pub(crate) fn maps(&mut self, launch: &Launch, out: &mut Vec<TensorMap>) -> Result<(), Error> {
        out.clear();
        for map in &launch.maps {
            let view = launch.args[map.arg as usize];
            let evaluated = self.map(map, view)?;
            out.push(evaluated);
        }
        Ok(())
    }

    fn map(&mut self, map: &artifact::TensorMap, view: ViewId) -> Result<TensorMap, Error> {
        let offset = self.size(map.offset)?;
        let numbers = |dims: &[artifact::DimId]| {
            dims.iter().map(|dim| self.size(*dim).map(|n| n as u64)).collect::<Result<Vec<u64>, Error>>()
        };
        let (sizes, strides) = (numbers(&map.sizes)?, numbers(&map.strides)?);
        let base = self.address(view)?;
        let artifact::TensorMap { element, ref tile, swizzle, promotion, .. } = *map;
        let found =
            TensorMap { address: base.offset(offset), element, sizes, strides, tile: tile.clone(), swizzle, promotion };
        if found.is_empty() {
            return Ok(found);
        }
        let wrong = |why: String| Error::Program(format!("the tensor map of {} {why}", self.prepared.describe(view)));
        found.check().map_err(&wrong)?;
        let (first, bytes) = self.buffer(view).unwrap_or((base, 0));
        let start = found.address.get().checked_sub(first.get());
        let end = start.and_then(|start| start.checked_add(found.extent()?));
        match end.filter(|end| *end <= bytes as u64) {
            Some(_) => Ok(found),
            None => Err(wrong(format!("leaves its buffer of {bytes} bytes"))),
        }
    }
}
