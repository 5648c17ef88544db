//! Limits of memory and time on the command line.

use crate::Failure;
use clap::Args;
use runtime::Limits;
use std::time::Duration;

/// What a command may use.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct LimitArgs {
    /// Most memory of a run, such as 512MiB or 2GiB: weights, arena, outputs, scratch, and buffers that data sizes. A run that is
    /// planned to need more is refused before anything is allocated. Inputs and the compile do not count
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub memory_limit: Option<usize>,
    /// Most time of the whole command. It is looked at between the phases of a compile, between kernels that are compiled,
    /// and between the steps of a run; a step under way is not interrupted
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub timeout: Option<Duration>,
}

impl LimitArgs {
    /// Limits of a run, of which so much time is left.
    pub fn of_run(&self, time: Option<Duration>) -> Limits {
        Limits { memory: self.memory_limit, time }
    }

    /// Fails if the command took so long already that its time is over.
    pub fn check_time(&self, elapsed: Duration) -> Result<(), Failure> {
        match self.timeout {
            Some(limit) if elapsed >= limit => {
                let text = format!("the command took longer than its limit of {} s", limit.as_secs_f64());
                Err(runtime::Error::Limit(text).into())
            }
            _ => Ok(()),
        }
    }
}

/// Bytes: a number, alone or with one of `B`, `kB`, `MB`, `GB`, `TB` (powers of 1000), `KiB`, `MiB`, `GiB`, `TiB` (of 1024).
pub fn parse_size(text: &str) -> Result<usize, String> {
    let wrong = || format!("`{text}` is not a size such as 1000000, 512MiB or 2GB");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "kB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    let bytes = match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(factor),
        Err(_) => number.parse::<f64>().ok().map(|number| (number * factor as f64) as u64),
    };
    bytes.and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(wrong)
}

/// A number of seconds, which may have a fraction.
pub fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| format!("`{text}` is not a number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let good = [
            ("17", 17),
            ("512MiB", 512 << 20),
            ("2GiB", 2 << 30),
            ("1.5KiB", 1536),
            ("3MB", 3_000_000),
            ("1 kB", 1000),
        ];
        for (text, bytes) in good {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MiB", "-1", "1XB", "1.2.3", "99999999999TiB", "1e3"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn seconds() {
        assert_eq!(parse_seconds("0.25"), Ok(Duration::from_millis(250)));
        for bad in ["", "-1", "soon", "NaN", "1e300"] {
            assert!(parse_seconds(bad).is_err(), "{bad}");
        }
    }
}
