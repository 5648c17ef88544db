//! Vector mathematics: functions as straight-line arithmetic, the same for host vectors, GPU threads and tests.
//!
//! A function is generic over [`Arith`], the vocabulary of float and integer lanes.
//! [`Lanes`] writes it as MLIR on `f32`, `f64` or vectors of them; [`Interp32`] and [`Interp64`] run it.
//! [`Unary`] and [`Binary`] name the functions for callers that work from a table; [`unary`] and [`binary`] write one,
//! computing `f16` and `bf16` in `f32`.
//!
//! Every function treats NaN, infinities, both zeros and denormals as C's library does, and its documentation states
//! the largest error, measured by this module's tests, in units in the last place (ULP), single / double.
//! Coefficients are minimax polynomials (Remez' exchange in 50 digits on the stated interval, for the stated error,
//! then rounded to the format); the comment at each gives the error before rounding.

mod arith;
mod erf;
mod exp;
mod fmod;
mod hyperbolic;
mod interp;
mod inverse;
mod lanes;
mod log;
mod pow;
mod reduce;
mod table;
mod trig;

#[cfg(test)]
mod tests;

pub use arith::{Arith, ArithExt, Format};
pub use erf::erf;
pub use exp::{exp, exp_nonpositive, exp2, expm1, rsqrt, sigmoid};
pub use fmod::fmod;
pub use hyperbolic::{acosh, asinh, atanh, cosh, sinh, tanh};
pub use interp::{Interp32, Interp64};
pub use inverse::{acos, asin, atan, atan2};
pub use lanes::Lanes;
pub use log::{log, log1p, log2, log10};
pub use pow::pow;
pub use table::{Binary, Unary, binary, unary};
pub use trig::{cos, sin, tan};
