//! Which crate uses which, from `cargo metadata`.

use cargo_metadata::MetadataCommand;
use std::collections::{BTreeMap, BTreeSet};

/// A crate of the workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crate {
    /// Its folder, from the root: `compiler/graph`.
    pub folder: String,
    /// The crates that it names as dependencies of any kind.
    pub uses: BTreeSet<String>,
}

/// The crates of the workspace, by name.
///
/// # Errors
/// When cargo fails.
pub fn crates() -> Result<BTreeMap<String, Crate>, String> {
    let mut command = MetadataCommand::new();
    command.current_dir(crate::files::root()).no_deps();
    let metadata = command.exec().map_err(|e| e.to_string())?;
    let mut crates = BTreeMap::new();
    for package in &metadata.packages {
        let folder = package.manifest_path.parent().and_then(|p| p.strip_prefix(&metadata.workspace_root).ok());
        let folder = folder.map(ToString::to_string).unwrap_or_default();
        let uses = package.dependencies.iter().map(|dependency| dependency.name.clone()).collect();
        crates.insert(package.name.to_string(), Crate { folder, uses });
    }
    Ok(crates)
}

/// All crates of the workspace that `name` uses, by way of others too.
pub fn reached(crates: &BTreeMap<String, Crate>, name: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![name.to_string()];
    while let Some(name) = open.pop() {
        for used in crates.get(&name).iter().flat_map(|c| &c.uses) {
            if crates.contains_key(used) && reached.insert(used.clone()) {
                open.push(used.clone());
            }
        }
    }
    reached
}
