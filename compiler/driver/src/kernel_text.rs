//! The printed form of kernels: the MLIR text of each after a line that names it, and a line that names their target.
//!
//! ```text
//! // target nvptx:sm_90a
//! // kernel tanh, dims [N], tasks N, scratch 0
//! gpu.module @kernels { .. }
//! // -----
//! // kernel exp, dims [N], tasks N, scratch 0
//! gpu.module @kernels { .. }
//! ```
//! `// -----` is the line by which MLIR's own tools split a file into modules. What stands after a kernel's name says how the
//! program launches it first; it is not read back, because kernels are launched by the plan.

use crate::emit::emit_error;
use crate::{Error, Options, Phase, Target};
use codegen::Source;
use lower::Kernel;
use std::fmt::Write;

const SPLIT: &str = "// -----";

/// A kernel that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KernelText {
    pub(crate) name: String,
    pub(crate) target: Option<String>,
    pub(crate) text: String,
}

/// The text of kernels for a target.
pub(crate) fn print(target: &Target, kernels: &[Kernel]) -> String {
    let mut out = format!("// target {}\n", target.name());
    for (at, kernel) in kernels.iter().enumerate() {
        let dims: Vec<String> = kernel.dims.iter().map(ToString::to_string).collect();
        let split = if at > 0 { format!("{SPLIT}\n") } else { String::new() };
        let (name, dims, text) = (&kernel.name, dims.join(", "), kernel.text.trim_end());
        let maps: String = kernel.maps.iter().map(|map| format!(", map {map}")).collect();
        let (tasks, scratch) = (&kernel.tasks, &kernel.scratch);
        let _ = writeln!(out, "{split}// kernel {name}, dims [{dims}], tasks {tasks}, scratch {scratch}{maps}");
        let _ = writeln!(out, "{text}");
    }
    out
}

/// The kernels of a text. A target holds for all kernels after it.
pub(crate) fn parse(text: &str) -> Vec<KernelText> {
    let mut kernels: Vec<KernelText> = Vec::new();
    let mut target = None;
    let mut open = KernelText { name: "kernel".into(), target: None, text: String::new() };
    let close = |open: KernelText, kernels: &mut Vec<KernelText>| {
        let is_code = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
        if open.text.lines().any(is_code) {
            kernels.push(open);
        }
    };
    for line in text.lines() {
        let named = line.strip_prefix("// kernel ").map(|rest| rest.split([',', ' ']).next().unwrap_or_default());
        if let Some(name) = line.strip_prefix("// target ") {
            target = Some(name.trim().to_string());
        }
        if line.trim_end() == SPLIT || named.is_some() || line.starts_with("// target ") {
            let next =
                KernelText { name: named.unwrap_or("kernel").into(), target: target.clone(), text: String::new() };
            close(std::mem::replace(&mut open, next), &mut kernels);
        } else {
            open.text.push_str(line);
            open.text.push('\n');
        }
    }
    close(open, &mut kernels);
    kernels
}

/// The assembly of kernels for their targets, or for those that were asked for.
///
/// # Errors
/// [`Error::Kernels`] for what is no kernel, or has no target; [`Error::Limit`] where time is up.
pub(crate) fn emit(file: &str, kernels: &[KernelText], asked: &[Target], options: &Options) -> Result<String, Error> {
    let fail = |message: String| Error::Kernels { file: file.into(), message };
    if kernels.is_empty() {
        return Err(fail("there is no kernel in it".into()));
    }
    let mut targets = asked.to_vec();
    for name in kernels.iter().filter_map(|kernel| kernel.target.as_deref()).filter(|_| asked.is_empty()) {
        let target = name.parse::<Target>().map_err(|e| fail(e.to_string()))?;
        if !targets.contains(&target) {
            targets.push(target);
        }
    }
    if targets.is_empty() {
        return Err(fail("the kernels name no target; give one by --target".into()));
    }
    let mut out = String::new();
    for target in &targets {
        let wanted = |kernel: &&KernelText| match (&kernel.target, asked.is_empty()) {
            (None, _) => true,
            (Some(name), true) => *name == target.name(),
            (Some(name), false) => name.parse().is_ok_and(|written: Target| fits(&written, target)),
        };
        let mut chosen: Vec<(&str, &str)> = Vec::new();
        for kernel in kernels.iter().filter(wanted) {
            if !chosen.contains(&(&kernel.name, &kernel.text)) {
                chosen.push((&kernel.name, &kernel.text));
            }
        }
        if chosen.is_empty() {
            return Err(fail(format!("none of its kernels is written for {}", target.name())));
        }
        out += &assembly(target, &chosen, options).map_err(|e| match e {
            codegen::Error::Stopped { .. } => emit_error(e, options),
            fault => fail(fault.to_string()),
        })?;
    }
    Ok(out)
}

/// Whether what is written for one target can be compiled for another: a GPU has all that older ones have, but for what
/// only one architecture has; and vectors of any length have code on every processor.
fn fits(written: &Target, asked: &Target) -> bool {
    match (written, asked) {
        (Target::Host(_), Target::Host(_)) => true,
        (Target::Nvptx(a), Target::Nvptx(b)) => a == b || !a.name().ends_with('a') && a.sm() <= b.sm(),
        _ => false,
    }
}

/// The assembly (for a GPU the PTX) of kernels by name and MLIR text. Headers are comments of the assembler.
pub(crate) fn assembly(target: &Target, kernels: &[(&str, &str)], options: &Options) -> Result<String, codegen::Error> {
    let sources: Vec<Source> = kernels.iter().map(|(name, text)| Source { name, text }).collect();
    let go_on = |done: usize| options.go_on(Phase::Emit, done, sources.len()).is_ok();
    let (texts, comment) = match target {
        Target::Host(host) => (codegen::assembly(&sources, host, options.threads, &go_on)?, "#"),
        Target::Nvptx(ptx) => (codegen::compile_ptx(&sources, ptx, options.threads, &go_on)?, "//"),
    };
    let mut out = format!("{comment} target {}\n", target.name());
    for ((name, _), text) in kernels.iter().zip(texts) {
        let _ = writeln!(out, "{comment} kernel {name}\n{}", text.trim_end());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_split_by_their_heads() {
        let text = "// target nvptx:sm_80\n// kernel a, dims [N], tasks N\nfirst {\n// a comment\n}\n// -----\n// kernel b\nsecond\n// target host:x\n// kernel c\nthird\n";
        let found: Vec<_> = parse(text).into_iter().map(|k| (k.name, k.target.unwrap(), k.text)).collect();
        let expected = [
            ("a", "nvptx:sm_80", "first {\n// a comment\n}\n"),
            ("b", "nvptx:sm_80", "second\n"),
            ("c", "host:x", "third\n"),
        ];
        assert_eq!(found, expected.map(|(a, b, c)| (a.to_string(), b.to_string(), c.to_string())));
        assert_eq!(parse("// nothing\n\n").len(), 0);
        let plain = KernelText { name: "kernel".into(), target: None, text: "a module\n".into() };
        assert_eq!(parse("a module"), [plain]);
    }
}
