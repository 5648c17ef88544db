//! The machine that host code is made for.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use inkwell::targets::TargetMachine;

use crate::error::Error;

const X86_LINUX: &str = "x86_64-unknown-linux-gnu";

const V2: &[&str] = &["cx16", "popcnt", "sahf", "sse3", "sse4.1", "sse4.2", "ssse3"];
const V3: &[&str] = &["avx", "avx2", "bmi", "bmi2", "crc32", "f16c", "fma", "lzcnt", "movbe", "xsave"];
const V4: &[&str] = &["avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"];

/// A triple, the instruction set features that code may use, and the CPU to schedule for.
///
/// The text form, for artifacts: `x86_64-unknown-linux-gnu/tune/avx,avx2,...`, with sorted features.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostTarget {
    triple: String,
    tune: String,
    features: BTreeSet<String>,
}

impl HostTarget {
    /// This machine: features by cpuid (and what the operating system saves), tuned for its CPU.
    pub fn native() -> Self {
        crate::llvm::initialize();
        let features = TargetMachine::get_host_cpu_features().to_string();
        Self {
            triple: TargetMachine::get_default_triple().as_str().to_string_lossy().into_owned(),
            tune: TargetMachine::get_host_cpu_name().to_string(),
            // LLVM lists absent features as `-name`.
            features: features.split(',').filter_map(|f| f.strip_prefix('+')).map(Into::into).collect(),
        }
    }

    /// One of the levels `x86-64`, `x86-64-v2`, `x86-64-v3`, `x86-64-v4`.
    ///
    /// # Errors
    /// [`Error::Target`] for another name.
    pub fn level(name: &str) -> Result<Self, Error> {
        let sets: &[&[&str]] = match name {
            "x86-64" => &[],
            "x86-64-v2" => &[V2],
            "x86-64-v3" => &[V2, V3],
            "x86-64-v4" => &[V2, V3, V4],
            _ => {
                return Err(bad(name, "expected x86-64, x86-64-v2, x86-64-v3 or x86-64-v4"));
            }
        };
        Ok(Self {
            triple: X86_LINUX.into(),
            tune: "generic".into(),
            features: sets.iter().flat_map(|set| set.iter()).map(|f| (*f).to_owned()).collect(),
        })
    }

    /// The target triple.
    pub fn triple(&self) -> &str {
        &self.triple
    }

    /// The CPU that the schedule suits; code runs elsewhere too.
    pub fn tune(&self) -> &str {
        &self.tune
    }

    /// LLVM's names of the features that code may use, sorted.
    pub fn features(&self) -> impl Iterator<Item = &str> {
        self.features.iter().map(String::as_str)
    }

    /// Whether code may use `feature`.
    pub fn has(&self, feature: &str) -> bool {
        self.features.contains(feature)
    }

    /// Bytes in the widest vector register that code should use.
    pub fn vector_bytes(&self) -> usize {
        match () {
            () if self.has("avx512f") => 64,
            () if self.has("avx") => 32,
            () => 16,
        }
    }

    /// The features of this target that `machine` lacks; empty when the code runs there (given the same triple).
    pub fn missing_on<'a>(&'a self, machine: &HostTarget) -> Vec<&'a str> {
        self.features().filter(|f| !machine.has(f)).collect()
    }

    /// The CPU name for LLVM: the bare architecture, so that it brings no features along.
    pub(crate) fn llvm_cpu(&self) -> &'static str {
        if self.triple.starts_with("x86_64") { "x86-64" } else { "generic" }
    }

    /// The feature list for LLVM.
    pub(crate) fn llvm_features(&self) -> String {
        let list: Vec<String> = self.features.iter().map(|f| format!("+{f}")).collect();
        list.join(",")
    }

    /// Attributes for every function of a module.
    pub(crate) fn function_attributes(&self) -> Vec<(&'static str, &str)> {
        let mut attributes = vec![("tune-cpu", self.tune.as_str())];
        if self.has("avx512f") {
            // LLVM prefers 256 bits on most CPUs for fear of lower clocks; kernels want the full width.
            attributes.push(("prefer-vector-width", "512"));
        }
        attributes
    }
}

impl fmt::Display for HostTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let features: Vec<&str> = self.features().collect();
        write!(f, "{}/{}/{}", self.triple, self.tune, features.join(","))
    }
}

impl FromStr for HostTarget {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts: Vec<&str> = text.split('/').collect();
        let [triple, tune, features] = parts[..] else {
            return Err(bad(text, "expected triple/tune/features"));
        };
        let is_name = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if !is_name(triple) || !is_name(tune) {
            return Err(bad(text, "bad triple or CPU name"));
        }
        let features: BTreeSet<String> = features.split(',').filter(|f| !f.is_empty()).map(Into::into).collect();
        if let Some(feature) = features.iter().find(|f| !is_name(f)) {
            return Err(bad(text, &format!("bad feature name `{feature}`")));
        }
        Ok(Self { triple: triple.into(), tune: tune.into(), features })
    }
}

fn bad(target: &str, message: &str) -> Error {
    Error::Target { target: target.to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for target in [HostTarget::native(), HostTarget::level("x86-64-v3").unwrap()] {
            assert_eq!(target.to_string().parse::<HostTarget>().unwrap(), target);
        }
    }

    #[test]
    fn levels_contain_each_other() {
        let level = |n| HostTarget::level(n).unwrap();
        assert!(level("x86-64-v2").missing_on(&level("x86-64-v4")).is_empty());
        assert!(level("x86-64-v4").missing_on(&level("x86-64-v3")).contains(&"avx512f"));
        assert!(HostTarget::level("x86-64-v9").is_err());
    }

    #[test]
    fn bad_text_is_refused() {
        for text in ["", "a/b", "a/b/c/d", "a b/c/d", "a/b/c,d e", "//"] {
            assert!(text.parse::<HostTarget>().is_err(), "{text}");
        }
    }
}
