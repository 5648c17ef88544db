//! Import functions, one file for each family of operators, each with its table of rows.

use crate::registry::Row;

mod elementwise;

/// The tables of all families.
pub(crate) const ALL: &[&[Row]] = &[elementwise::ROWS];
