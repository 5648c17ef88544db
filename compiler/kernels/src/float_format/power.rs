//! `F8E8M0`: a code is the exponent field of a single; 255 is NaN.

use super::RoundMode;
use crate::math::{Arith, ArithExt};

/// Bits of 2^-127, which is a denormal single.
const LEAST: i64 = 0x0040_0000;

pub(super) fn decode<A: Arith>(a: &A, code: A::I) -> A::F {
    let code = a.iand(code, a.i(255));
    let bits = a.shl_by(code, 23);
    let bits = a.iselect(a.ieq(code, a.i(0)), a.i(LEAST), bits);
    a.select(a.ieq(code, a.i(255)), a.nan(), a.float_of(bits))
}

pub(super) fn encode<A: Arith>(a: &A, x: A::F, saturate: bool, round: RoundMode) -> A::I {
    let size = a.iand(a.bits(x), a.i(0x7fff_ffff));
    // Carrying into the exponent is rounding up.
    let carry = match round {
        RoundMode::Up => 0x7f_ffff,
        RoundMode::Nearest => 0x40_0000,
        RoundMode::Down => 0,
    };
    let code = a.lshr_by(a.iadd(size, a.i(carry)), 23);
    // Among the denormals the step from code 0 to 1 begins later: at 2^-127 and at 3/2 of it.
    let bound = match round {
        RoundMode::Up => LEAST + 1,
        RoundMode::Nearest => LEAST + LEAST / 2,
        RoundMode::Down => 1 << 23,
    };
    let code = a.iselect(a.ilt(size, a.i(bound)), a.i(0), code);
    let nan = a.i(255);
    let code = match saturate {
        true => a.iselect(a.ilt(a.i(254), code), a.i(254), code),
        false => {
            // Beyond the last power, and below the first.
            let high = a.ilt(a.i(254 << 23), size);
            let low = a.ilt(size, a.i(LEAST));
            a.iselect(a.or(high, low), nan, code)
        }
    };
    a.iselect(a.is_nan(x), nan, code)
}
