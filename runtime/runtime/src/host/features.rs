//! Which host variant of an artifact this machine can run.

use super::NAME;
use crate::DeviceError;

/// The best of an artifact's targets: the one with most features among those that this machine has.
///
/// A host target reads `host:TRIPLE/TUNE/FEATURE,FEATURE,...`, with LLVM's names of triples and features.
pub(super) fn choose(targets: &[String]) -> Result<usize, DeviceError> {
    let runnable = |(idx, target): (usize, &String)| {
        let features = required(target).ok()?;
        missing(&features).is_empty().then_some((features.len(), std::cmp::Reverse(idx)))
    };
    if let Some((_, std::cmp::Reverse(idx))) = targets.iter().enumerate().filter_map(runnable).max() {
        return Ok(idx);
    }
    let mut needs = format!("code for {}", std::env::consts::ARCH);
    for target in targets {
        if let Ok(features) = required(target)
            && !missing(&features).is_empty()
        {
            needs.push_str(&format!(" without {}", missing(&features).join(", ")));
        }
    }
    Err(DeviceError::NoVariant { device: NAME.into(), needs, has: targets.to_vec() })
}

/// The features that a target needs; an error if it is not one of this architecture and system.
fn required(target: &str) -> Result<Vec<&str>, ()> {
    let mut parts = target.strip_prefix("host:").ok_or(())?.split('/');
    let triple = parts.next().unwrap_or("");
    let system = triple.split('-').any(|part| part.starts_with(std::env::consts::OS));
    let arch = triple.split('-').next() == Some(std::env::consts::ARCH);
    if !arch || !system {
        return Err(());
    }
    Ok(parts.nth(1).unwrap_or("").split(',').filter(|feature| !feature.is_empty()).collect())
}

fn missing<'a>(features: &[&'a str]) -> Vec<&'a str> {
    features.iter().copied().filter(|feature| !has(feature)).collect()
}

/// Whether this machine has a feature. Features that compiled code does not use without being asked (system instructions,
/// cache control, cryptography) count as present.
#[cfg(target_arch = "x86_64")]
fn has(feature: &str) -> bool {
    macro_rules! detect {
        ($($llvm:literal $rust:tt),* $(,)?) => {
            match feature {
                $($llvm => std::arch::is_x86_feature_detected!($rust),)*
                "egpr" | "ccmp" | "cf" | "ndd" | "nf" | "ppx" | "push2pop2" | "zu" => leaf_7_1_edx(21),
                other if other.starts_with("avx10") => leaf_7_1_edx(19),
                other if other.starts_with("amx") => false,
                _ => true,
            }
        };
    }
    detect! {
        "sse3" "sse3", "ssse3" "ssse3", "sse4.1" "sse4.1", "sse4.2" "sse4.2", "sse4a" "sse4a", "crc32" "sse4.2",
        "popcnt" "popcnt", "lzcnt" "lzcnt", "bmi" "bmi1", "bmi2" "bmi2", "tbm" "tbm", "movbe" "movbe", "adx" "adx",
        "cx16" "cmpxchg16b", "avx" "avx", "avx2" "avx2", "f16c" "f16c", "fma" "fma", "avxvnni" "avxvnni",
        "avxifma" "avxifma", "avxneconvert" "avxneconvert", "avxvnniint8" "avxvnniint8", "avxvnniint16" "avxvnniint16",
        "avx512f" "avx512f", "avx512bw" "avx512bw", "avx512cd" "avx512cd", "avx512dq" "avx512dq", "avx512vl" "avx512vl",
        "avx512ifma" "avx512ifma", "avx512vbmi" "avx512vbmi", "avx512vbmi2" "avx512vbmi2", "avx512vnni" "avx512vnni",
        "avx512bitalg" "avx512bitalg", "avx512vpopcntdq" "avx512vpopcntdq", "avx512bf16" "avx512bf16",
        "avx512fp16" "avx512fp16", "avx512vp2intersect" "avx512vp2intersect", "gfni" "gfni", "vaes" "vaes",
        "vpclmulqdq" "vpclmulqdq", "aes" "aes", "pclmul" "pclmulqdq", "sha" "sha",
    }
}

/// A bit of a CPUID word that says what AVX10 and APX offer.
#[cfg(target_arch = "x86_64")]
fn leaf_7_1_edx(bit: u32) -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).eax >= 1 && (__cpuid_count(7, 1).edx >> bit) & 1 == 1
}

/// Whether this machine has a feature; unknown ones count as present, as on x86-64.
#[cfg(target_arch = "aarch64")]
fn has(feature: &str) -> bool {
    match feature {
        "sve" => std::arch::is_aarch64_feature_detected!("sve"),
        "sve2" => std::arch::is_aarch64_feature_detected!("sve2"),
        "dotprod" => std::arch::is_aarch64_feature_detected!("dotprod"),
        "i8mm" => std::arch::is_aarch64_feature_detected!("i8mm"),
        "bf16" => std::arch::is_aarch64_feature_detected!("bf16"),
        "fullfp16" => std::arch::is_aarch64_feature_detected!("fp16"),
        _ => true,
    }
}

/// On other architectures no feature is known.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn has(_feature: &str) -> bool {
    false
}

#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
mod tests {
    use super::*;

    const BASE: &str = "host:x86_64-unknown-linux-gnu/generic/";

    #[test]
    fn the_richest_runnable_target_wins() {
        let targets = [
            "nvptx:sm_80".to_string(),
            BASE.into(),
            format!("{BASE}cx16,sahf"),
            format!("{BASE}amx-tile,cx16,sahf"),
            "host:aarch64-unknown-linux-gnu/generic/cx16,sahf,x".into(),
        ];
        assert_eq!(choose(&targets), Ok(2));
        assert_eq!(choose(&targets[..2]), Ok(1));
    }

    #[test]
    fn refusals_say_what_there_is() {
        let targets = ["nvptx:sm_80".to_string(), format!("{BASE}amx-tile")];
        let error = choose(&targets).unwrap_err().to_string();
        assert!(error.contains("nvptx:sm_80, host:x86_64") && error.contains("without amx-tile"), "{error}");
        assert!(choose(&[]).unwrap_err().to_string().contains("no target at all"));
    }
}
