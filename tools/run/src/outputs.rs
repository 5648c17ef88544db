//! Showing what a model computed.

use runtime::Profile;
use serde_json::{Value, json};
use std::fmt::Write;
use tensor::{Scalar, Tensor};

/// Smallest, largest and mean of the finite elements; how many are not finite.
struct Statistics {
    min: f64,
    max: f64,
    mean: f64,
    not_finite: usize,
}

fn statistics(tensor: &Tensor) -> Option<Statistics> {
    let (mut min, mut max, mut sum, mut count) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0usize);
    for value in tensor.iter().map(Scalar::as_f64).filter(|v| v.is_finite()) {
        (min, max, sum, count) = (min.min(value), max.max(value), sum + value, count + 1);
    }
    let not_finite = tensor.len() - count;
    (count > 0).then(|| Statistics { min, max, mean: sum / count as f64, not_finite })
}

fn number(value: Scalar) -> String {
    match value {
        Scalar::Int(v) => v.to_string(),
        Scalar::Float(v) => format!("{v:.6}"),
        Scalar::Bool(v) => v.to_string(),
    }
}

/// A few lines about a tensor for a person.
pub fn summary(name: &str, tensor: &Tensor) -> String {
    let mut text = format!("{name}: {}", tensor.ty());
    if let Some(Statistics { min, max, mean, not_finite }) = statistics(tensor) {
        let _ = write!(text, "  min {min:.6}  max {max:.6}  mean {mean:.6}");
        if not_finite > 0 {
            let _ = write!(text, "  not finite: {not_finite}");
        }
    }
    let first: Vec<String> = tensor.iter().take(8).map(number).collect();
    let more = if tensor.len() > first.len() { ", ..." } else { "" };
    let _ = write!(text, "\n  [{}{more}]", first.join(", "));
    text
}

/// The same for a machine.
pub fn to_json(name: &str, tensor: &Tensor) -> Value {
    let statistics = statistics(tensor);
    json!({
        "name": name,
        "dtype": tensor.dtype().name(),
        "shape": tensor.shape(),
        "min": statistics.as_ref().map(|s| s.min),
        "max": statistics.as_ref().map(|s| s.max),
        "mean": statistics.as_ref().map(|s| s.mean),
        "not_finite": statistics.map_or(tensor.len(), |s| s.not_finite),
    })
}

/// The steps of a run, the slowest first.
pub fn profile_table(profile: &Profile, limit: usize) -> String {
    let total: f64 = profile.steps.iter().map(|step| step.time.as_secs_f64()).sum();
    let mut steps: Vec<_> = profile.steps.iter().collect();
    steps.sort_by_key(|step| std::cmp::Reverse(step.time));
    let mut text = String::from("       us      %  calls  GFLOP/s    GB/s  kernel (nodes)\n");
    for step in steps.iter().take(limit) {
        let seconds = step.time.as_secs_f64();
        let rate = |amount: i64| {
            if seconds > 0.0 { amount as f64 / seconds / 1e9 } else { 0.0 }
        };
        let _ = writeln!(
            text,
            "{:9.1} {:6.1} {:6} {:8.1} {:7.1}  {} ({})",
            seconds * 1e6,
            100.0 * seconds / total.max(f64::MIN_POSITIVE),
            step.calls,
            rate(step.flops),
            rate(step.bytes),
            step.name,
            step.nodes.join(" ")
        );
    }
    if steps.len() > limit {
        let _ = writeln!(text, "... and {} more", steps.len() - limit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use runtime::StepProfile;
    use std::time::Duration;

    #[test]
    fn summaries() {
        let tensor = Tensor::from_vec(vec![3], vec![1.0f32, 3.0, f32::NAN]);
        let text = summary("y", &tensor);
        assert_eq!(
            text,
            "y: f32[3]  min 1.000000  max 3.000000  mean 2.000000  not finite: 1\n  [1.000000, 3.000000, NaN]"
        );
        assert_eq!(to_json("y", &tensor)["mean"], 2.0);
        let empty = Tensor::from_vec(vec![0], Vec::<i64>::new());
        assert_eq!(summary("e", &empty), "e: i64[0]\n  []");
        assert!(to_json("e", &empty)["min"].is_null());
    }

    #[test]
    fn the_slowest_step_comes_first() {
        let step = |name: &str, us| StepProfile {
            name: name.into(),
            nodes: vec!["/n".into()],
            calls: 1,
            time: Duration::from_micros(us),
            flops: 1000,
            bytes: 0,
        };
        let profile = Profile { steps: vec![step("fast", 1), step("slow", 3)], ..Profile::default() };
        let table = profile_table(&profile, 1);
        assert!(table.contains("3.0   75.0") && table.contains("slow (/n)"), "{table}");
        assert!(table.contains("... and 1 more") && !table.contains("fast"), "{table}");
    }
}
