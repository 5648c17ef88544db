//! Diagnostics as plain text.

use crate::{Diagnostic, Severity};
use std::fmt;

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}[{}]: {}\n  --> {}", self.code.name(), self.message, self.loc)?;
        self.notes.iter().try_for_each(|note| write!(f, "\n   = {note}"))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Code, Diagnostic, Loc};

    #[test]
    fn a_diagnostic_names_code_place_and_facts() {
        let loc = Loc::node("m.onnx".into(), 41, "/conv2/Conv", "Conv");
        let text = Diagnostic::error(Code::Type, loc, "too few channels").note("x: f32[1,3]").to_string();
        assert_eq!(
            text,
            "error[E2001]: too few channels\n  --> m.onnx: node #41 \"/conv2/Conv\" (Conv)\n   = x: f32[1,3]"
        );
    }

    #[test]
    fn fused_locations_are_sorted_and_unique() {
        let (a, b) = (Loc::node("m".into(), 1, "a", "Add"), Loc::node("m".into(), 0, "b", "Mul"));
        let fused = Loc::fuse([&a, &b, &a, &Loc::Unknown]);
        assert_eq!(fused.node_names(), ["b", "a"]);
        assert_eq!(Loc::fuse([&a, &Loc::fuse([&a])]), a);
    }
}
