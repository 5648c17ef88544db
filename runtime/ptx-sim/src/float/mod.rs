//! Floating-point formats and roundings that Rust does not have.
//!
//! Everything is computed in `f64` rounded to odd, which keeps enough to round once more to a format of at most 24 bits in
//! any direction (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to
//! odd", 2008).

mod format;
mod odd;
mod wide;

pub(crate) use format::{Format, decode, round};
pub(crate) use odd::{add_odd, div_odd, fma_odd, sqrt_odd};
pub(crate) use wide::{add_f64, directed, div_f64, fma_f64, mul_f64, sqrt_f64};

/// A rounding mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// To nearest, ties to even.
    Nearest,
    /// To nearest, ties away from zero.
    Away,
    /// Toward zero.
    Zero,
    /// Toward minus infinity.
    Down,
    /// Toward plus infinity.
    Up,
}

impl Mode {
    /// `rn`, `rz`, `rm`, `rp`, `rna`, and the same for integers.
    pub(crate) fn parse(word: &str) -> Option<Mode> {
        Some(match word {
            "rn" | "rni" => Mode::Nearest,
            "rna" => Mode::Away,
            "rz" | "rzi" => Mode::Zero,
            "rm" | "rmi" => Mode::Down,
            "rp" | "rpi" => Mode::Up,
            _ => return None,
        })
    }
}
