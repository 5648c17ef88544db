//! The cache, from the command line.

mod common;

use common::{command, failure, json, success, tenfold, workplace};
use std::path::Path;

fn compile(at: &Path, output: &str, flags: &[&str]) -> (u64, u64) {
    let report = json(&success(at, &[&["compile", "m.onnx", "-o", output, "--json"], flags].concat()));
    let count = |name: &str| report["cache"][name].as_u64().unwrap();
    (count("hits"), count("misses"))
}

#[test]
fn a_second_command_compiles_no_kernel_and_writes_the_same_artifact() {
    let folder = workplace();
    let at = folder.path();
    assert_eq!(compile(at, "without.tenfold", &["--no-cache"]), (0, 0));
    let (hits, kernels) = compile(at, "cold.tenfold", &["--cache-dir", "cache"]);
    assert!(hits == 0 && kernels > 0);
    assert_eq!(compile(at, "warm.tenfold", &["--cache-dir", "cache"]), (kernels, 0));
    let read = |name: &str| std::fs::read(at.join(name)).unwrap();
    assert!(read("cold.tenfold") == read("without.tenfold") && read("warm.tenfold") == read("without.tenfold"));
    // What runs a model shares it.
    let run = json(&success(at, &["run", "m.onnx", "--random-inputs", "1", "--json", "--cache-dir", "cache"]));
    assert!(run["compile"]["cache"]["hits"].as_u64() > Some(0), "{run}");
    let info = json(&success(at, &["cache", "info", "--json", "--cache-dir", "cache"]));
    assert!(info["entries"].as_u64() >= Some(kernels) && info["bytes"].as_u64() > Some(0), "{info}");
    assert!(success(at, &["cache", "info", "--cache-dir", "cache"]).contains("kernels, "));
    let removed = json(&success(at, &["cache", "clear", "--json", "--cache-dir", "cache"]));
    assert_eq!(removed["removed"], info["entries"]);
    assert_eq!(compile(at, "again.tenfold", &["--cache-dir", "cache"]), (0, kernels));
}

#[test]
fn the_environment_names_the_folder_and_doctor_tells_it() {
    let folder = workplace();
    let at = folder.path();
    let doctor = |value: &str| {
        let output = command(at, &["doctor", "--json"]).env("TENFOLD_CACHE_DIR", value).output().unwrap();
        json(&common::stdout(&output))["cache"].clone()
    };
    assert!(doctor("").is_null());
    let own = at.join("own");
    let own = own.to_str().unwrap();
    assert_eq!((doctor(own)["entries"].as_u64(), doctor(own)["limit"].as_u64()), (Some(0), Some(2 << 30)));
    assert!(!at.join("own").exists(), "doctor only looks");
    let output = command(at, &["compile", "m.onnx", "-o", "m.tenfold"]).env("TENFOLD_CACHE_DIR", own).output().unwrap();
    assert!(output.status.success());
    assert!(doctor(own)["entries"].as_u64() > Some(0));
    let text = command(at, &["doctor"]).env("TENFOLD_CACHE_DIR", own).output().unwrap();
    assert!(common::stdout(&text).contains(own));
}

#[cfg(unix)]
#[test]
fn folders_that_others_can_write_to_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = workplace();
    let at = folder.path();
    let open = at.join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let command_line = ["compile", "m.onnx", "-o", "o.tenfold"];
    failure(at, &[&command_line[..], &["--cache-dir", "open"]].concat(), 3, "is not trusted: others can write to it");
    failure(at, &["cache", "clear", "--cache-dir", "open"], 3, "is not trusted");
    assert!(success(at, &["cache", "info", "--cache-dir", "open"]).contains("not used: "));
    // Nobody asked for this folder here: one warning, and no failure.
    let output = command(at, &command_line).env("TENFOLD_CACHE_DIR", &open).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.matches("is not trusted").count() == 1, "{text}");
    assert_eq!(std::fs::read_dir(&open).unwrap().count(), 0);
}

#[test]
fn words_that_contradict_each_other() {
    let folder = workplace();
    let both = ["run", "m.onnx", "--no-cache", "--cache-dir", "cache"];
    failure(folder.path(), &both, 2, "cannot be used with");
    assert_eq!(tenfold(folder.path(), &["cache"]).status.code(), Some(2));
    assert!(success(folder.path(), &["cache", "info"]).contains("none: "));
    assert!(success(folder.path(), &["cache", "clear"]).contains("removed 0 kernels"));
}
