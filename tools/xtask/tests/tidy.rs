//! Sources keep the rules of `docs/STYLE.md` that a machine can check. Exceptions stand here, with their reasons.

use xtask::files::{listed, read, rust};
use xtask::rust::{code, functions};

const MAX_FILE_LINES: usize = 1000;
const MAX_FUNCTION_LINES: usize = 80;

/// Functions that may be longer, as `file: name`, and why.
const LONG_FUNCTIONS: &[(&str, &str)] = &[];

/// Files below the driver that may touch files or the environment, and why.
const WORLDLY: &[(&str, &str)] = &[];

/// Files that may name a path of a machine, and why.
const MACHINE_PATHS: &[(&str, &str)] = &[("tools/xtask/tests/tidy.rs", "this list of what is looked for")];

/// Fails with every fault, and with every exception that nothing needs any more.
fn judge(faults: Vec<(String, String)>, exceptions: &[(&str, &str)]) {
    let excused = |fault: &str| exceptions.iter().any(|(name, _)| *name == fault);
    let open: Vec<String> =
        faults.iter().filter(|(name, _)| !excused(name)).map(|(name, what)| format!("{name} {what}")).collect();
    assert!(open.is_empty(), "{}", open.join("\n"));
    for (name, reason) in exceptions {
        assert!(faults.iter().any(|(fault, _)| fault == name), "no longer an exception: {name} ({reason})");
    }
}

/// Every Rust source with its text.
fn sources() -> Vec<(String, String)> {
    let files = rust().unwrap().into_iter();
    files.map(|file| (file.clone(), read(&file).unwrap())).collect()
}

#[test]
fn files_are_short() {
    let long = |(file, text): (String, String)| {
        let lines = text.lines().count();
        (lines >= MAX_FILE_LINES).then(|| (file, format!("has {lines} lines")))
    };
    judge(sources().into_iter().filter_map(long).collect(), &[]);
}

#[test]
fn functions_are_short() {
    let mut faults = vec![];
    let mut n_functions = 0;
    // Tests may be tables of cases.
    for (file, text) in
        sources().into_iter().filter(|(file, _)| !file.contains("/tests") && !file.contains("/examples/"))
    {
        for function in functions(&text) {
            n_functions += 1;
            if function.lines >= MAX_FUNCTION_LINES {
                let what = format!("(line {}) has {} lines", function.line, function.lines);
                faults.push((format!("{file}: {}", function.name), what));
            }
        }
    }
    assert!(n_functions > 1000, "only {n_functions} functions were found");
    judge(faults, LONG_FUNCTIONS);
}

#[test]
fn crates_say_what_they_are() {
    let silent = |(file, text): (String, String)| {
        let is_root = file.ends_with("src/lib.rs") || file.ends_with("src/main.rs");
        (is_root && !text.starts_with("//!")).then(|| (file, "does not begin with //!".into()))
    };
    judge(sources().into_iter().filter_map(silent).collect(), &[]);
}

#[test]
fn no_files_and_no_environment_below_the_driver() {
    let is_below = |file: &str| {
        let is_source = file.contains("/src/") && !file.contains("/tests");
        is_source
            && (file.starts_with("compiler/") || file.starts_with("dialects/"))
            && !file.starts_with("compiler/driver/")
    };
    let marks = ["std::fs", "std::env", "File::open", "File::create", "std::process", "std::net"];
    let mut faults = vec![];
    for (file, text) in sources().into_iter().filter(|(file, _)| is_below(file)) {
        let code = code(&text);
        // Unit tests stand at the end of a file.
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let found = marks.iter().filter(|mark| code.contains(**mark));
        faults.extend(found.map(|mark| (file.clone(), format!("uses {mark}"))));
    }
    judge(faults, WORLDLY);
}

#[test]
fn no_file_names_a_machine() {
    let mut faults = vec![];
    for file in listed().unwrap() {
        let Ok(text) = read(&file) else { continue }; // not text
        for (at, line) in text.lines().enumerate() {
            if ["/root/", "/home/", "/Users/"].iter().any(|path| line.contains(path)) {
                faults.push((file.clone(), format!("names a machine's path in line {}", at + 1)));
            }
        }
    }
    judge(faults, MACHINE_PATHS);
}

#[test]
fn nothing_prints_but_tools() {
    let prints = |(file, text): (String, String)| {
        let is_library = !file.starts_with("tools/") && file.contains("/src/");
        let code = code(&text);
        let found =
            ["println!(", "print!(", "dbg!(", "todo!(", "unimplemented!("].into_iter().find(|mark| code.contains(mark));
        (is_library && found.is_some()).then(|| (file, format!("has {}", found.unwrap_or_default())))
    };
    judge(sources().into_iter().filter_map(prints).collect(), &[]);
}
