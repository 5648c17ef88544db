//! Compiles with a cache: the same artifacts as without, and nothing compiled twice.

use driver::{Cache, CacheUse, Compiled, Options, Target};
use std::path::Path;

fn model(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/models/small").join(name).join("model.onnx")
}

fn compile(cache: Option<&Cache>, threads: usize) -> Compiled {
    let targets = ["host:x86-64-v3", "nvptx:sm_80"].map(|name| name.parse::<Target>().unwrap()).to_vec();
    let options = Options { targets, threads, cache: cache.cloned(), ..Options::default() };
    driver::compile(&model("resnet"), &options).unwrap()
}

fn counts(used: &CacheUse) -> (usize, usize) {
    (used.hits, used.misses)
}

#[test]
fn artifacts_are_the_same_with_and_without_and_nothing_is_compiled_twice() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path(), Cache::LIMIT).unwrap();
    let without = compile(None, 2);
    let cold = compile(Some(&cache), 2);
    let warm = compile(Some(&cache), 1);
    let bytes = without.artifact.encode().unwrap();
    assert!(cold.artifact.encode().unwrap() == bytes && warm.artifact.encode().unwrap() == bytes);
    let kernels: usize = without.report.kernels.iter().map(|(_, _, kernels)| kernels).sum();
    assert_eq!(counts(&without.report.cache), (0, 0));
    assert_eq!(counts(&cold.report.cache), (0, kernels));
    assert_eq!(counts(&warm.report.cache), (kernels, 0));
    assert_eq!((cache.info().entries, warm.report.cache.problem), (kernels, None));
}

#[test]
fn entries_that_were_damaged_are_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(folder.path(), Cache::LIMIT).unwrap();
    let cold = compile(Some(&cache), 2);
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    for path in &files {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        std::fs::write(path, bytes).unwrap();
    }
    let again = compile(Some(&cache), 2);
    assert_eq!(counts(&again.report.cache), (0, files.len()));
    assert!(again.artifact.encode().unwrap() == cold.artifact.encode().unwrap());
    assert_eq!(counts(&compile(Some(&cache), 2).report.cache), (files.len(), 0));
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told_and_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(&folder.path().join("cache"), Cache::LIMIT).unwrap();
    std::fs::remove_dir(folder.path().join("cache")).unwrap();
    let used = compile(Some(&cache), 2).report.cache;
    assert!(used.hits == 0 && used.problem.unwrap().contains("nothing can be kept"));
}
