//! The walls of `docs/ARCHITECTURE.md`, asked of `cargo metadata`.

use std::collections::BTreeMap;
use xtask::crates::{Crate, crates, reached};

/// A library, and the folders whose crates may use it. A folder that ends in `/` stands for all in it.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("melior", &["dialects/", "compiler/lower", "compiler/kernels", "compiler/codegen"]),
    ("mlir-sys", &["dialects/", "compiler/lower", "compiler/kernels", "compiler/codegen"]),
    ("egg", &["compiler/rewrite"]),
    ("inkwell", &["compiler/codegen"]),
    ("cudarc", &["runtime/cuda"]),
    ("prost", &["compiler/import-onnx"]),
    ("clap", &["tools/"]),
    ("petgraph", &["compiler/schedule", "compiler/rewrite"]),
    // What tools print for machines is theirs; what is stored is the artifact's.
    ("serde", &["runtime/artifact", "tools/"]),
];

fn is_in(folder: &str, place: &str) -> bool {
    folder == place || (place.ends_with('/') && folder.starts_with(place))
}

fn all() -> BTreeMap<String, Crate> {
    crates().unwrap()
}

/// Every crate in a folder of `from` that reaches a crate in a folder of `to`.
fn breaches(from: &[&str], to: &[&str]) -> Vec<String> {
    let crates = all();
    let within = |name: &str, places: &[&str]| places.iter().any(|place| is_in(&crates[name].folder, place));
    let mut found = vec![];
    for name in crates.keys().filter(|name| within(name, from)) {
        let reached = reached(&crates, name);
        found.extend(reached.iter().filter(|used| within(used, to)).map(|used| format!("{name} uses {used}")));
    }
    found
}

#[test]
fn heavy_libraries_stay_in_their_rooms() {
    let crates = all();
    for (library, places) in LIBRARIES {
        for (name, member) in crates.iter().filter(|(_, member)| member.uses.contains(*library)) {
            let is_allowed = places.iter().any(|place| is_in(&member.folder, place));
            assert!(is_allowed, "{name} uses {library}, which belongs in {places:?}");
        }
    }
}

#[test]
fn the_runtime_knows_no_compiler() {
    let none: [String; 0] = [];
    assert_eq!(breaches(&["runtime/"], &["compiler/", "dialects/", "tools/"]), none);
    assert_eq!(breaches(&["tools/run"], &["compiler/", "dialects/"]), none);
}

#[test]
fn graphs_rules_and_plans_never_see_mlir() {
    let above = [
        "compiler/diag",
        "compiler/ops",
        "compiler/graph",
        "compiler/import-onnx",
        "compiler/rewrite",
        "compiler/schedule",
    ];
    let below = ["dialects/", "compiler/kernels", "compiler/lower", "compiler/codegen", "compiler/driver"];
    let none: [String; 0] = [];
    assert_eq!(breaches(&above, &below), none);
}

#[test]
fn only_the_driver_sees_all_of_the_compiler() {
    let crates = all();
    for (name, member) in crates.iter().filter(|(_, member)| member.folder.starts_with("compiler/")) {
        if member.folder == "compiler/driver" {
            continue;
        }
        let ends = ["import-onnx", "codegen"].iter().filter(|end| member.uses.contains(**end)).count();
        assert!(ends < 2, "{name} sees both ends of the compiler");
        assert!(!member.uses.contains("driver"), "{name} uses the driver");
    }
}

/// The tests above pass when nothing is found; this one shows that something would be.
#[test]
fn breaches_are_found() {
    assert!(breaches(&["compiler/driver"], &["dialects/"]).contains(&"driver uses mlir".into()));
    assert!(all()["codegen"].uses.contains("inkwell"));
}
