//! The table of GPU targets.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// A GPU architecture with the PTX version that its code is written in.
///
/// The version is the lowest that has what the kernels use there, so that old drivers can load the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PtxTarget {
    name: &'static str,
    sm: u32,
    ptx: u32,
}

/// All known targets. A target with an `a` runs on that architecture alone; the others also on later ones.
const TARGETS: &[PtxTarget] = &[
    target("sm_75", 75, 78),
    target("sm_80", 80, 78),
    target("sm_86", 86, 78),
    target("sm_89", 89, 84),
    target("sm_90", 90, 84),
    target("sm_90a", 90, 84),
    target("sm_100", 100, 87),
    target("sm_100a", 100, 87),
    target("sm_120", 120, 87),
];

const fn target(name: &'static str, sm: u32, ptx: u32) -> PtxTarget {
    PtxTarget { name, sm, ptx }
}

impl PtxTarget {
    /// Every target, oldest first.
    pub fn all() -> &'static [Self] {
        TARGETS
    }

    /// The name as in PTX's `.target`: `sm_90a`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The compute capability times ten: 90 for `sm_90a`.
    pub fn sm(&self) -> u32 {
        self.sm
    }

    /// The PTX version times ten: 84 for 8.4.
    pub fn ptx_version(&self) -> u32 {
        self.ptx
    }

    /// Whether a device of compute capability `sm` (times ten) can load this target's code.
    pub fn loads_on(&self, sm: u32) -> bool {
        if self.name.ends_with('a') { self.sm == sm } else { self.sm <= sm }
    }

    /// The best target for a device of compute capability `sm` (times ten), if there is one.
    pub fn for_device(sm: u32) -> Option<Self> {
        TARGETS.iter().rev().find(|t| t.loads_on(sm)).copied()
    }

    pub(crate) fn llvm_features(&self) -> String {
        format!("+ptx{}", self.ptx)
    }
}

impl fmt::Display for PtxTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl FromStr for PtxTarget {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        TARGETS.iter().find(|t| t.name == text).copied().ok_or_else(|| {
            let known: Vec<&str> = TARGETS.iter().map(|t| t.name).collect();
            Error::Target { target: text.to_owned(), message: format!("expected one of {}", known.join(", ")) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_gets_its_best_target() {
        let name = |sm| PtxTarget::for_device(sm).map(|t| t.name());
        assert_eq!(name(70), None);
        assert_eq!(name(87), Some("sm_86"));
        assert_eq!(name(90), Some("sm_90a"));
        assert_eq!(name(103), Some("sm_100"));
    }

    #[test]
    fn names_round_trip() {
        for target in PtxTarget::all() {
            assert_eq!(target.to_string().parse::<PtxTarget>().unwrap(), *target);
        }
        assert!("sm_42".parse::<PtxTarget>().is_err());
    }
}
