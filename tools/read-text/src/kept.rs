//! The compiled model, kept between runs: found again by the content of model and compiler.

use anyhow::{Context, Result};
use artifact::Artifact;
use driver::{Compiled, ModelDim, Options, Target};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What is told of a compile, also by later runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The model's classes, one a line.
    pub characters: String,
    /// Nodes of the model as the compiler's graph.
    pub nodes: usize,
    /// Nodes that the rewrites left.
    pub rewritten: usize,
    /// Target, launches, and different kernels among them.
    pub kernels: Vec<(String, usize, usize)>,
    /// Seconds of each phase.
    pub phases: Vec<(String, f64)>,
}

/// A compiled model, its facts and where its dumps lie.
#[derive(Debug)]
pub struct Kept {
    /// What to run.
    pub artifact: Artifact,
    /// What is told of the compile.
    pub facts: Facts,
    /// The folder with what each phase made, PTX of each kernel included.
    pub dumps: PathBuf,
    /// Whether an earlier run compiled it.
    pub is_old: bool,
}

/// The compiled model out of the folder `store`, compiled now if it is not there.
pub fn obtain(model: &Path, targets: Vec<Target>, store: &Path) -> Result<Kept> {
    let key = key(model, &targets)?;
    let (file, notes, dumps) =
        (store.join(format!("{key}.tenfold")), store.join(format!("{key}.json")), store.join(format!("{key}-dumps")));
    if let Some((artifact, facts)) = load(&file, &notes)
        && dumps.is_dir()
    {
        return Ok(Kept { artifact, facts, dumps, is_old: true });
    }
    let compiled = compile(model, targets, &dumps)?;
    let facts = facts(&compiled)?;
    std::fs::create_dir_all(store).with_context(|| format!("cannot make {}", store.display()))?;
    std::fs::write(&notes, serde_json::to_vec(&facts)?).with_context(|| format!("cannot write {}", notes.display()))?;
    // The artifact comes last: a store with an artifact is complete.
    compiled.artifact.write(&file)?;
    Ok(Kept { artifact: compiled.artifact, facts, dumps, is_old: false })
}

/// What is kept, if all of it can be read; anything else counts as not there.
fn load(file: &Path, notes: &Path) -> Option<(Artifact, Facts)> {
    let facts = serde_json::from_slice(&std::fs::read(notes).ok()?).ok()?;
    Some((Artifact::open(file).ok()?, facts))
}

/// The same model, compiler and targets have the same key.
fn key(model: &Path, targets: &[Target]) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let program = std::env::current_exe().context("no path to this program")?;
    for path in [model, &program] {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        hasher.update(blake3::hash(&bytes).as_bytes());
    }
    targets.iter().for_each(|target| {
        hasher.update(target.name().as_bytes());
        hasher.update(b"\n");
    });
    Ok(hasher.finalize().to_hex()[..16].to_string())
}

fn compile(model: &Path, targets: Vec<Target>, dumps: &Path) -> Result<Compiled> {
    let mut options = Options { targets, dump_dir: Some(dumps.into()), dump_constants: false, ..Options::default() };
    // One picture at a time; the width stays a symbol, so one compile serves all lines.
    let frontend = driver::load_model(model)?;
    if let Some(Some([ModelDim::Named(name), ..])) = frontend.inputs().first().map(|input| input.shape.as_deref()) {
        options.dims.insert(name.clone(), 1.into());
    }
    Ok(driver::compile(model, &options)?)
}

fn facts(compiled: &Compiled) -> Result<Facts> {
    let report = &compiled.report;
    let characters = compiled.metadata.get("character");
    let characters =
        characters.context("the model's metadata has no list of characters: this is no recognition model")?;
    let phase = |timing: &driver::Timing| (timing.phase.name().to_string(), timing.time.as_secs_f64());
    Ok(Facts {
        characters: characters.clone(),
        nodes: report.nodes_imported,
        rewritten: report.nodes_optimized,
        kernels: report.kernels.clone(),
        phases: report.timings.iter().map(phase).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let (file, notes) = (folder.path().join("a.tenfold"), folder.path().join("a.json"));
        assert!(load(&file, &notes).is_none());
        std::fs::write(&notes, "{").unwrap();
        std::fs::write(&file, "tenfold").unwrap();
        assert!(load(&file, &notes).is_none());
    }

    #[test]
    fn keys_tell_models_and_targets_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&a, "one").unwrap();
        std::fs::write(&b, "two").unwrap();
        let gpu = "nvptx:sm_80".parse::<Target>().unwrap();
        let all = [key(&a, &[]).unwrap(), key(&b, &[]).unwrap(), key(&a, &[gpu]).unwrap()];
        assert_eq!(key(&a, &[]).unwrap(), all[0]);
        assert!(all[0] != all[1] && all[0] != all[2]);
        assert!(key(&folder.path().join("none"), &[]).unwrap_err().to_string().contains("cannot read"));
    }
}
