//! The workspace looks at itself: generated pages, walls between crates, tidy sources, sizes.
//!
//! # Invariants
//! - The pages under `docs/` that are generated equal what [`docs::pages`] makes; a test compares them.
//! - Every exception to a rule stands in a list in `tests/`, with its reason, and must be in use.
//! - Nothing here is linked into what users get.
//!
//! Start reading at [`docs::pages`], then `tests/walls.rs` and `tests/tidy.rs`.

pub mod crates;
pub mod docs;
pub mod files;
pub mod rust;
pub mod size;
