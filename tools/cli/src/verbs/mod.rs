//! One file for each verb: its flags, and what it does.

pub(crate) mod bench;
pub(crate) mod cache;
pub(crate) mod check;
pub(crate) mod compare;
pub(crate) mod compile;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod dump;
pub(crate) mod explain;
pub(crate) mod inspect;
pub(crate) mod ops;
pub(crate) mod run;
pub(crate) mod test;
