//! A kernel's tensor maps in the program.

use artifact::{MapElement, ProgramBuilder, Swizzle, TensorMap};
use lower::Kernel;

/// Bytes that the second cache fetches at once: tiles are read row by row, and rows are neighbors of what other blocks need.
const FETCH: u32 = 256;

/// The tensor maps of a launch of a kernel.
pub fn tensor_maps(b: &mut ProgramBuilder, kernel: &Kernel) -> Vec<TensorMap> {
    let place = |map: &lower::TensorMap| kernel.args.iter().position(|arg| arg.value == map.value);
    let maps = kernel.maps.iter().map(|map| TensorMap {
        // What is no argument is refused when the artifact is checked.
        arg: place(map).map_or(u32::MAX, |at| at as u32),
        offset: b.dim(&map.offset),
        element: match map.element {
            lower::MapElement::U8 => MapElement::U8,
            lower::MapElement::F16 => MapElement::F16,
            lower::MapElement::Bf16 => MapElement::Bf16,
            lower::MapElement::Tf32 => MapElement::Tf32,
        },
        sizes: map.sizes.iter().map(|dim| b.dim(dim)).collect(),
        strides: map.strides.iter().map(|dim| b.dim(dim)).collect(),
        tile: map.tile.clone(),
        swizzle: Swizzle::B128,
        promotion: FETCH,
    });
    maps.collect()
}
