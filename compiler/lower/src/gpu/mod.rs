//! Kernels in which the threads of a block work together.
//!
//! Each template is a file with a constructor that says whether it takes a region, and a line in [`TEMPLATES`]; the first
//! that does is used. What none takes is computed element by element, one for each thread.

pub(crate) mod attention;
mod attention_groups;
mod blocks;
mod codes;
mod facts;
mod few;
mod form;
mod groups;
mod maps;
mod operands;
mod product;
mod rows;
mod span;
mod windows;

pub(crate) use facts::element_lanes;

use crate::context::Cx;
use crate::kernel::Recipe;
use kernels::gpu::Chip;

/// What a GPU kernel is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gpu {
    /// The architecture.
    pub chip: Chip,
    /// Whether the numerics contract permits approximate products of `f32` (`tf32`).
    pub approximate: bool,
    /// Whether the contract permits to round in other places, as the softmax of rows that are seen in tiles does.
    pub rerounds: bool,
    /// A schedule by its place in the space of a product's, in place of the one that should be fastest: for tuning and
    /// tests. Where there is no such place the product has no template.
    pub schedule: Option<usize>,
}

/// Makes a recipe for a region, if the template takes it. It may set the groups by which the region is addressed.
type Template = for<'a> fn(&mut Cx<'a>, Gpu) -> Option<Box<dyn Recipe + 'a>>;

/// All templates, the most special first.
const TEMPLATES: &[Template] = &[few::choose, product::choose, rows::choose];

/// The recipe of the first template that takes the region.
pub(crate) fn choose<'a>(cx: &mut Cx<'a>, gpu: Gpu) -> Option<Box<dyn Recipe + 'a>> {
    TEMPLATES.iter().find_map(|template| template(cx, gpu))
}
