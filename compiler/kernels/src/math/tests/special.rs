//! Special values.
